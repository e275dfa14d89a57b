"""The leading singular triples: residuals, bounds of the sum, starts and randomness."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from reference import matrices

import schattor as st

DTYPES = pytest.mark.parametrize("dtype", [np.float32, np.float64])
RTOL = {np.float32: 1e-6, np.float64: 1e-10}
KINDS = ["gaussian", "moderate", "repeated", "orthogonal", "planted_deficient", "rank_one", "ill_conditioned"]


def check(A: np.ndarray, k: int, **arguments: Any) -> st.linalg.TopSingularInfo:
    """Compute the triples and check everything that must hold of them."""
    U, sigma, Vt, info = st.linalg.top_singular(A, k, return_info=True, **arguments)
    assert U.dtype == sigma.dtype == Vt.dtype == A.dtype
    assert U.shape == (A.shape[0], k) and sigma.shape == (k,) and Vt.shape == (k, A.shape[1])
    largest = np.abs(A).max()
    G, U, s, Vt = (np.asarray(x, dtype=np.float64) for x in (A / largest, U, sigma / largest, Vt))
    exact = np.linalg.svd(G, compute_uv=False)[:k]
    # Rounding of the outputs, and of LAPACK in double.
    eps = float(np.finfo(A.dtype).eps)
    rounding = 10 * np.sqrt(k) * eps + 4 * max(A.shape) * np.finfo(np.float64).eps
    rtol = arguments.get("rtol", RTOL[A.dtype.type])
    assert (np.diff(s) <= 0).all()
    assert info.converged and info.residual <= rtol
    residuals = np.linalg.norm(G @ Vt.T - U * s, axis=0), np.linalg.norm(G.T @ U - Vt.T * s, axis=0)
    assert np.max(residuals) <= (info.residual + rounding) * exact[0]
    assert np.abs(U.T @ U - np.eye(k)).max() <= rounding
    assert np.abs(Vt @ Vt.T - np.eye(k)).max() <= rounding
    assert (s <= exact + rounding * exact[0]).all()
    assert np.abs(s - exact).max() <= (rtol + rounding) * exact[0]
    total, slack = exact.sum() * largest, rounding * exact.sum() * largest
    assert info.lower - slack <= total <= info.upper + slack
    return info


@DTYPES
@pytest.mark.parametrize("shape", [(60, 60), (40, 90), (90, 40), (130, 130), (10, 7), (1, 5), (5, 1)])
@pytest.mark.parametrize("kind", KINDS)
def test_triples(kind: str, shape: tuple[int, int], dtype: type) -> None:
    """Orthonormal vectors, measured residuals within the tolerance, values as LAPACK has them."""
    A = matrices.make(kind, *shape, dtype)
    for k in {1, min(3, min(shape)), min(shape)}:
        check(A, k)


@DTYPES
@pytest.mark.parametrize("kind", ["gaussian", "repeated", "orthogonal", "rank_one", "planted_deficient"])
@pytest.mark.parametrize("k", [1, 4, 9])
def test_certificates(kind: str, k: int, dtype: type) -> None:
    """With a proof the sum of the k values is known to the tolerance, clusters and low rank included."""
    A = matrices.make(kind, 60, 80, dtype)
    info = check(A, k, certify=True, rtol=1e-6)
    assert info.certified and info.method == "subspace"
    assert info.upper - info.lower <= 1e-6 * info.lower


def test_certificate_encloses_an_exact_sum() -> None:
    """Exactly known singular values: no tolerance for the bounds."""
    for sigma in (np.arange(40, 0, -1) / 64, np.repeat([1.0, 0.5], 24), np.array([3.0, 2.0, 1.0])):
        G, _, exact, _ = matrices.exactly_planted(48, 48, sigma)
        for k in (1, 2, 5, 30):
            _, _, _, info = st.linalg.top_singular(G, k, certify=True, rtol=1e-7, return_info=True)
            assert info.lower <= exact[:k].sum() <= info.upper
            assert info.certified


@DTYPES
def test_a_start_without_the_top_is_not_trusted(dtype: type) -> None:
    """Random directions join the start, so one that lies in a lower invariant subspace does no harm."""
    A = np.diag(np.r_[np.linspace(2, 1.5, 20), np.linspace(1, 0.5, 40)]).astype(dtype)
    V0 = np.eye(60)[:, 20:26]
    for certify in (False, True):
        check(A, 4, V0=V0, certify=certify, rtol=1e-5)


def test_warm_start_saves_products() -> None:
    """The vectors of a nearby matrix are a better start than none."""
    A = matrices.make("gaussian", 150, 200, np.float64)
    B = A + 1e-5 * matrices.make("gaussian", 150, 200, np.float64, seed=1)
    _, _, Vt = st.linalg.top_singular(A, 6)
    cold = check(B, 6, rtol=1e-5)
    warm = check(B, 6, V0=Vt.T, rtol=1e-5)
    assert warm.iterations < cold.iterations


def test_randomness() -> None:
    """Equal seeds and equal generators give equal bits; other seeds give the same triples to the tolerance."""
    A = matrices.make("gaussian", 80, 60, np.float64)
    first, again, other = (st.linalg.top_singular(A, 3, rng=rng)[1] for rng in (7, 7, 8))
    assert (first == again).all()
    assert (first != other).any() and np.allclose(first, other, rtol=1e-9, atol=0)
    one, two = (st.linalg.top_singular(A, 3, rng=np.random.default_rng(3))[1] for _ in range(2))
    assert (one == two).all()
    assert np.allclose(st.linalg.top_singular(A, 3, rng=None)[1], first, rtol=1e-9, atol=0)


@pytest.mark.parametrize(("dtype", "exponents"), [(np.float32, (-80, 115)), (np.float64, (-1000, 1010))])
def test_scale(dtype: type, exponents: tuple[int, ...]) -> None:
    """Powers of two change the values, nothing else."""
    A = matrices.make("gaussian", 60, 50, dtype)
    U, sigma, Vt = st.linalg.top_singular(A, 3)
    for e in exponents:
        scaled = st.linalg.top_singular(np.ldexp(A, e), 3)
        # The matrix is divided by a power of two first, so these are the same bits.
        assert (scaled[0] == U).all() and (scaled[1] == np.ldexp(sigma, e)).all() and (scaled[2] == Vt).all()


@DTYPES
def test_zero(dtype: type) -> None:
    """Any orthonormal vectors are right for a zero matrix."""
    U, sigma, Vt, info = st.linalg.top_singular(np.zeros((4, 6), dtype), 3, return_info=True)
    assert np.array_equal(U.T @ U, np.eye(3)) and np.array_equal(Vt @ Vt.T, np.eye(3)) and not sigma.any()
    assert info.certified and info.residual == info.upper == 0


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        ({"A": np.eye(3), "k": 0}, ValueError, "k must be at least 1"),
        ({"A": np.eye(3), "k": 4}, ValueError, r"k must be in \[1, 3\]"),
        ({"A": np.zeros((0, 3)), "k": 1}, ValueError, "A must have singular values"),
        ({"A": np.eye(3), "k": 1.5}, TypeError, "whole number"),
        ({"A": np.array([[np.inf, 1], [1, 1]]), "k": 1}, ValueError, "not finite"),
        ({"A": np.eye(3), "k": 1, "V0": np.ones((2, 1))}, ValueError, r"V0 must have shape \(3, any\)"),
        ({"A": np.eye(3), "k": 1, "rtol": -1.0}, ValueError, "rtol must be positive"),
    ],
)
def test_errors(arguments: dict[str, Any], error: type[Exception], text: str) -> None:
    """What cannot be used is named."""
    with pytest.raises(error, match=text):
        st.linalg.top_singular(**arguments)
