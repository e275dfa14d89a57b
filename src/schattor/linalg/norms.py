"""The spectral norm with proven bounds, without the other singular values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias, overload

import numpy as np
import numpy.typing as npt

from .._edge import _core
from .._edge.arrays import Dtype, FloatArray, prepare
from .._edge.values import POSITIVE, check_flag

RandomState: TypeAlias = int | np.random.Generator | None
"""A seed, a generator, or None for fresh entropy."""


@dataclass(frozen=True, eq=False)
class SpectralNormInfo:
    r"""What `spectral_norm` knows beside the value.

    Attributes
    ----------
    value : float
        The norm.
    lower, upper : float
        :math:`\mathrm{lower} \le \|A\|_2 \le \mathrm{upper}`, proven, rounding errors included. The upper bound can be
        far off when `certified` is false.
    certified : bool
        Whether ``upper - lower <= rtol * value``.
    method : str
        Where the bounds come from: ``"closed_form"`` (vectors, zero), ``"trace"`` (what the leading vectors leave of
        the Frobenius norm), ``"cholesky"`` (a factorisation that succeeds), or ``"svd"``: the value is LAPACK's, since
        no proof succeeded at the requested accuracy.
    iterations : int
        Products with A and its transpose.
    fallbacks : int
        Proofs that failed, plus one for the dense computation.
    vector : ndarray, shape (n,)
        The right singular vector, in the dtype of A; zero for a zero matrix. Pass it as `v0` next time.
    """

    value: float
    lower: float
    upper: float
    certified: bool
    method: str
    iterations: int
    fallbacks: int
    vector: FloatArray


@overload
def spectral_norm(
    A: npt.ArrayLike,
    *,
    rtol: float | None = ...,
    v0: npt.ArrayLike | None = ...,
    certify: bool = ...,
    return_info: Literal[False] = ...,
) -> float: ...


@overload
def spectral_norm(
    A: npt.ArrayLike,
    *,
    rtol: float | None = ...,
    v0: npt.ArrayLike | None = ...,
    certify: bool = ...,
    return_info: Literal[True],
) -> tuple[float, SpectralNormInfo]: ...


def spectral_norm(
    A: npt.ArrayLike,
    *,
    rtol: float | None = None,
    v0: npt.ArrayLike | None = None,
    certify: bool = True,
    return_info: bool = False,
) -> float | tuple[float, SpectralNormInfo]:
    r"""Return the largest singular value of a matrix, with a proof.

    A Lanczos process on the smaller of :math:`AA^\top` and :math:`A^\top A` finds the leading vectors; the norm of
    their image is a lower bound. The upper bound is proven: either little of :math:`\|A\|_F` is left beside them, or
    the Cholesky factorisation of :math:`\beta I - AA^\top + \alpha UU^\top` succeeds, so that no other singular value
    exceeds :math:`\sqrt\beta`, and the residual of U bounds the rest quadratically. A start that misses the leading
    direction makes the proof fail, and the direction in which it failed is added to the search. Where no proof
    succeeds, the dense singular values are computed.

    Parameters
    ----------
    A : array_like, shape (m, n)
        float32 and float64 are kept; integers become float64. Any scale.
    rtol : float, optional
        Relative width of the bounds. Default 1e-7 for float32, 1e-13 for float64.
    v0 : array_like, shape (n,), optional
        Start: a right singular vector of a similar matrix, such as ``info.vector`` of the previous call.
    certify : bool
        False stops when the estimate has converged, with no more than the Frobenius norm as an upper bound: for
        estimates inside a loop, warm-started, at a few products with A each.
    return_info : bool
        Also return a `SpectralNormInfo`.

    Returns
    -------
    value : float
    info : SpectralNormInfo
        Only with `return_info`.

    Raises
    ------
    ValueError
        For NaN or Inf, more than two dimensions, a `v0` of another length, or an `rtol` that is not positive.

    Notes
    -----
    Golub and Kahan, SIAM J. Numer. Anal. 2, 1965; the residual bound: Mathias, SIAM J. Matrix Anal. Appl. 19, 1998;
    definiteness from a floating-point Cholesky factorisation: Rump, BIT 46, 2006. Results depend on nothing random.

    Examples
    --------
    >>> A = np.diag([3.0, 4.0])
    >>> value, info = st.linalg.spectral_norm(A, return_info=True)
    >>> round(value, 12), info.certified, info.lower <= 4 <= info.upper
    (4.0, True, True)
    >>> st.linalg.spectral_norm(A + 0.01, v0=info.vector) > 4
    True
    """
    array, (rows, cols) = prepare(A, "A")
    tolerance = None if rtol is None else POSITIVE.check("rtol", rtol)
    check_flag("certify", certify)
    check_flag("return_info", return_info)
    vector = np.zeros(cols) if v0 is None else _starts(v0, (cols,), "v0")
    if array.size == 0:
        found = _core.SpectralNorm()
    else:
        try:
            found = _core.spectral_norm(array, rows, cols, tolerance, certify, v0 is not None, vector)
        except ValueError as error:
            raise ValueError(f"A: {error}") from None
    if not return_info:
        return found.value
    info = SpectralNormInfo(
        value=found.value,
        lower=found.lower,
        upper=found.upper,
        certified=found.certified,
        method=found.method,
        iterations=found.iterations,
        fallbacks=found.fallbacks,
        vector=vector.astype(array.dtype),
    )
    return found.value, info


def _default_rtol(dtype: Dtype) -> float:
    return 1e-6 if dtype == np.float32 else 1e-10


def _starts(value: npt.ArrayLike, shape: tuple[int | None, ...], name: str) -> npt.NDArray[np.float64]:
    """Return a copy of start vectors in float64, checked against a shape with None for any length."""
    array = np.array(value, dtype=np.float64, order="C")
    if array.ndim != len(shape) or any(w not in (None, n) for w, n in zip(shape, array.shape, strict=True)):
        expected = "(" + ", ".join("any" if w is None else str(w) for w in shape) + ")"
        raise ValueError(f"{name} must have shape {expected}, got {array.shape}")
    if not np.all(np.isfinite(array)):
        raise ValueError(f"{name} must be finite")
    return array
