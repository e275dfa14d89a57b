"""Muon and PolarGrad against their literal loops."""

from __future__ import annotations

import itertools
from functools import partial
from typing import Any

import numpy as np
import pytest
from reference import recipes
from reference.matrices import make
from reference.newton_schulz import MUON, PUBLISHED
from reference.recipes import Blocks, blockwise

import schattor as st

STEPS = 12
SHAPES = {"tall": (9, 4), "wide": (3, 8), "square": (5, 5)}
DECAYS = ["decoupled", "l2", "independent", "cautious"]
MUON_STEPS = (MUON,) * 5


def problem(seed: int, dtype: type = np.float64, steps: int = STEPS) -> tuple[Blocks, list[Blocks]]:
    """Weights and gradients of order one."""
    rng = np.random.default_rng(seed)

    def draw() -> Blocks:
        return {name: rng.standard_normal(shape).astype(dtype) for name, shape in SHAPES.items()}

    return draw(), [draw() for _ in range(steps)]


def run(optimizer: type[st.Optimizer], W: Blocks, gradients: list[Blocks], **arguments: Any) -> list[Blocks]:
    """Weights after each step."""
    params = {name: x.copy() for name, x in W.items()}
    opt = optimizer(params, **arguments)
    result = []
    for G in gradients:
        opt.step(G)
        result.append({name: x.copy() for name, x in params.items()})
    return result


def assert_equal_paths(actual: list[Blocks], expected: list[Blocks], tolerance: float) -> None:
    """Largest difference of any entry at any step."""
    for t, (got, wanted) in enumerate(zip(actual, expected, strict=True)):
        for name in wanted:
            np.testing.assert_allclose(
                got[name], wanted[name], rtol=0, atol=tolerance, err_msg=f"{name}, step {t}"
            )


@pytest.mark.parametrize("decay", DECAYS)
@pytest.mark.parametrize("nesterov", [False, True])
@pytest.mark.parametrize("momentum", [0.0, 0.95])
def test_muon_in_float64(momentum: float, nesterov: bool, decay: str) -> None:
    """The published rule, without its eps, to rounding: the five steps amplify small singular values 3.4445^5 times."""
    W, gradients = problem(0)
    amplification = 3.4445**5
    for weight_decay, scale in itertools.product((0.0, 0.1), ("original", "match_rms_adamw", 0.7)):
        hyper = {
            "lr": 0.02,
            "momentum": momentum,
            "nesterov": nesterov,
            "weight_decay": weight_decay,
            "decay": decay,
            "scale": scale,
        }
        expected = blockwise(
            recipes.muon, W, gradients, orthogonalize=partial(recipes.iterate, steps=MUON_STEPS), **hyper
        ).weights
        actual = run(st.Muon, W, gradients, **hyper)
        assert_equal_paths(actual, expected, 4 * STEPS * np.finfo(float).eps * amplification * 0.02 + 1e-14)


@pytest.mark.parametrize("shape", [(1, 4), (4, 1), (2, 2), (3, 7), (64, 64), (200, 30), (128, 300)])
@pytest.mark.parametrize("kind", ["gaussian", "ill_conditioned", "rank_one", "integer_deficient"])
def test_direction_of_muon_in_float32(shape: tuple[int, int], kind: str) -> None:
    """Largest entry of the difference to the literal rule, run in float64, at most 1e-5."""
    G = make(kind, *shape, np.float32)
    W = np.zeros(shape, dtype=np.float32)
    opt = st.Muon([W], lr=1.0, scale="none")
    opt.step([G])
    u = (1 - 0.95**2) * G.astype(np.float64)
    assert np.abs(-W - recipes.iterate(u, MUON_STEPS)).max() <= 1e-5


