"""The spectral norm: its two bounds enclose the exact value whatever the start, the spectrum and the scale."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from reference import matrices

import schattor as st

DTYPES = pytest.mark.parametrize("dtype", [np.float32, np.float64])
RTOL = {np.float32: 1e-7, np.float64: 1e-13}
ORDER = 48  # a Hadamard matrix of this order exists, so singular values sigma * 48 are known without rounding


def exact(sigma: Any, dtype: type = np.float64) -> tuple[np.ndarray, np.ndarray, float]:
    """Matrix with short dyadic singular values times 48 (largest first), its right vectors, and the exact norm."""
    values = np.asarray(sigma, dtype=np.float64)
    G, _, s, Vt = matrices.exactly_planted(ORDER, ORDER, values)
    assert (G.astype(dtype) == G).all()
    return G.astype(dtype), Vt, float(s[0])


SPECTRA = {
    "separated": np.arange(40, 0, -1) / 64,
    "two equal": np.r_[40, 40, np.arange(39, 0, -1)] / 64,
    "five equal": np.r_[np.full(5, 40), np.arange(39, 10, -1)] / 64,
    "all equal": np.ones(ORDER),
    "half and half": np.repeat([1.0, 0.5], ORDER // 2),
    "close": np.r_[1.0, 1 - 2.0**-10, 1 - 2.0**-9, np.arange(40, 0, -1) / 64],
    "decaying": 2.0 ** -np.arange(12.0),
    "rank one": np.ones(1),
    "rank three": np.array([3.0, 2.0, 1.0]),
}


def assert_encloses(info: st.linalg.SpectralNormInfo, norm: float) -> None:
    """The bounds are claimed in floating point, so they get no tolerance."""
    assert info.lower <= norm <= info.upper


@DTYPES
@pytest.mark.parametrize("name", SPECTRA)
def test_bounds_enclose_the_exact_norm(name: str, dtype: type) -> None:
    """Neither bound is ever on the wrong side, and where the result says certified they are as close as asked."""
    A, _, norm = exact(SPECTRA[name], dtype)
    value, info = st.linalg.spectral_norm(A, return_info=True)
    assert_encloses(info, norm)
    assert value == info.value
    assert abs(value / norm - 1) <= RTOL[dtype]
    assert info.certified == (info.upper - info.lower <= RTOL[dtype] * value)
    assert info.certified or info.method == "svd"


@DTYPES
@pytest.mark.parametrize(
    "name", ["separated", "close", "decaying", "rank one", "rank three", "two equal", "five equal"]
)
def test_ordinary_spectra_are_certified(name: str, dtype: type) -> None:
    """The proof succeeds where at most a few values are clustered: the dense values are a last resort."""
    A, _, _ = exact(SPECTRA[name], dtype)
    _, info = st.linalg.spectral_norm(A, return_info=True)
    assert info.certified
    assert info.method in ("trace", "cholesky")


@pytest.mark.parametrize("name", SPECTRA)
def test_single_precision_is_certified_for_any_cluster(name: str) -> None:
    """The rounding errors of the double Gram matrix stay far below what float32 asks for."""
    A, _, _ = exact(SPECTRA[name], np.float32)
    assert st.linalg.spectral_norm(A, return_info=True)[1].certified


@DTYPES
@pytest.mark.parametrize("name", SPECTRA)
@pytest.mark.parametrize("certify", [True, False])
def test_a_start_orthogonal_to_the_top_deceives_nobody(name: str, dtype: type, certify: bool) -> None:
    """An exact singular vector of the smallest value is an invariant subspace: residual zero, wrong value.

    With a proof the failure is noticed; without one the start is not trusted alone.
    """
    A, Vt, norm = exact(SPECTRA[name], dtype)
    value, info = st.linalg.spectral_norm(A, v0=Vt[-1], certify=certify, return_info=True)
    assert_encloses(info, norm)
    assert abs(value / norm - 1) <= RTOL[dtype]


def test_a_missed_direction_fails_the_proof_and_is_found() -> None:
    """Two invariant subspaces, started in the lower one: a proof fails, and the search goes on where it failed."""
    A = np.diag(np.r_[np.linspace(2, 1.5, 20), np.linspace(1, 0.5, 30)])
    v0 = np.r_[np.zeros(20), np.ones(30)]
    value, info = st.linalg.spectral_norm(A, v0=v0, return_info=True)
    assert info.fallbacks >= 1
    assert info.certified and info.method == "cholesky"
    assert info.lower <= 2 <= info.upper and abs(value - 2) <= 2e-13


@DTYPES
@pytest.mark.parametrize(
    "shape", [(1, 1), (1, 7), (7, 1), (2, 2), (3, 40), (40, 3), (60, 60), (150, 90), (140, 200)]
)
def test_shapes(shape: tuple[int, int], dtype: type) -> None:
    """Any shape; LAPACK's value in double lies within its rounding of the bounds."""
    A = matrices.make("gaussian", *shape, dtype)
    value, info = st.linalg.spectral_norm(A, return_info=True)
    norm = float(np.linalg.norm(A.astype(np.float64), 2))
    rounding = 4 * max(shape) * np.finfo(np.float64).eps * norm
    assert info.lower - rounding <= norm <= info.upper + rounding
    assert info.certified
    assert abs(value - norm) <= RTOL[dtype] * norm
    assert info.vector.dtype == dtype and info.vector.shape == (shape[1],)
    # sigma_1 - ||A v|| is quadratic in the error of v, which is a rounding of the dtype and sqrt(rtol) in all.
    image = float(np.linalg.norm(A.astype(np.float64) @ info.vector.astype(np.float64)))
    assert image >= norm * (1 - 10 * max(RTOL[dtype], float(np.finfo(dtype).eps)))


