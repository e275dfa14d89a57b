"""Stochastic gradients: unbiased, with the covariance that the problem states."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats
from problems.examples import examples, point

import schattor as st

P = st.problems
PROBLEMS = examples()
DRAWS = 4000
# A normal variable leaves six standard errors once in 5e8 times; some of the entries have heavier tails.
ERRORS = 6


def smaller_side(N: np.ndarray) -> np.ndarray:
    """N N' or N' N of each matrix of a stack, whichever is smaller."""
    T = N.transpose(0, 2, 1)
    return N @ T if N.shape[1] <= N.shape[2] else T @ N


def assert_mean(samples: np.ndarray, expected: np.ndarray) -> None:
    """The mean is within ERRORS standard errors, measured on the same samples, of what is expected."""
    error = samples.std(axis=0, ddof=1) / np.sqrt(len(samples))
    # Entries that do not vary are exact to rounding.
    assert (np.abs(samples.mean(axis=0) - expected) <= ERRORS * error + 1e-13 * np.abs(samples).max()).all()


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("name", PROBLEMS)
def test_mean_and_covariance(name: str, batch: int) -> None:
    """The mean is the gradient; the second moment of the noise is the stated one over the batch size."""
    problem, rng = PROBLEMS[name], np.random.default_rng(0)
    params = point(problem)
    gradient, covariance = problem.gradient(params), problem.noise_covariance(params)
    draws = [problem.stochastic_gradient(params, batch, rng) for _ in range(DRAWS)]
    assert list(covariance) == list(params)
    for block, G in gradient.items():
        samples = np.array([draw[block] for draw in draws])
        assert_mean(samples, G)
        assert_mean(smaller_side(samples - G), covariance[block] / batch)
        assert covariance[block].shape == (min(G.shape),) * 2


def test_problems_without_samples_have_no_noise() -> None:
    """The quadratic's estimate is the gradient."""
    problem = PROBLEMS["quadratic"]
    params = point(problem)
    assert np.array_equal(problem.stochastic_gradient(params, 1)["W"], problem.gradient(params)["W"])
    assert not problem.noise_covariance(params)["W"].any()


@pytest.mark.parametrize("shape", [(3, 7), (7, 3), (4, 4), (1, 5)])
@pytest.mark.parametrize("student", [False, True])
def test_chosen_covariance(shape: tuple[int, int], student: bool) -> None:
    """Both models have the chosen covariance on the smaller side; nine degrees of freedom have fourth moments."""
    k = min(shape)
    root = np.random.default_rng(1).standard_normal((k, k))
    V = root @ root.T
    noise = P.StudentNoise(V, shape, degrees_of_freedom=9) if student else P.GaussianNoise(V, shape)
    draws = noise.draw(DRAWS, rng=2)
    assert draws.shape == (DRAWS, *shape)
    assert_mean(draws, np.zeros(shape))
    np.testing.assert_allclose(noise.covariance, V @ V)
    assert_mean(smaller_side(draws), V @ V)


@pytest.mark.parametrize("nu", [2.5, 3.0, 9.0])
def test_tail_of_student_noise(nu: float) -> None:
    """With V = I the squared length is k (nu - 2) / nu times an F variable: Kolmogorov's test does not reject that."""
    shape = (2, 3)
    draws = P.StudentNoise(np.ones(2), shape, degrees_of_freedom=nu).draw(20_000, rng=3)
    ratio = (draws**2).sum((1, 2)) / (2 * (nu - 2) / nu)
    assert scipy.stats.kstest(ratio, scipy.stats.f(6, nu).cdf).pvalue > 0.01
    wrong = scipy.stats.kstest(ratio, scipy.stats.f(6, 1.2 * nu).cdf)
    assert wrong.pvalue < 1e-3


def test_draws_depend_on_the_seed_only() -> None:
    """An int and a generator made from it give the same draws; a generator moves on."""
    noise = P.GaussianNoise(np.ones(2), (2, 3))
    rng = np.random.default_rng(4)
    assert np.array_equal(noise.draw(2, rng=4), noise.draw(2, rng))
    assert not np.array_equal(noise.draw(2, rng=4), noise.draw(2, rng))
    problem, start = PROBLEMS["tanh"], PROBLEMS["tanh"].start()
    first, second = (problem.stochastic_gradient(start, 3, rng=5) for _ in range(2))
    assert all(np.array_equal(first[k], second[k]) for k in first)


