"""The largest row and the largest column: norms, duals, oracles."""

from __future__ import annotations

import numpy as np
import pytest

import schattor as st

CASES = [(st.RowNorm(), 1), (st.ColumnNorm(), 0)]
SHAPES = [(1, 1), (1, 5), (5, 1), (3, 7), (7, 3), (40, 33)]
DTYPES = [np.float64, np.float32]


def lengths(X: np.ndarray, axis: int) -> np.ndarray:
    """Lengths of the lines in float64."""
    return np.linalg.norm(X.astype(np.float64), axis=axis)


@pytest.mark.parametrize(("geometry", "axis"), CASES)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("dtype", DTYPES)
def test_norms_and_oracles(dtype: type, shape: tuple[int, int], geometry: st.RowNorm, axis: int) -> None:
    """The definitions, duality, and the length of the direction."""
    rng = np.random.default_rng(0)
    G = rng.standard_normal(shape).astype(dtype)
    eps = 8 * float(np.finfo(dtype).eps) * max(shape) ** 0.5
    own = lengths(G, axis)
    assert geometry.norm(G) == pytest.approx(own.max(), rel=eps)
    assert geometry.dual_norm(G) == pytest.approx(own.sum(), rel=eps)
    D = geometry.ball(G)
    assert D.dtype == dtype
    np.testing.assert_allclose(lengths(D, axis), 1.0, rtol=eps)
    assert float((G.astype(float) * D).sum()) == pytest.approx(-own.sum(), rel=eps)
    np.testing.assert_allclose(geometry.regularized(G), own.sum() * D.astype(float), rtol=eps)


@pytest.mark.parametrize(("geometry", "axis"), CASES)
def test_zero_lines(geometry: st.RowNorm, axis: int) -> None:
    """A zero line stays zero and the others do not notice."""
    G = np.random.default_rng(1).standard_normal((4, 5))
    G[2] = 0
    G[:, 1] = 0
    D = geometry.ball(G)
    own = lengths(G, axis)
    np.testing.assert_allclose(lengths(D, axis), (own > 0).astype(float))
    assert not geometry.ball(np.zeros((3, 2))).any()
    assert geometry.dual_norm(np.zeros((3, 2))) == 0


@pytest.mark.parametrize(("geometry", "axis"), CASES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_whole_range_of_the_type(dtype: type, geometry: st.RowNorm, axis: int) -> None:
    """Powers of two change nothing, and lines of very different sizes keep their directions."""
    G = np.random.default_rng(2).standard_normal((4, 4)).astype(dtype)
    D = geometry.ball(G)
    top = 120 if dtype == np.float32 else 1000
    for exponent in (-top, top):
        np.testing.assert_array_equal(geometry.ball(np.ldexp(G, exponent)), D)
    graded = np.ldexp(G, np.array([0, -60, -90, -110])[:, None] * (1 if dtype == np.float32 else 9)).astype(
        dtype
    )
    if axis == 0:
        graded = np.ascontiguousarray(graded.T)
    np.testing.assert_allclose(lengths(geometry.ball(graded), axis), 1.0, rtol=1e-6)


@pytest.mark.parametrize(("geometry", "axis"), CASES)
def test_optimality(geometry: st.RowNorm, axis: int) -> None:
    """No direction of the unit ball goes further downhill."""
    rng = np.random.default_rng(3)
    G = rng.standard_normal((5, 4))
    best = float((G * geometry.ball(G)).sum())
    for _ in range(200):
        X = rng.standard_normal((5, 4))
        assert float((G * X).sum()) / geometry.norm(X) >= best * (1 + 1e-12)


def test_each_other_transposed() -> None:
    """Rows of G are columns of G'."""
    G = np.random.default_rng(4).standard_normal((6, 3))
    np.testing.assert_allclose(st.RowNorm().ball(G), st.ColumnNorm().ball(G.T).T, rtol=1e-15)


def test_in_a_mixed_norm_and_in_schattor() -> None:
    """They serve wherever a geometry does, and refuse blocks without a view."""
    G = {"a": np.ones((2, 3)), "b": np.ones((3, 2))}
    mix = st.MixedNorm({"a": st.RowNorm(), "b": st.ColumnNorm()}, outer=2)
    assert mix.norm(mix.ball(G)) == pytest.approx(1.0)
    with pytest.raises(ValueError, match="view"):
        st.Optimizer({"c": np.zeros((2, 2, 2))}, st.Recipe("rows", 0.1, st.RowNorm()))
