"""MixedNorm as an object: construction, builders, weights, summary, types and errors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import schattor as st

PARAMS = {
    "layers/0/weight": np.zeros((4, 6)),
    "layers/0/bias": np.zeros(4),
    "layers/1/weight": np.zeros((3, 4)),
    "layers/1/bias": np.zeros(3),
}
PAIR = {"W1": st.Schatten(4), "W2": st.Spectral()}
RNG = np.random.default_rng(2)
GRADIENTS = {"W1": RNG.standard_normal((3, 5)), "W2": RNG.standard_normal((4, 2))}


def test_attributes() -> None:
    """Names keep their order; weights default to one; outer is kept."""
    mix = st.MixedNorm(PAIR, outer=2)
    assert list(mix.names) == ["W1", "W2"]
    assert dict(mix.geometries) == PAIR
    assert dict(mix.weights) == {"W1": 1.0, "W2": 1.0}
    assert mix.outer == 2
    assert dict(st.MixedNorm(PAIR, weights=3, outer=np.inf).weights) == {"W1": 3.0, "W2": 3.0}
    assert dict(st.MixedNorm(PAIR, weights={"W1": 2.0, "W2": 5}, outer=1).weights) == {"W1": 2.0, "W2": 5.0}


def test_outer_is_required() -> None:
    """No exponent is right for everyone, so none is assumed."""
    with pytest.raises(TypeError, match="outer"):
        st.MixedNorm(PAIR)  # type: ignore[call-arg]


@pytest.mark.parametrize("outer", [0.5, 0.0, -1.0, np.nan, -np.inf])
def test_bad_outer(outer: float) -> None:
    """The outer exponent is at least one."""
    with pytest.raises(ValueError, match="outer"):
        st.MixedNorm(PAIR, outer=outer)


@pytest.mark.parametrize("weight", [0.0, -1.0, np.nan, np.inf])
def test_bad_weights_name_the_block(weight: float) -> None:
    """A weight is positive and finite; the message names the block."""
    with pytest.raises(ValueError, match="W2"):
        st.MixedNorm(PAIR, weights={"W1": 1.0, "W2": weight}, outer=2)
    with pytest.raises(ValueError, match="weight"):
        st.MixedNorm(PAIR, weights=weight, outer=2)
    with pytest.raises(ValueError, match="W2"):
        st.MixedNorm(PAIR, outer=2).with_weights({"W1": 1.0, "W2": weight})


def test_weight_names() -> None:
    """An unknown name in the weights raises and is named."""
    with pytest.raises(KeyError, match="W3"):
        st.MixedNorm(PAIR, weights={"W1": 1.0, "W2": 1.0, "W3": 1.0}, outer=2)
    with pytest.raises(KeyError, match="W3"):
        st.MixedNorm(PAIR, outer=2).with_weights({"W1": 1.0, "W2": 1.0, "W3": 1.0})


@pytest.mark.parametrize("bad", [{}, {"W": 4}, {"W": "spectral"}])
def test_bad_geometries(bad: Any) -> None:
    """At least one block; every value is a geometry."""
    with pytest.raises((TypeError, ValueError)):
        st.MixedNorm(bad, outer=2)


@pytest.mark.parametrize("method", ["norm", "dual_norm", "ball", "regularized"])
def test_blocks_must_match(method: str) -> None:
    """A missing block and an unknown block both raise and are named."""
    function = getattr(st.MixedNorm(PAIR, outer=2), method)
    with pytest.raises(KeyError, match="W2"):
        function({"W1": GRADIENTS["W1"]})
    with pytest.raises(KeyError, match="extra"):
        function({**GRADIENTS, "extra": np.ones((2, 2))})


@pytest.mark.parametrize("method", ["norm", "dual_norm", "ball", "regularized"])
@pytest.mark.parametrize(
    ("value", "error"),
    [
        (np.full((4, 2), np.nan), ValueError),
        (np.full((4, 2), np.inf), ValueError),
        (np.ones((2, 2, 2)), ValueError),
        (np.ones((4, 2), dtype=np.float16), TypeError),
        (np.ones((4, 2), dtype=complex), TypeError),
    ],
    ids=["nan", "inf", "3-D", "float16", "complex"],
)
def test_bad_arrays_name_the_block(method: str, value: np.ndarray, error: type[Exception]) -> None:
    """Input errors of one block name that block."""
    with pytest.raises(error, match="W2"):
        getattr(st.MixedNorm(PAIR, outer=2), method)({"W1": GRADIENTS["W1"], "W2": value})


@pytest.mark.parametrize("outer", [1, 1.5, 2, np.inf])
def test_types_and_shapes_are_kept(outer: float) -> None:
    """float32 blocks stay float32 beside float64 ones; vectors and scalars keep their shape; inputs stay untouched."""
    G = {
        "W": GRADIENTS["W1"].astype(np.float32),
        "b": np.array([1.0, -2.0, 2.0]),
        "gain": np.array(0.5, dtype=np.float32),
    }
    before = {name: g.copy() for name, g in G.items()}
    mix = st.MixedNorm({"W": st.Schatten(3), "b": st.Schatten(3), "gain": st.Sign()}, outer=outer)
    for result in (mix.ball(G), mix.regularized(G)):
        for name, g in G.items():
            assert result[name].shape == g.shape
            assert result[name].dtype == g.dtype
            assert not np.shares_memory(result[name], g)
            np.testing.assert_array_equal(g, before[name])


def test_all_zero() -> None:
    """The oracle of zero is zero at every outer exponent."""
    G = {"W1": np.zeros((3, 5)), "W2": np.zeros((4, 2))}
    for outer in (1, 1.5, 2, np.inf):
        mix = st.MixedNorm(PAIR, outer=outer)
        assert mix.norm(G) == mix.dual_norm(G) == 0.0
        assert not any(D.any() for D in (*mix.ball(G).values(), *mix.regularized(G).values()))


def test_order_of_the_gradients_does_not_matter() -> None:
    """Blocks are found by name; the answer has the order of the norm's names."""
    mix = st.MixedNorm(PAIR, outer=1.5)
    shuffled = {name: GRADIENTS[name] for name in ("W2", "W1")}
    assert mix.dual_norm(shuffled) == mix.dual_norm(GRADIENTS)
    for name, D in mix.ball(shuffled).items():
        np.testing.assert_array_equal(D, mix.ball(GRADIENTS)[name])


