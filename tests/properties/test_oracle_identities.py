"""Identities of one block (Lemma 1) on generated matrices."""

from __future__ import annotations

import math

import hypothesis.strategies as hst
import numpy as np
import pytest
from hypothesis import assume, given
from reference import checks, matrices, oracles

import schattor as st

EPS = {np.float32: float(np.finfo(np.float32).eps), np.float64: float(np.finfo(np.float64).eps)}
SIDES = hst.integers(1, 12)
DTYPES = hst.sampled_from([np.float32, np.float64])
SEEDS = hst.integers(0, 2**32 - 1)
KINDS = hst.sampled_from(["gaussian", "moderate", "integer_deficient", "repeated", "orthogonal", "rank_one"])
# 1/p is drawn, so that large exponents and the neighbourhood of one are both met
EXPONENTS = hst.one_of(
    hst.sampled_from([1.0, 1.0001, 2.0, np.inf]), hst.floats(1e-3, 1).map(lambda inverse: 1 / inverse)
)
MODERATE_EXPONENTS = hst.floats(1 / 64, 0.9).map(lambda inverse: 1 / inverse) | hst.just(np.inf)


def norms(A: np.ndarray, p: float) -> float:
    """Schatten norm from singular values in extended precision."""
    return float(oracles.lp_norm(oracles.jacobi_singular_values(A), p))


def well_conditioned(m: int, n: int, dtype: type, seed: int) -> np.ndarray:
    """Distinct singular values between 1 and 1/10: every oracle is continuous there."""
    return matrices.planted(
        m, n, matrices.geometric_spectrum(min(m, n), 10.0), dtype, np.random.default_rng(seed)
    )


def continuity(m: int, n: int, dtype: type, p: float) -> float:
    """How far two roundings of the same well-conditioned matrix may push the direction."""
    k = min(m, n)
    gap = 1 - 0.1 ** (1 / (k - 1)) if k > 1 else 1.0
    q = oracles.conjugate(p)
    return 100 * EPS[dtype] * min(10 * max(1.0, q - 1), 10 / gap) * math.sqrt(k)


@given(SIDES, SIDES, DTYPES, KINDS, EXPONENTS, SEEDS)
def test_duality_and_unit_norm(m: int, n: int, dtype: type, kind: str, p: float, seed: int) -> None:
    """<G, D> = -||G||_q and ||D||_p = 1, with norms computed outside the package."""
    G = matrices.make(kind, m, n, dtype, seed)
    assume(np.any(G))
    eps, q = EPS[dtype], oracles.conjugate(p)
    sigma = oracles.jacobi_singular_values(G)
    kept = sigma[sigma > (max(m, n) + 4) * eps * sigma[0]] if q < 2 else sigma
    dual = float(oracles.lp_norm(sigma, q))
    tolerance = checks.rounding((m, n), eps) + 1 - float(oracles.lp_norm(kept, q)) / dual
    D = st.ball_oracle(G, p)
    assert oracles.inner(G, D) == pytest.approx(-dual, rel=tolerance)
    assert norms(D, p) == pytest.approx(1, abs=tolerance)
    assert norms(D, p) <= 1 + checks.BALL_EXCESS[D.dtype]
    assert st.schatten_norm(G, q) == pytest.approx(dual, rel=tolerance)


@given(SIDES, SIDES, DTYPES, KINDS, EXPONENTS, SEEDS)
def test_regularization_value(m: int, n: int, dtype: type, kind: str, p: float, seed: int) -> None:
    """The minimum of <G, D> + ||D||_p^2 / 2 is -||G||_q^2 / 2, reached with ||D||_p = ||G||_q."""
    G = matrices.make(kind, m, n, dtype, seed)
    dual = norms(G, oracles.conjugate(p))
    D = st.regularization_oracle(G, p)
    tolerance = 4 * checks.rounding((m, n), EPS[dtype]) + max(m, n) * min(m, n) * EPS[dtype]
    value = oracles.inner(G, D) + norms(D, p) ** 2 / 2
    assert value == pytest.approx(-(dual**2) / 2, rel=tolerance, abs=0)
    assert norms(D, p) == pytest.approx(dual, rel=tolerance, abs=0)


