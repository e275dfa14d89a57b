"""Schedule-free averaging: the literal recursion, and what follows from it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from reference import recipes

import schattor as st

STEPS = 25
r = st.recipes


def problem(seed: int = 0, shape: tuple[int, ...] = (5, 4)) -> tuple[np.ndarray, list[np.ndarray]]:
    """Weights and gradients of order one."""
    rng = np.random.default_rng(seed)
    return rng.standard_normal(shape), [rng.standard_normal(shape) for _ in range(STEPS)]


def run(recipe: st.Recipe, **problem_arguments: Any) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Weights and points to evaluate after each step."""
    W, gradients = problem(**problem_arguments)
    opt = st.Optimizer(W, recipe)
    y, x = [], []
    for G in gradients:
        opt.step(G)
        y.append(W.copy())
        x.append(opt.evaluation_params())
    return y, x


@pytest.mark.parametrize("beta", [0.1, 0.9, 1.0])
@pytest.mark.parametrize("weight_decay", [0.0, 0.2])
@pytest.mark.parametrize(("power", "exponent"), [(0.0, 2.0), (1.0, 0.0), (2.0, 1.0)])
def test_literal_recursion(power: float, exponent: float, weight_decay: float, beta: float) -> None:
    """Both recipes with lr that rises and falls."""
    common = {
        "lr": lambda t: 0.05 * min(1, (t + 1) / 5) / (1 + t / 10),
        "r": power,
        "weight_lr_power": exponent,
    }
    common |= {"weight_decay": weight_decay}
    pairs = [
        (r.schedule_free_sgd(beta=beta, **common), {"beta": beta}),
        (
            r.schedule_free_adamw(betas=(beta, 0.99), eps=1e-3, **common),
            {"beta": beta, "betas": (0, 0.99), "eps": 1e-3},
        ),
    ]
    for recipe, arguments in pairs:
        path = recipes.schedule_free(*problem(), **common, **arguments)
        y, x = run(recipe)
        np.testing.assert_allclose(y, path.weights, rtol=0, atol=1e-13)
        np.testing.assert_allclose(x, path.estimates, rtol=0, atol=1e-12 / beta)


def test_average_is_the_mean_of_the_iterates() -> None:
    """At constant lr; z is the state."""
    W, gradients = problem()
    opt = st.ScheduleFreeSGD(W, lr=0.1)
    iterates = []
    for G in gradients:
        opt.step(G)
        iterates.append(opt.state_dict()["state/0/base"])
        np.testing.assert_allclose(opt.evaluation_params(), np.mean(iterates, axis=0), rtol=0, atol=1e-13)


def test_first_average_is_the_first_iterate() -> None:
    """c_1 = 1: the start is forgotten."""
    y, x = run(r.schedule_free_sgd(lr=0.1))
    np.testing.assert_allclose(x[0], y[0], rtol=0, atol=1e-15)


def test_before_the_first_step_the_points_coincide() -> None:
    """x = y = z at the start, and without gradients for ever."""
    W, _ = problem()
    opt = st.ScheduleFreeAdamW(W)
    np.testing.assert_array_equal(opt.evaluation_params(), W)
    first = W.copy()
    for _ in range(5):
        opt.step(np.zeros_like(W))
        np.testing.assert_allclose(W, first, rtol=1e-15)
        np.testing.assert_allclose(opt.evaluation_params(), first, rtol=1e-14)


def test_beta_one_takes_gradients_at_the_average() -> None:
    """Primal averaging: the parameters are the point to evaluate."""
    y, x = run(r.schedule_free_sgd(lr=0.1, beta=1.0))
    np.testing.assert_array_equal(y, x)


def test_wrapper_round_sgd_is_the_recipe() -> None:
    """The published class is the wrapper round SGD without momentum."""
    wrapped = r.schedule_free(r.sgd(lr=0.1, weight_decay=0.1), beta=0.8)
    for got, wanted in zip(
        run(wrapped), run(r.schedule_free_sgd(lr=0.1, beta=0.8, weight_decay=0.1)), strict=True
    ):
        np.testing.assert_array_equal(got, wanted)


@pytest.mark.parametrize(
    "inner",
    [
        r.muon(lr=0.05, momentum=0.0, nesterov=False, weight_decay=0.1),
        r.schattor(p=4, lr=0.05),
        r.lion(lr=0.01, weight_decay=0.1),
        r.adagrad(lr=0.05),
    ],
    ids=lambda recipe: recipe.name,
)
def test_wrapper_round_any_recipe(inner: st.Recipe) -> None:
    """z moves by the displacement that the inner recipe has at y."""
    beta = 0.7
    W, gradients = problem()
    opt = st.Optimizer(W, r.schedule_free(inner, beta=beta))
    apart = W.copy()
    alone = st.Optimizer(apart, inner)
    z, x = W.copy(), W.copy()
    for t, G in enumerate(gradients, start=1):
        apart[...] = W
        z = z + alone.update(G)
        opt.step(G)
        x = (1 - 1 / t) * x + z / t
        np.testing.assert_allclose(W, beta * x + (1 - beta) * z, rtol=0, atol=1e-12)
        np.testing.assert_allclose(opt.evaluation_params(), x, rtol=0, atol=1e-12)


def test_lr_zero_at_first() -> None:
    """A warm-up from zero: nothing moves, nothing divides by zero."""
    W, gradients = problem()
    first = W.copy()
    opt = st.ScheduleFreeSGD(W, lr=lambda t: 0.1 * min(1, t / 4))
    opt.step(gradients[0])
    np.testing.assert_array_equal(W, first)
    opt.step(gradients[1])
    assert np.isfinite(W).all() and not np.array_equal(W, first)


@pytest.mark.parametrize(
    "make",
    [
        lambda: r.schedule_free_sgd(beta=0.0),
        lambda: r.schedule_free_adamw(betas=(0.0, 0.9)),
        lambda: r.schedule_free(r.sgd(), beta=1.5),
        lambda: r.schedule_free(r.sgd(), r=-1.0),
        lambda: r.schedule_free(r.muon(decay="cautious", weight_decay=0.1)),
        lambda: r.schedule_free(r.schedule_free_sgd()),
    ],
)
def test_refusals(make: Any) -> None:
    """One clear error."""
    with pytest.raises(ValueError, match=r"beta|r must|cautious|averages"):
        make()
