"""HTMuon, Freon, LionMuon, Dion, low-rank Muon, clipped Scion and Gluon against literal loops, and their identities."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from reference import recipes, spectrum
from reference.recipes import Path

import schattor as st

STEPS = 8
SHAPES = [(5, 3), (3, 5), (4, 4)]
SCALES = [1.0, 1e-3, 1e3]
DECAYS = ["decoupled", "l2", "independent", "cautious"]


def problem(shape: tuple[int, int], scale: float = 1.0) -> tuple[np.ndarray, list[np.ndarray]]:
    """Weights and gradients."""
    rng = np.random.default_rng(21)
    return rng.standard_normal(shape), [scale * rng.standard_normal(shape) for _ in range(STEPS)]


def walk(recipe: st.Recipe, W: np.ndarray, gradients: list[np.ndarray], **options: Any) -> list[np.ndarray]:
    """Weights after each step."""
    W = W.copy()
    opt = st.Optimizer([W], recipe, **options)
    path = []
    for G in gradients:
        opt.step([G])
        path.append(W.copy())
    return path


def assert_path(
    got: list[np.ndarray], wanted: list[np.ndarray], start: np.ndarray, rtol: float = 1e-11
) -> None:
    """Equal to rounding, relative to the largest displacement."""
    moved = max(np.abs(W - start).max() for W in wanted)
    for t, (a, b) in enumerate(zip(got, wanted, strict=True)):
        np.testing.assert_allclose(a, b, rtol=0, atol=rtol * moved, err_msg=f"step {t}")


def falling(t: int) -> float:
    """A schedule of lr."""
    return 0.05 / (1 + t)


def scaled(direction: Callable[[np.ndarray], np.ndarray], factor: Callable[[np.ndarray], float]) -> Any:
    """A direction of the literal rule, times a shape factor."""
    return lambda u, t: factor(u) * direction(u)


@pytest.mark.parametrize("decay", DECAYS)
@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("power", [0.125, 0.5, 1.0])
def test_htmuon(power: float, shape: tuple[int, int], scale: float, decay: str) -> None:
    """U s^power V' with any decay, a schedule, and gradients of any scale."""
    W, gradients = problem(shape, scale)
    arguments = {"lr": falling, "momentum": 0.8, "weight_decay": 0.1, "decay": decay}
    literal = spectrum.momentum_rule(
        W, gradients, scaled(lambda u: spectrum.power(u, power), spectrum.original), **arguments
    )
    assert_path(walk(st.recipes.htmuon(power=power, **arguments), W, gradients), literal.weights, W)


@pytest.mark.parametrize("c", [0.0, 0.2, 0.5, 0.75, 1.0, 1.3])
@pytest.mark.parametrize("shape", SHAPES)
def test_freon(shape: tuple[int, int], c: float) -> None:
    """The power mean of exponent 2 (1 - c), on both sides of one half; at c = 1 the geometric mean."""
    W, gradients = problem(shape, 1e-3)
    make = st.recipes.freon if c <= 0.5 else st.recipes.freon.inverted
    literal = spectrum.momentum_rule(
        W,
        gradients,
        lambda u, t: spectrum.freon(u, c),
        lr=0.05,
        momentum=0.9,
        nesterov=False,
        kind="heavy_ball",
    )
    assert_path(walk(make(lr=0.05, c=c, momentum=0.9), W, gradients), literal.weights, W)


@pytest.mark.parametrize("c", [0.0, 0.1, 0.25, 0.4, 0.5])
def test_freon_is_a_ball_oracle(c: float) -> None:
    """k^(1/p) times the Schatten ball oracle, 1/p = 1 - 1/q, q = 2 (1 - c); at c = 0 sqrt(k) M / ||M||_F."""
    G = problem((5, 3))[1][0]
    q = 2 * (1 - c)
    p = q / (q - 1) if q > 1 else math.inf
    D = st.Freon([np.zeros_like(G)], lr=1.0, c=c, momentum=0.0).update([G])[0]
    np.testing.assert_allclose(D, 3 ** (1 / p) * st.ball_oracle(G, p), rtol=0, atol=1e-13)
    assert st.schatten_norm(D, p) == pytest.approx(3 ** (1 / p), rel=1e-12)
    if c == 0:
        np.testing.assert_allclose(D, -math.sqrt(3) * G / np.linalg.norm(G), rtol=0, atol=1e-13)


