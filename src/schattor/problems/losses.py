"""Losses of the outputs of a model, and activations of its layers, with their derivatives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .._edge.arrays import FloatArray


@dataclass(frozen=True)
class Loss:
    """A loss of each row of outputs: its values, its gradient, and its Hessian applied to changes of the outputs."""

    values: Callable[[FloatArray, FloatArray], FloatArray]
    gradient: Callable[[FloatArray, FloatArray], FloatArray]
    curvature: Callable[[FloatArray, FloatArray], FloatArray]


def log_softmax(scores: FloatArray) -> FloatArray:
    """Return the logarithms of the probabilities; the largest score is taken off, so that nothing overflows."""
    shifted = scores - scores.max(axis=1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True)))


def _softmax_curvature(scores: FloatArray, change: FloatArray) -> FloatArray:
    """Return (diag(s) - s s') times the change, for each row."""
    weighted = np.exp(log_softmax(scores)) * change
    return np.asarray(weighted - np.exp(log_softmax(scores)) * weighted.sum(axis=1, keepdims=True))


CROSS_ENTROPY = Loss(
    values=lambda scores, targets: -(targets * log_softmax(scores)).sum(axis=1),
    gradient=lambda scores, targets: np.exp(log_softmax(scores)) - targets,
    curvature=_softmax_curvature,
)

SQUARED = Loss(
    values=lambda scores, targets: ((scores - targets) ** 2).sum(axis=1) / 2,
    gradient=lambda scores, targets: scores - targets,
    curvature=lambda scores, change: change,
)


@dataclass(frozen=True)
class Activation:
    """An elementwise function, and its two derivatives as functions of its value."""

    value: Callable[[FloatArray], FloatArray]
    slope: Callable[[FloatArray], FloatArray]
    bend: Callable[[FloatArray], FloatArray]


ACTIVATIONS = {
    "tanh": Activation(np.tanh, lambda h: 1 - h * h, lambda h: -2 * h * (1 - h * h)),
    "relu": Activation(lambda z: np.maximum(z, 0), lambda h: (h > 0).astype(h.dtype), np.zeros_like),
}
