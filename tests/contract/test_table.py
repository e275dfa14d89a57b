"""The contract table is complete."""

from __future__ import annotations

import inspect

import pytest
from contract.cases import CASES

import schattor as st
from schattor.optimizer.assembly import Execution
from schattor.recipes.registry import recipe

CLASSES = [
    value
    for value in vars(st).values()
    if inspect.isclass(value) and issubclass(value, st.Optimizer) and value is not st.Optimizer
]


def test_every_recipe_is_in_the_table() -> None:
    """A recipe without a row fails here."""
    assert {case.recipe for case in CASES} == set(st.recipes.__all__)


def test_every_preset_is_in_the_table() -> None:
    """A preset without a row fails here."""
    presets = {(name, preset) for name in st.recipes.__all__ for preset in getattr(st.recipes, name).presets}
    assert {(case.recipe, case.preset) for case in CASES if case.preset} == presets


def test_every_recipe_has_a_class() -> None:
    """Each recipe is one optimizer class, of the same arguments, then those of the optimizer."""
    assert {cls.recipe.name for cls in CLASSES} == set(st.recipes.__all__)
    for cls in CLASSES:
        assert cls.__name__ in st.__all__
        recipe = list(inspect.signature(cls.recipe).parameters)
        assert list(inspect.signature(cls).parameters) == ["params", *recipe, *Execution.__annotations__]
        assert cls.__doc__ and "Parameters" in cls.__doc__


@pytest.mark.parametrize("name", st.recipes.__all__)
def test_recipe_functions(name: str) -> None:
    """A recipe takes keywords only and has a source and a docstring; its result is frozen and bears its name."""
    function = getattr(st.recipes, name)
    parameters = inspect.signature(function).parameters.values()
    assert all(p.kind is inspect.Parameter.KEYWORD_ONLY for p in parameters)
    assert function.source and function.family and function.__doc__
    assert all(text in function.__doc__ for text in (function.source, *function.deviations))
    recipe = next(case for case in CASES if case.recipe == name).make()
    assert recipe.name == name
    with pytest.raises(AttributeError):
        recipe.lr = 1.0
    with pytest.raises(TypeError):
        function(0.1)


@pytest.mark.parametrize("notes", ["", "Notes\n-----\nA remark.\n\n"])
def test_source_and_deviations_come_first_in_the_notes(notes: str) -> None:
    """They stand in the decorator alone, and a user finds them by ``help``; the example fills what has no default."""

    def plain(*, lr: float, power: float) -> st.Recipe:
        return st.Recipe("plain", lr, st.Lp(power))

    plain.__doc__ = f"One line.\n\nReturns\n-------\nRecipe\n\n{notes}Examples\n--------\n>>> 1\n1"
    made = recipe(
        family="none", source="a paper", deviations=("No eps.", "No bias."), example={"power": 3.0}
    )(plain)
    expected = "Recipe\n\nNotes\n-----\nSource: a paper.\n\nDeviations from it:\n\n- No eps.\n- No bias.\n\n"
    remark = "A remark.\n\n" if notes else ""
    assert f"{expected}{remark}Examples\n--------\n>>> 1\n1" in (made.__doc__ or "")
    assert made.example() == plain(lr=1e-3, power=3.0)
    assert made.example(lr=0.5) == plain(lr=0.5, power=3.0)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_recipes_compare_by_value(case: object) -> None:
    """Two calls with the same arguments give equal recipes."""
    assert case.make() == case.make()
    assert case.make(lr=0.5) != case.make(lr=0.25)
