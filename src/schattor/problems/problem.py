"""What a test problem offers: loss, exact gradient, Hessian-vector product, stochastic gradient, noise covariance."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any, Protocol, TypeAlias, runtime_checkable

import numpy as np
import numpy.typing as npt

from .._edge.arrays import FloatArray
from .._edge.values import EXPONENT, check_count
from ..linalg.exponents import weight_exponent
from ..parts.geometries import Lp

Blocks: TypeAlias = dict[str, FloatArray]
Params: TypeAlias = Mapping[str, FloatArray]
Rng: TypeAlias = int | np.random.Generator | None
Chosen: TypeAlias = npt.NDArray[np.int64] | slice
Pairs: TypeAlias = dict[str, tuple[FloatArray, FloatArray]]

ALL = slice(None)


def short_repr(instance: Any) -> str:
    """Return a dataclass as it is made, its arrays as their shapes."""
    values = (
        {field.name: getattr(instance, field.name) for field in fields(instance)}
        if is_dataclass(instance)
        else {}
    )
    return (
        f"{type(instance).__name__}({', '.join(f'{name}={_short(value)}' for name, value in values.items())})"
    )


def _short(value: object) -> str:
    if isinstance(value, np.ndarray):
        return f"<{' x '.join(map(str, value.shape))}>"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key!r}: {_short(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list | tuple):
        return f"({', '.join(map(_short, value))})"
    return repr(value)


class Problem(ABC):
    """A function of named matrices to be minimised, with everything about it that is known exactly.

    The problems of this module are frozen and work in float64. `start` gives the blocks, with which all other methods
    are called; they return dicts with the same names.
    """

    def __repr__(self) -> str:
        return short_repr(self)

    @property
    def lower_bound(self) -> float:
        """A number that the loss never falls below; each class says whether it is the infimum."""
        return 0.0

    @abstractmethod
    def start(self) -> Blocks:
        """Return the starting point, in fresh arrays.

        Returns
        -------
        dict of str to ndarray
        """

    @abstractmethod
    def loss(self, params: Params) -> float:
        """Return the loss.

        Parameters
        ----------
        params : mapping of str to ndarray

        Returns
        -------
        float
        """

    @abstractmethod
    def gradient(self, params: Params) -> Blocks:
        """Return the gradient of the loss.

        Parameters
        ----------
        params : mapping of str to ndarray

        Returns
        -------
        dict of str to ndarray
        """

    @abstractmethod
    def hvp(self, params: Params, direction: Params) -> Blocks:
        """Return the product of the Hessian with a direction: the derivative of the gradient along it.

        Parameters
        ----------
        params : mapping of str to ndarray
        direction : mapping of str to ndarray
            All blocks; zeros for those that are not moved.

        Returns
        -------
        dict of str to ndarray
        """

    def stochastic_gradient(self, params: Params, batch: int, rng: Rng = None) -> Blocks:
        """Return an unbiased estimate of the gradient: the mean over independent samples.

        A problem that has no samples returns the gradient; see `WithNoise`.

        Parameters
        ----------
        params : mapping of str to ndarray
        batch : int
            Number of samples, drawn with replacement.
        rng : int, Generator or None

        Returns
        -------
        dict of str to ndarray
        """
        check_count("batch", batch, least=1)
        return self.gradient(params)

    def noise_covariance(self, params: Params) -> Blocks:
        r"""Return the second moment of one sample's noise, on the smaller side of each block.

        :math:`\mathbb{E}[N N^\top]` for m <= n, else :math:`\mathbb{E}[N^\top N]`, N being a sample's gradient minus
        the gradient. Zero for a problem that has no samples.

        Parameters
        ----------
        params : mapping of str to ndarray

        Returns
        -------
        dict of str to ndarray
            Symmetric matrices of order min(m, n).
        """
        return {name: np.zeros((min(G.shape),) * 2) for name, G in self.gradient(params).items()}


class SampledProblem(Problem):
    """A weighted mean of losses of samples, the gradient of each of which has rank one in every block."""

    @property
    @abstractmethod
    def frequencies(self) -> FloatArray:
        """The weight of each sample, which is the probability of drawing it. They sum to one."""

    @abstractmethod
    def factors(self, params: Params, chosen: Chosen = ALL) -> Pairs:
        r"""Return u and v of each sample's gradient :math:`u_i v_i^\top`, as rows of two arrays for each block.

        For the weights of a layer, u is the gradient by the layer's output ("delta") and v the layer's input
        ("activation").

        Parameters
        ----------
        params : mapping of str to ndarray
        chosen : array of int, optional
            Which samples; all by default.

        Returns
        -------
        dict of str to tuple of ndarray
        """

    def gradient(self, params: Params) -> Blocks:
        """Return the gradient of the loss: the weighted mean of the samples' gradients.

        Parameters
        ----------
        params : mapping of str to ndarray

        Returns
        -------
        dict of str to ndarray
        """
        weights = self.frequencies[:, None]
        return {name: (weights * U).T @ V for name, (U, V) in self.factors(params).items()}

    def stochastic_gradient(self, params: Params, batch: int, rng: Rng = None) -> Blocks:
        """Return the mean gradient of samples drawn with replacement.

        Parameters
        ----------
        params : mapping of str to ndarray
        batch : int
        rng : int, Generator or None

        Returns
        -------
        dict of str to ndarray
        """
        check_count("batch", batch, least=1)
        weights = self.frequencies
        chosen = np.random.default_rng(rng).choice(len(weights), size=batch, p=weights)
        return {name: U.T @ V / batch for name, (U, V) in self.factors(params, chosen).items()}

    def noise_covariance(self, params: Params) -> Blocks:
        """Return the second moment of one sample's noise, on the smaller side of each block.

        Parameters
        ----------
        params : mapping of str to ndarray

        Returns
        -------
        dict of str to ndarray
            Symmetric matrices of order min(m, n), exact: a sum over all samples.
        """
        gradient, covariance = self.gradient(params), {}
        for name, (U, V) in self.factors(params).items():
            G = gradient[name]
            if len(G) > G.shape[1]:
                U, V, G = V, U, G.T
            weights = self.frequencies * (V * V).sum(1)
            covariance[name] = (weights[:, None] * U).T @ U - G @ G.T
        return covariance


@runtime_checkable
class Smooth(Protocol):
    """What has an exact Lipschitz constant in every Schatten norm."""

    def lipschitz(self, p: float) -> float:
        """Return the Lipschitz constant of the gradient from S_p to its dual."""
        ...


def product_constant(left: npt.ArrayLike, right: npt.ArrayLike, p: float) -> float:
    r"""Return the norm of :math:`D \mapsto A D B` from :math:`S_p` to :math:`S_q`, by the eigenvalues of A and B.

    By Hoelder's inequality for singular values it is the :math:`\ell_a` norm of the products of the i-th largest
    eigenvalues, 1/a = 1/q - 1/p (infinity for p <= 2), and D with aligned singular vectors attains it.
    """
    EXPONENT.check("p", p)
    descending = [np.sort(np.asarray(x, dtype=np.float64))[::-1] for x in (left, right)]
    k = min(map(len, descending))
    return Lp(weight_exponent(p)).norm(descending[0][:k] * descending[1][:k])


def store(problem: Any, **values: Any) -> None:
    """Set checked values of fields of a frozen dataclass."""
    for name, value in values.items():
        object.__setattr__(problem, name, value)


def random_rotation(order: int, rng: np.random.Generator) -> FloatArray:
    """Return an orthogonal matrix: the factor Q of a Gaussian matrix."""
    return np.linalg.qr(rng.standard_normal((order, order)))[0]
