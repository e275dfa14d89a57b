"""What changes the metric: what a preconditioner is, and the small ones."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

from ..._edge import _core
from ..._edge.values import (
    check_count,
)
from ..kronecker import Products
from ..part import Lowering, Part, common_group


class Preconditioner(Part, ABC):
    """Sees the gradient and the estimate, and maps the estimate."""

    @property
    def degree(self) -> float | None:
        """Degree of the mapped estimate in the scale of all gradients, at eps = 0; None where it has none."""
        return 0

    @property
    def has_unit(self) -> bool:
        """True, as a rule: an eps."""
        return True

    @property
    def equivariance(self) -> str:
        """The group that commutes with it, jointly with the weights; see `schattor.Geometry`."""
        return "entries"

    @abstractmethod
    def lower(self, into: Lowering) -> _core.Preconditioner:
        """Return the core's part."""


@dataclass(frozen=True)
class Identity(Preconditioner):
    """Leave the estimate as it is: for grafting the length of SGD's step."""

    @property
    def degree(self) -> int:
        """One."""
        return 1

    @property
    def equivariance(self) -> str:
        """``"rotations"``."""
        return "rotations"

    def lower(self, into: Lowering) -> _core.Preconditioner:
        """Return the core's part."""
        return _core.Identity()


@dataclass(frozen=True)
class Grafted(Preconditioner):
    """The direction of one metric at the length of another; before step `start`, from 1, the other metric alone.

    Source: arXiv 2002.11803. `length` must keep the same number of state arrays whatever the shape of a block, and
    neither may have sums that blocks share.
    """

    direction: Preconditioner
    length: Preconditioner
    start: int = 1

    def __post_init__(self) -> None:
        check_count("start", self.start, least=1)

    @property
    def requires(self) -> frozenset[str]:
        """What both require."""
        return self.direction.requires | self.length.requires

    def uncapped_sides(self, rows: int, cols: int) -> tuple[tuple[str, int], ...]:
        """Return those of both."""
        return self.direction.uncapped_sides(rows, cols) + self.length.uncapped_sides(rows, cols)

    def products(self, rows: int, cols: int) -> Products:
        """Return those of both."""
        return self.direction.products(rows, cols) + self.length.products(rows, cols)

    @property
    def degree(self) -> float | None:
        """That of the length."""
        return self.length.degree

    @property
    def equivariance(self) -> str:
        """What both have in common."""
        return common_group(self.direction.equivariance, self.length.equivariance)

    def lower(self, into: Lowering) -> _core.Preconditioner:
        """Return the core's part."""
        return _core.Grafted(self.direction.lower(into), self.length.lower(into), self.start)


@dataclass(frozen=True)
class Signs(Preconditioner):
    """The sign of every entry of the estimate, zero at zero."""

    @property
    def has_unit(self) -> bool:
        """False."""
        return False

    def lower(self, into: Lowering) -> _core.Preconditioner:
        """Return the core's part."""
        return _core.Signs()
