"""Layer-wise methods against their literal rules, and the identities that their sheets list."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
from reference import layerwise, recipes
from reference.matrices import make
from reference.newton_schulz import MUON, SIMPLE_QUINTIC

import schattor as st

SHAPES = [(6, 4), (3, 5), (4, 4)]
DECAYS = ["decoupled", "l2", "independent", "cautious"]
STEPS = 8
EPS = float(np.finfo(float).eps)
r = st.recipes


def problem(shape: tuple[int, ...], scale: float = 1.0, seed: int = 0) -> tuple[np.ndarray, list[np.ndarray]]:
    """Weights and gradients."""
    rng = np.random.default_rng(seed)
    return rng.standard_normal(shape), [scale * rng.standard_normal(shape) for _ in range(STEPS)]


def path(recipe: st.Recipe, W: np.ndarray, gradients: list[np.ndarray], **options: Any) -> list[np.ndarray]:
    """Weights after each step."""
    W = W.copy()
    opt = st.Optimizer(W, recipe, **options)
    result = []
    for G in gradients:
        opt.step(G)
        result.append(W.copy())
    return result


def falling(lr: float) -> Callable[[int], float]:
    """A schedule."""
    return lambda step: lr / (1 + step)


def assert_literal(
    recipe: st.Recipe,
    loop: Callable[..., recipes.Path],
    shape: tuple[int, ...],
    scale: float,
    hyper: dict[str, Any],
    seed: int = 0,
    **options: Any,
) -> None:
    """Equal paths.

    Polar factors of these matrices, and quotients by their entries, are conditioned no worse than 1e3: steps of
    order one differ by at most 1e3 eps each.
    """
    W, gradients = problem(shape, scale, seed)
    wanted = loop(W, gradients, **hyper).weights
    got = path(recipe, W, gradients, **options)
    np.testing.assert_allclose(got, wanted, rtol=0, atol=1e3 * STEPS * EPS * max(1.0, np.abs(wanted).max()))


def renamed(hyper: dict[str, Any]) -> dict[str, Any]:
    """The recipe's arguments as those of the loop."""
    return {("momentum_" if key == "momentum" else key): value for key, value in hyper.items()}


def decided(shape: tuple[int, ...], hyper: dict[str, Any]) -> int:
    """Return a seed for which no entry of AdaMuon's steps is zero but for rounding.

    Polar factors of signs may have such entries, and cautious decay asks for the sign of them.
    """
    without = {**renamed(hyper), "weight_decay": 0.0, "decay": "decoupled"}
    for seed in range(100):
        W, gradients = problem(shape, 1.0, seed)
        steps = np.diff([W, *layerwise.adamuon(W, gradients, **without).weights], axis=0)
        if np.abs(steps).min() > 1e-9:
            return seed
    raise AssertionError(f"no such seed for {shape}")


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("decay", DECAYS)
@pytest.mark.parametrize("nesterov", [False, True])
def test_orthogonalised_methods(nesterov: bool, decay: str, shape: tuple[int, int], scale: float) -> None:
    """NorMuon and AdaMuon with the exact polar factor, under schedules of everything that takes one."""
    common = {"lr": falling(0.3), "momentum": lambda t: 0.7 + 0.02 * t, "nesterov": nesterov}
    hyper = {**common, "beta2": lambda t: 0.9 - 0.05 * t, "weight_decay": 0.2, "decay": decay}
    assert_literal(r.normuon(**hyper), layerwise.normuon, shape, scale, renamed(hyper), backend="svd")
    hyper = {**common, "eps": 1e-3, "weight_decay": lambda t: 0.1 * t, "decay": decay}
    assert_literal(
        r.adamuon(**hyper),
        layerwise.adamuon,
        shape,
        scale,
        renamed(hyper),
        decided(shape, hyper),
        backend="svd",
    )


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_orthogonalised_methods_with_newton_schulz(shape: tuple[int, int]) -> None:
    """The iterations of their sources, by default and chosen."""
    muon = partial(recipes.iterate, steps=(MUON,) * 5)
    assert_literal(r.normuon(), layerwise.normuon, shape, 1.0, {"orthogonalize": muon})
    assert_literal(r.adamuon(), layerwise.adamuon, shape, 1.0, {"orthogonalize": muon})
    simple = partial(recipes.iterate, steps=(SIMPLE_QUINTIC,) * 7)
    chosen = r.normuon(coefficients="simple_quintic", steps=7)
    assert_literal(chosen, layerwise.normuon, shape, 1.0, {"orthogonalize": simple})


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_normuon_rows(shape: tuple[int, int]) -> None:
    """Without memory all rows are equally long; the first step does not depend on beta2; Muon's length is kept."""
    W, gradients = problem(shape)
    at_once = path(r.normuon(lr=1.0, beta2=0.0), W, gradients[:1])[0] - W
    lengths = np.linalg.norm(at_once, axis=1)
    np.testing.assert_allclose(
        lengths, lengths.mean(), rtol=1e-8
    )  # the eps of 1e-10 beside roots of 0.1 to 1
    remembering = path(r.normuon(lr=1.0, beta2=0.99), W, gradients[:1])[0] - W
    np.testing.assert_allclose(at_once, remembering, rtol=0, atol=1e-8)
    zero = np.zeros(shape)
    muon, normuon = st.Optimizer(zero, r.muon(lr=1.0)), st.Optimizer(zero.copy(), r.normuon(lr=1.0))
    for G in gradients:
        assert np.linalg.norm(normuon.update(G)) == pytest.approx(np.linalg.norm(muon.update(G)), rel=1e-12)


