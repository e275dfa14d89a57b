"""What sets the length of the step."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias

from .._edge import _core
from .._edge.arguments import checked
from .._edge.values import FINITE, NON_NEGATIVE, POSITIVE, Schedulable, check_choice, position, show
from .part import Lowering, Part, common_degree

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


Scale: TypeAlias = str | float | Callable[[int, int], float]
"""A factor by its name in `SHAPE_FACTORS`, as a number, or as a function of rows and columns."""


def shape_factor(scale: Scale, rows: int, cols: int) -> float:
    """Return the factor that a scale, named or given as a number, means for a block of this shape.

    Parameters
    ----------
    scale : str, float or callable
        ``"none"`` 1, ``"original"`` sqrt(max(1, m/n)), ``"match_rms_adamw"`` 0.2 sqrt(max(m, n)), ``"spectral"``
        sqrt(m/n), ``"max_dim"`` sqrt(max(m, n)), ``"rows"`` sqrt(m), ``"inverse_cols"`` 1/n,
        ``"inverse_root_cols"`` 1/sqrt(n); a positive number; or a callable of m and n that returns one.
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
    if callable(scale):
        return POSITIVE.check(f"scale of a {rows} x {cols} block", scale(rows, cols)) if rows * cols else 1.0
    if not isinstance(scale, str):
        return POSITIVE.check("scale", scale)
    check_choice("scale", scale, SHAPE_FACTORS, other="a number")
    return SHAPE_FACTORS[scale](rows, cols) if rows * cols else 1.0


def sees_shape(scale: Scale) -> bool:
    """Return whether a factor depends on rows and columns."""
    return callable(scale) or (isinstance(scale, str) and scale != "none")


def show_scale(scale: Scale) -> str:
    """Return a short text for a shape factor."""
    return scale if isinstance(scale, str) else str(scale) if callable(scale) else show(scale)


@checked
@dataclass(frozen=True)
class SmallerSide:
    """The shape factor min(m, n) to a power."""

    power: float

    def __post_init__(self) -> None:
        FINITE.check("power", self.power)

    def __call__(self, rows: int, cols: int) -> float:
        """Return the factor."""
        return float(min(rows, cols) ** self.power)

    def __str__(self) -> str:
        return f"min(m, n)^{self.power:g}"


class Scaling(Part, ABC):
    """Sets the length of the step along the oracle's direction."""

    rule: str = "ball"
    """Which of the oracle's two lengths it builds on."""

    @property
    def matrix(self) -> bool:
        """Whether it has a shape factor, or holds a scaling that has."""
        return sees_shape(getattr(self, "scale", "none")) or super().matrix

    @abstractmethod
    def degree(self, incoming: float | None) -> float | None:
        """Return the degree of the scaled direction in the scale of all gradients, given that of the estimate."""

    @abstractmethod
    def lower(self, into: Lowering) -> _core.Scaling:
        """Return the core's part for a block of this shape."""

    @abstractmethod
    def factor(self, shape: tuple[int, int], step: int = 0) -> float:
        """Return the factor for a block of this shape that is no norm, at this global step."""


@checked
@dataclass(frozen=True)
class NormScaling(Scaling):
    """The ball rule (length one) or the regularization rule (length of the dual norm), times a shape factor.

    `radius` is that of the ball, before the shape factor.
    """

    rule: str = "ball"
    scale: Scale = "none"
    radius: float = 1.0

    def __post_init__(self) -> None:
        check_choice("rule", self.rule, RULES)
        shape_factor(self.scale, 1, 1)
        POSITIVE.check("radius", self.radius)

    def lower(self, into: Lowering) -> _core.Scaling:
        """Return the core's part for a block of this shape."""
        return _core.NormScaling(rule=self.rule, shape_factor=self.factor(into.fans))

    def degree(self, incoming: float | None) -> float | None:
        """Return zero for the ball rule, that of the estimate for the regularization rule."""
        return 0 if self.rule == "ball" else incoming

    def factor(self, shape: tuple[int, int], step: int = 0) -> float:
        """Return the radius times the shape factor."""
        return self.radius * shape_factor(self.scale, *shape)

    def __str__(self) -> str:
        return f"{self.rule}, {show_scale(self.scale)}"


@dataclass(frozen=True)
class _DualNormScaling(Scaling, ABC):
    """Steps along the ball direction whose length is a function of the dual norm.

    `scale` and `radius` make the ball larger: the direction is s D and the dual norm s times the geometry's.
    """

    scale: Scale = field(default="none", kw_only=True)
    radius: float = field(default=1.0, kw_only=True)

    def __post_init__(self) -> None:
        shape_factor(self.scale, 1, 1)
        POSITIVE.check("radius", self.radius)

    def factor(self, shape: tuple[int, int], step: int = 0) -> float:
        """Return the radius times the shape factor."""
        return self.radius * shape_factor(self.scale, *shape)

    def __str__(self) -> str:
        return f"{type(self).__name__}, {show_scale(self.scale)}"


