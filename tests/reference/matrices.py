"""Test matrices with known structure. Every generator takes the shape, the type and a random generator."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

Generator = Callable[[int, int, type, np.random.Generator], np.ndarray]


def orthonormal(rows: int, cols: int, rng: np.random.Generator) -> np.ndarray:
    """Haar-distributed matrix with orthonormal columns (rows >= cols): QR with the signs of R's diagonal removed."""
    Q, R = np.linalg.qr(rng.standard_normal((rows, cols)))
    return Q * np.where(np.diag(R) < 0, -1.0, 1.0)


def planted_factors(
    m: int, n: int, sigma: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Random factors of a matrix with the given singular values."""
    return (
        orthonormal(m, sigma.size, rng),
        np.asarray(sigma, dtype=np.float64),
        orthonormal(n, sigma.size, rng).T,
    )


def planted(m: int, n: int, sigma: np.ndarray, dtype: type, rng: np.random.Generator) -> np.ndarray:
    """Return U diag(sigma) V' with Haar U and V, rounded to ``dtype``."""
    U, s, Vt = planted_factors(m, n, sigma, rng)
    return ((U * s) @ Vt).astype(dtype)


def geometric_spectrum(k: int, condition: float) -> np.ndarray:
    """k values from 1 down to 1/condition in constant ratio."""
    return np.geomspace(1.0, 1.0 / condition, k) if k > 1 else np.ones(1)


def gaussian(m: int, n: int, dtype: type, rng: np.random.Generator) -> np.ndarray:
    """Independent standard normal entries."""
    return rng.standard_normal((m, n)).astype(dtype)


def moderate(m: int, n: int, dtype: type, rng: np.random.Generator) -> np.ndarray:
    """Geometric spectrum, condition number 100."""
    return planted(m, n, geometric_spectrum(min(m, n), 1e2), dtype, rng)


def ill_conditioned(m: int, n: int, dtype: type, rng: np.random.Generator) -> np.ndarray:
    """Geometric spectrum, condition number 0.001 / eps: above the cutoff, close to the limit of the type."""
    return planted(m, n, geometric_spectrum(min(m, n), 1e-3 / float(np.finfo(dtype).eps)), dtype, rng)


def hopeless(m: int, n: int, dtype: type, rng: np.random.Generator) -> np.ndarray:
    """Geometric spectrum, condition number 1 / eps: the smallest singular values lie below the cutoff."""
    return planted(m, n, geometric_spectrum(min(m, n), 1 / float(np.finfo(dtype).eps)), dtype, rng)


def integer_deficient(m: int, n: int, dtype: type, rng: np.random.Generator) -> np.ndarray:
    """Product of two integer factors: exactly of rank at most half of min(m, n), without rounding."""
    rank = max(1, min(m, n) // 2)
    A = rng.integers(-4, 5, size=(m, rank)) @ rng.integers(-4, 5, size=(rank, n))
    A[0, 0] += not A.any()
    return A.astype(dtype)


def planted_deficient(m: int, n: int, dtype: type, rng: np.random.Generator) -> np.ndarray:
    """Half of the singular values are zero up to the rounding of the entries."""
    return planted(m, n, geometric_spectrum(max(1, min(m, n) // 2), 10.0), dtype, rng)


def repeated(m: int, n: int, dtype: type, rng: np.random.Generator) -> np.ndarray:
    """Singular values 1 and 1/2, each with multiplicity about half of min(m, n)."""
    k = min(m, n)
    return planted(m, n, np.where(np.arange(k) < (k + 1) // 2, 1.0, 0.5), dtype, rng)


def orthogonal(m: int, n: int, dtype: type, rng: np.random.Generator) -> np.ndarray:
    """All singular values one, up to the rounding of the entries."""
    return planted(m, n, np.ones(min(m, n)), dtype, rng)


def diagonal(m: int, n: int, dtype: type, rng: np.random.Generator) -> np.ndarray:
    """Rectangular diagonal matrix with distinct entries of both signs."""
    k = min(m, n)
    A = np.zeros((m, n))
    A[np.arange(k), np.arange(k)] = rng.permutation(np.arange(1, k + 1)) * rng.choice([-1.0, 1.0], k)
    return A.astype(dtype)


def exact_ties(m: int, n: int, dtype: type, rng: np.random.Generator) -> np.ndarray:
    """Signed permutation of a diagonal with entries 2 (twice at least where it fits) and 1: exact multiplicities."""
    k = min(m, n)
    A = np.zeros((m, n))
    rows, cols = rng.permutation(m)[:k], rng.permutation(n)[:k]
    A[rows, cols] = np.where(np.arange(k) < max(2, k // 3), 2.0, 1.0) * rng.choice([-1.0, 1.0], k)
    return A.astype(dtype)


def rank_one(m: int, n: int, dtype: type, rng: np.random.Generator) -> np.ndarray:
    """Outer product of two integer vectors without zeros: rank one without rounding."""
    u = rng.integers(1, 8, m) * rng.choice([-1, 1], m)
    v = rng.integers(1, 8, n) * rng.choice([-1, 1], n)
    return np.outer(u, v).astype(dtype)


def single_entry(m: int, n: int, dtype: type, rng: np.random.Generator) -> np.ndarray:
    """One non-zero entry."""
    A = np.zeros((m, n), dtype=dtype)
    A[rng.integers(m), rng.integers(n)] = -3
    return A


KINDS: dict[str, Generator] = {
    function.__name__: function
    for function in (
        gaussian,
        moderate,
        ill_conditioned,
        hopeless,
        integer_deficient,
        planted_deficient,
        repeated,
        orthogonal,
        diagonal,
        exact_ties,
        rank_one,
        single_entry,
    )
}


def make(kind: str, m: int, n: int, dtype: type, seed: int = 0) -> np.ndarray:
    """Matrix of the named kind; the seed is mixed with the kind and the shape."""
    key = [seed, m, n, np.dtype(dtype).itemsize, *kind.encode()]
    return KINDS[kind](m, n, dtype, np.random.default_rng(key))


def hadamard(order: int) -> np.ndarray:
    """Matrix of signs with orthogonal rows, for orders 2^k and 12 * 2^k (Sylvester's and Paley's constructions)."""
    H = np.ones((1, 1))
    if order % 3 == 0:
        squares = {x * x % 11 for x in range(1, 11)}
        jacobsthal = np.array(
            [[0 if i == j else (1 if (i - j) % 11 in squares else -1) for j in range(11)] for i in range(11)]
        )
        skew = np.zeros((12, 12))
        skew[0, 1:], skew[1:, 0], skew[1:, 1:] = 1, -1, jacobsthal
        H = np.eye(12) + skew
    while H.shape[0] < order:
        H = np.kron(np.array([[1.0, 1.0], [1.0, -1.0]]), H)
    if H.shape[0] != order:
        raise ValueError(f"no construction for order {order}")
    return H


def exactly_planted(
    m: int, n: int, sigma: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Matrix whose SVD is known without rounding: columns of Hadamard matrices and short dyadic ``sigma``.

    Returns G, U, the singular values and V', where the singular values are ``sigma * sqrt(m n)``. Every entry of G is
    a sum of dyadic numbers that float64 holds exactly.
    """
    k = sigma.size
    left, right = hadamard(m)[:, :k], hadamard(n)[:, :k]
    return (left * sigma) @ right.T, left / np.sqrt(m), sigma * np.sqrt(m * n), right.T / np.sqrt(n)
