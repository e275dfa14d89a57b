"""What a step may be given beside the gradients, checked and brought into the order of the plan."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np

from .._edge import _core
from .._edge.arrays import FloatArray, refuse_masked
from .block import Block
from .structure import flatten

EXTRAS = tuple(_core.Extra.__members__)
"""Their names, as the core lists them."""

CALLABLES = ("closure", "hvp")
"""Names of those that are functions."""

Row: TypeAlias = dict[str, FloatArray]
"""The extras of one block by name, those that its recipe reads."""


_SEEN = {"activations": "deltas", "deltas": "activations"}
"""What they are for a block stored as the transpose of its (out, in) matrix: the core's rows are the fan-in."""


def flatten_extras(extras: Mapping[str, Any], read: frozenset[str]) -> dict[str, Any]:
    """Return the extras by kind: the arrays by flat name, the callables as they are.

    Raises
    ------
    TypeError
        For a kind that does not exist or that no recipe reads, or what is no callable where one is expected.
    """
    for kind, given in extras.items():
        if kind not in EXTRAS + CALLABLES:
            known = ", ".join(EXTRAS + CALLABLES)
            raise TypeError(f"step has no argument {kind!r}; beside grads it takes {known}")
        if kind not in read and given is not None:
            raise TypeError(f"no recipe of this optimizer reads {kind}")
        if kind in CALLABLES and given is not None and not callable(given):
            raise TypeError(f"{kind} must be callable, got {given!r}")
    return {k: v if k in CALLABLES else flatten(v) for k, v in extras.items() if v is not None}


def with_means(grads: Any, per_example: Mapping[str, Any]) -> dict[str, Any]:
    """Return the gradients, with the mean over the samples where per-example gradients stand instead."""
    given = {} if grads is None else flatten(grads)
    for name, samples in per_example.items():
        if given.get(name) is None and samples is not None and len(samples):
            refuse_masked(samples, f"per_example of block {name!r}")
            given[name] = np.asarray(np.mean(samples, axis=0), dtype=np.asarray(samples).dtype)
    return given


def extras_of(
    block: Block, required: frozenset[str], given: Mapping[str, Mapping[str, Any]], *, first: bool
) -> Row:
    """Return the extras of one block that its recipe reads, as the core sees the block.

    Raises
    ------
    KeyError
        For one that is missing; in a block's first step the previous gradient may be.
    TypeError, ValueError
        For another dtype or shape.
    """
    row: Row = {}
    for kind in EXTRAS:
        if kind not in required:
            continue
        value = given.get(kind, {}).get(block.owner)
        if value is not None:
            row[_SEEN.get(kind, kind) if block.transposed else kind] = _checked(kind, block, value)
        elif not (first and kind == "gradient_at_previous"):
            raise KeyError(f"step lacks {kind} for block {block.owner!r}, which its recipe reads")
    return row


def read_extras(
    block: Block, read: frozenset[str], given: Mapping[str, Mapping[str, Any]]
) -> dict[str, FloatArray]:
    """Return those extras of one block that were given and that its driver reads.

    Raises
    ------
    TypeError, ValueError
        For another dtype or shape.
    """
    values = {kind: given.get(kind, {}).get(block.owner) for kind in EXTRAS if kind in read}
    return {kind: _checked(kind, block, value) for kind, value in values.items() if value is not None}


def _checked(kind: str, block: Block, value: Any) -> FloatArray:
    block.require_array(kind, value)
    fan_out, fan_in = block.fans
    wanted: tuple[int | str, ...] = {
        "gradient_at_previous": block.array.shape,
        "activations": ("N", fan_in),
        "deltas": ("N", fan_out),
        "per_example": ("N", *block.array.shape),
    }[kind]
    piece = _piece(kind, block, value)
    fits = len(piece.shape) == len(wanted) and all(
        size == expected or (expected == "N" and size > 0)
        for size, expected in zip(piece.shape, wanted, strict=True)
    )
    if not fits:
        of = "" if block.index is ... else f" for {block.name!r}"
        raise ValueError(
            f"{kind} of block {block.owner!r} must have shape ({', '.join(map(str, wanted))}){of}, "
            f"got {piece.shape}"
        )
    return np.require(piece, requirements=["C", "A"])


def _piece(kind: str, block: Block, value: FloatArray) -> FloatArray:
    """Return what belongs to a piece of an array: a matrix of a stack, or some rows of a matrix."""
    if block.index is ...:
        return value
    stacked = isinstance(block.index, int)
    if kind == "gradient_at_previous" or (stacked and kind != "per_example"):
        return np.asarray(value[block.index])
    return value if kind == "activations" else np.asarray(value[:, block.index])