@given(SIDES, SIDES, KINDS, EXPONENTS, SEEDS)
def test_no_point_of_the_ball_is_better(m: int, n: int, kind: str, p: float, seed: int) -> None:
    """Random points of the unit ball, and points near D pushed back into the ball, never have a smaller pairing."""
    G = matrices.make(kind, m, n, np.float64, seed)
    D = st.ball_oracle(G, p)
    best = oracles.inner(G, D)
    slack = 1e-12 * abs(best) + max(m, n) * min(m, n) * EPS[np.float64] * float(np.linalg.norm(G))
    rng = np.random.default_rng(seed)
    for size in (np.inf, 1.0, 1e-2, 1e-4):
        noise = rng.standard_normal((m, n))
        candidate = noise if np.isinf(size) else D + size * noise
        candidate = candidate / oracles.schatten_norm(candidate, p)
        assert oracles.inner(G, candidate) >= best - slack


@given(SIDES, SIDES, KINDS, EXPONENTS, SEEDS)
def test_hoelder(m: int, n: int, kind: str, p: float, seed: int) -> None:
    """|<A, B>| <= ||A||_p ||B||_q for the package's norms."""
    A = matrices.make(kind, m, n, np.float64, seed)
    B = np.random.default_rng(seed).standard_normal((m, n))
    bound = st.schatten_norm(A, p) * st.schatten_norm(B, oracles.conjugate(p))
    assert abs(oracles.inner(A, B)) <= bound * (1 + 1e-13)


@given(SIDES, SIDES, EXPONENTS, SEEDS)
def test_norm_axioms(m: int, n: int, p: float, seed: int) -> None:
    """Triangle inequality, homogeneity, transposition, and decrease in p."""
    A, B = np.random.default_rng(seed).standard_normal((2, m, n))
    a, b = st.schatten_norm(A, p), st.schatten_norm(B, p)
    assert st.schatten_norm(A + B, p) <= (a + b) * (1 + 1e-13)
    assert st.schatten_norm(-3 * A, p) == pytest.approx(3 * a, rel=1e-13)
    assert st.schatten_norm(A.T, p) == pytest.approx(a, rel=1e-13)
    assert st.schatten_norm(A, np.inf) <= a * (1 + 1e-13)
    assert a <= st.schatten_norm(A, 1) * (1 + 1e-13)
    assert st.schatten_norm(A, 2) == pytest.approx(float(np.linalg.norm(A)), rel=1e-13)
    assert st.schatten_norm(A, 1) == pytest.approx(float(np.linalg.norm(A, "nuc")), rel=1e-13)
    assert st.schatten_norm(A, np.inf) == pytest.approx(float(np.linalg.norm(A, 2)), rel=1e-13)


@given(SIDES, SIDES, DTYPES, EXPONENTS, SEEDS, hst.floats(1e-3, 1e3))
def test_homogeneity(m: int, n: int, dtype: type, p: float, seed: int, c: float) -> None:
    """D(cG) = D(G) and Dr(cG) = c Dr(G) for c > 0."""
    G = well_conditioned(m, n, dtype, seed)
    scaled = (dtype(c) * G).astype(dtype)
    tolerance = continuity(m, n, dtype, p)
    assert checks.relative_error(st.ball_oracle(scaled, p), st.ball_oracle(G, p)) <= tolerance
    expected = np.longdouble(dtype(c)) * st.regularization_oracle(G, p).astype(np.longdouble)
    assert checks.relative_error(st.regularization_oracle(scaled, p), expected) <= 2 * tolerance


@given(SIDES, SIDES, DTYPES, KINDS, EXPONENTS, SEEDS)
def test_oddness(m: int, n: int, dtype: type, kind: str, p: float, seed: int) -> None:
    """D(-G) = -D(G), up to rounding."""
    G = matrices.make(kind, m, n, dtype, seed)
    assume(kind in {"gaussian", "moderate"})
    tolerance = 100 * EPS[dtype] * float(np.linalg.cond(G.astype(np.float64))) * max(m, n)
    assume(tolerance * min(oracles.conjugate(p), 1e3) < 1e-2)
    gaps = -np.diff(oracles.jacobi_singular_values(G).astype(float))
    assume(p > 1 or gaps.size == 0 or gaps[0] > 1e-2)
    difference = st.ball_oracle(-G, p).astype(float) + st.ball_oracle(G, p).astype(float)
    assert np.linalg.norm(difference) <= tolerance * min(oracles.conjugate(p), 1e3)


