"""The references against each other: mpmath, extended precision, NumPy and SciPy."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.linalg

from reference import algorithms, estimators, matrices, mixed_norm, newton_schulz, oracles

EXPONENTS = (1.0, 1.0001, 1.2, 1.5, 2.0, 2.5, 3.0, 4.0, 8.0, 64.0, np.inf)
EPS = float(np.finfo(np.float64).eps)
RNG_SEED = 20


@pytest.mark.parametrize("shape", [(1, 1), (1, 5), (6, 1), (4, 7), (12, 12)])
@pytest.mark.parametrize("kind", matrices.KINDS)
def test_jacobi_agrees_with_mpmath(kind: str, shape: tuple[int, int]) -> None:
    """Both compute the singular values far beyond float64."""
    A = matrices.make(kind, *shape, np.float64)
    exact = oracles.exact_svd(A)
    tolerance = max(1e-17, 64 * float(np.finfo(np.longdouble).eps)) * float(exact.sigma[0])
    np.testing.assert_allclose(oracles.jacobi_singular_values(A), exact.sigma, rtol=0, atol=tolerance)


@pytest.mark.parametrize("p", EXPONENTS)
@pytest.mark.parametrize(
    "kind", ["gaussian", "moderate", "diagonal", "rank_one", "integer_deficient", "exact_ties"]
)
def test_numpy_oracle_agrees_with_mpmath(kind: str, p: float) -> None:
    """The float64 reference is the mpmath one up to rounding, for stable spectra."""
    A = matrices.make(kind, 6, 9, np.float64)
    exact = oracles.exact_svd(A)
    expected = exact.direction(p, EPS)
    tolerance = 1e-11 * max(1.0, min(oracles.conjugate(p) - 1, 1e4))
    assert np.linalg.norm((oracles.ball_oracle(A, p) - expected).astype(float)) <= tolerance
    assert oracles.schatten_norm(A, p) == pytest.approx(exact.norm(p), rel=1e-13)
    q = oracles.conjugate(p)
    assert -oracles.inner(A, expected) == pytest.approx(exact.norm(q), rel=1e-13)
    spectrum = oracles.jacobi_singular_values(expected)
    assert float(oracles.lp_norm(spectrum, p)) == pytest.approx(1.0, rel=1e-14)


def test_polar_factor_agrees_with_scipy() -> None:
    """At p = inf the oracle is minus the unitary polar factor of a full-rank matrix."""
    A = matrices.make("moderate", 9, 6, np.float64)
    unitary, _ = scipy.linalg.polar(A)
    np.testing.assert_allclose(oracles.ball_oracle(A, np.inf), -unitary, rtol=0, atol=1e-13)


def test_integer_p_agrees_with_matrix_powers() -> None:
    """The form -G (G'G)^((q-2)/2) / ||G||_q^(q-1) gives the same direction."""
    A = matrices.make("moderate", 8, 5, np.float64)
    q = 4 / 3
    power = scipy.linalg.fractional_matrix_power(A.T @ A, (q - 2) / 2)
    expected = -A @ power / oracles.schatten_norm(A, q) ** (q - 1)
    np.testing.assert_allclose(oracles.ball_oracle(A, 4.0), expected, rtol=0, atol=1e-11)


@pytest.mark.parametrize("order", [1, 2, 8, 12, 24, 96])
def test_hadamard_rows_are_orthogonal(order: int) -> None:
    """H H' = n I, exactly."""
    H = matrices.hadamard(order)
    assert np.array_equal(H @ H.T, order * np.eye(order))
    assert set(np.unique(H)) <= {-1.0, 1.0}


@pytest.mark.parametrize("name", newton_schulz.FIXTURES)
def test_newton_schulz_lists_give_their_published_values(name: str) -> None:
    """The composite polynomial has the tabulated values to the five decimals given."""
    values = newton_schulz.composite(np.array(newton_schulz.FIXTURE_POINTS), newton_schulz.PUBLISHED[name])
    np.testing.assert_allclose(values.astype(float), newton_schulz.FIXTURES[name], rtol=0, atol=5.01e-6)


@pytest.mark.parametrize("r", [1.0, 1.5, 2.0, 7.0, np.inf])
def test_mixed_reference_is_dual(r: float) -> None:
    """<G, D> = -||G||_*, ||D|| = 1 for the reference itself."""
    rng = np.random.default_rng(RNG_SEED)
    G = {"a": rng.standard_normal((3, 4)), "b": rng.standard_normal((5, 2)), "c": rng.standard_normal(6)}
    geometries = {"a": ("schatten", 3.0), "b": ("schatten", np.inf), "c": ("lp", 1.5)}
    weights = {"a": 0.5, "b": 2.0, "c": 1.0}
    D = mixed_norm.ball(G, geometries, weights, r)
    pairing = sum(float(np.vdot(G[i], D[i])) for i in G)
    assert pairing == pytest.approx(-mixed_norm.dual_norm(G, geometries, weights, r), rel=1e-12)
    assert mixed_norm.norm(D, geometries, weights, r) == pytest.approx(1.0, rel=1e-12)


def test_estimator_sums_agree_with_their_recursions() -> None:
    """The closed sums are the recursions of the definition, unrolled."""
    gradients = list(np.random.default_rng(RNG_SEED).standard_normal((6, 2, 3)))
    b, d = 0.8, 0.3
    first, zero = gradients[0], (1 - b) * gradients[0]
    ball_first, ball_zero = gradients[0], (1 - d) * gradients[0]
    for G in gradients[1:]:
        first, zero = b * first + (1 - b) * G, b * zero + (1 - b) * G
        ball_first, ball_zero = b * ball_first + (1 - d) * G, b * ball_zero + (1 - d) * G
    np.testing.assert_allclose(estimators.ema(gradients, b, "first"), first, rtol=1e-13)
    np.testing.assert_allclose(estimators.ema(gradients, b, "zero"), zero, rtol=1e-13)
    np.testing.assert_allclose(estimators.heavy_ball(gradients, b, d, "first"), ball_first, rtol=1e-13)
    np.testing.assert_allclose(estimators.heavy_ball(gradients, b, d, "zero"), ball_zero, rtol=1e-13)


def test_many_block_algorithms_reduce_to_one_block() -> None:
    """Algorithms 3 and 4 with one block of weight one are Algorithms 1 and 2."""
    rng = np.random.default_rng(RNG_SEED)
    noise, X = rng.standard_normal((5, 3, 4)), rng.standard_normal((3, 4))

    def gradient(x: np.ndarray, t: int) -> np.ndarray:
        return x + noise[t]

    def gradients(x: dict[str, np.ndarray], t: int) -> dict[str, np.ndarray]:
        return {"W": gradient(x["W"], t)}

    geometry = {"W": ("schatten", 4.0)}
    one = algorithms.algorithm_1(X, gradient, 4.0, 0.1, 0.3, 5)
    many = algorithms.algorithm_3({"W": X}, gradients, geometry, {"W": 1.0}, np.inf, 0.1, 0.3, 5)
    np.testing.assert_allclose(many["W"], one, rtol=1e-12)
    one = algorithms.algorithm_2(X, gradient, 4.0, 0.1, 0.3, 5)
    many = algorithms.algorithm_4({"W": X}, gradients, geometry, {"W": 1.0}, 2.0, 0.1, 0.3, 5)
    np.testing.assert_allclose(many["W"], one, rtol=1e-12)