@pytest.mark.parametrize(
    ("dtype", "exponents"), [(np.float32, (-120, -70, 70, 120)), (np.float64, (-1000, -300, 300, 1010))]
)
@pytest.mark.parametrize("name", ["separated", "rank one", "decaying", "all equal"])
def test_scale(dtype: type, exponents: tuple[int, ...], name: str) -> None:
    """Powers of two scale everything exactly, over the whole range of the dtype."""
    A, _, norm = exact(SPECTRA[name], dtype)
    for e in exponents:
        value, info = st.linalg.spectral_norm(np.ldexp(A, e), return_info=True)
        assert info.lower <= np.ldexp(norm, e) <= info.upper
        assert abs(value / np.ldexp(norm, e) - 1) <= RTOL[dtype]


@DTYPES
def test_zero_and_empty(dtype: type) -> None:
    """The norm of nothing is zero, with certainty."""
    for shape in [(5, 3), (0, 3), (3, 0)]:
        value, info = st.linalg.spectral_norm(np.zeros(shape, dtype), return_info=True)
        assert value == info.lower == info.upper == 0
        assert info.certified and not info.vector.any()


@pytest.mark.parametrize("rtol", [1e-2, 1e-5, 1e-9])
@DTYPES
def test_rtol_is_met(rtol: float, dtype: type) -> None:
    """The requested width of the bounds is reached, and a wide request costs fewer products."""
    A = matrices.make("gaussian", 120, 150, dtype)
    _, strict = st.linalg.spectral_norm(A, rtol=1e-12, return_info=True)
    value, info = st.linalg.spectral_norm(A, rtol=rtol, return_info=True)
    assert info.certified and info.upper - info.lower <= rtol * value
    assert info.lower <= strict.upper and strict.lower <= info.upper
    assert info.iterations <= strict.iterations


def test_warm_start_saves_products() -> None:
    """The vector of a nearby matrix is a better start than none."""
    A = matrices.make("gaussian", 200, 200, np.float64)
    B = A + 1e-3 * matrices.make("gaussian", 200, 200, np.float64, seed=1)
    _, info = st.linalg.spectral_norm(A, return_info=True)
    cold = st.linalg.spectral_norm(B, rtol=1e-6, certify=False, return_info=True)[1]
    warm = st.linalg.spectral_norm(B, rtol=1e-6, certify=False, v0=info.vector, return_info=True)[1]
    assert warm.iterations < cold.iterations
    assert abs(warm.value / cold.value - 1) <= 1e-6


def test_without_a_proof_the_bounds_still_hold() -> None:
    """certify=False skips the work for a close upper bound, not its truth."""
    A, _, norm = exact(SPECTRA["separated"])
    _, info = st.linalg.spectral_norm(A, certify=False, return_info=True)
    assert_encloses(info, norm)
    assert not info.certified and info.upper <= 1.001 * np.linalg.norm(A)


def test_repeatable() -> None:
    """Nothing random decides: two calls give the same bits."""
    A = matrices.make("gaussian", 70, 90, np.float32)
    first, second = (st.linalg.spectral_norm(A, return_info=True)[1] for _ in range(2))
    assert (first.value, first.lower, first.upper) == (second.value, second.lower, second.upper)
    assert (first.vector == second.vector).all()


@DTYPES
@pytest.mark.parametrize("shape", [(128, 128), (130, 300), (300, 130)])
def test_schatten_norm_agrees(shape: tuple[int, int], dtype: type) -> None:
    """p = inf takes this route for large matrices, with the same number to the accuracy of the proof."""
    A = matrices.make("gaussian", *shape, dtype)
    expected = float(np.linalg.norm(A.astype(np.float64), 2))
    assert abs(st.schatten_norm(A, np.inf) / expected - 1) <= RTOL[dtype]


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"A": np.array([[np.nan, 1], [1, 1]])}, "not finite"),
        ({"A": np.ones((2, 2, 2))}, "at most 2 dimensions"),
        ({"A": np.eye(3), "v0": np.ones(2)}, r"v0 must have shape \(3\)"),
        ({"A": np.eye(3), "v0": [1, np.inf, 0]}, "v0 must be finite"),
        ({"A": np.eye(3), "rtol": 0.0}, "rtol must be positive"),
    ],
)
def test_errors(arguments: dict[str, Any], text: str) -> None:
    """What cannot be used is named."""
    with pytest.raises(ValueError, match=text):
        st.linalg.spectral_norm(**arguments)