@given(SIDES, SIDES, DTYPES, EXPONENTS, SEEDS)
def test_orthogonal_invariance(m: int, n: int, dtype: type, p: float, seed: int) -> None:
    """D(PGQ) = P D(G) Q for orthogonal P and Q; the rotation is rounded to the type, hence the tolerance."""
    rng = np.random.default_rng(seed)
    G = well_conditioned(m, n, dtype, seed)
    P, Q = matrices.orthonormal(m, m, rng), matrices.orthonormal(n, n, rng)
    rotated = (P @ G @ Q).astype(dtype)
    tolerance = 2 * continuity(m, n, dtype, p)
    assert checks.relative_error(st.ball_oracle(rotated, p), P @ st.ball_oracle(G, p) @ Q) <= tolerance


@given(SIDES, SIDES, DTYPES, EXPONENTS, SEEDS)
def test_transposition(m: int, n: int, dtype: type, p: float, seed: int) -> None:
    """D(G') = D(G)'."""
    G = well_conditioned(m, n, dtype, seed)
    tolerance = continuity(m, n, dtype, p)
    assert checks.relative_error(st.ball_oracle(G.T, p), st.ball_oracle(G, p).T) <= tolerance


@given(SIDES, SIDES, DTYPES, KINDS, SEEDS, hst.sampled_from(["auto", "svd"]))
def test_two_is_gradient_descent(m: int, n: int, dtype: type, kind: str, seed: int, backend: str) -> None:
    """p = 2: D = -G / ||G||_F and Dr = -G, without any condition on G."""
    G = matrices.make(kind, m, n, dtype, seed)
    assume(np.any(G))
    tolerance = checks.rounding((m, n), EPS[dtype])
    expected = -G.astype(np.float64) / np.linalg.norm(G.astype(np.float64))
    assert checks.relative_error(st.ball_oracle(G, 2, backend=backend), expected) <= tolerance
    assert (
        checks.relative_error(st.regularization_oracle(G, 2, backend=backend), -G.astype(np.float64))
        <= tolerance
    )


@given(SIDES, SIDES, DTYPES, SEEDS)
def test_infinity_is_the_polar_factor(m: int, n: int, dtype: type, seed: int) -> None:
    """p = inf: -D has orthonormal rows or columns, and D'G is symmetric negative definite on the smaller side."""
    G = well_conditioned(m, n, dtype, seed)
    D = st.ball_oracle(G, np.inf).astype(np.float64)
    wide = G if m <= n else G.T
    factor = -(D if m <= n else D.T)
    tolerance = 1e3 * EPS[dtype]
    np.testing.assert_allclose(factor @ factor.T, np.eye(min(m, n)), rtol=0, atol=tolerance)
    H = factor @ wide.T.astype(np.float64)
    np.testing.assert_allclose(H, H.T, rtol=0, atol=tolerance)
    assert np.linalg.eigvalsh((H + H.T) / 2)[0] > 0


@given(SIDES, SIDES, MODERATE_EXPONENTS, SEEDS, DTYPES)
def test_diagonal_is_the_vector_formula(m: int, n: int, p: float, seed: int, dtype: type) -> None:
    """On rectangular diagonal matrices the oracle is -sign(g) |g|^(q-1) / ||g||_q^(q-1) of the diagonal."""
    rng = np.random.default_rng(seed)
    k = min(m, n)
    g = (rng.choice([-1.0, 1.0], k) * rng.uniform(0.1, 1, k)).astype(dtype)
    G = np.zeros((m, n), dtype=dtype)
    G[np.arange(k), np.arange(k)] = g
    D = st.ball_oracle(G, p).astype(np.float64)
    off_diagonal = D.copy()
    off_diagonal[np.arange(k), np.arange(k)] = 0
    tolerance = 100 * EPS[dtype] * max(1.0, oracles.conjugate(p) - 1)
    assert np.abs(off_diagonal).max() <= tolerance
    np.testing.assert_allclose(
        D[np.arange(k), np.arange(k)], oracles.lp_ball_oracle(g, p), rtol=0, atol=tolerance
    )


