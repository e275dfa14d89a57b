"""Associative memory of pairs with unequal frequencies."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .._edge.arguments import checked
from .._edge.arrays import FloatArray
from .._edge.values import NON_NEGATIVE, check_count
from ..linalg.matrices import matrix
from .network import Network
from .problem import Rng, store


@dataclass(frozen=True, eq=False, repr=False)
class AssociativeMemory(Network):
    r"""A matrix that maps keys to values, the pairs being asked for with unequal frequencies.

    .. math:: f(W) = -\sum_k \pi_k \log\operatorname{softmax}(V W e_k)_k

    with the keys :math:`e_k` and the values, the rows of V. One block ``"W"``, which starts at zero. 0 is a lower
    bound, and the infimum where the pairs can be told apart.

    Parameters
    ----------
    keys : ndarray, shape (K, d)
    values : ndarray, shape (K, d')
    weights : ndarray, shape (K,)
        Proportional to the frequencies, positive.

    Raises
    ------
    ValueError
        For shapes that do not fit, or weights that are not positive.

    Notes
    -----
    Source: the one-layer model of Wang et al., *Muon outperforms Adam in tail-end associative memory learning* (arXiv
    2509.26030). Frequencies follow a power law in `random`; the paper's imbalanced classes are another choice of
    `weights`.

    Examples
    --------
    >>> problem = st.problems.AssociativeMemory.random(pairs=30, dimension=8, rng=0)
    >>> problem.frequencies[:3].round(3)
    array([0.25 , 0.125, 0.083])
    """

    keys: FloatArray
    values: FloatArray
    weights: FloatArray

    def __post_init__(self) -> None:
        keys, values = matrix(self.keys, "keys"), matrix(self.values, "values")
        weights = np.asarray(self.weights, dtype=np.float64)
        if not len(keys) == len(values) == weights.size or weights.ndim != 1:
            shapes = (keys.shape, values.shape, weights.shape)
            raise ValueError(f"keys, values and weights must have one length, got shapes {shapes}")
        if not (np.isfinite(weights) & (weights > 0)).all():
            raise ValueError("weights must be positive and finite")
        store(self, keys=keys, values=values, weights=weights, inputs=keys, targets=np.eye(len(keys)))

    @classmethod
    @checked
    def random(
        cls, pairs: int, dimension: int, *, exponent: float = 1.0, rng: Rng = None
    ) -> AssociativeMemory:
        """Return a memory of random unit vectors with frequencies proportional to k^-exponent.

        Parameters
        ----------
        pairs, dimension : int
            Number of pairs, and length of keys and values.
        exponent : float
            1 is Zipf's law, 0 equal frequencies.
        rng : int, Generator or None

        Returns
        -------
        AssociativeMemory
        """
        check_count("pairs", pairs, least=1)
        check_count("dimension", dimension, least=1)
        NON_NEGATIVE.check("exponent", exponent)
        vectors = np.random.default_rng(rng).standard_normal((2, pairs, dimension))
        keys, values = vectors / np.linalg.norm(vectors, axis=2, keepdims=True)
        return cls(keys, values, np.arange(1.0, pairs + 1) ** -exponent)

    @property
    def frequencies(self) -> FloatArray:
        """The probability of each pair."""
        return np.asarray(self.weights / self.weights.sum())

    @property
    def _shapes(self) -> dict[str, tuple[int, int]]:
        return {"W": (self.values.shape[1], self.keys.shape[1])}

    def _read(self, outputs: FloatArray) -> FloatArray:
        return np.asarray(outputs @ self.values.T)

    def _unread(self, deltas: FloatArray) -> FloatArray:
        return np.asarray(deltas @ self.values)
