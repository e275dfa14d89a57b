"""How well structured matrices fit the second moment of gradients: the Fisher matrix that preconditioners assume."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from .._edge.arguments import checked
from .._edge.arrays import FloatArray
from .._edge.values import check_choice

Structure: TypeAlias = Literal["diagonal", "row", "column", "kronecker", "eigenbasis"]

LARGEST = 4096
"""Entries of a block at most: the second moment has their square, 128 MB."""


@checked
def fisher_fit(samples: npt.ArrayLike, structure: Structure) -> float:
    r"""Return the relative Frobenius error of a structure for the second moment of gradients.

    .. math:: \frac{\|F - \hat F\|_F}{\|F\|_F}, \qquad
              F = \frac1N\sum_i \operatorname{vec}(G_i)\operatorname{vec}(G_i)^\top .

    - ``"diagonal"``: the diagonal of F, as in Adam;
    - ``"row"``, ``"column"``: one number for each row or column of G, as in normalisation by their lengths;
    - ``"kronecker"``: the nearest :math:`L \otimes R`, as in Shampoo and K-FAC;
    - ``"eigenbasis"``: the diagonal of F in the eigenvectors of the means of :math:`GG^\top` and :math:`G^\top G`, as
      in SOAP.

    The first four are the nearest matrices of their kind in the Frobenius norm; the last is nearest for its basis.

    Parameters
    ----------
    samples : array_like, shape (N, m, n)
        Gradients of one block: of samples for the empirical Fisher matrix, with labels drawn from the model for the
        true one, of mini-batches along a run for what an optimizer's averages see.
    structure : {"diagonal", "row", "column", "kronecker", "eigenbasis"}

    Returns
    -------
    float
        In [0, 1]; NaN where F is zero.

    Raises
    ------
    ValueError
        For another shape or structure, values that are not finite, or more than 4096 entries: F is formed.

    Notes
    -----
    Sources: Van Loan and Pitsianis, *Approximation with Kronecker products*, 1993; George et al. (arXiv 1806.03884);
    Gong et al. (arXiv 2502.07752).

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> left, right = rng.standard_normal((3, 3)), rng.standard_normal((4, 4))
    >>> samples = left @ rng.standard_normal((5000, 3, 4)) @ right
    >>> [round(st.diagnostics.fisher_fit(samples, s), 2) for s in ("diagonal", "kronecker", "eigenbasis")]
    [0.69, 0.01, 0.01]
    """
    G = np.asarray(samples, dtype=np.float64)
    if G.ndim != 3 or not G.size or not np.isfinite(G).all():
        raise ValueError(f"samples must be finite and not empty, of shape (N, m, n), got shape {G.shape}")
    check_choice("structure", structure, _ERRORS)
    if G[0].size > LARGEST:
        raise ValueError(f"samples have {G[0].size} entries each, but at most {LARGEST} are possible")
    largest = np.abs(G).max()
    if not largest:
        return float("nan")
    G = G / largest
    F = _second_moment(G)
    return float(_ERRORS[structure](F, G) / np.linalg.norm(F))


def _second_moment(G: FloatArray) -> FloatArray:
    flat = G.reshape(len(G), -1)
    return flat.T @ flat / len(G)


def _off_diagonal(F: FloatArray) -> float:
    return float(np.linalg.norm(F - np.diag(np.diag(F))))


def _diagonal(F: FloatArray, G: FloatArray) -> float:
    return _off_diagonal(F)


def _lines(F: FloatArray, G: FloatArray, axis: int) -> float:
    squares = np.diag(F).reshape(G.shape[1:])
    shared = np.broadcast_to(squares.mean(axis=axis, keepdims=True), squares.shape)
    return float(np.linalg.norm(F - np.diag(shared.ravel())))


def _kronecker(F: FloatArray, G: FloatArray) -> float:
    m, n = G.shape[1:]
    rearranged = F.reshape(m, n, m, n).transpose(0, 2, 1, 3).reshape(m * m, n * n)
    return float(np.linalg.norm(np.linalg.svd(rearranged, compute_uv=False)[1:]))


def _eigenbasis(F: FloatArray, G: FloatArray) -> float:
    left = np.linalg.eigh(np.einsum("imj,ikj->mk", G, G, optimize=True))[1]
    right = np.linalg.eigh(np.einsum("ijm,ijk->mk", G, G, optimize=True))[1]
    return _off_diagonal(_second_moment(left.T @ G @ right))


_ERRORS: Mapping[str, Callable[[FloatArray, FloatArray], float]] = {
    "diagonal": _diagonal,
    "row": lambda F, G: _lines(F, G, axis=1),
    "column": lambda F, G: _lines(F, G, axis=0),
    "kronecker": _kronecker,
    "eigenbasis": _eigenbasis,
}
