"""Softmax and squared loss of a linear map."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .._edge.arguments import checked
from .._edge.arrays import FloatArray
from ..linalg.matrices import matrix
from .losses import SQUARED
from .network import Network, check_lengths, distributions, store_samples
from .problem import Rng, product_constant, store


@dataclass(frozen=True, eq=False, repr=False)
class SoftmaxRegression(Network):
    r"""Cross-entropy of the softmax of a linear map, without bias.

    .. math:: f(W) = -\frac1N\sum_i \sum_c y_{ic}\log\operatorname{softmax}(Wx_i)_c, \qquad
              \nabla f(W) = \frac1N\sum_i (s_i - y_i)\,x_i^\top, \qquad
              \nabla^2 f(W)[D] = \frac1N\sum_i (\operatorname{diag}(s_i) - s_is_i^\top)\,Dx_i\,x_i^\top.

    One block ``"W"`` (classes x features), which starts at zero. 0 is a lower bound, and the infimum where the classes
    can be separated.

    Parameters
    ----------
    inputs : ndarray, shape (N, features)
    targets : ndarray
        Class numbers from 0, shape (N,), or probabilities of the classes, shape (N, classes).

    Raises
    ------
    ValueError
        For shapes that do not fit.

    Notes
    -----
    Source: the second experiment of Shen et al. (arXiv 2505.23737).

    Examples
    --------
    >>> X = np.random.default_rng(0).standard_normal((50, 6))
    >>> problem = st.problems.SoftmaxRegression(X, np.arange(50) % 3)
    >>> round(problem.loss(problem.start()), 4)  # log 3
    1.0986
    """

    inputs: FloatArray
    targets: FloatArray

    def __post_init__(self) -> None:
        store_samples(self)
        store(self, targets=distributions(self.targets, len(self.inputs)))

    @property
    def _shapes(self) -> dict[str, tuple[int, int]]:
        return {"W": (self.targets.shape[1], self.inputs.shape[1])}

    def lipschitz_bound(self, p: float) -> float:
        r"""Return a bound of the Lipschitz constant of the gradient from :math:`S_p` to :math:`S_q`.

        :math:`\operatorname{diag}(s) - ss^\top \preceq I/2`, so it is at most half of the constant of
        `LinearRegression` on the same inputs.

        Parameters
        ----------
        p : float
            In [1, inf].

        Returns
        -------
        float
        """
        return _linear_constant(self.inputs, self.targets.shape[1], p) / 2


@dataclass(frozen=True, eq=False, repr=False)
class LinearRegression(Network):
    r"""Squared loss of a linear map, without bias.

    .. math:: f(W) = \frac1{2N}\sum_i |Wx_i - y_i|^2, \qquad
              \nabla f(W) = \frac1N\sum_i (Wx_i - y_i)\,x_i^\top, \qquad
              \nabla^2 f(W)[D] = DC, \quad C = \frac1N X^\top X.

    One block ``"W"`` (outputs x features), which starts at zero.

    Parameters
    ----------
    inputs : ndarray, shape (N, features)
    targets : ndarray, shape (N, outputs)

    Raises
    ------
    ValueError
        For shapes that do not fit.

    Notes
    -----
    Source: the second experiment of Shen et al. (arXiv 2505.23737).

    Examples
    --------
    >>> problem = st.problems.LinearRegression(np.eye(4), np.diag([1.0, 2.0, 3.0, 4.0]))
    >>> problem.lipschitz(2), problem.lipschitz(np.inf)
    (0.25, 1.0)
    """

    inputs: FloatArray
    targets: FloatArray
    _loss = SQUARED

    def __post_init__(self) -> None:
        store_samples(self)
        store(self, targets=matrix(self.targets, "targets"))
        check_lengths(self.inputs, self.targets)

    @property
    def _shapes(self) -> dict[str, tuple[int, int]]:
        return {"W": (self.targets.shape[1], self.inputs.shape[1])}

    @property
    def lower_bound(self) -> float:
        """The infimum: the loss of a least-squares solution."""
        W = np.linalg.lstsq(self.inputs, self.targets, rcond=None)[0].T
        return self.loss({"W": W})

    def lipschitz(self, p: float) -> float:
        r"""Return the Lipschitz constant of the gradient from :math:`S_p` to :math:`S_q`, which is exact.

        The :math:`\ell_a` norm of the largest eigenvalues of C, as many as W has singular values, 1/a = 1/q - 1/p.

        Parameters
        ----------
        p : float
            In [1, inf].

        Returns
        -------
        float
        """
        return _linear_constant(self.inputs, self.targets.shape[1], p)


@checked
def gaussian_like(inputs: npt.ArrayLike, rng: Rng = None) -> FloatArray:
    """Return Gaussian inputs of equal shape and mean square, without the structure of the given ones.

    Parameters
    ----------
    inputs : array_like, shape (N, features)
    rng : int, Generator or None

    Returns
    -------
    ndarray, shape (N, features)

    Notes
    -----
    What Shen et al. (arXiv 2505.23737) compare features of low rank with.

    Examples
    --------
    >>> X = np.outer(np.arange(6.0), np.ones(4))
    >>> Z = st.problems.gaussian_like(X, rng=0)
    >>> bool(np.isclose(np.linalg.norm(Z), np.linalg.norm(X)))
    True
    """
    X = matrix(inputs, "inputs")
    Z = np.random.default_rng(rng).standard_normal(X.shape)
    return np.asarray(Z * (np.linalg.norm(X) / np.linalg.norm(Z)))


def _linear_constant(inputs: FloatArray, outputs: int, p: float) -> float:
    sigma = np.linalg.svd(inputs, compute_uv=False)
    eigenvalues = np.zeros(inputs.shape[1])
    eigenvalues[: len(sigma)] = sigma**2 / len(inputs)
    return product_constant(np.ones(outputs), eigenvalues, p)