def test_normuon_is_muon_for_wide_matrices() -> None:
    """The rows of an exact polar factor of a wide matrix of full rank have length one."""
    W, gradients = problem((3, 7))
    muon, normuon = r.muon(lr=0.3, weight_decay=0.1), r.normuon(lr=0.3, weight_decay=0.1)
    got, wanted = path(normuon, W, gradients, backend="svd"), path(muon, W, gradients, backend="svd")
    np.testing.assert_allclose(got, wanted, rtol=0, atol=1e-12)


def test_adamuon_first_step_and_length() -> None:
    """Entries of 0.2 at first, always of that root mean square; the first step sees signs alone."""
    _, gradients = problem((6, 4))
    exact = partial(r.adamuon, lr=1.0, eps=0.0, weight_decay=0.0)
    opt = st.Optimizer(np.zeros((6, 4)), exact(), backend="svd")
    first = opt.update(gradients[0])
    np.testing.assert_allclose(np.abs(first), 0.2, rtol=1e-12)
    np.testing.assert_array_equal(np.sign(first), -np.sign(layerwise.polar(np.sign(gradients[0]))))
    for G in gradients[1:]:
        assert np.sqrt((opt.update(G) ** 2).mean()) == pytest.approx(0.2, rel=1e-12)
    D = np.random.default_rng(5).uniform(0.1, 10, (6, 4))
    scaled = st.Optimizer(np.zeros((6, 4)), exact(), backend="svd").update(D * gradients[0])
    np.testing.assert_array_equal(scaled, first)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_schedule_free_normuon(shape: tuple[int, int]) -> None:
    """The literal rule, and its point to evaluate: the mean of the iterates z at a constant lr."""
    hyper = {
        "lr": lambda t: 0.1 * min(1, (t + 1) / 4),
        "beta": 0.8,
        "momentum": 0.6,
        "beta2": 0.7,
        "weight_decay": 0.1,
    }
    assert_literal(
        r.schedule_free_normuon(**hyper),
        layerwise.schedule_free_normuon,
        shape,
        1.0,
        renamed(hyper),
        backend="svd",
    )
    W, gradients = problem(shape)
    opt = st.Optimizer(W.copy(), r.schedule_free_normuon(lr=0.1), backend="svd")
    bases = []
    for G in gradients:
        opt.step(G)
        bases.append(opt.state_dict()["state/0/base"])
        np.testing.assert_allclose(opt.evaluation_params(), np.mean(bases, axis=0), rtol=0, atol=1e-13)
    wanted = layerwise.schedule_free_normuon(W, gradients, lr=0.1).estimates
    np.testing.assert_allclose(opt.evaluation_params(), wanted[-1], rtol=0, atol=1e-11)