@given(SIDES, SIDES, MODERATE_EXPONENTS, SEEDS)
def test_spectrum_of_the_direction(m: int, n: int, p: float, seed: int) -> None:
    """The singular values of D are those of G to the power q - 1, normalised; the order is kept."""
    G = well_conditioned(m, n, np.float64, seed)
    sigma = oracles.jacobi_singular_values(G).astype(float)
    expected = oracles.direction_spectrum(sigma, p, max(m, n), EPS[np.float64])
    spectrum = oracles.jacobi_singular_values(st.ball_oracle(G, p)).astype(float)
    np.testing.assert_allclose(spectrum, expected, rtol=0, atol=1e-12 * max(1.0, oracles.conjugate(p)))


@given(SIDES, SIDES, EXPONENTS, SEEDS)
def test_frobenius_norm_of_the_direction(m: int, n: int, p: float, seed: int) -> None:
    """||D||_F lies between 1 and k^(1/2 - 1/p), in the order of the two; the operator norm never exceeds 1."""
    G = matrices.make("gaussian", m, n, np.float64, seed)
    D = st.ball_oracle(G, p)
    bounds = sorted((1.0, min(m, n) ** (0.5 - (0 if np.isinf(p) else 1 / p))))
    assert bounds[0] * (1 - 1e-12) <= np.linalg.norm(D) <= bounds[1] * (1 + 1e-12)
    assert float(oracles.jacobi_singular_values(D)[0]) <= 1 + 1e-12


@given(SIDES, MODERATE_EXPONENTS, SEEDS, DTYPES)
def test_vectors_are_euclidean(n: int, p: float, seed: int, dtype: type) -> None:
    """A row, a column and a 1-D array have the direction -g / ||g|| for every exponent."""
    g = np.random.default_rng(seed).standard_normal(n).astype(dtype)
    expected = -g.astype(np.float64) / np.linalg.norm(g.astype(np.float64))
    for backend in ("auto", "svd"):
        for G in (g, g[:, None], g[None, :]):
            D = st.ball_oracle(G, p, backend=backend)
            assert D.shape == G.shape
            np.testing.assert_allclose(D.ravel(), expected, rtol=0, atol=10 * EPS[dtype])


GEOMETRIES = [
    *(st.Schatten(p) for p in (1.0, 1.5, 2.0, 4.0, np.inf)),
    st.Spectral(),
    *(st.Lp(p) for p in (1.0, 1.5, 2.0, 4.0, np.inf)),
    st.Sign(),
]


@given(hst.sampled_from(GEOMETRIES), SIDES, SIDES, SEEDS)
def test_geometries_are_dual(geometry: st.Schatten, m: int, n: int, seed: int) -> None:
    """Every geometry: unit norm, duality, Dr = dual norm times D, for its own pair of norms."""
    G, X = np.random.default_rng(seed).standard_normal((2, m, n))
    D, dual = geometry.ball(G), geometry.dual_norm(G)
    assert geometry.norm(D) == pytest.approx(1, rel=1e-12)
    assert oracles.inner(G, D) == pytest.approx(-dual, rel=1e-12)
    assert abs(oracles.inner(G, X)) <= dual * geometry.norm(X) * (1 + 1e-12)
    np.testing.assert_allclose(geometry.regularized(G), dual * D, rtol=1e-12, atol=1e-13 * dual)