def test_muon_in_float32_over_many_steps() -> None:
    """The trajectory stays within lr times the promised 1e-5 per step, and the rounding of the weights."""
    W, gradients = problem(1, np.float32)
    expected = blockwise(
        recipes.muon,
        {i: x.astype(np.float64) for i, x in W.items()},
        [{i: x.astype(np.float64) for i, x in G.items()} for G in gradients],
        orthogonalize=partial(recipes.iterate, steps=MUON_STEPS),
    ).weights
    largest = max(float(np.abs(x).max()) for W in expected for x in W.values())
    assert_equal_paths(
        run(st.Muon, W, gradients), expected, STEPS * (0.02 * 1.5 * 1e-5 + np.finfo(np.float32).eps * largest)
    )


@pytest.mark.parametrize(
    ("name", "reference", "factor"),
    [
        ("simple_quintic", PUBLISHED["simple_quintic"], 1.0),
        ("you_jiacheng_5", PUBLISHED["you_5"], 1.0),
        ("polar_express", PUBLISHED["polar_express_safe_8"], 1.01),
        ("polar_express_dion", PUBLISHED["polar_express_dion"], 1.02),
    ],
)
def test_coefficients(name: str, reference: Any, factor: float) -> None:
    """`coefficients` and `steps` choose the published iteration, with its own division of the input."""
    W, gradients = problem(2, steps=4)
    steps = len(reference)
    expected = blockwise(
        recipes.muon,
        W,
        gradients,
        orthogonalize=partial(recipes.iterate, steps=reference, factor=factor),
    ).weights
    actual = run(st.Muon, W, gradients, coefficients=name, steps=steps)
    amplification = float(np.prod([a for a, _, _ in reference]))
    assert_equal_paths(actual, expected, 16 * np.finfo(float).eps * amplification * 0.02 + 1e-14)


@pytest.mark.parametrize("scale", sorted(recipes.SHAPE_FACTORS))
def test_muon_with_exact_polar_factor(scale: str) -> None:
    """With backend="svd" the direction is U V', so Muon is Schattor at p = inf with the ball rule."""
    W, gradients = problem(3)
    expected = blockwise(recipes.muon, W, gradients, scale=scale).weights
    assert_equal_paths(run(st.Muon, W, gradients, scale=scale, backend="svd"), expected, 1e-11)
    same = run(
        st.Schattor,
        W,
        gradients,
        p=np.inf,
        lr=0.02,
        momentum=0.95,
        momentum_init="zero",
        nesterov=True,
        scale=scale,
    )
    assert_equal_paths(same, expected, 1e-11)


def test_newton_schulz_backend_converges_to_the_polar_factor() -> None:
    """backend="newton_schulz" is the convergent iteration, to the accuracy of the exact rule."""
    W, gradients = problem(4)
    expected = blockwise(recipes.muon, W, gradients).weights
    assert_equal_paths(run(st.Muon, W, gradients, backend="newton_schulz"), expected, 1e-10)


def test_heavy_ball_and_average_agree_without_length() -> None:
    """The buffers are proportional, so a rule of degree 0 takes the same path with either."""
    W, gradients = problem(5)
    literal = blockwise(recipes.muon, W, gradients, kind="heavy_ball").weights
    assert_equal_paths(run(st.Muon, W, gradients, backend="svd"), literal, 1e-11)


def test_presets() -> None:
    """Each preset has its source's lr, decay and scale; optax's momentum is debiased."""
    W, gradients = problem(6)
    iteration = partial(recipes.iterate, steps=MUON_STEPS)
    muon = st.recipes.muon
    cases: list[tuple[st.Recipe, dict[str, Any]]] = [
        (muon(), {"lr": 0.02, "weight_decay": 0.0, "scale": "original"}),
        (muon.torch(), {"lr": 1e-3, "weight_decay": 0.1, "scale": "original"}),
        (muon.torch(scale="match_rms_adamw"), {"lr": 1e-3, "weight_decay": 0.1, "scale": "match_rms_adamw"}),
        (
            muon.moonlight(),
            {"lr": 1e-3, "weight_decay": 0.1, "scale": "match_rms_adamw", "kind": "heavy_ball"},
        ),
        (muon.optax(lr=0.03), {"lr": 0.03, "kind": "debiased"}),
        (muon.optax(lr=0.03, nesterov=False), {"lr": 0.03, "nesterov": False, "kind": "debiased"}),
    ]
    for recipe, hyper in cases:
        expected = blockwise(recipes.muon, W, gradients, orthogonalize=iteration, **hyper).weights
        params = {name: x.copy() for name, x in W.items()}
        opt = st.Optimizer(params, recipe)
        for G, wanted in zip(gradients, expected, strict=True):
            opt.step(G)
            for name in wanted:
                np.testing.assert_allclose(params[name], wanted[name], rtol=0, atol=1e-11)