@pytest.mark.parametrize("power", [0.0, 0.25, 1.0, 3.0])
def test_spectral_map_of_a_positive_power(power: float) -> None:
    """It is k^(1/p) times the ball direction, with singular values that are zero, too."""
    rng = np.random.default_rng(3)
    G = rng.standard_normal((6, 2)) @ rng.standard_normal((2, 4))
    recipe = st.Recipe(
        "mapped",
        1.0,
        st.Lp(2),
        preconditioner=st.parts.SpectralMap(power),
        scaling=st.parts.NormScaling("regularization"),
    )
    D = st.Optimizer([np.zeros_like(G)], recipe).update([G])[0]
    p = 1 + 1 / power if power else math.inf
    np.testing.assert_allclose(D, 4 ** (1 / p) * st.ball_oracle(G, p, backend="svd"), rtol=0, atol=1e-12)


def test_htmuon_between_muon_and_momentum() -> None:
    """Power 0 is Muon with an exact polar factor; power 1 moves along the estimate; rank weights ignore the scale."""
    W, gradients = problem((5, 3))
    muon = walk(st.recipes.muon(), W, gradients, backend="svd")
    assert_path(walk(st.recipes.htmuon(power=0.0), W, gradients), muon, W)
    factor = math.sqrt(5 / 3)
    momentum = walk(st.recipes.sgd(lr=0.02 * 0.05 * factor, momentum=0.95, nesterov=True), W, gradients)
    assert_path(walk(st.recipes.htmuon(power=1.0), W, gradients), momentum, W)
    larger = [1e6 * G for G in gradients]
    assert_path(walk(st.recipes.htmuon.rank(), W, larger), walk(st.recipes.htmuon.rank(), W, gradients), W)


def test_htmuon_on_a_rank_deficient_gradient() -> None:
    """Singular values that are zero up to rounding stay zero."""
    rng = np.random.default_rng(5)
    G = np.outer(rng.standard_normal(6), rng.standard_normal(4))
    for recipe in (
        st.recipes.htmuon(lr=1.0, power=0.125),
        st.recipes.htmuon.rank(lr=1.0),
        st.recipes.freon.inverted(lr=1.0),
    ):
        D = st.Optimizer([np.zeros_like(G)], recipe).update([G])[0]
        s = np.linalg.svd(D, compute_uv=False)
        assert s[1] < 1e-13 * s[0]


@pytest.mark.parametrize("every", [1, 2, 5])
@pytest.mark.parametrize("shape", SHAPES)
def test_lion_muon(shape: tuple[int, int], every: int) -> None:
    """Against the literal rule, with decay by the lr of the step and a schedule."""
    W, gradients = problem(shape, 1e3)
    literal = spectrum.lion_muon(
        W,
        gradients,
        lr=falling,
        sign_lr=lambda t: 0.3 * falling(t),
        betas=(0.8, 0.9),
        every=every,
        weight_decay=0.2,
        polar=recipes.polar,
    )
    recipe = st.recipes.lion_muon(lr=falling, sign_ratio=0.3, betas=(0.8, 0.9), every=every, weight_decay=0.2)
    assert_path(walk(recipe, W, gradients, backend="svd"), literal.weights, W)


def test_lion_muon_between_lion_and_muon() -> None:
    """Rare Muon steps leave Lion; every step of Muon's with equal betas is Muon without Nesterov."""
    W, gradients = problem((4, 3))
    rare = walk(st.recipes.lion_muon(lr=0.1, sign_ratio=0.1, betas=(0.9, 0.99), every=100), W, gradients)
    first = rare[0]
    lion = st.Optimizer([first.copy()], st.recipes.lion(lr=0.01, betas=(0.9, 0.99)))
    state = lion.state_dict()
    state["state/0/average"] = 0.01 * gradients[0]
    lion.load_state_dict(state)
    for t, G in enumerate(gradients[1:], start=1):
        lion.step([G])
        np.testing.assert_allclose(lion.params["0"], rare[t], rtol=0, atol=1e-14)
    always = walk(st.recipes.lion_muon(lr=0.1, betas=(0.9, 0.9), every=1), W, gradients, backend="svd")
    muon = st.recipes.muon(lr=0.1, momentum=0.9, nesterov=False, scale="match_rms_adamw")
    assert_path(always, walk(muon, W, gradients, backend="svd"), W)


def basis(opt: st.Optimizer) -> np.ndarray:
    """Dion's Q."""
    return opt.state_dict()["state/0/basis"]


