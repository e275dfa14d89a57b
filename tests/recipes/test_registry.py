"""How recipes, their table, views, problems and recorders print."""

from __future__ import annotations

from html.parser import HTMLParser

import numpy as np
import pytest

import schattor as st


class Nesting(HTMLParser):
    """Keeps the open tags, and the text of the cells."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.cells: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        """Open it."""
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """It is the last that was opened."""
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Keep the text of a cell."""
        if self.open[-1] == "td":
            self.cells.append(data)


def test_table() -> None:
    """One line for each recipe under a header; the same as HTML, well-formed."""
    rows = st.recipes.table()
    lines = repr(rows).splitlines()
    assert lines[0] == f"{len(st.recipes.__all__)} recipes"
    assert [line.split()[0] for line in lines[3:]] == st.recipes.__all__
    parser = Nesting()
    parser.feed(rows._repr_html_())
    assert not parser.open
    assert set(st.recipes.__all__) <= set(parser.cells)


@pytest.mark.parametrize("name", st.recipes.__all__)
def test_recipes_print_in_a_few_lines(name: str) -> None:
    """Name and lr, then one line for each slot that is not empty."""
    lines = repr(getattr(st.recipes, name).example()).splitlines()
    assert lines[0].startswith(f"Recipe {name}, lr ")
    assert 2 <= len(lines) <= 10
    assert all(line.startswith("  ") and len(line) < 200 for line in lines[1:])


def test_only_filled_slots() -> None:
    """Defaults are left out."""
    assert repr(st.Recipe("mine", 0.1, st.Sign())) == "Recipe mine, lr 0.1\n  geometry       Sign"


def test_recipe_functions() -> None:
    """As they are called."""
    assert repr(st.recipes.sign_sgd) == "<recipe sign_sgd(lr, weight_decay=0.0, decay='decoupled')>"


def test_views_problems_and_recorders() -> None:
    """Views as they are made, arrays as their shapes."""
    views = [st.views.flatten(), st.views.batch(), st.views.split(3), st.views.transposed()]
    for view in views:
        assert eval(repr(view), {"st": st}) == view
    problem = st.problems.MLP.random(np.ones((5, 3)), np.array([0, 1, 1, 0, 1]), hidden=(4,), rng=0)
    assert repr(problem) == (
        "MLP(inputs=<5 x 3>, targets=<5 x 2>, weights=(<4 x 3>, <2 x 4>), activation='tanh')"
    )
    joint = st.problems.Joint({"a": st.problems.MatrixQuadratic.random([1.0, 2.0], 3, rng=0)})
    assert repr(joint) == "Joint(problems={'a': MatrixQuadratic(Q=<2 x 2>, target=<2 x 3>)})"
    recorder = st.diagnostics.Recorder(st.SGD({"W": np.ones(2)}), every=5)
    assert repr(recorder) == (
        "Recorder(SGD(1 block, 2 parameters, float64, step 0), every 5 steps: no metrics; 0 rows)"
    )
