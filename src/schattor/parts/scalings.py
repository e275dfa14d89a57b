"""What sets the length of the step."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

from .. import _core
from ..values import POSITIVE, Schedules, show

SHAPE_FACTORS: dict[str, Callable[[int, int], float]] = {
    "none": lambda m, n: 1.0,
    "original": lambda m, n: math.sqrt(max(1.0, m / n)),
    "match_rms_adamw": lambda m, n: 0.2 * math.sqrt(max(m, n)),
    "spectral": lambda m, n: math.sqrt(m / n),
    "max_dim": lambda m, n: math.sqrt(max(m, n)),
    "rows": lambda m, n: math.sqrt(m),
    "inverse_cols": lambda m, n: 1.0 / n,
    "inverse_root_cols": lambda m, n: 1.0 / math.sqrt(n),
}
"""Factors by name, for a block viewed as m x n = (fan-out, fan-in)."""

RULES = ("ball", "regularization")


def shape_factor(scale: str | float, rows: int, cols: int) -> float:
    """Return the factor that a scale, named or given as a number, means for a block of this shape.

    Parameters
    ----------
    scale : str or float
        ``"none"`` 1, ``"original"`` sqrt(max(1, m/n)), ``"match_rms_adamw"`` 0.2 sqrt(max(m, n)), ``"spectral"``
        sqrt(m/n), ``"max_dim"`` sqrt(max(m, n)), ``"rows"`` sqrt(m), ``"inverse_cols"`` 1/n,
        ``"inverse_root_cols"`` 1/sqrt(n), or a positive number.
    rows, cols : int
        m and n.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        For an unknown name or a number that is not positive.
    """
    if not isinstance(scale, str):
        return POSITIVE.check("scale", scale)
    if scale not in SHAPE_FACTORS:
        raise ValueError(
            f"scale must be a number or one of {', '.join(map(repr, SHAPE_FACTORS))}, got {scale!r}"
        )
    return SHAPE_FACTORS[scale](rows, cols) if rows * cols else 1.0


class Scaling(ABC):
    """Sets the length of the step along the oracle's direction."""

    @abstractmethod
    def lower(self, schedules: Schedules, shape: tuple[int, int]) -> _core.Scaling:
        """Return the core's part for a block of this shape."""

    @abstractmethod
    def factor(self, shape: tuple[int, int]) -> float:
        """Return the constant factor for a block of this shape."""


@dataclass(frozen=True)
class NormScaling(Scaling):
    """The ball rule (length one) or the regularization rule (length of the dual norm), times a shape factor.

    `radius` is that of the ball, before the shape factor.
    """

    rule: str = "ball"
    scale: str | float = "none"
    radius: float = 1.0

    def __post_init__(self) -> None:
        if self.rule not in RULES:
            raise ValueError(f"rule must be one of {', '.join(map(repr, RULES))}, got {self.rule!r}")
        shape_factor(self.scale, 1, 1)
        POSITIVE.check("radius", self.radius)

    def lower(self, schedules: Schedules, shape: tuple[int, int]) -> _core.Scaling:
        """Return the core's part for a block of this shape."""
        return _core.NormScaling(self.rule, self.factor(shape))

    def factor(self, shape: tuple[int, int]) -> float:
        """Return the radius times the shape factor."""
        return self.radius * shape_factor(self.scale, *shape)

    def __str__(self) -> str:
        return f"{self.rule}, {self.scale if isinstance(self.scale, str) else show(self.scale)}"