@pytest.mark.parametrize("rank_fraction", [0.3, 1.0])
@pytest.mark.parametrize("shape", SHAPES)
def test_dion(shape: tuple[int, int], rank_fraction: float) -> None:
    """Against the literal rule from the Q that the seed gives."""
    W, gradients = problem(shape)
    recipe = st.recipes.dion(lr=falling, momentum=0.8, rank_fraction=rank_fraction, weight_decay=0.2, rng=4)
    probe = st.Optimizer([W.copy()], recipe)
    probe.step([np.zeros(shape)])  # draws Q and keeps it
    Q = basis(probe)
    assert Q.shape == (min(shape), math.ceil(rank_fraction * min(shape)))
    literal = spectrum.dion(W, gradients, Q, lr=falling, momentum=0.8, weight_decay=0.2)
    assert_path(walk(recipe, W, gradients), literal.weights, W, rtol=1e-9)


@pytest.mark.parametrize("shape", SHAPES)
def test_dion_conserves_the_gradients(shape: tuple[int, int]) -> None:
    """What was taken out of the residual and what is left in it add up to the sum of all gradients.

    At full rank P R' is the whole momentum, so that mu times it is left.
    """
    _, gradients = problem(shape)
    for fraction in (0.3, 1.0):
        run = st.estimators.Dion(0.9, rank_fraction=fraction, seed=3).start(like=gradients[0])
        before, taken = np.zeros(shape), np.zeros(shape)
        for G in gradients:
            estimate = run.update(G)
            X, after = before + G, run.state["residual"]
            U = X - after  # (1 - mu) P R'
            taken += U
            if fraction == 1.0:
                np.testing.assert_allclose(after, 0.9 * X, rtol=0, atol=1e-13)
            # P' M = mu R after the removal: M projected on the range of P is mu times X projected on it.
            P = np.linalg.svd(estimate, full_matrices=False)
            left, right = (P[0], P[2].T)
            rank = math.ceil(fraction * min(shape))
            side = left[:, :rank] if shape[0] >= shape[1] else right[:, :rank]
            if shape[0] >= shape[1]:
                np.testing.assert_allclose(side.T @ after, 0.9 * side.T @ X, rtol=0, atol=1e-12)
            else:
                np.testing.assert_allclose(after @ side, 0.9 * X @ side, rtol=0, atol=1e-12)
            before = after
        np.testing.assert_allclose(taken + before, sum(gradients), rtol=0, atol=1e-12)


def test_dion_finds_the_polar_factor_of_a_constant_gradient() -> None:
    """The power steps turn Q into singular vectors; at r = 1 the first pair."""
    G = np.diag([5.0, 3.0, 1.0])
    full = st.estimators.Dion(0.95, seed=1).start(like=G)
    one = st.estimators.Dion(0.95, rank_fraction=0.1, seed=1).start(like=G)
    for _ in range(80):
        D, d = full.update(G), one.update(G)
        assert np.linalg.norm(D) == pytest.approx(math.sqrt(3), rel=1e-6)
    np.testing.assert_allclose(D, np.eye(3), rtol=0, atol=1e-6)
    assert np.linalg.matrix_rank(d, tol=1e-8) == 1


@pytest.mark.parametrize("nesterov", [True, False])
@pytest.mark.parametrize("shape", SHAPES)
def test_low_rank_muon_at_full_rank_is_muon(shape: tuple[int, int], nesterov: bool) -> None:
    """As many columns as the smaller side span it."""
    W, gradients = problem(shape)
    wide = st.recipes.low_rank_muon(rank=100, nesterov=nesterov, weight_decay=0.1, rng=0)
    muon = st.recipes.muon(nesterov=nesterov, weight_decay=0.1)
    assert_path(
        walk(wide, W, gradients, backend="svd"), walk(muon, W, gradients, backend="svd"), W, rtol=1e-9
    )


@pytest.mark.parametrize("shape", [(40, 7), (7, 40), (9, 9)])
def test_low_rank_muon_chooses_from_all_columns(shape: tuple[int, int]) -> None:
    """The step has the rank of the columns, none longer than one, and every line of the longer side is drawn."""
    rng = np.random.default_rng(2)
    params = np.zeros(shape)
    opt = st.LowRankMuon({"W": params}, lr=1.0, rank=3, momentum=0.0, nesterov=False, backend="svd", rng=7)
    drawn: set[int] = set()
    for _ in range(150):
        G = rng.standard_normal(shape)
        columns = opt.state_dict()["state/W/columns"].ravel().astype(int)
        D = opt.update({"W": G})["W"] / math.sqrt(max(1.0, shape[0] / shape[1]))
        s = np.linalg.svd(D, compute_uv=False)
        np.testing.assert_allclose(s[:3], 1, rtol=0, atol=1e-12)
        assert s[3] < 1e-12
        if columns[0] >= 0:  # those of the first step are drawn in it
            np.testing.assert_allclose(D, -spectrum.low_rank(G, columns, steps=None), rtol=0, atol=1e-11)
            assert len(set(columns)) == 3
            drawn |= set(columns)
    assert drawn == set(range(max(shape)))


