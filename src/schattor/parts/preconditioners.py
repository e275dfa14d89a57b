"""What changes the metric before the oracle."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

from .. import _core
from ..values import MOMENTUM, NON_NEGATIVE, Schedulable, Schedules


class Preconditioner(ABC):
    """Sees the gradient and the estimate, and maps the estimate."""

    @abstractmethod
    def lower(self, schedules: Schedules) -> _core.Preconditioner:
        """Return the core's part."""


@dataclass(frozen=True)
class SecondMoment(Preconditioner):
    r"""Adam's diagonal metric: :math:`M / (\sqrt{V/(1-\beta^t)} + \epsilon)`, V the average of squared gradients.

    Where the denominator is zero the result is zero.
    """

    beta: Schedulable = 0.999
    eps: Schedulable = 1e-8

    def __post_init__(self) -> None:
        MOMENTUM.check_schedulable("beta", self.beta)
        NON_NEGATIVE.check_schedulable("eps", self.eps)

    def lower(self, schedules: Schedules) -> _core.Preconditioner:
        """Return the core's part."""
        return _core.SecondMoment(
            schedules.value("beta", MOMENTUM, self.beta), schedules.value("eps", NON_NEGATIVE, self.eps)
        )
