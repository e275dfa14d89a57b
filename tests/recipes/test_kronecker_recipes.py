"""Shampoo, SOAP, Eigen-Adam, K-FAC and Newton-Muon against their literal loops, and the identities of their sources."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest
from reference import kronecker, recipes
from reference.kronecker import Graft
from reference.recipes import Blocks, Path

import schattor as st

parts = st.parts
r = st.recipes
EPS = float(np.finfo(np.float64).eps)
STEPS = 12
DECAYS = ["decoupled", "l2", "independent", "cautious", "after"]
SHAPES: dict[str, tuple[int, ...]] = {"square": (4, 4), "tall": (6, 4), "wide": (3, 5), "vector": (7,)}
MATRICES = {name: shape for name, shape in SHAPES.items() if len(shape) == 2}
Extras = dict[str, Blocks]
Loop = Callable[..., Path]


def draw(shapes: dict[str, tuple[int, ...]], rng: np.random.Generator, scale: float = 1.0) -> Blocks:
    """Normal blocks."""
    return {name: scale * rng.standard_normal(shape) for name, shape in shapes.items()}


def samples(shapes: dict[str, tuple[int, ...]], rng: np.random.Generator, count: int = 20) -> Extras:
    """Activations and deltas."""
    return {
        "activations": {name: rng.standard_normal((count, shape[1])) for name, shape in shapes.items()},
        "deltas": {name: rng.standard_normal((count, shape[0])) for name, shape in shapes.items()},
    }


def follow(
    recipe: st.Recipe, W: Blocks, gradients: list[Blocks], extras: list[Extras] | None = None, **options: Any
) -> list[Blocks]:
    """The weights after each step; `extras` may hold more kinds than the recipe reads."""
    params = {name: x.copy() for name, x in W.items()}
    opt = st.Optimizer(params, recipe, **options)
    path = []
    for t, G in enumerate(gradients):
        given = {kind: extras[t][kind] for kind in recipe.requires} if extras else {}
        opt.step(G, **given)
        path.append({name: x.copy() for name, x in params.items()})
    return path


def displacement(recipe: st.Recipe, G: np.ndarray, **extras: np.ndarray) -> np.ndarray:
    """What the first step adds to zero weights."""
    opt = st.Optimizer({"W": np.zeros(G.shape, G.dtype)}, recipe)
    return opt.update({"W": G}, **{kind: {"W": x} for kind, x in extras.items()})["W"]


def assert_equal_paths(got: list[Blocks], wanted: list[Blocks], tolerance: float) -> None:
    """Equal up to an absolute tolerance."""
    for a, b in zip(got, wanted, strict=True):
        for name in b:
            np.testing.assert_allclose(a[name], b[name], rtol=0, atol=tolerance, err_msg=name)


# ------------------------------------------------------------------------------------------ literal rules


def shampoo_of(W: np.ndarray, gradients: list[np.ndarray], extras: Any, **arguments: Any) -> Path:
    """The literal Shampoo with the names of the recipe's arguments."""
    graft = arguments.pop("grafting", None)
    start = arguments.pop("start_preconditioning_step", None)
    return kronecker.shampoo(W, gradients, graft=graft and GRAFTS[graft], start=start, **arguments)


def without_extras(loop: Loop) -> Loop:
    """A loop that takes gradients alone."""
    return lambda W, gradients, extras, **arguments: loop(W, gradients, **arguments)


def kfac_of(W: np.ndarray, gradients: list[np.ndarray], extras: Any, **arguments: Any) -> Path:
    """The literal K-FAC."""
    return kronecker.kfac(
        W, gradients, [x["activations"] for x in extras], [x["deltas"] for x in extras], **arguments
    )


def newton_muon_of(W: np.ndarray, gradients: list[np.ndarray], extras: Any, **arguments: Any) -> Path:
    """The literal Newton-Muon with the exact polar factor."""
    return kronecker.newton_muon(W, gradients, lambda t: extras[t]["activations"], **arguments)


GRAFTS = {parts.Identity(): Graft("sgd"), parts.SecondMoment(0.9, 1e-8): Graft("adam", beta=0.9)}
# Recipe, literal loop, blocks, and axes of hyperparameters. SOAP turns the smaller side of oblong blocks: on the other
# one the first basis is arbitrary.
METHODS: dict[
    str, tuple[Callable[..., st.Recipe], Loop, dict[str, tuple[int, ...]], dict[str, list[Any]]]
] = {
    "shampoo": (
        r.shampoo,
        shampoo_of,
        SHAPES,
        {
            "betas": [(0.9, 1.0), (0.0, 1.0), (0.5, 0.9)],
            "eps": [1e-4],
            "precondition_frequency": [1, 3],
            "start_preconditioning_step": [None, 5],
            "grafting": [None, *GRAFTS],
        },
    ),
    "soap": (
        r.soap,
        without_extras(kronecker.soap),
        SHAPES,
        {
            "betas": [(0.95, 0.95), (0.0, 0.5)],
            "eps": [1e-8, 1e-3],
            "precondition_frequency": [1, 4],
            "max_precond_dim": [4, 0],
        },
    ),
    "soap_without_skip": (
        partial(r.soap, skip_first=False),
        without_extras(partial(kronecker.soap, skip_first=False)),
        {"tall": (6, 4), "wide": (3, 5), "vector": (7,)},
        {
            "betas": [(0.95, 0.95), (0.0, 0.5)],
            "eps": [1e-8],
            "precondition_frequency": [1, 4],
            "max_precond_dim": [4],
        },
    ),
    "eigen_adam": (
        r.eigen_adam,
        without_extras(kronecker.eigen_adam),
        SHAPES,
        {
            "betas": [(0.9, 0.999, 0.999), (0.0, 0.9, 0.5)],
            "eps": [1e-8, 1e-3],
            "precondition_frequency": [1, 4],
        },
    ),
    "kfac": (
        r.kfac,
        kfac_of,
        MATRICES,
        {
            "momentum": [0.9, 0.0],
            "beta": [0.95, 0.0],
            "damping": [1.0, 1e-2],
            "precondition_frequency": [1, 5],
        },
    ),
    "newton_muon": (
        r.newton_muon,
        newton_muon_of,
        MATRICES,
        {
            "momentum": [0.95],
            "nesterov": [True, False],
            "beta": [0.95, 0.5],
            "ridge": [0.2, 1.0],
            "precondition_frequency": [1, 5, 32],
        },
    ),
}


