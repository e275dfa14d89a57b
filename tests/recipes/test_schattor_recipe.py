"""Algorithms 1 to 4 through `schattor.Schattor`, in every variation, against literal loops."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from reference import recipes
from reference.oracles import conjugate
from reference.recipes import Blocks, Path

import schattor as st

STEPS = 10
LR = 0.05
EXPONENTS = [1.0, 1.5, 2.0, 3.0, 4.0, np.inf]
OUTER = [1.0, 1.5, 2.0, 3.0, np.inf]
RULES = ["ball", "regularization"]
SHAPES: dict[str, tuple[int, ...]] = {"tall": (6, 4), "wide": (3, 5), "square": (4, 4), "v": (5,)}
DEFAULT_OUTER = {"ball": np.inf, "regularization": 2.0}


def problem(
    seed: int, dtype: type = np.float64, shapes: Mapping[str, tuple[int, ...]] = SHAPES
) -> tuple[Blocks, list[Blocks]]:
    """Weights, and gradients with a common part, so that averages stay clear of zero and of rank loss."""
    rng = np.random.default_rng(seed)

    def draw(scale: float) -> Blocks:
        return {i: (scale * rng.standard_normal(shape)).astype(dtype) for i, shape in shapes.items()}

    W, mean = draw(1.0), draw(1.0)
    return W, [{i: mean[i] + x for i, x in draw(0.3).items()} for _ in range(STEPS)]


def run(W: Blocks, gradients: list[Blocks], **arguments: Any) -> list[Blocks]:
    """Weights after each step of Schattor; blocks that a step lacks get None."""
    params = {i: x.copy() for i, x in W.items()}
    opt = st.Schattor(params, **arguments)
    result = []
    for G in gradients:
        opt.step({i: G.get(i) for i in W})
        result.append({i: x.copy() for i, x in params.items()})
    return result


def uniform(p: Any) -> dict[str, tuple[str, Any]]:
    """One Schatten exponent for all blocks."""
    return dict.fromkeys(SHAPES, ("schatten", p))


def assert_equal_paths(actual: list[Blocks], path: Path, tolerance: float = 1e-11) -> None:
    """Largest difference of any entry at any step."""
    for t, (got, wanted) in enumerate(zip(actual, path.weights, strict=True)):
        for i in wanted:
            np.testing.assert_allclose(got[i], wanted[i], rtol=0, atol=tolerance, err_msg=f"{i}, step {t}")


@pytest.mark.parametrize("p", EXPONENTS)
@pytest.mark.parametrize("rule", RULES)
def test_one_block(rule: str, p: float) -> None:
    """Algorithms 1 and 2 at every exponent, momentum and decay, for a tall, a wide and a square block."""
    for name, momentum, decay in itertools.product(
        ("tall", "wide", "square"), (0.0, 0.9), ("l2", "decoupled")
    ):
        shapes = {name: SHAPES[name]}
        W, gradients = problem(0, shapes=shapes)
        hyper = {"rule": rule, "momentum": momentum, "weight_decay": 0.1, "decay": decay}
        path = recipes.schattor(W, gradients, LR, {name: ("schatten", p)}, r=DEFAULT_OUTER[rule], **hyper)
        assert_equal_paths(run(W, gradients, p=p, lr=LR, **hyper), path)


@pytest.mark.parametrize("r", OUTER)
@pytest.mark.parametrize("p", EXPONENTS)
@pytest.mark.parametrize("rule", RULES)
def test_many_blocks(rule: str, p: float, r: float) -> None:
    """Algorithms 3 and 4 with one exponent, any outer exponent, and weights: the coupling is Lemma 2's."""
    W, gradients = problem(1)
    for weights in (None, {"tall": 2.0, "wide": 0.5, "square": 1.0, "v": 3.0}):
        path = recipes.schattor(W, gradients, LR, uniform(p), r, weights, rule)
        actual = run(W, gradients, p=p, lr=LR, outer=r, weights=weights, rule=rule)
        assert_equal_paths(actual, path)


