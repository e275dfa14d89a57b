"""The matrices that are measured. Everything is drawn from a seed, in float64, and rounded to the dtype at the end."""

from __future__ import annotations

import math
import zlib
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]
Shape = tuple[int, int]

SEED = 20260615
SPECTRA = ("gauss", *(f"geometric 1e{k}" for k in range(1, 9)), "rank m/2 rounded", "rank m/2 exact")


def generator(*names: object) -> np.random.Generator:
    """Return a generator for what the names describe, the same in every process."""
    return np.random.default_rng([SEED, zlib.crc32(repr(names).encode())])


def gaussian(shape: Shape, dtype: str, count: int = 1) -> Array:
    """Return `count` Gaussian matrices."""
    return generator("gaussian", *shape).standard_normal((count, *shape)).astype(dtype)


def matrix(kind: str, shape: Shape, dtype: str) -> Array:
    """Return a matrix of one of the `SPECTRA`.

    A geometric spectrum falls from 1 to 1 / kappa between random orthogonal factors. The exact matrix of half rank is
    a product of small integers, free of rounding in both dtypes; the rounded one is a Gaussian product.
    """
    m, n = shape
    k = min(shape)
    rng = generator(kind, *shape)
    if kind == "gauss":
        G = rng.standard_normal(shape)
    elif kind.startswith("geometric"):
        kappa = float(kind.split()[1])
        U, V = (np.linalg.qr(rng.standard_normal((size, k)))[0] for size in (m, n))
        G = (U * kappa ** (-np.arange(k) / (k - 1))) @ V.T
    elif kind == "rank m/2 rounded":
        G = rng.standard_normal((m, k // 2)) @ rng.standard_normal((k // 2, n))
    elif kind == "rank m/2 exact":
        G = (rng.integers(-2, 3, (m, k // 2)) @ rng.integers(-2, 3, (k // 2, n))).astype(float)
    else:
        raise ValueError(f"no such kind of matrix: {kind}")
    return np.asarray(G).astype(dtype)


def conjugate(p: float) -> float:
    """Return q with 1/p + 1/q = 1."""
    return math.inf if p == 1 else 1.0 if math.isinf(p) else p / (p - 1)


def exponent_name(p: float) -> str:
    """Return p as text and as a key of JSON."""
    return "inf" if math.isinf(p) else f"{p:g}"
