"""Prodigy: the literal rule while d grows, and what follows from it."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from reference import variance

import schattor as st

r = st.recipes
Blocks = dict[str, np.ndarray]
STEPS = 20
SHAPES = {"tall": (6, 4), "wide": (3, 5), "vector": (7,)}


def draw(scale: float = 1.0, dtype: type = np.float64) -> tuple[Blocks, list[Blocks]]:
    """Weights and gradients that agree enough for d to grow."""
    rng = np.random.default_rng(0)
    W = {i: rng.standard_normal(shape).astype(dtype) for i, shape in SHAPES.items()}
    steady = {i: rng.standard_normal(shape) for i, shape in SHAPES.items()}
    gradients = [
        {i: (scale * (g + 0.3 * rng.standard_normal(g.shape))).astype(dtype) for i, g in steady.items()}
        for _ in range(STEPS)
    ]
    return W, gradients


def run(recipe: st.Recipe, W: Blocks, gradients: list[Blocks]) -> tuple[list[Blocks], list[float]]:
    """Weights and d after each step; d is the same in all blocks."""
    opt = st.Optimizer({i: x.copy() for i, x in W.items()}, recipe)
    weights, estimates = [], []
    for G in gradients:
        opt.step(G)
        weights.append({i: x.copy() for i, x in opt.params.items()})
        state = opt.state_dict()
        values = {float(state[f"state/{i}/d"]) for i in W}
        assert len(values) == 1
        estimates += values
    return weights, estimates


def part(**changed: Any) -> st.Recipe:
    """The recipe with other arguments of its part."""
    recipe = r.prodigy(d0=1e-3)
    return replace(recipe, preconditioner=replace(recipe.preconditioner, **changed))


CASES: list[tuple[st.Recipe, dict[str, Any]]] = [
    (r.prodigy(), {}),
    (r.prodigy(d0=1e-2, eps=1e-3), {"d0": 1e-2, "eps": 1e-3}),
    (r.prodigy(d0=1e-3, d_coef=0.5, betas=(0.5, 0.9)), {"d0": 1e-3, "d_coef": 0.5, "betas": (0.5, 0.9)}),
    (r.prodigy(d0=1e-3, growth_rate=1.1), {"d0": 1e-3, "growth_rate": 1.1}),
    (r.prodigy(d0=1e-3, betas=(0.0, 0.99)), {"d0": 1e-3, "betas": (0.0, 0.99)}),
    (part(beta3=0.8), {"d0": 1e-3, "beta3": 0.8}),
    (part(debias=True), {"d0": 1e-3, "bias_correction": True}),
    (part(every=4), {"d0": 1e-3, "slice_p": 4}),
    (part(every=100), {"d0": 1e-3, "slice_p": 100}),
    *(
        (
            r.prodigy(d0=1e-3, weight_decay=weight_decay, decay=decay),
            {"d0": 1e-3, "weight_decay": weight_decay, "decay": decay},
        )
        for weight_decay, decay in ((0.1, "decoupled"), (0.1, "l2"))
    ),
]


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
@pytest.mark.parametrize(("recipe", "arguments"), CASES)
def test_literal_rule(recipe: st.Recipe, arguments: dict[str, Any], scale: float) -> None:
    """d grows, mostly by orders of magnitude, and the weights follow; rounding is fed back through d."""
    W, gradients = draw(scale)
    weights, estimates = run(recipe, W, gradients)
    path = variance.prodigy(W, gradients, **arguments)
    np.testing.assert_allclose(estimates, path.estimates, rtol=1e-10)
    assert estimates[-1] > 3 * estimates[0]
    for got, wanted in zip(weights, path.weights, strict=True):
        for i, x in wanted.items():
            np.testing.assert_allclose(got[i], x, rtol=0, atol=1e-10 * max(1.0, np.abs(x).max()))


@pytest.mark.parametrize("warmup", [False, True])
def test_schedules(warmup: bool) -> None:
    """A warm-up, with and without the safeguard, and a decay that is scheduled."""
    W, gradients = draw()

    def lr(t: int) -> float:
        return min(1.0, (t + 1) / 10)

    def weight_decay(t: int) -> float:
        return 0.1 / (1 + t)

    recipe = r.prodigy(lr=lr, d0=1e-3, weight_decay=weight_decay)
    recipe = replace(recipe, preconditioner=replace(recipe.preconditioner, warmup=warmup))
    weights, estimates = run(recipe, W, gradients)
    path = variance.prodigy(W, gradients, lr=lr, d0=1e-3, weight_decay=weight_decay, safeguard_warmup=warmup)
    np.testing.assert_allclose(estimates, path.estimates, rtol=1e-10)
    for i, x in path.weights[-1].items():
        np.testing.assert_allclose(weights[-1][i], x, rtol=0, atol=1e-10)


def test_float32() -> None:
    """d stays in double; the rest rounds at 6e-8, which d feeds back."""
    W, gradients = draw(dtype=np.float32)
    weights, estimates = run(r.prodigy(d0=1e-3), W, gradients)
    path = variance.prodigy(
        {i: x.astype(np.float64) for i, x in W.items()},
        [{i: g.astype(np.float64) for i, g in G.items()} for G in gradients],
        d0=1e-3,
    )
    np.testing.assert_allclose(estimates, path.estimates, rtol=1e-4)
    for i, x in path.weights[-1].items():
        assert weights[-1][i].dtype == np.float32
        np.testing.assert_allclose(weights[-1][i], x, rtol=0, atol=1e-4 * np.abs(x - W[i]).max())


def test_estimate_never_falls_and_waits_for_a_step() -> None:
    """In the first step no distance has been travelled."""
    W, gradients = draw()
    _, estimates = run(r.prodigy(d0=1e-4), W, gradients)
    assert estimates[0] == 1e-4
    assert (np.diff(estimates) >= 0).all()


def test_estimate_ignores_the_scale_of_gradients() -> None:
    """Without eps; powers of two are exact."""
    W, gradients = draw()
    weights, estimates = run(r.prodigy(d0=1e-3, eps=0.0), W, gradients)
    scaled = [{i: 2.0**20 * g for i, g in G.items()} for G in gradients]
    others, same = run(r.prodigy(d0=1e-3, eps=0.0), W, scaled)
    assert same == estimates
    for i, x in weights[-1].items():
        np.testing.assert_array_equal(others[-1][i], x)


def test_without_estimates_it_is_adamw() -> None:
    """d_coef = 0 with the bias correction: AdamW at lr d0, eps added before the correction of V."""
    W, gradients = draw()
    recipe = part(debias=True, coefficient=0.0, eps=1e-3)
    adam = r.adamw(lr=1e-3, weight_decay=0.0, eps=lambda t: 1e-3 / math.sqrt(1 - 0.999 ** (t + 1)))
    opt = st.Optimizer({i: x.copy() for i, x in W.items()}, adam)
    weights, estimates = run(recipe, W, gradients)
    for G, x in zip(gradients, weights, strict=True):
        opt.step(G)
        for i, y in opt.params.items():
            np.testing.assert_allclose(x[i], y, rtol=0, atol=1e-14)
    assert set(estimates) == {1e-3}


def test_blocks_share_the_estimate() -> None:
    """Two blocks move as one block that holds both, to the order of sums; alone they would not."""
    rng = np.random.default_rng(1)
    steady = rng.standard_normal(10)
    gradients = [steady + 0.2 * rng.standard_normal(10) for _ in range(STEPS)]
    whole, parts, alone = np.ones(10), {"a": np.ones(4), "b": np.ones(6)}, np.ones(4)
    one, two = st.Prodigy(whole, d0=1e-3), st.Prodigy(parts, d0=1e-3)
    other = st.Prodigy(alone, d0=1e-3)
    for g in gradients:
        one.step(g)
        two.step({"a": g[:4], "b": g[4:]})
        other.step(g[:4])
    np.testing.assert_allclose(np.concatenate([parts["a"], parts["b"]]), whole, rtol=1e-10)
    assert np.abs(alone - whole[:4]).max() > 1e-3


def test_zero_gradients_change_nothing() -> None:
    """At first; later they let d and the averages be."""
    W, _ = draw()
    zero = {i: np.zeros_like(x) for i, x in W.items()}
    weights, estimates = run(r.prodigy(), W, [zero] * 3)
    assert set(estimates) == {1e-6}
    for i, x in W.items():
        np.testing.assert_array_equal(weights[-1][i], x)


def test_a_block_that_joins_takes_over_the_estimate() -> None:
    """And so does one that had no gradient so far."""
    W, gradients = draw()
    opt = st.Prodigy({i: x.copy() for i, x in W.items()}, d0=1e-3)
    for G in gradients[:-1]:
        opt.step({**G, "wide": None})
    state = opt.state_dict()
    assert float(state["state/wide/d"]) == float(state["state/tall/d"]) > 2e-3
    assert state["state/wide/count"] == 0
    opt.add_block("new", np.ones(3))
    opt.step({**gradients[-1], "new": np.ones(3)})
    state = opt.state_dict()
    assert float(state["state/new/d"]) == float(state["state/tall/d"])
    # The first step of its own averages: gamma (1 - b1) / sqrt(1 - b2), with the d of before.
    moved = float(state["state/new/d_of_step"]) * 0.1 / math.sqrt(0.001)
    np.testing.assert_allclose(1 - opt.params["new"], moved, rtol=1e-6)


def test_explained_lr_is_that_of_the_last_step(capsys: pytest.CaptureFixture[str]) -> None:
    """d times lr."""
    opt = st.Prodigy([np.ones(2)], lr=0.5, d0=1e-3)
    opt.explain()
    assert "0.0005" in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments",
    [
        {"betas": (1.0, 0.9)},
        {"betas": (0.9, -0.1)},
        {"d0": 0.0},
        {"d_coef": -1.0},
        {"growth_rate": 0.9},
        {"eps": -1.0},
        {"lr": -1.0},
    ],
)
def test_values_outside_their_ranges(arguments: dict[str, Any]) -> None:
    """One clear error."""
    with pytest.raises(ValueError, match="must be"):
        r.prodigy(**arguments)


@pytest.mark.parametrize("changed", [{"beta3": 1.0}, {"every": 0}])
def test_parts_outside_their_ranges(changed: dict[str, Any]) -> None:
    """Likewise."""
    with pytest.raises(ValueError, match="must be"):
        st.parts.DistanceEstimate(**changed)