@pytest.mark.parametrize("r", OUTER)
@pytest.mark.parametrize("rule", RULES)
def test_geometries_by_block(rule: str, r: float) -> None:
    """A MixedNorm gives every block its own geometry and weight; it is the same method as p=, outer=, weights=."""
    W, gradients = problem(2)
    geometries = {
        "tall": ("schatten", 3.0),
        "wide": ("schatten", np.inf),
        "square": ("lp", 1.5),
        "v": ("lp", np.inf),
    }
    weights = {"tall": 0.3, "wide": 1.0, "square": 4.0, "v": 2.0}
    norm = st.MixedNorm(
        {"tall": st.Schatten(3), "wide": st.Spectral(), "square": st.Lp(1.5), "v": st.Sign()},
        weights=weights,
        outer=r,
    )
    path = recipes.schattor(W, gradients, LR, geometries, r, weights, rule)
    assert_equal_paths(run(W, gradients, norm=norm, lr=LR, rule=rule), path)


@pytest.mark.parametrize("kind", ["ema", "heavy_ball"])
@pytest.mark.parametrize("init", ["first", "zero"])
@pytest.mark.parametrize("nesterov", [False, True])
@pytest.mark.parametrize("rule", RULES)
def test_momentum(rule: str, nesterov: bool, init: str, kind: str) -> None:
    """Exponential average and heavy ball, both starts, with and without Nesterov, alone and coupled."""
    W, gradients = problem(3)
    hyper = {
        "momentum": 0.8,
        "momentum_kind": kind,
        "momentum_init": init,
        "nesterov": nesterov,
        "rule": rule,
    }
    for p, r in ((3.0, 1.5), (np.inf, np.inf), (4.0, 2.0)):
        path = recipes.schattor(W, gradients, LR, uniform(p), r, **hyper)
        assert_equal_paths(run(W, gradients, p=p, lr=LR, outer=r, **hyper), path)


@pytest.mark.parametrize("decay", ["decoupled", "l2", "independent", "cautious"])
@pytest.mark.parametrize("scale", [*sorted(recipes.SHAPE_FACTORS), 0.25])
def test_decay_and_scale(scale: str | float, decay: str) -> None:
    """The decay takes the lr before the shape factor; the shape factor multiplies the displacement."""
    W, gradients = problem(4)
    hyper = {"scale": scale, "decay": decay, "weight_decay": 0.3}
    for rule in RULES:
        path = recipes.schattor(W, gradients, LR, uniform(4.0), 3.0, rule=rule, **hyper)
        assert_equal_paths(run(W, gradients, p=4, lr=LR, outer=3, rule=rule, **hyper), path)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("r", [1.0, 3.0, np.inf, 2.0])
def test_schedules(r: float, rule: str) -> None:
    """p, lr, momentum, weights and weight decay as callables of the step, counted from 0."""

    def exponent(t: int) -> float:
        return [2.0, 1.0, 3.0, np.inf, 1.5][t % 5]

    def rate(t: int) -> float:
        return LR / (1 + t)

    def momentum(t: int) -> float:
        return 1 - 1 / (1 + t)

    def weight(t: int) -> float:
        return 1.0 + t

    def decay(t: int) -> float:
        return 0.1 * t

    W, gradients = problem(5)
    weights = {"tall": weight, "wide": 0.5, "square": lambda t: 1 / weight(t), "v": 1.0}
    hyper = {"rule": rule, "momentum": momentum, "weight_decay": decay}
    path = recipes.schattor(W, gradients, rate, uniform(exponent), r, weights, **hyper)
    actual = run(W, gradients, p=exponent, lr=rate, outer=r, weights=weights, **hyper)
    assert_equal_paths(actual, path)
    halved = recipes.schattor(
        W, gradients, lambda t: rate(t) * 0.5**t, uniform(exponent), r, weights, **hyper
    )
    actual = run(
        W, gradients, p=exponent, lr=rate, outer=r, weights=weights, schedule=lambda t: 0.5**t, **hyper
    )
    assert_equal_paths(actual, halved)


@pytest.mark.parametrize("r", OUTER)
@pytest.mark.parametrize("rule", RULES)
def test_absent_blocks_leave_the_coupling(rule: str, r: float) -> None:
    """A block whose gradient is None keeps its weights and buffer, and the others share the step without it."""
    W, gradients = problem(6)
    gradients = [
        {i: x for j, (i, x) in enumerate(G.items()) if (t + j) % 3 != 1} for t, G in enumerate(gradients)
    ]
    for kind in ("ema", "heavy_ball"):
        hyper = {"rule": rule, "momentum_kind": kind, "weight_decay": 0.1}
        path = recipes.schattor(W, gradients, LR, uniform(3.0), r, **hyper)
        assert_equal_paths(run(W, gradients, p=3, lr=LR, outer=r, **hyper), path)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("p", [1.5, 2.0, 3.0, 4.0, np.inf])
