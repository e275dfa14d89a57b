"""Drivers: hyperparameters that follow from what the steps are given."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from .. import _core
from .._arrays import FloatArray
from ..blocks import Block
from ..extras import CALLABLES, read_extras
from ..values import Schedulable

if TYPE_CHECKING:
    from ..recipe import Recipe

Members: TypeAlias = Sequence[tuple[Block, Schedulable]]
"""The blocks of one recipe with their weights."""

State: TypeAlias = Mapping[str, np.ndarray[Any, Any]]


def by_driver(step: int) -> float:
    """Stand in a recipe for a hyperparameter that its driver sets once there are blocks."""
    raise RuntimeError("this hyperparameter is set by a driver, which works inside an optimizer only")


@dataclass(frozen=True)
class Given:
    """What a step is given for the blocks of one recipe, in their order.

    Attributes
    ----------
    step : int
        The global step, from 0.
    factor : float
        The optimizer's schedule at this step: what it multiplies every lr by.
    weights : list of ndarray
        The parameters themselves: to be read.
    gradients : list of ndarray or None
        Finite, in the shape and dtype of the parameters; None for a block that is left out.
    extras : list of mapping of str to ndarray
        Those of the kinds that the driver reads which were given.
    callables : mapping of str to callable
        Likewise those that are functions: ``closure`` of points, ``hvp`` of directions. They take and return lists of
        arrays in the order of the blocks; other blocks stand still.
    """

    step: int
    factor: float
    weights: list[FloatArray]
    gradients: list[FloatArray | None]
    extras: Sequence[Mapping[str, FloatArray]]
    callables: Mapping[str, Callable[..., list[FloatArray | None]]]


class Driver(ABC):
    """What sets hyperparameters of a recipe before every step, as a frozen specification."""

    reads: frozenset[str] = frozenset()
    """Names of what `Optimizer.step` may be given for it beside the gradients."""

    def check(self, recipe: Recipe) -> None:  # noqa: B027 (most recipes fit)
        """Raise ValueError for a recipe that the driver does not fit."""

    @abstractmethod
    def start(self, recipe: Recipe, members: Members) -> RunningDriver:
        """Return the driver at work on these blocks."""


class RunningDriver(ABC):
    """A driver at work on the blocks of one recipe.

    Attributes
    ----------
    recipe : Recipe
        The recipe with callables of the step where the driver sets hyperparameters. They read `state`.
    members : sequence of pairs, or None
        The blocks with weights that it sets too; None: with those that they had.
    state : mapping of str to ndarray
        Everything that it remembers. Arrays are replaced, never written to: so the optimizer takes a step back by
        putting back the mapping.
    """

    recipe: Recipe
    state: State
    members: Members | None = None

    @abstractmethod
    def observe(self, given: Given) -> None:
        """Take in what a step is given, before it is made."""

    @abstractmethod
    def choice(self) -> object:
        """Return what it has chosen, for the report; its str is one line."""


class Drivers:
    """The drivers of an optimizer, each with the places of its blocks in the plan."""

    def __init__(self) -> None:
        self._running: list[tuple[slice, RunningDriver]] = []

    def __len__(self) -> int:
        return len(self._running)

    def start(self, recipe: Recipe, members: Members, place: int) -> tuple[Recipe, Members]:
        """Return recipe and weights with what a driver sets; the blocks are in the plan from `place` on."""
        if recipe.driver is None:
            return recipe, members
        running = recipe.driver.start(recipe, members)
        self._running.append((slice(place, place + len(members)), running))
        return running.recipe, running.members or members

    def observe(
        self,
        step: int,
        factor: float,
        blocks: Sequence[Block],
        gradients: Sequence[Any],
        given: Mapping[str, Any],
        over: Callable[[str, Callable[..., Any], slice], Callable[..., Any]],
    ) -> _core.Refusal | None:
        """Hand to each driver what its blocks are given, or return what is not finite in it.

        `over` makes a user's function of the parameters one of the blocks at some places.
        """
        for places, running in self._running:
            own, grads = blocks[places], gradients[places]
            reads = running.recipe.driver.reads if running.recipe.driver else frozenset()
            extras = [read_extras(block, reads, given) for block in own]
            for i, arrays in enumerate(extras):
                for kind, array in arrays.items():
                    if bad := array.size - int(np.isfinite(array).sum()):
                        return _core.Refusal(
                            kind=_core.RefusalKind.extra_not_finite,
                            block=places.start + i,
                            count=bad,
                            extra=_core.Extra[kind],
                        )
            callables = {k: over(k, given[k], places) for k in CALLABLES if k in given and k in reads}
            if all(usable(G, block) for G, block in zip(grads, own, strict=True)):
                weights = [block.array for block in own]
                running.observe(Given(step, factor, weights, list(grads), extras, callables))
        return None

    @property
    def states(self) -> list[State]:
        """What each remembers; see `RunningDriver`."""
        return [running.state for _, running in self._running]

    @states.setter
    def states(self, states: list[State]) -> None:
        for (_, running), state in zip(self._running, states, strict=True):
            running.state = state

    def entries(self) -> dict[str, np.ndarray[Any, Any]]:
        """Return the states as entries of a flat dict."""
        return {f"driver/{i}/{k}": v for i, state in enumerate(self.states) for k, v in state.items()}

    def load(self, entries: Mapping[str, np.ndarray[Any, Any]]) -> None:
        """Take over states from such a dict."""
        self.states = [
            {k: entries[f"driver/{i}/{k}"].copy() for k in state} for i, state in enumerate(self.states)
        ]

    def choices(self) -> tuple[object, ...]:
        """Return what the drivers have chosen."""
        return tuple(running.choice() for _, running in self._running)


def usable(gradient: Any, block: Block) -> bool:
    """Whether a driver can read a gradient; if not, the core says what is wrong with it or with the weights."""
    array = block.array
    return gradient is None or (
        isinstance(gradient, np.ndarray | np.generic)
        and (gradient.shape, gradient.dtype) == (array.shape, array.dtype)
        and bool(np.isfinite(gradient).all() and np.isfinite(array).all())
    )
