"""The covariance along a run: its recursion, its drift bias, its state, and what it refuses."""

from __future__ import annotations

import io
import itertools
import tracemalloc

import numpy as np
import pytest
from noise import literal

import schattor as st

FORMS = ("full", "diagonal", "sketch")


def gradients(shape: tuple[int, ...], dtype: type, count: int = 12) -> np.ndarray:
    """A sequence of gradients."""
    return np.random.default_rng(0).standard_normal((count, *shape)).astype(dtype)


def average(D: list[np.ndarray], beta: float, b: int) -> np.ndarray:
    """The weighted mean of b/2 D D' with weights that fall by beta, newest first."""
    weights = beta ** np.arange(len(D))[::-1]
    return sum(w * b / 2 * literal.second_moment(d) for w, d in zip(weights, D, strict=True)) / weights.sum()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(1, 1), (3, 5), (5, 3), (70, 60)])
@pytest.mark.parametrize(("beta", "interval"), [(0.8, 1), (1.0, 1), (0.0, 1), (0.8, 2), (0.9, 3)])
def test_the_recursion_is_a_weighted_mean(
    shape: tuple[int, int], dtype: type, beta: float, interval: int
) -> None:
    """Of differences of successive gradients, at every interval-th step, in all forms."""
    G = gradients(shape, dtype)
    exact = G.astype(np.float64)
    D = [exact[t] - exact[t - 1] for t in range(1, len(G)) if (t + 1) % interval == 0]
    expected = average(D, beta, 4)
    # Twelve updates, and products of `larger` terms, each with a few roundings.
    atol = 20 * max(shape) * np.finfo(dtype).eps * np.abs(expected).max()
    for form, wanted in (("full", expected), ("diagonal", np.diag(np.diag(expected))), ("sketch", expected)):
        noise = st.noise.StreamingNoise([G[0]], 4, beta=beta, form=form, rank=min(shape), interval=interval)
        for g in G:
            noise.update([g])
        # A sketch of full rank divides by eigenvalues down to its cutoff: half the digits.
        slack = np.sqrt(np.finfo(dtype).eps) * np.trace(expected) if form == "sketch" else atol
        np.testing.assert_allclose(noise.estimate("0").covariance, wanted, rtol=0, atol=slack)


def test_a_sketch_along_a_run() -> None:
    """It is the sketch of the average, and bounds its sigma as at one point."""
    G = gradients((20, 30), np.float64, 40) * np.geomspace(1, 1e-2, 20)[:, None]
    noise = {form: st.noise.StreamingNoise([G[0]], 4, form=form, rank=6) for form in FORMS}
    for g in G:
        for stream in noise.values():
            stream.update([g])
    full, diagonal, sketch = (noise[form].estimate("0") for form in FORMS)
    for other in (diagonal, sketch):
        assert other.sigma(2).value == pytest.approx(full.sigma(2).value, rel=1e-12)
        assert full.sigma(1).value < other.sigma(1).value < np.sqrt(20) * full.sigma(2).value
        assert other.sigma(np.inf).value <= full.sigma(np.inf).value * (1 + 1e-12)
    assert np.isnan(full.sigma(1).standard_error)


@pytest.mark.parametrize("b", [1, 2])
def test_the_drift_bias(b: int) -> None:
    """Its expectation, over all outcomes of four steps, is V^2 plus the average of b/2 Delta Delta'.

    Pairs of batches at one point have no such bias.
    """
    rng = np.random.default_rng(1)
    A = [rng.standard_normal((2, 3)) for _ in range(2)]
    A.append(-A[0] - A[1])
    batches = [np.mean([A[i] for i in c], axis=0) for c in itertools.product(range(3), repeat=b)]
    exact = sum(literal.second_moment(a) for a in A) / 3
    drift = [rng.standard_normal((2, 3)) for _ in range(3)]
    path = [sum(drift[:t], np.zeros((2, 3))) for t in range(4)]
    total, outcomes = np.zeros((2, 2)), list(itertools.product(batches, repeat=4))
    for outcome in outcomes:
        noise = st.noise.StreamingNoise([A[0]], b, beta=0.5)
        for gradient, N in zip(path, outcome, strict=True):
            noise.update([gradient + N])
        total += noise.estimate("0").covariance
    expected = exact + average(drift, 0.5, b)
    np.testing.assert_allclose(total / len(outcomes), expected, rtol=1e-11)
    paired, pairs = np.zeros((2, 2)), list(itertools.product(batches, repeat=2))
    for N, M in pairs:
        noise = st.noise.StreamingNoise([A[0]], b)
        noise.update([path[1] + N], [path[1] + M])
        paired += noise.estimate("0").covariance
    np.testing.assert_allclose(paired / len(pairs), exact, rtol=1e-11)


