"""An optimizer on its way through pickle and deepcopy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ..blocks.structure import flatten, rebuild
from .lock import OwnedLock

if TYPE_CHECKING:
    from .optimizer import Optimizer


class Snapshot:
    """What pickle and deepcopy take of an optimizer, from between two steps.

    They walk over it item by item; the optimizer's lock is held from the first array to the last. What may refuse to be
    copied, as a user's callable, comes before: an error would keep this walk, and so the lock, alive with its
    traceback. Arrays are the optimizer's own, so that a parameter that is copied together with it stays its parameter.
    """

    def __init__(self, optimizer: Optimizer) -> None:
        self._optimizer = optimizer

    def __reduce__(self) -> tuple[Any, ...]:
        return dict, (), None, None, self._items()

    def _items(self) -> Iterator[tuple[str, Any]]:
        optimizer = self._optimizer
        yield "class", type(optimizer)
        recipes = optimizer._recipes
        yield "recipes", recipes
        yield "execution", optimizer._execution
        with optimizer._lock:
            if optimizer._recipes is not recipes:  # a block has come in between
                yield "recipes", optimizer._recipes
            owner = {name: block.name for block in optimizer._blocks.values() for name in block.names}
            yield "names", rebuild(optimizer._structure, owner.__getitem__)
            yield "arrays", {name: block.array for name, block in optimizer._blocks.items()}
            yield "state", optimizer._state()


def restore(kept: Mapping[str, Any]) -> Optimizer:
    """Rebuild an optimizer from its snapshot: pickle and deepcopy."""
    arrays = {name: np.require(array, requirements=["C", "A", "W"]) for name, array in kept["arrays"].items()}
    owner = flatten(kept["names"])
    optimizer: Optimizer = kept["class"].__new__(kept["class"])
    optimizer._lock = OwnedLock(kept["class"].__name__)
    structure = rebuild(kept["names"], lambda name: arrays[owner[name]])
    optimizer._assemble(structure, kept["recipes"], kept["execution"])
    optimizer._load(kept["state"])
    return optimizer
