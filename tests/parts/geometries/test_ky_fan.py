"""The geometry of the Ky Fan norms: duality, the ball, ties, rank below k, both routes, optimizers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from reference import matrices

import schattor as st
from schattor._edge.calls import compute_oracle

DTYPES = pytest.mark.parametrize("dtype", [np.float32, np.float64])
BACKENDS = pytest.mark.parametrize("backend", ["svd", "subspace"])
EXCESS = {np.float32: 1e-5, np.float64: 1e-12}
RTOL = {np.float32: 1e-6, np.float64: 1e-10}


def spectrum(X: np.ndarray) -> np.ndarray:
    """Singular values in double."""
    return np.linalg.svd(X.astype(np.float64), compute_uv=False)


def primal(X: np.ndarray, k: int) -> float:
    """max(||X||_op, ||X||_* / k), literally."""
    s = spectrum(X)
    return float(max(s[0], s.sum() / min(k, s.size)))


def dual(G: np.ndarray, k: int) -> float:
    """Sum of the k largest singular values, literally."""
    return float(spectrum(G)[:k].sum())


def pairing(G: np.ndarray, D: np.ndarray) -> float:
    """<G, D> in double."""
    return float(np.sum(G.astype(np.float64) * D.astype(np.float64)))


@DTYPES
@BACKENDS
@pytest.mark.parametrize(
    "kind", ["gaussian", "moderate", "repeated", "planted_deficient", "rank_one", "orthogonal"]
)
@pytest.mark.parametrize("shape", [(50, 50), (30, 70), (70, 30), (6, 4), (1, 5), (5, 1)])
@pytest.mark.parametrize("k", [1, 3, 8, 1000])
def test_oracle(kind: str, shape: tuple[int, int], k: int, backend: str, dtype: type) -> None:
    """D stays in the ball and attains minus the dual norm; the norms are the literal ones."""
    G = matrices.make(kind, *shape, dtype)
    g = st.KyFan(k, backend)
    D = g.ball(G)
    assert D.dtype == dtype and D.shape == shape
    assert primal(D, k) <= 1 + EXCESS[dtype]
    exact = dual(G, k)
    eps = float(np.finfo(dtype).eps)
    # Rounding; a tie window of 8 max(m, n) eps at the cut, whose members share; and the error of the subspace, which
    # is below rtol * sigma_1 for each of the k values.
    tolerance = 10 * eps * np.sqrt(min(shape)) + 8 * max(shape) * eps + (backend == "subspace") * RTOL[dtype]
    assert abs(pairing(G, D) + exact) <= tolerance * min(k, min(shape)) * spectrum(G)[0]
    assert abs(g.dual_norm(G) / exact - 1) <= 10 * eps * np.sqrt(min(shape))
    assert abs(g.norm(G) / primal(G, k) - 1) <= 10 * eps * np.sqrt(min(shape))
    np.testing.assert_allclose(g.regularized(G), exact * D, rtol=0, atol=tolerance * exact * k)


@DTYPES
@BACKENDS
def test_against_numpy(backend: str, dtype: type) -> None:
    """With a gap at the cut the direction is the truncated polar factor."""
    rng = np.random.default_rng(0)
    sigma = np.r_[np.linspace(3, 2, 5), np.linspace(1, 0.1, 45)]
    U, _, Vt = matrices.planted_factors(60, 50, sigma, rng)
    G = ((U * sigma) @ Vt).astype(dtype)
    D = st.KyFan(5, backend).ball(G)
    # Singular vectors of the five move by the perturbation (rounding, residual) over the gap, relative to sigma_1.
    error = 3 * (RTOL[dtype] + 50 * float(np.finfo(dtype).eps)) * np.sqrt(5) * 2
    assert np.linalg.norm(D + U[:, :5] @ Vt[:5]) <= error


@DTYPES
@BACKENDS
def test_k_is_one_and_k_is_all(backend: str, dtype: type) -> None:
    """k = 1 is the nuclear norm and k >= min(m, n) the spectral norm, with the same oracles."""
    G = matrices.make("moderate", 40, 30, dtype)
    tolerance = 100 * (RTOL[dtype] if backend == "subspace" else float(np.finfo(dtype).eps))
    nuclear, spectral = st.Schatten(1), st.Spectral()
    np.testing.assert_allclose(st.KyFan(1, backend).ball(G), nuclear.ball(G), rtol=0, atol=tolerance)
    np.testing.assert_allclose(st.KyFan(30, backend).ball(G), spectral.ball(G), rtol=0, atol=tolerance)
    assert np.isclose(st.KyFan(1).norm(G), nuclear.norm(G), rtol=1e-6)
    assert np.isclose(st.KyFan(99).dual_norm(G), spectral.dual_norm(G), rtol=1e-6)


def test_ties_at_the_cut_share() -> None:
    """Values equal to the k-th share what the larger ones leave, so that ||D||_* = k."""
    G = np.diag([5.0, 2.0, 2.0, 2.0, 1.0])
    D = st.KyFan(2).ball(G)
    np.testing.assert_allclose(np.diag(-D), [1, 1 / 3, 1 / 3, 1 / 3, 0], atol=1e-15)
    assert np.isclose(pairing(G, D), -7)
    np.testing.assert_allclose(st.KyFan(3).ball(-np.eye(6)), np.eye(6) / 2, atol=1e-15)
    assert np.array_equal(st.KyFan(1).ball(np.eye(4)), st.Schatten(1).ball(np.eye(4)))


def test_no_tie_no_share() -> None:
    """A gap of twice the window is no tie."""
    window = 8 * 4 * np.finfo(np.float64).eps
    G = np.diag([2.0, 1.0, 1 - 2 * window, 0.5])
    np.testing.assert_allclose(np.diag(-st.KyFan(2).ball(G)), [1, 1, 0, 0], atol=1e-15)


@BACKENDS
def test_rank_below_k(backend: str) -> None:
    """Singular values that are zero get nothing: the direction is not noise."""
    rng = np.random.default_rng(0)
    G = rng.standard_normal((60, 3)) @ rng.standard_normal((3, 50))
    D = st.KyFan(6, backend).ball(G)
    np.testing.assert_allclose(spectrum(D), np.r_[np.ones(3), np.zeros(47)], atol=1e-9)


@DTYPES
@BACKENDS
def test_scale_and_sign(backend: str, dtype: type) -> None:
    """The ball oracle has degree zero over the whole range of the dtype; zero goes to zero."""
    G = matrices.make("gaussian", 60, 40, dtype)
    g = st.KyFan(3, backend)
    D = g.ball(G)
    for e in (-100, 100) if dtype is np.float32 else (-900, 900):
        assert (g.ball(np.ldexp(G, e)) == D).all()
        assert np.isclose(g.dual_norm(np.ldexp(G, e)), np.ldexp(g.dual_norm(G), e), rtol=1e-6)
    assert not g.ball(np.zeros_like(G)).any()


def test_subspace_reports_what_it_did() -> None:
    """The residual is below rtol, the dual norm is attained, and equal calls give equal bits."""
    G = matrices.make("gaussian", 120, 90, np.float64)
    for rtol in (1e-2, 1e-6):
        g = st.KyFan(4, "subspace", rtol=rtol)
        D, row = compute_oracle(g._standalone(), G, "G")
        assert row.backend == "subspace" and row.approximate and row.fallbacks == 0
        assert 0 < row.residual <= rtol
        # <G, D> = -sum sigma_i for any subspace, up to the residual's part outside of it, which D does not see.
        assert np.isclose(-pairing(G, D), row.dual_norm.in_float64(), rtol=1e-12)
        assert row.dual_norm.in_float64() <= dual(G, 4) * (1 + 1e-12)
        assert (g.ball(G) == D).all()
        assert (st.KyFan(4, "subspace", rtol=rtol, seed=1).ball(G) != D).any()


@BACKENDS
def test_in_an_optimizer(backend: str) -> None:
    """As the geometry of a mixed norm it makes steps; the same run twice gives the same bits."""

    def run() -> tuple[dict[str, np.ndarray], Any]:
        rng = np.random.default_rng(1)
        params = {"W": rng.standard_normal((60, 40)), "b": np.zeros(40)}
        mix = st.MixedNorm({"W": st.KyFan(4, backend), "b": st.Lp(2)}, outer=2)
        opt = st.Schattor(params, norm=mix, rule="ball", lr=0.1)
        for _ in range(3):
            opt.step({name: rng.standard_normal(w.shape) for name, w in params.items()})
        return params, opt.report["W"]

    first, report = run()
    again, _ = run()
    assert (first["W"] == again["W"]).all()
    assert report.backend == backend


def test_construction() -> None:
    """What cannot be used is named."""
    for k in (0, -3):
        with pytest.raises(ValueError, match="k must be at least 1"):
            st.KyFan(k)
    with pytest.raises(TypeError):
        st.KyFan(1.5)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="backend of KyFan must be one of"):
        st.KyFan(2, "newton_schulz")
    with pytest.raises(ValueError, match="rtol must be positive"):
        st.KyFan(2, "subspace", rtol=0.0)
    assert str(st.KyFan(2, "subspace")) == "KyFan(2), subspace"
    with pytest.raises(ValueError, match="not finite"):
        st.KyFan(2).ball(np.array([[np.nan, 1.0], [1.0, 1.0]]))