def test_schedule_free_normuon_without_memory() -> None:
    """With beta2 = 0 the step of z is the row-normalised polar factor, at root mean square 0.2 lr."""
    _, gradients = problem((6, 4))
    opt = st.Optimizer(np.zeros((6, 4)), r.schedule_free_normuon(lr=0.5, beta2=0.0), backend="svd")
    opt.step(gradients[0])
    rows = recipes.lines_to_length_one(layerwise.polar(gradients[0]), 1)
    wanted = -0.5 * 0.2 * math.sqrt(24) / np.linalg.norm(rows) * rows
    np.testing.assert_allclose(
        opt.evaluation_params(), wanted, rtol=0, atol=1e-9
    )  # eps of 1e-10 in the roots


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
@pytest.mark.parametrize("shape", [*SHAPES, (7,), ()], ids=str)
@pytest.mark.parametrize("decay", DECAYS)
@pytest.mark.parametrize("nesterov", [False, True])
def test_lars(nesterov: bool, decay: str, shape: tuple[int, ...], scale: float) -> None:
    """The literal rule; the lr of each step stays with its gradient in the buffer."""
    hyper = {
        "lr": falling(2.0),
        "momentum": 0.7,
        "nesterov": nesterov,
        "trust_coefficient": 0.05,
        "weight_decay": 0.2,
        "decay": decay,
    }
    assert_literal(r.lars(**hyper), layerwise.lars, shape, scale, renamed(hyper))


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
@pytest.mark.parametrize("shape", [*SHAPES, (7,), ()], ids=str)
@pytest.mark.parametrize("largest_norm", [math.inf, 0.5])
def test_lamb(largest_norm: float, shape: tuple[int, ...], scale: float) -> None:
    """The literal rule, decay inside of the direction."""
    hyper = {"lr": falling(0.5), "betas": (0.8, lambda t: 0.9 + 0.01 * t), "eps": 1e-4, "weight_decay": 0.3}
    hyper["largest_norm"] = largest_norm
    assert_literal(r.lamb(**hyper), layerwise.lamb, shape, scale, hyper)


def test_lengths_of_lars_and_lamb() -> None:
    """A step of LARS without momentum is lr c ||W|| long, one of LAMB lr min(||W||, limit)."""
    W, gradients = problem((6, 4))
    size = np.linalg.norm(W)
    for recipe, wanted in (
        (r.lars(lr=0.3, momentum=0.0, trust_coefficient=0.01, weight_decay=2.0), 0.003 * size),
        (r.lamb(lr=0.3, weight_decay=2.0), 0.3 * size),
        (r.lamb(lr=0.3, largest_norm=1.5), 0.45),
    ):
        opt = st.Optimizer(W.copy(), recipe)
        for G in gradients:
            assert np.linalg.norm(opt.update(G)) == pytest.approx(wanted, rel=1e-12)
            assert opt.report["0"].update_rms == pytest.approx(wanted / math.sqrt(24), rel=1e-12)


def test_lars_from_zero_is_sgd() -> None:
    """Zero weights have no norm to follow: the ratio is one, for LAMB as well."""
    _, gradients = problem((6, 4))
    lars = st.Optimizer(np.zeros((6, 4)), r.lars(lr=0.3))
    sgd = st.Optimizer(np.zeros((6, 4)), r.sgd(lr=0.3, momentum=0.9))
    lamb = st.Optimizer(np.zeros((6, 4)), r.lamb(lr=0.3))
    adam = st.Optimizer(np.zeros((6, 4)), r.adam(lr=0.3, eps=1e-6))
    for G in gradients:
        np.testing.assert_allclose(lars.update(G), sgd.update(G), rtol=1e-13)
        np.testing.assert_allclose(lamb.update(G), adam.update(G), rtol=1e-13)


