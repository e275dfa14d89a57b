"""Lemmas 5, 6, 8 and 9, which hold step by step and for all exponents, along noisy runs on a quadratic."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import hypothesis.strategies as hst
import numpy as np
from hypothesis import given
from reference.oracles import ball_oracle, conjugate, regularization_oracle, schatten_norm

import schattor as st

EXPONENTS = hst.sampled_from([1.0, 1.5, 2.0, 3.0, 8.0, np.inf])
STEPS = 8


@dataclass(frozen=True)
class Path:
    """Losses of STEPS + 1 points; gradients, estimates and noises of STEPS steps; the constant L."""

    losses: list[float]
    gradients: list[np.ndarray]
    estimates: list[np.ndarray]
    noises: list[np.ndarray]
    L: float


def walk(seed: int, p: float, theta: float, lr: Callable[[float, float], float], oracle: Callable) -> Path:
    """A run with step sizes lr(L, size), size being the largest gradient's order, and noise of that order."""
    rng = np.random.default_rng(seed)
    m, n = rng.integers(1, 6, size=2)
    problem = st.problems.MatrixQuadratic.random(np.geomspace(1, 0.1, m), int(n), rng)
    L, X = problem.lipschitz(p), problem.start()
    size = schatten_norm(problem.gradient(X)["W"], conjugate(p))
    losses, gradients, estimates, noises = [problem.loss(X)], [], [], []
    for t in range(STEPS):
        gradients.append(problem.gradient(X)["W"])
        noises.append(rng.standard_normal((m, n)) * size / 10.0 ** rng.uniform(0, 3))
        G = gradients[t] + noises[t]
        estimates.append(G if t == 0 else (1 - theta) * estimates[-1] + theta * G)
        X = {"W": X["W"] + lr(L, size) * oracle(estimates[t], p)}
        losses.append(problem.loss(X))
    return Path(losses, gradients, estimates, noises, L)


def noise_sum(path: Path, t: int, theta: float, first: float) -> np.ndarray:
    """first N_0 + theta sum_s (1 - theta)^(t-s) N_s."""
    return first * path.noises[0] + theta * sum(
        ((1 - theta) ** (t - s) * path.noises[s] for s in range(1, t + 1)), np.zeros_like(path.noises[0])
    )


@given(hst.integers(0, 2**32 - 1), EXPONENTS, hst.floats(0.01, 1), hst.floats(0.01, 3))
def test_lemmas_5_and_6(seed: int, p: float, theta: float, length: float) -> None:
    """The ball rule: decrease of the loss, and error of the estimate."""
    lrs: list[float] = []

    def lr(L: float, size: float) -> float:
        lrs.append(length * size / L)
        return lrs[-1]

    path, q = walk(seed, p, theta, lr, ball_oracle), conjugate(p)
    eta, L = lrs[0], path.L
    for t in range(STEPS):
        gradient, error = (
            schatten_norm(x, q) for x in (path.gradients[t], path.estimates[t] - path.gradients[t])
        )
        bound = path.losses[t] - eta * gradient + 2 * eta * error + L * eta**2 / 2
        assert path.losses[t + 1] <= bound + 1e-12 * path.losses[t]
        bound = (
            (1 - theta) ** t * schatten_norm(path.noises[0], q)
            + L * eta * (1 - theta) / theta
            + schatten_norm(noise_sum(path, t, theta, 0.0), q)
        )
        assert error <= bound * (1 + 1e-12) + 1e-12 * gradient


@given(hst.integers(0, 2**32 - 1), EXPONENTS, hst.floats(0.01, 1), hst.floats(0.01, 0.5))
def test_lemmas_8_and_9(seed: int, p: float, theta: float, length: float) -> None:
    """The regularization rule with learning rates up to 1/(2L)."""
    path, q = walk(seed, p, theta, lambda L, size: length / L, regularization_oracle), conjugate(p)
    L = path.L
    eta = length / L
    estimates = [schatten_norm(M, q) ** 2 for M in path.estimates]
    for t in range(STEPS):
        error = schatten_norm(path.estimates[t] - path.gradients[t], q) ** 2
        bound = path.losses[t] - eta / 4 * estimates[t] + eta / 2 * error
        assert path.losses[t + 1] <= bound + 1e-12 * path.losses[t]
        drift = sum((1 - theta) ** (t - s + 1) * estimates[s - 1] for s in range(1, t + 1))
        noise = schatten_norm(noise_sum(path, t, theta, (1 - theta) ** t), q) ** 2
        bound = 2 * L**2 * eta**2 / theta * drift + 2 * noise
        assert error <= bound * (1 + 1e-12) + 1e-20 * estimates[0]
