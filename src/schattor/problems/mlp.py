"""Multilayer perceptrons."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from .._edge.arguments import checked
from .._edge.arrays import FloatArray
from .._edge.values import check_choice
from ..linalg.matrices import matrix
from .losses import ACTIVATIONS
from .network import Network, distributions, store_samples
from .problem import Blocks, Rng, store


@dataclass(frozen=True, eq=False, repr=False)
class MLP(Network):
    r"""A multilayer perceptron without biases, cross-entropy of the softmax of its outputs.

    .. math:: H_l = \phi(H_{l-1}W_l^\top), \qquad S = H_{L-1}W_L^\top, \qquad
              f = -\frac1N\sum_i\sum_c y_{ic}\log\operatorname{softmax}(S_i)_c.

    Blocks ``"W1"``, ``"W2"``, ... (out x in). 0 is a lower bound.

    Parameters
    ----------
    inputs : ndarray, shape (N, features)
    targets : ndarray
        Class numbers from 0, shape (N,), or probabilities of the classes, shape (N, classes).
    weights : sequence of ndarray
        The starting point, a matrix for each layer.
    activation : {"tanh", "relu"}
        With ``"relu"`` gradient and Hessian are those between its kinks.

    Raises
    ------
    ValueError
        For shapes that do not fit, or an unknown activation.

    Notes
    -----
    Source: the third experiment of Shen et al. (arXiv 2505.23737), with layers of 128, 64 and 10 units.

    Examples
    --------
    >>> X = np.random.default_rng(0).standard_normal((50, 6))
    >>> problem = st.problems.MLP.random(X, np.arange(50) % 3, hidden=(8, 4), rng=0)
    >>> {name: W.shape for name, W in problem.start().items()}
    {'W1': (8, 6), 'W2': (4, 8), 'W3': (3, 4)}
    """

    inputs: FloatArray
    targets: FloatArray
    weights: Sequence[FloatArray]
    activation: str = "tanh"

    def __post_init__(self) -> None:
        store_samples(self)
        targets = distributions(self.targets, len(self.inputs))
        weights = tuple(matrix(W, f"weights[{i}]") for i, W in enumerate(self.weights))
        check_choice("activation", self.activation, ACTIVATIONS)
        widths = [self.inputs.shape[1], *(len(W) for W in weights)]
        if [W.shape[1] for W in weights] != widths[:-1] or widths[-1] != targets.shape[1] or not weights:
            shapes = [W.shape for W in weights]
            raise ValueError(
                f"weights must lead from {widths[0]} features to {targets.shape[1]} classes, got shapes {shapes}"
            )
        store(self, targets=targets, weights=weights, _activation=ACTIVATIONS[self.activation])

    @classmethod
    @checked
    def random(
        cls,
        inputs: FloatArray,
        targets: npt.NDArray[np.number],
        *,
        hidden: Sequence[int] = (16,),
        activation: str = "tanh",
        rng: Rng = None,
    ) -> MLP:
        """Return the problem with a Gaussian starting point, of variance one over the number of inputs of a layer.

        Parameters
        ----------
        inputs, targets : ndarray
            As in the class.
        hidden : sequence of int
            Widths of the hidden layers.
        activation : {"tanh", "relu"}
        rng : int, Generator or None

        Returns
        -------
        MLP
        """
        X = matrix(inputs, "inputs")
        Y = distributions(targets, len(X))
        generator = np.random.default_rng(rng)
        widths = (X.shape[1], *hidden, Y.shape[1])
        weights = [generator.standard_normal((m, n)) / np.sqrt(n) for n, m in pairwise(widths)]
        return cls(X, Y, weights, activation)

    @property
    def _shapes(self) -> dict[str, tuple[int, int]]:
        return {f"W{i}": (len(W), W.shape[1]) for i, W in enumerate(self.weights, start=1)}

    def start(self) -> Blocks:
        """Return copies of the given weights.

        Returns
        -------
        dict of str to ndarray
        """
        return {name: W.copy() for name, W in zip(self._shapes, self.weights, strict=True)}