def problem(method: str, seed: int, scale: float = 1.0) -> tuple[Blocks, list[Blocks], list[Extras]]:
    """Weights, gradients of a scale, and extras whose deltas follow it."""
    shapes, rng = METHODS[method][2], np.random.default_rng(seed)
    W, gradients = draw(shapes, rng), [draw(shapes, rng, scale) for _ in range(STEPS)]
    matrices = {name: shape for name, shape in shapes.items() if len(shape) == 2}
    return W, gradients, [samples(matrices, rng) for _ in range(STEPS)]


def literal(
    method: str, W: Blocks, gradients: list[Blocks], extras: list[Extras], **arguments: Any
) -> list[Blocks]:
    """The weights after each step of the literal loop."""
    loop = METHODS[method][1]
    paths = {
        name: loop(
            x,
            [G[name] for G in gradients],
            [{kind: given.get(name) for kind, given in step.items()} for step in extras],
            **arguments,
        )
        for name, x in W.items()
    }
    return [{name: path.weights[t] for name, path in paths.items()} for t in range(len(gradients))]


def settings(method: str) -> Iterator[dict[str, Any]]:
    """All combinations of the hyperparameters."""
    axes = METHODS[method][3]
    for values in itertools.product(*axes.values()):
        yield dict(zip(axes, values, strict=True))


OPTIONS: dict[str, dict[str, Any]] = {"newton_muon": {"backend": "svd"}}


@pytest.mark.parametrize("decay", DECAYS)
@pytest.mark.parametrize("method", METHODS)
def test_literal_rule(method: str, decay: str) -> None:
    """In float64 every setting follows the literal rule to rounding.

    Roots of the factor of a vector amplify it by eps^-1/2 = 1e2, bases that are nearly degenerate by the inverse of the
    distance of eigenvalues: 1e-10 leaves both room.
    """
    make = METHODS[method][0]
    for arguments in settings(method):
        arguments |= {"lr": 0.02, "weight_decay": 0.3, "decay": decay}
        W, gradients, extras = problem(method, 1)
        got = follow(make(**arguments), W, gradients, extras, **OPTIONS.get(method, {}))
        assert_equal_paths(got, literal(method, W, gradients, extras, **arguments), 1e-10)


@pytest.mark.parametrize("scale", [1e-3, 1e3])
@pytest.mark.parametrize("method", METHODS)
def test_literal_rule_at_other_scales(method: str, scale: float) -> None:
    """Gradients of other scales, relative to the largest displacement.

    Shampoo's eps is 1e-4: at a scale of 1e3 the roots of a vector's factor amplify rounding by 1e3 / eps^1/2 = 1e5.
    """
    make = METHODS[method][0]
    arguments = next(settings(method)) | {"lr": 0.02, "weight_decay": 0.0}
    W, gradients, extras = problem(method, 2, scale)
    wanted = literal(method, W, gradients, extras, **arguments)
    moved = max(float(np.abs(wanted[-1][name] - W[name]).max()) for name in W)
    got = follow(make(**arguments), W, gradients, extras, **OPTIONS.get(method, {}))
    assert_equal_paths(got, wanted, 1e-9 * moved)


SCHEDULES: dict[str, dict[str, Any]] = {
    "shampoo": {"betas": (lambda t: 0.9 - 0.1 * (t % 2), 0.9), "eps": lambda t: 1e-4 * (1 + t % 2)},
    "soap": {
        "betas": (lambda t: 0.9 - 0.1 * (t % 2), 0.9),
        "eps": lambda t: 1e-4 * (1 + t % 2),
        "max_precond_dim": 4,
    },
    "eigen_adam": {"betas": (lambda t: 0.9 - 0.1 * (t % 2), 0.9, lambda t: 0.9 - 0.4 * (t % 2)), "eps": 1e-4},
    "kfac": {"momentum": lambda t: 0.9 - 0.1 * (t % 2), "damping": lambda t: 1.0 / (1 + t)},
    "newton_muon": {"momentum": lambda t: 0.9 - 0.1 * (t % 2), "precondition_frequency": 2},
}


