"""What a step is given, in the order of the plan: gradients, tied arrays, extras."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from .._edge.values import list_names, nearest
from ..blocks.block import Block
from ..blocks.extras import CALLABLES, Row, extras_of
from ..blocks.structure import flatten
from .assembly import Route
from .hints import check_gradients


class Inputs:
    """The blocks of an optimizer by name and in the order of its plan.

    Parameters
    ----------
    blocks : mapping of str to Block
    routes : sequence of Route
        In the order of the plan.
    """

    def __init__(self, blocks: Mapping[str, Block], routes: Sequence[Route]) -> None:
        self._blocks, self._routes = blocks, routes
        self._names = {name: None for block in blocks.values() for name in block.names}
        self._tied = len(self._names) > len(blocks)
        self._owners = [route.block.owner for route in routes]
        self._split = any(route.block.index is not ... for route in routes)

    def arrays(self, given: Any, what: str) -> list[Any]:
        """Return arrays given by name, for instance gradients, in the order of the plan.

        Raises
        ------
        KeyError
            For a name that is no block, and for a block without an entry.
        """
        flat = self._flat(given, what)
        if self._tied:
            flat = {name: self._add_tied(block, flat) for name, block in self._blocks.items()}
        return self._in_order(flat, what)

    def point(self, given: Any) -> list[Any]:
        """Return a point in the order of the plan: what is given under several names of one block must be one array."""
        flat = self._flat(given, "params")
        for block in self._blocks.values():
            for name in block.names[1:]:
                if flat[name] is not flat[block.name] and not np.array_equal(flat[name], flat[block.name]):
                    raise ValueError(
                        f"params gives two values for one array, under {block.name!r} and {name!r}"
                    )
        for block in self._blocks.values():
            array = flat[block.name]
            block.require_array("params", array)
            if array.shape != block.array.shape:
                raise ValueError(
                    f"params of block {block.name!r} must have the parameter's shape {block.array.shape}, "
                    f"got {array.shape}"
                )
        pieces = self._in_order({block.name: flat[block.name] for block in self._blocks.values()}, "params")
        return [np.require(piece, requirements=["C", "A"]) for piece in pieces]

    def _flat(self, given: Any, what: str) -> Mapping[str, Any]:
        if type(given) is dict and given.keys() == self._names.keys():
            return given
        check_gradients(given, list(self._names), what)
        flat = flatten(given)
        if flat.keys() == self._names.keys():
            return flat
        for name in flat:
            if name not in self._names:
                raise KeyError(
                    f"{what} has {name!r}, which is no block; "
                    f"the blocks are {list_names(self._names)}{nearest(name, self._names)}"
                )
        missing = next(name for name in self._names if name not in flat)
        raise KeyError(f"{what} lacks block {missing!r}; give None to leave a block untouched")

    def _in_order(self, flat: Mapping[str, Any], what: str) -> list[Any]:
        if not self._split:
            return [flat[owner] for owner in self._owners]
        return [self._take(route.block, flat[route.block.owner], what) for route in self._routes]

    def _take(self, piece: Block, array: Any, what: str) -> Any:
        """Return the piece's part of its array's entry."""
        if array is None or piece.index is ...:
            return array
        wanted = self._blocks[piece.owner].array.shape
        if np.shape(array) != wanted:
            kind = "gradient" if what == "grads" else what
            raise ValueError(
                f"{kind} of block {piece.owner!r} has shape {np.shape(array)}, expected {wanted}"
            )
        return array[piece.index]

    def _add_tied(self, block: Block, given: Mapping[str, Any]) -> Any:
        """Return the sum of the gradients given under the several names of one array."""
        parts = [given[name] for name in block.names if given[name] is not None]
        for part in parts:
            if (
                not isinstance(part, np.ndarray)
                or part.shape != block.array.shape
                or part.dtype != block.array.dtype
            ):
                return part  # the core says what is wrong with it
        return functools.reduce(np.add, parts) if parts else None

    def extras(
        self, gradients: Sequence[Any], given: Mapping[str, Any], count: Callable[[int], int]
    ) -> list[Row]:
        """Return what each block of the plan reads beside its gradient; `count` is how many steps it has taken."""
        for kind, arrays in given.items():
            for name in () if kind in CALLABLES else arrays:
                if name not in self._blocks:
                    raise KeyError(
                        f"{kind} has {name!r}, which is no block; "
                        f"the blocks are {list_names(self._blocks)}{nearest(name, self._blocks)}"
                    )
        absent: frozenset[str] = frozenset()
        return [
            extras_of(
                route.block,
                absent if gradient is None else route.recipe.requires,
                given,
                first=count(i) == 0,
            )
            for i, (route, gradient) in enumerate(zip(self._routes, gradients, strict=True))
        ]
