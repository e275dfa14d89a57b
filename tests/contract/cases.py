"""The table of recipes with the hyperparameters under which every contract is checked.

`test_table.py` fails when a recipe, a preset or an optimizer class is missing here, so that a new one cannot escape.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

import schattor as st

Blocks = dict[str, np.ndarray]

MATRICES: dict[str, tuple[int, ...]] = {"tall": (6, 4), "wide": (3, 5), "square": (4, 4)}
ANY: dict[str, tuple[int, ...]] = {**MATRICES, "vector": (7,), "scalar": ()}


@dataclass(frozen=True)
class Case:
    """One recipe with hyperparameters, and what it promises."""

    recipe: str
    arguments: dict[str, Any] = field(default_factory=dict)
    preset: str | None = None
    degree: int | None = 0  # displacement(c G) = c^degree displacement(G); None: at no hyperparameters
    without_unit: dict[str, Any] = field(default_factory=dict)  # changes under which that holds
    coupled: bool = False  # a block's step depends on the gradients of the others
    signed: bool = False  # the direction is a sign: discontinuous where an estimate is zero

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
        """Blocks that the recipe takes."""
        return MATRICES if self.make().matrices_only else ANY

    def takes(self, argument: str) -> bool:
        """Whether the recipe has this argument."""
        return argument in inspect.signature(self.function).parameters

    def make(self, **changed: Any) -> st.Recipe:
        """The recipe; a recipe without weight decay has none to change."""
        if not self.takes("weight_decay"):
            changed.pop("weight_decay", None)
        return self.function(**{**self.arguments, **changed})

    def inner(self, **changed: Any) -> st.Recipe:
        """The recipe, or the one that it averages."""
        recipe = self.make(**changed)
        averages = isinstance(recipe.update, st.parts.ScheduleFree)
        return replace(recipe, update=recipe.update.inner) if averages else recipe

    def optimizer(self, params: Any, **options: Any) -> st.Optimizer:
        """An optimizer that follows the recipe in all blocks."""
        return st.Optimizer(params, self.make(), **options)


CASES = [
    Case("schattor", {"p": 4, "lr": 0.02}),
    Case(
        "schattor",
        {"p": 1.5, "lr": 0.02, "momentum_init": "zero", "nesterov": True, "outer": 3},
        coupled=True,
    ),
    Case("schattor", {"p": np.inf, "lr": 0.02, "weight_decay": 0.1, "scale": "spectral"}),
    Case("schattor", {"p": 3, "lr": 0.02, "rule": "regularization"}, degree=1),
    Case(
        "schattor",
        {"p": np.inf, "lr": 0.001, "rule": "regularization", "outer": np.inf, "momentum_kind": "heavy_ball"},
        degree=1,
        coupled=True,
    ),
    Case("sgd", {"lr": 0.02}, degree=1),
    Case("sgd", {"lr": 0.02, "momentum": 0.9, "nesterov": True, "weight_decay": 0.1}, degree=1),
    Case(
        "sgd",
        {"lr": 0.02, "momentum": 0.9, "dampening": 0.5, "weight_decay": 0.1, "decay": "cautious"},
        degree=1,
    ),
    Case("sign_sgd", {"lr": 0.02, "weight_decay": 0.1}, signed=True),
    Case("signum", {"lr": 0.02, "nesterov": True, "weight_decay": 0.1, "decay": "independent"}, signed=True),
    Case("normalized_sgd", {"lr": 0.02}, coupled=True),
    Case("normalized_sgd", {"lr": 0.02, "scope": "block", "momentum_init": "zero", "weight_decay": 0.1}),
    Case("muon"),
    Case("muon", {"weight_decay": 0.1, "decay": "cautious", "nesterov": False}),
    Case("muon", preset="torch"),
    Case("muon", preset="moonlight"),
    Case("muon", {"lr": 0.02, "weight_decay": 0.1}, preset="optax"),
    Case("polar_grad", {"lr": 0.02}, degree=1),
    Case("polar_grad", {"lr": 0.02, "nesterov": True, "weight_decay": 0.1}, degree=1),
    Case("adamw", {"lr": 0.02}, without_unit={"eps": 0.0}),
    Case("adamw", {"lr": 0.02, "eps": 0.0, "decay": "l2", "weight_decay": 0.1}),
    Case("adam", {"lr": 0.02, "weight_decay": 0.1}, without_unit={"eps": 0.0}),
    Case("amsgrad", {"lr": 0.02, "decay": "decoupled", "weight_decay": 0.1}, without_unit={"eps": 0.0}),
    Case("radam", {"lr": 0.02, "betas": (0.9, 0.6)}, degree=1),
    Case("radam", {"lr": 0.02, "betas": (0.9, 0.6), "weight_decay": 0.1}, degree=1),
    Case("adabelief", {"lr": 0.02, "rectify": False}, without_unit={"eps": 0.0}),
    Case("adabelief", {"lr": 0.02, "betas": (0.9, 0.6), "weight_decay": 0.1}, degree=1),
    Case("adagrad", {"lr": 0.2}, without_unit={"eps": 0.0}),
    Case(
        "adagrad",
        {"lr": 0.02, "initial_accumulator_value": 0.5, "weight_decay": 0.1},
        without_unit={"eps": 0.0, "initial_accumulator_value": 0.0},
    ),
    Case("rmsprop", {"lr": 0.02, "weight_decay": 0.1}, without_unit={"eps": 0.0}),
    Case("rmsprop", {"lr": 0.02, "momentum": 0.9, "centered": True}, without_unit={"eps": 0.0}),
    Case("adadelta", {"lr": 0.5, "eps": 1e-2, "weight_decay": 0.1}, degree=None),
    Case("schedule_free_sgd", {"lr": 0.1, "weight_decay": 0.1}, degree=1),
    Case("schedule_free_adamw", {"lr": 0.02, "r": 1.0, "weight_decay": 0.1}, without_unit={"eps": 0.0}),
    Case("scion", {"lr": 0.02, "norm": "spectral"}),
    Case("scion", {"lr": 0.02, "norm": "sign", "radius": 3.0}, signed=True),
    Case("scion", {"lr": 0.02, "norm": "column", "radius": 2.0}),
    Case("scion", {"lr": 0.02, "norm": "row", "radius": 2.0, "momentum": 0.0}),
    Case("scion", {"lr": 0.02, "norm": "bias_rms"}),
    Case("lion", {"lr": 0.02}, signed=True),
    Case("lion", {"lr": 0.02, "betas": (0.5, 0.9), "weight_decay": 0.1}, signed=True),
]

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
