"""Ranks and entropies of known spectra, and the criterion that is made of them."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some

import schattor as st
from schattor.diagnostics import Spectrum, spectral_criterion, spectrum

RANKS = ("stable_rank", "intrinsic_dimension", "nuclear_rank", "participation_ratio", "effective_rank")
NONZERO = some.lists(some.floats(1e-3, 1e3), min_size=1, max_size=12)


def planted(sigma: list[float], rows: int, columns: int, seed: int = 0) -> np.ndarray:
    """A matrix with these singular values."""
    rng = np.random.default_rng(seed)
    U, V = (np.linalg.qr(rng.standard_normal((n, len(sigma))))[0] for n in (rows, columns))
    return (U * sigma) @ V.T


def test_definitions() -> None:
    """Each rank by its definition in matrix norms and traces, computed without singular values where possible."""
    A = planted([4.0, 2.0, 1.0, 0.5], 5, 7)
    got, gram = spectrum(A), A @ A.T
    frobenius, spectral = np.linalg.norm(A), np.linalg.norm(A, 2)
    nuclear = np.linalg.norm(A, "nuc")
    assert got.stable_rank == pytest.approx(frobenius**2 / spectral**2, rel=1e-12)
    assert got.intrinsic_dimension == pytest.approx(nuclear / spectral, rel=1e-12)
    assert got.nuclear_rank == pytest.approx(nuclear**2 / frobenius**2, rel=1e-12)
    assert got.participation_ratio == pytest.approx(np.trace(gram) ** 2 / np.trace(gram @ gram), rel=1e-12)
    assert got.condition_number == pytest.approx(8, rel=1e-12)
    assert got.rank == 4
    assert got.norm(3) == pytest.approx((64 + 8 + 1 + 0.125) ** (1 / 3), rel=1e-12)


def test_entropy_of_a_known_distribution() -> None:
    """Shares 1/2, 1/4, 1/8, 1/8 carry 7/4 bits; squares of (1, 1, 0, 0) half of the most that four can carry."""
    values = Spectrum(np.array([4.0, 2.0, 1.0, 1.0]))
    assert values.entropy() == pytest.approx(1.75 * math.log(2), rel=1e-14)
    assert values.effective_rank == pytest.approx(2**1.75, rel=1e-14)
    roots = Spectrum(np.sqrt([4.0, 2.0, 1.0, 1.0]))
    assert roots.entropy(power=2) == pytest.approx(1.75 * math.log(2), rel=1e-14)
    assert Spectrum(np.array([1.0, 1.0, 0.0, 0.0])).entropy(2, normalize=True) == pytest.approx(0.5)
    assert spectrum([[3.0]]).entropy(normalize=True) == 0


@pytest.mark.parametrize("kind", RANKS)
@pytest.mark.parametrize(("rows", "columns", "k"), ((6, 6, 6), (4, 9, 3), (8, 3, 1)))
def test_equal_values_have_full_rank(kind: str, rows: int, columns: int, k: int) -> None:
    """With k equal singular values every rank is k: the case that all definitions agree on."""
    assert getattr(spectrum(planted([2.5] * k, rows, columns)), kind) == pytest.approx(k, rel=1e-12)


@given(NONZERO, some.floats(1e-3, 1e3))
def test_order_and_scaling(sigma: list[float], factor: float) -> None:
    """Between 1 and k, in the order that Hoelder's and Jensen's inequalities give, and blind to scale."""
    values = np.sort(sigma)[::-1]
    got, scaled = Spectrum(values), Spectrum(factor * values)
    for kind in RANKS:
        assert 1 - 1e-12 <= getattr(got, kind) <= len(sigma) * (1 + 1e-12)
        assert getattr(scaled, kind) == pytest.approx(getattr(got, kind), rel=1e-9)
    rounding = 1 + 1e-12
    assert got.stable_rank <= got.intrinsic_dimension * rounding
    assert got.intrinsic_dimension <= got.nuclear_rank * rounding  # sum s^2 <= s_1 sum s
    assert (
        got.nuclear_rank <= got.effective_rank * rounding
    )  # the Renyi entropy of order 2 is below Shannon's
    assert got.stable_rank <= got.participation_ratio * rounding


def test_the_oracle_flattens_by_its_power() -> None:
    """The condition number of the S_p ball direction is that of the gradient to the power 1/(p - 1)."""
    G = planted([8.0, 4.0, 1.0], 5, 4)
    for p in (1.5, 2, 3, 8, math.inf):
        got = spectrum(st.ball_oracle(G, p)).condition_number
        assert got == pytest.approx(8 ** (1 / (p - 1)), rel=1e-10)


@pytest.mark.parametrize("dtype", (np.float32, np.float64))
def test_rounding_is_no_rank(dtype: type) -> None:
    """Values that are rounding of the matrix's own dtype count as zero."""
    A = planted([3.0, 1.0], 30, 20).astype(dtype)
    assert spectrum(A).rank == 2
    assert spectrum(A).values.dtype == np.float64


def test_zero_and_extreme_magnitudes() -> None:
    """A zero matrix has no ranks, but is no error: blocks start at zero. Powers must not overflow."""
    zero = spectrum(np.zeros((3, 2)))
    assert zero.rank == 0
    assert all(math.isnan(getattr(zero, kind)) for kind in (*RANKS, "condition_number"))
    for scale in (1e-300, 1e300):
        assert spectrum(np.diag([scale, scale])).participation_ratio == pytest.approx(2)


def test_criterion() -> None:
    """The ratio is that of the two guaranteed decreases, computed here from norms."""
    rng = np.random.default_rng(3)
    G, A = rng.standard_normal((6, 9)), rng.standard_normal((40, 9)) + 0.5
    spectral = np.linalg.norm(G, "nuc") ** 2 / np.linalg.norm(A) ** 2
    euclidean = np.linalg.norm(G) ** 2 / np.linalg.norm(A, 2) ** 2
    assert spectral_criterion(G, A).ratio == pytest.approx(spectral / euclidean, rel=1e-12)
    assert spectral_criterion(G, A.T) == pytest.approx(spectral_criterion(G, A), rel=1e-12)


@pytest.mark.parametrize("bad", (np.zeros((0, 3)), np.ones((2, 2, 2)), [[np.nan, 1.0]]))
def test_bad_matrices(bad: np.ndarray) -> None:
    """The error names the argument."""
    with pytest.raises(ValueError, match="A"):
        spectrum(bad)


def test_bad_power() -> None:
    """Powers are positive."""
    with pytest.raises(ValueError, match="power must be positive"):
        spectrum(np.eye(2)).entropy(0)