@pytest.mark.parametrize("method", SCHEDULES)
def test_schedules(method: str) -> None:
    """Callables of the step are evaluated anew at every step."""
    arguments = {"lr": lambda t: 0.05 / (1 + t), "weight_decay": lambda t: 0.1 * (t % 3)} | SCHEDULES[method]
    arguments |= {"decay": "decoupled"}
    W, gradients, extras = problem(method, 3)
    got = follow(METHODS[method][0](**arguments), W, gradients, extras, **OPTIONS.get(method, {}))
    hyper = dict(arguments)
    if method == "shampoo":  # the literal rule takes a number
        hyper["eps"] = arguments["eps"] = 1e-4
        got = follow(r.shampoo(**arguments), W, gradients)
    assert_equal_paths(got, literal(method, W, gradients, extras, **hyper), 1e-10)


@pytest.mark.parametrize("method", METHODS)
def test_float32(method: str) -> None:
    """Ten times the error of the literal rule in float32, or 1e-4 of what the weights move by."""
    arguments = next(settings(method)) | {"lr": 0.02, "weight_decay": 0.1, "decay": "decoupled"}
    W, gradients, extras = problem(method, 4)
    single = {name: x.astype(np.float32) for name, x in W.items()}
    thin = [{name: x.astype(np.float32) for name, x in G.items()} for G in gradients]
    narrow = [
        {kind: {name: x.astype(np.float32) for name, x in given.items()} for kind, given in step.items()}
        for step in extras
    ]
    exact = literal(method, W, gradients, extras, **arguments)[-1]
    rough = literal(method, single, thin, narrow, **arguments)[-1]
    got = follow(METHODS[method][0](**arguments), single, thin, narrow, **OPTIONS.get(method, {}))[-1]
    for name, x in exact.items():
        assert got[name].dtype == rough[name].dtype == np.float32
        error = float(np.abs(rough[name] - x).max())
        moved = float(np.abs(x - W[name]).max())
        assert float(np.abs(got[name] - x).max()) <= max(10 * error, 1e-4 * moved)


# ------------------------------------------------------------------------------------------------ Shampoo


def square(seed: int, n: int = 5) -> np.ndarray:
    """A matrix with the singular values 1, ..., n."""
    rng = np.random.default_rng(seed)
    U, V = (np.linalg.qr(rng.standard_normal((n, n)))[0] for _ in range(2))
    return U * np.arange(1.0, n + 1) @ V.T


@pytest.mark.parametrize("betas", [(0.0, 1.0), (0.9, 1.0), (0.9, 0.5)])
@pytest.mark.parametrize("shape", [(5, 5), (6, 4), (3, 7)])
def test_first_step_of_shampoo_is_the_polar_factor(
    shape: tuple[int, int], betas: tuple[float, float]
) -> None:
    """At eps = 0, whatever the averages: L^-1/4 G R^-1/4 = U S^-1/2 S S^-1/2 V'. Rounding grows by sigma_1/sigma_n."""
    G = np.random.default_rng(0).standard_normal(shape)
    D = displacement(r.shampoo(lr=0.5, betas=betas, eps=0.0), G)
    sigma = np.linalg.svd(G, compute_uv=False)
    np.testing.assert_allclose(
        D, -0.5 * recipes.polar(G), rtol=0, atol=100 * EPS * (sigma[0] / sigma[-1]) ** 2
    )


def test_shampoo_of_a_constant_gradient() -> None:
    """The step is polar(G) / sqrt(t) for the sums."""
    G = square(1)
    path = follow(r.shampoo(lr=1.0, betas=(0.0, 1.0), eps=0.0), {"W": np.zeros((5, 5))}, [{"W": G}] * 6)
    W = np.cumsum([-recipes.polar(G) / np.sqrt(t) for t in range(1, 7)], axis=0)
    assert_equal_paths(path, [{"W": x} for x in W], 1e-12)


def test_shampoo_of_sums_stays_in_the_spectral_ball() -> None:
    """L^-1/4 G R^-1/4 has no singular value above one."""
    rng = np.random.default_rng(2)
    gradients = [{"W": rng.standard_normal((4, 6)) * 10.0 ** rng.uniform(-2, 2)} for _ in range(10)]
    opt = st.Shampoo({"W": np.zeros((4, 6))}, lr=1.0, betas=(0.0, 1.0))
    for G in gradients:
        assert np.linalg.norm(opt.update(G)["W"], 2) <= 1 + 1e-9


def test_shampoo_of_diagonal_gradients_is_adagrad() -> None:
    """The factors are diagonal: L_ii^-1/4 R_ii^-1/4 = (sum g_ii^2)^-1/2."""
    rng = np.random.default_rng(3)
    W, gradients = {"W": np.zeros((4, 4))}, [{"W": np.diag(rng.standard_normal(4))} for _ in range(8)]
    shampoo = follow(r.shampoo(lr=0.1, betas=(0.0, 1.0), eps=0.0), W, gradients)
    assert_equal_paths(shampoo, follow(r.adagrad(lr=0.1, eps=0.0), W, gradients), 1e-13)


