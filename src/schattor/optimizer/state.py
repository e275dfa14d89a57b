"""The state of an optimizer as a flat dict of arrays, checked whole before any of it is taken over."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from .._edge.arrays import FloatArray, plain
from .._edge.saved import check_entry

VERSION = 1


@dataclass(frozen=True)
class BlockState:
    """The state of one block: live views of its arrays, its counter and its recipe's signature."""

    name: str
    recipe: str
    arrays: Mapping[str, FloatArray]
    count: int

    def entries(self) -> Iterator[tuple[str, np.ndarray[Any, Any]]]:
        """Yield the flat entries of the block."""
        yield f"state/{self.name}/recipe", np.array(self.recipe)
        yield f"state/{self.name}/count", np.array(self.count, dtype=np.int64)
        for name, array in self.arrays.items():
            yield f"state/{self.name}/{name}", array


def pack(
    blocks: list[BlockState], step: int, skipped_steps: int, drivers: Mapping[str, np.ndarray[Any, Any]]
) -> dict[str, np.ndarray[Any, Any]]:
    """Return the flat dict; nothing in it is shared with the optimizer."""
    result = {
        "version": np.array(VERSION),
        "step": np.array(step, dtype=np.int64),
        "skipped_steps": np.array(skipped_steps, dtype=np.int64),
    }
    for block in blocks:
        result.update({key: np.array(value) for key, value in block.entries()})
    result.update({key: np.array(value) for key, value in drivers.items()})
    return result


def check(
    state: Mapping[str, Any], blocks: list[BlockState], drivers: Mapping[str, np.ndarray[Any, Any]]
) -> dict[str, np.ndarray[Any, Any]]:
    """Return the entries of a saved state as arrays, or raise without a side effect.

    Raises
    ------
    KeyError
        For a missing or an unknown entry.
    ValueError
        For another version, recipe, shape or dtype, or values that are not finite.
    """
    expected = pack(blocks, 0, 0, drivers)
    for key in expected:
        if key not in state:
            raise KeyError(f"the state lacks {key!r}")
    for key in state:
        if key not in expected:
            raise KeyError(f"the state has {key!r}, which this optimizer lacks")
    arrays = {key: plain(state[key], repr(key)) for key in expected}
    if arrays["version"].shape != () or arrays["version"] != VERSION:
        raise ValueError(f"the state has version {arrays['version']}, expected {VERSION}")
    for key, wanted in expected.items():
        check_entry(key, arrays[key], wanted)
    return arrays
