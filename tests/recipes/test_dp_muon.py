"""DP-Muon: the literal rule with the noise that was drawn, its polynomials, and what the mechanism promises."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from reference import recipes, variance

import schattor as st

r = st.recipes
parts = st.parts
STEPS = 8
SHAPES = [(6, 4), (3, 5), (4, 4)]


def draw(shape: tuple[int, int], scale: float = 1.0) -> tuple[np.ndarray, list[np.ndarray]]:
    """Weights and the gradients of five samples for each step."""
    rng = np.random.default_rng(0)
    return rng.standard_normal(shape), [scale * rng.standard_normal((5, *shape)) for _ in range(STEPS)]


def mean_of(
    clip: float, noise_multiplier: float, samples: list[np.ndarray], seed: int = 0, name: str = "W"
) -> list[np.ndarray]:
    """What the mechanism makes of each step's samples: minus the steps of SGD at lr one."""
    mechanism = parts.PrivateMean(clip, noise_multiplier, seed)
    W = np.zeros(samples[0].shape[1:], dtype=samples[0].dtype)
    opt = st.Optimizer({name: W}, replace(r.sgd(lr=1.0), transforms=(mechanism,)))
    return [-opt.update(None, per_example={name: x})[name] for x in samples]


def normals(recipe: st.Recipe, samples: list[np.ndarray]) -> list[np.ndarray]:
    """The standard normal draws of a recipe, from the mechanism on zeros."""
    seed = recipe.transforms[0].seed
    zeros = [np.zeros_like(x) for x in samples]
    return [len(x) * noise for noise, x in zip(mean_of(1.0, 1.0, zeros, seed), samples, strict=True)]


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
@pytest.mark.parametrize("noise", [0.0, 0.7])
@pytest.mark.parametrize("kappa", [1, 2])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_literal_rule(shape: tuple[int, int], kappa: int, noise: float, scale: float) -> None:
    """Short averages stay as they are, long ones are brought to length one."""
    W, samples = draw(shape, scale)
    common: dict[str, Any] = {"lr": lambda t: 0.1 / (1 + t), "clip": 0.8, "noise_multiplier": noise}
    common |= {"momentum": 0.9, "kappa": kappa, "iterations": 6, "weight_decay": 0.2}
    recipe = r.dp_muon(rng=7, **common)
    drawn = normals(recipe, samples)
    wanted = variance.dp_muon(W, samples, drawn, **common)
    opt = st.Optimizer({"W": W}, recipe)
    for x, expected in zip(samples, wanted.weights, strict=True):
        opt.step(None, per_example={"W": x})
        np.testing.assert_allclose(W, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize(("kappa", "name"), [(1, "cubic"), (2, "quintic")])
def test_polynomials(kappa: int, name: str) -> None:
    """x sum_s c_s (1 - x^2)^s, c_s = (2s)! / (4^s s!^2): 1.5 and -0.5; 15/8, -10/8 and 3/8."""
    one, square = np.polynomial.Polynomial([1.0]), np.polynomial.Polynomial([0.0, 0.0, 1.0])
    series = sum((c * (one - square) ** s for s, c in enumerate(variance.square_root_series(kappa))), 0 * one)
    odd = (series * np.polynomial.Polynomial([0.0, 1.0])).coef
    triple = st.linalg.coefficient_sets()[name].steps[0]
    np.testing.assert_allclose(odd[1::2], triple[: kappa + 1], rtol=1e-15)
    np.testing.assert_allclose(triple, {1: (1.5, -0.5, 0.0), 2: (15 / 8, -10 / 8, 3 / 8)}[kappa], rtol=1e-15)


def test_without_clip_and_noise_it_is_muon() -> None:
    """With a decaying sum and the same iteration, as long as the sum is not shorter than one; else it moves less."""
    W, samples = draw((5, 4))
    muon = replace(
        r.muon(lr=0.1, nesterov=False, scale="none"),
        estimator=st.estimators.HeavyBall(0.9, init="zero"),
        geometry=st.Spectral(st.linalg.NewtonSchulz("quintic", 6)),
    )
    private = r.dp_muon(lr=0.1, clip=1e9, noise_multiplier=0.0, momentum=0.9, iterations=6)
    for scale in (1e3, 1e-3):
        one, two = W.copy(), W.copy()
        a, b = st.Optimizer({"W": one}, muon), st.Optimizer({"W": two}, private)
        for x in samples:
            a.step({"W": np.asarray((scale * x).mean(axis=0))})
            b.step(None, per_example={"W": scale * x})
        if scale > 1:
            np.testing.assert_allclose(one, two, rtol=0, atol=1e-12)
        else:
            assert np.linalg.norm(two - W) < 0.5 * np.linalg.norm(one - W)


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3, 1e200])
def test_one_sample_moves_the_mean_by_little(scale: float) -> None:
    """Each sample is at most as long as the clip, so that the mean moves by at most 2 C / B."""
    rng = np.random.default_rng(1)
    clip = 0.5
    samples = scale * rng.standard_normal((6, 4, 3))
    mean = mean_of(clip, 0.0, [samples])[0]
    assert np.linalg.norm(mean) <= clip * (1 + 1e-12)
    for k in range(6):
        other = samples.copy()
        other[k] = -10 * samples[k]
        moved = np.linalg.norm(mean_of(clip, 0.0, [other])[0] - mean)
        assert moved <= 2 * clip / 6 * (1 + 1e-12)
    alone = mean_of(clip, 0.0, [samples[:1]])[0]
    length = np.linalg.norm(samples[0] / scale) * scale
    np.testing.assert_allclose(np.linalg.norm(alone), min(clip, length), rtol=1e-12)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_noise(dtype: type) -> None:
    """Its mean, variance and kurtosis are those of N(0, (sigma C / B)^2), to five standard errors."""
    count, sigma, clip, samples = 200 * 150, 1.3, 0.4, 5
    zeros = [np.zeros((samples, 200, 150), dtype=dtype)]
    noise = mean_of(clip, sigma, zeros)[0].astype(np.float64) / (sigma * clip / samples)
    assert abs(noise.mean()) < 5 / count**0.5
    assert abs((noise**2).mean() - 1) < 5 * (2 / count) ** 0.5
    assert abs((noise**4).mean() - 3) < 5 * (96 / count) ** 0.5
    assert np.abs(noise).max() < 9


