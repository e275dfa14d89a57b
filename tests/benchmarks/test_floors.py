"""The floor of a step is read off the recipe: what is counted, and how often."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from benchmarks import floors, harness, sides, work
from benchmarks.cases import QUICK_SELECTION, Selection, recipe_cases

import schattor as st

SHAPE = (6, 4)
BLOCK = 4 * 6 * 4  # bytes


@pytest.mark.parametrize(("name", "arrays"), [("sgd", 2), ("lion", 3), ("adam", 4), ("amsgrad", 5)])
def test_traffic_of_loops(name: str, arrays: int) -> None:
    """Gradient, weights and each state array twice; no kernel."""
    floor = floors.floor_of(name, SHAPE)
    assert (floor.memory, floor.traffic) == (arrays * BLOCK, 2 * arrays * BLOCK)
    assert not floor.oracle and not floor.work.products and not floor.kernels
    assert floor.copies(10 * arrays * BLOCK + 1) == 11


@pytest.mark.parametrize("name", ["muon", "normalized_sgd"])
def test_traffic_round_an_oracle(name: str) -> None:
    """The estimate is written before it and the direction read after it."""
    floor = floors.floor_of(name, SHAPE)
    assert floor.oracle and floor.traffic == 2 * 3 * BLOCK + 2 * BLOCK
    assert floor.kernels == (name == "muon")


@dataclass(frozen=True)
class Multiplying(st.estimators.EMA):
    """A part that multiplies."""


@work.work_of.register
def _(part: Multiplying, rows: int, cols: int) -> work.Work:
    """Gram matrix twice, then applied."""
    return work.Work(((rows, cols, rows), (rows, cols, rows), (rows, rows, cols)))


def test_products_and_extras(monkeypatch: pytest.MonkeyPatch) -> None:
    """Equal products are measured once and counted; the extras are read like gradients."""
    recipe = replace(st.recipes.muon(), estimator=Multiplying(0.9))
    monkeypatch.setattr(type(st.recipes.muon), "example", lambda self, **_: recipe)
    found = {side.name: side for side in floors.sides_of("muon", SHAPE, 1)}
    assert list(found) == ["step", "traffic", "oracle", "product 6x4x6", "product 6x6x4"]
    assert found["product 6x4x6"].calls_per_unit == 2 * floors.FEW
    assert found["product 6x6x4"].calls_per_unit == floors.FEW
    before = floors.floor_of("muon", SHAPE).traffic
    monkeypatch.setattr(st.testing, "extras_for", lambda recipe, grads: {"gradient_at_previous": grads})
    assert floors.floor_of("muon", SHAPE).traffic == before + 2 * BLOCK


def test_oracles_of_parts() -> None:
    """Aurora's first pass, the projected and the skew part of Intrinsic Muon and its retraction."""
    spectral = st.recipes.aurora().geometry
    assert floors.floor_of("aurora", SHAPE).work.oracles == ((spectral, 6, 4, 1),)
    names = [side.name for side in floors.sides_of("intrinsic_muon", SHAPE, 1) if "part" in side.name]
    assert names == [
        "oracle 0 of a part, 6x4",
        "oracle 1 of a part, 4x4",
        "oracle 2 of a part, 6x4",
    ]


@pytest.mark.parametrize("rows", [3, 5])
def test_product_of_three_sides(rows: int) -> None:
    """(p x q)(q x r), not only square times wide."""
    task = {"kind": "product", "rows": rows, "shape": [4, 6], "dtype": "float32"}
    C = np.asarray(sides.schattor_job(task)())
    columns = sides.inputs(task)[0].sum(axis=0)
    np.testing.assert_allclose(C, np.tile(columns, (rows, 1)), rtol=1e-5, atol=1e-6)


def test_traffic_of_shared_numbers() -> None:
    """Prodigy: gradient, weights, four arrays and four numbers, the direction, and gradient and state once more."""
    floor, numbers = floors.floor_of("prodigy", SHAPE), 4 * 8
    assert floor.traffic == 2 * (6 * BLOCK + numbers) + 2 * BLOCK + 5 * BLOCK + numbers


@pytest.mark.parametrize("shape", [(7, 3), (4, 4)])
def test_orthonormal_factor(shape: tuple[int, int]) -> None:
    """Q has orthonormal columns, in the span of the matrix."""
    task = {"kind": "qr", "shape": shape, "dtype": "float64"}
    Q, A = np.asarray(sides.schattor_job(task)()), sides.inputs(task)[0]
    np.testing.assert_allclose(Q.T @ Q, np.eye(shape[1]), atol=1e-14)
    np.testing.assert_allclose(Q @ (Q.T @ A), A, atol=1e-13)


def test_eigenvectors() -> None:
    """The rows, LAPACK's columns, diagonalise the Gram matrix."""
    task = {"kind": "eigh", "shape": (5, 5), "dtype": "float64"}
    V, G = np.asarray(sides.schattor_job(task)()), sides.inputs(task)[0]
    diagonal = V @ (G @ G.T) @ V.T
    np.testing.assert_allclose(diagonal, np.diag(np.diag(diagonal)), atol=1e-12)
    assert floors.floor_of("lora_muon", (6, 6)).work.eigendecompositions


def test_factorizations_are_sides() -> None:
    """Dion orthonormalises the columns of its left factor."""
    assert floors.floor_of("dion", SHAPE).work.factorizations == ((6, 4),)
    assert "QR 6x4" in [side.name for side in floors.sides_of("dion", SHAPE, 1)]


def test_traffic_adds_as_often_as_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """Twelve bytes an entry: two read and one written."""
    lengths: list[int] = []
    monkeypatch.setattr(np, "add", lambda x, y, out: lengths.append(len(x)))
    sides.traffic({"shape": [5, 2], "memory": 4 * 40, "bytes": 12 * 25})()
    assert lengths == [10, 10, 5]


def test_every_recipe_has_its_cases() -> None:
    """All recipes at both shapes; a quick run takes one of each family."""
    rows = st.recipes.table()
    names = [case.facts["recipe"] for case in recipe_cases(Selection())]
    assert sorted(names) == sorted(2 * [row.name for row in rows])
    quick = {case.facts["recipe"] for case in recipe_cases(QUICK_SELECTION)}
    assert len(quick) == len({row.family for row in rows})


@pytest.mark.parametrize("name", ["adamw", "scion", "normalized_sgd", "manifold_muon", "lora_muon"])
def test_sides_work(name: str) -> None:
    """Each side of a recipe can be made and called."""
    for side in floors.sides_of(name, SHAPE, 1000):
        assert isinstance(side, harness.Side)
        result: Any = sides.JOBS["schattor"](side.task)()
        assert np.isfinite(np.asarray(result)).all()