def scion_dual(W: np.ndarray, norm: str) -> tuple[float, Callable[[np.ndarray], float]]:
    """The factor of a norm of Scion, and the dual norm of its geometry."""
    m, n = W.shape
    return {
        "row": (1 / math.sqrt(n), lambda M: float(np.linalg.norm(M, axis=1).sum())),
        "column": (math.sqrt(m), lambda M: float(np.linalg.norm(M, axis=0).sum())),
        "sign": (1 / n, lambda M: float(np.abs(M).sum())),
        "bias_rms": (math.sqrt(m), lambda M: float(np.linalg.norm(M))),
    }[norm]


@pytest.mark.parametrize("norm", ["row", "column", "sign", "bias_rms"])
def test_clipped_scion_and_gluon(norm: str) -> None:
    """Steps along Scion's direction whose lengths follow from the dual norm of the momentum."""
    W, gradients = problem((4, 3))
    factor, dual = scion_dual(W, norm)
    radius = 2.0
    unit = [  # Scion's direction at each step, from the first gradient
        st.Optimizer(
            [np.zeros_like(W)], st.recipes.scion(lr=1.0, norm=norm, radius=radius, momentum=0.0)
        ).update([M])[0]
        for M in spectrum.momentum_rule(
            W, gradients, lambda u, t: u, lr=0.0, momentum=0.7, nesterov=False, first=True
        ).estimates
    ]
    estimates = spectrum.momentum_rule(
        W, gradients, lambda u, t: u, lr=0.0, momentum=0.7, nesterov=False, first=True
    ).estimates
    norms = [radius * factor * dual(M) for M in estimates]
    gluon = walk(
        st.recipes.gluon(lr=0.1, L0=0.5, L1=0.3, norm=norm, radius=radius, momentum=0.7), W, gradients
    )
    at, wanted = W.copy(), []
    for D, size in zip(unit, norms, strict=True):
        at = at + 0.1 * size / (0.5 + 0.3 * size) * D
        wanted.append(at)
    assert_path(gluon, wanted, W)
    rho = float(np.median(norms))
    # From a zero buffer the averages are shorter: compare the clipped rule at momentum 0.
    clipped = walk(
        st.recipes.clipped_scion(lr=0.1, rho=rho, norm=norm, radius=radius, momentum=0.0, constrained=True),
        W,
        gradients,
    )
    at, wanted = W.copy(), []
    for G in gradients:
        gap = radius * factor * dual(G) + float((at * G).sum())
        D = st.Optimizer(
            [np.zeros_like(W)], st.recipes.scion(lr=1.0, norm=norm, radius=radius, momentum=0.0)
        ).update([G])[0]
        share = min(1.0, 0.1 * min(rho, max(0.0, gap)))
        at = (1 - share) * at + share * D
        wanted.append(at)
    assert_path(clipped, wanted, W)


@pytest.mark.parametrize("scale", SCALES)
def test_limits_of_clipped_scion(scale: float) -> None:
    """A threshold above all dual norms gives the regularization rule, one below all gives Scion with lr rho."""
    W, gradients = problem((4, 4), scale)
    steep = st.recipes.polar_grad(lr=0.1, momentum=0.9)
    loose = st.recipes.clipped_scion(lr=0.1, rho=1e9)
    assert_path(walk(loose, W, gradients, backend="svd"), walk(steep, W, gradients, backend="svd"), W)
    tight = st.recipes.clipped_scion(lr=0.1, rho=1e-9)
    scion = st.recipes.scion(lr=0.1 * 1e-9)
    zero = np.zeros_like(W)
    assert_path(
        walk(tight, zero, gradients, backend="svd"), walk(scion, zero, gradients, backend="svd"), zero
    )
    euclidean = st.recipes.clipped_scion(lr=0.1, rho=1.0, norm="bias_rms", momentum=0.0)
    g = [scale * np.array([3.0, 4.0])]
    length = min(1.0, math.sqrt(2) * 5 * scale)  # the unit ball has a root mean square of one
    D = st.Optimizer([np.zeros(2)], euclidean).update(g)[0]
    np.testing.assert_allclose(D, -0.1 * length * math.sqrt(2) * np.array([0.6, 0.8]), rtol=1e-12)


