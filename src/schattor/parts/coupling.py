"""What couples the blocks of a recipe."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .._edge.arguments import checked
from .._edge.values import EXPONENT, POSITIVE, Schedulable
from ..blocks.matching import match


@checked
@dataclass(frozen=True)
class Coupling:
    """The outer exponent r and the weights w_i of a mixed norm, apart from the norms of the blocks.

    `weights` is one number (or callable) for all blocks, or a mapping by name or glob.
    """

    outer: float
    weights: Schedulable | Mapping[str, Schedulable] = 1.0

    def __post_init__(self) -> None:
        EXPONENT.check("outer", self.outer)
        if isinstance(self.weights, Mapping):
            for name, weight in self.weights.items():
                POSITIVE.check_schedulable(f"weight of {name!r}", weight)
        else:
            POSITIVE.check_schedulable("weights", self.weights)

    def weights_of(self, names: Sequence[str]) -> dict[str, Schedulable]:
        """Return the weight of each block."""
        if isinstance(self.weights, Mapping):
            return match(self.weights, names, "weights")
        return dict.fromkeys(names, self.weights)
