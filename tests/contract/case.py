"""One recipe with hyperparameters, and what it promises; random problems for it."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

import schattor as st
from schattor._edge.arrays import matrix_shape
from schattor.blocks.structure import flatten

Blocks = dict[str, np.ndarray]

MATRICES: dict[str, tuple[int, ...]] = {"tall": (6, 4), "wide": (3, 5), "square": (4, 4)}
PAIR: dict[str, tuple[int, ...]] = {"tall": (6, 4), "wide": (4, 5)}  # factors of a product
ANY: dict[str, tuple[int, ...]] = {**MATRICES, "vector": (7,), "scalar": ()}


class Supplied(st.Optimizer):
    """An optimizer that makes up what its recipes require beside the gradients."""

    def _made_up(self, grads: Any) -> dict[str, Any]:
        given = flatten(grads)
        extras: dict[str, Any] = {}
        for route in self._routes:
            name = route.block.owner
            under = [given[i] for i in self._blocks[name].names if given.get(i) is not None]
            if not under:
                continue
            fit = all(isinstance(x, np.ndarray) and x.shape == under[0].shape for x in under)
            like = functools.reduce(np.add, under) if fit else np.zeros_like(self.params[name])
            for kind, arrays in st.testing.extras_for(route.recipe, {name: like}).items():
                extras.setdefault(kind, {}).update(arrays)
        return extras

    def step(self, grads: Any, **extras: Any) -> None:
        """As the optimizer's."""
        super().step(grads, **{**self._made_up(grads), **extras})

    def update(self, grads: Any, **extras: Any) -> Any:
        """As the optimizer's."""
        return super().update(grads, **{**self._made_up(grads), **extras})

    def peek(self, grads: Any, **extras: Any) -> Any:
        """As the optimizer's."""
        return super().peek(grads, **{**self._made_up(grads), **extras})


@dataclass(frozen=True)
class Case:
    """One recipe with hyperparameters, and what it promises."""

    recipe: str
    arguments: dict[str, Any] = field(default_factory=dict)
    preset: str | None = None
    degree: float | None = 0  # displacement(c G) = c^degree displacement(G); None: at no hyperparameters
    without_unit: dict[str, Any] = field(default_factory=dict)  # changes under which that holds
    coupled: bool = False  # a block's step depends on the gradients of the others, or on its place among them
    signed: bool = False  # the direction is a sign: discontinuous where an estimate is zero
    steady: dict[str, Any] = field(
        default_factory=dict
    )  # changes under which steps do not depend on the weights

    def __str__(self) -> str:
        name = self.recipe + (f".{self.preset}" if self.preset else "")
        return "-".join([name, *(f"{k}={v}" for k, v in self.arguments.items() if k != "lr")])

    @property
    def function(self) -> Callable[..., st.Recipe]:
        """The recipe function or the preset."""
        function = getattr(st.recipes, self.recipe)
        return getattr(function, self.preset) if self.preset else function

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Blocks that the recipe takes; one that pairs blocks must name the pair ("tall", "wide")."""
        recipe = self.make()
        if recipe.pairing is not None:
            return PAIR
        return MATRICES if recipe.matrices_only else ANY

    @property
    def paired(self) -> bool:
        """Whether blocks come in pairs, so that none can be alone; what that means is tested with the recipe."""
        return self.make().pairing is not None

    @property
    def withholds_first(self) -> bool:
        """Whether a block's first step moves nothing, decay included."""
        frame = self.make().frame
        return frame is not None and frame.withholds_first

    @property
    def leaves_decay_aside(self) -> bool:
        """Whether weight decay stands beside a step that depends neither on it nor on the weights."""
        recipe = self.make(weight_decay=0.5)
        return isinstance(recipe.update, st.parts.Additive) and not recipe.reads_weights

    def determined(self, blocks: Blocks) -> Blocks:
        """The blocks in which the first gradient determines the coordinates: in others they depend on rounding."""
        frame = self.make().frame
        return {i: x for i, x in blocks.items() if frame is None or frame.determined(matrix_shape(x.shape))}

    def takes(self, argument: str) -> bool:
        """Whether the recipe has this argument."""
        return argument in inspect.signature(self.function).parameters

    def make(self, **changed: Any) -> st.Recipe:
        """The recipe; a recipe without weight decay has none to change."""
        if not self.takes("weight_decay"):
            changed.pop("weight_decay", None)
        return self.function(**{**self.arguments, **changed})

    def inner(self, **changed: Any) -> st.Recipe:
        """The recipe, with the plain update that its own goes round or stands for."""
        recipe = self.make(**changed)
        if isinstance(recipe.update, st.parts.Additive):
            return recipe
        return replace(recipe, update=getattr(recipe.update, "inner", st.parts.Additive()))

    def movers(self, step: int) -> set[str]:
        """The blocks that move in a step: all, unless they take turns."""
        turns, names = self.make().turns, list(self.shapes)
        return {names[turns.at(step, len(names))[1]]} if turns else set(names)

    def origin(self, W: Blocks) -> Blocks:
        """Zero weights, or W where no step leads away from zero: where the norm is kept."""
        return copied(W) if self.make().update.keeps_norm else mapped(np.zeros_like, W)

    def optimizer(self, params: Any, **options: Any) -> st.Optimizer:
        """An optimizer that follows the recipe in all blocks."""
        return Supplied(params, self.make(), **options)


DTYPES = [np.float64, np.float32]


def draw(shapes: dict[str, tuple[int, ...]], rng: np.random.Generator, dtype: type = np.float64) -> Blocks:
    """Standard normal blocks."""
    return {i: np.asarray(rng.standard_normal(shape), dtype=dtype) for i, shape in shapes.items()}


def problem(case: Case, dtype: type, steps: int, seed: int = 0) -> tuple[Blocks, list[Blocks]]:
    """Weights and gradients of a number of steps."""
    rng = np.random.default_rng(seed)
    return draw(case.shapes, rng, dtype), [draw(case.shapes, rng, dtype) for _ in range(steps)]


def copied(blocks: Blocks) -> Blocks:
    """Fresh arrays."""
    return {i: x.copy() for i, x in blocks.items()}


def mapped(function: Callable[..., Any], *blocks: Blocks) -> Blocks:
    """Apply a function block by block; a scalar stays a 0-D array, which NumPy's arithmetic does not keep."""
    return {i: np.asarray(function(*(b[i] for b in blocks))) for i in blocks[0]}


def bits(value: Any) -> Any:
    """Bytes, dtypes and shapes of arrays in any structure: equal only if every bit is."""
    if isinstance(value, dict):
        return {key: bits(x) for key, x in value.items()}
    if isinstance(value, list):
        return [bits(x) for x in value]
    array = np.asarray(value)
    return (array.dtype.str, array.shape, array.tobytes())


def snapshot(opt: st.Optimizer) -> Any:
    """Everything that a failed or a tentative step must leave alone."""
    report = opt.report
    return (
        bits(opt.params),
        bits(opt.state_dict()),
        opt.step_count,
        opt.skipped_steps,
        (report.step, report.skipped_steps, dict(report)),
    )
