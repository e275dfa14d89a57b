"""Gradients and Hessian-vector products against finite differences."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from problems.examples import Blocks, examples, flat, point

import schattor as st

PROBLEMS = examples()
STEP = 1e-4


def moved(params: Blocks, way: Blocks, t: float) -> Blocks:
    """The point at t along a direction."""
    return {name: x + t * way[name] for name, x in params.items()}


def derivative(f: Callable[[float], np.ndarray | float]) -> np.ndarray | float:
    """Central differences of fourth order: an error of STEP^4, and eps / STEP from rounding: 1e-12 of f."""
    h = STEP
    return (8 * (f(h) - f(-h)) - (f(2 * h) - f(-2 * h))) / (12 * h)


@pytest.mark.parametrize("name", PROBLEMS)
def test_gradient(name: str) -> None:
    """Every entry of the gradient is the derivative of the loss, to 1e-6 of the gradient's length."""
    problem = PROBLEMS[name]
    params = point(problem)
    gradient, numerical = problem.gradient(params), []
    for block, x in params.items():
        for i in range(x.size):
            way = {k: np.zeros_like(v) for k, v in params.items()}
            way[block].flat[i] = 1
            numerical.append(derivative(lambda t, way=way: problem.loss(moved(params, way, t))))
    expected = flat(gradient)
    assert list(gradient) == list(params)
    assert all(gradient[k].shape == x.shape for k, x in params.items())
    assert np.linalg.norm(expected) > 1e-2
    assert np.linalg.norm(numerical - expected) <= 1e-6 * np.linalg.norm(expected)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", PROBLEMS)
def test_hessian_vector_product(name: str, seed: int) -> None:
    """The derivative of the gradient along a direction, to 1e-6 of its length; linear and symmetric."""
    problem, rng = PROBLEMS[name], np.random.default_rng(seed)
    params = point(problem, seed)
    way, other = ({k: rng.standard_normal(x.shape) for k, x in params.items()} for _ in range(2))
    product = problem.hvp(params, way)
    numerical = derivative(lambda t: flat(problem.gradient(moved(params, way, t))))
    size = np.linalg.norm(flat(product))
    assert size > 1e-2
    assert np.linalg.norm(numerical - flat(product)) <= 1e-6 * size
    there, back = flat(product) @ flat(other), flat(problem.hvp(params, other)) @ flat(way)
    # Rounding of sums of at most a hundred products.
    assert abs(there - back) <= 1e-13 * size * np.linalg.norm(flat(other))
    both = problem.hvp(params, moved(way, other, 2.0))
    np.testing.assert_allclose(
        flat(both), flat(product) + 2 * flat(problem.hvp(params, other)), rtol=0, atol=1e-12 * size
    )


@pytest.mark.parametrize("name", PROBLEMS)
def test_start_is_fresh_and_nothing_is_changed(name: str) -> None:
    """Writing to the starting point, or calling anything, changes no later result."""
    problem = PROBLEMS[name]
    first = problem.start()
    loss = problem.loss(first)
    for method in (problem.gradient, problem.noise_covariance):
        method(first)
    problem.hvp(first, first)
    problem.stochastic_gradient(first, 4, rng=0)
    assert problem.loss(first) == loss
    for x in first.values():
        assert x.dtype == np.float64
        x += 1
    assert problem.loss(problem.start()) == loss


@pytest.mark.parametrize("name", PROBLEMS)
def test_lower_bound(name: str) -> None:
    """No point that gradient descent visits is below the bound."""
    problem = PROBLEMS[name]
    params = problem.start()
    opt = st.SGD(params, lr=0.02)
    for _ in range(50):
        opt.step(problem.gradient(params))
        assert problem.loss(params) >= problem.lower_bound
    assert problem.loss(params) < problem.loss(problem.start())


def test_overflow_of_scores() -> None:
    """Scores far beyond the range of exp give finite losses and gradients."""
    problem = PROBLEMS["softmax"]
    params = {"W": 1e4 * np.random.default_rng(0).standard_normal((3, 5))}
    assert np.isfinite(problem.loss(params))
    assert np.isfinite(problem.gradient(params)["W"]).all()
