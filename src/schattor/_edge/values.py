"""Hyperparameters: numbers, or callables of the global step, with the range that each must keep to."""

from __future__ import annotations

import difflib
import math
import numbers
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeGuard

import numpy as np

from . import _core

Schedulable: TypeAlias = float | Callable[[int], float]
"""A number, or a callable that maps the global step (from 0) to one."""


@dataclass(frozen=True)
class Domain:
    """The values that a hyperparameter may take."""

    text: str
    contains: Callable[[float], bool]

    def check(self, what: str, value: object) -> float:
        """Return `value` as a float, or raise TypeError or ValueError naming `what`.

        Anything with one element that `float` takes will do: also the scalars of other packages.
        """
        number = as_number(value)
        if number is None:
            raise TypeError(f"{what} must be a real number {self.text}, got {value!r}")
        if not self.contains(number):
            raise ValueError(f"{what} must be {self.text}, got {number!r}")
        return number

    def check_schedulable(self, what: str, value: object) -> None:
        """Check a number now; a callable is checked at every step."""
        if not callable(value):
            self.check(what, value)


def as_number(value: Any) -> float | None:
    """Return a number as a float; None for truth values, masked values, texts and more than one element."""
    if type(value) is float:
        return value
    if isinstance(value, bool | np.bool_ | np.ma.MaskedArray | str | bytes | complex):
        return None
    if isinstance(value, numbers.Real):
        return float(value)
    try:  # one element of NumPy, torch or JAX; and what float() takes
        number = value.item() if hasattr(value, "item") else float(value)
    except (TypeError, ValueError, RuntimeError):
        return None
    return float(number) if isinstance(number, int | float) and not isinstance(number, bool) else None


EXPONENT = Domain("in [1, inf]", lambda x: x >= 1)
MOMENTUM = Domain("in [0, 1)", lambda x: 0 <= x < 1)
ACCURACY = Domain("None (strict) or a number in (0, 1)", lambda x: 0 < x < 1)
FRACTION = Domain("in [0, 1]", lambda x: 0 <= x <= 1)
POSITIVE = Domain("positive and finite", lambda x: 0 < x < math.inf)
FINITE = Domain("finite", math.isfinite)
NORMAL = Domain(
    "finite and at least 1.2e-38, the smallest normal number of float32", lambda x: 2.0**-126 <= x < math.inf
)
NON_NEGATIVE = Domain("non-negative and finite", lambda x: 0 <= x < math.inf)


def position(count: int) -> Domain:
    """Return the domain of positions in a sequence of this length."""
    return Domain(f"a whole number from 0 to {count - 1}", lambda x: x in range(count))


def is_number(value: object) -> TypeGuard[float]:
    """Return whether a value is a real number; a bool is none."""
    return as_number(value) is not None


def is_count(value: object) -> TypeGuard[int]:
    """Return whether a value is a whole number; a bool is none, and neither is 2.0."""
    return isinstance(value, numbers.Integral) and not isinstance(value, bool)


def is_flag(value: object) -> TypeGuard[bool]:
    """Return whether a value is True or False, of Python or of NumPy."""
    return isinstance(value, bool | np.bool_)


def check_count(what: str, value: object, *, least: int, most: int = 2**31 - 1) -> int:
    """Return `value` as an int, or raise TypeError or ValueError naming `what` unless it is one of this range."""
    if not is_count(value):
        raise TypeError(f"{what} must be a whole number, got {value!r}")
    if value < least:
        raise ValueError(f"{what} must be at least {least}, got {value}")
    if value > most:
        raise ValueError(f"{what} must be at most {most}, got {value}")
    return int(value)


def check_seed(what: str, value: object) -> int:
    """Return `value` as an int that the core's generators take, or raise TypeError or ValueError naming `what`."""
    return check_count(what, value, least=0, most=2**64 - 1)


def check_flag(what: str, value: object) -> bool:
    """Return `value` as a bool, or raise TypeError naming `what` unless it is a truth value."""
    if not is_flag(value):
        raise TypeError(f"{what} must be True or False, got {value!r}")
    return bool(value)


def check_schedule(what: str, value: object) -> None:
    """Raise TypeError naming `what` unless a value is None or a callable of the step; a class is none."""
    if value is not None and (not callable(value) or isinstance(value, type)):
        raise TypeError(
            f"{what} must be a callable of the step, such as lambda step: 0.99**step, got {value!r}"
        )


