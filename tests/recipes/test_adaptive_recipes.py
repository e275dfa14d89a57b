"""Adam's relatives and Lion against their literal loops, and the identities between them."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from reference import recipes
from reference.recipes import Blocks, Path, blockwise

import schattor as st

STEPS = 25
SHAPES: dict[str, tuple[int, ...]] = {"W": (5, 3), "v": (7,), "s": ()}
DECAYS = ["decoupled", "l2", "independent", "cautious"]

METHODS: dict[str, tuple[type[st.Optimizer], Callable[..., Path], dict[str, list[Any]]]] = {
    "adam": (st.Adam, recipes.adamw, {"betas": [(0.9, 0.999), (0.0, 0.9)], "eps": [1e-8, 1e-3]}),
    "amsgrad": (st.AMSGrad, recipes.amsgrad, {"betas": [(0.9, 0.999), (0.5, 0.9)], "eps": [1e-8, 1e-3]}),
    "radam": (st.RAdam, recipes.radam, {"betas": [(0.9, 0.999), (0.9, 0.9), (0.5, 0.6)], "eps": [1e-8]}),
    "adabelief": (
        st.AdaBelief,
        recipes.adabelief,
        {"betas": [(0.9, 0.999), (0.5, 0.9)], "eps": [1e-16, 1e-8], "rectify": [False, True]},
    ),
    "adagrad": (
        st.Adagrad,
        recipes.adagrad,
        {"lr_decay": [0.0, 0.1], "initial_accumulator_value": [0.0, 0.5], "eps": [1e-10]},
    ),
    "rmsprop": (
        st.RMSprop,
        recipes.rmsprop,
        {"alpha": [0.99, 0.5], "momentum": [0.0, 0.9], "centered": [False, True], "eps": [1e-3]},
    ),
    "adadelta": (st.Adadelta, recipes.adadelta, {"rho": [0.9, 0.0], "eps": [1e-6, 1e-2]}),
    "lion": (st.Lion, recipes.lion, {"betas": [(0.9, 0.99), (0.5, 0.5), (0.0, 0.9)]}),
}


def problem(dtype: type = np.float64, seed: int = 0) -> tuple[Blocks, list[Blocks]]:
    """Weights and gradients of order one."""
    rng = np.random.default_rng(seed)
    draw = lambda: {n: np.asarray(rng.standard_normal(s), dtype=dtype) for n, s in SHAPES.items()}  # noqa: E731
    return draw(), [draw() for _ in range(STEPS)]


def run(optimizer: st.Optimizer, gradients: list[Blocks]) -> list[Blocks]:
    """Weights after each step."""
    result = []
    for G in gradients:
        optimizer.step(G)
        result.append({name: x.copy() for name, x in optimizer.params.items()})
    return result


def assert_equal_paths(a: list[Blocks], b: list[Blocks], tolerance: float) -> None:
    """Both are the same up to an absolute tolerance."""
    for left, right in zip(a, b, strict=True):
        for name in left:
            np.testing.assert_allclose(left[name], right[name], rtol=0, atol=tolerance)


def follow(cls: type[st.Optimizer], seed: int = 0, **arguments: Any) -> list[Blocks]:
    """The float64 path of an optimizer on the problem."""
    W, gradients = problem(seed=seed)
    return run(cls(W, **arguments), gradients)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("decay", DECAYS)
@pytest.mark.parametrize("weight_decay", [0.0, 0.3])
def test_literal_loop_to_1e_12(weight_decay: float, decay: str, method: str) -> None:
    """In float64 every setting follows the literal rule to rounding."""
    cls, loop, axes = METHODS[method]
    for values in itertools.product(*axes.values()):
        arguments = {**dict(zip(axes, values, strict=True)), "lr": 0.02}
        arguments |= {"weight_decay": weight_decay, "decay": decay}
        W, gradients = problem(seed=4)
        expected = blockwise(loop, W, gradients, **arguments).weights
        assert_equal_paths(run(cls(W, **arguments), gradients), expected, 2e-12)


@pytest.mark.parametrize("method", METHODS)
def test_scheduled_hyperparameters(method: str) -> None:
    """Callables of the step are evaluated anew at every step."""
    cls, loop, axes = METHODS[method]
    arguments: dict[str, Any] = {"lr": lambda t: 0.05 / (1 + t), "weight_decay": lambda t: 0.1 * (t % 3)}
    if "eps" in axes:
        arguments["eps"] = lambda t: 1e-3 * (1 + t % 2)
    if "betas" in axes:
        arguments["betas"] = (lambda t: 0.9 - 0.1 * (t % 2), 0.95)
    W, gradients = problem(seed=5)
    path = blockwise(loop, W, gradients, **{"decay": "decoupled", **arguments})
    assert_equal_paths(run(cls(W, **{"decay": "decoupled", **arguments}), gradients), path.weights, 2e-12)


@pytest.mark.parametrize("method", METHODS)
def test_float32_is_as_accurate_as_the_literal_rule_in_float32(method: str) -> None:
    """Ten times its error, or 1e-4 of what the weights move by."""
    cls, loop, axes = METHODS[method]
    arguments = {name: values[0] for name, values in axes.items()} | {"lr": 0.02, "weight_decay": 0.1}
    arguments["decay"] = "decoupled"
    W, gradients = problem(np.float32, seed=6)
    first = {name: x.copy() for name, x in W.items()}
    wide = {name: x.astype(np.float64) for name, x in W.items()}
    exact = blockwise(
        loop, wide, [{n: g.astype(np.float64) for n, g in G.items()} for G in gradients], **arguments
    )
    narrow = blockwise(loop, first, gradients, **arguments).weights[-1]
    got = run(cls(W, **arguments), gradients)[-1]
    for name, x in exact.weights[-1].items():
        assert got[name].dtype == np.float32
        literal = float(np.abs(narrow[name].astype(np.float64) - x).max())
        moved = float(np.abs(x - wide[name]).max())
        assert float(np.abs(got[name] - x).max()) <= max(10 * literal, 1e-4 * moved)


def test_lion_with_equal_betas_is_signum() -> None:
    """One average then serves both purposes."""
    lion = follow(st.Lion, lr=0.03, betas=(0.8, 0.8), weight_decay=0.1)
    assert_equal_paths(lion, follow(st.Signum, lr=0.03, momentum=0.8, weight_decay=0.1), 0.0)


def test_lion_without_the_near_average_is_sign_descent() -> None:
    """beta_1 = 0: the buffer is never read."""
    assert_equal_paths(follow(st.Lion, lr=0.03, betas=(0.0, 0.9)), follow(st.SignSGD, lr=0.03), 0.0)


def test_lion_keeps_the_weights_in_the_box() -> None:
    """With lr weight_decay <= 1 no entry leaves [-1/weight_decay, 1/weight_decay] (arXiv 2310.05898)."""
    rng = np.random.default_rng(0)
    W = {"W": rng.uniform(-2, 2, (6, 5))}
    opt = st.Lion(W, lr=0.3, weight_decay=0.5)
    for _ in range(200):
        opt.step({"W": rng.standard_normal((6, 5)) + 1.0})
        assert np.abs(W["W"]).max() <= 2 * (1 + 1e-12)


@pytest.mark.parametrize("cls", [st.Adam, st.AMSGrad, st.AdaBelief])
def test_first_step_is_a_sign_step(cls: type[st.Optimizer]) -> None:
    """With eps = 0 the first step is lr sign(G); AdaBelief's is longer by 1 / beta_1, as G - M = beta_1 G."""
    W, gradients = problem()
    first = {name: x.copy() for name, x in W.items()}
    extra = {"rectify": False} if cls is st.AdaBelief else {}
    opt = cls(W, lr=0.1, eps=0.0, betas=(0.8, 0.99), **extra)
    opt.step(gradients[0])
    length = 0.1 / (0.8 if cls is st.AdaBelief else 1.0)
    for name, G in gradients[0].items():
        np.testing.assert_allclose(W[name] - first[name], -length * np.sign(G), atol=1e-14)


