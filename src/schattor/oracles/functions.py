"""The Schatten norm and its two oracles as functions (arXiv 2606.15702, Lemma 1)."""

from __future__ import annotations

import math
from typing import Literal, overload

import numpy as np
import numpy.typing as npt

from .._edge import _core
from .._edge.arrays import FloatArray, prepare_stack
from .._edge.backends import Backend, lists_backends
from .._edge.calls import as_float, compute_norm, compute_oracle, oracle_info
from .._edge.info import OracleInfo
from .._edge.threads import check_threads
from .._edge.values import check_flag
from ..parts.geometries import schatten_part


def schatten_norm(A: npt.ArrayLike, p: float) -> float:
    r"""Return the Schatten norm :math:`\|A\|_p = (\sum_i \sigma_i^p)^{1/p}`.

    Parameters
    ----------
    A : array_like, shape (m, n), (n,) or ()
        A vector counts as n x 1. Integers become float64.
    p : float
        In [1, inf]: 1 nuclear, 2 Frobenius, inf spectral norm.

    Returns
    -------
    float
        ``inf`` when the norm exceeds the dtype of `A`. The norm is computed relative to the largest singular value,
        so nothing overflows or vanishes on the way.

    Raises
    ------
    TypeError
        For a dtype other than float32, float64, integer or bool.
    ValueError
        For NaN or Inf, more than two dimensions, or p outside [1, inf].

    Examples
    --------
    >>> st.schatten_norm(np.diag([3.0, 4.0]), 1)
    7.0
    >>> st.schatten_norm(np.diag([3.0, 4.0]), np.inf)
    4.0
    """
    return as_float(*compute_norm(schatten_part(p), A, "A"))


@overload
def ball_oracle(
    G: npt.ArrayLike,
    p: float,
    *,
    backend: Backend = ...,
    rtol: float | None = ...,
    rcond: float | None = ...,
    return_info: Literal[False] = ...,
) -> FloatArray: ...


@overload
def ball_oracle(
    G: npt.ArrayLike,
    p: float,
    *,
    backend: Backend = ...,
    rtol: float | None = ...,
    rcond: float | None = ...,
    return_info: Literal[True],
) -> tuple[FloatArray, OracleInfo]: ...


@lists_backends
def ball_oracle(
    G: npt.ArrayLike,
    p: float,
    *,
    backend: Backend = "auto",
    rtol: float | None = None,
    rcond: float | None = None,
    return_info: bool = False,
) -> FloatArray | tuple[FloatArray, OracleInfo]:
    r"""Minimise a linear function over the Schatten ball: the linear minimisation oracle.

    .. math:: D = \arg\min\{\langle G, D\rangle : \|D\|_p \le 1\}
              = -U\,\mathrm{diag}\bigl(\sigma_i^{q-1}/\|\sigma\|_q^{q-1}\bigr)V^\top, \qquad 1/p + 1/q = 1.

    At p = 2 it is :math:`-G/\|G\|_F`, at p = inf minus the polar factor, at p = 1 :math:`-u_1 v_1^\top` (equal
    largest singular values share the mass). Zero in, zero out.

    Parameters
    ----------
    G : array_like, shape (m, n), (n,) or ()
        float32 and float64 are kept; integers become float64. A vector counts as n x 1.
    p : float
        In [1, inf].
    backend : str or NewtonSchulz
        ``"auto"`` takes the closed form where there is one, else the cheapest backend that is accurate enough. A
        backend that cannot promise the accuracy for this matrix falls back to the SVD, and counts that.

        <backends>
    rtol : float, optional
        Bound of the relative error of D in the Frobenius norm. Default: strict, which is at most twice the error of
        LAPACK's SVD in the dtype of `G`, or ``4 * eps * sqrt(min(m, n))``.
    rcond : float, optional
        For p > 2, singular values up to ``rcond * sigma_1`` count as zero. Default ``max(m, n) * eps``.
    return_info : bool
        Also return an `OracleInfo`.

    Returns
    -------
    D : ndarray, shape of `G`
    info : OracleInfo
        Only with `return_info`.

    Raises
    ------
    TypeError
        For a dtype other than float32, float64, integer or bool.
    ValueError
        For NaN or Inf, more than two dimensions, p outside [1, inf], or a backend that does not serve p.

    Notes
    -----
    :math:`\langle G, D\rangle = -\|G\|_q` and :math:`\|D\|_p = 1` (arXiv 2606.15702, Lemma 1).

    Examples
    --------
    >>> st.ball_oracle(np.diag([8.0, 1.0]), 4).round(3) + 0.0
    array([[-0.985,  0.   ],
           [ 0.   , -0.492]])
    """
    part = schatten_part(p, backend, rcond, rtol)
    check_flag("return_info", return_info)
    direction, result = compute_oracle(part, G, "G", measure=return_info)
    return (direction, oracle_info(result, direction.dtype)) if return_info else direction


@overload
def regularization_oracle(
    G: npt.ArrayLike,
    p: float,
    *,
    backend: Backend = ...,
    rtol: float | None = ...,
    rcond: float | None = ...,
    return_info: Literal[False] = ...,
) -> FloatArray: ...


