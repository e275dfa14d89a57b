"""Schatten norms and the two oracles of one block, in NumPy and in mpmath.

Notation: ``G = U diag(s) V'``, ``p`` the primal exponent, ``q`` its conjugate, ``eps`` the machine epsilon of the
input's type. For ``q < 2`` a singular value ``s_i <= max(m, n) eps s_1`` counts as zero. At ``p = 1`` the singular
values ``s_i >= s_1 (1 - 8 max(m, n) eps)`` share the mass.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import mpmath
import numpy as np
import scipy.linalg

MP_DIGITS = 40


def conjugate(p: float) -> float:
    """Return q with 1/p + 1/q = 1."""
    if p == 1:
        return np.inf
    if np.isinf(p):
        return 1.0
    return p / (p - 1)


def lp_norm(values: np.ndarray, p: float) -> float:
    """l_p norm of a vector, divided by its largest entry first so that no power overflows."""
    magnitudes = np.abs(np.asarray(values)).ravel()
    largest = magnitudes.max(initial=0)
    if largest == 0 or np.isinf(p):
        return largest
    return largest * ((magnitudes / largest) ** p).sum() ** (1 / magnitudes.dtype.type(p))


def tie_count(sigma: np.ndarray, size: int, eps: float) -> int:
    """Count the singular values that share the mass at p = 1; ``size`` is max(m, n)."""
    return int(np.count_nonzero(sigma >= sigma[0] * (1 - 8 * size * eps)))


def direction_spectrum(
    sigma: np.ndarray, p: float, size: int, eps: float, rcond: float | None = None
) -> np.ndarray:
    """Singular values of the unit direction -D, in the order of ``sigma`` (decreasing, not all zero)."""
    q = conjugate(p)
    if np.isinf(q):
        k = tie_count(sigma, size, eps)
        return np.where(np.arange(sigma.size) < k, 1.0, 0.0) / k
    ratio = sigma / sigma[0]
    if q < 2:
        cutoff = size * eps if rcond is None else rcond
        ratio = np.where(ratio <= cutoff, 0.0, ratio)
    power = np.zeros_like(ratio)
    power[ratio > 0] = ratio[ratio > 0] ** (q - 1)
    return power / lp_norm(ratio, q) ** (q - 1)


def schatten_norm(A: np.ndarray, p: float) -> float:
    """l_p norm of the singular values of A."""
    A = np.asarray(A)
    largest = np.abs(A).max(initial=0)
    if largest == 0:
        return 0.0
    return float(lp_norm(np.linalg.svd(A / largest, compute_uv=False), p) * largest)


def ball_oracle(G: np.ndarray, p: float, rcond: float | None = None) -> np.ndarray:
    """Argmin of <G, D> over ||D||_p <= 1, through LAPACK's gesdd in the type of G (NumPy would use float64)."""
    G = np.asarray(G)
    largest = np.abs(G).max(initial=0)
    if largest == 0:
        return np.zeros_like(G)
    U, sigma, Vt = scipy.linalg.svd(G / largest, full_matrices=False, lapack_driver="gesdd")
    spectrum = direction_spectrum(
        sigma.astype(np.float64), p, max(G.shape), float(np.finfo(G.dtype).eps), rcond
    )
    return -(U * spectrum.astype(G.dtype)) @ Vt


def regularization_oracle(G: np.ndarray, p: float, rcond: float | None = None) -> np.ndarray:
    """Argmin of <G, D> + ||D||_p^2 / 2: the dual norm times the ball oracle."""
    return schatten_norm(G, conjugate(p)) * ball_oracle(G, p, rcond)


def lp_ball_oracle(g: np.ndarray, p: float) -> np.ndarray:
    """Ball oracle of the entrywise l_p norm: -sign(g) |g|^(q-1) / ||g||_q^(q-1); exact ties share the mass at p = 1."""
    g = np.asarray(g, dtype=np.float64)
    largest = np.abs(g).max(initial=0)
    if largest == 0:
        return np.zeros_like(g)
    ratio, q = np.abs(g) / largest, conjugate(p)
    if np.isinf(q):
        return -np.sign(g) * (ratio == 1) / np.count_nonzero(ratio == 1)
    power = np.zeros_like(ratio)
    power[ratio > 0] = ratio[ratio > 0] ** (q - 1)
    return -np.sign(g) * power / lp_norm(ratio, q) ** (q - 1)


@dataclass(frozen=True)
class ExactSVD:
    """Thin SVD of a stored matrix with ``MP_DIGITS`` digits; factors are also kept in extended precision."""

    sigma_mp: tuple[mpmath.mpf, ...]
    sigma: np.ndarray
    U: np.ndarray
    Vt: np.ndarray
    size: int

    def norm(self, p: float) -> float:
        """Schatten-p norm of the matrix."""
        return float(self._norm(self.sigma_mp, p))

    @staticmethod
    def _norm(values: tuple[mpmath.mpf, ...], p: float) -> mpmath.mpf:
        with mpmath.workdps(MP_DIGITS):
            if mpmath.isinf(p):
                return max(values)
            exponent = mpmath.mpf(p)
            return mpmath.fsum(mpmath.power(v, exponent) for v in values if v > 0) ** (1 / exponent)

    def kept(self, p: float, eps: float) -> np.ndarray:
        """Mask of the singular values above the cutoff (all non-zero ones for q >= 2)."""
        cutoff = self.size * eps if conjugate(p) < 2 else 0
        return self.sigma > cutoff * self.sigma[0]

    def lost_mass(self, p: float, eps: float) -> float:
        """Relative part of ||G||_q that the cutoff may remove, one rounding of the SVD included."""
        q = conjugate(p)
        if q >= 2:
            return 0.0
        cutoff = (self.size + 4) * eps * self.sigma_mp[0]
        kept = tuple(s for s in self.sigma_mp if s > cutoff)
        return float(1 - self._norm(kept, q) / self._norm(self.sigma_mp, q))

    def direction(self, p: float, eps: float) -> np.ndarray:
        """Ball oracle of the stored matrix in extended precision."""
        with mpmath.workdps(MP_DIGITS):
            largest = self.sigma_mp[0]
            if p == 1:
                count = sum(s >= largest * (1 - 8 * self.size * mpmath.mpf(eps)) for s in self.sigma_mp)
                spectrum = [mpmath.mpf(i < count) / count for i in range(len(self.sigma_mp))]
            else:
                power = mpmath.mpf(0) if np.isinf(p) else 1 / (mpmath.mpf(p) - 1)
                ratios = [s / largest for s in self.sigma_mp]
                keep = self.kept(p, eps)
                dual = self._norm(tuple(t for t, k in zip(ratios, keep, strict=True) if k), 1 + power)
                spectrum = [
                    (t / dual) ** power if k else mpmath.mpf(0) for t, k in zip(ratios, keep, strict=True)
                ]
        return -(self.U * _to_longdouble(spectrum)) @ self.Vt


