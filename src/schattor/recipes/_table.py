"""What the recipes are, read off the recipes themselves."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..optimizer import Optimizer
from ..recipe import RecipeFunction

_SHAPE = (24, 36)
_REQUIRED: dict[str, Any] = {"lr": 1e-3, "p": 4.0}


@dataclass(frozen=True)
class RecipeRow:
    """One recipe in `table`.

    Attributes
    ----------
    name, family, source : str
    defaults : dict
        Every argument with its default; those that must be given have none.
    presets : tuple of str
    state : tuple of str
        Names of the state arrays of a block, at the defaults.
    memory : float
        Their size in units of the block's.
    degree : float or None
        Degree of the step in the scale of the gradients, weight decay and eps aside.
    equivariance : str
        The group that commutes with the steps; see `schattor.Recipe`.
    matrices_only : bool
        Whether blocks below two dimensions are refused.
    """

    name: str
    family: str
    source: str
    defaults: dict[str, Any]
    presets: tuple[str, ...]
    state: tuple[str, ...]
    memory: float
    degree: float | None
    equivariance: str
    matrices_only: bool


def describe(function: RecipeFunction[Any]) -> RecipeRow:
    """Return the row of one recipe."""
    parameters = function.signature().parameters
    required = {name for name, p in parameters.items() if p.default is inspect.Parameter.empty}
    needed = {name: value for name, value in _REQUIRED.items() if name in required}
    if "p" in parameters:
        needed["p"] = _REQUIRED["p"]
    recipe = function(**needed)
    prefix = "state/0/"
    saved = Optimizer([np.zeros(_SHAPE)], recipe).state_dict()
    arrays = {
        key.removeprefix(prefix): value
        for key, value in saved.items()
        if key.startswith(prefix) and value.dtype.kind == "f"
    }
    return RecipeRow(
        name=function.name,
        family=function.family,
        source=function.source,
        defaults={name: p.default for name, p in parameters.items() if name not in required},
        presets=tuple(function.presets),
        state=tuple(arrays),
        memory=round(sum(array.size for array in arrays.values() if array.ndim) / (_SHAPE[0] * _SHAPE[1]), 3),
        degree=recipe.degree,
        equivariance=recipe.equivariance,
        matrices_only=recipe.matrices_only,
    )