@checked
@dataclass(frozen=True)
class ClippedNorm(_DualNormScaling):
    r"""Length :math:`\min(\rho, \|G\|_*)`: the regularization rule, clipped (arXiv 2506.01913).

    `joint` puts the sum of the dual norms of all blocks with such a scaling, whatever their recipe, in the place of
    :math:`\|G\|_*`. `constrained` asks for the step towards the boundary of the ball, with an update that decays by
    the whole lr: :math:`\|G\|_* + \langle G, W\rangle`, the gap of the conditional gradient method, is in the place
    of the norm, and :math:`\min(\rho, \cdot)` a factor on the lr. That lr is held to [0, 1].
    """

    rho: Schedulable = 1.0
    joint: bool = False
    constrained: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        POSITIVE.check_schedulable("rho", self.rho)

    @property
    def reads_weights(self) -> bool:
        """Whether it is constrained."""
        return self.constrained

    def degree(self, incoming: float | None) -> float | None:
        """Return None: the threshold has the units of the gradient."""
        return None

    def lower(self, into: Lowering) -> _core.Scaling:
        """Return the core's part for a block of this shape."""
        rho = into.value("rho", POSITIVE, self.rho)
        return _core.ClippedNorm(
            shape_factor=self.factor(into.fans), rho=rho, joint=self.joint, constrained=self.constrained
        )


@checked
@dataclass(frozen=True)
class SmoothnessStep(_DualNormScaling):
    r"""Length :math:`\|G\|_* / (L_0 + L_1\|G\|_*)`, the step under :math:`(L_0, L_1)`-smoothness (arXiv 2505.13416)."""

    L0: Schedulable = 0.0
    L1: Schedulable = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        NON_NEGATIVE.check_schedulable("L0", self.L0)
        NON_NEGATIVE.check_schedulable("L1", self.L1)
        if self.L0 == 0 and self.L1 == 0:
            raise ValueError("L0 and L1 must not both be zero")

    def degree(self, incoming: float | None) -> float | None:
        """Return 0 or that of the estimate where one of the constants is zero, else None."""
        return 0 if self.L0 == 0 else incoming if self.L1 == 0 else None

    def lower(self, into: Lowering) -> _core.Scaling:
        """Return the core's part for a block of this shape."""
        L0, L1 = into.value("L0", NON_NEGATIVE, self.L0), into.value("L1", NON_NEGATIVE, self.L1)
        return _core.SmoothnessStep(shape_factor=self.factor(into.fans), L0=L0, L1=L1)


@checked
@dataclass(frozen=True)
class NormPower(Scaling):
    r"""The ball direction times a power of the dual norm: 0 is the ball rule, 1 the regularization rule.

    On a Schatten norm with q - 1 = power the step is :math:`U\Sigma^{q-1}V^\top`, times the shape factor.
    """

    power: float
    scale: Scale = "none"

    def __post_init__(self) -> None:
        NON_NEGATIVE.check("power", self.power)
        shape_factor(self.scale, 1, 1)

    def degree(self, incoming: float | None) -> float | None:
        """Return the power times that of the estimate."""
        return None if incoming is None else self.power * incoming

    def factor(self, shape: tuple[int, int], step: int = 0) -> float:
        """Return the shape factor."""
        return shape_factor(self.scale, *shape)

    def lower(self, into: Lowering) -> _core.Scaling:
        """Return the core's part for a block of this shape."""
        return _core.NormPower(shape_factor=self.factor(into.fans), power=_core.Value(self.power))

    def __str__(self) -> str:
        return f"norm to the power {self.power:g}, {show_scale(self.scale)}"


@checked
@dataclass(frozen=True)
class SwitchedScaling(Scaling):
    """One scaling out of several of the same rule, chosen anew in each step; see `schattor.Switched`."""

    choice: Callable[[int], int]
    scalings: tuple[Scaling, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "scalings", tuple(self.scalings))
        if not self.scalings:
            raise ValueError("scalings must hold one at least, got ()")
        if len({scaling.rule for scaling in self.scalings}) != 1:
            raise ValueError(f"scalings must follow one rule, got {', '.join(map(str, self.scalings))}")

    @property
    def rule(self) -> str:  # type: ignore[override]
        """The rule of all of them."""
        return self.scalings[0].rule

    def lower(self, into: Lowering) -> _core.Scaling:
        """Return the core's part for a block of this shape."""
        choice = into.value("choice of scaling", position(len(self.scalings)), self.choice)
        return _core.SwitchedScaling(
            choice=choice, scalings=[scaling.lower(into) for scaling in self.scalings]
        )

    def degree(self, incoming: float | None) -> float | None:
        """Return that of each of them."""
        return common_degree(*(scaling.degree(incoming) for scaling in self.scalings))

    def factor(self, shape: tuple[int, int], step: int = 0) -> float:
        """Return the factor of the one at this step."""
        return self.scalings[self.choice(step)].factor(shape, step)

    def __str__(self) -> str:
        return " / ".join(map(str, self.scalings))