def test_first_step_of_lamb() -> None:
    """W - lr ||W|| sign(G) / sqrt(mn)."""
    W, gradients = problem((6, 4))
    opt = st.Optimizer(W.copy(), r.lamb(lr=0.1, eps=0.0))
    wanted = -0.1 * np.linalg.norm(W) / math.sqrt(24) * np.sign(gradients[0])
    np.testing.assert_allclose(opt.update(gradients[0]), wanted, rtol=1e-12)


def test_decay_of_lamb_without_gradients() -> None:
    """Where only the decay is left, it is the direction: a step of lr ||W|| towards zero."""
    W, _ = problem((6, 4))
    opt = st.Optimizer(W.copy(), r.lamb(lr=0.1, weight_decay=0.7))
    np.testing.assert_allclose(opt.update(np.zeros((6, 4))), -0.1 * W, rtol=1e-12)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_trust_ratio_over_the_range(dtype: type) -> None:
    """Gradients near the ends of the dtype give the direction of others, at the length of the weights."""
    info = np.finfo(dtype)
    W = np.array([3, 4], dtype=dtype)
    for size in (4 * info.tiny, 1.0, info.max / 4):
        opt = st.Optimizer(W.copy(), r.lars(lr=1.0, momentum=0.0, trust_coefficient=0.1))
        D = opt.update(np.array([size, -size], dtype=dtype))
        np.testing.assert_allclose(D, [-(0.125**0.5), 0.125**0.5], rtol=8 * info.eps)


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("decay", DECAYS)
@pytest.mark.parametrize("nesterov", [False, True])
def test_mano(nesterov: bool, decay: str, shape: tuple[int, int], scale: float) -> None:
    """The literal rule."""
    hyper = {"lr": falling(0.5), "momentum": 0.7, "nesterov": nesterov, "weight_decay": 0.2, "decay": decay}
    assert_literal(r.mano(**hyper), layerwise.mano, shape, scale, renamed(hyper))


def test_lines_of_mano() -> None:
    """Columns, then rows: steps across the lines of W, all of them of length 0.2 lr sqrt(their length)."""
    W, gradients = problem((6, 4))
    opt = st.Optimizer(W, r.mano(lr=0.1, weight_decay=0.0))
    for t, G in enumerate(gradients):
        before, axis = W.copy(), t % 2
        opt.step(G)
        D = W - before
        np.testing.assert_allclose((D * before).sum(axis), 0, atol=16 * EPS)
        np.testing.assert_allclose(np.linalg.norm(D, axis=axis), 0.02 * math.sqrt(W.shape[axis]), rtol=1e-13)
        assert np.sqrt((D**2).mean()) == pytest.approx(0.02, rel=1e-13)


def test_zero_lines_of_mano() -> None:
    """A zero line of W leaves that of the momentum; a gradient along W leaves nothing."""
    opt = st.Optimizer(np.diag([2.0, 0.0]), r.mano(lr=1.0, weight_decay=0.0))
    D = opt.update(np.array([[3.0, 1.0], [0.0, 0.0]]))
    np.testing.assert_allclose(D, [[0.0, -0.2 * math.sqrt(2)], [0.0, 0.0]], rtol=1e-15)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("nesterov", [False, True])
def test_muon_hyperball(nesterov: bool, shape: tuple[int, int]) -> None:
    """The literal rule with both iterations of the public codes, and the norm to rounding."""
    for name, iteration in (("simple_quintic", (SIMPLE_QUINTIC,) * 12), ("muon", (MUON,) * 5)):
        hyper = {"lr": falling(0.5), "momentum": 0.7, "nesterov": nesterov}
        orthogonalize = partial(recipes.iterate, steps=iteration)
        assert_literal(
            r.muon_hyperball(**hyper, coefficients=name),
            layerwise.muon_hyperball,
            shape,
            1.0,
            {**renamed(hyper), "orthogonalize": orthogonalize},
        )
    W, gradients = problem(shape)
    for x in path(r.muon_hyperball(lr=0.5), W, gradients):
        assert np.linalg.norm(x) == pytest.approx(np.linalg.norm(W), rel=4 * EPS)


