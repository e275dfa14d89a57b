"""Parameter structures: nested dicts and lists of arrays under flat names."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias, TypeVar

from .._edge.arrays import FloatArray

Params: TypeAlias = "FloatArray | Mapping[str, Any] | Sequence[Any]"
"""One array, a list of arrays, or a dict of arrays; dicts and lists may nest."""


Leaf = TypeVar("Leaf")


def leaves(structure: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield (name, leaf) in order; nested keys are joined by "/", a lone array is called "0"."""
    if isinstance(structure, Mapping):
        for key, value in structure.items():
            if not isinstance(key, str):
                raise TypeError(
                    f"names of blocks must be str, got {key!r}{f' inside {prefix!r}' if prefix else ''}"
                )
            if not key or "\0" in key:
                raise ValueError(
                    f"names of blocks must have characters, and none of them NUL; got {key!r}"
                    f"{f' inside {prefix!r}' if prefix else ''}"
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
