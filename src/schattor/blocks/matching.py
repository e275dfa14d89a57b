"""Which key of a mapping, a name or a glob, serves which block."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase, translate
from typing import TypeVar

from .._edge.values import list_names, nearest
from .views import View

Value = TypeVar("Value")


def match(patterns: Mapping[str, Value], names: Sequence[str], what: str) -> dict[str, Value]:
    """Assign to each name the value of its key: the exact name, else the first glob that fits.

    A key that is a name is only that, whatever characters it has.

    Raises
    ------
    KeyError
        For a key that matches nothing and for a name that nothing matches.
    ValueError
        For a key all of whose names go to earlier keys.
    """
    result = _assign(patterns, names, what)
    for name in names:
        if name not in result:
            raise KeyError(f"{what}: nothing matches block {name!r}; the keys are {list_names(patterns)}")
    return result


def _assign(patterns: Mapping[str, Value], names: Sequence[str], what: str) -> dict[str, Value]:
    """Return the value of each name that a key matches."""
    known = set(names)
    globs = [(key, re.compile(translate(key)).match) for key in patterns if key not in known]
    result: dict[str, Value] = {}
    fitting: dict[str, str] = {}  # a name that a key fits
    winning = set(patterns) & known
    for name in names:
        keys = [name] if name in patterns else []
        keys += [key for key, fits in globs if (not keys or key not in fitting) and fits(name)]
        for key in keys:
            fitting.setdefault(key, name)
        if keys:
            result[name] = patterns[keys[0]]
            winning.add(keys[0])
    for key in patterns:
        if key not in known and key not in fitting:
            raise KeyError(
                f"{what}: {key!r} matches no block; the blocks are {list_names(names)}{nearest(key, names)}"
            )
        if key not in winning:
            taken = fitting[key]
            first = taken if taken in patterns else next(k for k in patterns if _fits(k, taken, known))
            raise ValueError(
                f"{what}: {key!r} never wins, since all that it matches goes to other keys (block {taken!r} to "
                f"{first!r}); an exact name wins, else the first glob that fits: put {key!r} before, or leave it out"
            )
    return result


def _fits(key: str, name: str, known: set[str]) -> bool:
    return key == name or (key not in known and fnmatchcase(name, key))


def match_views(views: Mapping[str, View], names: Sequence[str]) -> dict[str, View]:
    """Return the view of each name that has one: views, unlike routes, need not cover every block."""
    if not isinstance(views, Mapping):
        raise TypeError(
            f"views must be a mapping of block names to views such as {{'conv*': st.views.flatten()}}, got {views!r}"
        )
    for key, view in views.items():
        if not isinstance(view, View):
            raise TypeError(f"views[{key!r}] must be a view such as st.views.flatten(), got {view!r}")
    return _assign(views, names, "views")
