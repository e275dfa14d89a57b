"""QDWH: against SciPy's polar decomposition, backward error, orthogonality, rank deficiency, range."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.linalg
from reference import checks, matrices, oracles

import schattor as st

EPS = {np.float32: float(np.finfo(np.float32).eps), np.float64: float(np.finfo(np.float64).eps)}
SHAPES = [(1, 1), (1, 9), (9, 1), (6, 6), (24, 26), (26, 24), (40, 17), (17, 64), (90, 90)]


def qdwh(A: np.ndarray) -> tuple[np.ndarray, st.OracleInfo]:
    """The polar factor and its record."""
    D, info = st.ball_oracle(A, np.inf, backend="qdwh", return_info=True)
    return -D, info


@pytest.mark.parametrize("condition", [1.0, 1e1, 1e2, 1e3, 1e4, 1e6, 1e8])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_agrees_with_scipy(shape: tuple[int, int], dtype: type, condition: float) -> None:
    """Close to SciPy's factor within eps times the condition number; orthonormal and backward stable within eps.

    The polar factor has the condition number 1/sigma_min (Higham, Functions of Matrices, theorem 8.9). Backward
    error: A - X H with H the symmetric part of X'A is of the order of eps for a stable method.
    """
    eps, k = EPS[dtype], min(shape)
    if k > 1 and condition > 0.05 / (max(shape) * eps):
        return
    A = matrices.planted(
        *shape, matrices.geometric_spectrum(k, condition), dtype, np.random.default_rng(shape)
    )
    X, info = qdwh(A)
    assert (info.backend, info.fallbacks, info.approximate) == ("qdwh", 0, False)
    assert 1 <= info.iterations <= 7
    exact = scipy.linalg.polar(A.astype(np.float64))[0]
    reached = 10 * eps * math.sqrt(k)
    assert np.linalg.norm(X - exact, 2) <= reached + 10 * np.finfo(float).eps * math.sqrt(k) * condition
    Y = X.astype(np.longdouble)
    Y, B = (Y, A) if shape[0] >= shape[1] else (Y.T, A.T)
    gram = Y.T @ Y
    assert float(np.abs(np.eye(k) - gram).max()) <= reached
    assert info.residual == pytest.approx(float(np.sqrt(((np.eye(k) - gram) ** 2).sum() / k)), abs=10 * eps)
    H = Y.T @ B
    H = (H + H.T) / 2
    assert float(np.sqrt(((B - Y @ H) ** 2).sum())) <= reached * float(np.linalg.norm(B))
    assert np.linalg.eigvalsh(H.astype(float)).min() >= -reached * float(np.linalg.norm(B, 2))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    "kind", ["rank_one", "integer_deficient", "planted_deficient", "hopeless", "single_entry"]
)
@pytest.mark.parametrize("shape", [(6, 6), (24, 40), (60, 20)], ids=str)
def test_rank_deficient_input_goes_to_the_svd(shape: tuple[int, int], kind: str, dtype: type) -> None:
    """Singular values below the cutoff count as zero: the SVD decides, and the fallback is counted."""
    A = matrices.make(kind, *shape, dtype)
    X, info = qdwh(A)
    assert (info.backend, info.fallbacks, info.iterations) == ("svd", 1, 0)
    np.testing.assert_array_equal(X, -st.ball_oracle(A, np.inf, backend="svd"))


@pytest.mark.parametrize(
    ("dtype", "scale"), [(np.float32, 1e-30), (np.float32, 1e30), (np.float64, 1e-300), (np.float64, 1e300)]
)
@pytest.mark.parametrize("shape", [(7, 7), (20, 33), (33, 20)], ids=str)
def test_scale_extremes(shape: tuple[int, int], dtype: type, scale: float) -> None:
    """The result does not depend on the scale beyond the rounding of the scaled entries."""
    A = matrices.make("moderate", *shape, dtype)
    X, info = qdwh((A * dtype(scale)).astype(dtype))
    assert info.backend == "qdwh"
    tolerance = 10 * EPS[dtype] * 1e2 * math.sqrt(min(shape))
    np.testing.assert_allclose(X, qdwh(A)[0], rtol=0, atol=tolerance)


def test_zero_and_empty() -> None:
    """Zero in, zero out."""
    assert not st.ball_oracle(np.zeros((4, 6)), np.inf, backend="qdwh").any()
    assert st.ball_oracle(np.zeros((0, 6)), np.inf, backend="qdwh").shape == (0, 6)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_is_an_oracle(dtype: type) -> None:
    """<G, D> = -||G||_1, the dual norm, and the regularization rule scales by it."""
    G = matrices.make("moderate", 20, 30, dtype)
    D, info = st.ball_oracle(G, np.inf, backend="qdwh", return_info=True)
    nuclear = float(oracles.jacobi_singular_values(G).sum())
    tolerance = 10 * EPS[dtype] * math.sqrt(20)
    assert info.dual_norm == pytest.approx(nuclear, rel=tolerance)
    assert np.linalg.norm(D.astype(float), 2) <= 1 + checks.BALL_EXCESS[np.dtype(dtype)]
    R = st.regularization_oracle(G, np.inf, backend="qdwh")
    np.testing.assert_allclose(R, nuclear * D.astype(float), rtol=tolerance, atol=tolerance * nuclear)


def test_polar_factor() -> None:
    """The backend is reachable by name, and refuses other exponents by naming them."""
    A = matrices.make("moderate", 9, 5, np.float64)
    expected = scipy.linalg.polar(A)[0]
    np.testing.assert_allclose(st.linalg.polar_factor(A, backend="qdwh"), expected, rtol=0, atol=1e-13)
    with pytest.raises(ValueError, match="p = 4"):
        st.ball_oracle(A, 4, backend="qdwh")
    assert str(st.Spectral("qdwh")) == "Spectral, qdwh"


def test_in_an_optimizer() -> None:
    """Muon with QDWH takes the step of the exact rule."""
    rng = np.random.default_rng(3)
    W, G = rng.standard_normal((8, 12)), rng.standard_normal((8, 12))
    stepped = []
    for backend in ("svd", "qdwh"):
        params = [W.copy()]
        opt = st.Optimizer(params, st.recipes.muon(lr=0.1), backend=backend)
        opt.step([G])
        stepped.append(params[0])
    np.testing.assert_allclose(stepped[1], stepped[0], rtol=0, atol=1e-14)