@pytest.mark.parametrize("decay", DECAYS)
@pytest.mark.parametrize("kind", ["ema", "heavy_ball"])
@pytest.mark.parametrize("init", ["zero", "first"])
def test_polar_grad(init: str, kind: str, decay: str) -> None:
    """Polar factor of the momentum times its nuclear norm, for every start, buffer and decay."""
    W, gradients = problem(7)
    for momentum, nesterov in ((0.0, False), (0.9, False), (0.9, True)):
        hyper = {
            "lr": 0.01,
            "momentum": momentum,
            "nesterov": nesterov,
            "momentum_kind": kind,
            "momentum_init": init,
            "weight_decay": 0.1,
            "decay": decay,
        }
        expected = blockwise(recipes.polar_grad, W, gradients, **hyper).weights
        assert_equal_paths(run(st.PolarGrad, W, gradients, **hyper), expected, 1e-11)


def test_polar_grad_defaults_and_float32() -> None:
    """Momentum 0.95 from zero, no Nesterov, no decay; float32 follows within its rounding times the condition."""
    W, gradients = problem(8, np.float32)
    doubles = [{i: x.astype(np.float64) for i, x in G.items()} for G in gradients]
    path = blockwise(recipes.polar_grad, {i: x.astype(np.float64) for i, x in W.items()}, doubles, lr=0.02)
    spectra = [np.linalg.svd(M, compute_uv=False) for blocks in path.estimates for M in blocks.values()]
    amplification = max(s[0] / s[-1] * s.sum() for s in spectra)
    actual = run(st.PolarGrad, W, gradients, lr=0.02)
    tolerance = 16 * STEPS * np.finfo(np.float32).eps * (3 + 0.02 * amplification)
    assert_equal_paths(actual, path.weights, float(tolerance))


def test_orthogonal_minimum_in_one_step() -> None:
    """On f = ||W||_F^2 / 2 with lr = 1/k and no momentum the new singular values are |s_i - mean(s)|."""
    W = make("moderate", 6, 4, np.float64)
    s = np.linalg.svd(W, compute_uv=False)
    st.PolarGrad([W], lr=0.25, momentum=0.0).step([W.copy()])
    new = np.linalg.svd(W, compute_uv=False)
    np.testing.assert_allclose(new, np.sort(np.abs(s - s.mean()))[::-1], rtol=0, atol=1e-13)


def test_shape_factors() -> None:
    """0.2 sqrt(max) makes the RMS of a full-rank polar factor 0.2; "original" is 2 at 8 x 2 and 1 at 2 x 8."""
    rng = np.random.default_rng(9)
    for shape, original in (((8, 2), 2.0), ((2, 8), 1.0), ((5, 5), 1.0)):
        G = rng.standard_normal(shape)
        for scale, factor in (("original", original), ("spectral", np.sqrt(shape[0] / shape[1]))):
            D = st.Muon([np.zeros(shape)], lr=1.0, scale=scale, backend="svd").update([G])[0]
            assert np.linalg.norm(D, 2) == pytest.approx(factor, rel=1e-13)
        D = st.Muon([np.zeros(shape)], lr=1.0, scale="match_rms_adamw", backend="svd").update([G])[0]
        assert np.sqrt((D**2).mean()) == pytest.approx(0.2, rel=1e-13)