def test_constant_gradients() -> None:
    """Adam's and AMSGrad's steps stay lr long; AdaGrad's fall as 1/sqrt(t); RMSprop's first is 1/sqrt(1 - alpha)."""
    G = np.array([3.0, -0.5])
    expected = {
        "adam": lambda t: 1.0,
        "amsgrad": lambda t: 1.0,
        "adagrad": lambda t: 1 / np.sqrt(t),
        "rmsprop": lambda t: 1 / np.sqrt(1 - 0.99**t),
    }
    for name, length in expected.items():
        opt = METHODS[name][0]([np.zeros(2)], lr=0.1, eps=0.0)
        for t in range(1, 20):
            np.testing.assert_allclose(opt.update([G])[0], -0.1 * length(t) * np.sign(G), rtol=1e-12)


def test_amsgrad_takes_the_maximum_before_the_correction() -> None:
    """The tenth step after a gradient of 1 and eight of 0.1 is 0.466 lr; corrected first it would be 0.1535."""
    steps = {}
    for cls in (st.AMSGrad, st.Adam):
        opt = cls([np.zeros(1)], lr=1.0, eps=0.0)
        steps[cls] = [float(opt.update([np.array([g])])[0][0]) for g in [1.0, *[0.1] * 9]]
    assert steps[st.AMSGrad] == pytest.approx(steps[st.Adam], rel=1e-12)
    assert round(-steps[st.AMSGrad][-1], 3) == 0.466