INNER: dict[str, tuple[st.Recipe, Callable[..., recipes.Path], dict[str, Any]]] = {
    "sgd": (r.sgd(lr=0.1, momentum=0.8), recipes.sgd, {"momentum": 0.8}),
    "adamw": (r.adamw(lr=0.1, weight_decay=0.0), recipes.adamw, {"weight_decay": 0.0}),
    "lion": (r.lion(lr=0.1), recipes.lion, {}),
}


@pytest.mark.parametrize("shape", [(6, 4), (7,)], ids=str)
@pytest.mark.parametrize("name", INNER)
def test_hyperball_round_others(name: str, shape: tuple[int, ...]) -> None:
    """Their displacements, whatever their length, on the sphere."""
    recipe, loop, hyper = INNER[name]
    W, gradients = problem(shape)
    got = path(r.hyperball(recipe), W, gradients)
    radius, x = np.linalg.norm(W), W
    plain = [W, *loop(W, gradients, lr=1.0, **hyper).weights]  # none of them reads the weights
    for t, (before, after) in enumerate(itertools.pairwise(plain)):
        x = layerwise.on_hypersphere(x, before - after, 0.1, float(radius))
        np.testing.assert_allclose(got[t], x, rtol=0, atol=1e-12)


def test_angle_of_a_small_step_on_the_sphere() -> None:
    """lr sqrt(1 - cos^2) to first order; a step along the weights leaves them; its scale does not matter."""
    W, gradients = problem((6, 4))
    u = gradients[0]
    for lr in (1e-4, 1e-5):
        x = path(r.hyperball(r.sgd(lr=lr)), W, [u])[0]
        cosine = float((u * W).sum() / (np.linalg.norm(u) * np.linalg.norm(W)))
        angle = 2 * math.asin(np.linalg.norm(x - W) / (2 * np.linalg.norm(W)))
        assert angle == pytest.approx(lr * math.sqrt(1 - cosine**2), rel=2 * lr)
    for along in (W, -W):
        np.testing.assert_allclose(path(r.hyperball(r.sgd(lr=0.5)), W, [along])[0], W, rtol=4 * EPS)
    np.testing.assert_array_equal(
        path(r.hyperball(r.sgd(lr=1.0)), np.ones((2, 2)), [np.ones((2, 2))])[0], 1.0
    )
    one = path(r.hyperball(r.sgd(lr=0.1)), W, gradients)
    other = path(r.hyperball(r.sgd(lr=0.1)), W, [1e-30 * G for G in gradients])
    np.testing.assert_allclose(one, other, rtol=0, atol=1e-13)


def test_radius_of_the_sphere_is_kept_in_double() -> None:
    """After a thousand steps in float32 the norm is the first one to a rounding of the dtype."""
    rng = np.random.default_rng(6)
    W = rng.standard_normal((8, 8)).astype(np.float32)
    radius = np.linalg.norm(W.astype(float))
    opt = st.Optimizer(W, r.hyperball(r.sgd(lr=0.1)))
    for _ in range(1000):
        opt.step(rng.standard_normal((8, 8)).astype(np.float32))
    saved = opt.state_dict()["state/0/radius"]
    assert saved.dtype == np.float64
    assert saved == pytest.approx(radius, rel=1e-14)
    assert np.linalg.norm(W.astype(float)) == pytest.approx(radius, rel=4 * float(np.finfo(np.float32).eps))
    before = W.astype(float)
    opt.step(rng.standard_normal((8, 8)).astype(np.float32))
    moved = np.linalg.norm(W - before)
    assert opt.report["0"].update_rms == pytest.approx(moved / 8, rel=1e-6)