@given(hst.sampled_from([1.0, 1.5, 2.0, 3.0, 8.0, np.inf]), SIDES, SIDES, SEEDS, DTYPES)
def test_entrywise_geometry_is_the_vector_formula(p: float, m: int, n: int, seed: int, dtype: type) -> None:
    """Lp(p) is the l_p oracle of all entries; Sign() is its case p = inf; zeros stay zero."""
    G = np.random.default_rng(seed).standard_normal((m, n)).astype(dtype)
    G[0, 0] = 0
    assume(np.any(G))
    geometry = st.Sign() if np.isinf(p) else st.Lp(p)
    D = geometry.ball(G)
    assert D.dtype == dtype
    np.testing.assert_allclose(D, oracles.lp_ball_oracle(G, p), rtol=0, atol=20 * EPS[dtype])
    assert D[0, 0] == 0
    assert geometry.norm(G) == pytest.approx(
        float(oracles.lp_norm(G.astype(np.float64), p)), rel=20 * EPS[dtype]
    )


def test_entrywise_ties_share_the_mass_at_one() -> None:
    """At p = 1 the entries of largest magnitude share the unit mass with their signs."""
    D = st.Lp(1).ball(np.array([[2.0, -2.0, 1.0], [0.0, 2.0, -1.5]]))
    np.testing.assert_allclose(D, np.array([[-1, 1, 0], [0, -1, 0]]) / 3, rtol=1e-15)


def test_spectral_is_schatten_at_infinity() -> None:
    """Spectral() and Schatten(inf) name one geometry, Sign() and Lp(inf) another."""
    G = matrices.make("gaussian", 5, 7, np.float64)
    np.testing.assert_array_equal(st.Spectral().ball(G), st.Schatten(np.inf).ball(G))
    np.testing.assert_array_equal(st.Sign().ball(G), -np.sign(G))
    np.testing.assert_array_equal(st.Lp(np.inf).ball(G), -np.sign(G))
    np.testing.assert_array_equal(st.Schatten(4).ball(G), st.ball_oracle(G, 4))
    np.testing.assert_array_equal(st.Schatten(4).regularized(G), st.regularization_oracle(G, 4))
    assert st.Schatten(4).norm(G) == st.schatten_norm(G, 4)
    assert st.Schatten(4).dual_norm(G) == pytest.approx(st.schatten_norm(G, 4 / 3), rel=1e-13)


@pytest.mark.parametrize("geometry", [st.Schatten, st.Lp])
@pytest.mark.parametrize("p", [0.5, np.nan, -np.inf])
def test_geometries_refuse_bad_exponents(geometry: type, p: float) -> None:
    """The exponent is checked when the geometry is made."""
    with pytest.raises(ValueError, match="p"):
        geometry(p)


def test_geometries_are_frozen_values() -> None:
    """Equal parameters make equal, hashable geometries; their fields cannot be set."""
    assert st.Schatten(4) == st.Schatten(4.0)
    assert st.Schatten(4) != st.Schatten(3)
    assert len({st.Schatten(4), st.Schatten(4), st.Lp(4)}) == 2
    with pytest.raises(AttributeError):
        st.Schatten(4).p = 3  # type: ignore[misc]


@pytest.mark.parametrize(
    "geometry",
    [*GEOMETRIES, st.Spectral(backend=st.linalg.NewtonSchulz("muon", 5)), st.Spectral(backend="svd")],
    ids=str,
)
def test_geometries_of_zero(geometry: st.Schatten) -> None:
    """Zero in, zero out."""
    Z = np.zeros((3, 4))
    assert geometry.norm(Z) == geometry.dual_norm(Z) == 0.0
    assert not geometry.ball(Z).any()
    assert not geometry.regularized(Z).any()


@pytest.mark.parametrize(
    "geometry", [st.Schatten(4), st.Spectral(), st.Lp(1.5), st.Lp(2), st.Sign()], ids=str
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_geometries_beyond_the_type(geometry: st.Schatten, dtype: type) -> None:
    """A dual norm beyond the type: infinite, the ball still right, regularized raises."""
    G = np.full((4, 3), np.finfo(dtype).max, dtype=dtype)
    assert geometry.dual_norm(G) == np.inf
    tolerance = 100 * float(np.finfo(dtype).eps)
    np.testing.assert_allclose(
        geometry.ball(G), geometry.ball(np.ones((4, 3), dtype)), rtol=0, atol=tolerance
    )
    with pytest.raises(OverflowError):
        geometry.regularized(G)
