"""What an oracle must satisfy at one matrix, with the tolerances that the project promises.

``G`` is the stored matrix at a harmless scale, ``D`` the answer, ``svd`` the reference SVD of ``G`` and ``eps`` the
machine epsilon of the type of ``D``. The checks themselves work in extended precision, or in float64 where noted.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np

from . import oracles

#: How far a route that claims exactness may leave the unit ball.
BALL_EXCESS = {np.dtype(np.float32): 1e-5, np.dtype(np.float64): 1e-12}


class Spectrum(Protocol):
    """The part of a reference SVD that the checks read."""

    sigma: np.ndarray
    size: int

    def norm(self, p: float) -> float: ...
    def lost_mass(self, p: float, eps: float) -> float: ...


def rounding(shape: tuple[int, ...], eps: float) -> float:
    """The promise for scalar identities: 10 eps sqrt(min(m, n))."""
    return 10 * eps * float(np.sqrt(min(shape)))


def assert_identities(G: np.ndarray, D: np.ndarray, p: float, svd: Spectrum, extended: bool = True) -> None:
    """<G, D> = -||G||_q and ||D||_p = 1, and D stays in the ball."""
    eps = float(np.finfo(D.dtype).eps)
    tolerance = rounding(D.shape, eps) + svd.lost_mass(p, eps)
    relative_pairing = oracles.inner(G, D) / svd.norm(oracles.conjugate(p))
    assert abs(relative_pairing + 1) <= tolerance, (
        f"<G,D>/||G||_q = {relative_pairing!r}, tolerance {tolerance:.1e}"
    )
    lapack = D.astype(np.float64)
    spectrum = oracles.jacobi_singular_values(D) if extended else np.linalg.svd(lapack, compute_uv=False)
    norm = float(oracles.lp_norm(spectrum, p))
    assert abs(norm - 1) <= tolerance, f"||D||_p = {norm!r}, tolerance {tolerance:.1e}"
    assert norm <= 1 + BALL_EXCESS[D.dtype], f"||D||_p = {norm!r} leaves the ball"


def direction_tolerance(sigma: np.ndarray, size: int, p: float, eps: float) -> float | None:
    """100 eps cond max(1, q - 1) where the oracle is continuous at the stored matrix, else None.

    ``cond`` is the condition number of the part above the cutoff. At p = 1 the oracle is continuous when the tied
    group is separated, and its condition number is sigma_1 over the gap below the group. Spectra that touch the cutoff
    or the edge of the tie window are left out: there one rounding decides.
    """
    ratio = np.asarray(sigma / sigma[0], dtype=np.float64)
    q = oracles.conjugate(p)
    if np.isinf(q):
        window = 8 * size * eps
        if ((ratio > 1 - 4 * window) & (ratio < 1 - window / 4)).any():
            return None
        below = ratio[ratio < 1 - window]
        return 100 * eps / float(1 - below[0]) if below.size else 100 * eps
    cutoff = size * eps
    if q < 2 and ((ratio > cutoff / 4) & (ratio <= 11 * cutoff)).any():
        return None
    condition = 1 / float(ratio[ratio > cutoff / 4].min())
    return 100 * eps * condition * max(1.0, q - 1)


def relative_error(D: np.ndarray, expected: np.ndarray) -> float:
    """Frobenius distance over the Frobenius norm of the expected value, in extended precision."""
    expected = np.asarray(expected, dtype=np.longdouble)
    difference = D.astype(np.longdouble) - expected
    return float(np.sqrt((difference**2).sum() / (expected**2).sum()))