def test_what_the_sphere_refuses() -> None:
    """Zero weights, by name, also of a block that joins later; decay beside the step; a second update."""
    with pytest.raises(ValueError, match="'zero' is zero"):
        st.MuonHyperball({"W": np.ones((2, 2)), "zero": np.zeros((2, 2))})
    opt = st.MuonHyperball({"W": np.ones((2, 2))})
    with pytest.raises(ValueError, match="'late' is zero"):
        opt.add_block("late", np.zeros((2, 2)))
    assert list(opt.params) == ["W"]
    with pytest.raises(ValueError, match="adamw must have neither decay"):
        r.hyperball(r.adamw(lr=0.1, weight_decay=0.1))
    with pytest.raises(ValueError, match="neither decay"):
        r.hyperball(r.hyperball(r.sgd(lr=0.1)))
    with pytest.raises(ValueError, match="already averages"):
        r.schedule_free(r.hyperball(r.sgd(lr=0.1)))


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("nesterov", [False, True])
@pytest.mark.parametrize("weight_decay", [0.0, 0.3])
def test_muown(weight_decay: float, nesterov: bool, shape: tuple[int, int], scale: float) -> None:
    """The literal rule; some magnitudes change their sign on the way."""
    hyper = {
        "lr": falling(0.9),
        "momentum": 0.7,
        "nesterov": nesterov,
        "betas": (0.6, lambda t: 0.8 + 0.01 * t),
        "eps": 1e-5,
        "weight_decay": weight_decay,
    }
    assert_literal(r.muown(**hyper), layerwise.muown, shape, scale, renamed(hyper), backend="svd")


def test_muown_keeps_magnitudes_and_directions_apart() -> None:
    """Rows are as long as their magnitudes; where these stand still, only directions move, and the other way round."""
    W, gradients = problem((6, 4))
    first = np.linalg.norm(W, axis=1)
    opt = st.Optimizer({"W": W.copy()}, r.muown(lr=0.1))
    for G in gradients:
        opt.step({"W": G})
        state = opt.state_dict()
        lengths = np.linalg.norm(opt.params["W"], axis=1)
        np.testing.assert_allclose(lengths, np.abs(state["state/W/magnitude"][:, 0]), rtol=1e-14)
    for x in path(r.muown(lr=0.1, eps=1e300), W, gradients):  # magnitudes do not move
        np.testing.assert_allclose(np.linalg.norm(x, axis=1), first, rtol=1e-14)
    along = np.linspace(1, 2, 6)[:, None] * W  # rows along those of the weights: nothing for the directions
    for x in path(r.muown(lr=0.1), W, [along])[:1]:
        cosines = (x * W).sum(1) / (np.linalg.norm(x, axis=1) * first)
        moved = np.linalg.norm(x, axis=1)
        np.testing.assert_allclose(moved, first - 0.1, rtol=1e-7)  # Adam's first step
        assert cosines.min() > 0.9, "what is left of the direction's gradient is rounding"


def test_gradient_of_the_direction_is_tangent() -> None:
    """The rows of dv, all that the average without memory holds, are orthogonal to those of v."""
    W, gradients = problem((6, 4))
    opt = st.Optimizer({"W": W}, r.muown(lr=0.1, momentum=0.0))
    for G in gradients:
        v = W.copy()
        opt.step({"W": G})
        M = opt.state_dict()["state/W/average"]
        np.testing.assert_allclose((M * v).sum(1), 0, atol=64 * EPS * np.abs(M).max())


def test_zero_rows_of_muown() -> None:
    """They stay without a gradient, and leave zero with one: their direction at once, their magnitude from then on."""
    W = np.array([[3.0, 4.0], [0.0, 0.0]])
    opt = st.Optimizer({"W": W}, r.muown(lr=0.1))
    opt.step({"W": np.zeros((2, 2))})
    np.testing.assert_array_equal(W, [[3, 4], [0, 0]])
    opt.step({"W": np.array([[0.0, 0.0], [1.0, 0.0]])})
    np.testing.assert_allclose(W[1], [-1e-12, 0], rtol=1e-12)
    for _ in range(5):
        opt.step({"W": np.array([[0.0, 0.0], [1.0, 0.0]])})
    assert W[1, 0] < -0.1
    np.testing.assert_array_equal(W[0], [3, 4])


