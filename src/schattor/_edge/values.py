"""Hyperparameters: numbers, or callables of the global step, with the range that each must keep to."""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeAlias

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
        self._slots: dict[tuple[object, ...], Scheduled] = {}
        self._places: dict[tuple[object, ...], int] = {}

    def value(
        self,
        what: str,
        domain: Domain,
        value: Any,
        *,
        convert: Callable[[str, Any], float] | None = None,
        factor: Callable[[int], float] | None = None,
    ) -> _core.Value:
        """Return the core's value of a number or callable, checked against `domain`; see `Scheduled`."""
        if not callable(value) and factor is None:
            return _core.Value(domain.check(what, convert(what, value) if convert else value))
        key = (what, domain.text, id(value) if callable(value) else value, convert, id(factor))
        self._slots.setdefault(key, Scheduled(what, domain, value, convert, factor))
        return _core.Value.from_slot(self._places.setdefault(key, len(self._places)))

    def evaluate(self, step: int) -> list[float]:
        """Return the value of every slot at this step."""
        return at_once(self._slots.values(), step)

    def now(self, step: int) -> dict[str, float]:
        """Return what is scheduled, by name, with its value at this step."""
        return {
            slot.what: value for slot, value in zip(self._slots.values(), self.evaluate(step), strict=True)
        }


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
