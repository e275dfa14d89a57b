"""The API pages and those of the recipes describe every public name."""

from __future__ import annotations

import dataclasses
import importlib.util
import math
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import schattor as st

DOCS = Path(__file__).resolve().parents[2] / "docs"
ENTRY = re.compile(r"^\.\. (?:auto\w+|py:\w+|module):: +(?P<name>[\w.]+)", re.MULTILINE)


def load_extension(name: str) -> ModuleType:
    """Import one of the documentation's Sphinx extensions from its file."""
    spec = importlib.util.spec_from_file_location(name, DOCS / "ext" / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


RECIPE_PAGES = load_extension("recipe_pages")
TEXTS = [page.read_text(encoding="utf-8") for page in (DOCS / "api").glob("*.md")]
DESCRIBED = {
    entry["name"] for text in (*TEXTS, *RECIPE_PAGES.pages().values()) for entry in ENTRY.finditer(text)
}


@pytest.mark.parametrize("name", list(load_extension("api_coverage").public_names()))
def test_public_name_is_described(name: str) -> None:
    """A name that a user can import is a contract, so a page must say what it does."""
    assert name in DESCRIBED


def named(value: Any) -> Iterator[Any]:
    """Yield the dataclasses and functions inside a value, at any depth."""
    for x in value if isinstance(value, tuple) else (value,):
        if dataclasses.is_dataclass(x):
            yield type(x)
            for field in dataclasses.fields(x):
                yield from named(getattr(x, field.name))
        elif callable(x):
            yield x


@pytest.mark.parametrize("row", st.recipes.table(), ids=lambda row: row.name)
def test_page_of_a_recipe(row: st.recipes.RecipeRow) -> None:
    """The page of a recipe is linked, tells its facts, and names the parts by the calls that make them."""
    function = getattr(st.recipes, row.name)
    page = RECIPE_PAGES.page(row, function, None)
    assert f"](_recipes/{row.name}.md)" in RECIPE_PAGES.pages()["table"]
    assert all(text in page for text in (row.family, *row.deviations, *(name for name, _ in row.state)))
    assert all(f"schattor.recipes.{row.name}.{preset}\n" in page for preset in row.presets)
    recipe = function.example()
    names = {x.__name__: x for x in named(recipe)} | {"inf": math.inf}
    for slot, parts in RECIPE_PAGES.slots(recipe):
        filled = getattr(recipe, slot)
        assert parts == (list(filled) if isinstance(filled, tuple) else [filled])
        assert all(eval(RECIPE_PAGES.call(part), names) == part for part in parts)
        assert all(RECIPE_PAGES.call(part) in page for part in parts)


def test_what_the_test_problem_supplies() -> None:
    """A recipe that needs the gradient at the point before has a path; one that needs a layer's inputs has none."""
    W = RECIPE_PAGES.START
    given = RECIPE_PAGES.extras(("gradient_at_previous",), W)
    assert np.array_equal(given["gradient_at_previous"], RECIPE_PAGES.CURVATURE @ W)
    assert RECIPE_PAGES.walk(st.recipes.sgd, ("activations",), 0.1) == []
    path = RECIPE_PAGES.walk(st.recipes.sgd, (), 0.1)
    assert len(path) == RECIPE_PAGES.STEPS + 1
    assert RECIPE_PAGES.loss(path[-1]) < 1e-3 * RECIPE_PAGES.loss(path[0])