def check_choice(what: str, value: object, choices: Iterable[str], *, other: str = "") -> str:
    """Return `value` if it is among the names, or raise TypeError or ValueError that names `what` and the nearest.

    `other` tells what else the caller takes.
    """
    names = list(choices)
    expected = f"{what} must be {other + ' or ' if other else ''}one of {', '.join(map(repr, names))}"
    if not isinstance(value, str):
        raise TypeError(f"{expected}, got {value!r}")
    if value not in names:
        raise ValueError(f"{expected}, got {value!r}{nearest(value, names)}")
    return value


def list_names(names: Iterable[str], *, most: int = 20) -> str:
    """Return names for a message: so many at most, and how many more there are."""
    listed = list(map(repr, names))
    more = f" and {len(listed) - most} more" if len(listed) > most else ""
    return ", ".join(listed[:most]) + more


def nearest(word: str, names: Iterable[str]) -> str:
    """Return "; did you mean 'name'?" for the name that is most like a word, nothing where none is like it."""
    lowered = {name.lower(): name for name in reversed(list(names))}
    found = difflib.get_close_matches(word.lower(), lowered, n=1) if len(word) < 100 else []
    return f"; did you mean {lowered[found[0]]!r}?" if found else ""


@dataclass(frozen=True)
class Scheduled:
    """A hyperparameter that changes with the step.

    Attributes
    ----------
    what : str
        The argument and the recipe that it belongs to.
    domain : Domain
        Of the value, conversion included, factor aside.
    value : float or callable
    convert : callable, optional
        Makes a number of what a callable returns.
    factor : callable, optional
        Of the step; multiplies the value.
    """

    what: str
    domain: Domain
    value: Any
    convert: Callable[[str, Any], float] | None = None
    factor: Callable[[int], float] | None = None

    def at(self, step: int, call: Callable[[Callable[[int], Any]], Any]) -> float:
        """Return the value at a step, where `call` evaluates callables."""
        what = f"{self.what} at step {step}"
        given = call(self.value) if callable(self.value) else self.value
        number = self.domain.check(what, self.convert(what, given) if self.convert else given)
        if self.factor is None:
            return number
        return number * NON_NEGATIVE.check(f"schedule of {what}", call(self.factor))


class Schedules:
    """Turns hyperparameters into the values of the core, and evaluates the scheduled ones.

    Constants are handed over once. A callable gets a slot, which `evaluate` fills before every step: one for each
    argument of a recipe whatever the number of blocks. Each callable is called once in a step.
    """

    def __init__(self) -> None:
        self._slots: list[Scheduled] = []
        self._places: dict[tuple[object, ...], int] = {}

    def value(
        self,
        what: str,
        domain: Domain,
        value: Any,
        convert: Callable[[str, Any], float] | None = None,
    ) -> _core.Value:
        """Return the core's value of a number or callable, checked against `domain`; see `Scheduled`."""
        return self.take(Scheduled(what, domain, value, convert))

    def take(self, given: Scheduled) -> _core.Value:
        """Return the core's value of a hyperparameter, which need not change with the step."""
        value, convert = given.value, given.convert
        if not callable(value) and given.factor is None:
            number = convert(given.what, value) if convert else value
            return _core.Value(given.domain.check(given.what, number))
        identity = id(value) if callable(value) else value
        key = (given.what, given.domain.text, identity, convert, id(given.factor))
        if key not in self._places:
            self._places[key] = len(self._slots)
            self._slots.append(given)
        return _core.Value.from_slot(self._places[key])

    def evaluate(self, step: int) -> list[float]:
        """Return the value of every slot at this step."""
        return at_once(self._slots, step)

    def now(self, step: int) -> dict[str, float]:
        """Return what is scheduled, by name, with its value at this step."""
        return {slot.what: value for slot, value in zip(self._slots, self.evaluate(step), strict=True)}


def at_once(slots: Iterable[Scheduled], step: int) -> list[float]:
    """Return the values of hyperparameters at a step; each callable is called once."""
    seen: dict[int, Any] = {}

    def call(function: Callable[[int], Any]) -> Any:
        if id(function) not in seen:
            seen[id(function)] = function(step)
        return seen[id(function)]

    return [slot.at(step, call) for slot in slots]


def at_step(value: Schedulable, step: int) -> float:
    """Return the value of a hyperparameter at this step, as given."""
    return value(step) if callable(value) else value


def show(value: Schedulable) -> str:
    """Return a short text for a hyperparameter."""
    if callable(value):
        return str(getattr(value, "__name__", type(value).__name__))
    return f"{value:g}"
