"""Arguments against the signatures that they are given to: their names, and the types that are annotated there."""

from __future__ import annotations

import builtins
import collections.abc
import contextlib
import dataclasses
import functools
import inspect
import math
import sys
import types
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np

from .values import as_number, is_count, is_flag, is_number, nearest

F = TypeVar("F", bound=Callable[..., Any])


@dataclasses.dataclass(frozen=True)
class Kind:
    """What an annotation says of a value: in words, and whether a value is of it."""

    words: str
    contains: Callable[[Any], bool]
    names: tuple[str, ...] = ()
    """Names among which a text must be: another text is a wrong value, not a value of a wrong type."""


_NUMBER = Kind("a real number", is_number)
_SIMPLE: dict[Any, Kind] = {
    bool: Kind("True or False", is_flag),
    int: Kind("a whole number", is_count),
    float: _NUMBER,
    str: Kind("a string", lambda x: isinstance(x, str)),
    type(None): Kind("None", lambda x: x is None),
}


def kind_of(hint: Any) -> Kind | None:
    """Return what an annotation says; None for what it leaves open, such as arrays, which have checks of their own."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if hint is Any:
        return None
    if hint in _SIMPLE:
        return _SIMPLE[hint]
    if origin in (typing.Union, types.UnionType):
        return _any_of([kind_of(each) for each in arguments])
    if origin is typing.Literal:
        return Kind(
            join_words(map(repr, arguments)), lambda x: isinstance(x, str) and x in arguments, arguments
        )
    if origin is tuple and Ellipsis not in arguments:
        return _tuple_of([kind_of(each) for each in arguments])
    if origin is not None and issubclass(origin, Mapping):
        return _mapping_to(kind_of(arguments[1]))
    if origin is tuple or (origin is not None and issubclass(origin, Sequence)):
        return _sequence_of(kind_of(arguments[0]))
    cls = origin or hint
    if cls is collections.abc.Callable:
        return Kind("a callable", lambda x: callable(x) and not isinstance(x, type))
    if not isinstance(cls, type) or issubclass(cls, np.ndarray) or getattr(cls, "_is_protocol", False):
        return None
    return None if cls is object else Kind(_article(cls.__name__), lambda x: isinstance(x, cls))


def _article(name: str) -> str:
    return f"{'an' if name[0] in 'AEIOU' else 'a'} {name}"


def join_words(words: Iterable[str]) -> str:
    """Return 'a', 'a or b', 'a, b or c'."""
    *first, last = dict.fromkeys(words)
    return f"{', '.join(first)} or {last}" if first else last


def _any_of(kinds: Sequence[Kind | None]) -> Kind | None:
    known = [kind for kind in kinds if kind is not None]
    if len(known) < len(kinds):
        return None
    named = all(kind.names or kind is _SIMPLE[type(None)] for kind in known)
    names = tuple(name for kind in known for name in kind.names) if named else ()
    words = join_words(kind.words for kind in known)
    return Kind(words, lambda x: any(kind.contains(x) for kind in known), names)


def _is_sequence(value: Any) -> bool:
    return isinstance(value, Sequence | np.ndarray) and not isinstance(value, str) and np.ndim(value) > 0


def _tuple_of(kinds: Sequence[Kind | None]) -> Kind:
    words = join_words(kind.words if kind else "a value" for kind in kinds)

    def contains(value: Any) -> bool:
        return (
            _is_sequence(value)
            and len(value) == len(kinds)
            and all(kind is None or kind.contains(x) for kind, x in zip(kinds, value, strict=True))
        )

    return Kind(f"a tuple of {len(kinds)}, each {words}", contains)


def _sequence_of(kind: Kind | None) -> Kind:
    return Kind(
        f"a sequence, each entry {kind.words}" if kind else "a sequence",
        lambda x: _is_sequence(x) and (kind is None or all(kind.contains(each) for each in x)),
    )


def _mapping_to(kind: Kind | None) -> Kind:
    return Kind(
        f"a mapping, each value {kind.words}" if kind else "a mapping",
        lambda x: isinstance(x, Mapping) and (kind is None or all(map(kind.contains, x.values()))),
    )


class _Scope(dict[str, Any]):
    """What names in annotations stand for; those that are imported for type checkers alone leave the value open."""

    def __init__(self, module: str) -> None:
        self._names = collections.ChainMap(vars(sys.modules[module]), vars(builtins), vars(collections.abc))

    def __missing__(self, name: str) -> Any:
        return self._names.get(name, Any)


def _instead(name: str, value: object, kind: Kind) -> str:
    """Return what to write instead of a value of another type, where it can be guessed."""
    if isinstance(value, type):
        return f"; call it: {value.__name__}(...)"
    if isinstance(value, str) and _NUMBER.words in kind.words:
        number = as_number(_parsed(value))
        if number is not None:
            return f"; write {name}={'np.inf' if number == math.inf else value.strip()}"
        return f"; a schedule is a callable, {name}=lambda step: ..." if "callable" in kind.words else ""
    if isinstance(value, Mapping) and _NUMBER.words in kind.words and "mapping" not in kind.words:
        norms = (
            " or, for exponents, norm=st.MixedNorm({block: st.Schatten(p), ...}, outer=r)"
            if name == "p"
            else ""
        )
        return f"; for values by block give routes, {{block: recipe({name}=...), ...}}{norms}"
    return ""


def _parsed(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


class Arguments:
    """The arguments that a function or a class takes.

    Parameters
    ----------
    function : callable
        Its annotations are resolved at the first call.
    name : str, optional
        What messages call it.
    """

    def __init__(self, function: Callable[..., Any], name: str | None = None) -> None:
        self._function = function
        self._name = name or function.__qualname__.removesuffix(".__init__")

    @functools.cached_property
    def signature(self) -> inspect.Signature:
        """The signature, without the object itself."""
        return inspect.signature(self._function)

    @functools.cached_property
    def _kinds(self) -> dict[str, Kind]:
        hints: dict[str, Any] = {}
        holders = self._function.__mro__ if isinstance(self._function, type) else (self._function,)
        for holder in reversed(holders):
            scope = _Scope(holder.__module__)
            for name, hint in getattr(holder, "__annotations__", {}).items():
                if name in self.signature.parameters:
                    hints[name] = eval(hint, {}, scope) if isinstance(hint, str) else hint
        return {name: kind for name, hint in hints.items() if (kind := kind_of(hint))}

    def check(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        """Raise TypeError for names that are not taken, or that are missing, and values of other types.

        ValueError for a text that is none of the names that an argument takes.
        """
        self.check_names(kwargs)
        known = self.signature.parameters
        if args and all(p.kind is p.KEYWORD_ONLY for p in known.values()):
            first = next(iter(known), "")
            raise TypeError(f"{self._name} takes its arguments by name: {self._name}({first}={args[0]!r})")
        try:
            given = self.signature.bind(*args, **kwargs).arguments
        except TypeError as error:
            raise TypeError(f"{self._name}: {error}; it takes {', '.join(known)}") from None
        for name, value in given.items():
            kind = self._kinds.get(name)
            if kind is not None and not kind.contains(value):
                default = known[name].default
                such = f" such as {default!r}" if isinstance(default, str) else ""
                text = f"{name} must be {kind.words}{such}, got {value!r}"
                if isinstance(value, str) and kind.names:
                    raise ValueError(text + nearest(value, kind.names))
                raise TypeError(text + _instead(name, value, kind))

    def check_names(self, names: Iterable[str]) -> None:
        """Raise TypeError for keywords that are not taken."""
        known = self.signature.parameters
        if any(p.kind is p.VAR_KEYWORD for p in known.values()):
            return
        for name in names:
            if name not in known:
                raise TypeError(
                    f"{self._name} has no argument {name!r}; it takes {', '.join(known)}{nearest(name, known)}"
                )


def checked(function: F) -> F:
    """Let a function, or the constructor of a dataclass, check its arguments by their annotations first.

    Annotations of arrays say nothing here: arrays are checked where they are read.
    """
    if isinstance(function, type):
        arguments, made = Arguments(function), vars(function)["__init__"]

        @functools.wraps(made)
        def initialize(self: Any, *args: Any, **kwargs: Any) -> None:
            arguments.check(args, kwargs)
            made(self, *args, **kwargs)

        setattr(function, "__init__", initialize)  # noqa: B010 (a method of a class that mypy does not know)
        return function
    arguments = Arguments(function)

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        arguments.check(args, kwargs)
        return function(*args, **kwargs)

    return call  # type: ignore[return-value]


@contextlib.contextmanager
def renamed(names: Mapping[str, str]) -> Iterator[None]:
    """Let what is said of a part's argument be said of the caller's that it comes from."""
    try:
        yield
    except (TypeError, ValueError) as error:
        first, space, rest = str(error).partition(" ")
        if first not in names:
            raise
        raise type(error)(names[first] + space + rest) from None