def test_shampoo_of_a_vector_is_adagrad_with_a_full_matrix() -> None:
    """(sum g g')^-1/2 g: first g / ||g||, and for one entry AdaGrad."""
    rng = np.random.default_rng(4)
    g = rng.standard_normal(6)
    D = displacement(r.shampoo(lr=1.0, betas=(0.0, 1.0), eps=0.0), g)
    np.testing.assert_allclose(D, -g / np.linalg.norm(g), rtol=0, atol=1e-14)
    W, gradients = {"W": np.zeros(1)}, [{"W": rng.standard_normal(1)} for _ in range(8)]
    shampoo = follow(r.shampoo(lr=0.1, betas=(0.0, 1.0), eps=0.0), W, gradients)
    assert_equal_paths(shampoo, follow(r.adagrad(lr=0.1, eps=0.0), W, gradients), 1e-14)


def test_shampoo_of_2018() -> None:
    """betas = (0, 1) are the factors from eps I with every gradient added, and their roots."""
    rng = np.random.default_rng(5)
    gradients = [rng.standard_normal((4, 3)) for _ in range(8)]
    L, R, W, wanted = 1e-3 * np.eye(4), 1e-3 * np.eye(3), np.zeros((4, 3)), []
    for G in gradients:
        L, R = L + G @ G.T, R + G.T @ G
        W = W - 0.1 * kronecker.inverse_root(L, 0.25, 0.0) @ G @ kronecker.inverse_root(R, 0.25, 0.0)
        wanted.append({"W": W})
    recipe = r.shampoo(lr=0.1, betas=(0.0, 1.0), eps=1e-3)
    assert_equal_paths(follow(recipe, {"W": np.zeros((4, 3))}, [{"W": G} for G in gradients]), wanted, 1e-12)


def test_factors_of_shampoo_have_equal_traces() -> None:
    """tr L = tr R = sum ||G||^2, and both are symmetric to the bit."""
    rng = np.random.default_rng(6)
    opt = st.Shampoo({"W": np.zeros((4, 6))})
    gradients = [rng.standard_normal((4, 6)) for _ in range(5)]
    for G in gradients:
        opt.step({"W": G})
    state = opt.state_dict()
    L, R = state["state/W/left_factor"], state["state/W/right_factor"]
    total = sum(float((G**2).sum()) for G in gradients)
    np.testing.assert_allclose([np.trace(L), np.trace(R)], total, rtol=1e-13)
    assert (L == L.T).all() and (R == R.T).all()


@pytest.mark.parametrize(
    ("grafting", "other"),
    [
        (parts.Identity(), r.sgd(lr=0.1)),
        (parts.SecondMoment(0.9, 1e-8), r.adam(lr=0.1, betas=(0.0, 0.9))),
        (parts.Diagonal(parts.SumOfSquares(), parts.Plain(1e-10)), r.adagrad(lr=0.1)),
    ],
)
def test_grafting_takes_the_length(grafting: st.parts.Preconditioner, other: st.Recipe) -> None:
    """Each step is as long as that of the other method and points as Shampoo's; before the start it is the other's."""
    rng = np.random.default_rng(7)
    shape = (4, 6)
    plain, start = r.shampoo(lr=0.1, betas=(0.0, 1.0)), 3
    recipes_ = [
        r.shampoo(lr=0.1, betas=(0.0, 1.0), grafting=grafting, start_preconditioning_step=start),
        plain,
        other,
    ]
    optimizers = [st.Optimizer({"W": np.zeros(shape)}, recipe) for recipe in recipes_]
    for t in range(6):
        G = {"W": rng.standard_normal(shape)}
        D, direction, wanted = (opt.update(G)["W"] for opt in optimizers)
        if t + 1 >= start:
            wanted = direction * np.linalg.norm(wanted) / np.linalg.norm(direction)
        np.testing.assert_allclose(D, wanted, rtol=0, atol=1e-13)


# ---------------------------------------------------------------------------------- SOAP and Eigen-Adam


def test_first_step_of_soap_is_the_polar_factor() -> None:
    """Without the skip, in float64: Q_l' G Q_r is diagonal.

    eps shortens each singular direction by at most eps / (sqrt(1 - b2) sigma_n); what rounding leaves off the diagonal,
    some n eps(float64) sigma_1, is divided by eps.
    """
    G, eps = square(8), 1e-7
    D = displacement(r.soap(lr=1.0, eps=eps, skip_first=False, weight_decay=0.0), G)
    bound = eps / np.sqrt(0.05) + 10 * 5 * EPS * 5 / eps
    np.testing.assert_allclose(D, -recipes.polar(G), rtol=0, atol=bound)


def test_first_step_of_soap_in_float32_needs_a_large_eps() -> None:
    """Rounding off the diagonal outweighs the default eps; one of 1e-2 outweighs rounding."""
    G = square(8).astype(np.float32)
    arguments: dict[str, Any] = {"lr": 1.0, "skip_first": False, "weight_decay": 0.0}
    assert np.abs(displacement(r.soap(**arguments), G) + recipes.polar(G)).max() > 0.1
    D = displacement(r.soap(eps=1e-2, **arguments), G)
    bound = 1e-2 / np.sqrt(0.05) + 10 * 5 * np.finfo(np.float32).eps * 5 / 1e-2
    assert np.abs(D + recipes.polar(G)).max() <= bound < 0.1


