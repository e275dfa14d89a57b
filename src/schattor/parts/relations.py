"""What relates the blocks that one recipe serves: turns, and pairs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass


class Turns(ABC):
    """Lets one block move at a time; a block's state starts anew with each of its turns."""

    @abstractmethod
    def at(self, step: int, blocks: int) -> tuple[int, int]:
        """Return the number of the turn at this global step, from 0, and the position of the block that moves."""


@dataclass(frozen=True)
class Pairing:
    """Pairs blocks whose names differ in their last component only: ``"layer/B"`` and ``"layer/A"``.

    Parts may then read the weights of the block's partner. All directions of the recipe's blocks are found before the
    first of them moves.
    """

    left: str = "B"
    right: str = "A"

    def is_left(self, name: str) -> bool:
        """Return whether a block is the left one of its pair.

        Raises
        ------
        ValueError
            For a name that ends in neither.
        """
        last = name.rpartition("/")[2]
        if last not in (self.left, self.right):
            raise ValueError(
                f"block {name!r} belongs to no pair: its name must end in {self.left!r} or {self.right!r}"
            )
        return last == self.left

    def partner(self, name: str) -> str:
        """Return the name of the partner of a block.

        Raises
        ------
        ValueError
            For a name that ends in neither.
        """
        other = self.right if self.is_left(name) else self.left
        head, slash, _ = name.rpartition("/")
        return head + slash + other
