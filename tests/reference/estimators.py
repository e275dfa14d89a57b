"""Gradient estimators as closed sums over the gradients seen so far: no recursion, no buffer."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def ema(gradients: Sequence[np.ndarray], momentum: float, init: str) -> np.ndarray:
    """Estimate after the last gradient.

    With t = len(gradients) - 1:  "zero": sum_j (1-b) b^(t-j) G_j;  "first": b^t G_0 + sum_{j>=1} (1-b) b^(t-j) G_j;
    "debiased": "zero" divided by 1 - b^(t+1).
    """
    b, t = momentum, len(gradients) - 1
    total = sum((1 - b) * b ** (t - j) * G for j, G in enumerate(gradients))
    if init == "first":
        return total + b ** (t + 1) * gradients[0]
    return total / (1 - b ** (t + 1)) if init == "debiased" else total


def ema_nesterov(gradients: Sequence[np.ndarray], momentum: float, init: str) -> np.ndarray:
    """u = (1-b) G + b M with M already updated."""
    return (1 - momentum) * gradients[-1] + momentum * ema(gradients, momentum, init)


def heavy_ball(gradients: Sequence[np.ndarray], momentum: float, dampening: float, init: str) -> np.ndarray:
    """Buffer after the last gradient: sum_j b^(t-j) (1-d) G_j; with init "first", G_0 enters undamped."""
    b, t = momentum, len(gradients) - 1
    total = sum(b ** (t - j) * (1 - dampening) * G for j, G in enumerate(gradients))
    return total + b**t * dampening * gradients[0] if init == "first" else total


def heavy_ball_nesterov(
    gradients: Sequence[np.ndarray], momentum: float, dampening: float, init: str
) -> np.ndarray:
    """u = G + b B with B already updated."""
    return gradients[-1] + momentum * heavy_ball(gradients, momentum, dampening, init)
