"""Algorithms 1 to 4 as plain loops over a given sequence of stochastic gradients."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from . import mixed_norm
from .mixed_norm import Blocks, Geometry
from .oracles import ball_oracle, regularization_oracle


def algorithm_1(
    X: np.ndarray,
    gradient: Callable[[np.ndarray, int], np.ndarray],
    p: float,
    eta: float,
    theta: float,
    steps: int,
) -> np.ndarray:
    """Ball oracle, one block: X <- X + eta D(M), M_0 the first gradient."""
    X = X.copy()
    for t in range(steps):
        G = gradient(X, t)
        M = G if t == 0 else (1 - theta) * M + theta * G  # noqa: F821 - M exists from the first pass on
        X = X + eta * ball_oracle(M, p)
    return X


def algorithm_2(
    X: np.ndarray,
    gradient: Callable[[np.ndarray, int], np.ndarray],
    p: float,
    eta: float,
    theta: float,
    steps: int,
) -> np.ndarray:
    """Regularization oracle, one block: X <- X + eta Dr(M)."""
    X = X.copy()
    for t in range(steps):
        G = gradient(X, t)
        M = G if t == 0 else (1 - theta) * M + theta * G  # noqa: F821
        X = X + eta * regularization_oracle(M, p)
    return X


def _many_blocks(
    oracle: Callable[[Blocks, dict[str, Geometry], dict[str, float], float], Blocks],
    X: Blocks,
    gradient: Callable[[Blocks, int], Blocks],
    geometries: dict[str, Geometry],
    weights: dict[str, float],
    r: float,
    eta: float,
    theta: float,
    steps: int,
) -> Blocks:
    X = {i: x.copy() for i, x in X.items()}
    M: Blocks = {}
    for t in range(steps):
        G = gradient(X, t)
        M = dict(G) if t == 0 else {i: (1 - theta) * M[i] + theta * G[i] for i in G}
        D = oracle(M, geometries, weights, r)
        X = {i: X[i] + eta * D[i] for i in X}
    return X


def algorithm_3(
    X: Blocks,
    gradient: Callable[[Blocks, int], Blocks],
    geometries: dict[str, Geometry],
    weights: dict[str, float],
    r: float,
    eta: float,
    theta: float,
    steps: int,
) -> Blocks:
    """Ball oracle of the mixed norm."""
    return _many_blocks(mixed_norm.ball, X, gradient, geometries, weights, r, eta, theta, steps)


def algorithm_4(
    X: Blocks,
    gradient: Callable[[Blocks, int], Blocks],
    geometries: dict[str, Geometry],
    weights: dict[str, float],
    r: float,
    eta: float,
    theta: float,
    steps: int,
) -> Blocks:
    """Regularization oracle of the mixed norm."""
    return _many_blocks(mixed_norm.regularized, X, gradient, geometries, weights, r, eta, theta, steps)
