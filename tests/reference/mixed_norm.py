"""Mixed norm of many blocks and its two oracles (Lemma 2), literally.

A geometry is a pair ``(family, p)`` with the family "schatten" or "lp". Blocks, geometries and weights are dicts with
the same keys; ``r`` is the outer exponent and ``s`` its conjugate.
"""

from __future__ import annotations

import numpy as np

from .oracles import ball_oracle, conjugate, lp_ball_oracle, lp_norm, schatten_norm

Blocks = dict[str, np.ndarray]
Geometry = tuple[str, float]


def as_matrix(X: np.ndarray) -> np.ndarray:
    """A vector is n x 1 and a scalar 1 x 1."""
    X = np.asarray(X)
    return X if X.ndim == 2 else X.reshape(-1, 1)


def block_norm(X: np.ndarray, geometry: Geometry, dual: bool = False) -> float:
    """Norm of one block, or its dual norm."""
    family, p = geometry
    exponent = conjugate(p) if dual else p
    return schatten_norm(as_matrix(X), exponent) if family == "schatten" else float(lp_norm(X, exponent))


def block_ball(G: np.ndarray, geometry: Geometry) -> np.ndarray:
    """Ball oracle of one block, in the shape of the block."""
    family, p = geometry
    direction = ball_oracle(as_matrix(G), p) if family == "schatten" else lp_ball_oracle(as_matrix(G), p)
    return direction.reshape(np.shape(G))


def norm(X: Blocks, geometries: dict[str, Geometry], weights: dict[str, float], r: float) -> float:
    """|| ( w_i ||X_i|| )_i ||_r."""
    return float(lp_norm(np.array([weights[i] * block_norm(X[i], geometries[i]) for i in X]), r))


def scaled_duals(G: Blocks, geometries: dict[str, Geometry], weights: dict[str, float]) -> np.ndarray:
    """a_i = ||G_i||_* / w_i."""
    return np.array([block_norm(G[i], geometries[i], dual=True) / weights[i] for i in G])


def dual_norm(G: Blocks, geometries: dict[str, Geometry], weights: dict[str, float], r: float) -> float:
    """|| ( ||G_i||_* / w_i )_i ||_s."""
    return float(lp_norm(scaled_duals(G, geometries, weights), conjugate(r)))


def shares(a: np.ndarray, r: float) -> np.ndarray:
    """The factors tau_i: the ball oracle of the l_r norm at the vector a >= 0, without its sign."""
    if not a.any():
        return np.zeros_like(a)
    if np.isinf(r):
        return (a > 0).astype(float)
    if r == 1:
        largest = a >= a.max() * (1 - 8 * a.size * np.finfo(float).eps)
        return largest / np.count_nonzero(largest)
    s = conjugate(r)
    ratio = a / lp_norm(a, s)
    tau = np.zeros_like(a)
    tau[a > 0] = ratio[a > 0] ** (s - 1)
    return tau


def ball(G: Blocks, geometries: dict[str, Geometry], weights: dict[str, float], r: float) -> Blocks:
    """Block i is (tau_i / w_i) times its own ball oracle."""
    tau = shares(scaled_duals(G, geometries, weights), r)
    return {i: t / weights[i] * block_ball(G[i], geometries[i]) for i, t in zip(G, tau, strict=True)}


def regularized(G: Blocks, geometries: dict[str, Geometry], weights: dict[str, float], r: float) -> Blocks:
    """The mixed dual norm times the mixed ball oracle."""
    dual = dual_norm(G, geometries, weights, r)
    return {i: dual * D for i, D in ball(G, geometries, weights, r).items()}