def test_uniform_builder() -> None:
    """One geometry, or one exponent, for every block."""
    by_exponent = st.MixedNorm.uniform(PARAMS, 4, outer=np.inf)
    by_geometry = st.MixedNorm.uniform(PARAMS, st.Schatten(4), outer=np.inf, weights=2.0)
    assert list(by_exponent.names) == list(PARAMS)
    assert set(by_exponent.geometries.values()) == set(by_geometry.geometries.values()) == {st.Schatten(4)}
    assert set(by_geometry.weights.values()) == {2.0}
    assert set(st.MixedNorm.uniform(PARAMS, st.Lp(3), outer=2).geometries.values()) == {st.Lp(3)}


def test_pattern_builder() -> None:
    """An exact name wins; else the first matching pattern, in dict order; "*" also matches "/"."""
    patterns = {"*.bias": st.Lp(3), "*bias": st.Lp(2), "*": st.Schatten(4), "layers/1/weight": st.Spectral()}
    del patterns["*.bias"]
    mix = st.MixedNorm.from_patterns(PARAMS, patterns, outer=2)
    assert dict(mix.geometries) == {
        "layers/0/weight": st.Schatten(4),
        "layers/0/bias": st.Lp(2),
        "layers/1/weight": st.Spectral(),
        "layers/1/bias": st.Lp(2),
    }


def test_pattern_builder_errors() -> None:
    """A pattern that matches nothing and a block that nothing matches both raise and are named."""
    with pytest.raises((KeyError, ValueError), match="convolution"):
        st.MixedNorm.from_patterns(PARAMS, {"convolution*": st.Lp(2), "*": st.Schatten(4)}, outer=2)
    with pytest.raises((KeyError, ValueError), match="bias"):
        st.MixedNorm.from_patterns(PARAMS, {"*weight": st.Schatten(4)}, outer=2)


