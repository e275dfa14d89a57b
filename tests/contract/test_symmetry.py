"""The degree and the group that a recipe declares: read off its parts, checked on its steps."""

from __future__ import annotations

import numpy as np
import pytest
from contract.cases import CASES, Case, Supplied, problem

import schattor as st
from schattor.recipes._table import shape_in_symbols
from schattor.testing import group_element as element
from schattor.testing import group_elements

STEPS = 4


@pytest.mark.parametrize("case", [c for c in CASES if c.make().equivariance != "mixed"], ids=str)
def test_equivariance(case: Case) -> None:
    """Steps on the mapped problem are the mapped steps."""
    W, gradients = problem(case, np.float64, STEPS)
    recipe = case.make(weight_decay=0.0)
    W, gradients = case.determined(W), [case.determined(G) for G in gradients]
    rng = np.random.default_rng(7)
    maps = group_elements(recipe, {i: x.shape for i, x in W.items()}, rng)
    mapped = {i: np.array(maps[i](x), order="C") for i, x in W.items()}
    plain, moved = Supplied(W, recipe), Supplied(mapped, recipe)
    for G in gradients:
        D = plain.update(G)
        E = moved.update({i: maps[i](g) for i, g in G.items()})
        for i, d in D.items():
            np.testing.assert_allclose(E[i], maps[i](d), rtol=0, atol=1e-10 * max(1e-3, np.abs(d).max()))


def test_the_groups_are_the_largest() -> None:
    """A rotation of the entries does not commute with Schatten norms, nor one of columns with a column norm."""
    rng = np.random.default_rng(8)
    G = rng.standard_normal((4, 4))
    larger = {"orthogonal": "rotations", "left": "orthogonal", "right": "orthogonal", "entries": "orthogonal"}
    for geometry in (st.Schatten(4), st.ColumnNorm(), st.RowNorm(), st.Sign(), st.Lp(3)):
        map_ = element(larger[geometry.equivariance], G.shape, rng)
        assert np.abs(geometry.ball(map_(G)) - map_(geometry.ball(G))).max() > 1e-2


@pytest.mark.parametrize("case", CASES, ids=str)
def test_declared_degree(case: Case) -> None:
    """The degree that the parts declare is the one under which the table's case is checked."""
    declared = case.make().degree
    assert declared is None or declared == case.degree


def test_shapes_of_state() -> None:
    """A side is named by how it changes when the block is turned round; what does not change is a number."""
    arrays = {
        "m x n": ((24, 36), (36, 24)),
        "n x n": ((36, 36), (24, 24)),
        "min(m, n) x 8": ((24, 8), (24, 8)),
        "max(m, n)": ((1, 36), (1, 36)),
        "m": ((24, 1), (36, 1)),
        "scalar": ((), ()),
    }
    for text, (shape, turned) in arrays.items():
        assert shape_in_symbols(np.zeros(shape), np.zeros(turned)) == text


def test_table_of_recipes() -> None:
    """One row for each recipe, from the recipe itself."""
    rows = {row.name: row for row in st.recipes.table()}
    assert list(rows) == st.recipes.__all__
    assert rows["sgd"].memory == 0 and rows["sgd"].degree == 1 and rows["sgd"].equivariance == "rotations"
    assert rows["muon"].state == (("average", "m x n"),) and rows["muon"].matrices_only
    assert rows["muon"].presets == ("torch", "moonlight", "optax")
    assert rows["amsgrad"].memory == 3 and rows["schedule_free_adamw"].memory == 2
    assert rows["radam"].degree is None and rows["adadelta"].degree is None
    assert rows["schattor"].equivariance == "orthogonal"
    assert rows["adam"].defaults["betas"] == (0.9, 0.999)
