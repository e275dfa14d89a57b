"""Gradient estimators on their own, against closed sums over the gradients seen."""

from __future__ import annotations

from typing import Any

import hypothesis.strategies as hst
import numpy as np
import pytest
from hypothesis import given
from reference import estimators as reference

import schattor as st

MOMENTA = hst.sampled_from([0.0, 0.3, 0.9, 0.99])
LENGTHS = hst.integers(1, 12)
SEEDS = hst.integers(0, 2**32 - 1)
SHAPES = hst.sampled_from([(3, 4), (5,), (), (1, 1)])
DTYPES = hst.sampled_from([np.float32, np.float64])


def draw(
    seed: int, length: int, shape: tuple[int, ...] = (3, 4), dtype: type = np.float64
) -> list[np.ndarray]:
    """Gradients of one run."""
    return list(np.random.default_rng(seed).standard_normal((length, *shape)).astype(dtype))


def run(spec: Any, gradients: list[np.ndarray]) -> list[np.ndarray]:
    """All estimates of one run."""
    state = spec.start(like=gradients[0])
    return [state.update(G) for G in gradients]


def assert_close(actual: np.ndarray, expected: np.ndarray) -> None:
    """Equal up to the rounding of a short sum of terms of order one."""
    tolerance = 64 * float(np.finfo(actual.dtype).eps) * max(1.0, float(np.abs(expected).max()))
    np.testing.assert_allclose(actual, expected, rtol=0, atol=tolerance)


@given(MOMENTA, hst.sampled_from(["first", "zero", "debiased"]), LENGTHS, SEEDS, SHAPES, DTYPES)
def test_ema(b: float, init: str, length: int, seed: int, shape: tuple[int, ...], dtype: type) -> None:
    """EMA unrolled: weights (1-b) b^(t-j), the first gradient with b^t under "first", divided by 1-b^t if debiased."""
    gradients = draw(seed, length, shape, dtype)
    exact = [np.asarray(G, dtype=np.float64) for G in gradients]
    for t, M in enumerate(run(st.estimators.EMA(momentum=b, init=init), gradients)):
        assert M.dtype == dtype
        assert M.shape == shape
        assert_close(M, reference.ema(exact[: t + 1], b, init))


@given(MOMENTA, hst.sampled_from(["first", "zero"]), LENGTHS, SEEDS)
def test_ema_nesterov(b: float, init: str, length: int, seed: int) -> None:
    """u = (1-b) G + b M with the updated M."""
    gradients = draw(seed, length)
    for t, u in enumerate(run(st.estimators.EMA(momentum=b, init=init, nesterov=True), gradients)):
        assert_close(u, reference.ema_nesterov(gradients[: t + 1], b, init))


@given(
    MOMENTA, hst.sampled_from([0.0, 0.1, 0.9]), hst.sampled_from(["first", "zero"]), LENGTHS, SEEDS, DTYPES
)
def test_heavy_ball(b: float, d: float, init: str, length: int, seed: int, dtype: type) -> None:
    """Heavy ball unrolled: weights (1-d) b^(t-j); under "first" the first gradient is not damped."""
    gradients = draw(seed, length, dtype=dtype)
    exact = [G.astype(np.float64) for G in gradients]
    for t, B in enumerate(run(st.estimators.HeavyBall(momentum=b, dampening=d, init=init), gradients)):
        assert B.dtype == dtype
        assert_close(B, reference.heavy_ball(exact[: t + 1], b, d, init))


@given(MOMENTA, hst.sampled_from(["first", "zero"]), LENGTHS, SEEDS)
def test_heavy_ball_nesterov(b: float, init: str, length: int, seed: int) -> None:
    """u = G + b B with the updated B."""
    gradients = draw(seed, length)
    for t, u in enumerate(run(st.estimators.HeavyBall(momentum=b, init=init, nesterov=True), gradients)):
        assert_close(u, reference.heavy_ball_nesterov(gradients[: t + 1], b, 0.0, init))


@given(MOMENTA, LENGTHS, SEEDS)
def test_ema_and_heavy_ball_are_proportional(b: float, length: int, seed: int) -> None:
    """From zero buffers M = (1-b) B, and the Nesterov forms keep the factor: u_EMA = (1-b) u_HB."""
    gradients = draw(seed, length)
    for nesterov in (False, True):
        average = run(st.estimators.EMA(momentum=b, init="zero", nesterov=nesterov), gradients)
        ball = run(st.estimators.HeavyBall(momentum=b, init="zero", nesterov=nesterov), gradients)
        for M, B in zip(average, ball, strict=True):
            assert_close(M, (1 - b) * B)


