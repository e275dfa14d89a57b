"""The adaptive polar iteration: accuracy against the SVD, the residual it reports, the ball, rank deficiency, range."""

from __future__ import annotations

import math
from typing import Any

import hypothesis.strategies as hst
import numpy as np
import pytest
from hypothesis import given
from reference import checks, matrices

import schattor as st

EPS = {np.float32: float(np.finfo(np.float32).eps), np.float64: float(np.finfo(np.float64).eps)}
SHAPES = [(1, 1), (1, 9), (9, 1), (24, 24), (40, 24), (48, 61), (64, 64), (150, 70)]


def adaptive(A: np.ndarray, rtol: float, steps: int | None = None) -> tuple[np.ndarray, st.OracleInfo]:
    """The approximation of the polar factor and its record."""
    return st.linalg.newton_schulz(A, "adaptive", steps, rtol=rtol, return_info=True)


def measured_residual(X: np.ndarray) -> float:
    """||I - X X'||_F / sqrt(k) on the smaller side, in extended precision."""
    Y = X.astype(np.longdouble)
    Y = Y if Y.shape[0] <= Y.shape[1] else Y.T
    k = Y.shape[0]
    return float(np.sqrt(((np.eye(k) - Y @ Y.T) ** 2).sum() / k))


def polar(A: np.ndarray) -> np.ndarray:
    """U V' by NumPy's SVD in float64."""
    U, _, Vt = np.linalg.svd(A.astype(np.float64), full_matrices=False)
    return U @ Vt


@pytest.mark.parametrize("rtol", [1e-1, 1e-3, 1e-5])
@pytest.mark.parametrize("condition", [1e1, 1e2, 1e3, 1e4, 1e6, 1e8])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_reaches_the_residual(shape: tuple[int, int], dtype: type, condition: float, rtol: float) -> None:
    """The reported residual is that of the returned matrix; below rtol unless singular values near the cutoff remain.

    A singular value sigma of X and its residual 1 - sigma^2 bound the error 1 - sigma by it, so that the polar factor
    is met within the residual, plus what rounding turns: about sqrt(k) eps times the condition number per step.
    """
    eps = EPS[dtype]
    k = min(shape)
    A = matrices.planted(
        *shape, matrices.geometric_spectrum(k, condition), dtype, np.random.default_rng(shape)
    )
    X, info = adaptive(A, rtol)
    assert info.backend == "newton_schulz"
    assert info.residual == pytest.approx(
        measured_residual(X), rel=1e-3, abs=10 * eps * math.sqrt(max(shape))
    )
    assert np.linalg.norm(X.astype(np.float64), 2) <= 1 + checks.BALL_EXCESS[np.dtype(dtype)]
    assert info.approximate == (info.residual > rtol)
    assert 1 <= info.iterations <= 32
    if k == 1 or condition < 0.1 / (max(shape) * eps):
        assert not info.approximate
        error = np.linalg.norm(X - polar(A)) / math.sqrt(k)
        rotation = 10 * eps * (condition if k > 1 else 1) * math.sqrt(max(shape))
        assert error <= info.residual + rotation


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("kind", ["rank_one", "integer_deficient", "planted_deficient"])
@pytest.mark.parametrize("shape", [(6, 6), (24, 40), (90, 60)], ids=str)
def test_rank_deficient_input_is_marked(shape: tuple[int, int], kind: str, dtype: type) -> None:
    """Zero singular values stay below one: the result is approximate and in the ball, and what is not zero is done."""
    A = matrices.make(kind, *shape, dtype)
    X, info = adaptive(A, 1e-3)
    assert info.approximate
    assert info.residual > 1e-3
    assert info.residual == pytest.approx(measured_residual(X), rel=1e-3)
    assert np.linalg.norm(X.astype(np.float64), 2) <= 1 + checks.BALL_EXCESS[np.dtype(dtype)]
    U, sigma, Vt = np.linalg.svd(A.astype(np.float64), full_matrices=False)
    kept = sigma > max(shape) * EPS[dtype] * sigma[0]
    core = (U.T @ X @ Vt.T)[np.ix_(kept, kept)]
    np.testing.assert_allclose(core, np.eye(kept.sum()), rtol=0, atol=2e-3)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_clustered_start_is_no_trap(dtype: type) -> None:
    """One small singular value far below many equal ones: the estimate of the smallest must find it."""
    sigma = np.ones(60)
    sigma[-1] = 1e-3
    A = matrices.planted(60, 60, sigma, dtype, np.random.default_rng(5))
    X, info = adaptive(A, 1e-4)
    assert not info.approximate
    assert np.linalg.norm(X - polar(A), 2) <= 60 * 1e-4