def test_samples_are_outer_products() -> None:
    """A sample's gradient is u v', and a batch of one sample is it."""
    problem = PROBLEMS["completion"]
    params = point(problem)
    i, j = np.argwhere(problem.seen)[3]
    U, V = params["U"], params["V"]
    error = np.count_nonzero(problem.seen) * ((U @ V)[i, j] - problem.observed[i, j])
    wanted = {"U": np.outer(error * np.eye(6)[i], V[:, j]), "V": np.outer(U[i], error * np.eye(5)[j])}
    for name, (u, v) in problem.factors(params, np.array([3])).items():
        np.testing.assert_allclose(np.outer(u, v), wanted[name], rtol=1e-14)


def test_factors_are_what_layerwise_methods_take() -> None:
    """K-FAC's activations and deltas: their mean outer product is the gradient."""
    problem = PROBLEMS["tanh"]
    params = problem.start()
    factors = problem.factors(params)
    opt = st.KFAC(params, lr=0.01)
    before = problem.loss(params)
    for _ in range(5):
        factors = problem.factors(params)
        opt.step(
            problem.gradient(params),
            deltas={name: u for name, (u, _) in factors.items()},
            activations={name: v for name, (_, v) in factors.items()},
        )
    assert problem.loss(params) < before


def test_gaussian_like_keeps_scale_only() -> None:
    """Equal shape and length, but a flat spectrum where the inputs have rank one."""
    X = np.outer(np.arange(1.0, 41), np.ones(8))
    Z = P.gaussian_like(X, rng=0)
    assert Z.shape == X.shape
    assert np.linalg.norm(Z) == pytest.approx(np.linalg.norm(X), rel=1e-14)
    assert np.linalg.cond(Z) < 10


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: P.MatrixQuadratic(np.eye(3), np.ones((2, 2))), "Q must have shape"),
        (lambda: P.MatrixQuadratic(-np.eye(2), np.ones((2, 2))), "positive semi-definite"),
        (lambda: P.MatrixQuadratic(np.array([[1.0, 1], [0, 1]]), np.ones((2, 2))), "symmetric"),
        (lambda: P.MatrixQuadratic(np.eye(2), np.full((2, 2), np.nan)), "finite"),
        (lambda: P.MatrixLeastSquares(np.eye(2), np.eye(2), np.ones((2, 2)), -1.0), "label_noise"),
        (lambda: P.SoftmaxRegression(np.ones((3, 2)), np.array([0, 1])), "one row for each"),
        (lambda: P.SoftmaxRegression(np.ones((3, 2)), np.array([0, -1, 1])), "negative"),
        (lambda: P.SoftmaxRegression(np.ones((2, 2)), np.ones((2, 2))), "sum to one"),
        (lambda: P.LinearRegression(np.ones((3, 2)), np.ones((2, 2))), "one row for each"),
        (
            lambda: P.MatrixCompletion(np.ones((2, 2)), np.zeros((2, 2)), np.ones((2, 1)), np.ones((1, 2))),
            "seen",
        ),
        (
            lambda: P.MatrixCompletion(np.ones((2, 2)), np.ones((2, 2)), np.ones((2, 1)), np.ones((2, 2))),
            "U and V",
        ),
        (lambda: P.AssociativeMemory(np.ones((2, 3)), np.ones((3, 3)), np.ones(2)), "one length"),
        (lambda: P.AssociativeMemory(np.ones((2, 3)), np.ones((2, 3)), np.zeros(2)), "positive"),
        (lambda: P.MLP(np.ones((2, 3)), np.array([0, 1]), [np.ones((3, 3))]), "lead from 3 features"),
        (lambda: P.MLP(np.ones((2, 3)), np.array([0, 1]), [np.ones((2, 3))], "sine"), "activation"),
        (lambda: P.GaussianNoise(np.ones(3), (2, 5)), "deviation"),
        (lambda: P.StudentNoise(np.ones(2), (2, 5), 2.0), "degrees_of_freedom"),
        (lambda: P.WithNoise(PROBLEMS["quadratic"], {"W": P.GaussianNoise(np.ones(2), (2, 2))}), "shape"),
        (lambda: P.Joint({}), "empty"),
        (lambda: PROBLEMS["quadratic"].lipschitz(0.5), "p must be"),
        (lambda: PROBLEMS["quadratic"].stochastic_gradient(PROBLEMS["quadratic"].start(), 0), "batch"),
        (
            lambda: PROBLEMS["joint"].lipschitz(st.MixedNorm.uniform(PROBLEMS["joint"].start(), 4, outer=2)),
            "'c'",
        ),
    ],
)
def test_refusals(make: object, message: str) -> None:
    """What does not fit raises at construction, naming it."""
    with pytest.raises(ValueError, match=message):
        make()  # type: ignore[operator]


def test_noise_for_an_unknown_block() -> None:
    """The error names the block and lists those that there are."""
    with pytest.raises(KeyError, match=r"'X'.*W"):
        P.WithNoise(PROBLEMS["quadratic"], {"X": P.GaussianNoise(np.ones(4), (4, 6))})