@overload
def regularization_oracle(
    G: npt.ArrayLike,
    p: float,
    *,
    backend: Backend = ...,
    rtol: float | None = ...,
    rcond: float | None = ...,
    return_info: Literal[True],
) -> tuple[FloatArray, OracleInfo]: ...


def regularization_oracle(
    G: npt.ArrayLike,
    p: float,
    *,
    backend: Backend = "auto",
    rtol: float | None = None,
    rcond: float | None = None,
    return_info: bool = False,
) -> FloatArray | tuple[FloatArray, OracleInfo]:
    r"""Minimise a linear function plus half the squared Schatten norm.

    .. math:: D_r = \arg\min\{\langle G, D\rangle + \tfrac12\|D\|_p^2\} = \|G\|_q\, D,

    with :math:`D` the ball oracle. At p = 2 it is :math:`-G`; at p = inf :math:`-\|G\|_*UV^\top` (PolarGrad).

    Parameters
    ----------
    G, p, backend, rtol, rcond, return_info
        As in `ball_oracle`.

    Returns
    -------
    D : ndarray, shape of `G`
    info : OracleInfo
        Only with `return_info`.

    Raises
    ------
    OverflowError
        When :math:`\|G\|_q` exceeds the dtype.
    TypeError, ValueError
        As in `ball_oracle`.

    Notes
    -----
    :math:`\langle G, D_r\rangle = -\|G\|_q^2` and :math:`\|D_r\|_p = \|G\|_q` (arXiv 2606.15702, Lemma 1).

    Examples
    --------
    >>> st.regularization_oracle(np.diag([3.0, 1.0]), np.inf) + 0.0
    array([[-4.,  0.],
           [ 0., -4.]])
    """
    part = schatten_part(p, backend, rcond, rtol)
    check_flag("return_info", return_info)
    direction, result = compute_oracle(part, G, "G", regularized=True, measure=return_info)
    return (direction, oracle_info(result, direction.dtype)) if return_info else direction


@overload
def batched_ball_oracle(
    G: npt.ArrayLike,
    p: float,
    *,
    backend: Backend = ...,
    rtol: float | None = ...,
    rcond: float | None = ...,
    n_threads: int | None = ...,
    return_info: Literal[False] = ...,
) -> FloatArray: ...


@overload
def batched_ball_oracle(
    G: npt.ArrayLike,
    p: float,
    *,
    backend: Backend = ...,
    rtol: float | None = ...,
    rcond: float | None = ...,
    n_threads: int | None = ...,
    return_info: Literal[True],
) -> tuple[FloatArray, list[OracleInfo]]: ...


def batched_ball_oracle(
    G: npt.ArrayLike,
    p: float,
    *,
    backend: Backend = "auto",
    rtol: float | None = None,
    rcond: float | None = None,
    n_threads: int | None = None,
    return_info: bool = False,
) -> FloatArray | tuple[FloatArray, list[OracleInfo]]:
    r"""Solve the ball oracle for each matrix of a stack, on several threads.

    .. math:: D_i = \arg\min\{\langle G_i, D\rangle : \|D\|_p \le 1\}, \qquad G_i \in \mathbb{R}^{m\times n}.

    Parameters
    ----------
    G : array_like, shape (..., m, n)
        At least two dimensions, the last two being those of a matrix, as in `numpy.linalg`.
    p : float
        In [1, inf].
    backend, rtol, rcond
        As in `ball_oracle`.
    n_threads : int, optional
        Threads to use at most, at least 1. Default: as in `Optimizer`. Each matrix is the work of one thread, unless
        there are fewer large matrices than threads.
    return_info : bool
        Also return what `ball_oracle` reports of each matrix.

    Returns
    -------
    D : ndarray, shape of `G`
    info : list of OracleInfo
        Only with `return_info`: one entry for each matrix, in C order of the leading dimensions.

    Raises
    ------
    TypeError
        For a dtype other than float32, float64, integer or bool.
    ValueError
        For NaN or Inf, fewer than two dimensions, p outside [1, inf], a backend that does not serve p, or fewer than
        one thread.

    Notes
    -----
    ``D[i]`` is ``ball_oracle(G[i], p)``: arXiv 2606.15702, Lemma 1.

    Examples
    --------
    >>> G = np.stack([np.diag([8.0, 1.0]), np.eye(2)])
    >>> D = st.batched_ball_oracle(G, 4)
    >>> D[1].round(3) + 0.0
    array([[-0.841,  0.   ],
           [ 0.   , -0.841]])
    """
    part = schatten_part(p, backend, rcond, rtol)
    check_flag("return_info", return_info)
    stack = prepare_stack(G, "G")
    rows, cols = stack.shape[-2:]
    directions = np.empty(stack.shape, dtype=stack.dtype)
    threads = check_threads(n_threads)
    if stack.size == 0:
        empty = [oracle_info(_core.OracleResult(), stack.dtype)] * math.prod(stack.shape[:-2])
        return (directions, empty) if return_info else directions
    try:
        found = _core.batched_oracle(part, stack, rows, cols, threads, return_info, directions)
    except ValueError as error:
        raise ValueError(f"G: {error}") from None
    return (directions, [oracle_info(result, stack.dtype) for result in found]) if return_info else directions
