"""The SVD backend above 24 x 24: LAPACK in float64 judges float32 input, a planted SVD judges float64 input."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pytest
from reference import checks, matrices, oracles

import schattor as st

EXPONENTS = (1.0, 1.0001, 1.2, 1.5, 2.0, 2.5, 3.0, 4.0, 8.0, 64.0, np.inf)
FEW_EXPONENTS = (1.0, 1.5, 3.0, np.inf)
EPS = {np.float32: float(np.finfo(np.float32).eps), np.float64: float(np.finfo(np.float64).eps)}
MEDIUM = ((64, 64), (37, 100), (256, 64))
LARGE = ((300, 300), (512, 384))
LARGEST = ((768, 768), (768, 3072), (3072, 768))
FLOAT32_KINDS = (
    "gaussian",
    "ill_conditioned",
    "hopeless",
    "integer_deficient",
    "repeated",
    "orthogonal",
    "rank_one",
)


def spectra(k: int) -> dict[str, np.ndarray]:
    """Singular values to plant."""
    return {
        "moderate": matrices.geometric_spectrum(k, 1e2),
        "ill_conditioned": matrices.geometric_spectrum(k, 1e-4 / EPS[np.float64]),
        "deficient": np.where(np.arange(k) < k // 2, matrices.geometric_spectrum(k, 1e3), 0.0),
        "repeated": np.where(np.arange(k) < k // 3, 1.0, 0.25),
        "orthogonal": np.ones(k),
    }


@lru_cache(maxsize=8)
def float32_case(kind: str, shape: tuple[int, int]) -> tuple[np.ndarray, oracles.FloatSVD]:
    """Stored float32 matrix and its SVD by LAPACK in float64."""
    G = matrices.make(kind, *shape, np.float32)
    return G, oracles.FloatSVD(*np.linalg.svd(G.astype(np.float64), full_matrices=False))


@lru_cache(maxsize=8)
def planted_case(kind: str, shape: tuple[int, int]) -> tuple[np.ndarray, oracles.FloatSVD]:
    """Float64 matrix made from known random factors."""
    U, sigma, Vt = matrices.planted_factors(*shape, spectra(min(shape))[kind], np.random.default_rng(shape))
    return (U * sigma) @ Vt, oracles.FloatSVD(U, sigma, Vt)


@lru_cache(maxsize=8)
def hadamard_case(shape: tuple[int, int]) -> tuple[np.ndarray, oracles.FloatSVD]:
    """Float64 matrix whose SVD is known without any rounding; eight values, each of high multiplicity but the first."""
    k = min(shape)
    levels = np.array([64.0, 32.0, 31.0, 16.0, 9.0, 4.0, 1.0, 0.125])
    sigma = np.sort(levels[np.arange(k) % 7 + 1])[::-1].copy()
    sigma[0] = levels[0]
    G, *factors = matrices.exactly_planted(*shape, sigma)
    return G, oracles.FloatSVD(*factors)


def check(G: np.ndarray, svd: oracles.FloatSVD, p: float) -> None:
    """Identities, direction and dual norm."""
    eps = EPS[G.dtype.type]
    D, info = st.ball_oracle(G, p, backend="svd", return_info=True)
    assert D.dtype == G.dtype
    checks.assert_identities(G, D, p, svd, extended=False)
    tolerance = checks.direction_tolerance(svd.sigma, svd.size, p, eps)
    if tolerance is not None:
        assert checks.relative_error(D, svd.direction(p, eps)) <= tolerance
    scalar = checks.rounding(G.shape, eps) + svd.lost_mass(p, eps)
    assert info.dual_norm == pytest.approx(svd.norm(oracles.conjugate(p)), rel=scalar)
    assert info.fallbacks == 0


@pytest.mark.parametrize("p", EXPONENTS)
@pytest.mark.parametrize("kind", FLOAT32_KINDS)
@pytest.mark.parametrize("shape", MEDIUM, ids=str)
def test_medium_float32(shape: tuple[int, int], kind: str, p: float) -> None:
    """Float32 input against the float64 SVD of the same stored entries."""
    check(*float32_case(kind, shape), p)


@pytest.mark.parametrize("p", EXPONENTS)
@pytest.mark.parametrize("kind", spectra(2))
@pytest.mark.parametrize("shape", MEDIUM, ids=str)
def test_medium_planted_float64(shape: tuple[int, int], kind: str, p: float) -> None:
    """Float64 input against the planted factors."""
    check(*planted_case(kind, shape), p)


@pytest.mark.parametrize("p", EXPONENTS)
@pytest.mark.parametrize("shape", [(64, 64), (96, 48), (48, 256), (256, 256)], ids=str)
def test_medium_exactly_planted_float64(shape: tuple[int, int], p: float) -> None:
    """Float64 input whose SVD holds without rounding."""
    check(*hadamard_case(shape), p)


@pytest.mark.verify
@pytest.mark.parametrize("p", EXPONENTS)
@pytest.mark.parametrize("kind", FLOAT32_KINDS)
def test_256_float32(kind: str, p: float) -> None:
    """All exponents at 256 x 256, float32."""
    check(*float32_case(kind, (256, 256)), p)


@pytest.mark.verify
@pytest.mark.parametrize("p", EXPONENTS)
@pytest.mark.parametrize("kind", spectra(2))
def test_256_planted_float64(kind: str, p: float) -> None:
    """All exponents at 256 x 256, float64."""
    check(*planted_case(kind, (256, 256)), p)


@pytest.mark.parametrize("p", [1.0, 1.5, 2.0, 3.0, np.inf])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(64, 64), (37, 100)], ids=str)
def test_medium_scales(shape: tuple[int, int], dtype: type, p: float) -> None:
    """A power of two in front changes nothing but the dual norm, by exactly that power."""
    G = matrices.make("gaussian", *shape, dtype)
    D, info = st.ball_oracle(G, p, backend="svd", return_info=True)
    for exponent in (-100, 100) if dtype == np.float32 else (-997, -100, 100, 997):
        scaled, scaled_info = st.ball_oracle(np.ldexp(G, exponent), p, backend="svd", return_info=True)
        tolerance = 100 * EPS[dtype] * float(np.linalg.cond(G.astype(np.float64)))
        assert checks.relative_error(scaled, D) <= tolerance
        assert np.ldexp(scaled_info.dual_norm, -exponent) == pytest.approx(
            info.dual_norm, rel=checks.rounding(shape, EPS[dtype])
        )


@pytest.mark.parametrize("p", FEW_EXPONENTS)
@pytest.mark.parametrize("kind", ["gaussian", "repeated"])
@pytest.mark.parametrize("shape", LARGE, ids=str)
def test_large_float32(shape: tuple[int, int], kind: str, p: float) -> None:
    """Shapes above 256, float32."""
    check(*float32_case(kind, shape), p)


@pytest.mark.parametrize("p", FEW_EXPONENTS)
@pytest.mark.parametrize("kind", ["moderate", "deficient"])
@pytest.mark.parametrize("shape", LARGE, ids=str)
def test_large_planted_float64(shape: tuple[int, int], kind: str, p: float) -> None:
    """Shapes above 256, float64."""
    check(*planted_case(kind, shape), p)


def test_largest_float32() -> None:
    """One matrix of the largest shape in the default run."""
    check(*float32_case("gaussian", (768, 3072)), np.inf)


@pytest.mark.verify
@pytest.mark.parametrize("p", FEW_EXPONENTS)
@pytest.mark.parametrize("kind", FLOAT32_KINDS)
@pytest.mark.parametrize("shape", (*LARGE, *LARGEST), ids=str)
def test_all_large_float32(shape: tuple[int, int], kind: str, p: float) -> None:
    """Every spectrum at every large shape, float32."""
    check(*float32_case(kind, shape), p)


@pytest.mark.verify
@pytest.mark.parametrize("p", FEW_EXPONENTS)
@pytest.mark.parametrize("kind", spectra(2))
@pytest.mark.parametrize("shape", (*LARGE, *LARGEST), ids=str)
def test_all_large_planted_float64(shape: tuple[int, int], kind: str, p: float) -> None:
    """Every spectrum at every large shape, float64."""
    check(*planted_case(kind, shape), p)


@pytest.mark.verify
@pytest.mark.parametrize("p", FEW_EXPONENTS)
@pytest.mark.parametrize("shape", LARGEST, ids=str)
def test_largest_exactly_planted_float64(shape: tuple[int, int], p: float) -> None:
    """The largest shapes with an SVD known without rounding."""
    check(*hadamard_case(shape), p)
