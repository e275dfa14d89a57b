r"""Multilayer perceptron with ReLU layers and softmax cross-entropy, in NumPy.

With weights :math:`W_l` (out x in) and biases :math:`b_l`, samples as rows, :math:`A_0 = X`,

.. math:: Z_l = A_{l-1} W_l^\top + b_l^\top, \quad A_l = \max(Z_l, 0), \quad
          f = \frac1n \sum_{i} \Big(\log \sum_k e^{Z_{L,ik}} - Z_{L,i y_i}\Big).

Parameters are a dict ``{"W1": ..., "b1": ..., "W2": ...}``, the layout that the optimizers take.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ..problems.losses import ACTIVATIONS, log_softmax
from ..problems.network import backward, forward

__all__ = ["evaluate", "init_params", "loss_and_gradients"]

Array = NDArray[Any]
Params = dict[str, Array]
RELU = ACTIVATIONS["relu"]


def init_params(sizes: Sequence[int], rng: np.random.Generator, dtype: DTypeLike = np.float32) -> Params:
    """Random parameters of the layers ``sizes[0] - sizes[1] - ...``.

    Weights are normal with variance 2/fan_in (He et al., arXiv 1502.01852), biases are zero.

    Examples
    --------
    >>> params = init_params((64, 128, 10), np.random.default_rng(0))
    >>> {name: array.shape for name, array in params.items()}
    {'W1': (128, 64), 'b1': (128,), 'W2': (10, 128), 'b2': (10,)}
    """
    params: Params = {}
    for layer, (fan_in, fan_out) in enumerate(pairwise(sizes), start=1):
        weights = rng.normal(scale=np.sqrt(2 / fan_in), size=(fan_out, fan_in))
        params[f"W{layer}"] = weights.astype(dtype)
        params[f"b{layer}"] = np.zeros(fan_out, dtype)
    return params


def loss_and_gradients(params: Params, X: Array, y: NDArray[np.int64]) -> tuple[float, Params]:
    """Mean cross-entropy of the samples and its gradient, block by block, in the parameters' dtype."""
    hidden, scores = _forward(params, X)
    log_p = log_softmax(scores)
    rows = np.arange(len(y))
    loss = -float(np.mean(log_p[rows, y]))

    delta = np.exp(log_p)
    delta[rows, y] -= 1
    delta /= len(y)
    grads: Params = {}
    deltas = backward(delta, _layers(params, "W"), hidden, RELU)
    for layer, (D, H) in enumerate(zip(deltas, hidden, strict=True), start=1):
        grads[f"W{layer}"] = D.T @ H
        grads[f"b{layer}"] = D.sum(axis=0)
    return loss, grads


def evaluate(params: Params, X: Array, y: NDArray[np.int64]) -> tuple[float, float]:
    """Mean cross-entropy and accuracy (a fraction) on the samples."""
    log_p = log_softmax(_forward(params, X)[1])
    loss = -float(np.mean(log_p[np.arange(len(y)), y]))
    return loss, float(np.mean(log_p.argmax(axis=1) == y))


def _forward(params: Params, X: Array) -> tuple[list[Array], Array]:
    """Return the input of every layer, and the scores of the classes."""
    return forward(X, _layers(params, "W"), RELU, _layers(params, "b"))


def _layers(params: Params, kind: str) -> list[Array]:
    return [params[f"{kind}{layer}"] for layer in range(1, len(params) // 2 + 1)]
