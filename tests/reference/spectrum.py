"""Relatives of Muon as plain NumPy loops: other powers of the spectrum, low rank, lengths by the dual norm."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from .newton_schulz import MUON, Steps
from .recipes import Hyper, Path, at, iterate, moved

Map = Callable[[np.ndarray], np.ndarray]


def original(W: np.ndarray) -> float:
    """sqrt(max(1, rows / cols))"""
    return math.sqrt(max(1.0, W.shape[0] / W.shape[1]))


def rms(W: np.ndarray) -> float:
    """0.2 sqrt(max(rows, cols))"""
    return 0.2 * math.sqrt(max(W.shape))


def momentum_rule(
    W: np.ndarray,
    gradients: Sequence[np.ndarray],
    direction: Callable[[np.ndarray, int], np.ndarray],
    lr: Hyper,
    momentum: Hyper = 0.95,
    nesterov: bool = True,
    kind: str = "ema",
    weight_decay: Hyper = 0.0,
    decay: str = "decoupled",
    first: bool = False,
) -> Path:
    """W <- W - lr direction(estimate, step) with an EMA or a heavy ball from zero, or from the first gradient."""
    path, M = Path(), np.zeros_like(W)
    for t, G in enumerate(gradients):
        eta, b, wd = at(lr, t), at(momentum, t), at(weight_decay, t)
        if decay == "l2":
            G = G + wd * W
        new = (1 - b) * G if kind == "ema" else G
        M = G if first and t == 0 else b * M + new
        u = new + b * M if nesterov else M
        W = moved(W, -eta * direction(u, t), eta, wd, decay)
        path.weights.append(W)
        path.estimates.append(u)
    return path


def powers(X: np.ndarray, weigh: Map) -> np.ndarray:
    """U diag(weigh(sigma)) V'"""
    U, s, V = np.linalg.svd(X, full_matrices=False)
    return (U * weigh(s)) @ V


def power(X: np.ndarray, exponent: float) -> np.ndarray:
    """U diag(sigma^exponent) V'"""
    return powers(X, lambda s: s**exponent)


def ranks(X: np.ndarray, exponent: float) -> np.ndarray:
    """U diag(1, 2^-exponent, 3^-exponent, ...) V'"""
    return powers(X, lambda s: (np.arange(1, len(s) + 1) ** -exponent).astype(s.dtype))


def inverted(X: np.ndarray, exponent: float) -> np.ndarray:
    """The third-party Freon: sigma / ||sigma|| to a power, divided by the largest of them."""
    X = X / (np.sqrt((X**2).sum()) + 1e-7)

    def weigh(s: np.ndarray) -> np.ndarray:
        s = np.maximum(s, 1e-7) ** exponent
        return s / (s.max() + 1e-7)

    return powers(X, weigh)


def freon(X: np.ndarray, c: float) -> np.ndarray:
    """(sigma / mu)^(1 - 2c) with the power mean mu of exponent q = 2 (1 - c), the geometric mean at c = 1."""
    q = 2 * (1 - c)

    def weigh(s: np.ndarray) -> np.ndarray:
        mean = np.exp(np.log(s).mean()) if q == 0 else (s**q).mean() ** (1 / q)
        return (s / mean) ** (1 - 2 * c)

    return powers(X, weigh)


def lion_muon(
    W: np.ndarray,
    gradients: Sequence[np.ndarray],
    lr: Hyper = 2e-3,
    sign_lr: Hyper = 2e-5,
    betas: tuple[float, float] = (0.95, 0.99),
    every: int = 5,
    weight_decay: float = 0.0,
    polar: Map = lambda X: iterate(X, (MUON,) * 6, added=1e-7),
) -> Path:
    """Lion, with one of Muon's steps at every k-th; decay by the lr of the step."""
    path, m = Path(), np.zeros_like(W)
    for t, G in enumerate(gradients):
        c = betas[0] * m + (1 - betas[0]) * G
        if t % every == 0:
            eta, O = at(lr, t), rms(W) * polar(c)
            path.estimates.append(c)
        else:
            eta, O = at(sign_lr, t), np.sign(c)
        W = (1 - eta * weight_decay) * W - eta * O
        m = betas[1] * m + (1 - betas[1]) * G
        path.weights.append(W)
    return path


def sign_muon_direction(mode: str, every: int = 5) -> Callable[[np.ndarray, int], np.ndarray]:
    """SignMuon: Muon at every k-th step and a cheap direction between; sign and norm a quarter as long."""

    def direction(u: np.ndarray, t: int) -> np.ndarray:
        if t % every == 0 or mode == "cheap_ns":
            return rms(u) * iterate(u, (MUON,) * (6 if t % every == 0 else 2), added=1e-7)
        if mode == "sign":
            return 0.25 * original(u) / math.sqrt(max(u.shape)) * np.sign(u)
        return 0.25 * original(u) * math.sqrt(min(u.shape)) * u / (np.sqrt((u**2).sum()) + 1e-7)

    return direction


def dion(
    W: np.ndarray,
    gradients: Sequence[np.ndarray],
    Q: np.ndarray,
    lr: Hyper = 0.01,
    momentum: float = 0.95,
    weight_decay: float = 0.0,
    eps: float = 1e-8,
) -> Path:
    """One power step on M + G from Q, error feedback, sqrt(m / n) P Q'; transposed where Q has the rows' number."""
    path, M = Path(), np.zeros_like(W)
    scale = math.sqrt(W.shape[0] / W.shape[1])
    turned = W.shape[1] != Q.shape[0]
    for t, G in enumerate(gradients):
        eta = at(lr, t)
        X = M + G
        X = X.T if turned else X
        P = np.linalg.qr(X @ Q)[0]
        R = X.T @ P
        X = X - (1 - momentum) * P @ R.T
        Q = R / (np.sqrt((R**2).sum(0)) + eps)
        D = P @ Q.T
        M, D = (X.T, D.T) if turned else (X, D)
        W = (1 - eta * weight_decay) * W - eta * scale * D
        path.weights.append(W)
        path.estimates.append(M)
    return path


def low_rank(u: np.ndarray, columns: Sequence[int], steps: Steps | None = (MUON,) * 5) -> np.ndarray:
    """The polar factor of u on the span of some columns (rows, where u is tall), exact without `steps`."""
    X = u.T if u.shape[0] > u.shape[1] else u
    Q = np.linalg.qr(X[:, list(columns)])[0]
    B = Q.T @ X
    O = Q @ (power(B, 0.0) if steps is None else iterate(B, steps, added=1e-7))
    return O.T if u.shape[0] > u.shape[1] else O