def test_pulled_gradients_that_are_too_large() -> None:
    """A row that is much longer than its v multiplies its gradient: refused where the product leaves the dtype."""
    W = np.full((2, 2), 1e30, dtype=np.float32)
    opt = st.Optimizer({"W": W}, r.muown(lr=1e-3))
    opt.step({"W": np.ones((2, 2), dtype=np.float32)})
    saved = opt.state_dict()
    saved["state/W/direction_norm"][...] = 1e-8
    opt.load_state_dict(saved)
    with pytest.raises(ValueError, match="'W' reaches"):
        opt.step({"W": np.ones((2, 2), dtype=np.float32)})
    for key, value in opt.state_dict().items():
        np.testing.assert_array_equal(value, saved[key])


ROW_WISE = {
    "normuon": (r.normuon(lr=0.1), layerwise.normuon, {"lr": 0.1}),
    "mano": (r.mano(lr=0.1), layerwise.mano, {"lr": 0.1}),
    "muown": (r.muown(lr=0.1), layerwise.muown, {"lr": 0.1}),
}


@pytest.mark.parametrize("name", ROW_WISE)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_blocks_stored_as_in_out(shape: tuple[int, int], name: str) -> None:
    """Rows are those of the (out, in) matrix, also where its transpose is stored; turned steps are others."""
    recipe, loop, hyper = ROW_WISE[name]
    W, gradients = problem(shape)
    wanted = loop(W, gradients, **hyper).weights
    stored = np.array(W.T, order="C")
    turned = path(recipe, stored, [G.T for G in gradients], views={"0": st.views.transposed()}, backend="svd")
    np.testing.assert_allclose([x.T for x in turned], wanted, rtol=0, atol=1e-11)
    plain = path(recipe, stored, [G.T for G in gradients], backend="svd")
    alike = (
        name == "normuon" and shape[0] == shape[1]
    )  # rows and columns of an orthogonal matrix are equally long
    assert alike or np.abs(np.array([x.T for x in plain]) - wanted).max() > 1e-3


@pytest.mark.parametrize("kind", ["rank_one", "integer_deficient", "zero"])
@pytest.mark.parametrize("name", ["normuon", "adamuon", "mano", "muown"])
def test_degenerate_gradients(name: str, kind: str) -> None:
    """Finite steps; rows that have no gradient stay where the rule sees rows."""
    G = np.zeros((6, 4)) if kind == "zero" else make(kind, 6, 4, np.float64)
    G[2] = 0.0
    W, _ = problem((6, 4))
    before = W.copy()
    opt = st.Optimizer(W, getattr(r, name)(lr=0.1, weight_decay=0.0))
    for _ in range(3):
        opt.step(G)
        assert np.isfinite(W).all()
    if name in ("normuon", "muown"):
        np.testing.assert_allclose(W[2], before[2], rtol=1e-13)


def test_wrong_values() -> None:
    """Each message names the argument and what was expected."""
    for make_part, match in (
        (lambda: st.parts.RowMoment(1.0), "beta"),
        (lambda: st.parts.RowMoment(eps=-1.0), "eps"),
        (lambda: st.parts.EntryMoment(beta=-0.1), "beta"),
        (lambda: st.parts.RootMeanSquare(0.0), "value"),
        (lambda: st.parts.TrustRatio(-1.0), "coefficient"),
        (lambda: st.parts.TrustRatio(limit=0.0), "limit"),
        (lambda: st.parts.TangentProjection(lambda t: 0, ("diagonals",)), "diagonals"),
        (lambda: st.parts.DecayInDirection(-1.0), "weight_decay"),
        (lambda: r.muown(weight_decay=-1.0), "weight_decay"),
        (lambda: r.lamb(betas=(0.9, 1.0)), "betas"),
    ):
        with pytest.raises(ValueError, match=match):
            make_part()
