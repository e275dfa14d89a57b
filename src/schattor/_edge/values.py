"""Hyperparameters: numbers, or callables of the global step, with the range that each must keep to."""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

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
        if isinstance(value, bool) or not isinstance(value, numbers.Real):
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
NORMAL = Domain(
    "finite and at least 1.2e-38, the smallest normal number of float32", lambda x: 2.0**-126 <= x < math.inf
)
NON_NEGATIVE = Domain("non-negative and finite", lambda x: 0 <= x < math.inf)


def position(count: int) -> Domain:
    """Return the domain of positions in a sequence of this length."""
    return Domain(f"a whole number from 0 to {count - 1}", lambda x: x in range(count))


def check_count(what: str, value: object, *, least: int) -> None:
    """Raise TypeError or ValueError naming `what` unless `value` is a whole number of at least `least`."""
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        raise TypeError(f"{what} must be a whole number, got {value!r}")
    if value < least:
        raise ValueError(f"{what} must be at least {least}, got {value}")


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