@pytest.mark.parametrize("steps", [1, 2, 4])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_too_few_steps(dtype: type, steps: int) -> None:
    """Out of steps: marked approximate, the residual honest, the ball kept."""
    A = matrices.make("ill_conditioned", 30, 50, dtype)
    X, info = adaptive(A, 1e-3, steps)
    assert info.approximate
    assert info.iterations == steps
    assert info.residual == pytest.approx(measured_residual(X), rel=1e-3)
    assert np.linalg.norm(X.astype(np.float64), 2) <= 1 + checks.BALL_EXCESS[np.dtype(dtype)]


@given(hst.integers(1, 9), hst.integers(1, 9), hst.integers(0, 2**32 - 1))
def test_transposition_and_sign(m: int, n: int, seed: int) -> None:
    """The iterate of A' is the transpose, that of -A the negative."""
    A = matrices.planted(
        m, n, matrices.geometric_spectrum(min(m, n), 10.0), np.float64, np.random.default_rng(seed)
    )
    X, _ = adaptive(A, 1e-8)
    np.testing.assert_allclose(adaptive(A.T, 1e-8)[0], X.T, rtol=0, atol=1e-7)
    np.testing.assert_allclose(adaptive(-A, 1e-8)[0], -X, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("dtype", "scale"), [(np.float32, 1e-30), (np.float32, 1e30), (np.float64, 1e-300), (np.float64, 1e300)]
)
@pytest.mark.parametrize("shape", [(7, 7), (20, 33)], ids=str)
def test_scale_extremes(shape: tuple[int, int], dtype: type, scale: float) -> None:
    """The result does not depend on the scale."""
    A = matrices.make("moderate", *shape, dtype)
    X, info = adaptive((A * dtype(scale)).astype(dtype), 1e-4)
    assert not info.approximate
    np.testing.assert_allclose(X, adaptive(A, 1e-4)[0], rtol=0, atol=1e-4 if dtype == np.float32 else 1e-10)


def test_zero_and_empty() -> None:
    """Zero in, zero out."""
    backend = st.linalg.NewtonSchulz("adaptive")
    assert not st.ball_oracle(np.zeros((4, 6)), np.inf, backend=backend).any()
    assert st.ball_oracle(np.zeros((0, 6)), np.inf, backend=backend).shape == (0, 6)


def test_spec() -> None:
    """The accuracy belongs to the value of the specification; its default is written out."""
    spec = st.linalg.NewtonSchulz("adaptive")
    assert spec == st.linalg.NewtonSchulz("adaptive", rtol=1e-3, steps=32)
    assert spec != st.linalg.NewtonSchulz("adaptive", rtol=1e-4)
    assert st.linalg.NewtonSchulz("muon").rtol is None


@pytest.mark.parametrize("rtol", [0.0, -1e-3, 1.0, math.nan, math.inf])
def test_bad_rtol(rtol: float) -> None:
    """A requested residual lies in (0, 1)."""
    with pytest.raises(ValueError, match="rtol"):
        st.linalg.NewtonSchulz("adaptive", rtol=rtol)


def test_rtol_needs_the_adaptive_scheme() -> None:
    """A coefficient set cannot promise an accuracy."""
    with pytest.raises(ValueError, match="adaptive"):
        st.linalg.NewtonSchulz("muon", rtol=1e-3)


def test_only_for_the_spectral_norm() -> None:
    """The message names the exponent."""
    with pytest.raises(ValueError, match="p = inf"):
        st.ball_oracle(np.eye(3), 4, backend=st.linalg.NewtonSchulz("adaptive"))


def test_in_an_optimizer() -> None:
    """Muon with the adaptive polar factor takes the step of the exact rule, to the residual."""
    rng = np.random.default_rng(3)
    W, G = rng.standard_normal((8, 12)), rng.standard_normal((8, 12))
    stepped: list[Any] = []
    for backend in ("svd", st.linalg.NewtonSchulz("adaptive", rtol=1e-10)):
        params = [W.copy()]
        opt = st.Optimizer(params, st.recipes.muon(lr=0.1), backend=backend)
        opt.step([G])
        stepped.append(params[0])
    np.testing.assert_allclose(stepped[1], stepped[0], rtol=0, atol=1e-9)
