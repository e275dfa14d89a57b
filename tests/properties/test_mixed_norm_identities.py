"""Identities of many blocks (Lemma 2) on generated block sets."""

from __future__ import annotations

import hypothesis.strategies as hst
import numpy as np
import pytest
from hypothesis import given
from reference import mixed_norm, oracles

import schattor as st

FAMILIES = {"schatten": st.Schatten, "lp": st.Lp}
OUTER = hst.sampled_from([1.0, 1.0001, 1.5, 2.0, 3.0, 64.0, np.inf])


@hst.composite
def block_sets(draw: hst.DrawFn, least: int = 1) -> tuple[mixed_norm.Blocks, dict, dict[str, float]]:
    """Gaussian blocks of several shapes, each with a geometry and a weight; one block may be zero."""
    count = draw(hst.integers(least, 4))
    rng = np.random.default_rng(draw(hst.integers(0, 2**32 - 1)))
    blocks, geometries, weights = {}, {}, {}
    for i in range(count):
        name = f"block{i}"
        shape = draw(hst.sampled_from([(3, 4), (5, 2), (1, 6), (4, 4), (7,), (1, 1)]))
        blocks[name] = rng.standard_normal(shape) * draw(hst.sampled_from([1e-3, 1.0, 50.0]))
        geometries[name] = (
            draw(hst.sampled_from(["schatten", "lp"])),
            draw(hst.sampled_from([1.0, 1.5, 2.0, 4.0, np.inf])),
        )
        weights[name] = draw(hst.sampled_from([0.1, 1.0, 3.0]))
    if count > 1 and draw(hst.booleans()):
        blocks["block0"] = np.zeros_like(blocks["block0"])
    return blocks, geometries, weights


def build(geometries: dict, weights: dict[str, float], r: float) -> st.MixedNorm:
    """The package's object for a reference description."""
    return st.MixedNorm({i: FAMILIES[f](p) for i, (f, p) in geometries.items()}, weights=weights, outer=r)


def pairing(G: mixed_norm.Blocks, D: mixed_norm.Blocks) -> float:
    """Sum of the inner products over the blocks."""
    return sum(oracles.inner(G[i], D[i]) for i in G)


@given(block_sets(), OUTER)
def test_equals_the_reference(case: tuple, r: float) -> None:
    """Norm, dual norm and both oracles are those of the literal formulas."""
    G, geometries, weights = case
    mix = build(geometries, weights, r)
    assert mix.norm(G) == pytest.approx(mixed_norm.norm(G, geometries, weights, r), rel=1e-12)
    dual = mixed_norm.dual_norm(G, geometries, weights, r)
    assert mix.dual_norm(G) == pytest.approx(dual, rel=1e-12)
    ball, expected = mix.ball(G), mixed_norm.ball(G, geometries, weights, r)
    regularized, scaled = mix.regularized(G), mixed_norm.regularized(G, geometries, weights, r)
    assert list(ball) == list(regularized) == list(G)
    sharpness = min(1 / (r - 1), 1e4) if r > 1 else 1.0
    for i in G:
        assert ball[i].shape == G[i].shape
        size = max(1.0, 1 / weights[i])
        np.testing.assert_allclose(ball[i], expected[i], rtol=0, atol=1e-11 * size * max(1.0, sharpness / 10))
        np.testing.assert_allclose(
            regularized[i], scaled[i], rtol=0, atol=1e-11 * size * dual * max(1.0, sharpness / 10)
        )


@given(block_sets(), OUTER)
def test_duality_and_unit_norm(case: tuple, r: float) -> None:
    """<G, D> = -||G||_* and ||D|| = 1; <G, Dr> = -||G||_*^2 and ||Dr|| = ||G||_*, zero blocks included."""
    G, geometries, weights = case
    mix = build(geometries, weights, r)
    D, Dr = mix.ball(G), mix.regularized(G)
    dual = mixed_norm.dual_norm(G, geometries, weights, r)
    assert pairing(G, D) == pytest.approx(-dual, rel=1e-11)
    assert mixed_norm.norm(D, geometries, weights, r) == pytest.approx(1, rel=1e-11)
    assert pairing(G, Dr) == pytest.approx(-(dual**2), rel=1e-11)
    assert mixed_norm.norm(Dr, geometries, weights, r) == pytest.approx(dual, rel=1e-11)
    for i in G:
        if not G[i].any():
            assert not D[i].any()
            assert not Dr[i].any()