def test_skipped_step_moves_nothing() -> None:
    """The first call makes the bases: no decay, no momentum, no count; the second one is the first step."""
    rng = np.random.default_rng(9)
    W = np.ones((4, 4))
    opt = st.SOAP({"W": W}, weight_decay=0.5)
    opt.step({"W": rng.standard_normal((4, 4))})
    state = opt.state_dict()
    assert (W == 1).all() and state["state/W/count"] == 0 and not state["state/W/average"].any()
    Q = state["state/W/left_basis"]
    np.testing.assert_allclose(Q.T @ Q, np.eye(4), rtol=0, atol=1e-14)
    opt.step({"W": rng.standard_normal((4, 4))})
    assert (W != 1).all() and opt.state_dict()["state/W/count"] == 1


def adam_with_eps_outside(eps: float) -> st.Recipe:
    """Adam with sqrt(V) + eps before the debiasing, at SOAP's rates."""
    return r.adam(lr=0.02, betas=(0.95, 0.95), eps=lambda t: eps / np.sqrt(1 - 0.95 ** (t + 1)))


def test_soap_without_bases_is_adamw() -> None:
    """Where no side turns: eps beside V that is not debiased, decay after the step."""
    rng = np.random.default_rng(10)
    W, gradients = draw(SHAPES, rng), [draw(SHAPES, rng) for _ in range(STEPS)]
    soap = r.soap(lr=0.02, eps=1e-3, max_precond_dim=0, weight_decay=0.1)
    adam = replace(adam_with_eps_outside(1e-3), update=parts.Additive("after", 0.1))
    assert_equal_paths(follow(soap, W, gradients)[1:], follow(adam, W, gradients[1:]), 1e-14)


def chain(**changed: Any) -> tuple[Blocks, list[Blocks]]:
    """Oblong blocks, whose smaller side every gradient fills, and a vector."""
    shapes = {"tall": (6, 4), "wide": (3, 5), "vector": (7,)}
    rng = np.random.default_rng(11)
    return draw(shapes, rng), [draw(shapes, rng) for _ in range(STEPS)]


@pytest.mark.parametrize("frequency", [1, 3, 1000])
def test_soap_on_one_side_is_eigen_adam(frequency: int) -> None:
    """The collapse chain, SOAP with Q_r = I: at eps = 0, with the same order of the step and exact eigenvectors."""
    W, gradients = chain()
    soap = r.soap(
        lr=0.02, betas=(0.9, 0.99), eps=0.0, skip_first=False, max_precond_dim=4, weight_decay=0.1, decay="l2"
    )
    frame = replace(soap.frame, frequency=frequency, following="eigenvectors")
    adam = r.eigen_adam(
        lr=0.02,
        betas=(0.9, 0.99, 0.99),
        eps=0.0,
        precondition_frequency=frequency,
        weight_decay=0.1,
        decay="l2",
    )
    assert_equal_paths(follow(replace(soap, frame=frame), W, gradients), follow(adam, W, gradients), 1e-12)


def with_orthogonal_rows(rng: np.random.Generator, rows: int, cols: int) -> np.ndarray:
    """A wide matrix with G G' diagonal and distinct entries there."""
    Q = np.linalg.qr(rng.standard_normal((cols, rows)))[0].T
    return (np.arange(1, rows + 1) + rng.uniform(-0.2, 0.2, rows))[:, None] * Q


@pytest.mark.parametrize("eps", [0.0, 1e-3])
def test_eigen_adam_in_the_identity_is_adam(eps: float) -> None:
    """The chain, U = I: where rows are orthogonal in every gradient, eigenvectors are unit vectors."""
    rng = np.random.default_rng(12)
    W, gradients = {"W": np.zeros((3, 5))}, [{"W": with_orthogonal_rows(rng, 3, 5)} for _ in range(STEPS)]
    recipe = r.eigen_adam(lr=0.02, betas=(0.9, 0.99, 0.9), eps=eps, precondition_frequency=2)
    adam = r.adam(lr=0.02, betas=(0.9, 0.99), eps=eps)
    assert_equal_paths(follow(recipe, W, gradients), follow(adam, W, gradients), 1e-12)


def test_adam_without_memory_is_sign_descent() -> None:
    """The end of the chain: betas = 0 and eps = 0, in the identity basis."""
    rng = np.random.default_rng(13)
    W, gradients = {"W": np.zeros((3, 5))}, [{"W": with_orthogonal_rows(rng, 3, 5)} for _ in range(STEPS)]
    recipe = r.eigen_adam(lr=0.02, betas=(0.0, 0.0, 0.9), eps=0.0)
    sign = follow(r.sign_sgd(lr=0.02), W, gradients)
    assert_equal_paths(follow(r.adam(lr=0.02, betas=(0.0, 0.0), eps=0.0), W, gradients), sign, 1e-15)
    assert_equal_paths(follow(recipe, W, gradients), sign, 1e-14)


def test_soap_of_diagonal_gradients_is_adam() -> None:
    """Both averages are diagonal, and bases are signed permutations, after a power step as well."""
    rng = np.random.default_rng(14)
    gradients = [{"W": np.diag(np.arange(1, 5) + rng.uniform(-0.2, 0.2, 4))} for _ in range(STEPS)]
    W = {"W": np.zeros((4, 4))}
    recipe = r.soap(lr=0.02, eps=1e-3, precondition_frequency=2, weight_decay=0.0)
    adam = follow(adam_with_eps_outside(1e-3), W, gradients[1:])
    assert_equal_paths(follow(recipe, W, gradients)[1:], adam, 1e-13)


