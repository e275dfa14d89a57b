"""The covariance from batches: the formulas, unbiasedness, the error against known covariances, the jackknife."""

from __future__ import annotations

import itertools

import hypothesis.strategies as hst
import numpy as np
import pytest
from hypothesis import given
from noise import literal

import schattor as st

SHAPES = [(1, 1), (3, 5), (5, 3), (4, 4), (1, 6), (6, 1), (60, 70), (70, 60)]
EXPONENTS = (1.0, 1.2, 4 / 3, 1.5, 2.0, 4.0, np.inf)
SEEDS = hst.integers(0, 2**32 - 1)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", SHAPES)
def test_the_estimates_are_their_formulas(shape: tuple[int, int], dtype: type) -> None:
    """On the smaller side, in float64 for either dtype; a strided input is the same as its copy."""
    rng = np.random.default_rng(0)
    G, H = (2 + rng.standard_normal((7, *shape)).astype(dtype) for _ in range(2))
    estimate, pairs = st.noise.covariance(G, batch_size=4), st.noise.covariance_of_pairs(G, H, batch_size=4)
    assert estimate.side == pairs.side == ("left" if shape[0] <= shape[1] else "right")
    for found, expected in (
        (estimate.covariance, literal.covariance(G, 4)),
        (pairs.covariance, literal.covariance_of_pairs(G, H, 4)),
    ):
        assert found.dtype == np.float64
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-13 * np.abs(expected).max())
    strided = np.asfortranarray(np.repeat(G, 2, axis=0))[::2]
    np.testing.assert_array_equal(st.noise.covariance(strided, 4).covariance, estimate.covariance)


def test_shapes_of_blocks() -> None:
    """A vector has the trace of its covariance, a convolution counts as (first, others), integers become float64."""
    rng = np.random.default_rng(1)
    v = rng.standard_normal((6, 5))
    np.testing.assert_allclose(st.noise.covariance(v).covariance, [[v.var(axis=0, ddof=1).sum()]], rtol=1e-14)
    K = rng.standard_normal((6, 4, 3, 2, 2))
    np.testing.assert_array_equal(
        st.noise.covariance(K).covariance, st.noise.covariance(K.reshape(6, 4, 12)).covariance
    )
    assert st.noise.covariance([[1], [3]]).covariance == 2


def atoms(shape: tuple[int, int]) -> tuple[list[np.ndarray], np.ndarray]:
    """Three equally likely gradients of a sample, and the exact covariance of their noise."""
    rng = np.random.default_rng(2)
    A = [rng.standard_normal(shape) for _ in range(3)]
    mean = sum(A) / 3
    return A, sum(literal.second_moment(a - mean) for a in A) / 3


