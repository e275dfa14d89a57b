"""The tail index: exact for powers, right for Student's t, growing for what has none."""

from __future__ import annotations

import numpy as np
import pytest

import schattor as st


@pytest.mark.parametrize("alpha", [1.0, 2.5, 6.0])
def test_powers(alpha: float) -> None:
    """For the tail u^-alpha the estimate is unbiased and its standard error is the spread: 3000 replications."""
    rng = np.random.default_rng(0)
    found = [st.noise.tail_index(rng.pareto(alpha, 400) + 1, 40) for _ in range(3000)]
    values = np.array([t.value for t in found])
    spread = values.std()
    assert abs(values.mean() - alpha) <= 4 * spread / np.sqrt(3000)
    assert spread == pytest.approx(np.mean([t.standard_error for t in found]), rel=0.1)


def test_the_formula() -> None:
    """Three exceedances of 1: (3 - 1) over the sum of their logarithms; the order does not matter."""
    found = st.noise.tail_index([np.e**2, 0.5, np.e, 1.0, np.e**3, 0.0], 3)
    assert (found.value, found.standard_error) == pytest.approx((2 / 6, 2 / 6))
    assert (found.threshold, found.exceedances) == (1.0, 3)


def test_noise_models() -> None:
    """Student's noise has its degrees of freedom, in every norm; a Gaussian's value is far above and grows."""
    student = st.problems.StudentNoise(np.array([1.0, 0.5]), (2, 3), 3).draw(50_000, rng=1)
    for norms in (np.linalg.norm(student, axis=(1, 2)), np.linalg.norm(student, 2, axis=(1, 2))):
        found = st.noise.tail_index(norms)
        assert found.exceedances == 223
        assert abs(found.value - 3) <= 3 * found.standard_error
    gaussian = np.linalg.norm(st.problems.GaussianNoise(np.ones(2), (2, 3)).draw(50_000, rng=2), axis=(1, 2))
    few, many = st.noise.tail_index(gaussian[:1000]), st.noise.tail_index(gaussian)
    assert 6 < few.value < many.value


@pytest.mark.parametrize(
    ("norms", "exceedances", "message"),
    [
        ([1.0, np.nan], None, "norms must be finite and not negative"),
        ([1.0, -1.0], None, "norms must be finite and not negative"),
        ([1.0, 2.0, 3.0], None, "exceedances must be at least 3, got 1"),
        ([1.0, 2.0, 3.0], 3, "exceedances must be below the number of norms, 3, got 3"),
        (np.r_[np.zeros(9), 1, 2], 3, "must be positive and not all equal"),
        (np.ones(9), 3, "must be positive and not all equal"),
    ],
)
def test_errors(norms: list, exceedances: int | None, message: str) -> None:
    """Each says what was expected."""
    with pytest.raises(ValueError, match=message):
        st.noise.tail_index(norms, exceedances)