def test_the_bias_is_bounded_by_the_step() -> None:
    """On a run without noise the estimate is the drift: b/2 Delta Delta' with ||Delta||_q <= L ||X_t - X_(t-1)||_p."""
    problem = st.problems.MatrixQuadratic.random(np.geomspace(1, 0.1, 6), columns=8, rng=0)
    params, p, q, b, lr = problem.start(), 4.0, 4 / 3, 16, 0.05
    opt = st.Schattor(params, p=p, lr=lr, momentum=0.0)
    noise = st.noise.StreamingNoise(params, b, beta=0.0)
    for _ in range(10):
        grads = problem.gradient(params)
        noise.update(grads)
        opt.step(grads)
    found = noise.estimate("W").sigma(q).value
    bound = np.sqrt(b / 2) * problem.lipschitz(p) * lr
    assert 0.1 * bound < found <= bound


def test_pairs_and_successive_gradients_mix() -> None:
    """A second batch replaces the previous gradient in one step; the first of a pair is the next one's previous."""
    G = gradients((2, 3), np.float64, 4)
    noise = st.noise.StreamingNoise([G[0]], 2, beta=1)
    noise.update([G[0]], [G[1]])
    noise.update([G[2]])
    expected = average([G[0] - G[1], G[2] - G[0]], 1.0, 2)
    np.testing.assert_allclose(noise.estimate("0").covariance, expected, rtol=1e-12)


def test_blocks_left_out_and_odd_arrays() -> None:
    """None leaves a block as it was; strided and read-only gradients are as good; structures may nest."""
    G = gradients((4, 6), np.float32)
    params = {"a": {"W": G[0], "b": np.zeros(3)}}
    noise, other = (st.noise.StreamingNoise(params, 2, beta=0.9) for _ in range(2))
    assert noise.names == ["a/W", "a/b"]
    for t, g in enumerate(G):
        vector = np.arange(3.0) + t
        noise.update({"a": {"W": g if t % 3 else None, "b": vector}})
        wide = np.zeros((4, 12), np.float32)
        wide[:, ::2] = g
        wide.flags.writeable = False
        if t % 3:
            other.update({"a/W": wide[:, ::2], "a/b": None})
    np.testing.assert_array_equal(noise.estimate("a/W").covariance, other.estimate("a/W").covariance)
    np.testing.assert_allclose(noise.estimates()["a/b"].covariance, [[3.0]], rtol=1e-12)
    with pytest.raises(ValueError, match="block 'a/b' has seen no difference"):
        other.estimates()
    with pytest.raises(KeyError, match="there is no block 'b', only a/W, a/b"):
        noise.estimate("b")


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_saved_state_goes_on_bit_for_bit(form: str, dtype: type) -> None:
    """Through NPZ, with the test matrix of the sketch, whatever the seed of the new object."""
    G = gradients((5, 4), dtype)
    noise = st.noise.StreamingNoise({"W": G[0]}, 3, form=form, rank=2, interval=2, rng=1)
    for g in G[:7]:
        noise.update({"W": g})
    file = io.BytesIO()
    np.savez(file, **noise.state_dict())
    file.seek(0)
    resumed = st.noise.StreamingNoise({"W": G[0]}, 3, form=form, rank=2, interval=2, rng=2)
    resumed.load_state_dict(np.load(file))
    for g in G[7:]:
        noise.update({"W": g})
        resumed.update({"W": g})
    for key, value in noise.state_dict().items():
        np.testing.assert_array_equal(resumed.state_dict()[key], value)
    np.testing.assert_array_equal(resumed.estimate("W").covariance, noise.estimate("W").covariance)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (lambda s: s.pop("state/W/sum"), KeyError, "must have the entries"),
        (lambda s: s.update(more=np.array(1)), KeyError, "must have the entries"),
        (lambda s: s.update(version=np.array(2)), ValueError, "has version 2, expected 1"),
        (
            lambda s: s.update({"state/W/sum": np.zeros(3)}),
            ValueError,
            r"'state/W/sum'.*expected shape \(9,\)",
        ),
        (lambda s: s.update({"state/W/sum": np.zeros(9, np.float32)}), ValueError, "expected dtype float64"),
        (lambda s: s.update({"state/W/sum": np.full(9, np.nan)}), ValueError, "not finite"),
        (lambda s: s.update({"state/W/counts": np.array([1, -1])}), ValueError, "expected a count"),
    ],
)
def test_a_wrong_state_changes_nothing(change: object, error: type, message: str) -> None:
    """Every entry is checked before the first is taken over."""
    G = gradients((3, 4), np.float64)
    noise, fresh = (st.noise.StreamingNoise({"W": G[0]}, 3) for _ in range(2))
    for g in G:
        noise.update({"W": g})
    state, before = noise.state_dict(), fresh.state_dict()
    change(state)  # type: ignore[operator]
    with pytest.raises(error, match=message):
        fresh.load_state_dict(state)
    for key, value in before.items():
        np.testing.assert_array_equal(fresh.state_dict()[key], value)