def test_amsgrad_equals_adam_while_the_second_moment_grows() -> None:
    """With growing gradients the largest second moment is the present one."""
    gradients = [np.array([1.0 + t, -2.0 - t]) for t in range(10)]
    a, b = st.AMSGrad([np.zeros(2)], lr=0.1), st.Adam([np.zeros(2)], lr=0.1)
    for G in gradients:
        np.testing.assert_array_equal(a.update([G])[0], b.update([G])[0])


def test_radam_without_rectification_is_debiased_momentum() -> None:
    """At beta_2 <= 2/3 the average is never long enough."""
    path = follow(st.RAdam, lr=0.1, betas=(0.9, 0.66))
    average = st.estimators.EMA(0.9, "debiased")
    sgd = st.Recipe(
        "debiased", 0.1, st.Lp(2.0), estimator=average, scaling=st.parts.NormScaling("regularization")
    )
    W, gradients = problem()
    assert_equal_paths(path, run(st.Optimizer(W, sgd), gradients), 1e-13)


def test_lengths_of_radams_average() -> None:
    """At beta_2 = 0.999 the sixth step is the first with rho > 5 (rho = 4.9960, 5.9942)."""
    assert [recipes.rectification(0.999, t) is not None for t in (1, 4, 5, 6, 7)] == [
        False,
        False,
        False,
        True,
        True,
    ]
    G = np.array([1.0, 100.0])
    opt = st.RAdam([np.zeros(2)], lr=1.0)
    ratios = [float(d[1] / d[0]) for d in (opt.update([G])[0] for _ in range(7))]
    np.testing.assert_allclose(ratios, [100.0] * 5 + [1.0] * 2, rtol=1e-6)


def test_adabelief_never_forgets_its_eps() -> None:
    """Without gradients S is eps (1 - beta_2^t) / (1 - beta_2)."""
    opt = st.AdaBelief([np.zeros(3)], lr=0.1, eps=1e-4, betas=(0.9, 0.5))
    for t in range(1, 8):
        opt.step([np.zeros(3)])
        S = opt.state_dict()["state/0/deviation"]
        np.testing.assert_allclose(S, 1e-4 * (1 - 0.5**t) / 0.5, rtol=1e-12)


def test_rmsprop_is_adam_without_averages_and_corrections() -> None:
    """At beta_1 = 0 Adam differs by its bias correction alone, a schedule of lr (eps = 0)."""
    corrected = follow(st.RMSprop, lr=lambda t: 0.01 * np.sqrt(1 - 0.9 ** (t + 1)), alpha=0.9, eps=0.0)
    assert_equal_paths(corrected, follow(st.Adam, lr=0.01, betas=(0.0, 0.9), eps=0.0), 1e-13)