@pytest.mark.parametrize("shape", [(2, 3), (3, 2)])
@pytest.mark.parametrize(("batches", "size"), [(2, 1), (3, 1), (2, 2)])
def test_the_micro_batch_form_is_unbiased(shape: tuple[int, int], batches: int, size: int) -> None:
    """Its mean over all outcomes of all samples, which is the expectation, is V^2 exactly."""
    A, exact = atoms(shape)
    outcomes = list(itertools.product(range(3), repeat=batches * size))
    total = np.zeros_like(exact)
    for outcome in outcomes:
        G = np.stack([A[i] for i in outcome]).reshape(batches, size, *shape).mean(axis=1)
        total += st.noise.covariance(G, batch_size=size).covariance
    np.testing.assert_allclose(total / len(outcomes), exact, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("size", [1, 2])
def test_pairs_are_unbiased(size: int) -> None:
    """Over all outcomes of two batches; a sum over pairs is then, too."""
    A, exact = atoms((2, 3))
    batches = [np.mean([A[i] for i in c], axis=0) for c in itertools.product(range(3), repeat=size)]
    G, H = (np.stack(x) for x in zip(*itertools.product(batches, repeat=2), strict=True))
    found = st.noise.covariance_of_pairs(G, H, batch_size=size).covariance
    np.testing.assert_allclose(found, exact, rtol=1e-12, atol=1e-13)


def rms_error(noise: st.problems.Noise, batches: int, size: int, fourth: float = 1.0) -> float:
    """The root-mean-square Frobenius error of the micro-batch form, from the moments of the noise.

    A Gaussian N = V Z / sqrt(n) has E||N N' - C||_F^2 = (tr C^2 + (tr C)^2)/n with C = V^2; a random factor s with
    E[s^2] = 1, E[s^4] = `fourth` makes it fourth (tr C^2 + (tr C)^2)/n + (fourth - 1) tr C^2 (size = 1 only). For the
    sample covariance of k such matrices the variance is [E||NN' - C||^2 + R/(k-1)]/k, with
    R = E||N_1 N_2' + N_2 N_1'||_F^2 / 2 = (tr C^2 + (tr C)^2)/n.
    """
    C, n, k = noise.covariance, max(noise.shape), batches
    square, trace = np.trace(C @ C), np.trace(C)
    gaussian = (square + trace**2) / n
    assert size == 1 or fourth == 1
    single = fourth * gaussian + (fourth - 1) * square
    return float(np.sqrt((single + gaussian / (k - 1)) / k))


def known_covariances() -> list[np.ndarray]:
    """Flat, decaying, of rank one, and rotated."""
    rng = np.random.default_rng(3)
    Q = np.linalg.qr(rng.standard_normal((6, 6)))[0]
    return [
        np.ones(6),
        1 / np.arange(1.0, 7),
        np.geomspace(1, 1e-4, 6),
        np.eye(6)[0],
        Q * np.geomspace(1, 0.01, 6) @ Q.T,
    ]


@pytest.mark.parametrize("shape", [(6, 6), (6, 10), (10, 6)])
@pytest.mark.parametrize("number", range(5))
def test_known_covariances(shape: tuple[int, int], number: int) -> None:
    """From 1e5 samples the error is at most 3 times its root-mean-square, for every size of micro-batch."""
    noise = st.problems.GaussianNoise(known_covariances()[number], shape)
    draws = noise.draw(100_000, rng=number)
    for size in (1, 10, 100):
        G = draws.reshape(-1, size, *shape).mean(axis=1)
        found = st.noise.covariance(G, batch_size=size, form="full").covariance
        error = np.linalg.norm(found - noise.covariance)
        assert 0 < error <= 3 * rms_error(noise, len(G), size)


@pytest.mark.parametrize("heavy", [False, True])
def test_the_root_mean_square_itself(heavy: bool) -> None:
    """The formula that the test above uses, against 4000 replications: within four standard errors of their mean."""
    V, shape, k = 1 / np.arange(1.0, 5), (4, 6), 20
    noise = st.problems.StudentNoise(V, shape, 12) if heavy else st.problems.GaussianNoise(V, shape)
    rng = np.random.default_rng(4)
    squares = np.array(
        [
            np.linalg.norm(st.noise.covariance(noise.draw(k, rng)).covariance - noise.covariance) ** 2
            for _ in range(4000)
        ]
    )
    expected = rms_error(noise, k, 1, fourth=10 / 8 if heavy else 1.0) ** 2
    assert abs(squares.mean() - expected) <= 4 * squares.std() / np.sqrt(len(squares))


def test_heavy_tails_and_a_problem_of_samples() -> None:
    """Where fourth moments exist the error keeps to three times its root-mean-square as well; a softmax problem's
    exact covariance is found within three times what independent repetitions of the estimate differ by.
    """
    noise = st.problems.StudentNoise(1 / np.arange(1.0, 7), (6, 10), 8)
    found = st.noise.covariance(noise.draw(100_000, rng=5)).covariance
    assert np.linalg.norm(found - noise.covariance) <= 3 * rms_error(noise, 100_000, 1, fourth=6 / 4)
    rng = np.random.default_rng(6)
    problem = st.problems.SoftmaxRegression(rng.standard_normal((200, 5)), rng.integers(0, 3, 200))
    params = {name: rng.standard_normal(x.shape) for name, x in problem.start().items()}
    exact = problem.noise_covariance(params)["W"]
    repeats = []
    for _ in range(40):
        G = [problem.stochastic_gradient(params, 5, rng)["W"] for _ in range(100)]
        repeats.append(st.noise.covariance(G, batch_size=5).covariance)
    spread = np.linalg.norm(np.std(repeats, axis=0, ddof=1)) / np.sqrt(40)
    assert np.linalg.norm(np.mean(repeats, axis=0) - exact) <= 3 * spread


@pytest.mark.parametrize("form", ["full", "diagonal", "sketch"])
@pytest.mark.parametrize("shape", [(3, 5), (5, 3), (9, 9)])
def test_the_jackknife_leaves_out_one_batch_at_a_time(form: str, shape: tuple[int, int]) -> None:
    """Value and standard error are those of estimates made anew without each batch."""
    rng = np.random.default_rng(7)
    G, H = rng.standard_normal((2, 6, *shape)) * np.geomspace(1, 0.1, shape[1])
    options = {"form": form, "rank": 2, "rng": 3}
    for function, stacks in ((st.noise.covariance, (G,)), (st.noise.covariance_of_pairs, (G, H))):
        whole = function(*stacks, batch_size=2, **options)
        without = [function(*(np.delete(x, j, 0) for x in stacks), batch_size=2, **options) for j in range(6)]
        for q in EXPONENTS:
            value = literal.sigma(whole.covariance, q)
            expected = literal.jackknife([literal.sigma(e.covariance, q) for e in without], value)
            found = whole.sigma(q)
            assert found.uncorrected == pytest.approx(value, rel=1e-9)
            assert (found.value, found.standard_error) == pytest.approx(expected, rel=1e-6)
            assert found.degrees_of_freedom == 5


def test_the_correction_removes_most_of_the_bias() -> None:
    """sigma_1 of eight dimensions from nine batches: the plain value is 1.8 % too small, the corrected 0.2 % off."""
    noise = st.problems.GaussianNoise(np.ones(8), (8, 8))
    rng = np.random.default_rng(8)
    found = [st.noise.covariance(noise.draw(9, rng)).sigma(1) for _ in range(400)]
    plain, corrected = (np.mean([getattr(s, f) for s in found]) - 8 for f in ("uncorrected", "value"))
    assert plain < -0.1
    assert abs(corrected) < abs(plain) / 5


@given(hst.integers(1, 6), hst.integers(1, 6), hst.integers(1, 6), SEEDS)
def test_forms_bound_the_full_one(m: int, n: int, rank: int, seed: int) -> None:
    """Diagonal and sketch: never below for q < 2, exact at 2, never above for q > 2; a sketch of full rank is exact."""
    rng = np.random.default_rng(seed)
    G = rng.standard_normal((4, m, n)) * 10.0 ** rng.uniform(-2, 2, (m, 1))
    full = st.noise.covariance(G)
    for form in ("diagonal", "sketch"):
        other = st.noise.covariance(G, form=form, rank=rank)
        np.testing.assert_allclose(
            np.sort(other.eigenvalues),
            np.linalg.eigvalsh(other.covariance).clip(0),
            atol=1e-9 * full.eigenvalues.max(),
        )
        exact = form == "sketch" and rank >= min(m, n)
        for q in EXPONENTS:
            a, b = other.sigma(q).uncorrected, full.sigma(q).uncorrected
            # Roots of eigenvalues at rounding level: sqrt(eps) relative to the largest, for each of six.
            slack = 1e-6 * b
            assert a >= b - slack if q <= 2 else a <= b + slack
            assert abs(a - b) <= slack if q == 2 or exact else True


def test_a_sketch_of_what_has_low_rank_is_exact() -> None:
    """Rank 3 in 30 dimensions, from a sketch of rank 5; and the leading eigenvalues of a decaying spectrum."""
    rng = np.random.default_rng(9)
    V = np.r_[np.ones(3), np.zeros(27)]
    G = st.problems.GaussianNoise(V, (30, 40)).draw(20, rng)
    full, sketch = st.noise.covariance(G), st.noise.covariance(G, form="sketch", rank=5)
    np.testing.assert_allclose(sketch.covariance, full.covariance, rtol=0, atol=1e-7 * full.eigenvalues.max())
    G = st.problems.GaussianNoise(np.geomspace(1, 1e-6, 30), (30, 40)).draw(20, rng)
    full, sketch = st.noise.covariance(G), st.noise.covariance(G, form="sketch", rank=10)
    top = np.sort(sketch.eigenvalues)[-3:]
    np.testing.assert_allclose(top, full.eigenvalues[-3:], rtol=1e-2)


def test_two_batches_have_no_standard_error() -> None:
    """A single pair, or two micro-batches, which are the same estimate, give a value and nothing else."""
    rng = np.random.default_rng(10)
    G, H = rng.standard_normal((2, 3, 4))
    pair, both = st.noise.covariance_of_pairs(G[None], H[None], 3), st.noise.covariance(np.stack([G, H]), 3)
    np.testing.assert_allclose(pair.covariance, both.covariance, rtol=1e-12)
    for estimate in (pair, both):
        found = estimate.sigma(1)
        assert np.isnan(found.standard_error)
        assert found.value == found.uncorrected == pytest.approx(literal.sigma(estimate.covariance, 1))
        with pytest.raises(ValueError, match="at least 3 micro-batches or 2 pairs"):
            estimate.interval(1)


def test_the_interval() -> None:
    """The quantile is Student's (tabulated values), the ends are symmetric in the logarithm, noise of zero is zero."""
    for freedom, tabulated in ((3, 3.182446), (10, 2.228139), (63, 1.998341)):
        estimate = st.noise.Estimate(2.0, 0.1, 2.0, freedom)
        low, high = estimate.interval(0.95)
        assert low * high == pytest.approx(4)
        assert 10 * np.log(high / low) == pytest.approx(tabulated, rel=2e-3)
    assert st.noise.covariance(np.zeros((4, 2, 2))).interval(1) == (0, 0)
    assert st.noise.Estimate(-0.1, 0.2, 0.1, 10).interval()[0] == 0
    with pytest.raises(ValueError, match=r"level must be in \(0, 1\)"):
        estimate.interval(95)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"micro_batches": np.ones((1, 2, 2))}, ValueError, "micro_batches must hold at least 2 gradients"),
        ({"micro_batches": 1.0}, ValueError, "micro_batches must hold at least 2 gradients"),
        ({"micro_batches": np.ones((3, 0))}, ValueError, "micro_batches must hold gradients that are not"),
        ({"micro_batches": [[1.0], [np.nan]]}, ValueError, "micro_batches must be finite, but 1 entries"),
        ({"micro_batches": [[1.0], [np.inf]]}, ValueError, "micro_batches must be finite"),
        ({"micro_batches": np.ones((3, 2), complex)}, TypeError, "micro_batches must be float32"),
        ({"micro_batches": np.eye(3), "batch_size": 0}, ValueError, "batch_size must be at least 1"),
        ({"micro_batches": np.eye(3), "batch_size": 1.5}, TypeError, "batch_size must be a whole number"),
        (
            {"micro_batches": np.eye(3), "form": "low"},
            ValueError,
            "form must be 'full', 'diagonal' or 'sketch'",
        ),
        ({"micro_batches": np.eye(3), "rank": 0}, ValueError, "rank must be at least 1"),
        ({"micro_batches": 1e200 * np.eye(3)}, OverflowError, "exceeds float64"),
    ],
)
def test_errors(arguments: dict, error: type, message: str) -> None:
    """Each names the argument, what was expected and what came."""
    with pytest.raises(error, match=message):
        st.noise.covariance(**arguments)


def test_errors_of_pairs_and_exponents() -> None:
    """Stacks of different shapes, and an exponent below one."""
    with pytest.raises(ValueError, match=r"second must have the shape of first, \(2, 3\), got \(3, 2\)"):
        st.noise.covariance_of_pairs(np.ones((2, 3)), np.ones((3, 2)))
    with pytest.raises(ValueError, match="second must be finite"):
        st.noise.covariance_of_pairs(np.ones((1, 2)), np.full((1, 2), np.nan))
    with pytest.raises(ValueError, match=r"q must be in \[1, inf\]"):
        st.noise.covariance(np.eye(3)).sigma(0.5)