def test_soap_in_fixed_bases_is_adam_there() -> None:
    """Without refreshes: Adam on Q_l' G Q_r, turned back."""
    rng = np.random.default_rng(15)
    gradients = [rng.standard_normal((4, 4)) for _ in range(STEPS)]
    opt = st.SOAP({"W": np.zeros((4, 4))}, lr=0.02, eps=0.0, precondition_frequency=10**6, weight_decay=0.0)
    opt.step({"W": gradients[0]})
    state = opt.state_dict()
    L, R = state["state/W/left_basis"], state["state/W/right_basis"]
    turned = [{"W": L.T @ G @ R} for G in gradients[1:]]
    path = follow(r.adam(lr=0.02, betas=(0.95, 0.95), eps=0.0), {"W": np.zeros((4, 4))}, turned)
    for G, wanted in zip(gradients[1:], path, strict=True):
        opt.step({"W": G})
        np.testing.assert_allclose(opt.params["W"], L @ wanted["W"] @ R.T, rtol=0, atol=1e-13)


def test_power_step_keeps_an_exact_basis() -> None:
    """Up to signs: eigenvectors of S are fixed, where the same gradient comes again and again."""
    G = square(16)
    opt = st.SOAP({"W": np.zeros((5, 5))}, precondition_frequency=1)
    opt.step({"W": G})
    first = {k: x for k, x in opt.state_dict().items() if k.endswith("_basis")}
    for _ in range(3):
        opt.step({"W": G})
    for key, Q in first.items():
        overlap = np.abs(opt.state_dict()[key].T @ Q)
        np.testing.assert_allclose(overlap, np.eye(5), rtol=0, atol=1e-13)


def test_power_steps_find_the_eigenvectors() -> None:
    """After other gradients the basis turns to the eigenvectors of the new average: orthogonal iteration converges."""
    opt = st.SOAP({"W": np.zeros((5, 5))}, betas=(0.9, 0.0), precondition_frequency=1)
    opt.step({"W": square(17)})
    G = square(18)
    for _ in range(200):  # the ratio of eigenvalues is at most (4/5)^2
        opt.step({"W": G})
    U = np.linalg.svd(G)[0]
    overlap = np.abs(opt.state_dict()["state/W/left_basis"].T @ U)
    np.testing.assert_allclose(np.sort(overlap, axis=1)[:, -1], 1, rtol=0, atol=1e-12)


@pytest.mark.parametrize("following", ["power_step", "eigenvectors"])
@pytest.mark.parametrize("skip_first", [True, False])
def test_soap_commutes_with_rotations_of_both_sides(skip_first: bool, following: str) -> None:
    """On square blocks, with a refresh in every step; eps keeps what rounding leaves off the diagonal small."""
    rng = np.random.default_rng(19)
    P, Q = (np.linalg.qr(rng.standard_normal((4, 4)))[0] for _ in range(2))
    recipe = r.soap(lr=0.02, eps=1e-4, precondition_frequency=1, skip_first=skip_first, weight_decay=0.0)
    recipe = replace(recipe, frame=replace(recipe.frame, following=following))
    gradients = [rng.standard_normal((4, 4)) for _ in range(STEPS)]
    W = {"W": np.zeros((4, 4))}
    plain = follow(recipe, W, [{"W": G} for G in gradients])
    moved = follow(recipe, W, [{"W": P @ G @ Q} for G in gradients])
    assert_equal_paths(moved, [{"W": P @ x["W"] @ Q} for x in plain], 1e-10)


def test_eigen_adam_commutes_with_rotations_of_its_side_only() -> None:
    """Rows may turn, columns only permute and change signs."""
    rng = np.random.default_rng(20)
    P, Q = np.linalg.qr(rng.standard_normal((3, 3)))[0], np.linalg.qr(rng.standard_normal((5, 5)))[0]
    recipe = r.eigen_adam(lr=0.02, precondition_frequency=1)
    gradients, W = [rng.standard_normal((3, 5)) for _ in range(STEPS)], {"W": np.zeros((3, 5))}
    plain = follow(recipe, W, [{"W": G} for G in gradients])
    left = follow(recipe, W, [{"W": P @ G} for G in gradients])
    assert_equal_paths(left, [{"W": P @ x["W"]} for x in plain], 1e-11)
    right = follow(recipe, W, [{"W": G @ Q} for G in gradients])
    assert np.abs(right[-1]["W"] - plain[-1]["W"] @ Q).max() > 1e-3


def test_first_step_of_eigen_adam() -> None:
    """U sign(V') of the gradient's own SVD, and for the other side sign(U) V'."""
    G = np.random.default_rng(21).standard_normal((3, 5))
    U, _, Vt = np.linalg.svd(G, full_matrices=False)
    np.testing.assert_allclose(
        displacement(r.eigen_adam(lr=1.0, eps=0.0), G), -U @ np.sign(Vt), rtol=0, atol=1e-12
    )
    np.testing.assert_allclose(
        displacement(r.eigen_adam(lr=1.0, eps=0.0), G.T), -np.sign(Vt.T) @ U.T, rtol=0, atol=1e-12
    )


