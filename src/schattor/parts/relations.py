"""What relates the blocks that one recipe serves: turns, and pairs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np

from .._edge.arguments import checked
from .._edge.values import check_choice, check_count, check_seed


class Turns(ABC):
    """Lets one block move at a time; a block's state starts anew with each of its turns."""

    @abstractmethod
    def at(self, step: int, blocks: int) -> tuple[int, int]:
        """Return the number of the turn at this global step, from 0, and the position of the block that moves."""


ORDERS = ("ascending", "descending")


@checked
@dataclass(frozen=True)
class Cyclic(Turns):
    """The blocks in their order, or from the last to the first, each for `every` steps; then again."""

    every: int = 50
    order: str = "descending"

    def __post_init__(self) -> None:
        check_count("every", self.every, least=1)
        check_choice("order", self.order, ORDERS)

    def at(self, step: int, blocks: int) -> tuple[int, int]:
        """Return the number of the turn at this global step, from 0, and the position of the block that moves."""
        turn = step // self.every
        position = turn % blocks
        return turn, position if self.order == "ascending" else blocks - 1 - position


@checked
@dataclass(frozen=True)
class Shuffled(Turns):
    """Each block once, for `every` steps, in an order drawn by `seed`; then in another one."""

    every: int = 50
    seed: int = 0

    def __post_init__(self) -> None:
        check_count("every", self.every, least=1)
        check_seed("seed", self.seed)

    def at(self, step: int, blocks: int) -> tuple[int, int]:
        """Return the number of the turn at this global step, from 0, and the position of the block that moves."""
        turn = step // self.every
        round_, position = divmod(turn, blocks)
        return turn, int(np.random.default_rng((self.seed, round_)).permutation(blocks)[position])


@checked
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