@given(block_sets(), OUTER, hst.integers(0, 2**32 - 1))
def test_no_point_of_the_ball_is_better(case: tuple, r: float, seed: int) -> None:
    """Random points of the mixed ball never have a smaller pairing: Hoelder's inequality for mixed norms."""
    G, geometries, weights = case
    best = pairing(G, build(geometries, weights, r).ball(G))
    rng = np.random.default_rng(seed)
    for _ in range(4):
        X = {i: rng.standard_normal(g.shape) * rng.exponential() for i, g in G.items()}
        assert pairing(G, X) / mixed_norm.norm(X, geometries, weights, r) >= best * (1 + 1e-11)


@given(block_sets(), OUTER, hst.floats(1e-3, 1e3))
def test_homogeneity(case: tuple, r: float, c: float) -> None:
    """The ball oracle ignores a common positive factor, the regularization oracle carries it."""
    G, geometries, weights = case
    mix = build(geometries, weights, r)
    scaled = {i: c * g for i, g in G.items()}
    assert mix.dual_norm(scaled) == pytest.approx(c * mix.dual_norm(G), rel=1e-12)
    dual = mix.dual_norm(G)
    ball, regularized = mix.ball(G), mix.regularized(G)
    for i, D in mix.ball(scaled).items():
        np.testing.assert_allclose(D, ball[i], rtol=0, atol=1e-9 / weights[i])
    for i, D in mix.regularized(scaled).items():
        np.testing.assert_allclose(D, c * regularized[i], rtol=0, atol=1e-9 * c * dual / weights[i])


@given(block_sets(), OUTER, hst.floats(1e-2, 1e2))
def test_common_weight(case: tuple, r: float, c: float) -> None:
    """Weights c w: the norm is multiplied by c, the dual norm and the ball by 1/c, regularization by 1/c^2."""
    G, geometries, weights = case
    mix = build(geometries, weights, r)
    heavier = build(geometries, {i: c * w for i, w in weights.items()}, r)
    assert heavier.norm(G) == pytest.approx(c * mix.norm(G), rel=1e-12)
    assert heavier.dual_norm(G) == pytest.approx(mix.dual_norm(G) / c, rel=1e-12)
    dual, ball, regularized = mix.dual_norm(G), heavier.ball(G), heavier.regularized(G)
    for i, D in mix.ball(G).items():
        np.testing.assert_allclose(c * ball[i], D, rtol=0, atol=1e-9 / weights[i])
    for i, D in mix.regularized(G).items():
        np.testing.assert_allclose(c * c * regularized[i], D, rtol=0, atol=1e-9 * dual / weights[i])


@given(block_sets(), OUTER)
def test_one_block_reduces(case: tuple, r: float) -> None:
    """With one block the outer exponent has no effect: ball / w and regularization / w^2."""
    G, geometries, weights = case
    name = list(G)[-1]
    g, w = G[name], weights[name]
    geometry = FAMILIES[geometries[name][0]](geometries[name][1])
    mix = st.MixedNorm({name: geometry}, weights={name: w}, outer=r)
    dual = geometry.dual_norm(g)
    assert mix.norm({name: g}) == pytest.approx(w * geometry.norm(g), rel=1e-13)
    assert mix.dual_norm({name: g}) == pytest.approx(dual / w, rel=1e-13)
    np.testing.assert_allclose(mix.ball({name: g})[name], geometry.ball(g) / w, rtol=1e-12, atol=1e-14 / w)
    expected = geometry.regularized(g) / w**2
    np.testing.assert_allclose(
        mix.regularized({name: g})[name], expected, rtol=1e-12, atol=1e-14 * dual / w**2
    )


@given(block_sets(least=2))
def test_ball_separates_at_infinity(case: tuple) -> None:
    """At r = inf each block moves 1 / w_i along its own direction, whatever the others do."""
    G, geometries, weights = case
    for i, D in build(geometries, weights, np.inf).ball(G).items():
        expected = FAMILIES[geometries[i][0]](geometries[i][1]).ball(G[i]) / weights[i]
        np.testing.assert_allclose(D, expected, rtol=1e-12, atol=1e-14 / weights[i])


@given(block_sets(least=2))
def test_regularization_separates_at_two(case: tuple) -> None:
    """At r = 2 block i is 1 / w_i^2 times its own regularization oracle."""
    G, geometries, weights = case
    for i, D in build(geometries, weights, 2).regularized(G).items():
        geometry = FAMILIES[geometries[i][0]](geometries[i][1])
        scale = geometry.dual_norm(G[i]) / weights[i] ** 2
        np.testing.assert_allclose(
            D, geometry.regularized(G[i]) / weights[i] ** 2, rtol=1e-10, atol=1e-13 * scale
        )


