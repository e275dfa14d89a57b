"""Smoothness along steps against exact constants, and the noise scale against known covariances."""

from __future__ import annotations

import math

import numpy as np
import pytest

import schattor as st
from schattor.diagnostics import noise_scale, smoothness

QUADRATIC = st.problems.MatrixQuadratic.random(np.geomspace(1, 0.05, 5), columns=7, rng=0)


def change(step: np.ndarray) -> np.ndarray:
    """Of the gradient along a step from the start."""
    start = QUADRATIC.start()["W"]
    return QUADRATIC.gradient({"W": start + step})["W"] - QUADRATIC.gradient({"W": start})["W"]


@pytest.mark.parametrize("p", (1, 1.5, 2, 3, 8, math.inf))
def test_at_most_the_lipschitz_constant_and_attained(p: float) -> None:
    """Random steps stay below the exact constant; the direction that attains it does."""
    rng, L = np.random.default_rng(1), QUADRATIC.lipschitz(p)
    for _ in range(10):
        step = rng.standard_normal((5, 7))
        assert smoothness(change(step), step, p) <= L * (1 + 1e-12)
    # D -> 2 Q D attains its norm where the singular values are powers of the eigenvalues, a / p of them.
    eigenvalues, vectors = np.linalg.eigh(QUADRATIC.Q)
    exponent = 0.0 if math.isinf(p) else 1 / (p - 2) if p > 2 else None
    powers = eigenvalues**exponent if exponent is not None else eigenvalues == eigenvalues.max()
    step = (vectors * powers) @ np.eye(5, 7)
    assert smoothness(change(step), step, p) == pytest.approx(L, rel=1e-12)


def test_other_geometries() -> None:
    """Any norm with a dual: here largest entry and sum of entries."""
    step = np.array([[1.0, -2.0], [0.5, 0.0]])
    assert smoothness(3 * step, step, st.Sign()) == pytest.approx(3 * 3.5 / 2)


def test_a_scaled_identity_has_its_constant_at_two() -> None:
    """Delta = c step: c at p = 2, and NaN for no step."""
    step = np.arange(6.0).reshape(2, 3)
    assert smoothness(2.5 * step, step, 2) == pytest.approx(2.5)
    assert math.isnan(smoothness(step, 0 * step, 2))


@pytest.mark.parametrize("shape", ((4, 60), (60, 4)))
def test_noise_is_taken_off(shape: tuple[int, int]) -> None:
    """Independent noise makes short steps look rough: with the constant 1, more than 4. Most of that goes again."""
    noise = st.problems.GaussianNoise(np.array([2.0, 1.5, 1.0, 0.5]), shape)
    rng = np.random.default_rng(2)
    step = 0.05 * rng.standard_normal(shape)
    draws = noise.draw(2 * 50, rng)
    differences = step + draws[:50] - draws[50:]
    plain = np.mean([smoothness(D, step, 2) for D in differences])
    clean = [smoothness(D, step, 2, noise=2 * noise.covariance) for D in differences]
    assert plain > 4
    assert np.mean(clean) < plain / 2
    assert smoothness(step, step, 3, noise=np.zeros((4, 4))) == pytest.approx(smoothness(step, step, 3))


def test_smoothness_errors() -> None:
    """Shapes, and noise in a norm that knows no covariance."""
    with pytest.raises(ValueError, match=r"gradient_change has shape \(2, 2\), but step has \(2, 3\)"):
        smoothness(np.ones((2, 2)), np.ones((2, 3)), 2)
    with pytest.raises(ValueError, match="must be Schatten"):
        smoothness(np.ones((2, 2)), np.ones((2, 2)), st.Sign(), noise=np.eye(2))
    with pytest.raises(ValueError, match="noise must have shape"):
        smoothness(np.ones((2, 3)), np.ones((2, 3)), 2, noise=np.eye(3))


def test_noise_scale_by_hand() -> None:
    """Two micro-batches of three samples: mean (2, 0), deviations (1, 0): trace 3 / 1 * 2 = 6, norm 4 - 6/6."""
    found = noise_scale([[3.0, 0.0], [1.0, 0.0]], batch_size=3)
    assert found.covariance_trace == pytest.approx(6)
    assert found.squared_norm == pytest.approx(3)
    assert found.scale == pytest.approx(2)


@pytest.mark.parametrize("batch", (1, 4))
def test_noise_scale_is_unbiased(batch: int) -> None:
    """Means over 2000 replications within four standard errors of tr V^2 = 5.25 and of ||g||^2."""
    noise = st.problems.GaussianNoise(np.array([2.0, 1.0, 0.5]), (3, 8))
    rng, g = np.random.default_rng(3), 0.3 * np.ones((3, 8))
    found = []
    for _ in range(2000):
        draws = noise.draw(5 * batch, rng).reshape(5, batch, 3, 8).mean(axis=1)
        found.append(noise_scale(g + draws, batch))
    for values, expected in zip(np.array(found).T, (5.25, np.sum(g * g)), strict=True):
        assert abs(values.mean() - expected) <= 4 * values.std(ddof=1) / np.sqrt(2000)


def test_noise_scale_of_a_problem() -> None:
    """All samples of a finite sum, drawn once each: the exact trace, up to the N / (N - 1) of its population."""
    X = np.random.default_rng(4).standard_normal((30, 5))
    problem = st.problems.MLP.random(X, np.arange(30) % 3, hidden=(4,), rng=5)
    params = problem.start()
    stacks = {k: U[:, :, None] * V[:, None, :] for k, (U, V) in problem.factors(params).items()}
    covariance = problem.noise_covariance(params)
    for name, stack in stacks.items():
        assert noise_scale(stack).covariance_trace * 29 / 30 == pytest.approx(
            np.trace(covariance[name]), rel=1e-10
        )
    whole = noise_scale(stacks)
    assert whole.covariance_trace * 29 / 30 == pytest.approx(
        sum(map(np.trace, covariance.values())), rel=1e-10
    )


def test_noise_without_a_gradient() -> None:
    """Opposite gradients: the estimate of the squared length is negative, the scale infinite."""
    found = noise_scale([[1.0], [-1.0]])
    assert found.squared_norm < 0
    assert found.scale == math.inf


def test_noise_scale_errors() -> None:
    """One micro-batch shows no noise."""
    with pytest.raises(ValueError, match="at least two gradients"):
        noise_scale(np.ones((1, 2, 2)))
    with pytest.raises(ValueError, match="batch_size must be at least 1"):
        noise_scale(np.ones((2, 2, 2)), 0)
