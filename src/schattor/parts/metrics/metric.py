"""What changes the metric: what a preconditioner is, and the small ones."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

from ..._edge import _core
from ..._edge.arguments import checked
from ..._edge.values import check_count
from ..hosting import refuse, shares_sums
from ..part import Lowering, Part


def quotient(of: float | None, by: float | None) -> float | None:
    """Return the degree of a quotient of such degrees."""
    return None if of is None or by is None else of - by


class Preconditioner(Part, ABC):
    """Sees the gradient and the estimate, and maps the estimate."""

    @abstractmethod
    def degree(self, incoming: float | None, gradient: float | None) -> float | None:
        """Return the degree of the mapped estimate in the scale of all gradients, at eps = 0; None where it has none.

        `incoming` is that of the estimate, `gradient` that of the gradient by which the metric is made.
        """

    @property
    def reads_estimate(self) -> bool:
        """Whether the estimate matters; if not, it keeps one itself."""
        return True

    @abstractmethod
    def lower(self, into: Lowering) -> _core.Preconditioner:
        """Return the core's part."""


@checked
@dataclass(frozen=True)
class Identity(Preconditioner):
    """Leave the estimate as it is: for grafting the length of SGD's step."""

    def degree(self, incoming: float | None, gradient: float | None) -> float | None:
        """Return that of the estimate."""
        return incoming

    def lower(self, into: Lowering) -> _core.Preconditioner:
        """Return the core's part."""
        return _core.Identity()


@checked
@dataclass(frozen=True)
class Grafted(Preconditioner):
    """The direction of one metric at the length of another; before step `start`, from 1, the other metric alone.

    Source: arXiv 2002.11803. Neither may have sums that blocks share.
    """

    direction: Preconditioner
    length: Preconditioner
    start: int = 1

    def __post_init__(self) -> None:
        check_count("start", self.start, least=1)
        for part in self.children():
            refuse("Grafted cannot hold", part, shares_sums)

    def degree(self, incoming: float | None, gradient: float | None) -> float | None:
        """Return that of the length."""
        return self.length.degree(incoming, gradient)

    def lower(self, into: Lowering) -> _core.Preconditioner:
        """Return the core's part."""
        return _core.Grafted(
            direction=self.direction.lower(into), length=self.length.lower(into), start=self.start
        )


@checked
@dataclass(frozen=True)
class Signs(Preconditioner):
    """The sign of every entry of the estimate, zero at zero."""

    equivariance = "entries"

    def degree(self, incoming: float | None, gradient: float | None) -> float | None:
        """Return zero."""
        return 0

    def lower(self, into: Lowering) -> _core.Preconditioner:
        """Return the core's part."""
        return _core.Signs()
