"""Exponents that belong to each other: conjugates, and those of squared dual norms."""

from __future__ import annotations

import math


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
