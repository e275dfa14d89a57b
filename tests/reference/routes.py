"""What every route of the Schatten oracle promises for one matrix, and the bounds that follow from it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
import scipy.linalg
from benchmarks import reference

import schattor as st

from . import checks, oracles

Factors = tuple[np.ndarray, np.ndarray, np.ndarray]


def presentations(G: np.ndarray) -> list[np.ndarray]:
    """Equal presentations of a matrix: the error of one LAPACK call is a matter of luck."""
    rng = np.random.default_rng(0)
    shuffled = [G[rng.permutation(G.shape[0])][:, rng.permutation(G.shape[1])] for _ in range(5)]
    return [G, G.T, G[::-1], G[:, ::-1], G[::-1, ::-1].T, *shuffled]


@dataclass
class Problem:
    """A stored matrix with its reference decomposition; everything that is costly is computed once."""

    G: np.ndarray
    rcond: float | None = None
    parts: reference.Decomposition = field(init=False)
    _lapack: list[Factors] = field(init=False, default_factory=list)
    _directions: dict[float, np.ndarray] = field(init=False, default_factory=dict)
    _strict: dict[float, float] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self.tall = self.G.shape[0] > self.G.shape[1]
        self.parts = reference.decompose(np.ascontiguousarray(self.G.T if self.tall else self.G))

    @property
    def eps(self) -> float:
        """Machine epsilon of the stored matrix."""
        return float(np.finfo(self.G.dtype).eps)

    @property
    def sigma(self) -> np.ndarray:
        """Singular values, in decreasing order."""
        return np.sort(np.maximum(np.asarray(self.parts.s, dtype=np.float64), 0))[::-1]

    @property
    def cutoff(self) -> float:
        """What counts as zero for q < 2, relative to the largest singular value."""
        return max(self.G.shape) * self.eps if self.rcond is None else self.rcond

    def direction(self, p: float) -> np.ndarray:
        """The ball oracle of the stored matrix."""
        if p not in self._directions:
            if p == 1:
                f = oracles.direction_spectrum(self.parts.s, p, max(self.G.shape), self.eps)
                D = (self.parts.U * f) @ self.parts.Vt
            elif self.rcond is None:
                D, _ = reference.oracle(self.parts, p, self.G.dtype.name)
            else:
                f, _ = reference.singular_function(self.parts.s, p, self.rcond)
                D = (self.parts.U * f) @ self.parts.Vt
            self._directions[p] = -(D.T if self.tall else D).astype(np.longdouble)
        return self._directions[p]

    def dual_norm(self, p: float) -> float:
        """||G||_q over all singular values."""
        return float(oracles.lp_norm(self.sigma, oracles.conjugate(p)))

    def lost_mass(self, p: float) -> float:
        """Relative part of ||G||_q below the cutoff: routes differ in whether they count it."""
        if oracles.conjugate(p) >= 2:
            return 0.0
        q, s = oracles.conjugate(p), self.sigma
        return float(1 - oracles.lp_norm(s[s > 1.01 * self.cutoff * s[0]], q) / oracles.lp_norm(s, q))

    def promised(self, p: float) -> bool:
        """Whether an accuracy is promised: not next to the cutoff, nor to the edge of the tie window at p = 1."""
        if p == 1:
            return checks.direction_tolerance(self.sigma, max(self.G.shape), p, self.eps) is not None
        return not reference.near_cutoff(self.sigma, p, self.cutoff)

    def strict(self, p: float) -> float:
        """Twice the error of gesdd in the type of the matrix, or 4 eps sqrt(min(m, n))."""
        if p not in self._strict:
            floor = 4 * self.eps * math.sqrt(min(self.G.shape))
            if p == 1:  # the reference is no better than float64 here: a first-order bound for that type
                bound = checks.direction_tolerance(self.sigma, max(self.G.shape), p, self.eps)
                self._strict[p] = max(floor, bound or 0.0)
            else:
                self._strict[p] = max(floor, 2 * max(self._lapack_error(p, i) for i in range(10)))
        return self._strict[p]

    def _lapack_error(self, p: float, presentation: int) -> float:
        if not self._lapack:
            self._lapack = [
                scipy.linalg.svd(A, full_matrices=False, check_finite=False) for A in presentations(self.G)
            ]
        U, s, Vt = self._lapack[presentation]
        f = oracles.direction_spectrum(s, p, max(self.G.shape), self.eps, self.rcond)
        expected = presentations(self.direction(p))[presentation]
        return checks.relative_error(-((U * f.astype(s.dtype)) @ Vt), expected)

    def violations(self, p: float, backend: str, rtol: float | None) -> list[str]:
        """Compute the oracle and list the promises that it breaks."""
        D, info = st.ball_oracle(self.G, p, backend=backend, rtol=rtol, rcond=self.rcond, return_info=True)
        case = f"p={p:.4g} {backend} rtol={rtol} -> {info.backend}, {info.fallbacks} fallbacks:"
        found = []
        excess = reference.schatten_norm(D, p) - 1
        if not excess <= checks.BALL_EXCESS[D.dtype]:
            found.append(f"{case} leaves the ball by {excess:.1e}")
        if info.approximate or D.dtype != self.G.dtype or D.shape != self.G.shape:
            found.append(f"{case} wrong kind of result")
        served = backend in ("svd", "gram", "chebyshev") or (backend == "band" and p != 2 and p > 4 / 3)
        if served and info.backend != backend and info.fallbacks == 0:
            found.append(f"{case} fallback not counted")
        if not self.promised(p):
            return found
        allowed = self.strict(p) if rtol is None else rtol
        if info.backend == "svd":
            # This is gesdd itself, and nothing is more accurate; its error on other presentations of the matrix is a
            # sample, not a bound.
            first_order = checks.direction_tolerance(self.sigma, max(self.G.shape), p, self.eps)
            allowed = max(allowed, first_order or 0.0)
        error = checks.relative_error(D, self.direction(p))
        if not error <= allowed:
            found.append(f"{case} error {error:.1e} > {allowed:.1e}")
        rounding = checks.rounding(self.G.shape, self.eps) + self.lost_mass(p)
        exact = self.dual_norm(p)
        relative = abs(info.dual_norm / exact - 1)
        strict_dual = 1e-6 if self.G.dtype == np.float32 else checks.rounding(self.G.shape, self.eps)
        if not relative <= (strict_dual if rtol is None else rtol) + self.lost_mass(p):
            found.append(f"{case} dual norm off by {relative:.1e}")
        # |<G, D - D*>| <= ||G||_F ||D - D*||_F, and <G, D*> is the dual norm of what is kept.
        lever = float(np.linalg.norm(self.sigma) * np.linalg.norm(self.direction(p).astype(float)) / exact)
        gap = abs(oracles.inner(self.G, D) / exact + 1)
        if not gap <= allowed * lever + rounding:
            found.append(f"{case} <G, D> off by {gap:.1e}")
        return found
