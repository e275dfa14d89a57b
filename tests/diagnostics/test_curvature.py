"""Curvature along the oracles against dense Hessians, closed forms and real steps."""

from __future__ import annotations

import math

import numpy as np
import pytest
from problems.examples import examples, point

import schattor as st
from schattor.diagnostics import (
    block_hessian,
    curvature,
    curvature_profile,
    hessian_matrix,
    muon_ratio,
)

PROBLEMS = {name: examples()[name] for name in ("quadratic", "softmax", "tanh", "joint", "completion")}
NORMS = (1, 1.5, 2, 3, 8, math.inf, st.Sign(), st.Lp(3), st.RowNorm(), st.ColumnNorm())


def blocks(name: str) -> list[tuple[object, np.ndarray, np.ndarray]]:
    """The Hessian of each block as map and as matrix, and the gradient."""
    problem = PROBLEMS[name]
    params = point(problem)
    gradient = problem.gradient(params)
    maps = {block: block_hessian(problem.hvp, params, block) for block in params}
    return [(H, hessian_matrix(H, gradient[block].shape), gradient[block]) for block, H in maps.items()]


@pytest.mark.parametrize("name", PROBLEMS)
def test_quadratic_form_of_the_dense_hessian(name: str) -> None:
    """J = vec(D)' H vec(D), for Schatten norms and others."""
    for H, dense, G in blocks(name):
        profile = curvature_profile(H, G, NORMS)
        for i, geometry in enumerate(profile.geometries):
            d = geometry.ball(G).ravel()
            J = d @ dense @ d
            assert profile.curvatures[i] == pytest.approx(J, rel=1e-10, abs=1e-12 * np.abs(dense).max())
            assert profile.dual_norms[i] == pytest.approx(-d @ G.ravel(), rel=1e-10)


@pytest.mark.parametrize("name", PROBLEMS)
def test_rayleigh_quotient_at_two(name: str) -> None:
    """p = 2: D = -G / ||G||_F, so J is the Rayleigh quotient at the gradient."""
    for H, dense, G in blocks(name):
        g = G.ravel()
        assert curvature(H, G, 2) == pytest.approx(g @ dense @ g / (g @ g), rel=1e-10)


@pytest.mark.parametrize("name", PROBLEMS)
def test_curvature_below_the_lipschitz_constant_of_the_hessian(name: str) -> None:
    """J_2 <= ||H||_op, which `muon_ratio` finds; and J_inf <= min(m, n) ||H||_op, since ||UV'||_F^2 is the rank."""
    for H, dense, G in blocks(name):
        found = muon_ratio(H, G, rtol=1e-6, rng=0)
        norm = np.abs(np.linalg.eigvalsh(dense)).max()
        np.testing.assert_allclose(found.L, norm, rtol=1e-6)
        assert curvature(H, G, 2) <= norm * (1 + 1e-12)
        assert found.J / norm <= min(G.shape) * (1 + 1e-12)


def test_ratio_by_hand() -> None:
    """Q = diag(4, 1), g = diag(3, 1): (4^2 4) / (10 * 5)."""
    Q, G = np.diag([4.0, 1.0]), np.diag([3.0, 1.0])
    found = muon_ratio(lambda D: Q @ D, G, rtol=1e-9, rng=0)
    assert (found.nuclear_norm, found.J) == pytest.approx((4, 5))
    assert found.frobenius_norm**2 == pytest.approx(10)
    assert found.ratio == pytest.approx(64 / 50, rel=1e-9)
    assert muon_ratio(lambda D: Q @ D, G, L=4.0).ratio == pytest.approx(64 / 50)
    np.testing.assert_allclose(muon_ratio(lambda D: Q @ D, G, L="rayleigh").L, (9 * 4 + 1) / 10)


@pytest.mark.parametrize("L", ("operator_norm", "rayleigh"))
@pytest.mark.parametrize("name", PROBLEMS)
def test_ratio_is_blind_to_scale(name: str, L: str) -> None:
    """It does not change with the scale of the loss or of the gradient."""
    for H, _, G in blocks(name):
        first = muon_ratio(H, G, L, rng=3).ratio
        assert muon_ratio(lambda D, H=H: 7.0 * H(D), 3.0 * G, L, rng=3).ratio == pytest.approx(
            first, rel=1e-9
        )


@pytest.mark.parametrize("name", PROBLEMS)
def test_ratio_compares_the_predicted_decreases(name: str) -> None:
    """With the Rayleigh quotient it is the decrease at p = inf over that at p = 2."""
    for H, _, G in blocks(name):
        profile = curvature_profile(H, G, (2, math.inf))
        euclidean, spectral = profile.dual_norms**2 / (2 * profile.curvatures)
        assert muon_ratio(H, G, "rayleigh").ratio == pytest.approx(spectral / euclidean, rel=1e-10)


def test_isotropic_curvature_prefers_descent() -> None:
    """H = c I: J_inf = c rank, and by Cauchy-Schwarz the ratio is at most 1, with equality for equal values."""
    G = np.random.default_rng(0).standard_normal((4, 6))
    assert muon_ratio(lambda D: 2.0 * D, G, rng=0).ratio < 1
    assert muon_ratio(lambda D: 2.0 * D, np.eye(4, 6), rng=0).ratio == pytest.approx(1)
    assert curvature_profile(lambda D: 2.0 * D, G).best == st.Schatten(2.0)


def test_the_best_step_reaches_the_predicted_decrease() -> None:
    """On a quadratic the model is the loss: a real step of length lrs decreases it by just what is predicted."""
    problem = PROBLEMS["quadratic"]
    params = point(problem)
    G = problem.gradient(params)["W"]
    profile = curvature_profile(block_hessian(problem.hvp, params, "W"), G, NORMS)
    before = problem.loss(params)
    for i, geometry in enumerate(profile.geometries):
        moved = {"W": params["W"] + profile.lrs[i] * geometry.ball(G)}
        assert before - problem.loss(moved) == pytest.approx(profile.predicted_decreases[i], rel=1e-9)
    assert profile.best == profile.geometries[int(np.argmax(profile.predicted_decreases))]


def test_no_gradient_and_no_curvature() -> None:
    """A zero gradient predicts nothing; without curvature the model has no minimum."""
    still = curvature_profile(lambda D: D, np.zeros((2, 3)))
    np.testing.assert_array_equal(still.predicted_decreases, 0)
    np.testing.assert_array_equal(still.lrs, 0)
    assert math.isnan(muon_ratio(lambda D: D, np.zeros((2, 3)), rng=0).ratio)
    downhill = curvature_profile(lambda D: -D, np.eye(2), (2, math.inf))
    np.testing.assert_array_equal(downhill.predicted_decreases, np.inf)
    np.testing.assert_array_equal(downhill.lrs, np.inf)


def test_single_precision() -> None:
    """Gradients in float32 give the same to their precision; sums are taken in float64."""
    for H, _, G in blocks("tanh"):
        for p in (2, 4, math.inf):
            assert curvature(H, G.astype(np.float32), p) == pytest.approx(curvature(H, G, p), rel=1e-4)


def test_errors() -> None:
    """What is wrong with a norm or with L."""
    G = np.eye(2)
    with pytest.raises(ValueError, match="norm must be in"):
        curvature(lambda D: D, G, 0.5)
    with pytest.raises(ValueError, match="at least one"):
        curvature_profile(lambda D: D, G, ())
    with pytest.raises(TypeError, match="L must be"):
        muon_ratio(lambda D: D, G, L="largest")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="L must be finite"):
        muon_ratio(lambda D: D, G, L=math.inf)