def test_centred_rmsprop_survives_rounding() -> None:
    """For constant gradients V - A^2 is rounding noise of either sign: the step stays finite and bounded by eps."""
    for dtype in (np.float64, np.float32):
        opt = st.RMSprop([np.zeros(4, dtype)], lr=1.0, centered=True, alpha=0.5, eps=1e-3)
        for _ in range(200):
            D = opt.update([np.full(4, 1.1, dtype)])[0]
            assert np.isfinite(D).all() and np.abs(D).max() <= 1.1e3 * (1 + 1e-5)


def test_adadelta_state_ignores_lr() -> None:
    """lr scales the applied step only."""
    states = []
    for lr in (1.0, 0.01):
        W, gradients = problem()
        opt = st.Adadelta(W, lr=lr)
        run(opt, gradients)
        states.append(opt.state_dict()["state/W/second_moment_of_steps"])
    np.testing.assert_array_equal(*states)


def test_output_momentum_at_lr_zero() -> None:
    """The momentum after the metric does not depend on lr, not even on zero."""
    states = []
    for lr in (0.5, 0.0):
        W, gradients = problem()
        opt = st.RMSprop(W, lr=lr, momentum=0.9)
        run(opt, gradients)
        states.append(opt.state_dict()["state/W/output_buffer"])
    np.testing.assert_allclose(*states, rtol=1e-12)
    assert np.abs(states[0]).max() > 0


@pytest.mark.parametrize("lr_inside", [False, True])
@pytest.mark.parametrize("nesterov", [False, True])
def test_output_momentum(nesterov: bool, lr_inside: bool) -> None:
    """B <- b B + D and the step B, or D + b B; with the lr of each step inside the buffer or outside."""
    rng = np.random.default_rng(5)
    W, gradients = rng.standard_normal((3, 2)), rng.standard_normal((4, 3, 2))
    lrs = [0.1, 0.3, 0.05, 0.2]
    recipe = replace(
        st.recipes.sgd(lr=lrs.__getitem__),
        output=st.estimators.HeavyBall(0.5, nesterov=nesterov),
        output_takes_lr=lr_inside,
    )
    params = W.copy()
    opt = st.Optimizer([params], recipe)
    B = np.zeros_like(W)
    for lr, G in zip(lrs, gradients, strict=True):
        opt.step([G])
        D = -(lr if lr_inside else 1.0) * G
        B = 0.5 * B + D
        step = D + 0.5 * B if nesterov else B
        W = W + (1.0 if lr_inside else lr) * step
        np.testing.assert_allclose(params, W, rtol=0, atol=1e-14)


@pytest.mark.parametrize("output", [st.estimators.EMA(0.9, "debiased")])
def test_output_momentum_has_no_bias_correction(output: st.estimators.Estimator) -> None:
    """It belongs to the estimator."""
    with pytest.raises(ValueError, match="output"):
        st.Recipe("mine", 0.1, st.Lp(2.0), output=output)


@pytest.mark.parametrize(
    ("cls", "arguments"),
    [
        (st.Adam, {"betas": (0.9, 1.0)}),
        (st.AMSGrad, {"eps": -1.0}),
        (st.RAdam, {"betas": (1.0, 0.9)}),
        (st.AdaBelief, {"eps": np.nan}),
        (st.Adagrad, {"lr_decay": -0.1}),
        (st.Adagrad, {"initial_accumulator_value": -1.0}),
        (st.RMSprop, {"alpha": 1.0}),
        (st.RMSprop, {"momentum": 1.5}),
        (st.Adadelta, {"rho": -0.1}),
        (st.Lion, {"betas": (0.9, 1.0)}),
        (st.Lion, {"decay": "l1"}),
    ],
)
def test_values_outside_their_ranges(cls: type[st.Optimizer], arguments: dict[str, Any]) -> None:
    """One clear error at construction."""
    with pytest.raises(ValueError, match=r"must|betas"):
        cls([np.zeros(2)], **arguments)