@dataclass(frozen=True)
class FloatSVD:
    """Thin SVD in float64: of a float32 matrix by LAPACK, or planted when the matrix was made."""

    U: np.ndarray
    sigma: np.ndarray
    Vt: np.ndarray

    @property
    def size(self) -> int:
        """max(m, n)."""
        return max(self.U.shape[0], self.Vt.shape[1])

    def norm(self, p: float) -> float:
        """Schatten-p norm."""
        return float(lp_norm(self.sigma, p))

    def lost_mass(self, p: float, eps: float) -> float:
        """Relative part of ||G||_q that the cutoff may remove."""
        q = conjugate(p)
        if q >= 2:
            return 0.0
        kept = self.sigma[self.sigma > (self.size + 4) * eps * self.sigma[0]]
        return float(1 - lp_norm(kept, q) / lp_norm(self.sigma, q))

    def direction(self, p: float, eps: float) -> np.ndarray:
        """Ball oracle of the matrix with these factors."""
        return -(self.U * direction_spectrum(self.sigma, p, self.size, eps)) @ self.Vt


def exact_svd(A: np.ndarray) -> ExactSVD:
    """SVD of the stored matrix in mpmath."""
    wide = A.shape[0] < A.shape[1]
    rows = (A.T if wide else A).astype(np.float64).tolist()
    with mpmath.workdps(MP_DIGITS):
        U, sigma, Vt = mpmath.svd_r(mpmath.matrix(rows))
        left, right = _matrix_to_longdouble(U), _matrix_to_longdouble(Vt)
        values = tuple(sigma)
    if wide:
        left, right = right.T, left.T
    return ExactSVD(values, _to_longdouble(values), left, right, max(A.shape))


def _to_longdouble(values: Iterable[mpmath.mpf]) -> np.ndarray:
    """Round to extended precision; what underflows there becomes zero."""
    texts = (mpmath.nstr(v, 25) if abs(v) > 1e-300 else "0" for v in values)
    return np.array([np.longdouble(text) for text in texts], dtype=np.longdouble)


def _matrix_to_longdouble(M: mpmath.matrix) -> np.ndarray:
    return _to_longdouble([M[i, j] for i in range(M.rows) for j in range(M.cols)]).reshape(M.rows, M.cols)


def jacobi_singular_values(A: np.ndarray) -> np.ndarray:
    """Singular values by one-sided Jacobi rotations in extended precision, in decreasing order.

    The rotations of one round act on disjoint pairs of columns, taken in round-robin order.
    """
    X = np.array(A.T if A.shape[0] >= A.shape[1] else A, dtype=np.longdouble)
    scale = np.abs(X).max(initial=0)
    if scale == 0:
        return np.zeros(X.shape[0], dtype=np.longdouble)
    X /= scale
    count = X.shape[0]
    if count % 2:
        X = np.vstack([X, np.zeros_like(X[:1])])
    order = np.arange(X.shape[0])
    half = order.size // 2
    eps = np.finfo(np.longdouble).eps
    for _ in range(60):
        rotated = False
        for _ in range(order.size - 1):
            i, j = order[:half], order[half:][::-1]
            Xi, Xj = X[i], X[j]
            a, b, c = (Xi * Xi).sum(1), (Xj * Xj).sum(1), (Xi * Xj).sum(1)
            active = np.abs(c) > 4 * eps * np.sqrt(a * b)
            if active.any():
                rotated = True
                i, j, Xi, Xj = i[active], j[active], Xi[active], Xj[active]
                zeta = (b[active] - a[active]) / (2 * c[active])
                tangent = np.where(zeta < 0, -1, 1) / (np.abs(zeta) + np.sqrt(1 + zeta * zeta))
                cosine = 1 / np.sqrt(1 + tangent * tangent)
                sine = cosine * tangent
                X[i] = cosine[:, None] * Xi - sine[:, None] * Xj
                X[j] = sine[:, None] * Xi + cosine[:, None] * Xj
            order = np.concatenate([order[:1], np.roll(order[1:], 1)])
        if not rotated:
            break
    values = np.sqrt((X * X).sum(1))
    return np.sort(values)[::-1][:count] * scale


def inner(A: np.ndarray, B: np.ndarray) -> float:
    """Trace of A'B, summed in extended precision; scale A and B so that the products stay finite."""
    return float((np.asarray(A, dtype=np.longdouble) * np.asarray(B, dtype=np.longdouble)).sum())