def test_signs_of_eigenvectors_do_not_matter() -> None:
    """A basis vector turned round in the state leaves all later steps as they were."""
    rng = np.random.default_rng(22)
    gradients = [{"W": rng.standard_normal((3, 5))} for _ in range(STEPS)]
    for cls in (st.EigenAdam, st.SOAP):
        one, other = cls({"W": np.zeros((3, 5))}), cls({"W": np.zeros((3, 5))})
        for G in gradients[:2]:
            one.step(G)
            other.step(G)
        state = other.state_dict()
        for key in state:
            if key.endswith("_basis"):
                state[key] = state[key] * np.array([-1.0] + [1.0] * (len(state[key]) - 1))
        other.load_state_dict(state)
        for G in gradients[2:]:
            one.step(G)
            other.step(G)
        np.testing.assert_allclose(other.params["W"], one.params["W"], rtol=0, atol=1e-13)


def test_row_means_of_the_second_moments_whiten() -> None:
    """With V replaced by its row means, Eigen-Adam's first direction is sqrt(n) times the polar factor.

    From what the state keeps: the rows of U'G have the lengths sigma.
    """
    G = np.random.default_rng(23).standard_normal((3, 5))
    opt = st.EigenAdam({"W": np.zeros((3, 5))}, betas=(0.0, 0.0, 0.0))
    opt.step({"W": G})
    state = opt.state_dict()
    U, V = state["state/W/left_basis"], state["state/W/second_moment"]
    whitened = U @ (U.T @ G / np.sqrt(V.mean(axis=1, keepdims=True)))
    np.testing.assert_allclose(whitened, np.sqrt(5) * recipes.polar(G), rtol=0, atol=1e-12)


# -------------------------------------------------------------------------------------------------- K-FAC


def test_kfac_of_identities() -> None:
    """A = C = I: P = G / (1 + sqrt(damping))^2, pi being one."""
    rng = np.random.default_rng(24)
    G, damping = rng.standard_normal((3, 4)), 0.3
    D = displacement(
        r.kfac(lr=1.0, damping=damping), G, activations=2 * np.eye(4), deltas=np.sqrt(3) * np.eye(3)
    )
    np.testing.assert_allclose(D, -G / (1 + np.sqrt(damping)) ** 2, rtol=1e-13)


def test_kfac_of_a_large_damping_is_sgd() -> None:
    """P -> G / damping, to (||A|| / pi + pi ||C||) / sqrt(damping)."""
    rng = np.random.default_rng(25)
    G, a, d = rng.standard_normal((3, 4)), rng.standard_normal((50, 4)), rng.standard_normal((50, 3))
    D = displacement(r.kfac(lr=1.0, damping=1e8), G, activations=a, deltas=d)
    np.testing.assert_allclose(1e8 * D, -G, rtol=0, atol=1e-3 * np.linalg.norm(G))


def test_kfac_solves_linear_least_squares() -> None:
    """C = I, no damping, lr 1: P = (W - W*) A A^-1, one step to the minimum."""
    rng = np.random.default_rng(26)
    a, W, wanted = rng.standard_normal((30, 4)), rng.standard_normal((3, 4)), rng.standard_normal((3, 4))
    G = (W - wanted) @ a.T @ a / len(a)
    params = {"W": W.copy()}
    deltas = np.tile(np.sqrt(3) * np.eye(3), (10, 1))
    st.KFAC(params, lr=1.0, damping=0.0).step({"W": G}, activations={"W": a}, deltas={"W": deltas})
    np.testing.assert_allclose(params["W"], wanted, rtol=0, atol=1e-12)


def test_kfac_does_not_see_a_change_of_the_inputs() -> None:
    """a -> T a and W -> W T^-1, without damping: P -> P T^-1, in every step."""
    rng = np.random.default_rng(27)
    T = rng.standard_normal((4, 4)) + 2 * np.eye(4)
    recipe = r.kfac(lr=0.1, damping=0.0, precondition_frequency=2)
    gradients, extras, turned, turned_extras = [], [], [], []
    for _ in range(6):
        a, d = rng.standard_normal((30, 4)), rng.standard_normal((30, 3))
        gradients.append({"W": d.T @ a / 30})
        extras.append({"activations": {"W": a}, "deltas": {"W": d}})
        turned.append({"W": d.T @ a @ T.T / 30})
        turned_extras.append({"activations": {"W": a @ T.T}, "deltas": {"W": d}})
    W = rng.standard_normal((3, 4))
    plain = follow(recipe, {"W": W}, gradients, extras)
    moved = follow(recipe, {"W": W @ np.linalg.inv(T)}, turned, turned_extras)
    assert_equal_paths([{"W": x["W"] @ T} for x in moved], plain, 1e-10)


# -------------------------------------------------------------------------------------------- Newton-Muon


