"""Polar factors and Newton-Schulz iterations."""

from __future__ import annotations

import math
from typing import Literal, overload

import numpy as np
import numpy.typing as npt

from .._edge.arrays import FloatArray
from .._edge.backends import Backend, Coefficients, NewtonSchulz
from .._edge.calls import compute_oracle, oracle_info
from .._edge.info import OracleInfo
from .._edge.values import check_flag
from ..parts.geometries import schatten_part


@overload
def newton_schulz(
    A: npt.ArrayLike,
    coefficients: Coefficients = ...,
    steps: int | None = ...,
    *,
    rtol: float | None = ...,
    return_info: Literal[False] = ...,
) -> FloatArray: ...


@overload
def newton_schulz(
    A: npt.ArrayLike,
    coefficients: Coefficients = ...,
    steps: int | None = ...,
    *,
    rtol: float | None = ...,
    return_info: Literal[True],
) -> tuple[FloatArray, OracleInfo]: ...


def newton_schulz(
    A: npt.ArrayLike,
    coefficients: Coefficients = "polar_express",
    steps: int | None = None,
    *,
    rtol: float | None = None,
    return_info: bool = False,
) -> FloatArray | tuple[FloatArray, OracleInfo]:
    r"""Drive the singular values of a matrix towards one by an odd polynomial iteration.

    With :math:`X_0 = A / (f \|A\|_F)` (`f` is the set's norm factor), every step takes
    :math:`X \leftarrow a X + b\,(XX^\top) X + c\,(XX^\top)^2 X`, so that the result is
    :math:`U\,\mathrm{diag}(\pi(\sigma_i/(f\|A\|_F)))\,V^\top` with the composite polynomial :math:`\pi`.

    Parameters
    ----------
    A : array_like, shape (m, n)
        float32 and float64 are kept; integers become float64.
    coefficients : str, triple of float, or sequence of triples
        A name from `coefficient_sets`, or ``"adaptive"``, or your own (see `NewtonSchulz`).
    steps : int, optional
        Default: the number that the set was made for.
    rtol : float, optional
        The residual at which ``"adaptive"`` stops; default 1e-3.
    return_info : bool
        Also return an `OracleInfo`.

    Returns
    -------
    X : ndarray, shape (m, n)
        Approximation of the polar factor :math:`UV^\top`; zero for a zero matrix.
    info : OracleInfo
        Only with `return_info`. `residual` is :math:`\|I - XX^\top\|_F/\sqrt{k}` on the smaller side.

    Raises
    ------
    ValueError
        For NaN or Inf, more than two dimensions, an unknown set, a number of steps that it does not have, or an
        `rtol` with one.

    Notes
    -----
    The source of each set is in `coefficient_sets`.

    Examples
    --------
    >>> X = st.linalg.newton_schulz(np.diag([3.0, 1.0]))
    >>> np.allclose(X, np.eye(2))
    True
    """
    part = schatten_part(math.inf, NewtonSchulz(coefficients, steps, rtol))
    check_flag("return_info", return_info)
    direction, found = compute_oracle(part, A, "A", measure=return_info)
    result = np.negative(direction)
    return (result, oracle_info(found, result.dtype)) if return_info else result


def polar_factor(A: npt.ArrayLike, backend: Backend = "auto") -> FloatArray:
    r"""Return the orthogonal polar factor :math:`U_r V_r^\top` of a matrix.

    Singular values up to ``max(m, n) * eps * sigma_1`` count as zero, and their directions are left out: the
    factor of a rank-deficient matrix is a partial isometry, that of a zero matrix is zero.

    Parameters
    ----------
    A : array_like, shape (m, n)
        float32 and float64 are kept; integers become float64.
    backend : str or NewtonSchulz
        As in `schattor.ball_oracle`.

    Returns
    -------
    ndarray, shape (m, n)

    Raises
    ------
    ValueError
        For NaN or Inf, or more than two dimensions.

    Notes
    -----
    It is minus the ball oracle at p = inf (arXiv 2606.15702, Lemma 1).

    Examples
    --------
    >>> bool(np.allclose(st.linalg.polar_factor([[0.0, -2.0], [3.0, 0.0]]), [[0, -1], [1, 0]]))
    True
    """
    return np.negative(compute_oracle(schatten_part(math.inf, backend), A, "A")[0])