@pytest.mark.parametrize(
    ("grads", "error", "message"),
    [
        ({"a": np.ones((2, 3))}, KeyError, "grads lacks block 'b'"),
        ({"a": None, "b": None, "c": np.ones(1)}, KeyError, "grads has a block 'c', which is none of a, b"),
        ({"a": np.ones((3, 2)), "b": np.ones(2)}, ValueError, r"grads of block 'a' must have shape \(2, 3\)"),
        (
            {"a": np.ones((2, 3)), "b": np.ones(2, np.float32)},
            TypeError,
            "'b' must have dtype float64, got float32",
        ),
        ({"a": np.ones((2, 3)), "b": np.array([1, np.nan])}, ValueError, "'b' must be finite .* got nan"),
        ({"a": np.ones((2, 3)), "b": np.array([1, -np.inf])}, ValueError, "'b' must be finite .* got inf"),
        (
            {"a": np.full((2, 3), 1e160), "b": np.ones(2)},
            ValueError,
            "'a' must be finite and at most .* got 1e",
        ),
    ],
)
def test_a_wrong_gradient_changes_nothing(grads: dict, error: type, message: str) -> None:
    """The error names the block, and blocks that come before it in the dict have not moved either."""
    noise = st.noise.StreamingNoise({"a": np.ones((2, 3)), "b": np.ones(2)}, 4)
    noise.update({"a": np.ones((2, 3)), "b": np.ones(2)})
    before = noise.state_dict()
    for arguments in ((grads,), ({"a": np.ones((2, 3)), "b": np.ones(2)}, grads)):
        with pytest.raises(
            error, match=message if len(arguments) == 1 else message.replace("grads", "second")
        ):
            noise.update(*arguments)
    for key, value in before.items():
        np.testing.assert_array_equal(noise.state_dict()[key], value)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("form", FORMS)
def test_the_largest_gradients_do_not_overflow(form: str, dtype: type) -> None:
    """At the limit that the error names, with opposite signs, everything stays finite."""
    noise = st.noise.StreamingNoise([np.ones((40, 50), dtype)], 8, form=form, rank=4)
    with pytest.raises(ValueError, match="at most"):
        noise.update([np.full((40, 50), np.finfo(dtype).max)])
    limit = np.full((40, 50), noise._blocks["0"]._limit, dtype) * dtype(0.999)
    for sign in (1, -1, 1, -1):
        noise.update([sign * limit])
    assert np.isfinite(noise.estimate("0").covariance).all()


def test_values_outside_their_ranges() -> None:
    """At construction, each by name."""
    W = np.ones((2, 3))
    for options, message in (
        ({"batch_size": 0}, "batch_size must be at least 1"),
        ({"batch_size": 1, "beta": 1.5}, r"beta must be in \[0, 1\]"),
        ({"batch_size": 1, "interval": 0}, "interval must be at least 1"),
        (
            {"batch_size": 1, "form": "banded"},
            "form must be 'full', 'diagonal' or 'sketch' such as 'full', got 'banded'",
        ),
    ):
        with pytest.raises(ValueError, match=message):
            st.noise.StreamingNoise([W], **options)
    for wrong in (np.ones((2, 3), int), np.ones((0, 3))):
        with pytest.raises(TypeError, match="block '0' must be float32 or float64 and not empty"):
            st.noise.StreamingNoise([wrong], 1)


@pytest.mark.parametrize("form", FORMS)
def test_an_update_allocates_no_array(form: str) -> None:
    """NumPy reports what it allocates: less than one row of the block, from the first update on."""
    G = gradients((256, 300), np.float32, 3)
    noise = st.noise.StreamingNoise([G[0]], 4, form=form, rank=8)
    noise.update([G[0]])
    tracemalloc.start()
    try:
        for g in G:
            noise.update([g])
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 8 * 300


def test_a_run_finds_the_noise() -> None:
    """Along 400 steps on a noisy quadratic sigma_q is found within 5 %, for several q."""
    V = np.array([2.0, 1.0, 0.5])
    quadratic = st.problems.MatrixQuadratic.random([1.0, 0.5, 0.2], columns=60, rng=0)
    problem = st.problems.WithNoise(quadratic, {"W": st.problems.GaussianNoise(V, (3, 60))})
    params, rng = problem.start(), np.random.default_rng(2)
    opt, noise = st.Schattor(params, p=4, lr=0.01), st.noise.StreamingNoise(params, 4)
    for _ in range(400):
        grads = problem.stochastic_gradient(params, 4, rng)
        noise.update(grads)
        opt.step(grads)
    for q in (1.0, 4 / 3, 2.0):
        assert noise.estimate("W").sigma(q).value == pytest.approx(np.linalg.norm(V, q), rel=0.05)