def test_weights_from_lipschitz_constants() -> None:
    """w_i = sqrt(L_i); the other fields stay."""
    mix = st.MixedNorm(PAIR, outer=1.5).with_lipschitz({"W1": 4.0, "W2": 0.25})
    assert dict(mix.weights) == {"W1": 2.0, "W2": 0.5}
    assert mix.outer == 1.5
    assert dict(mix.geometries) == PAIR
    for bad in (0.0, -1.0, np.nan, np.inf):
        with pytest.raises(ValueError, match="W2"):
            st.MixedNorm(PAIR, outer=2).with_lipschitz({"W1": 1.0, "W2": bad})
    with pytest.raises(KeyError, match="W3"):
        st.MixedNorm(PAIR, outer=2).with_lipschitz({"W1": 1.0, "W2": 1.0, "W3": 1.0})


@pytest.mark.parametrize(
    ("scale", "factors"),
    [
        ("none", (1.0, 1.0)),
        ("original", (1.0, np.sqrt(4 / 2))),
        ("match_rms_adamw", (0.2 * np.sqrt(5), 0.2 * np.sqrt(4))),
        ("spectral", (np.sqrt(3 / 5), np.sqrt(4 / 2))),
        ("max_dim", (np.sqrt(5), np.sqrt(4))),
        ("rows", (np.sqrt(3), np.sqrt(4))),
    ],
)
def test_weights_from_shapes(scale: str, factors: tuple[float, float]) -> None:
    """w_i = 1 / factor: at r = inf block i then moves by its shape factor."""
    mix = st.MixedNorm(PAIR, outer=np.inf).with_scale(GRADIENTS, scale)
    assert dict(mix.weights) == pytest.approx({"W1": 1 / factors[0], "W2": 1 / factors[1]}, rel=1e-14)
    plain, scaled = st.MixedNorm(PAIR, outer=np.inf).ball(GRADIENTS), mix.ball(GRADIENTS)
    for name, factor in zip(PAIR, factors, strict=True):
        np.testing.assert_allclose(scaled[name], factor * plain[name], rtol=1e-13)


def test_unknown_scale() -> None:
    """The message lists what exists."""
    with pytest.raises(ValueError, match="spectral"):
        st.MixedNorm(PAIR, outer=2).with_scale(GRADIENTS, "no such scale")


def test_with_weights_leaves_the_original() -> None:
    """The object is a value: a change makes a new one."""
    mix = st.MixedNorm(PAIR, outer=2)
    changed = mix.with_weights({"W1": 2.0, "W2": 3.0})
    assert dict(mix.weights) == {"W1": 1.0, "W2": 1.0}
    assert dict(changed.weights) == {"W1": 2.0, "W2": 3.0}
    assert dict(mix.with_weights(4.0).weights) == {"W1": 4.0, "W2": 4.0}


def test_summary_shows_every_block() -> None:
    """str() is a table with each block, its geometry and its weight, and the outer exponent."""
    text = str(st.MixedNorm(PAIR, weights={"W1": 2.5, "W2": 0.125}, outer=1.5))
    for word in ("W1", "W2", "2.5", "0.125", "1.5", "4"):
        assert word in text
    assert "Schatten" in text


HUGE = {"W1": np.full((3, 5), 1e308), "W2": np.full((4, 2), 1e308)}


@pytest.mark.parametrize("outer", [1, 1.5, 2, np.inf])
def test_dual_norm_beyond_the_type(outer: float) -> None:
    """A mixed norm beyond the type is infinite, never NaN, and the regularization oracle raises."""
    mix = st.MixedNorm(PAIR, outer=outer)
    assert mix.norm(HUGE) == np.inf
    assert mix.dual_norm(HUGE) == np.inf
    with pytest.raises(OverflowError):
        mix.regularized(HUGE)


@pytest.mark.parametrize("outer", [1, 1.5, 2, np.inf])
def test_ball_beyond_the_type(outer: float) -> None:
    """Where the dual norm overflows the direction is still right: it does not depend on a common scale."""
    mix = st.MixedNorm(PAIR, outer=outer)
    expected = mix.ball({name: np.ones_like(G) for name, G in HUGE.items()})
    for name, D in mix.ball(HUGE).items():
        np.testing.assert_allclose(D, expected[name], rtol=0, atol=1e-12)
