"""Which key of a mapping, a name or a glob, serves which block."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import TypeVar

from .._edge.values import list_names, nearest
from .views import View

Value = TypeVar("Value")


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
            raise KeyError(
                f"{what}: {key!r} matches no block{nearest(key, names)}; the blocks are {list_names(names)}"
            )
    for name in names:
        fitting = [name] if name in patterns else [key for key in patterns if name in fits[key]]
        if not fitting:
            raise KeyError(f"{what}: nothing matches block {name!r}; the keys are {list_names(patterns)}")
        result[name] = patterns[fitting[0]]
    return result


def match_views(views: Mapping[str, View], names: Sequence[str]) -> dict[str, View]:
    """Return the view of each name that has one: views, unlike routes, need not cover every block."""
    if not isinstance(views, Mapping):
        raise TypeError(
            f"views must be a mapping of block names to views such as {{'conv*': st.views.flatten()}}, got {views!r}"
        )
    for key, view in views.items():
        if not isinstance(view, View):
            raise TypeError(f"views[{key!r}] must be a view such as st.views.flatten(), got {view!r}")
    covered = [name for name in names if any(name == k or fnmatchcase(name, k) for k in views)]
    return match(views, covered, "views") if covered or not views else match(views, names, "views")
