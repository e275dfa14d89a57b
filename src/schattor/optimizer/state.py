"""The state of an optimizer as a flat dict of arrays, checked whole before any of it is taken over."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from .._edge.arrays import FloatArray

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
    arrays = {key: np.asarray(state[key]) for key in expected}
    if arrays["version"].shape != () or arrays["version"] != VERSION:
        raise ValueError(f"the state has version {arrays['version']}, expected {VERSION}")
    for key, wanted in expected.items():
        check_entry(key, arrays[key], wanted)
    return arrays


def check_entry(key: str, given: np.ndarray[Any, Any], wanted: np.ndarray[Any, Any]) -> None:
    """Raise ValueError unless a saved entry has the dtype and shape of the wanted one, and finite values."""
    if wanted.dtype.kind == "U":
        if given.shape != () or str(given) != str(wanted):
            raise ValueError(f"{key!r}: expected recipe {str(wanted)!r}, got {given.tolist()!r}")
        return
    if given.dtype != wanted.dtype and not (wanted.dtype.kind == "i" and given.dtype.kind in "iu"):
        raise ValueError(f"{key!r}: expected dtype {wanted.dtype}, got {given.dtype}")
    if given.shape != wanted.shape:
        raise ValueError(f"{key!r}: expected shape {wanted.shape}, got {given.shape}")
    if wanted.dtype.kind == "f" and not np.isfinite(given).all():
        raise ValueError(f"{key!r}: holds values that are not finite")
    if wanted.dtype.kind == "i" and (given < 0).any():
        raise ValueError(f"{key!r}: expected a count, got {given}")
