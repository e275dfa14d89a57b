"""Both oracles against mpmath: exponent x type x shape x spectrum x scale, matrices up to 24 x 24."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from reference import checks, matrices, oracles

import schattor as st

EXPONENTS = (1.0, 1.0001, 1.2, 1.5, 2.0, 2.5, 3.0, 4.0, 8.0, 64.0, np.inf)
DTYPES = (np.float32, np.float64)
SHAPES = ((1, 1), (1, 9), (7, 1), (2, 2), (3, 5), (5, 3), (8, 8), (24, 5), (10, 24), (24, 24))
SCALES = {
    np.float32: (-100, 100),
    np.float64: (-997, -100, 100, 997),
}  # 1e-300, 1e-30, 1e30, 1e300 as powers of two
SUBNORMAL = {np.float32: -149, np.float64: -1074}


@cache
def matrix_and_svd(kind: str, shape: tuple[int, int], dtype: type) -> tuple[np.ndarray, oracles.ExactSVD]:
    """The stored matrix and its SVD; one mpmath SVD per matrix, shared by all exponents and scales."""
    G = matrices.make(kind, *shape, dtype)
    G.flags.writeable = False
    return G, oracles.exact_svd(G)


def eps_of(dtype: type) -> float:
    """Machine epsilon as a float64."""
    return float(np.finfo(dtype).eps)


@pytest.mark.parametrize("p", EXPONENTS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("kind", matrices.KINDS)
def test_ball_oracle_is_exact(kind: str, shape: tuple[int, int], dtype: type, p: float) -> None:
    """The unit direction satisfies the two duality identities and equals the mpmath direction.

    The identities hold for every input. The direction is compared where the oracle is continuous. This holds for the
    backend "svd" and for "auto", whose answer is judged only where it is another one.
    """
    G, svd = matrix_and_svd(kind, shape, dtype)
    eps = eps_of(dtype)
    scalar = checks.rounding(shape, eps) + svd.lost_mass(p, eps)
    tolerance = checks.direction_tolerance(svd.sigma, svd.size, p, eps)
    judged: list[np.ndarray] = []
    for backend in ("svd", "auto"):
        D, info = st.ball_oracle(G, p, backend=backend, return_info=True)
        assert D.dtype == dtype
        assert D.shape == shape
        assert info.dual_norm == pytest.approx(svd.norm(oracles.conjugate(p)), rel=scalar)
        assert not info.approximate
        assert info.fallbacks == 0 or backend == "auto"  # auto may decline routes before the SVD
        if any(np.array_equal(D, other) for other in judged):
            continue
        judged.append(D)
        checks.assert_identities(G, D, p, svd)
        if tolerance is not None:
            assert checks.relative_error(D, svd.direction(p, eps)) <= tolerance


@pytest.mark.parametrize("p", EXPONENTS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("kind", ["gaussian", "moderate", "integer_deficient", "orthogonal", "exact_ties"])
def test_strict_accuracy(kind: str, shape: tuple[int, int], dtype: type, p: float) -> None:
    """The error is at most twice that of LAPACK's gesdd in the same type, or 4 eps sqrt(min(m, n)).

    This is what the default, rtol = None, promises away from the cutoff and from the edge of the tie window. The error
    of one LAPACK call is a matter of luck, so the largest over equal presentations of the matrix is taken.
    """
    G, svd = matrix_and_svd(kind, shape, dtype)
    eps = eps_of(dtype)
    assert checks.direction_tolerance(svd.sigma, svd.size, p, eps) is not None  # away from the cutoff
    expected = svd.direction(p, eps)
    lapack = max(
        checks.relative_error(back(oracles.ball_oracle(back(G), p)), expected)
        for back in (
            lambda A: A,
            lambda A: A.T,
            lambda A: A[::-1],
            lambda A: A[:, ::-1],
            lambda A: A[::-1, ::-1].T,
        )
    )
    bound = max(2 * lapack, 4 * eps * np.sqrt(min(shape)))
    for backend in ("svd", "auto"):
        assert checks.relative_error(st.ball_oracle(G, p, backend=backend), expected) <= bound


@pytest.mark.parametrize("p", EXPONENTS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(1, 9), (3, 5), (24, 24)], ids=str)
@pytest.mark.parametrize("kind", ["gaussian", "ill_conditioned", "integer_deficient", "repeated"])
def test_regularization_oracle_is_exact(kind: str, shape: tuple[int, int], dtype: type, p: float) -> None:
    """<G, Dr> = -||G||_q^2, ||Dr||_p = ||G||_q, and Dr is ||G||_q times the ball oracle."""
    G, svd = matrix_and_svd(kind, shape, dtype)
    eps, q = eps_of(dtype), oracles.conjugate(p)
    Dr = st.regularization_oracle(G, p, backend="svd")
    assert Dr.dtype == dtype
    dual = svd.norm(q)
    tolerance = 2 * (checks.rounding(shape, eps) + svd.lost_mass(p, eps))
    assert oracles.inner(G, Dr) / dual**2 == pytest.approx(-1, abs=tolerance)
    norm = float(oracles.lp_norm(oracles.jacobi_singular_values(Dr), p))
    assert norm == pytest.approx(dual, rel=tolerance)
    D = st.ball_oracle(G, p, backend="svd")
    assert checks.relative_error(Dr, np.longdouble(dual) * D.astype(np.longdouble)) <= tolerance


@pytest.mark.parametrize("p", EXPONENTS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(1, 9), (5, 3), (24, 24)], ids=str)
@pytest.mark.parametrize("kind", ["gaussian", "moderate", "integer_deficient", "exact_ties", "rank_one"])
def test_scale_never_decides(kind: str, shape: tuple[int, int], dtype: type, p: float) -> None:
    """D(cG) = D(G) and ||cG|| = c ||G|| over the whole range of the type."""
    G, svd = matrix_and_svd(kind, shape, dtype)
    eps, q = eps_of(dtype), oracles.conjugate(p)
    scalar = checks.rounding(shape, eps) + svd.lost_mass(p, eps)
    tolerance = checks.direction_tolerance(svd.sigma, svd.size, p, eps)
    for exponent in SCALES[dtype]:
        scaled = np.ldexp(G, exponent)
        assert np.array_equal(np.ldexp(scaled, -exponent), G), "the scaled matrix must be exact"
        D, info = st.ball_oracle(scaled, p, return_info=True)
        checks.assert_identities(G, D, p, svd)
        if tolerance is not None:
            assert checks.relative_error(D, svd.direction(p, eps)) <= tolerance
        assert np.ldexp(info.dual_norm, -exponent) == pytest.approx(svd.norm(q), rel=scalar)
        assert np.ldexp(st.schatten_norm(scaled, q), -exponent) == pytest.approx(svd.norm(q), rel=scalar)
        Dr = np.ldexp(st.regularization_oracle(scaled, p), -exponent)
        assert checks.relative_error(Dr, svd.norm(q) * D.astype(np.longdouble)) <= 2 * scalar


@pytest.mark.parametrize("p", EXPONENTS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", ["diagonal", "integer_deficient", "exact_ties", "rank_one"])
def test_subnormal_entries(kind: str, dtype: type, p: float) -> None:
    """Integers times the smallest subnormal number: the direction is that of the integers."""
    G, svd = matrix_and_svd(kind, (8, 8), dtype)
    eps, exponent = eps_of(dtype), SUBNORMAL[dtype]
    tiny = np.ldexp(G, exponent)
    assert np.array_equal(
        np.ldexp(tiny.astype(np.float64), 100), np.ldexp(G.astype(np.float64), exponent + 100)
    )
    D, info = st.ball_oracle(tiny, p, return_info=True)
    checks.assert_identities(G, D, p, svd)
    tolerance = checks.direction_tolerance(svd.sigma, svd.size, p, eps)
    if tolerance is not None:
        assert checks.relative_error(D, svd.direction(p, eps)) <= tolerance
    smallest = float(np.finfo(dtype).smallest_subnormal)
    dual = np.ldexp(svd.norm(oracles.conjugate(p)), exponent)
    assert info.dual_norm == pytest.approx(dual, rel=1e-5 if dtype == np.float32 else 1e-12, abs=smallest)


@pytest.mark.parametrize("p", EXPONENTS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("kind", ["gaussian", "hopeless", "repeated", "rank_one", "integer_deficient"])
def test_schatten_norm(kind: str, shape: tuple[int, int], dtype: type, p: float) -> None:
    """The norm has no cutoff: it counts every singular value."""
    A, svd = matrix_and_svd(kind, shape, dtype)
    assert st.schatten_norm(A, p) == pytest.approx(svd.norm(p), rel=checks.rounding(shape, eps_of(dtype)))


@pytest.mark.parametrize("dtype", DTYPES)
def test_cutoff_below_and_above(dtype: type) -> None:
    """For q < 2 a singular value under max(m, n) eps sigma_1 maps to zero and one above it does not."""
    eps = eps_of(dtype)
    G = np.zeros((6, 9), dtype=dtype)
    G[0, 0], G[1, 1], G[2, 2] = 1, 9 * eps * 2, 9 * eps / 2
    for p in (2.5, 3.0, 8.0, np.inf):
        D = st.ball_oracle(G, p, backend="svd").astype(np.float64)
        assert D[1, 1] < 0
        assert abs(D[2, 2]) <= eps * abs(D[1, 1])
    at_infinity = st.ball_oracle(G, np.inf, backend="svd")
    np.testing.assert_allclose(at_infinity[[0, 1], [0, 1]], -1, rtol=4 * eps)


@pytest.mark.parametrize("dtype", DTYPES)
def test_no_cutoff_from_two_down(dtype: type) -> None:
    """For q >= 2 small singular values keep their share; at p = 2 the answer is G over its norm."""
    eps = eps_of(dtype)
    G = np.diag(np.array([1.0, 1e-2 * eps], dtype=dtype))
    for p, expected in ((2.0, 1e-2 * eps), (1.5, (1e-2 * eps) ** 2)):
        D = st.ball_oracle(G, p, backend="svd").astype(np.float64)
        assert -D[1, 1] == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("dtype", DTYPES)
def test_rcond_replaces_the_cutoff(dtype: type) -> None:
    """`rcond` is the cutoff relative to sigma_1, in either direction."""
    G = np.diag(np.array([4.0, 2.0, 1.0], dtype=dtype))
    eps = eps_of(dtype)
    np.testing.assert_allclose(st.ball_oracle(G, np.inf, rcond=0.3), -np.diag([1.0, 1.0, 0.0]), atol=4 * eps)
    np.testing.assert_allclose(st.ball_oracle(G, np.inf, rcond=0.6), -np.diag([1.0, 0.0, 0.0]), atol=4 * eps)
    expected = oracles.ball_oracle(G.astype(np.float64), 4.0, rcond=0.3)
    np.testing.assert_allclose(st.ball_oracle(G, 4.0, rcond=0.3), expected, atol=8 * eps)
    tiny = np.diag(np.array([1.0, eps / 8], dtype=dtype))
    np.testing.assert_allclose(
        st.ball_oracle(tiny, np.inf, rcond=0.0, backend="svd"), -np.eye(2), atol=4 * eps
    )


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("count", [1, 2, 3, 5])
def test_ties_share_the_mass_at_one(count: int, dtype: type) -> None:
    """At p = 1 the direction is -(1/k) times the sum over the k largest, equal singular values."""
    G = np.diag(np.where(np.arange(5) < count, 3.0, 1.0)).astype(dtype)
    expected = -np.diag(np.where(np.arange(5) < count, 1.0, 0.0)) / count
    np.testing.assert_allclose(st.ball_oracle(G, 1.0), expected, rtol=0, atol=4 * eps_of(dtype))


@pytest.mark.parametrize("dtype", DTYPES)
def test_tie_window(dtype: type) -> None:
    """Singular values within 8 max(m, n) eps of the largest share; those clearly outside do not."""
    eps = eps_of(dtype)
    inside = np.diag(np.array([1.0, 1 - 8 * 2 * eps / 2], dtype=dtype))
    outside = np.diag(np.array([1.0, 1 - 8 * 2 * eps * 2], dtype=dtype))
    np.testing.assert_allclose(st.ball_oracle(inside, 1.0), -np.eye(2) / 2, atol=4 * eps)
    np.testing.assert_allclose(st.ball_oracle(outside, 1.0), -np.diag([1.0, 0.0]), atol=4 * eps)


@pytest.mark.parametrize("p", EXPONENTS)
def test_auto_says_what_it_used(p: float) -> None:
    """`auto` uses the closed form at p = 2 and for vectors, and names a matrix backend elsewhere."""
    G = matrices.make("gaussian", 6, 4, np.float64)
    assert st.ball_oracle(G[:, :1], p, return_info=True)[1].backend == "frobenius"
    assert st.ball_oracle(G[0], p, return_info=True)[1].backend == "frobenius"
    used = st.ball_oracle(G, p, return_info=True)[1].backend
    assert used == ("frobenius" if p == 2 else "svd")
    assert st.ball_oracle(G, p, backend="svd", return_info=True)[1].backend == "svd"


@pytest.mark.parametrize("p", EXPONENTS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_residual_is_the_duality_gap(dtype: type, p: float) -> None:
    """The residual of the SVD route is |1 + <G, D> / ||G||_q|, at the level of rounding."""
    G, svd = matrix_and_svd("moderate", (10, 24), dtype)
    _, info = st.ball_oracle(G, p, backend="svd", return_info=True)
    assert 0 <= info.residual <= 2 * checks.rounding(G.shape, eps_of(dtype)) + svd.lost_mass(p, eps_of(dtype))
