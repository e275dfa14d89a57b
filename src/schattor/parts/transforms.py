"""What acts on the raw gradient."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

from .. import _core
from ..part import Lowering, Part
from ..values import NON_NEGATIVE, Schedulable, show


class Transform(Part, ABC):
    """Acts on the raw gradient before the estimator sees it."""

    def degree(self, incoming: float | None) -> float | None:
        """Return the degree of the result in the scale of all gradients, given that of what comes in."""
        return incoming

    @property
    def equivariance(self) -> str:
        """The group that commutes with it, jointly with the weights; see `schattor.Geometry`."""
        return "rotations"

    @abstractmethod
    def lower(self, into: Lowering) -> _core.Transform:
        """Return the core's part."""


@dataclass(frozen=True)
class L2Decay(Transform):
    """Add ``weight_decay * W`` to the gradient: the gradient of an L2 penalty."""

    weight_decay: Schedulable

    def __post_init__(self) -> None:
        NON_NEGATIVE.check_schedulable("weight_decay", self.weight_decay)

    @property
    def reads_weights(self) -> bool:
        """True."""
        return True

    def lower(self, into: Lowering) -> _core.Transform:
        """Return the core's part."""
        return _core.L2Decay(into.value("weight_decay", NON_NEGATIVE, self.weight_decay))

    def __str__(self) -> str:
        return f"l2 {show(self.weight_decay)}"