@given(MOMENTA, LENGTHS, SEEDS)
def test_dampened_heavy_ball_is_ema(b: float, length: int, seed: int) -> None:
    """With dampening = momentum both starts coincide with those of the EMA."""
    gradients = draw(seed, length)
    for init in ("first", "zero"):
        average = run(st.estimators.EMA(momentum=b, init=init), gradients)
        ball = run(st.estimators.HeavyBall(momentum=b, dampening=b, init=init), gradients)
        for M, B in zip(average, ball, strict=True):
            assert_close(M, B)


@given(LENGTHS, SEEDS)
def test_no_momentum(length: int, seed: int) -> None:
    """theta = 1, that is momentum = 0, and NoMomentum return the gradient itself, bit for bit."""
    gradients = draw(seed, length)
    specs = [
        st.estimators.NoMomentum(),
        st.estimators.EMA(momentum=0.0),
        st.estimators.EMA(momentum=0.0, init="zero"),
    ]
    specs += [
        st.estimators.EMA(momentum=0.0, nesterov=True),
        st.estimators.EMA(momentum=0.0, init="debiased"),
    ]
    specs += [st.estimators.HeavyBall(momentum=0.0), st.estimators.HeavyBall(momentum=0.0, nesterov=True)]
    for spec in specs:
        for G, M in zip(gradients, run(spec, gradients), strict=True):
            np.testing.assert_array_equal(M, G)


@given(hst.sampled_from([0.3, 0.9]), LENGTHS)
def test_constant_gradient(b: float, length: int) -> None:
    """On a constant gradient "first" and "debiased" are exact from the start; "zero" has the factor 1 - b^t."""
    G = np.array([[1.0, -2.0], [0.5, 3.0]])
    estimates = {
        init: run(st.estimators.EMA(b, init=init), [G] * length)[-1] for init in ("first", "zero", "debiased")
    }
    np.testing.assert_allclose(estimates["first"], G, rtol=1e-14)
    np.testing.assert_allclose(estimates["debiased"], G, rtol=1e-13)
    np.testing.assert_allclose(estimates["zero"], (1 - b**length) * G, rtol=1e-13)


@given(hst.sampled_from([0.5, 0.9]), SEEDS)
def test_error_recursion(b: float, seed: int) -> None:
    """E_t = (1-theta)(E_{t-1} + grad f(X_{t-1}) - grad f(X_t)) + theta N_t, the identity behind Lemma 6."""
    theta, length = 1 - b, 8
    exact, noise = draw(seed, length), draw(seed + 1, length)
    estimates = run(st.estimators.EMA(momentum=b), [g + N for g, N in zip(exact, noise, strict=True)])
    errors = [M - g for M, g in zip(estimates, exact, strict=True)]
    assert_close(errors[0], noise[0])
    for t in range(1, length):
        assert_close(errors[t], (1 - theta) * (errors[t - 1] + exact[t - 1] - exact[t]) + theta * noise[t])


ALL_SPECS = [
    st.estimators.NoMomentum(),
    *(st.estimators.EMA(0.9, init=init) for init in ("first", "zero", "debiased")),
    st.estimators.EMA(0.9, nesterov=True),
    *(st.estimators.HeavyBall(0.9, dampening=0.1, init=init) for init in ("first", "zero")),
    st.estimators.HeavyBall(0.9, nesterov=True),
]


@pytest.mark.parametrize("spec", ALL_SPECS, ids=str)
def test_results_are_fresh(spec: Any) -> None:
    """Writing into an estimate or into a gradient that was passed leaves the next estimates as they were."""
    gradients = draw(3, 5)
    expected = run(spec, [G.copy() for G in gradients])
    state = spec.start(like=gradients[0])
    for G, value in zip(gradients, expected, strict=True):
        before = G.copy()
        M = state.update(G)
        np.testing.assert_array_equal(G, before)
        np.testing.assert_array_equal(M, value)
        assert not np.shares_memory(M, G)
        M[...] = np.nan
        G[...] = np.nan


@pytest.mark.parametrize("spec", ALL_SPECS, ids=str)
def test_runs_are_independent(spec: Any) -> None:
    """Two runs of one spec do not share a buffer."""
    gradients, others = draw(4, 4), draw(5, 4)
    expected = run(spec, gradients)
    one, two = spec.start(like=gradients[0]), spec.start(like=gradients[0])
    for G, H, value in zip(gradients, others, expected, strict=True):
        two.update(H)
        np.testing.assert_array_equal(one.update(G), value)