def test_float32(p: float, rule: str) -> None:
    """In float32 the path stays within its rounding, amplified by the condition number of the estimates.

    p = 1 is left out: there the oracle has a rank of one and the gap of the leading singular values decides.
    """
    W, gradients = problem(7, np.float32)
    doubles = [{i: x.astype(np.float64) for i, x in G.items()} for G in gradients]
    path = recipes.schattor(
        {i: x.astype(np.float64) for i, x in W.items()}, doubles, LR, uniform(p), 3.0, rule=rule
    )
    matrices = [M for blocks in path.estimates for M in blocks.values() if M.ndim == 2]
    condition = max(float(np.linalg.cond(M)) for M in matrices)
    length = 1.0 if rule == "ball" else 4 * max(float(np.linalg.norm(M, "nuc")) for M in matrices)
    q = conjugate(p)
    eps = float(np.finfo(np.float32).eps)
    tolerance = 4 * STEPS * eps * (5 + LR * condition * max(1.0, q - 1) * length)
    actual = run(W, gradients, p=p, lr=LR, outer=3, rule=rule)
    assert all(x.dtype == np.float32 for x in actual[-1].values())
    assert_equal_paths(actual, path, tolerance)


def test_named_members_of_the_family() -> None:
    """p = 2 is (normalised) SGD and p = inf PolarGrad or exact Muon; on diagonal gradients p = inf is signSGD."""
    W, gradients = problem(8)

    def path_of(optimizer: type[st.Optimizer], **arguments: Any) -> list[Blocks]:
        params = {i: x.copy() for i, x in W.items() if x.ndim == 2}
        opt = optimizer(params, **arguments)
        result = []
        for G in gradients:
            opt.step({i: G[i] for i in params})
            result.append({i: x.copy() for i, x in params.items()})
        return result

    pairs = [
        (
            path_of(st.Schattor, p=2, rule="regularization", momentum=0.0, lr=LR),
            path_of(st.SGD, lr=LR),
        ),
        (
            path_of(st.Schattor, p=2, rule="regularization", momentum_kind="heavy_ball", lr=LR),
            path_of(st.SGD, momentum=0.9, lr=LR),
        ),
        (
            path_of(st.Schattor, p=2, outer=2, lr=LR),
            path_of(st.NormalizedSGD, lr=LR),
        ),
        (path_of(st.Schattor, p=2, lr=LR), path_of(st.NormalizedSGD, scope="block", lr=LR)),
        (
            path_of(st.Schattor, p=np.inf, rule="regularization", momentum_init="zero", momentum=0.95, lr=LR),
            path_of(st.PolarGrad, lr=LR),
        ),
    ]
    for one, other in pairs:
        assert_equal_paths(one, Path(other), 1e-12)
    diagonal = np.diag([3.0, -2.0, 0.5])
    for optimizer, arguments in ((st.Schattor, {"p": np.inf}), (st.SignSGD, {})):
        params = np.zeros((3, 3))
        optimizer(params, lr=1.0, **arguments).step(diagonal)
        np.testing.assert_allclose(params, -np.sign(diagonal), rtol=0, atol=1e-14)


def test_separable_defaults() -> None:
    """Without `outer` every block moves as if alone, and weights rescale it: 1/w (ball), 1/w^2 (regularization)."""
    W, gradients = problem(9)
    for rule, power in (("ball", 1), ("regularization", 2)):
        plain = st.Schattor({i: x.copy() for i, x in W.items()}, p=3, lr=LR, rule=rule)
        heavy = st.Schattor({i: x.copy() for i, x in W.items()}, p=3, lr=LR, rule=rule, weights=4.0)
        for G in gradients[:3]:
            one, other = plain.update(G), heavy.update(G)
            for i in W:
                np.testing.assert_allclose(one[i], 4.0**power * other[i], rtol=0, atol=1e-13)
