"""Hyperparameters: numbers, or callables of the global step, with the range that each must keep to."""

from __future__ import annotations

import difflib
import math
import numbers
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeAlias, TypeGuard

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
        """Return `value` as a float, or raise TypeError or ValueError naming `what`."""
        if not is_number(value):
            raise TypeError(f"{what} must be a real number {self.text}, got {value!r}")
        number = float(value)
        if not self.contains(number):
            raise ValueError(f"{what} must be {self.text}, got {number!r}")
        return number

    def check_schedulable(self, what: str, value: object) -> None:
        """Check a number now; a callable is checked at every step."""
        if not callable(value):
            self.check(what, value)


EXPONENT = Domain("in [1, inf]", lambda x: x >= 1)
MOMENTUM = Domain("in [0, 1)", lambda x: 0 <= x < 1)
ACCURACY = Domain("None (strict) or a number in (0, 1)", lambda x: 0 < x < 1)
FRACTION = Domain("in [0, 1]", lambda x: 0 <= x <= 1)
POSITIVE = Domain("positive and finite", lambda x: 0 < x < math.inf)
NON_NEGATIVE = Domain("non-negative and finite", lambda x: 0 <= x < math.inf)


def position(count: int) -> Domain:
    """Return the domain of positions in a sequence of this length."""
    return Domain(f"a whole number from 0 to {count - 1}", lambda x: x in range(count))


def is_number(value: object) -> TypeGuard[float]:
    """Return whether a value is a real number; a bool is none."""
    return isinstance(value, numbers.Real) and not isinstance(value, bool)


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


class Schedules:
    """Turns hyperparameters into the values of the core, and evaluates the scheduled ones.

    Constants are handed over once. A callable gets a slot, which `evaluate` fills before every step.
    """

    def __init__(self) -> None:
        self._slots: list[tuple[str, Domain, Callable[[int], float]]] = []

    def value(self, what: str, domain: Domain, value: Schedulable) -> _core.Value:
        """Return the core's value of a number or callable, checked against `domain`."""
        if not callable(value):
            return _core.Value(domain.check(what, value))
        self._slots.append((what, domain, value))
        return _core.Value.from_slot(len(self._slots) - 1)

    def evaluate(self, step: int) -> list[float]:
        """Return the value of every slot at this step."""
        return [
            domain.check(f"{what} at step {step}", schedule(step)) for what, domain, schedule in self._slots
        ]


def at_step(value: Schedulable, step: int) -> float:
    """Return the value of a hyperparameter at this step, as given."""
    return value(step) if callable(value) else value


def show(value: Schedulable) -> str:
    """Return a short text for a hyperparameter."""
    if callable(value):
        return str(getattr(value, "__name__", type(value).__name__))
    return f"{value:g}"
