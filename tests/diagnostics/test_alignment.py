"""The table of norms that fit, on curvatures for which the best norm is known."""

from __future__ import annotations

import math

import numpy as np
import pytest
from problems.examples import examples, point

import schattor as st
from schattor.diagnostics import block_hessian, curvature_profile, norm_alignment


def test_table_holds_the_profiles_of_all_blocks() -> None:
    """Row by row what `curvature_profile` gives for the block alone."""
    problem = examples()["tanh"]
    params = point(problem)
    gradient = problem.gradient(params)
    table = norm_alignment(problem.hvp, params, gradient)
    for row, (name, G) in zip(table.relative, gradient.items(), strict=True):
        H = block_hessian(problem.hvp, params, name)
        expected = curvature_profile(H, G, table.geometries).predicted_decreases
        if np.isfinite(expected).all():
            np.testing.assert_allclose(row, expected / expected.max(), rtol=1e-12)
        assert row.max() == 1
        assert str(table.geometries[int(row.argmax())]) == str(table.best[name])
    for text in (repr(table), table._repr_html_()):
        assert all(word in text for word in (*params, "Spectral", "RowNorm", "best"))


@pytest.mark.parametrize("best", ("Schatten(2)", "Sign", "RowNorm", "ColumnNorm"))
def test_norm_whose_oracle_is_newtons_direction(best: str) -> None:
    """Diagonal Hessians h: g / h promises most, and h is chosen so that it is one norm's oracle up to a factor."""
    G = np.array([[3.0, -1.0, 2.0, 0.5], [0.3, 4.0, -1.0, 1.0], [1.0, 1.0, -2.0, 6.0]])
    lengths = {
        "Schatten(2)": np.ones_like(G),
        "Sign": np.abs(G),
        "RowNorm": np.linalg.norm(G, axis=1, keepdims=True),
        "ColumnNorm": np.linalg.norm(G, axis=0, keepdims=True),
    }
    h = np.broadcast_to(lengths[best], G.shape)
    table = norm_alignment(lambda _, D: {"W": h * D["W"]}, {"W": 0 * G}, {"W": G})
    assert str(table.best["W"]) == best
    newton = np.sum(G * G / h) / 2
    assert table.profiles["W"].predicted_decreases.max() == pytest.approx(newton, rel=1e-12)


def test_curvature_that_makes_muon_newton() -> None:
    """H[D] = (GG')^(1/2) D: Newton's direction is the polar factor, so the spectral norm is best."""
    G = np.random.default_rng(1).standard_normal((4, 6))
    values, vectors = np.linalg.eigh(G @ G.T)
    root = (vectors * np.sqrt(values)) @ vectors.T
    table = norm_alignment(lambda _, D: {"W": root @ D["W"]}, {"W": 0 * G}, {"W": G})
    assert table.best["W"] == st.Schatten(math.inf)
    assert table.profiles["W"].predicted_decreases.max() == pytest.approx(np.linalg.norm(G, "nuc") / 2)


def test_negative_curvature_and_zero_gradients() -> None:
    """Unbounded predictions share the first place; a block at rest has no row of numbers."""
    params = {"a": np.zeros((2, 2)), "b": np.zeros((2, 2))}
    gradient = {"a": np.eye(2), "b": np.zeros((2, 2))}
    table = norm_alignment(lambda _, D: {k: -d for k, d in D.items()}, params, gradient, (2, math.inf))
    np.testing.assert_array_equal(table.relative, [[1, 1], [np.nan, np.nan]])
    assert repr(table).splitlines()[-1].endswith("-")


def test_no_blocks() -> None:
    """An empty table has no columns either."""
    with pytest.raises(ValueError, match="at least one block"):
        norm_alignment(lambda _, D: D, {}, {})
