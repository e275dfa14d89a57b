"""Changes of coordinates round preconditioner and geometry."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

from .. import _core
from ..part import Lowering, Part


class Frame(Part, ABC):
    """Maps the estimate into other coordinates, in which preconditioner and geometry work, and the direction back."""

    @abstractmethod
    def equivariance(self, inside: str) -> str:
        """Return the group that commutes with the whole, given that of what is inside."""

    @property
    def withholds_first(self) -> bool:
        """Whether a block's first gradient only makes the coordinates: that step moves nothing and does not count."""
        return False

    def determined(self, shape: tuple[int, int]) -> bool:
        """Return whether the first gradient of a block of this shape determines the coordinates.

        Where it does not, steps depend on an arbitrary choice, and no group commutes with them.
        """
        return True

    @abstractmethod
    def lower(self, into: Lowering) -> _core.Frame:
        """Return the core's part."""


@dataclass(frozen=True)
class RandomRange(Frame):
    """The span of `rank` randomly chosen columns of the estimate (rows, where it is tall).

    With Q an orthonormal basis of that span, the inside is Q' M and the direction leaves as Q D. In every step other
    columns are drawn, from the seed, the name of the block and its count. Source: arXiv 2509.11983.
    """

    rank: int
    seed: int

    def __post_init__(self) -> None:
        if self.rank < 1:
            raise ValueError(f"rank must be at least 1, got {self.rank}")

    @property
    def draws(self) -> bool:
        """Return True: the columns."""
        return True

    def equivariance(self, inside: str) -> str:
        """Return "mixed": nothing commutes with the choice of columns."""
        return "mixed"

    def lower(self, into: Lowering) -> _core.Frame:
        """Return the core's part."""
        return _core.RandomRange(rank=self.rank, seed=self.seed)
