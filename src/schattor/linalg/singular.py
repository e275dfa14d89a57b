"""Singular values, all of them or the largest ones with proven bounds."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Literal, overload

import numpy as np
import numpy.typing as npt

from .._edge import _core
from .._edge.arrays import FloatArray, prepare
from .._edge.values import POSITIVE, check_count, check_flag
from .norms import RandomState, _default_rtol, _starts


def singular_values(A: npt.ArrayLike) -> FloatArray:
    """Return the singular values of a matrix, largest first.

    Parameters
    ----------
    A : array_like, shape (m, n)
        float32 and float64 are kept; integers become float64.

    Returns
    -------
    ndarray, shape (min(m, n),)

    Raises
    ------
    ValueError
        For NaN or Inf, or more than two dimensions.

    Examples
    --------
    >>> st.linalg.singular_values([[3.0, 0.0], [0.0, -4.0]])
    array([4., 3.])
    """
    array, (rows, cols) = prepare(A, "A")
    sigma = np.empty(min(rows, cols), dtype=array.dtype)
    if array.size:
        try:
            _core.singular_values(array, rows, cols, sigma)
        except ValueError as error:
            raise ValueError(f"A: {error}") from None
    return sigma


@dataclass(frozen=True, eq=False)
class TopSingularInfo:
    r"""What `top_singular` knows beside the triples.

    Attributes
    ----------
    residual : float
        The largest of :math:`\|A v_i - \sigma_i u_i\|` and :math:`\|A^\top u_i - \sigma_i v_i\|`, over
        :math:`\sigma_1`. Within ``residual * sigma[0]`` of every ``sigma[i]`` lies a singular value of A.
    lower, upper : float
        Bounds of the exact sum of the k largest singular values. `lower` is the sum of what was found, less its
        rounding; `upper` is :math:`\sqrt{k}\,\|A\|_F` unless a proof was asked for and succeeded.
    converged : bool
        Whether ``residual <= rtol``.
    certified : bool
        Whether ``upper - lower <= rtol * lower``.
    method : str
        ``"subspace"``, ``"svd"`` (the full SVD), or ``"none"`` for a zero matrix.
    iterations : int
        Vectors that were multiplied by A and its transpose.
    fallbacks : int
        Proofs that failed, plus one where the full SVD had to take over.
    """

    residual: float
    lower: float
    upper: float
    converged: bool
    certified: bool
    method: str
    iterations: int
    fallbacks: int


_NOTHING = TopSingularInfo(
    residual=0.0,
    lower=0.0,
    upper=0.0,
    converged=True,
    certified=True,
    method="none",
    iterations=0,
    fallbacks=0,
)
"""Of a zero matrix."""


@overload
def top_singular(
    A: npt.ArrayLike,
    k: int,
    *,
    rtol: float | None = ...,
    rng: RandomState = ...,
    V0: npt.ArrayLike | None = ...,
    certify: bool = ...,
    return_info: Literal[False] = ...,
) -> tuple[FloatArray, FloatArray, FloatArray]: ...


@overload
def top_singular(
    A: npt.ArrayLike,
    k: int,
    *,
    rtol: float | None = ...,
    rng: RandomState = ...,
    V0: npt.ArrayLike | None = ...,
    certify: bool = ...,
    return_info: Literal[True],
) -> tuple[FloatArray, FloatArray, FloatArray, TopSingularInfo]: ...


def top_singular(
    A: npt.ArrayLike,
    k: int,
    *,
    rtol: float | None = None,
    rng: RandomState = 0,
    V0: npt.ArrayLike | None = None,
    certify: bool = False,
    return_info: bool = False,
) -> tuple[FloatArray, FloatArray, FloatArray] | tuple[FloatArray, FloatArray, FloatArray, TopSingularInfo]:
    r"""Return the k largest singular values of a matrix with their vectors: :math:`A \approx U\Sigma V^\top`.

    A randomised block Krylov iteration with restarts, until every residual :math:`\|A v_i - \sigma_i u_i\|` is at most
    ``rtol * sigma[0]``. Where it does not converge, and where k exceeds a quarter of the smaller side, the full SVD is
    computed.

    Parameters
    ----------
    A : array_like, shape (m, n)
        float32 and float64 are kept; integers become float64. Any scale.
    k : int
        In [1, min(m, n)].
    rtol : float, optional
        Default 1e-6 for float32, 1e-10 for float64.
    rng : int, Generator or None
        Where the random start comes from. Equal seeds give equal results.
    V0 : array_like, shape (n, j), optional
        Start: right singular vectors of a similar matrix, such as ``Vt.T`` of the previous call. Random directions
        are always added.
    certify : bool
        Also prove that the sum of the k values is exact to `rtol` (see `spectral_norm`): small residuals alone do not
        tell whether a larger value was missed, which a random start makes improbable, not impossible.
    return_info : bool
        Also return a `TopSingularInfo`.

    Returns
    -------
    U : ndarray, shape (m, k)
    sigma : ndarray, shape (k,)
        Largest first. Never above the exact values, up to rounding.
    Vt : ndarray, shape (k, n)
    info : TopSingularInfo
        Only with `return_info`.

    Raises
    ------
    ValueError
        For NaN or Inf, more than two dimensions, k outside its range, a `V0` of another height, or an `rtol` that is
        not positive.

    Notes
    -----
    Halko, Martinsson and Tropp, SIAM Review 53, 2011; Musco and Musco, NeurIPS 2015; thick restarts: Wu and Simon,
    SIAM J. Matrix Anal. Appl. 22, 2000.

    Examples
    --------
    >>> U, sigma, Vt = st.linalg.top_singular(np.diag([1.0, 5.0, 3.0]), 2)
    >>> np.round(sigma, 12)
    array([5., 3.])
    >>> np.allclose((U * sigma) @ Vt, np.diag([0.0, 5.0, 3.0]))
    True
    """
    array, (rows, cols) = prepare(A, "A")
    if array.size == 0:
        raise ValueError(f"A must have singular values, got an empty {rows} x {cols} matrix")
    count = check_count("k", k, least=1, most=sys.maxsize)
    if count > min(rows, cols):
        raise ValueError(f"k must be in [1, {min(rows, cols)}] for a {rows} x {cols} matrix, got {count}")
    check_flag("certify", certify)
    check_flag("return_info", return_info)
    tolerance = _default_rtol(array.dtype) if rtol is None else POSITIVE.check("rtol", rtol)
    starts = None if V0 is None else np.ascontiguousarray(_starts(V0, (cols, None), "V0").T)
    left = np.zeros((count, rows), dtype=array.dtype)
    sigma = np.zeros(count, dtype=array.dtype)
    right = np.zeros((count, cols), dtype=array.dtype)
    found = None
    if np.any(array):
        seed = int(np.random.default_rng(rng).integers(2**63))
        try:
            found = _core.top_singular(
                array, rows, cols, tolerance, certify, seed, starts, left, sigma, right
            )
        except ValueError as error:
            raise ValueError(f"A: {error}") from None
    else:
        np.fill_diagonal(left, 1)
        np.fill_diagonal(right, 1)
    if not return_info:
        return left.T, sigma, right
    return left.T, sigma, right, _NOTHING if found is None else _info(found)


def _info(found: _core.TopSingular) -> TopSingularInfo:
    return TopSingularInfo(
        residual=found.residual,
        lower=found.lower,
        upper=found.upper,
        converged=found.converged,
        certified=found.certified,
        method=found.method,
        iterations=found.iterations,
        fallbacks=found.fallbacks,
    )
