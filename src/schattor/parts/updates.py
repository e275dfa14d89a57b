"""What moves the weights."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

from .. import _core
from ..values import NON_NEGATIVE, Schedulable, Schedules, show

DECAYS = ("none", "decoupled", "independent", "cautious")


class Update(ABC):
    """Moves the weights along the scaled direction."""

    @abstractmethod
    def lower(self, schedules: Schedules) -> _core.Update:
        """Return the core's part."""


@dataclass(frozen=True)
class Additive(Update):
    """Add the displacement D, with weight decay.

    ``"none"``: W + D. ``"decoupled"``: (1 - lr weight_decay) W + D, with the scheduled lr before shape factors.
    ``"independent"``: (1 - weight_decay) W + D. ``"cautious"``: decoupled, only in the entries that D moves towards
    zero.
    """

    decay: str = "none"
    weight_decay: Schedulable = 0.0

    def __post_init__(self) -> None:
        if self.decay not in DECAYS:
            raise ValueError(f"decay must be one of {', '.join(map(repr, DECAYS))}, got {self.decay!r}")
        NON_NEGATIVE.check_schedulable("weight_decay", self.weight_decay)

    def lower(self, schedules: Schedules) -> _core.Update:
        """Return the core's part."""
        return _core.Additive(self.decay, schedules.value("weight_decay", NON_NEGATIVE, self.weight_decay))

    def __str__(self) -> str:
        return "none" if self.decay == "none" else f"{self.decay} {show(self.weight_decay)}"
