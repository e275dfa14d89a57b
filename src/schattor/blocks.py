"""Named blocks: parameter structures, tied arrays, views and the matching of names."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import pairwise
from typing import Any, TypeAlias, TypeVar

import numpy as np

from ._arrays import FLOATS, FloatArray, matrix_shape
from .views import View

Params: TypeAlias = "FloatArray | Mapping[str, Any] | Sequence[Any]"
"""One array, a list of arrays, or a dict of arrays; dicts and lists may nest."""

Leaf = TypeVar("Leaf")
Value = TypeVar("Value")


def leaves(structure: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield (name, leaf) in order; nested keys are joined by "/", a lone array is called "0"."""
    if isinstance(structure, Mapping):
        for key, value in structure.items():
            if not isinstance(key, str):
                raise TypeError(
                    f"names of blocks must be str, got {key!r}{f' inside {prefix!r}' if prefix else ''}"
                )
            yield from _inner(value, f"{prefix}/{key}" if prefix else key)
    elif isinstance(structure, list | tuple):
        for i, value in enumerate(structure):
            yield from _inner(value, f"{prefix}/{i}" if prefix else str(i))
    else:
        yield prefix or "0", structure


def _inner(value: Any, name: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping | list | tuple):
        yield from leaves(value, name)
    else:
        yield name, value


def flatten(structure: Any) -> dict[str, Any]:
    """Return the leaves of a structure by name; two leaves of one name raise."""
    result: dict[str, Any] = {}
    for name, leaf in leaves(structure):
        if name in result:
            raise ValueError(f"two entries are called {name!r} once nested names are joined by '/'")
        result[name] = leaf
    return result


def rebuild(structure: Any, leaf: Callable[[str], Leaf], prefix: str = "") -> Any:
    """Return a structure of the same form with ``leaf(name)`` in place of each leaf."""
    if isinstance(structure, Mapping):
        return {k: rebuild(v, leaf, f"{prefix}/{k}" if prefix else k) for k, v in structure.items()}
    if isinstance(structure, list | tuple):
        return [rebuild(v, leaf, f"{prefix}/{i}" if prefix else str(i)) for i, v in enumerate(structure)]
    return leaf(prefix or "0")


def match(patterns: Mapping[str, Value], names: Sequence[str], what: str) -> dict[str, Value]:
    """Assign to each name the value of its key: the exact name, else the first glob that fits.

    Raises
    ------
    KeyError
        For a key that matches nothing and for a name that nothing matches.
    """
    result: dict[str, Value] = {}
    fits = {key: [name for name in names if name == key or fnmatchcase(name, key)] for key in patterns}
    for key, matched in fits.items():
        if not matched:
            raise KeyError(f"{what}: {key!r} matches no block; the blocks are {', '.join(map(repr, names))}")
    for name in names:
        fitting = [name] if name in patterns else [key for key in patterns if name in fits[key]]
        if not fitting:
            raise KeyError(
                f"{what}: nothing matches block {name!r}; the keys are {', '.join(map(repr, patterns))}"
            )
        result[name] = patterns[fitting[0]]
    return result


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

    def require_matrix(self, what: str) -> None:
        """Raise unless the array is a matrix, a vector or a scalar, or has a view."""
        if self.array.ndim > 2 and self.view is None:
            raise ValueError(
                f"block {self.name!r} has shape {self.array.shape}: {what} needs a matrix; "
                f"give a view, for example views={{{self.name!r}: st.views.flatten()}}"
            )


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
    chosen = _match_views(views or {}, [names[0] for names in tied])
    return [Block(names[0], arrays[names[0]], tuple(names), chosen.get(names[0]), names[0]) for names in tied]


def _check_array(name: str, array: object) -> None:
    if not isinstance(array, np.ndarray):
        raise TypeError(f"block {name!r} must be a NumPy array, got {type(array).__name__}")
    if array.dtype not in FLOATS:
        raise TypeError(f"block {name!r} must be float32 or float64, got {array.dtype}")
    if not (array.flags.c_contiguous and array.flags.aligned):
        raise ValueError(
            f"block {name!r} must be C-contiguous, as it is changed in place; got strides {array.strides}"
        )
    if not array.flags.writeable:
        raise ValueError(f"block {name!r} must be writable, as it is changed in place; it is read-only")


def _tie(arrays: Mapping[str, FloatArray]) -> list[list[str]]:
    """Return the names of each distinct array, in order; partly overlapping arrays raise."""
    groups: dict[object, list[str]] = {}
    for name, array in arrays.items():
        same = (array.ctypes.data, array.shape, array.dtype.str) if array.size else name
        groups.setdefault(same, []).append(name)
    extents = sorted(
        (arrays[names[0]].ctypes.data, arrays[names[0]].nbytes, names[0])
        for names in groups.values()
        if arrays[names[0]].size
    )
    for (start, size, name), (following, _, other) in pairwise(extents):
        if following < start + size:
            raise ValueError(f"blocks {name!r} and {other!r} overlap in memory without being the same array")
    return list(groups.values())


def _match_views(views: Mapping[str, View], names: Sequence[str]) -> dict[str, View]:
    """Return the view of each name that has one: views, unlike routes, need not cover every block."""
    for key, view in views.items():
        if not isinstance(view, View):
            raise TypeError(f"views[{key!r}] must be a view such as st.views.flatten(), got {view!r}")
    covered = [name for name in names if any(name == k or fnmatchcase(name, k) for k in views)]
    return match(views, covered, "views") if covered or not views else match(views, names, "views")