def test_newton_muon_of_white_inputs_is_muon() -> None:
    """K = c I only scales the gradient, which the polar factor does not see: Muon with a decaying sum.

    The inputs have the second moment with which K begins, so that c stays.
    """
    rng = np.random.default_rng(28)
    W, gradients = {"W": np.zeros((3, 5))}, [{"W": rng.standard_normal((3, 5))} for _ in range(STEPS)]
    inputs = [{"activations": {"W": np.sqrt(5e-3) * np.eye(5)}}] * STEPS
    newton = r.newton_muon(lr=0.02, precondition_frequency=1)
    muon = replace(
        r.muon(lr=0.02, scale="max_dim"), estimator=st.estimators.HeavyBall(0.95, init="zero", nesterov=True)
    )
    for options in ({}, {"backend": "svd"}):
        got = follow(newton, W, gradients, inputs, **options)
        assert_equal_paths(got, follow(muon, W, gradients, **options), 1e-12)


def plain_newton(**arguments: Any) -> st.Recipe:
    """The step -G K^-1 itself, without a ridge."""
    inverse = parts.InverseInputMoment(ridge=0.0, eps=1e-14, initial=0.0, frequency=1, **arguments)
    return replace(r.sgd(lr=1.0), name="newton", transforms=(inverse,))


def test_inverse_moment_does_not_see_a_change_of_the_inputs() -> None:
    """z -> A z, W -> W A^-1: what goes into the polar factor, G K^-1, becomes G K^-1 A^-1."""
    rng = np.random.default_rng(29)
    A, z, d = (
        rng.standard_normal((4, 4)) + 2 * np.eye(4),
        rng.standard_normal((30, 4)),
        rng.standard_normal((30, 3)),
    )
    plain = displacement(plain_newton(), d.T @ z, activations=z)
    moved = displacement(plain_newton(), d.T @ z @ A.T, activations=z @ A.T)
    np.testing.assert_allclose(moved @ A, plain, rtol=0, atol=1e-10 * np.abs(plain).max())


def test_inverse_moment_solves_linear_least_squares() -> None:
    """G K^-1 = W - W* for G = (W - W*) K."""
    rng = np.random.default_rng(30)
    z, wanted = rng.standard_normal((30, 4)), rng.standard_normal((3, 4))
    D = displacement(plain_newton(beta=0.0), -wanted @ z.T @ z / 30, activations=z)
    np.testing.assert_allclose(D, wanted, rtol=0, atol=1e-12)


def test_blocks_of_the_moment_are_maps_of_their_own() -> None:
    """K with two diagonal blocks acts on each half of the columns as on a gradient of its own."""
    rng = np.random.default_rng(31)
    G, z = rng.standard_normal((3, 6)), rng.standard_normal((20, 6))
    D = displacement(plain_newton(blocks=2), G, activations=z)
    halves = [
        displacement(
            plain_newton(), np.ascontiguousarray(G[:, half]), activations=np.ascontiguousarray(z[:, half])
        )
        for half in (slice(0, 3), slice(3, 6))
    ]
    np.testing.assert_allclose(D, np.hstack(halves), rtol=0, atol=1e-12 * np.abs(D).max())
    with pytest.raises(ValueError, match=r"'W'.*7 inputs do not divide into 2 blocks"):
        displacement(plain_newton(blocks=2), np.ones((3, 7)), activations=np.ones((2, 7)))


def test_extras_that_are_missing_or_too_large_are_named() -> None:
    """Nothing has changed then."""
    params = {"W": np.ones((2, 3))}
    opt = st.KFAC(params, lr=1.0)
    G, a, d = {"W": np.ones((2, 3))}, {"W": np.ones((4, 3))}, {"W": np.ones((4, 2))}
    with pytest.raises(KeyError, match="deltas for block 'W'"):
        opt.step(G, activations=a)
    with pytest.raises(ValueError, match=r"activations of block 'W' reaches 1e\+200"):
        opt.step(G, activations={"W": np.full((4, 3), 1e200)}, deltas=d)
    with pytest.raises(ValueError, match=r"deltas of block 'W'.*not finite"):
        opt.step(G, activations=a, deltas={"W": np.full((4, 2), np.nan)})
    assert (params["W"] == 1).all() and opt.step_count == 0


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: r.shampoo(betas=(0.9, 1.1)), "beta"),
        (lambda: r.shampoo(betas=(1.0, 1.0)), r"betas\[0\]"),
        (lambda: r.shampoo(precondition_frequency=0), "precondition_frequency"),
        (lambda: r.shampoo(start_preconditioning_step=0), "start_preconditioning_step"),
        (lambda: r.shampoo(eps=-1.0), "eps"),
        (lambda: r.soap(max_precond_dim=-1), "max_precond_dim"),
        (lambda: r.eigen_adam(side="top"), "side must be"),
        (lambda: parts.Eigenbasis(following="svd"), "following"),
        (lambda: r.kfac(lr=1.0, damping=-1.0), "damping"),
        (lambda: r.newton_muon(ridge=-0.1), "ridge"),
        (lambda: parts.InverseInputMoment(eps=0.0), "eps"),
        (lambda: r.soap(decay="later"), "decay"),
    ],
)
def test_values_outside_their_ranges_are_named(make: Callable[[], Any], match: str) -> None:
    """At construction."""
    with pytest.raises(ValueError, match=match):
        make()


def test_whole_numbers() -> None:
    """A frequency is one."""
    with pytest.raises(TypeError, match="frequency must be a whole number"):
        r.soap(precondition_frequency=2.5)
