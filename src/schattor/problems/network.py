"""Layers of weights without biases: loss, gradient and Hessian-vector product."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from .._edge.arrays import FloatArray, plain
from ..linalg.matrices import matrix
from .losses import ACTIVATIONS, CROSS_ENTROPY, Activation, Loss
from .problem import ALL, Blocks, Chosen, Pairs, Params, SampledProblem, read, store


def forward(
    inputs: FloatArray,
    weights: Sequence[FloatArray],
    activation: Activation,
    biases: Sequence[FloatArray] | None = None,
) -> tuple[list[FloatArray], FloatArray]:
    """Return the input of every layer, a row for each sample, and the outputs of the last one."""
    hidden, outputs = [], inputs
    for i, W in enumerate(weights):
        hidden.append(activation.value(outputs) if i else outputs)
        outputs = hidden[-1] @ W.T
        if biases is not None:
            outputs = outputs + biases[i]
    return hidden, outputs


def backward(
    last: FloatArray, weights: Sequence[FloatArray], hidden: Sequence[FloatArray], activation: Activation
) -> list[FloatArray]:
    """Return the gradients by the outputs of every layer before its activation, given that of the last one."""
    deltas = [last]
    for W, H in zip(weights[:0:-1], hidden[:0:-1], strict=True):
        deltas.insert(0, (deltas[0] @ W) * activation.slope(H))
    return deltas


class Network(SampledProblem):
    r"""A weighted mean loss of the outputs of layers.

    .. math:: H_0 = X, \quad H_l = \phi(H_{l-1}W_l^\top), \quad S = R(H_{L-1}W_L^\top), \quad
              f = \sum_i \pi_i\,\ell(S_i, y_i).

    R is a fixed linear map, the identity unless `_read` and `_unread` say otherwise.
    """

    inputs: FloatArray
    targets: FloatArray
    _loss: Loss = CROSS_ENTROPY
    _activation: Activation = ACTIVATIONS["tanh"]

    @property
    @abstractmethod
    def _shapes(self) -> dict[str, tuple[int, int]]:
        """The shape of the weights of each layer, in order."""

    @property
    def frequencies(self) -> FloatArray:
        """The weight of each sample: all equal."""
        return np.full(len(self.inputs), 1 / len(self.inputs))

    def start(self) -> Blocks:
        """Return weights of zero.

        Returns
        -------
        dict of str to ndarray
        """
        return {name: np.zeros(shape) for name, shape in self._shapes.items()}

    def loss(self, params: Params) -> float:
        """Return the mean loss of the samples.

        Parameters
        ----------
        params : mapping of str to ndarray

        Returns
        -------
        float
        """
        scores = self._forward(self._weights(params))[1]
        return float(self.frequencies @ self._loss.values(scores, self.targets))

    def factors(self, params: Params, chosen: Chosen = ALL) -> Pairs:
        """Return the deltas and the activations of each layer, a row for each sample.

        Parameters
        ----------
        params : mapping of str to ndarray
        chosen : array of int, optional
            Which samples; all by default.

        Returns
        -------
        dict of str to tuple of ndarray
        """
        weights = self._weights(params)
        hidden, scores = self._forward(weights, chosen)
        last = self._unread(self._loss.gradient(scores, self.targets[chosen]))
        deltas = backward(last, weights, hidden, self._activation)
        return dict(zip(self._shapes, zip(deltas, hidden, strict=True), strict=True))

    def hvp(self, params: Params, direction: Params) -> Blocks:
        """Return the product of the Hessian with a direction, by a forward and a backward pass.

        Parameters
        ----------
        params : mapping of str to ndarray
        direction : mapping of str to ndarray
            All blocks; zeros for those that are not moved.

        Returns
        -------
        dict of str to ndarray

        Notes
        -----
        Source: Pearlmutter, *Fast exact multiplication by the Hessian* (Neural Computation 6, 1994).
        """
        weights, directions, phi = self._weights(params), self._weights(direction), self._activation
        hidden, scores = self._forward(weights)
        changes, moves = [np.zeros_like(self.inputs)], []  # derivatives of H_l and of H_{l-1} W_l'
        for i, (W, D) in enumerate(zip(weights, directions, strict=True)):
            moves.append(changes[i] @ W.T + hidden[i] @ D.T)
            if i + 1 < len(weights):
                changes.append(phi.slope(hidden[i + 1]) * moves[i])
        frequencies = self.frequencies[:, None]
        delta = frequencies * self._unread(self._loss.gradient(scores, self.targets))
        turn = frequencies * self._unread(self._loss.curvature(scores, self._read(moves[-1])))
        products: list[FloatArray] = []
        for i in reversed(range(len(weights))):
            products.insert(0, turn.T @ hidden[i] + delta.T @ changes[i])
            if i > 0:
                back, slope = delta @ weights[i], phi.slope(hidden[i])
                turn = (turn @ weights[i] + delta @ directions[i]) * slope
                turn = turn + back * phi.bend(hidden[i]) * moves[i - 1]
                delta = back * slope
        return dict(zip(self._shapes, products, strict=True))

    def _weights(self, params: Params) -> list[FloatArray]:
        return [read(params, name) for name in self._shapes]

    def _forward(
        self, weights: Sequence[FloatArray], chosen: Chosen = ALL
    ) -> tuple[list[FloatArray], FloatArray]:
        """Return the input of every layer, and the scores."""
        hidden, outputs = forward(self.inputs[chosen], weights, self._activation)
        return hidden, self._read(outputs)

    def _read(self, outputs: FloatArray) -> FloatArray:
        return outputs

    def _unread(self, deltas: FloatArray) -> FloatArray:
        """Apply the adjoint of `_read`."""
        return deltas


def store_samples(problem: Network) -> None:
    """Check the inputs of a frozen problem."""
    store(problem, inputs=matrix(problem.inputs, "inputs"))


def check_lengths(inputs: FloatArray, targets: FloatArray) -> None:
    """Raise ValueError unless there is one target for each input."""
    if len(inputs) != len(targets):
        raise ValueError(
            f"targets must have one row for each of the {len(inputs)} inputs, got {len(targets)}"
        )


def distributions(targets: npt.NDArray[np.number], count: int) -> FloatArray:
    """Return the targets as probabilities of the classes, one row for each sample."""
    array = plain(targets, "targets")
    if array.ndim == 1 and array.dtype.kind in "iu":
        if array.size and array.min() < 0:
            raise ValueError(f"class numbers must not be negative, got {array.min()}")
        array = np.eye(int(array.max(initial=0)) + 1)[array]
    Y = matrix(array, "targets")
    if (Y < 0).any() or not np.allclose(Y.sum(axis=1), 1):
        raise ValueError("targets must be class numbers, or probabilities that sum to one in each row")
    check_lengths(np.empty((count, 0)), Y)
    return Y
