"""The variance proxy of the noise, and the moment bounds of matrix martingales (Lemmas 3, 4 and 11)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .._edge.arguments import checked
from .._edge.arrays import FloatArray
from .._edge.values import Domain
from ..linalg.exponents import conjugate, weight_exponent
from ..linalg.matrices import eigen, matrix, power, semidefinite
from ..parts.geometries import Lp, Schatten
from ..parts.mixed_norm import MixedNorm

BOUNDED = Domain("in [2, inf], where the martingale bounds hold", lambda x: x >= 2)


def check_range(norm: float | MixedNorm, what: str = "norm") -> None:
    """Raise ValueError unless the martingale bounds hold: all exponents in [2, inf]."""
    if not isinstance(norm, MixedNorm):
        BOUNDED.check(what, norm)
        return
    BOUNDED.check("outer", norm.outer)
    for name, geometry in norm.geometries.items():
        if not isinstance(geometry, Schatten):
            raise ValueError(f"norm of block {name!r} must be Schatten, got {geometry}")
        if callable(geometry.p):
            raise ValueError(f"p of block {name!r} is scheduled, but a bound needs one geometry")
        BOUNDED.check(f"p of block {name!r}", geometry.p)


@checked
def variance_proxy(covariance: npt.ArrayLike | Mapping[str, npt.ArrayLike], norm: float | MixedNorm) -> float:
    r"""Return the number that stands for the noise in the theorems.

    .. math:: \sigma = \|V\|_q \quad\text{or}\quad
              \sigma = \bigl\|(\|V_i\|_{q_i}/w_i)_i\bigr\|_{\ell_s}, \qquad \mathbb{E}[NN^\top] \preceq V^2 .

    Parameters
    ----------
    covariance : array_like, or mapping of str to array_like
        V^2 of one sample's noise, on the smaller side of the block; for a mixed norm one for each block.
    norm : float or MixedNorm
        The exponent p of one block, or the norm of many.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        For exponents below 2, or a matrix that is not symmetric and positive semi-definite.
    TypeError, KeyError
        For covariances that do not belong to the norm.

    Notes
    -----
    arXiv 2606.15702, Assumptions 1(c) and 2(c).

    Examples
    --------
    >>> st.theory.variance_proxy(np.diag([9.0, 16.0]), 2), st.theory.variance_proxy(np.diag([9.0, 16.0]), np.inf)
    (5.0, 7.0)
    """
    check_range(norm)
    if isinstance(norm, MixedNorm) != isinstance(covariance, Mapping):
        raise TypeError(
            "a mixed norm goes with a mapping of covariances, and one exponent with one covariance"
        )
    if isinstance(norm, MixedNorm) and isinstance(covariance, Mapping):
        roots = {name: np.diag(_deviations(C, f"covariance[{name!r}]")) for name, C in covariance.items()}
        return norm.dual_norm(roots)
    assert not isinstance(norm, MixedNorm)
    return Lp(norm).dual_norm(_deviations(covariance, "covariance"))


def _deviations(covariance: object, name: str) -> FloatArray:
    """Return the eigenvalues of V."""
    return np.sqrt(eigen(semidefinite(covariance, None, name))[0])  # type: ignore[arg-type]


@checked
def martingale_bound(
    covariance: npt.ArrayLike | Mapping[str, npt.ArrayLike],
    coefficients: npt.ArrayLike,
    norm: float | MixedNorm,
) -> float:
    r"""Return the bound of Lemmas 4 and 11 for a weighted sum of martingale differences.

    .. math:: \mathbb{E}\,\Bigl\|\sum_t c_t N_t\Bigr\|_q^2 \le \sigma^2 \sum_t c_t^2, \qquad
              \mathbb{E}[N_tN_t^\top] \preceq V^2,

    with the variance proxy :math:`\sigma`. No dimension appears.

    Parameters
    ----------
    covariance : array_like, or mapping of str to array_like
        V^2 on the smaller side, or one for each block.
    coefficients : array_like
        The numbers :math:`c_t`.
    norm : float or MixedNorm
        The exponent p of one block, or the norm of many; q is conjugate.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        For exponents below 2, where the inequality fails.

    Notes
    -----
    arXiv 2606.15702, Lemma 4 with the weight :math:`V^{2-q}`, and Lemma 11.

    Examples
    --------
    >>> round(st.theory.martingale_bound(np.eye(4), [0.5, 0.5], np.inf), 12)
    8.0
    """
    c = np.asarray(coefficients, dtype=np.float64)
    return variance_proxy(covariance, norm) ** 2 * float((c * c).sum())


@dataclass(frozen=True)
class Inequality:
    """Two sides of an inequality: left <= right.

    Attributes
    ----------
    left, right : float
    """

    left: float
    right: float

    @property
    def ratio(self) -> float:
        """Left over right: how tight it is, 1 in the equality case, 1 as well where both are zero."""
        return self.left / self.right if self.right else 1.0 + self.left


@checked
def lemma_3(M: npt.ArrayLike, weight: npt.ArrayLike, p: float) -> Inequality:
    r"""Return both sides of the bound of a Schatten norm under a weight.

    .. math:: \|M\|_q^2 \le \|\Lambda\|_{q/(2-q)}\,\operatorname{tr}(M^\top\Lambda^{-1}M), \qquad q \in [1, 2].

    Parameters
    ----------
    M : array_like, shape (m, n)
    weight : array_like, shape (m, m)
        :math:`\Lambda`, symmetric positive definite.
    p : float
        In [2, inf]; q is conjugate.

    Returns
    -------
    Inequality

    Raises
    ------
    ValueError
        For p < 2, or a weight that is not positive definite.

    Notes
    -----
    arXiv 2606.15702, Lemma 3. Equality holds for `optimal_weight`.

    Examples
    --------
    >>> M = np.array([[3.0, 1.0, 0.0], [1.0, 2.0, 1.0]])
    >>> round(st.theory.lemma_3(M, np.eye(2), 4).ratio, 4)
    0.9142
    >>> round(st.theory.lemma_3(M, st.theory.optimal_weight(M, 4), 4).ratio, 12)
    1.0
    """
    BOUNDED.check("p", p)
    A = matrix(M, "M")
    trace, eigenvalues = _weighted(A @ A.T, weight)
    return Inequality(Schatten(p).dual_norm(A) ** 2, Lp(weight_exponent(p)).norm(eigenvalues) * trace)


@checked
def optimal_weight(M: npt.ArrayLike, p: float) -> FloatArray:
    r"""Return the weight with which Lemma 3 is an equality.

    .. math:: \Lambda = (MM^\top)^{(2-q)/2} .

    Parameters
    ----------
    M : array_like, shape (m, n)
        Of full row rank; otherwise the weight is singular.
    p : float
        In [2, inf]; q is conjugate.

    Returns
    -------
    ndarray, shape (m, m)

    Raises
    ------
    ValueError
        For p < 2.

    Examples
    --------
    >>> st.theory.optimal_weight(np.diag([4.0, 9.0]), np.inf).round(12)
    array([[4., 0.],
           [0., 9.]])
    """
    BOUNDED.check("p", p)
    A = matrix(M, "M")
    return power(A @ A.T, (2 - conjugate(p)) / 2)


@checked
def lemma_4(covariances: Sequence[npt.ArrayLike], weight: npt.ArrayLike, p: float) -> float:
    r"""Return the bound of the second moment of a sum of martingale differences, for any weight.

    .. math:: \mathbb{E}\,\Bigl\|\sum_t N_t\Bigr\|_q^2 \le
              \|\Lambda\|_{q/(2-q)} \sum_t \operatorname{tr}\bigl(\Lambda^{-1}\,\mathbb{E}[N_tN_t^\top]\bigr).

    Parameters
    ----------
    covariances : sequence of array_like, shape (m, m)
        The second moments :math:`\mathbb{E}[N_tN_t^\top]`.
    weight : array_like, shape (m, m)
        :math:`\Lambda`, symmetric positive definite.
    p : float
        In [2, inf]; q is conjugate.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        For p < 2, where the inequality fails, or a weight that is not positive definite.

    Notes
    -----
    arXiv 2606.15702, Lemma 4. See `martingale_bound` for the best weight.

    Examples
    --------
    >>> round(st.theory.lemma_4([np.eye(2), np.eye(2)], np.eye(2), np.inf), 12)
    8.0
    """
    BOUNDED.check("p", p)
    total = np.sum([semidefinite(C, None, f"covariances[{t}]") for t, C in enumerate(covariances)], axis=0)
    trace, eigenvalues = _weighted(total, weight)
    return Lp(weight_exponent(p)).norm(eigenvalues) * trace


def _weighted(C: FloatArray, weight: npt.ArrayLike) -> tuple[float, FloatArray]:
    """Return tr(Lambda^-1 C) and the eigenvalues of Lambda."""
    eigenvalues, vectors = eigen(semidefinite(weight, len(C), "weight"))
    if not eigenvalues.min() > 0:
        raise ValueError("weight must be positive definite")
    return float(((C @ vectors) * vectors).sum(0) @ (1 / eigenvalues)), eigenvalues
