"""The drivers of an optimizer at work."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .._edge import _core
from ..blocks.block import Block
from ..blocks.extras import CALLABLES, read_extras
from ..recipe.driver import Given, Members, RunningDriver, State

if TYPE_CHECKING:
    from ..recipe.recipe import Recipe


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
