"""Weighted partial sums beside their bounds: equality, the dimension, and failure beyond q = 2."""

from __future__ import annotations

import numpy as np
import pytest

import schattor as st


def test_equality() -> None:
    """Signs times one matrix attain the bound for every exponent from 2 on: within four standard errors, or exactly
    at t = 1, where every draw has the same norm.
    """
    A = np.random.default_rng(0).standard_normal((3, 4))
    c = 0.3 * 0.7 ** np.arange(6.0)[::-1]
    for p in (2.0, 3.0, np.inf):
        sums = st.noise.partial_sums(np.stack([A, -A]), c, p, repetitions=2000, rng=1)
        assert sums.proven
        assert sums.ratio[0] == pytest.approx(1, rel=1e-9)
        assert (np.abs(sums.measured - sums.bound) <= 4 * sums.standard_error + 1e-9 * sums.bound).all()


def test_the_bounds_are_their_formulas() -> None:
    """sigma^2 sum c^2, and through the Frobenius norm with a power of the dimension for each norm on the way."""
    V, c = np.array([2.0, 1.0, 0.5]), np.array([1.0, -2.0, 0.5])
    noise = st.problems.GaussianNoise(V, (3, 5))
    for p, q in ((2.0, 2.0), (4.0, 4 / 3), (np.inf, 1.0), (4 / 3, 4.0), (1.0, np.inf)):
        sums = st.noise.partial_sums(noise, c, p, repetitions=2)
        np.testing.assert_allclose(sums.bound, np.linalg.norm(V, q) ** 2 * np.cumsum(c**2), rtol=1e-12)
        factor = 3 ** (2 / q - 1) if q < 2 else 1
        np.testing.assert_allclose(sums.frobenius_bound, factor * (V @ V) * np.cumsum(c**2), rtol=1e-12)
        assert sums.proven == (p >= 2)
    blocks = {"a": noise, "b": st.problems.GaussianNoise(np.array([3.0]), (4, 1))}
    norm = st.MixedNorm({"a": st.Spectral(), "b": st.Schatten(4)}, weights={"a": 2.0, "b": 0.5}, outer=4)
    sums = st.noise.partial_sums(blocks, c, norm, repetitions=2)
    expected = st.theory.martingale_bound({k: x.covariance for k, x in blocks.items()}, c, norm)
    assert sums.bound[-1] == pytest.approx(expected, rel=1e-12)
    through = 2**0.5 * (3 * (V @ V) / 4 + 1 * 9 / 0.25) * (c @ c)
    assert sums.frobenius_bound[-1] == pytest.approx(through, rel=1e-12)


def test_measured_sums_keep_to_the_bound_whatever_the_dimension() -> None:
    """With sigma_1 = 1 fixed and V of rank one within d dimensions, the measured moment stays and the bound with the
    dimension in it grows as d.
    """
    found = {}
    for d in (4, 16, 64):
        noise = st.problems.GaussianNoise(np.eye(d)[0], (d, d))
        found[d] = st.noise.partial_sums(noise, np.full(5, 0.2), np.inf, repetitions=100, rng=2)
        assert (found[d].measured <= found[d].bound + 4 * found[d].standard_error).all()
    assert found[64].measured[-1] == pytest.approx(found[4].measured[-1], rel=0.3)
    assert found[64].frobenius_bound[-1] / found[4].frobenius_bound[-1] == pytest.approx(16)


@pytest.mark.parametrize(("p", "excess"), [(1.0, 16.0), (4 / 3, 4.0), (1.5, 16 ** (1 / 3))])
def test_the_formula_fails_for_q_above_two(p: float, excess: float) -> None:
    """N = +-sqrt(k) e_i e_1' with random i: E||N||_q^2 = k is k^(1 - 2/q) times the formula, and it says so."""
    k = 16
    draws = np.zeros((2 * k, k, k))
    draws[np.arange(k), np.arange(k), 0] = np.sqrt(k)
    draws[k:] = -draws[:k]
    sums = st.noise.partial_sums(draws, [1.0, 1.0], p, repetitions=500, rng=3)
    assert not sums.proven
    assert sums.ratio[0] == pytest.approx(excess)
    assert (sums.measured <= sums.frobenius_bound * (1 + 1e-9) + 4 * sums.standard_error).all()
    assert st.noise.partial_sums(draws, [1.0, 1.0], np.inf, repetitions=500, rng=3).ratio.max() <= 1


def test_samples_of_blocks_are_drawn_together() -> None:
    """Two blocks with opposite samples: only joint draws keep the sum of both at zero in every repetition, and the
    outer norm of equal blocks at r = 2 is root two times one block's.
    """
    G = np.random.default_rng(4).standard_normal((10, 2, 3))
    norm = st.MixedNorm.uniform(["a", "b"], np.inf, outer=2)
    both = st.noise.partial_sums({"a": G, "b": -G}, np.ones(3), norm, repetitions=20, rng=5)
    one = st.noise.partial_sums(G, np.ones(3), np.inf, repetitions=20, rng=5)
    np.testing.assert_allclose(both.measured, 2 * one.measured, rtol=1e-12)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"coefficients": []}, ValueError, "coefficients must be finite numbers, at least one"),
        ({"coefficients": [np.nan]}, ValueError, "coefficients must be finite"),
        ({"repetitions": 1}, ValueError, "repetitions must be at least 2"),
        ({"norm": 0.5}, ValueError, r"norm must be in \[1, inf\]"),
        ({"noise": np.ones((1, 2, 2))}, ValueError, "noise of block 'noise' must hold at least 2"),
        ({"noise": {"a": np.ones((3, 2, 2))}}, TypeError, "a mixed norm goes with a mapping of noise"),
        (
            {"norm": st.MixedNorm({"a": st.Sign()}, outer=2), "noise": {"a": np.ones((3, 2, 2))}},
            ValueError,
            "norm of block 'a' must be Schatten",
        ),
        (
            {
                "norm": st.MixedNorm.uniform(["a", "b"], 2, outer=2),
                "noise": {"a": np.ones((3, 2, 2)), "b": np.ones((4, 2, 2))},
            },
            ValueError,
            r"samples of all blocks must be of one number, got \[3, 4\]",
        ),
    ],
)
def test_errors(arguments: dict, error: type, message: str) -> None:
    """Each names the argument."""
    given = {"noise": np.random.default_rng(0).standard_normal((4, 2, 2)), "coefficients": [1.0], "norm": 2}
    with pytest.raises(error, match=message):
        st.noise.partial_sums(**(given | arguments))
