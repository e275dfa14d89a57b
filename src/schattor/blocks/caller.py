"""The structure of parameters as its caller has it, which may be changed behind an optimizer's back."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from .._edge.arrays import FloatArray
from .block import place_in_memory
from .structure import flatten


class Caller:
    """The caller's structure, held to notice an entry that is another array than at construction.

    Attributes
    ----------
    joined : set of str
        Blocks that came later, which the structure need not have.
    """

    def __init__(self, structure: Any) -> None:
        self.joined: set[str] = set()
        self._structure = structure
        self._look()

    def _look(self) -> None:
        """Remember what the containers hold."""
        self._held: list[tuple[Any, tuple[Any, ...]]] = []
        pending = [self._structure]
        while pending:
            if isinstance(container := pending.pop(), Mapping | list | tuple):
                inside = tuple(_values(container))
                self._held.append((container, inside))
                pending += inside

    def _changed(self) -> bool:
        return any(
            len(container) != len(inside) or not all(map(operator.is_, _values(container), inside))
            for container, inside in self._held
        )

    def check(self, arrays: Mapping[str, FloatArray]) -> None:
        """Raise ValueError where the structure does not hold these arrays, those of the blocks, any more."""
        if not self._changed():
            return
        found = flatten(self._structure)
        for name, array in found.items():
            if name not in arrays:
                raise ValueError(
                    f"params has {name!r} now, which is no block: steps would not move it; "
                    f"add it with add_block({name!r}, array) or make a new optimizer"
                )
            if not _same(array, arrays[name]):
                raise ValueError(
                    f"block {name!r} of params is another array now than the one that the optimizer holds, which steps "
                    f"would move unseen; write into it, params[{name!r}][...] = value, or make a new optimizer"
                )
        for name in arrays:
            if name not in found and name not in self.joined:
                raise ValueError(
                    f"params lacks block {name!r} now, which the optimizer still holds; make a new optimizer for the "
                    "others"
                )
        self._look()


def _values(container: Any) -> Iterable[Any]:
    return container.values() if isinstance(container, Mapping) else container


def _same(array: object, held: FloatArray) -> bool:
    if array is held:
        return True
    place = place_in_memory(held)
    return isinstance(array, np.ndarray) and place is not None and place_in_memory(array) == place
