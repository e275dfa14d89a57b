"""Algorithms 1 to 4 against their literal loops."""

from __future__ import annotations

import numpy as np
import pytest
from reference import algorithms, mixed_norm

import schattor as st

STEPS = 12
ETA = 0.05
THETA = 0.2


def quadratic(seed: int, shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Curvature, minimiser and noise of a stochastic quadratic."""
    rng = np.random.default_rng(seed)
    return (
        np.diag(1 / np.arange(1.0, shape[0] + 1)),
        rng.standard_normal(shape),
        rng.standard_normal((STEPS, *shape)),
    )


@pytest.mark.parametrize("p", [1.5, 2.0, 3.0, 8.0, np.inf])
@pytest.mark.parametrize("rule", ["ball", "regularization"])
@pytest.mark.parametrize("theta", [THETA, 1.0])
def test_one_block(rule: str, p: float, theta: float) -> None:
    """Schattor with one block is Algorithm 1 (ball) or 2 (regularization); theta = 1 is no momentum."""
    Q, target, noise = quadratic(1, (6, 8))

    def gradient(X: np.ndarray, t: int) -> np.ndarray:
        return Q @ (X - target) + 0.1 * noise[t]

    literal = algorithms.algorithm_1 if rule == "ball" else algorithms.algorithm_2
    expected = literal(np.zeros((6, 8)), gradient, p, ETA, theta, STEPS)
    W = np.zeros((6, 8))
    optimizer = st.Schattor({"W": W}, p=p, lr=ETA, rule=rule, momentum=1 - theta)
    for t in range(STEPS):
        optimizer.step({"W": gradient(W, t)})
    np.testing.assert_allclose(W, expected, rtol=0, atol=1e-11)


@pytest.mark.parametrize("r", [1.0, 1.5, 2.0, 3.0, np.inf])
@pytest.mark.parametrize("rule", ["ball", "regularization"])
def test_many_blocks(rule: str, r: float) -> None:
    """Schattor with a mixed norm is Algorithm 3 (ball) or 4 (regularization), coupled or separable."""
    shapes = {"a": (6, 4), "b": (3, 5), "c": (4, 4)}
    problems = {name: quadratic(seed, shape) for seed, (name, shape) in enumerate(shapes.items())}
    geometries = {"a": ("schatten", 3.0), "b": ("schatten", np.inf), "c": ("lp", 1.5)}
    weights = {"a": 2.0, "b": 0.5, "c": 1.0}

    def gradient(X: mixed_norm.Blocks, t: int) -> mixed_norm.Blocks:
        return {i: Q @ (X[i] - target) + 0.1 * noise[t] for i, (Q, target, noise) in problems.items()}

    start = {name: np.zeros(shape) for name, shape in shapes.items()}
    literal = algorithms.algorithm_3 if rule == "ball" else algorithms.algorithm_4
    expected = literal(start, gradient, geometries, weights, r, ETA, THETA, STEPS)
    params = {name: x.copy() for name, x in start.items()}
    norm = st.MixedNorm({"a": st.Schatten(3), "b": st.Spectral(), "c": st.Lp(1.5)}, weights=weights, outer=r)
    optimizer = st.Schattor(params, norm=norm, rule=rule, lr=ETA, momentum=1 - THETA)
    for t in range(STEPS):
        optimizer.step(gradient(params, t))
    for name, value in expected.items():
        np.testing.assert_allclose(params[name], value, rtol=0, atol=1e-11, err_msg=name)


@pytest.mark.parametrize(("rule", "r"), [("ball", np.inf), ("regularization", 2.0)])
def test_default_outer_exponent_separates(rule: str, r: float) -> None:
    """Without `outer` every block moves as if it were alone: r = inf for the ball, r = 2 for regularization."""
    noise = {"a": quadratic(3, (5, 3))[2], "b": quadratic(4, (2, 7))[2]}
    together = {name: np.zeros(G.shape[1:]) for name, G in noise.items()}
    coupled = {name: np.zeros(G.shape[1:]) for name, G in noise.items()}
    both = st.Schattor(together, p=4, rule=rule, lr=ETA)
    explicit = st.Schattor(coupled, p=4, rule=rule, lr=ETA, outer=r)
    for t in range(STEPS):
        both.step({name: G[t] for name, G in noise.items()})
        explicit.step({name: G[t] for name, G in noise.items()})
    for name, G in noise.items():
        alone = {name: np.zeros(G.shape[1:])}
        single = st.Schattor(alone, p=4, rule=rule, lr=ETA)
        for t in range(STEPS):
            single.step({name: G[t]})
        np.testing.assert_allclose(together[name], alone[name], rtol=0, atol=1e-13)
        np.testing.assert_allclose(coupled[name], together[name], rtol=0, atol=1e-13)


def test_zero_start_takes_theta_of_the_first_gradient() -> None:
    """With momentum_init="zero" the first regularization step is theta times that of the first gradient."""
    G = np.random.default_rng(0).standard_normal((4, 3))
    first, zero = np.zeros((4, 3)), np.zeros((4, 3))
    st.Schattor({"W": first}, p=3, rule="regularization", lr=1.0, momentum=0.75).step({"W": G})
    st.Schattor({"W": zero}, p=3, rule="regularization", lr=1.0, momentum=0.75, momentum_init="zero").step(
        {"W": G}
    )
    np.testing.assert_allclose(zero, 0.25 * first, rtol=1e-12)
    np.testing.assert_allclose(first, st.regularization_oracle(G, 3), rtol=1e-12)