def test_state_is_readable() -> None:
    """The state is inspectable and follows the buffer."""
    gradients = draw(6, 3)
    state = st.estimators.EMA(0.9, init="zero").start(like=gradients[0])
    for G in gradients:
        M = state.update(G)
    buffers = [v for v in dict(state.state).values() if np.shape(v) == M.shape]
    assert any(np.array_equal(v, M) for v in buffers)


def test_strided_and_read_only_gradients() -> None:
    """Any layout is read."""
    G = np.arange(12.0).reshape(3, 4)
    view = np.asfortranarray(G)
    view.flags.writeable = False
    state = st.estimators.EMA(0.5).start(like=G)
    np.testing.assert_array_equal(state.update(view), G)
    np.testing.assert_array_equal(state.update(G[::-1]), 0.5 * G + 0.5 * G[::-1])


@pytest.mark.parametrize("kind", [st.estimators.EMA, st.estimators.HeavyBall])
@pytest.mark.parametrize("momentum", [-0.1, 1.0, 1.5, np.nan, np.inf])
def test_momentum_range(kind: type, momentum: float) -> None:
    """Momentum lies in [0, 1)."""
    with pytest.raises(ValueError, match="momentum"):
        kind(momentum=momentum)


def test_bad_options() -> None:
    """Unknown starts, a debiased heavy ball and a bad dampening raise."""
    with pytest.raises(ValueError, match="init"):
        st.estimators.EMA(0.9, init="last")
    with pytest.raises(ValueError, match="init"):
        st.estimators.HeavyBall(0.9, init="debiased")
    with pytest.raises(ValueError, match="dampening"):
        st.estimators.HeavyBall(0.9, dampening=np.nan)


@pytest.mark.parametrize("bad", [np.ones((3, 5)), np.ones((4, 3)), np.ones(12)])
def test_wrong_shape(bad: np.ndarray) -> None:
    """A gradient of another shape raises, and the run goes on as if it had not been passed."""
    gradients = draw(7, 3)
    state, clean = (
        st.estimators.EMA(0.9).start(like=gradients[0]),
        st.estimators.EMA(0.9).start(like=gradients[0]),
    )
    state.update(gradients[0])
    clean.update(gradients[0])
    with pytest.raises(ValueError, match="shape"):
        state.update(bad)
    np.testing.assert_array_equal(state.update(gradients[1]), clean.update(gradients[1]))


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_non_finite_gradient(bad: float) -> None:
    """NaN or Inf raises before the buffer is touched."""
    gradients = draw(8, 2)
    state, clean = (
        st.estimators.EMA(0.9).start(like=gradients[0]),
        st.estimators.EMA(0.9).start(like=gradients[0]),
    )
    state.update(gradients[0])
    clean.update(gradients[0])
    broken = gradients[1].copy()
    broken[-1, -1] = bad
    with pytest.raises(ValueError, match=r"(?i)finite|nan|inf"):
        state.update(broken)
    np.testing.assert_array_equal(state.update(gradients[1]), clean.update(gradients[1]))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_minibatch_mean(dtype: type) -> None:
    """The mean over the first axis, in the type of the samples; one sample is returned unchanged."""
    samples = np.stack(draw(9, 7, dtype=dtype))
    mean = st.estimators.minibatch_mean(samples)
    assert mean.dtype == dtype
    np.testing.assert_allclose(mean, samples.astype(np.float64).mean(0), rtol=0, atol=4 * np.finfo(dtype).eps)
    np.testing.assert_array_equal(st.estimators.minibatch_mean(samples[:1]), samples[0])
    assert st.estimators.minibatch_mean([1.0, 2.0, 6.0]) == pytest.approx(3.0)


def test_minibatch_mean_of_nothing() -> None:
    """An empty batch has no mean."""
    with pytest.raises(ValueError, match=r"(?i)empty|sample"):
        st.estimators.minibatch_mean(np.zeros((0, 3, 4)))


def test_specs_are_frozen_values() -> None:
    """Specs compare by value and cannot be changed."""
    assert st.estimators.EMA(0.9) == st.estimators.EMA(momentum=0.9, init="first", nesterov=False)
    assert st.estimators.EMA() == st.estimators.EMA(0.9)
    with pytest.raises(AttributeError):
        st.estimators.EMA(0.9).momentum = 0.5
