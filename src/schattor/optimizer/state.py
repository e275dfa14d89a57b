"""The state of an optimizer as a flat dict of arrays, checked whole before any of it is taken over."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from .._edge.arrays import FloatArray
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
    _check_form(state, blocks)
    for key in expected:
        if key not in state:
            raise KeyError(f"the state lacks {key!r}")
    for key in state:
        if key not in expected:
            raise KeyError(f"the state has {key!r}, which this optimizer lacks")
    arrays = {key: np.asarray(state[key]) for key in expected}
    if arrays["version"].shape != () or arrays["version"] != VERSION:
        raise ValueError(f"the state has version {arrays['version']}, expected {VERSION}")
    for key, wanted in expected.items():
        check_entry(key, arrays[key], wanted)
    return arrays


def _check_form(state: object, blocks: list[BlockState]) -> None:
    """Raise for a state in another library's form or of other recipes, before single entries are looked at."""
    if not isinstance(state, Mapping):
        raise TypeError(f"state_dict must be a mapping of names to arrays, got {type(state).__name__}")
    if {"state", "param_groups"} <= set(state):
        raise ValueError(
            "state_dict must be what state_dict() of this package returns, got that of a torch optimizer, with 'state' "
            "and 'param_groups'; start a new optimizer at the weights of the checkpoint"
        )
    names = [(block, f"state/{block.name}/recipe") for block in blocks]
    others = [(block, str(np.asarray(state[key]))) for block, key in names if key in state]
    others = [(block, recipe) for block, recipe in others if recipe != block.recipe]
    if others:
        block, recipe = others[0]
        more = f" (and {len(others) - 1} more blocks)" if len(others) > 1 else ""
        raise ValueError(
            f"'state/{block.name}/recipe': expected recipe {block.recipe!r}, got {recipe!r}{more}; a state goes with "
            "the recipe that it was saved from: load it into an optimizer with that one, or start anew at its weights"
        )
