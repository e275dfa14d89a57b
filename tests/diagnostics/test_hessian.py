"""Lanczos and Hutchinson against dense Hessians and their eigenvalues."""

from __future__ import annotations

import numpy as np
import pytest
from problems.examples import examples, point

import schattor as st
from schattor.diagnostics import (
    block_hessian,
    hessian_matrix,
    hessian_summary,
    joint_hessian,
    top_eigenvalues,
)

PROBLEMS = {name: examples()[name] for name in ("quadratic", "softmax", "tanh", "joint", "completion")}


def symmetric(eigenvalues: np.ndarray, seed: int = 0) -> np.ndarray:
    """A symmetric matrix with these eigenvalues."""
    Q = np.linalg.qr(np.random.default_rng(seed).standard_normal((len(eigenvalues),) * 2))[0]
    return (Q * eigenvalues) @ Q.T


@pytest.mark.parametrize("name", PROBLEMS)
def test_joint_and_block_hessians(name: str) -> None:
    """The joint matrix is symmetric, its diagonal blocks are the blocks' own, its product is the problem's."""
    problem = PROBLEMS[name]
    params, rng = point(problem), np.random.default_rng(1)
    product, shape = joint_hessian(problem.hvp, params)
    H = hessian_matrix(product, shape)
    np.testing.assert_allclose(H, H.T, atol=1e-13 * np.abs(H).max())
    begin = 0
    for block, x in params.items():
        own = hessian_matrix(block_hessian(problem.hvp, params, block), x.shape)
        end = begin + x.size
        np.testing.assert_allclose(own, H[begin:end, begin:end], rtol=1e-12, atol=1e-14 * np.abs(H).max())
        begin = end
    way = {k: rng.standard_normal(x.shape) for k, x in params.items()}
    flat = np.concatenate([d.ravel() for d in way.values()])
    expected = np.concatenate([d.ravel() for d in problem.hvp(params, way).values()])
    np.testing.assert_allclose(H @ flat, expected, rtol=1e-10, atol=1e-12 * np.linalg.norm(expected))


@pytest.mark.parametrize("which", ("magnitude", "largest", "smallest"))
@pytest.mark.parametrize("name", PROBLEMS)
def test_eigenvalues_of_problems(name: str, which: str) -> None:
    """Against numpy.linalg.eigvalsh of the dense matrix; the quadratic has multiple eigenvalues, the MLP negative."""
    problem = PROBLEMS[name]
    product, shape = joint_hessian(problem.hvp, point(problem))
    dense = np.linalg.eigvalsh(hessian_matrix(product, shape))
    order = {"magnitude": -np.abs(dense), "largest": -dense, "smallest": dense}[which]
    expected = dense[np.argsort(order, kind="stable")][:5]
    found = top_eigenvalues(product, shape, 5, which=which, rtol=1e-6, max_steps=200, rng=0)
    scale = np.abs(dense).max()
    # A Ritz value is off by at most its residual, so the order of two as close as that is open.
    np.testing.assert_allclose(found.values, expected, atol=2e-6 * scale)
    for value, vector, residual in zip(found.values, found.vectors, found.residuals, strict=True):
        v = vector.ravel()
        assert np.linalg.norm(v) == pytest.approx(1)
        assert np.linalg.norm(product(v) - value * v) <= residual + 1e-5 * scale
    assert np.abs(found.vectors @ found.vectors.T - np.eye(5)).max() < 1e-8


def test_multiplicities_are_kept() -> None:
    """One Krylov space sees each eigenvalue once; the search must find the copies."""
    H = symmetric(np.array([5.0, 5.0, 5.0, 3.0, -4.0, -4.0, 1.0, 0.0]))
    found = top_eigenvalues(lambda v: H @ v, (8,), 6, rtol=1e-8, rng=2)
    np.testing.assert_allclose(found.values, [5, 5, 5, -4, -4, 3], rtol=1e-8)
    every = top_eigenvalues(lambda v: H @ v, (8,), 8, rng=2)
    np.testing.assert_allclose(np.sort(every.values), [-4, -4, 0, 1, 3, 5, 5, 5], atol=5e-3)


