"""The perceptron of the demo: losses and gradients."""

from __future__ import annotations

import numpy as np
import pytest

from schattor.demo.model import _forward, evaluate, init_params, loss_and_gradients

SIZES = (5, 4, 3, 3)


def _problem(dtype: type = np.float64) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray]:
    rng = np.random.default_rng(3)
    params = init_params(SIZES, rng, np.float64)
    for name in params:
        params[name] = (params[name] + 0.1 * rng.normal(size=params[name].shape)).astype(dtype)
    return params, rng.normal(size=(9, 5)).astype(dtype), rng.integers(0, 3, size=9)


def test_gradients_equal_finite_differences() -> None:
    """Every partial derivative equals the central difference: truncation is h^2, rounding eps / h."""
    params, X, y = _problem()
    h = 1e-6
    # The loss has no derivative where a ReLU's argument is zero: the differences must stay clear of it.
    for layer in (1, 2):
        Z = _forward(params, X)[0][layer - 1] @ params[f"W{layer}"].T + params[f"b{layer}"]
        assert np.abs(Z).min() > 100 * h
    _, grads = loss_and_gradients(params, X, y)
    assert set(grads) == set(params)
    for name, W in params.items():
        differences = np.empty_like(W)
        for index in np.ndindex(W.shape):
            kept = W[index]
            W[index] = kept + h
            above = loss_and_gradients(params, X, y)[0]
            W[index] = kept - h
            below = loss_and_gradients(params, X, y)[0]
            W[index] = kept
            differences[index] = (above - below) / (2 * h)
        np.testing.assert_allclose(grads[name], differences, rtol=0, atol=2e-9)


def test_float32_gradients_stay_float32_and_agree_with_float64() -> None:
    """The optimizers demand gradients in the parameters' dtype; single precision may cost rounding only."""
    exact = loss_and_gradients(*_problem())[1]
    loss, grads = loss_and_gradients(*_problem(np.float32))
    assert np.isfinite(loss)
    for name, gradient in grads.items():
        assert gradient.dtype == np.float32
        assert gradient.shape == exact[name].shape
        np.testing.assert_allclose(gradient, exact[name], rtol=0, atol=100 * np.finfo(np.float32).eps)


def test_loss_of_zero_parameters_is_log_of_the_number_of_classes() -> None:
    """With all scores zero every class has the same probability."""
    params, X, y = _problem()
    zero = {name: np.zeros_like(W) for name, W in params.items()}
    assert loss_and_gradients(zero, X, y)[0] == pytest.approx(np.log(3), rel=1e-15)


def test_evaluate_agrees_with_training_loss_and_counts_hits() -> None:
    """One layer whose scores are the inputs: a hit is a row whose largest entry is at the label."""
    params = {"W1": np.eye(3), "b1": np.zeros(3)}
    X = np.array([[3.0, 1, 2], [0, 5, 1], [1, 0, 2], [2, 1, 0]])
    y = np.array([0, 1, 2, 1])
    loss, accuracy = evaluate(params, X, y)
    assert accuracy == 0.75
    assert loss == loss_and_gradients(params, X, y)[0]


def test_huge_scores_do_not_overflow() -> None:
    """Softmax shifts by the largest score: a wrong score of 1e30 costs a loss of 1e30, not NaN."""
    params = {"W1": np.eye(2, dtype=np.float32), "b1": np.zeros(2, np.float32)}
    X = np.array([[1e30, 0]], np.float32)
    loss, grads = loss_and_gradients(params, X, np.array([1]))
    assert loss == pytest.approx(1e30, rel=1e-6)
    assert np.isfinite(grads["b1"]).all()


def test_initial_weights_have_variance_two_over_fan_in() -> None:
    """The variance of n normal values has the relative standard error sqrt(2/n); five are allowed."""
    params = init_params((200, 300), np.random.default_rng(0))
    n = params["W1"].size
    assert params["W1"].shape == (300, 200)
    assert params["W1"].var() == pytest.approx(2 / 200, rel=5 * np.sqrt(2 / n))
    assert not params["b1"].any()
