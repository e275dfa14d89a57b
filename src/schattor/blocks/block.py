"""Named blocks: arrays that are changed in place, tied ones once, each with its view."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from .._edge.arrays import FLOATS, FloatArray, matrix_shape, refuse_masked
from .matching import match_views
from .structure import Params, flatten
from .views import View


@dataclass(frozen=True)
class Block:
    """One named parameter array and the matrix that it is viewed as.

    Attributes
    ----------
    name : str
    array : ndarray
    names : tuple of str
        All names of the array: more than one where it is tied.
    view : View or None
    owner : str
        Name of the array that the block is a piece of, or its own.
    index : object
        What takes the piece out of an array of the owner's shape.
    """

    name: str
    array: FloatArray
    names: tuple[str, ...]
    view: View | None
    owner: str
    index: Any = ...

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of the matrix, as it is stored."""
        return matrix_shape(self.array.shape) if self.view is None else self.view.shape(self.array.shape)

    @property
    def transposed(self) -> bool:
        """Whether it is stored as the transpose of the (out, in) matrix."""
        return self.view is not None and self.view.transposes

    @property
    def fans(self) -> tuple[int, int]:
        """Fan-out and fan-in: the shape, seen the right way round."""
        return self.shape[::-1] if self.transposed else self.shape

    def require_array(self, kind: str, value: object) -> None:
        """Raise TypeError unless what is given for the block is a plain NumPy array of the parameter's dtype."""
        what = f"{kind} of block {self.owner!r}"
        if not isinstance(value, np.ndarray):
            raise TypeError(f"{what} must be a NumPy array, got {type(value).__name__}")
        refuse_masked(value, what)
        if value.dtype != self.array.dtype:
            raise TypeError(f"{what} must have the parameter's dtype {self.array.dtype}, got {value.dtype}")

    def pieces(self) -> list[Block]:
        """Return the blocks that the view makes of this one."""
        try:
            indices = None if self.view is None else self.view.pieces(self.array.shape)
        except ValueError as error:
            raise ValueError(f"block {self.name!r}: {error}") from None
        if indices is None:
            return [self]
        return [
            Block(f"{self.name}[{i}]", self.array[index], self.names, self.view, self.name, index)
            for i, index in enumerate(indices)
        ]


def make_blocks(params: Params, views: Mapping[str, View] | None) -> list[Block]:
    """Return the blocks of a parameter structure, in order; tied arrays are one block.

    Raises
    ------
    TypeError, ValueError
        For an array that cannot be updated in place, naming the block and what is wrong; for arrays that overlap.
    """
    arrays = flatten(params)
    if not arrays:
        raise ValueError("params holds no arrays")
    for name, array in arrays.items():
        _check_array(name, array)
    tied = _tie(arrays)
    chosen = match_views({} if views is None else views, [names[0] for names in tied])
    return [Block(names[0], arrays[names[0]], tuple(names), chosen.get(names[0]), names[0]) for names in tied]


def _check_array(name: str, array: object) -> None:
    if not isinstance(array, np.ndarray):
        hint = "; write tensor.detach().numpy(), which shares its memory" if hasattr(array, "detach") else ""
        raise TypeError(f"block {name!r} must be a NumPy array, got {type(array).__name__}{hint}")
    refuse_masked(array, f"block {name!r}")
    if array.dtype not in FLOATS:
        raise TypeError(f"block {name!r} must be float32 or float64, got {array.dtype}")
    if not (array.flags.c_contiguous and array.flags.aligned):
        raise ValueError(
            f"block {name!r} must be C-contiguous, as it is changed in place; got strides {array.strides}"
        )
    if not array.flags.writeable:
        raise ValueError(f"block {name!r} must be writable, as it is changed in place; it is read-only")


def place_in_memory(array: FloatArray) -> tuple[int, tuple[int, ...], str] | None:
    """Return what two arrays have in common that are the same one; None for an empty array, which has no place."""
    return (array.__array_interface__["data"][0], array.shape, array.dtype.str) if array.size else None


def _tie(arrays: Mapping[str, FloatArray]) -> list[list[str]]:
    """Return the names of each distinct array, in order; partly overlapping arrays raise."""
    groups: dict[object, list[str]] = {}
    for name, array in arrays.items():
        groups.setdefault(place_in_memory(array) or name, []).append(name)
    extents = sorted(
        (place[0], arrays[names[0]].nbytes, names[0])
        for place, names in groups.items()
        if isinstance(place, tuple)
    )
    for (start, size, name), (following, _, other) in pairwise(extents):
        if following < start + size:
            raise ValueError(f"blocks {name!r} and {other!r} overlap in memory without being the same array")
    return list(groups.values())
