"""What sets the length of the step."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

from .. import _core
from ..part import Lowering, Part
from ..values import POSITIVE, position, show

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


class Scaling(Part, ABC):
    """Sets the length of the step along the oracle's direction."""

    @abstractmethod
    def degree(self, incoming: float | None) -> float | None:
        """Return the degree of the scaled direction in the scale of all gradients, given that of the estimate."""

    @abstractmethod
    def lower(self, into: Lowering) -> _core.Scaling:
        """Return the core's part for a block of this shape."""

    @abstractmethod
    def factor(self, shape: tuple[int, int], step: int = 0) -> float:
        """Return the factor for a block of this shape that is no norm, at this global step."""


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

    def lower(self, into: Lowering) -> _core.Scaling:
        """Return the core's part for a block of this shape."""
        return _core.NormScaling(self.rule, self.factor(into.fans))

    def degree(self, incoming: float | None) -> float | None:
        """Return zero for the ball rule, that of the estimate for the regularization rule."""
        return 0 if self.rule == "ball" else incoming

    def factor(self, shape: tuple[int, int], step: int = 0) -> float:
        """Return the radius times the shape factor."""
        return self.radius * shape_factor(self.scale, *shape)

    def __str__(self) -> str:
        return f"{self.rule}, {self.scale if isinstance(self.scale, str) else show(self.scale)}"


@dataclass(frozen=True)
class SwitchedScaling(Scaling):
    """One scaling out of several of the same rule, chosen anew in each step; see `schattor.Switched`."""

    choice: Callable[[int], int]
    scalings: tuple[NormScaling, ...]

    def __post_init__(self) -> None:
        if len({scaling.rule for scaling in self.scalings}) != 1:
            raise ValueError(f"scalings must follow one rule, got {', '.join(map(str, self.scalings))}")

    @property
    def rule(self) -> str:
        """The rule of all of them."""
        return self.scalings[0].rule

    def lower(self, into: Lowering) -> _core.Scaling:
        """Return the core's part for a block of this shape."""
        choice = into.value("choice of scaling", position(len(self.scalings)), self.choice)
        return _core.SwitchedScaling(choice, [scaling.lower(into) for scaling in self.scalings])

    def degree(self, incoming: float | None) -> float | None:
        """Return that of each of them."""
        return self.scalings[0].degree(incoming)

    def factor(self, shape: tuple[int, int], step: int = 0) -> float:
        """Return the factor of the one at this step."""
        return self.scalings[self.choice(step)].factor(shape)

    def __str__(self) -> str:
        return " / ".join(map(str, self.scalings))
