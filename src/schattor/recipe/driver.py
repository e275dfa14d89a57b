"""What a driver is: it sets hyperparameters before every step from what the step is given."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from .._edge.arrays import FloatArray
from .._edge.values import Schedulable
from ..blocks.block import Block

if TYPE_CHECKING:
    from .recipe import Recipe


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
