"""What the recipes are, read off the recipes themselves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from .._edge.arrays import FloatArray
from .._tables import html_table, table
from ..optimizer.optimizer import Optimizer
from ..recipe.recipe import Recipe
from .registry import RecipeFunction

_ROWS, _COLS = 24, 36
# The length of a side in a block of 24 x 36 and of 36 x 24: what stays 24 is the smaller one.
_SYMBOLS = {
    (_ROWS, _COLS): "m",
    (_COLS, _ROWS): "n",
    (_ROWS, _ROWS): "min(m, n)",
    (_COLS, _COLS): "max(m, n)",
}
HEADER = ("recipe", "family", "memory", "degree", "equivariance", "requires", "presets")
_Arrays: TypeAlias = dict[str, FloatArray]


@dataclass(frozen=True)
class RecipeRow:
    """One recipe in `table`.

    Attributes
    ----------
    name, family, source : str
    defaults : dict
        Every argument with its default; those that must be given have none.
    presets : tuple of str
    deviations : tuple of str
        Every difference from the source, one sentence each.
    state : tuple of (str, str)
        Name and shape, such as "m x n", "n" or "scalar", of each state array of an m x n block, at the defaults.
    memory : float
        Their size in units of the block's.
    degree : float or None
        Degree of the step in the scale of the gradients, weight decay and eps aside.
    equivariance : str
        The group that commutes with the steps; see `schattor.Recipe`.
    requires : tuple of str
        What `schattor.Optimizer.step` must be given beside the gradients.
    matrices_only : bool
        Whether blocks below two dimensions are refused.
    """

    name: str
    family: str
    source: str
    defaults: dict[str, Any]
    presets: tuple[str, ...]
    deviations: tuple[str, ...]
    state: tuple[tuple[str, str], ...]
    memory: float
    degree: float | None
    equivariance: str
    requires: tuple[str, ...]
    matrices_only: bool


class RecipeTable(list[RecipeRow]):
    """The rows of all recipes; it prints as a table."""

    def _title(self) -> str:
        return f"{len(self)} recipes"

    def _cells(self) -> list[list[str]]:
        return [
            [
                row.name,
                row.family,
                f"{row.memory:g}",
                "none" if row.degree is None else f"{row.degree:g}",
                row.equivariance,
                ", ".join(row.requires),
                ", ".join(row.presets),
            ]
            for row in self
        ]

    def __repr__(self) -> str:
        return self._title() + "\n" + table(HEADER, self._cells())

    def _repr_html_(self) -> str:
        return html_table(self._title(), HEADER, self._cells())


def describe(function: RecipeFunction[Any]) -> RecipeRow:
    """Return the row of one recipe."""
    parameters = function.signature().parameters
    recipe = function.example()
    arrays, turned = state_arrays(recipe, (_ROWS, _COLS)), state_arrays(recipe, (_COLS, _ROWS))
    return RecipeRow(
        name=function.name,
        family=function.family,
        source=function.source,
        defaults={name: p.default for name, p in parameters.items() if p.default is not p.empty},
        presets=tuple(function.presets),
        deviations=function.deviations,
        state=tuple(
            (name, shape_in_symbols(array, turned.get(name, array))) for name, array in arrays.items()
        ),
        memory=round(sum(array.size for array in arrays.values() if array.ndim) / (_ROWS * _COLS), 3),
        degree=recipe.degree,
        equivariance=recipe.equivariance,
        requires=tuple(sorted(recipe.requires)),
        matrices_only=recipe.matrices_only,
    )


def example_shapes(recipe: Recipe, shape: tuple[int, int]) -> dict[str, tuple[int, int]]:
    """Return the blocks of the smallest problem that the recipe serves, the first of this shape."""
    if recipe.pairing is None:
        return {"W": shape}
    return {recipe.pairing.left: shape, recipe.pairing.right: shape[::-1]}


def state_arrays(recipe: Recipe, shape: tuple[int, int]) -> _Arrays:
    """Return the state arrays of a block of this shape."""
    shapes = example_shapes(recipe, shape)
    prefix = f"state/{next(iter(shapes))}/"
    saved = Optimizer({name: np.eye(*sides) for name, sides in shapes.items()}, recipe).state_dict()
    return {
        key.removeprefix(prefix): value
        for key, value in saved.items()
        if key.startswith(prefix) and value.dtype.kind == "f"
    }


def shape_in_symbols(array: FloatArray, turned: FloatArray) -> str:
    """Return the shape of a state array of a block, given that of the transposed block's, in symbols."""
    sides = [_SYMBOLS.get(pair, str(pair[0])) for pair in zip(array.shape, turned.shape, strict=True)]
    return " x ".join(side for side in sides if side != "1") or "scalar"
