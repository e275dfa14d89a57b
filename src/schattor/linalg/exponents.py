"""Exponents that belong to each other: conjugates, and those of squared dual norms; norms of roots."""

from __future__ import annotations

import math

import numpy as np

from .._edge.arrays import FloatArray


def conjugate(p: float) -> float:
    """Return q with 1/p + 1/q = 1."""
    if p == 1:
        return math.inf
    return 1.0 if math.isinf(p) else p / (p - 1)


def weight_exponent(p: float) -> float:
    """Return a with 1/a = max(0, 1 - 2/p), which for p >= 2 is q/(2 - q).

    The norm of a diagonal map from l_p to its dual l_q is the l_a norm of its diagonal.
    """
    return math.inf if p <= 2 else 1 / (1 - 2 / p)


def root_norm(squares: FloatArray, q: float) -> FloatArray:
    """Return the l_q norms of the roots, along the last axis."""
    roots = np.sqrt(squares)
    largest = roots.max(axis=-1, keepdims=True)
    if math.isinf(q):
        return np.asarray(largest[..., 0])
    scaled = roots / np.where(largest > 0, largest, 1)
    return np.asarray(largest[..., 0] * (scaled**q).sum(-1) ** (1 / q))
