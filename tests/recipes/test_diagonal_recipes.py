"""SGD, SignSGD, Signum, NormalizedSGD and AdamW against their literal loops."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from reference import recipes
from reference.recipes import Blocks, Path, blockwise

import schattor as st

STEPS = 25
SHAPES: dict[str, tuple[int, ...]] = {"W": (5, 3), "v": (7,), "s": ()}
DECAYS = ["decoupled", "l2", "independent", "cautious"]
DTYPES = [np.float64, np.float32]


def problem(
    dtype: type, seed: int = 0, shapes: dict[str, tuple[int, ...]] = SHAPES
) -> tuple[Blocks, list[Blocks]]:
    """Weights and gradients in the type, all of order one."""
    rng = np.random.default_rng(seed)
    W = {name: np.asarray(rng.standard_normal(shape), dtype=dtype) for name, shape in shapes.items()}
    gradients = [
        {name: np.asarray(rng.standard_normal(shape), dtype=dtype) for name, shape in shapes.items()}
        for _ in range(STEPS)
    ]
    return W, gradients


def exact(blocks: Blocks) -> Blocks:
    """The same numbers in float64."""
    return {name: x.astype(np.float64) for name, x in blocks.items()}


def run(optimizer: type[st.Optimizer], W: Blocks, gradients: list[Blocks], **arguments: Any) -> list[Blocks]:
    """Weights after each step."""
    params = {name: x.copy() for name, x in W.items()}
    opt = optimizer(params, **arguments)
    result = []
    for G in gradients:
        opt.step(G)
        result.append({name: x.copy() for name, x in params.items()})
    return result


def assert_follows(actual: list[Blocks], path: Path, dtype: type, amplification: float, lr: float) -> None:
    """Every step of the run is that of the literal loop up to rounding.

    A step adds the rounding of W, and lr times `amplification` times the rounding of numbers of order one; rounding
    made in earlier steps stays in the buffers, hence one factor of the number of steps in each.
    """
    eps = float(np.finfo(dtype).eps)
    largest = max(float(np.abs(x).max()) for W in path.weights for x in W.values())
    tolerance = 4 * eps * STEPS * (largest + lr * STEPS * amplification)
    for t, (got, expected) in enumerate(zip(actual, path.weights, strict=True)):
        for name in expected:
            assert got[name].dtype == dtype
            np.testing.assert_allclose(
                got[name], expected[name], rtol=0, atol=tolerance, err_msg=f"{name}, step {t}"
            )


def largest(values: list[Blocks]) -> float:
    """Largest magnitude in a sequence of blocks."""
    return max(float(np.abs(x).max()) for blocks in values for x in blocks.values())


def smallest(values: list[Blocks]) -> float:
    """Smallest magnitude in a sequence of blocks."""
    return min(float(np.abs(x).min()) for blocks in values for x in blocks.values())


def compare(
    optimizer: type[st.Optimizer],
    loop: Callable[..., Path],
    dtype: type,
    amplification: Callable[[Path], float],
    lr: float,
    seed: int = 0,
    **arguments: Any,
) -> None:
    """Run both and compare."""
    W, gradients = problem(dtype, seed)
    arguments = {"lr": lr, **arguments}
    joint = loop is recipes.normalized_sgd
    given = exact(W), [exact(G) for G in gradients]
    path = loop(*given, **arguments) if joint else blockwise(loop, *given, **arguments)
    assert_follows(run(optimizer, W, gradients, **arguments), path, dtype, amplification(path), lr)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("decay", DECAYS)
@pytest.mark.parametrize(
    ("momentum", "dampening", "nesterov"), [(0, 0, 0), (0.9, 0, 0), (0.9, 0.3, 0), (0.9, 0, 1)]
)
def test_sgd(momentum: float, dampening: float, nesterov: int, decay: str, dtype: type) -> None:
    """torch.optim.SGD: heavy ball whose first buffer is the undamped gradient, Nesterov, L2 or another decay."""
    for weight_decay in (0.0, 0.1):
        compare(
            st.SGD,
            recipes.sgd,
            dtype,
            lambda path: largest(path.estimates),
            lr=0.05,
            momentum=momentum,
            dampening=dampening,
            nesterov=bool(nesterov),
            weight_decay=weight_decay,
            decay=decay,
        )


@pytest.mark.parametrize(
    ("momentum", "dampening", "nesterov", "weight_decay"),
    [(0.0, 0.0, False, 0.0), (0.9, 0.0, False, 0.01), (0.9, 0.5, False, 0.0), (0.8, 0.0, True, 0.1)],
)
def test_sgd_to_1e_12(momentum: float, dampening: float, nesterov: bool, weight_decay: float) -> None:
    """In float64 the trajectory is torch's to 1e-12."""
    W, gradients = problem(np.float64, seed=1)
    hyper = {"momentum": momentum, "dampening": dampening, "nesterov": nesterov, "weight_decay": weight_decay}
    expected = blockwise(recipes.sgd, W, gradients, lr=0.1, **hyper).weights
    for got, wanted in zip(run(st.SGD, W, gradients, lr=0.1, **hyper), expected, strict=True):
        for name in wanted:
            np.testing.assert_allclose(got[name], wanted[name], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("decay", DECAYS)
@pytest.mark.parametrize("betas", [(0.9, 0.999), (0.9, 0.95), (0.0, 0.9), (0.5, 0.0), (0.0, 0.0)])
def test_adamw_to_1e_12(betas: tuple[float, float], decay: str) -> None:
    """torch.optim.AdamW in float64 to 1e-12, for every kind of decay; "l2" is torch.optim.Adam."""
    for weight_decay, eps in itertools.product((0.0, 1e-2, 0.3), (1e-8, 1e-3)):
        hyper = {"betas": betas, "eps": eps, "weight_decay": weight_decay, "decay": decay}
        W, gradients = problem(np.float64, seed=2)
        expected = blockwise(recipes.adamw, W, gradients, lr=0.02, **hyper).weights
        for got, wanted in zip(run(st.AdamW, W, gradients, lr=0.02, **hyper), expected, strict=True):
            for name in wanted:
                np.testing.assert_allclose(got[name], wanted[name], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("betas", [(0.9, 0.999), (0.9, 0.95)])
@pytest.mark.parametrize("decay", DECAYS)
def test_adamw_in_float32(betas: tuple[float, float], decay: str) -> None:
    """In float32 a rounding of M of order eps max|G| is divided by the root."""
    compare(
        st.AdamW,
        recipes.adamw,
        np.float32,
        lambda path: 2 * largest(path.estimates) / smallest(path.roots),
        lr=0.02,
        betas=betas,
        weight_decay=0.1,
        decay=decay,
    )


def test_defaults_of_torch() -> None:
    """Without arguments AdamW has torch's lr 1e-3, betas, eps and decay 1e-2, and SGD torch's lr 1e-3 and no decay."""
    W, gradients = problem(np.float64, seed=3)
    for optimizer, loop in ((st.AdamW, recipes.adamw), (st.SGD, recipes.sgd)):
        arguments = {} if loop is recipes.adamw else {"lr": 1e-3}
        expected = blockwise(loop, W, gradients, **arguments).weights[-1]
        got = run(optimizer, W, gradients)[-1]
        for name in expected:
            np.testing.assert_allclose(got[name], expected[name], rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("decay", DECAYS)
def test_sign_sgd(decay: str, dtype: type) -> None:
    """Every entry moves by lr against the sign of the gradient."""
    for weight_decay in (0.0, 0.1):
        compare(
            st.SignSGD,
            recipes.sign_sgd,
            dtype,
            lambda path: 0.0,
            lr=0.03,
            weight_decay=weight_decay,
            decay=decay,
        )


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("momentum", [0.0, 0.5, 0.9])
@pytest.mark.parametrize("nesterov", [False, True])
@pytest.mark.parametrize("decay", DECAYS)
def test_signum(decay: str, nesterov: bool, momentum: float, dtype: type) -> None:
    """Sign of the exponential average from zero. No average of these gradients is within rounding of zero."""

    def clear_of_zero(path: Path) -> float:
        eps = float(np.finfo(dtype).eps)
        assert smallest(path.estimates) > 8 * STEPS * eps * largest(path.estimates)
        return 0.0

    compare(
        st.Signum,
        recipes.signum,
        dtype,
        clear_of_zero,
        lr=0.03,
        seed=1,
        momentum=momentum,
        nesterov=nesterov,
        weight_decay=0.1,
        decay=decay,
    )


def test_sign_of_zero_is_zero() -> None:
    """Entries without a gradient do not move, also for a negative zero."""
    G = np.array([0.0, -0.0, 2.0, -1e-300])
    for optimizer in (st.SignSGD, st.Signum):
        W = np.ones(4)
        optimizer([W], lr=0.25).step([G])
        np.testing.assert_array_equal(W, [1.0, 1.0, 0.75, 1.25])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("scope", ["joint", "block"])
@pytest.mark.parametrize("decay", DECAYS)
def test_normalized_sgd(decay: str, scope: str, dtype: type) -> None:
    """One norm over all blocks, or one per block, of the average started at the first gradient or at zero."""
    for momentum, init in itertools.product((0.0, 0.9), ("first", "zero")):

        def amplification(path: Path) -> float:
            least = min(np.linalg.norm(x) for M in path.estimates for x in M.values())
            return 2 * largest(path.estimates) / float(least)

        if scope == "block":
            W, gradients = problem(dtype)
            single: Callable[..., Path] = single_block
            hyper = {"momentum": momentum, "momentum_init": init, "weight_decay": 0.1, "decay": decay}
            path = blockwise(single, exact(W), [exact(G) for G in gradients], lr=0.03, **hyper)
            actual = run(st.NormalizedSGD, W, gradients, lr=0.03, scope="block", **hyper)
            assert_follows(actual, path, dtype, amplification(path), 0.03)
        compare(
            st.NormalizedSGD,
            recipes.normalized_sgd,
            dtype,
            amplification,
            lr=0.03,
            momentum=momentum,
            momentum_init=init,
            scope=scope,
            weight_decay=0.1,
            decay=decay,
        )


def single_block(W: np.ndarray, gradients: list[np.ndarray], **hyper: Any) -> Path:
    """The joint loop for one block on its own."""
    path = recipes.normalized_sgd({"0": W}, [{"0": G} for G in gradients], scope="joint", **hyper)
    return Path([x["0"] for x in path.weights], [x["0"] for x in path.estimates])


def test_normalized_step_has_length_lr() -> None:
    """||Delta W|| = lr over all blocks jointly, or in each block."""
    W, gradients = problem(np.float64, seed=4)
    joint = st.NormalizedSGD({i: x.copy() for i, x in W.items()}, lr=0.3)
    alone = st.NormalizedSGD({i: x.copy() for i, x in W.items()}, lr=0.3, scope="block")
    for G in gradients[:5]:
        D = joint.update(G)
        assert np.sqrt(sum((d**2).sum() for d in D.values())) == pytest.approx(0.3, rel=1e-13)
        for d in alone.update(G).values():
            assert np.linalg.norm(d) == pytest.approx(0.3, rel=1e-13)


def test_scheduled_hyperparameters() -> None:
    """lr, momentum, betas, eps and weight decay as callables of the step, counted from 0; `schedule` multiplies lr."""

    def falling(t: int) -> float:
        return 0.1 / (1 + t)

    def rising(t: int) -> float:
        return 1 - 0.5 / (1 + t)

    def factor(t: int) -> float:
        return 0.5 ** (t // 5)

    W, gradients = problem(np.float64, seed=5)
    cases: list[tuple[type[st.Optimizer], Callable[..., Path], dict[str, Any]]] = [
        (st.SGD, recipes.sgd, {"momentum": rising, "weight_decay": falling}),
        (
            st.SGD,
            recipes.sgd,
            {"momentum": 0.9, "dampening": falling, "weight_decay": falling, "decay": "decoupled"},
        ),
        (st.AdamW, recipes.adamw, {"betas": (rising, 0.99), "eps": falling, "weight_decay": rising}),
        (st.Signum, recipes.signum, {"momentum": rising, "weight_decay": falling, "decay": "independent"}),
        (st.SignSGD, recipes.sign_sgd, {"weight_decay": rising, "decay": "cautious"}),
    ]
    for optimizer, loop, hyper in cases:
        expected = blockwise(loop, W, gradients, lr=lambda t: falling(t) * factor(t), **hyper).weights
        actual = run(optimizer, W, gradients, lr=falling, schedule=factor, **hyper)
        for got, wanted in zip(actual, expected, strict=True):
            for name in wanted:
                np.testing.assert_allclose(got[name], wanted[name], rtol=1e-12, atol=1e-12)


def test_relations_between_recipes() -> None:
    """AdamW(betas = 0, eps = 0) and Signum(0) are signSGD; Adam's first step is lr G / (|G| + eps)."""
    W, gradients = problem(np.float64, seed=6)
    sign = run(st.SignSGD, W, gradients, lr=0.1)
    for other in (
        run(st.AdamW, W, gradients, lr=0.1, betas=(0.0, 0.0), eps=0.0, weight_decay=0.0),
        run(st.Signum, W, gradients, lr=0.1, momentum=0.0),
    ):
        for a, b in zip(sign, other, strict=True):
            for name in a:
                np.testing.assert_allclose(a[name], b[name], rtol=0, atol=1e-14 * STEPS)
    D = st.AdamW({i: x.copy() for i, x in W.items()}, lr=0.1, eps=0.5, weight_decay=0.0).update(gradients[0])
    for name, G in gradients[0].items():
        np.testing.assert_allclose(D[name], -0.1 * G / (np.abs(G) + 0.5), rtol=1e-12)


def test_adam_never_moves_entries_without_gradient() -> None:
    """At eps = 0 an entry whose gradient was always zero stays, and the others are not disturbed."""
    W = np.ones((2, 2))
    opt = st.AdamW([W], lr=0.1, eps=0.0, weight_decay=0.0)
    for _ in range(3):
        opt.step([np.array([[0.0, 1.0], [-2.0, 0.0]])])
    np.testing.assert_allclose(W, [[1.0, 0.7], [1.3, 1.0]], rtol=0, atol=1e-14)
