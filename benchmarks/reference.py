"""What the results are compared with: the ball oracle of the stored matrix, more accurate than what is measured.

For float32 input an SVD in float64 is enough. For float64 the SVD is refined in extended precision (80 bits where the
platform has them): with U and V orthogonal to that precision, U'GV is diagonal up to 1e-16, and the oracle of a
nearly diagonal matrix is known to first order. For an odd function f of the singular values,

    (U' f(G) V)_ij = (f_i - f_j)/(s_i - s_j) (E_ij + E_ji)/2 + (f_i + f_j)/(s_i + s_j) (E_ij - E_ji)/2,   i != j,

with E the rest of the diagonal (Daleckii and Krein; Noferini, SIAM J. Matrix Anal. Appl. 38 (2017), for odd functions).
The neglected terms are of the order of (1e-16 s_1 / s_k)^2 above the cutoff. What remains is the rounding in extended
precision, 1e-19 s_1 / s_k: two thousand times less than that of an SVD in float64.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from .matrices import Array, conjugate


def cutoff(shape: tuple[int, ...], dtype: str) -> float:
    """Return the share of the largest singular value up to which, for q < 2, the others count as zero."""
    return max(shape) * float(np.finfo(dtype).eps)


@dataclass(frozen=True)
class Decomposition:
    """G = U (diag(s) + E) V' + U R, with E free of a diagonal and R orthogonal to V; E and R are rounding."""

    U: Array
    s: Array
    Vt: Array
    E: Array | None = None
    R: Array | None = None


def decompose(G: Array) -> Decomposition:
    """Return the SVD of a wide or square matrix, refined for float64 input."""
    U, s, Vt = np.linalg.svd(G.astype(np.float64), full_matrices=False)
    if G.dtype == np.float32:
        return Decomposition(U, s, Vt)
    U, V = (_orthogonalize(X.astype(np.longdouble)) for X in (U, Vt.T))
    W = U.T @ G.astype(np.longdouble)
    B = W @ V
    s = B.diagonal().copy()
    return Decomposition(U, s, V.T, B - np.diag(s), W - B @ V.T)


def _orthogonalize(X: Array) -> Array:
    """Square the distance of the columns from orthonormal ones: one step of Newton-Schulz."""
    result: Array = 1.5 * X - 0.5 * (X @ (X.T @ X))
    return result


def singular_function(s: Array, p: float, relative_cutoff: float) -> tuple[Array, float]:
    """Return f(s) = (s / ||s||_q)^(q-1) with the cutoff rule, and the dual norm ||s||_q."""
    q = conjugate(p)
    kept = s > relative_cutoff * s.max() if q < 2 else s > 0
    t = np.where(kept, s / s.max(), 0)
    norm = (t**q).sum() ** (1 / q)
    f = np.where(kept, (t / norm) ** (q - 1), 0)
    return f, float(norm * s.max())


def oracle(parts: Decomposition, p: float, dtype: str) -> tuple[Array, float]:
    """Return minus the ball oracle of the decomposed matrix, U f(s) V', and the dual norm."""
    f, dual = singular_function(parts.s, p, cutoff((parts.U.shape[0], parts.Vt.shape[1]), dtype))
    if parts.E is None or parts.R is None:
        return (parts.U * f) @ parts.Vt, dual
    s, q = parts.s, conjugate(p)
    slope = np.divide(f, s, out=np.zeros_like(f), where=f > 0)
    difference, total = s[:, None] - s, s[:, None] + s
    close = np.abs(difference) <= 1e-12 * np.abs(total)
    even = (q - 1) * slope[:, None] * np.ones_like(s)
    np.divide(f[:, None] - f, difference, out=even, where=~close)
    odd = np.zeros_like(even)
    np.divide(f[:, None] + f, total, out=odd, where=(f[:, None] + f) > 0)
    inner = np.diag(f) + even * (parts.E + parts.E.T) / 2 + odd * (parts.E - parts.E.T) / 2
    return parts.U @ (inner @ parts.Vt + slope[:, None] * parts.R), dual


def near_cutoff(s: Array, p: float, relative_cutoff: float) -> bool:
    """Whether a singular value lies within a factor 10 of the cutoff: no accuracy is promised there."""
    if conjugate(p) >= 2:
        return False
    t = s / s.max()
    return bool(np.any((t > relative_cutoff / 10) & (t < relative_cutoff * 10)))


def errors(D: Array, reference: Array, two: bool = True) -> tuple[float, float]:
    """Return the relative errors in the Frobenius and (if wanted, else NaN) the spectral norm."""
    if not np.isfinite(D).all():
        return math.inf, math.inf
    difference, exact = (D - reference).astype(np.float64), reference.astype(np.float64)
    frobenius = float(np.linalg.norm(difference) / np.linalg.norm(exact))
    spectral = float(np.linalg.norm(difference, 2) / np.linalg.norm(exact, 2)) if two else math.nan
    return frobenius, spectral


def schatten_norm(D: Array, p: float) -> float:
    """Return ||D||_p, computed in float64."""
    s = np.linalg.svd(D.astype(np.float64), compute_uv=False)
    top = float(s[0])
    if math.isinf(p) or top == 0:
        return top
    return top * float(((s / top) ** p).sum() ** (1 / p))


def strict_bound(gesdd_error: float, shape: tuple[int, ...], dtype: str) -> float:
    """Return what strict accuracy allows: twice gesdd's error in the dtype, or rounding."""
    return max(2 * gesdd_error, 4 * float(np.finfo(dtype).eps) * math.sqrt(min(shape)))
