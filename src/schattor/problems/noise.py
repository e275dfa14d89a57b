"""Noise with a chosen matrix covariance, and problems with such noise."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from .._edge.arrays import FloatArray
from .._edge.values import Domain, check_count
from ..linalg.matrices import semidefinite
from .problem import Blocks, Params, Problem, Rng, short_repr, store

_ABOVE_TWO = Domain("above 2 and finite", lambda x: 2 < x < np.inf)


@dataclass(frozen=True, eq=False, repr=False)
class Noise(ABC):
    r"""Random matrices of mean zero whose covariance on the smaller side is chosen.

    :math:`\mathbb{E}[NN^\top] = V^2` for m <= n, else :math:`\mathbb{E}[N^\top N] = V^2`; see `GaussianNoise`.
    """

    deviation: FloatArray
    shape: tuple[int, int]

    def __post_init__(self) -> None:
        for name, count in zip(("rows", "columns"), self.shape, strict=True):
            check_count(name, count, least=1)
        V = np.asarray(self.deviation, dtype=np.float64)
        store(self, deviation=semidefinite(np.diag(V) if V.ndim == 1 else V, min(self.shape), "deviation"))

    def __repr__(self) -> str:
        return short_repr(self)

    @property
    def covariance(self) -> FloatArray:
        """The covariance V^2 of one draw, on the smaller side."""
        return np.asarray(self.deviation @ self.deviation)

    def draw(self, count: int, rng: Rng = None) -> FloatArray:
        """Return independent draws.

        Parameters
        ----------
        count : int
        rng : int, Generator or None

        Returns
        -------
        ndarray, shape (count, m, n)
        """
        check_count("count", count, least=1)
        m, n = self.shape
        Z = self._standard(count, np.random.default_rng(rng)) / np.sqrt(max(m, n))
        return np.asarray(self.deviation @ Z if m <= n else Z @ self.deviation)

    @abstractmethod
    def _standard(self, count: int, rng: np.random.Generator) -> FloatArray:
        """Return draws whose entries are uncorrelated, with mean zero and variance one."""


@dataclass(frozen=True, eq=False, repr=False)
class GaussianNoise(Noise):
    r"""Gaussian matrices with a chosen covariance.

    For m <= n, :math:`N = V Z/\sqrt n` with independent standard normal entries of Z, so that
    :math:`\mathbb{E}[NN^\top] = V^2`; else :math:`N = Z V/\sqrt m` and :math:`\mathbb{E}[N^\top N] = V^2`.

    Parameters
    ----------
    deviation : ndarray, shape (k, k) or (k,)
        V, symmetric positive semi-definite, k = min(m, n); a vector is its diagonal.
    shape : tuple of int
        (m, n).

    Raises
    ------
    ValueError
        For a deviation of another order, or one that is not positive semi-definite.

    Examples
    --------
    >>> noise = st.problems.GaussianNoise(np.array([2.0, 1.0]), (2, 50))
    >>> N = noise.draw(1000, rng=0)
    >>> bool(np.allclose((N @ N.transpose(0, 2, 1)).mean(axis=0), noise.covariance, atol=0.05))
    True
    """

    def _standard(self, count: int, rng: np.random.Generator) -> FloatArray:
        return rng.standard_normal((count, *self.shape))


@dataclass(frozen=True, eq=False, repr=False)
class StudentNoise(Noise):
    r"""Heavy-tailed matrices with a chosen covariance: multivariate Student t.

    :math:`N = \sqrt{(\nu-2)/\chi^2_\nu}\,N'` with N' as in `GaussianNoise` and one :math:`\chi^2_\nu` for each draw.
    The covariance is that of N', and every norm has the tail index :math:`\nu`: moments of order :math:`\nu` and more
    do not exist.

    Parameters
    ----------
    deviation : ndarray, shape (k, k) or (k,)
        V, symmetric positive semi-definite, k = min(m, n); a vector is its diagonal.
    shape : tuple of int
        (m, n).
    degrees_of_freedom : float
        :math:`\nu > 2`; below, there is no covariance. Default 3.

    Raises
    ------
    ValueError
        As for `GaussianNoise`, or for too few degrees of freedom.

    Examples
    --------
    >>> noise = st.problems.StudentNoise(np.array([2.0, 1.0]), (2, 50), degrees_of_freedom=3)
    >>> lengths = np.linalg.norm(noise.draw(1000, rng=0), axis=(1, 2))
    >>> bool(lengths.max() > 5 * np.sqrt(np.trace(noise.covariance)))
    True
    """

    degrees_of_freedom: float = 3.0

    def __post_init__(self) -> None:
        super().__post_init__()
        _ABOVE_TWO.check("degrees_of_freedom", self.degrees_of_freedom)

    def _standard(self, count: int, rng: np.random.Generator) -> FloatArray:
        Z = rng.standard_normal((count, *self.shape))
        nu = self.degrees_of_freedom
        return np.asarray(Z * np.sqrt((nu - 2) / rng.chisquare(nu, size=(count, 1, 1))))


@dataclass(frozen=True, eq=False, repr=False)
class WithNoise(Problem):
    """A problem with noise added to its stochastic gradients, which is the same everywhere.

    Parameters
    ----------
    problem : Problem
    noise : mapping of str to Noise
        For each block; a block without noise may be left out.

    Raises
    ------
    KeyError, ValueError
        For a name that is no block's, or noise of another shape.

    Examples
    --------
    >>> quadratic = st.problems.MatrixQuadratic.random([1.0, 0.5], columns=3, rng=0)
    >>> noise = st.problems.GaussianNoise(np.array([0.2, 0.1]), (2, 3))
    >>> problem = st.problems.WithNoise(quadratic, {"W": noise})
    >>> problem.noise_covariance(problem.start())["W"]
    array([[0.04, 0.  ],
           [0.  , 0.01]])
    """

    problem: Problem
    noise: Mapping[str, Noise]

    def __post_init__(self) -> None:
        blocks = self.problem.start()
        for name, noise in self.noise.items():
            if name not in blocks:
                raise KeyError(f"noise for {name!r}, which is no block; there are {', '.join(blocks)}")
            if noise.shape != blocks[name].shape:
                raise ValueError(
                    f"noise of block {name!r} must have shape {blocks[name].shape}, got {noise.shape}"
                )

    @property
    def lower_bound(self) -> float:
        """That of the problem."""
        return self.problem.lower_bound

    def start(self) -> Blocks:
        """Return the starting point of the problem."""
        return self.problem.start()

    def loss(self, params: Params) -> float:
        """Return the loss of the problem, without noise."""
        return self.problem.loss(params)

    def gradient(self, params: Params) -> Blocks:
        """Return the gradient of the problem, without noise."""
        return self.problem.gradient(params)

    def hvp(self, params: Params, direction: Params) -> Blocks:
        """Return the Hessian-vector product of the problem."""
        return self.problem.hvp(params, direction)

    def stochastic_gradient(self, params: Params, batch: int, rng: Rng = None) -> Blocks:
        """Return the problem's estimate plus the mean of as many draws of the noise.

        Parameters
        ----------
        params : mapping of str to ndarray
        batch : int
        rng : int, Generator or None

        Returns
        -------
        dict of str to ndarray
        """
        generator = np.random.default_rng(rng)
        gradient = self.problem.stochastic_gradient(params, batch, generator)
        for name, noise in self.noise.items():
            gradient[name] = gradient[name] + noise.draw(batch, generator).mean(axis=0)
        return gradient

    def noise_covariance(self, params: Params) -> Blocks:
        """Return the covariance of one sample's noise: the problem's plus that of the added noise.

        Parameters
        ----------
        params : mapping of str to ndarray

        Returns
        -------
        dict of str to ndarray
        """
        covariance = self.problem.noise_covariance(params)
        for name, noise in self.noise.items():
            covariance[name] = covariance[name] + noise.covariance
        return covariance
