"""Random problems for every route of the Schatten oracle: spectra, sizes, exponents and accuracies all drawn."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from reference import matrices
from reference.routes import Problem

Draw = Callable[[int, np.random.Generator], np.ndarray]
EXPONENTS = (1.0, 1.1, 1.25, 4 / 3, 1.4, 1.6, 1.8, 1.95, 2.05, 2.2, 2.5, 3.0, 5.0, 16.0, np.inf)


def power_law(k: int, rng: np.random.Generator) -> np.ndarray:
    """i^-a: what gradients of trained networks look like, up to much steeper ones."""
    return np.arange(1.0, k + 1) ** -rng.uniform(0.2, 4.0)


def gap(k: int, rng: np.random.Generator) -> np.ndarray:
    """Two groups far from each other."""
    return np.where(np.arange(k) < rng.integers(1, k + 1), 1.0, 10.0 ** -rng.uniform(1, 13)) * (
        1 + 0.1 * rng.random(k)
    )


def clusters(k: int, rng: np.random.Generator) -> np.ndarray:
    """A few levels, each with values that agree to half of the digits."""
    levels = 10.0 ** -rng.uniform(0, 7, 5)
    return rng.choice(levels, k) * (1 + 1e-8 * rng.standard_normal(k))


def steps(k: int, rng: np.random.Generator) -> np.ndarray:
    """Equal singular values in steps of a constant ratio."""
    return 10.0 ** (-rng.uniform(0.1, 2) * np.floor(8 * np.arange(k) / k))


def few_small(k: int, rng: np.random.Generator) -> np.ndarray:
    """Up to ten singular values far below the others, at any height."""
    sigma = 1 + rng.random(k)
    count = int(rng.integers(1, 11))
    if count < k:
        sigma[-count:] = 10.0 ** -rng.uniform(1, 17, count)
    return sigma


def geometric(k: int, rng: np.random.Generator) -> np.ndarray:
    """A constant ratio."""
    return matrices.geometric_spectrum(k, 10.0 ** rng.uniform(0, 17))


SPECTRA: tuple[Draw, ...] = (power_law, gap, clusters, steps, few_small, geometric)


def random_shape(largest: int, rng: np.random.Generator) -> tuple[int, int]:
    """Sides with equal chances for every magnitude."""
    m, n = np.exp(rng.uniform(np.log(2), np.log(largest), 2)).round().astype(int)
    return int(m), int(n)


@pytest.mark.verify
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("spectrum", SPECTRA, ids=lambda f: f.__name__)
@pytest.mark.parametrize("seed", range(24))
def test_random_problems(spectrum: Draw, dtype: type, seed: int) -> None:
    """All promises of `reference.routes`, for each backend; large matrices fewer times than small ones."""
    rng = np.random.default_rng([seed, np.dtype(dtype).itemsize, *spectrum.__name__.encode()])
    # A reference in extended precision has no BLAS: float64 problems stay smaller.
    largest = 512 if dtype == np.float32 else 192
    found = []
    for limit, count in ((24, 12), (96, 6), (largest, 2)):
        for _ in range(count):
            shape = random_shape(limit, rng)
            sigma = np.sort(spectrum(min(shape), rng))[::-1]
            case = Problem(matrices.planted(*shape, sigma, dtype, rng))
            for backend in ("band", "chebyshev", "gram", "svd", "auto"):
                p = float(rng.choice(EXPONENTS))
                rtol = None if rng.random() < 0.4 else float(10.0 ** -rng.uniform(1, 5))
                found += [f"{shape} {text}" for text in case.violations(p, backend, rtol)]
    assert not found, "\n".join(found)
