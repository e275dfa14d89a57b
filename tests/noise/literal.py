"""Slow, literal forms of the estimators."""

from __future__ import annotations

import numpy as np


def second_moment(D: np.ndarray) -> np.ndarray:
    """D D' of a wide matrix, D'D of a tall one."""
    D = np.asarray(D, dtype=np.float64)
    return D @ D.T if D.shape[0] <= D.shape[1] else D.T @ D


def covariance(G: np.ndarray, b: int) -> np.ndarray:
    """The unbiased estimate from micro-batches of b samples."""
    mean = np.asarray(G, dtype=np.float64).mean(axis=0)
    return b / (len(G) - 1) * sum(second_moment(g - mean) for g in np.asarray(G, dtype=np.float64))


def covariance_of_pairs(G: np.ndarray, H: np.ndarray, b: int) -> np.ndarray:
    """The unbiased estimate from pairs of batches of b samples."""
    pairs = zip(np.asarray(G, dtype=np.float64), np.asarray(H, dtype=np.float64), strict=True)
    return b / (2 * len(G)) * sum(second_moment(g - h) for g, h in pairs)


def sigma(C: np.ndarray, q: float) -> float:
    """The Schatten-q norm of the root of a covariance."""
    roots = np.sqrt(np.maximum(np.linalg.eigvalsh(C), 0))
    return float(roots.max() if np.isinf(q) else (roots**q).sum() ** (1 / q))


def jackknife(values_without_one: list[float], value: float) -> tuple[float, float]:
    """The bias-corrected value and its standard error."""
    k, mean = len(values_without_one), np.mean(values_without_one)
    error = np.sqrt((k - 1) / k * sum((x - mean) ** 2 for x in values_without_one))
    return float(k * value - (k - 1) * mean), float(error)