def test_residual_bounds_the_error_of_a_short_run() -> None:
    """Stopped early, the value is within its residual of an eigenvalue, and below the largest."""
    eigenvalues = np.geomspace(1, 1e-3, 60)
    H = symmetric(eigenvalues)
    for steps in (2, 4, 8):
        found = top_eigenvalues(lambda v: H @ v, (60,), max_steps=steps, rtol=1e-9, rng=1)
        assert found.products == steps
        assert np.abs(eigenvalues - found.values[0]).min() <= found.residuals[0]
        assert found.values[0] <= 1 + 1e-12


def test_zero_map() -> None:
    """All eigenvalues are zero, and finding them is no division by zero."""
    found = top_eigenvalues(lambda v: 0 * v, (3, 2), 2, rng=0)
    np.testing.assert_array_equal(found.values, 0)
    assert np.isnan(hessian_summary(lambda v: 0 * v, (3, 2), rng=0).effective_rank)


def test_summary_is_exact_with_enough_samples() -> None:
    """As many samples as entries and as many steps: trace, norm, ranks and condition of the dense matrix."""
    eigenvalues = np.array([4.0, 3.0, 1.0, 0.5, 0.25])
    H = symmetric(eigenvalues)
    got = hessian_summary(lambda v: H @ v, (5,), samples=5, rng=0)
    assert got.trace == pytest.approx(eigenvalues.sum(), rel=1e-12)
    assert got.trace_error == 0
    assert got.frobenius_norm == pytest.approx(np.linalg.norm(eigenvalues), rel=1e-12)
    assert got.effective_rank == pytest.approx(8.75**2 / (eigenvalues @ eigenvalues), rel=1e-12)
    assert got.intrinsic_dimension == pytest.approx(8.75 / 4, rel=1e-12)
    assert got.condition_number == pytest.approx(16, rel=1e-10)
    assert got.products == 10


def test_estimates_of_trace_and_norm() -> None:
    """Hutchinson's estimates over 400 samples: within four standard errors, known for signs.

    Var z'Hz = 2 (||H||_F^2 - sum H_ii^2), and that of z'H^2z likewise.
    """
    H = symmetric(np.geomspace(1, 0.01, 500), seed=4)
    got = hessian_summary(lambda v: H @ v, (500,), samples=400, rng=5)
    deviation = np.sqrt(2 * (np.sum(H * H) - np.sum(np.diag(H) ** 2)) / 400)
    assert abs(got.trace - np.trace(H)) <= 4 * deviation
    assert got.trace_error == pytest.approx(deviation, rel=0.2)
    S = H @ H
    spread = np.sqrt(2 * (np.sum(S * S) - np.sum(np.diag(S) ** 2)) / 400)
    assert abs(got.frobenius_norm**2 - np.trace(S)) <= 4 * spread
    # Ends and condition are bounds from inside, as the docstring says.
    assert 0.01 * (1 - 1e-9) <= got.smallest < got.largest <= 1 + 1e-12
    assert 1 < got.condition_number <= 100 * (1 + 1e-9)


def test_indefinite_maps_have_no_condition() -> None:
    """A negative eigenvalue: the condition is infinite."""
    assert hessian_summary(lambda v: np.diag([2.0, -1.0]) @ v, (2,), rng=0).condition_number == np.inf


def test_errors() -> None:
    """Each names the argument."""
    problem = PROBLEMS["quadratic"]
    with pytest.raises(KeyError, match=r"no block 'V'.*W"):
        block_hessian(problem.hvp, problem.start(), "V")
    with pytest.raises(ValueError, match="count must be at most 2"):
        top_eigenvalues(lambda v: v, (2,), 3)
    with pytest.raises(ValueError, match="which must be"):
        top_eigenvalues(lambda v: v, (2,), which="LM")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="not finite"):
        top_eigenvalues(lambda v: v * np.nan, (2,))
    with pytest.raises(ValueError, match="samples must be at least 1"):
        st.diagnostics.hessian_summary(lambda v: v, (2,), samples=0)