@given(block_sets(least=2))
def test_regularization_at_infinity_uses_the_sum(case: tuple) -> None:
    """At r = inf every block of the regularization oracle is scaled by the sum of all a_i."""
    G, geometries, weights = case
    mix = build(geometries, weights, np.inf)
    total = float(mixed_norm.scaled_duals(G, geometries, weights).sum())
    ball = mix.ball(G)
    for i, D in mix.regularized(G).items():
        np.testing.assert_allclose(D, total * ball[i], rtol=1e-12, atol=1e-14 * total / weights[i])


@given(block_sets(least=2), hst.sampled_from([1.0001, 1.5, 2.0, 3.0, 64.0]))
def test_shares_follow_the_blocks(case: tuple, r: float) -> None:
    """For 1 < r < inf the block of larger a_i takes the larger share, and the shares have unit l_r norm."""
    G, geometries, weights = case
    a = mixed_norm.scaled_duals(G, geometries, weights)
    D = build(geometries, weights, r).ball(G)
    tau = np.array([weights[i] * mixed_norm.block_norm(D[i], geometries[i]) for i in G])
    assert float(oracles.lp_norm(tau, r)) == pytest.approx(1, rel=1e-11)
    order = np.argsort(a)
    assert (np.diff(tau[order]) >= -1e-9).all()


@given(hst.integers(2, 4), hst.integers(1, 4))
def test_ties_share_at_one(count: int, tied: int) -> None:
    """At r = 1 the blocks of largest a_i share equally; the others do not move."""
    tied = min(tied, count)
    G = {f"b{i}": np.array([[3.0, 0.0], [0.0, 4.0]]) * (1.0 if i < tied else 0.9) for i in range(count)}
    D = st.MixedNorm(dict.fromkeys(G, st.Schatten(2)), outer=1).ball(G)
    for i, name in enumerate(G):
        expected = -G[name] / 5 / tied if i < tied else np.zeros((2, 2))
        np.testing.assert_allclose(D[name], expected, rtol=1e-14)


@given(hst.floats(0.5, 4))
def test_ties_count_weights(w: float) -> None:
    """The tie is between ||G_i||_* / w_i, not between the dual norms."""
    G = {"light": np.eye(2), "heavy": np.eye(2) * 2.0}
    D = st.MixedNorm(
        {"light": st.Spectral(), "heavy": st.Spectral()}, weights={"light": w, "heavy": 2 * w}, outer=1
    ).ball(G)
    np.testing.assert_allclose(D["light"], -np.eye(2) / (2 * w), rtol=1e-13, atol=1e-14)
    np.testing.assert_allclose(D["heavy"], -np.eye(2) / (4 * w), rtol=1e-13, atol=1e-14)


@given(block_sets(least=2))
def test_sgd_with_block_steps(case: tuple) -> None:
    """All p_i = 2 and r = 2 with w_i = sqrt(L_i): the regularization oracle is -G_i / L_i."""
    G, _, lipschitz = case
    mix = st.MixedNorm(dict.fromkeys(G, st.Schatten(2)), outer=2).with_lipschitz(lipschitz)
    for i, D in mix.regularized(G).items():
        np.testing.assert_allclose(D, -G[i] / lipschitz[i], rtol=1e-12, atol=0)


@given(OUTER, hst.sampled_from([-900, 900]))
def test_scale_never_decides(r: float, exponent: int) -> None:
    """Gradients near the ends of the range give the same direction: no power of a norm overflows."""
    rng = np.random.default_rng(5)
    G = {"a": rng.standard_normal((4, 3)), "b": rng.standard_normal((2, 6))}
    mix = st.MixedNorm({"a": st.Schatten(3), "b": st.Spectral()}, weights={"a": 2.0, "b": 1.0}, outer=r)
    scaled = {i: np.ldexp(g, exponent) for i, g in G.items()}
    assert np.ldexp(mix.dual_norm(scaled), -exponent) == pytest.approx(mix.dual_norm(G), rel=1e-12)
    ball = mix.ball(G)
    for i, D in mix.ball(scaled).items():
        np.testing.assert_allclose(D, ball[i], rtol=0, atol=1e-9)