@pytest.mark.parametrize(
    ("scaling", "length"),
    [
        (st.parts.ClippedNorm(rho=1e3), lambda norm: min(1e3, norm)),
        (st.parts.SmoothnessStep(L0=1.0, L1=1e-3), lambda norm: norm / (1 + 1e-3 * norm)),
        (st.parts.NormPower(power=0.5), math.sqrt),
    ],
    ids=str,
)
def test_lengths_follow_the_norm_of_the_whole_block(scaling: Any, length: Any) -> None:
    """Also where rules that do not look at the norm go through a block piece by piece."""
    G = np.random.default_rng(0).standard_normal((90, 70))
    recipe = st.Recipe("signs", 1.0, st.Sign(), scaling=scaling)
    D = st.Optimizer([np.zeros_like(G)], recipe).update([G])[0]
    np.testing.assert_allclose(D, -length(np.abs(G).sum()) * np.sign(G), rtol=1e-12)


def test_limits_of_gluon() -> None:
    """L1 = 0 is steepest descent with lr / L0, L0 = 0 a step of constant length lr / L1."""
    W, gradients = problem((4, 4))
    smooth = walk(st.recipes.gluon(lr=1.0, L0=8.0, L1=0.0), W, gradients, backend="svd")
    steep = walk(st.recipes.polar_grad(lr=1 / 8.0, momentum=0.0), W, gradients, backend="svd")
    assert_path(smooth, steep, W)
    constant = walk(st.recipes.gluon(lr=1.0, L0=0.0, L1=8.0), W, gradients, backend="svd")
    scion = walk(st.recipes.scion(lr=1 / 8.0, momentum=0.0), W, gradients, backend="svd")
    assert_path(constant, scion, W)


def test_gluon_descends_on_quadratics() -> None:
    """With L0 the Lipschitz constant from S_inf to S_1, tr Q for tr(W' Q W) / 2, no step goes uphill."""
    rng = np.random.default_rng(8)
    Q = np.diag([4.0, 2.0, 1.0, 0.5])
    W = rng.standard_normal((4, 4))
    opt = st.Gluon([W], L0=float(np.trace(Q)), L1=0.0, backend="svd")
    losses = []
    for _ in range(60):
        losses.append(float((W * (Q @ W)).sum()) / 2)
        opt.step([Q @ W])
    assert all(b <= a for a, b in itertools.pairwise(losses)) and losses[-1] < 0.05 * losses[0]


def test_stochastic_gluon() -> None:
    """Lengths lr (k + 1)^(-3/4), momentum 1 - (k + 1)^(-1/2), from the first gradient."""
    W, gradients = problem((4, 4))
    got = walk(st.recipes.gluon.stochastic(lr=0.3), W, gradients, backend="svd")
    literal: Path = spectrum.momentum_rule(
        W,
        gradients,
        lambda u, t: recipes.polar(u),
        lr=lambda k: 0.3 * (k + 1) ** -0.75,
        momentum=lambda k: 1 - (k + 1) ** -0.5,
        nesterov=False,
        first=True,
    )
    assert_path(got, literal.weights, W)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: st.recipes.htmuon(power=-0.1), "power"),
        (lambda: st.recipes.freon(lr=0.1, c=0.6), "c must be in \\[0, 1/2\\]"),
        (lambda: st.recipes.lion_muon(every=0), "every"),
        (lambda: st.recipes.lion_muon(sign_ratio=-1.0), "sign_ratio"),
        (lambda: st.recipes.low_rank_muon(rank=0), "rank"),
        (lambda: st.recipes.dion(rank_fraction=1.5), "rank_fraction"),
        (lambda: st.recipes.gluon(L0=0.0, L1=0.0), "both"),
        (lambda: st.recipes.clipped_scion(lr=0.1, rho=0.0), "rho"),
        (lambda: st.recipes.clipped_scion(lr=0.1, rho=1.0, norm="op"), "norm"),
    ],
)
def test_refusals(make: Callable[[], st.Recipe], words: str) -> None:
    """Values outside their ranges are refused by name."""
    with pytest.raises(ValueError, match=words):
        make()