def test_noise_of_steps_blocks_and_seeds_is_independent() -> None:
    """Correlations of 2500 numbers stay below five standard errors; the same three give the same numbers."""
    zeros = [np.zeros((1, 50, 50))] * 3
    draws = [
        *mean_of(1.0, 1.0, zeros),
        *mean_of(1.0, 1.0, zeros, seed=1),
        *mean_of(1.0, 1.0, zeros, name="V"),
    ]
    for i, x in enumerate(draws):
        for y in draws[:i]:
            assert abs((x * y).mean()) < 5 / 50
    for x, y in zip(mean_of(1.0, 1.0, zeros), draws, strict=False):
        np.testing.assert_array_equal(x, y)


def test_noise_can_be_repeated() -> None:
    """peek shows the noise of the step; a resumed run goes on with its own."""
    W, samples = draw((4, 3))
    recipe = r.dp_muon(noise_multiplier=2.0, rng=3)
    opt = st.Optimizer({"W": W}, recipe)
    for x in samples[:4]:
        tentative = opt.peek(None, per_example={"W": x})["W"]
        before = W.copy()
        opt.step(None, per_example={"W": x})
        np.testing.assert_array_equal(W - before, tentative)
    again = W.copy()
    other = st.Optimizer({"W": again}, recipe)
    other.load_state_dict(opt.state_dict())
    for x in samples[4:]:
        opt.step(None, per_example={"W": x})
        other.step(None, per_example={"W": x})
    np.testing.assert_array_equal(W, again)


def test_seeds() -> None:
    """The same number gives the same recipe, none a fresh one."""
    assert r.dp_muon(rng=5) == r.dp_muon(rng=5) == r.dp_muon(rng=np.random.default_rng(5))
    assert r.dp_muon(rng=5) != r.dp_muon(rng=6)
    assert r.dp_muon() != r.dp_muon()


def test_turns_do_not_repeat_noise() -> None:
    """The step counts, not the block's own steps, which begin anew in each turn."""
    recipe = r.block_coordinate(
        r.dp_muon(lr=1.0, momentum=0.0, iterations=1, kappa=1, rng=0), every=1, order="ascending"
    )
    opt = st.Optimizer({"a": np.zeros((3, 3)), "b": np.zeros((3, 3))}, recipe)
    zeros = {"per_example": {i: np.zeros((2, 3, 3)) for i in "ab"}}
    moved = [opt.update(None, **zeros)["a"] for _ in range(4)]
    assert not moved[1].any() and moved[2].any()
    assert np.abs(moved[0] - moved[2]).max() > 1e-2


def test_floor_of_newton_schulz() -> None:
    """The matrix is divided by its norm or by the floor, whichever is larger; over the whole range."""
    G = np.random.default_rng(2).standard_normal((4, 6))
    G /= np.linalg.norm(G)
    steps = ((1.5, -0.5, 0.0),) * 3
    backend = st.linalg.NewtonSchulz("cubic", 3, floor=0.5)
    for scale in (1e-300, 1e-3, 0.4, 0.6, 1e3, 1e300):
        X, info = st.ball_oracle(scale * G, np.inf, backend=backend, return_info=True)
        start = scale * G / max(scale, 0.5)
        wanted = -start
        for a, b, _ in steps:
            wanted = a * wanted + b * wanted @ wanted.T @ wanted
        np.testing.assert_allclose(X, wanted, rtol=0, atol=1e-14 * np.abs(wanted).max())
        assert info.approximate
    with pytest.raises(ValueError, match="floor"):
        st.linalg.NewtonSchulz("adaptive", floor=1.0)
    with pytest.raises(ValueError, match="floor"):
        st.linalg.NewtonSchulz("muon", floor=-1.0)


@pytest.mark.parametrize(
    "arguments",
    [{"kappa": 3}, {"clip": 0.0}, {"noise_multiplier": -1.0}, {"iterations": 0}, {"momentum": 1.0}],
)
def test_values_outside_their_ranges(arguments: dict[str, Any]) -> None:
    """One clear error."""
    with pytest.raises(ValueError, match="must be"):
        r.dp_muon(**arguments)


def test_literal_iteration_is_the_polar_factor() -> None:
    """The literal polynomial iteration converges to U V' for any degree."""
    u = np.random.default_rng(3).standard_normal((5, 3)) + 2 * np.eye(5, 3)
    for kappa in (1, 2, 3, 5):
        np.testing.assert_allclose(
            variance.private_orthogonalized(u, kappa, 25), recipes.polar(u), rtol=0, atol=1e-12
        )
