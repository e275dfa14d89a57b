"""The recipes as plain NumPy loops over a given sequence of gradients, each as its source writes it.

A loop takes the weights and the gradients of all steps and returns the weights after every step together with what
the direction was made from. Hyperparameters are numbers or callables of the step, counted from 0. Blocks are dicts of
arrays; the loops of one array are applied to blocks by `blockwise`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from . import mixed_norm
from .mixed_norm import Blocks, Geometry
from .newton_schulz import Steps

Hyper = Any  # a float, or a callable of the step


@dataclass
class Path:
    """Weights after each step, the estimates that the directions were made from, and denominators if there are any."""

    weights: list[Any] = field(default_factory=list)
    estimates: list[Any] = field(default_factory=list)
    roots: list[Any] = field(default_factory=list)


def at(value: Hyper, step: int) -> float:
    """Value of a hyperparameter at a step."""
    return float(value(step)) if callable(value) else float(value)


def moved(W: np.ndarray, D: np.ndarray, lr: float, weight_decay: float, decay: str) -> np.ndarray:
    """W + D with the decay of this kind; "l2" has acted on the gradient already."""
    if decay == "decoupled":
        return (1 - lr * weight_decay) * W + D
    if decay == "independent":
        return (1 - weight_decay) * W + D
    if decay == "cautious":
        return np.where(np.sign(W) == -np.sign(D), (1 - lr * weight_decay) * W, W) + D
    if decay == "after":
        return (1 - lr * weight_decay) * (W + D)
    assert decay == "l2"
    return W + D


def with_l2(G: np.ndarray, W: np.ndarray, weight_decay: float, decay: str) -> np.ndarray:
    """Gradient of the loss, with that of the penalty where the decay is L2."""
    return G + weight_decay * W if decay == "l2" else G


def blockwise(loop: Callable[..., Path], W: Blocks, gradients: Sequence[Blocks], **hyper: Hyper) -> Path:
    """Apply the loop of one array to every block."""
    paths = {i: loop(W[i], [G[i] for G in gradients], **hyper) for i in W}
    steps = range(len(gradients))
    return Path(
        [{i: paths[i].weights[t] for i in W} for t in steps],
        [{i: paths[i].estimates[t] for i in W} for t in steps],
        [{i: paths[i].roots[t] for i in W} for t in steps if paths and next(iter(paths.values())).roots],
    )


def sgd(
    W: np.ndarray,
    gradients: Sequence[np.ndarray],
    lr: Hyper,
    momentum: Hyper = 0.0,
    dampening: Hyper = 0.0,
    nesterov: bool = False,
    weight_decay: Hyper = 0.0,
    decay: str = "l2",
) -> Path:
    """torch.optim.SGD: the first buffer is the gradient, undamped."""
    path, B = Path(), None
    for t, G in enumerate(gradients):
        eta, beta, wd = at(lr, t), at(momentum, t), at(weight_decay, t)
        G = with_l2(G, W, wd, decay)
        B = G if B is None else beta * B + (1 - at(dampening, t)) * G
        step = G + beta * B if nesterov else B
        W = moved(W, -eta * step, eta, wd, decay)
        path.weights.append(W)
        path.estimates.append(step)
    return path


def adamw(
    W: np.ndarray,
    gradients: Sequence[np.ndarray],
    lr: Hyper = 1e-3,
    betas: tuple[Hyper, Hyper] = (0.9, 0.999),
    eps: Hyper = 1e-8,
    weight_decay: Hyper = 1e-2,
    decay: str = "decoupled",
    nesterov: bool = False,
) -> Path:
    """torch.optim.AdamW; with `nesterov` the estimate of optax's NAdam."""
    path, m, v = Path(), np.zeros_like(W), np.zeros_like(W)
    for t, G in enumerate(gradients):
        eta, b1, b2, wd = at(lr, t), at(betas[0], t), at(betas[1], t), at(weight_decay, t)
        G = with_l2(G, W, wd, decay)
        m = b1 * m + (1 - b1) * G
        v = b2 * v + (1 - b2) * G * G
        root = np.sqrt(v) / math.sqrt(1 - b2 ** (t + 1)) + at(eps, t)
        mean = m / (1 - b1 ** (t + 1))
        if nesterov:
            mean = b1 * m / (1 - b1 ** (t + 2)) + (1 - b1) * G / (1 - b1 ** (t + 1))
        D = np.divide(-eta * mean, root, out=np.zeros_like(W), where=root > 0)
        W = moved(W, D, eta, wd, decay)
        path.weights.append(W)
        path.estimates.append(mean)
        path.roots.append(root)
    return path


def divided(M: np.ndarray, root: np.ndarray) -> np.ndarray:
    """M / root, zero where the root is zero."""
    return np.divide(M, root, out=np.zeros_like(M), where=root > 0)


def rectification(beta: float, t: int) -> float | None:
    """RAdam's factor r at step t = 1, 2, ..., None while rho <= 5."""
    limit = 2 / (1 - beta) - 1
    rho = limit - 2 * t * beta**t / (1 - beta**t)
    if rho <= 5:
        return None
    return float(np.sqrt((rho - 4) * (rho - 2) * limit / ((limit - 4) * (limit - 2) * rho)))


def amsgrad(
    W: np.ndarray,
    gradients: Sequence[np.ndarray],
    lr: Hyper = 1e-3,
    betas: tuple[Hyper, Hyper] = (0.9, 0.999),
    eps: Hyper = 1e-8,
    weight_decay: Hyper = 0.0,
    decay: str = "l2",
) -> Path:
    """torch.optim.Adam(amsgrad=True): the maximum before the bias correction."""
    path, m, v, largest = Path(), np.zeros_like(W), np.zeros_like(W), np.zeros_like(W)
    for t, G in enumerate(gradients):
        eta, b1, b2, wd = at(lr, t), at(betas[0], t), at(betas[1], t), at(weight_decay, t)
        G = with_l2(G, W, wd, decay)
        m = b1 * m + (1 - b1) * G
        v = b2 * v + (1 - b2) * G * G
        largest = np.maximum(largest, v)
        root = np.sqrt(largest) / math.sqrt(1 - b2 ** (t + 1)) + at(eps, t)
        W = moved(W, divided(-eta * m / (1 - b1 ** (t + 1)), root), eta, wd, decay)
        path.weights.append(W)
        path.estimates.append(m)
        path.roots.append(root)
    return path


def radam(
    W: np.ndarray,
    gradients: Sequence[np.ndarray],
    lr: Hyper = 1e-3,
    betas: tuple[Hyper, Hyper] = (0.9, 0.999),
    eps: Hyper = 1e-8,
    weight_decay: Hyper = 0.0,
    decay: str = "l2",
    early: float = 1.0,
) -> Path:
    """torch.optim.RAdam; `early` is 0 where the authors' code withholds its first steps."""
    path, m, v = Path(), np.zeros_like(W), np.zeros_like(W)
    for t, G in enumerate(gradients):
        eta, b1, b2, wd = at(lr, t), at(betas[0], t), at(betas[1], t), at(weight_decay, t)
        G = with_l2(G, W, wd, decay)
        m = b1 * m + (1 - b1) * G
        v = b2 * v + (1 - b2) * G * G
        mean, r = m / (1 - b1 ** (t + 1)), rectification(b2, t + 1)
        root = np.sqrt(v) + at(eps, t)
        D = early * mean if r is None else divided(mean * r * math.sqrt(1 - b2 ** (t + 1)), root)
        W = moved(W, -eta * D, eta, wd, decay)
        path.weights.append(W)
        path.estimates.append(mean)
        path.roots.append(np.ones_like(W) if r is None else root)
    return path


def adabelief(
    W: np.ndarray,
    gradients: Sequence[np.ndarray],
    lr: Hyper = 1e-3,
    betas: tuple[Hyper, Hyper] = (0.9, 0.999),
    eps: Hyper = 1e-16,
    rectify: bool = True,
    weight_decay: Hyper = 0.0,
    decay: str = "decoupled",
    amsgrad: bool = False,
    early: float = 1.0,
) -> Path:
    """adabelief_pytorch: eps is added to the stored S in every step."""
    path, m, s, largest = Path(), np.zeros_like(W), np.zeros_like(W), np.zeros_like(W)
    for t, G in enumerate(gradients):
        eta, b1, b2, wd = at(lr, t), at(betas[0], t), at(betas[1], t), at(weight_decay, t)
        G = with_l2(G, W, wd, decay)
        m = b1 * m + (1 - b1) * G
        s = b2 * s + (1 - b2) * (G - m) ** 2 + at(eps, t)
        largest = np.maximum(largest, s)
        mean, r = m / (1 - b1 ** (t + 1)), rectification(b2, t + 1)
        if not rectify:
            root = np.sqrt(largest if amsgrad else s) / math.sqrt(1 - b2 ** (t + 1)) + at(eps, t)
            D = divided(mean, root)
        elif r is None:
            root, D = np.ones_like(W), early * mean
        else:
            root = np.sqrt(s) + at(eps, t)
            D = divided(mean * r * math.sqrt(1 - b2 ** (t + 1)), root)
        W = moved(W, -eta * D, eta, wd, decay)
        path.weights.append(W)
        path.estimates.append(mean)
        path.roots.append(root)
    return path


def adagrad(
    W: np.ndarray,
    gradients: Sequence[np.ndarray],
    lr: Hyper = 1e-2,
    lr_decay: float = 0.0,
    initial_accumulator_value: float = 0.0,
    eps: Hyper = 1e-10,
    weight_decay: Hyper = 0.0,
    decay: str = "l2",
) -> Path:
    """torch.optim.Adagrad."""
    path, v = Path(), np.full_like(W, initial_accumulator_value)
    for t, G in enumerate(gradients):
        eta, wd = at(lr, t) / (1 + t * lr_decay), at(weight_decay, t)
        G = with_l2(G, W, wd, decay)
        v = v + G * G
        root = np.sqrt(v) + at(eps, t)
        W = moved(W, divided(-eta * G, root), eta, wd, decay)
        path.weights.append(W)
        path.estimates.append(G)
        path.roots.append(root)
    return path


def rmsprop(
    W: np.ndarray,
    gradients: Sequence[np.ndarray],
    lr: Hyper = 1e-2,
    alpha: Hyper = 0.99,
    eps: Hyper = 1e-8,
    momentum: Hyper = 0.0,
    centered: bool = False,
    weight_decay: Hyper = 0.0,
    decay: str = "l2",
) -> Path:
    """torch.optim.RMSprop: the momentum after the metric."""
    path, v, mean, B = Path(), np.zeros_like(W), np.zeros_like(W), np.zeros_like(W)
    for t, G in enumerate(gradients):
        eta, a, wd = at(lr, t), at(alpha, t), at(weight_decay, t)
        G = with_l2(G, W, wd, decay)
        v = a * v + (1 - a) * G * G
        mean = a * mean + (1 - a) * G
        root = np.sqrt(np.maximum(v - mean**2, 0) if centered else v) + at(eps, t)
        B = at(momentum, t) * B + divided(G, root)
        W = moved(W, -eta * B, eta, wd, decay)
        path.weights.append(W)
        path.estimates.append(G)
        path.roots.append(root)
    return path


def adadelta(
    W: np.ndarray,
    gradients: Sequence[np.ndarray],
    lr: Hyper = 1.0,
    rho: Hyper = 0.9,
    eps: Hyper = 1e-6,
    weight_decay: Hyper = 0.0,
    decay: str = "l2",
) -> Path:
    """torch.optim.Adadelta."""
    path, v, x = Path(), np.zeros_like(W), np.zeros_like(W)
    for t, G in enumerate(gradients):
        eta, b, wd = at(lr, t), at(rho, t), at(weight_decay, t)
        G = with_l2(G, W, wd, decay)
        v = b * v + (1 - b) * G * G
        root = np.sqrt(v + at(eps, t))
        D = divided(np.sqrt(x + at(eps, t)) * G, root)
        x = b * x + (1 - b) * D * D
        W = moved(W, -eta * D, eta, wd, decay)
        path.weights.append(W)
        path.estimates.append(G)
        path.roots.append(root)
    return path


def lion(
    W: np.ndarray,
    gradients: Sequence[np.ndarray],
    lr: Hyper = 1e-4,
    betas: tuple[Hyper, Hyper] = (0.9, 0.99),
    weight_decay: Hyper = 0.0,
    decay: str = "decoupled",
) -> Path:
    """google/automl's Lion."""
    path, M = Path(), np.zeros_like(W)
    for t, G in enumerate(gradients):
        eta, b1, b2, wd = at(lr, t), at(betas[0], t), at(betas[1], t), at(weight_decay, t)
        G = with_l2(G, W, wd, decay)
        u = b1 * M + (1 - b1) * G
        M = b2 * M + (1 - b2) * G
        W = moved(W, -eta * np.sign(u), eta, wd, decay)
        path.weights.append(W)
        path.estimates.append(u)
    return path


def lines_to_length_one(u: np.ndarray, axis: int) -> np.ndarray:
    """Rows (axis 1) or columns (axis 0) divided by their lengths."""
    return divided(u, np.broadcast_to(np.sqrt((u**2).sum(axis, keepdims=True)), u.shape))


def scion(
    W: np.ndarray,
    gradients: Sequence[np.ndarray],
    normalized: Callable[[np.ndarray], np.ndarray],
    lr: Hyper = 1e-3,
    radius: float = 1.0,
    momentum: Hyper = 0.9,
    constrained: bool = False,
) -> Path:
    """LIONS-EPFL/scion; `normalized` is the layer's norm with its shape factor."""
    path, M = Path(), np.zeros_like(W)
    for t, G in enumerate(gradients):
        eta, b = at(lr, t), at(momentum, t)
        M = b * M + (1 - b) * G
        W = (1 - eta if constrained else 1.0) * W - eta * radius * normalized(M)
        path.weights.append(W)
        path.estimates.append(M)
    return path


def clipped_scion(
    W: Mapping[int, np.ndarray],
    gradients: Sequence[Mapping[int, np.ndarray]],
    normalized: Mapping[int, Callable[[np.ndarray], np.ndarray]],
    rho: Mapping[int, float],
    lr: float,
    momentum: float = 0.9,
    constrained: bool = False,
) -> list[dict[int, np.ndarray]]:
    """Hojan-Ye/ClippedScion, lr being the code's over rho; `normalized` is the norm of each layer with its factor.

    A gap that is negative stops the step.
    """
    steps, M = [], {k: np.zeros_like(x) for k, x in W.items()}
    for G in gradients:
        M = {k: momentum * M[k] + (1 - momentum) * G[k] for k in W}
        U = {k: normalized[k](M[k]) + (W[k] if constrained else 0.0) for k in W}
        gap = sum(float((U[k] * M[k]).sum()) for k in W)
        W = {k: W[k] - lr * max(0.0, min(rho[k], gap)) * U[k] for k in W}
        steps.append(W)
    return steps


def schedule_free(
    W: np.ndarray,
    gradients: Sequence[np.ndarray],
    lr: Hyper,
    beta: float = 0.9,
    r: float = 0.0,
    weight_lr_power: float = 2.0,
    weight_decay: Hyper = 0.0,
    betas: tuple[float, float] | None = None,
    eps: float = 1e-8,
) -> Path:
    """facebookresearch/schedule_free round SGD, or round AdamW if `betas` are given; `estimates` are the averages."""
    path, y, z, x = Path(), W.copy(), W.copy(), W.copy()
    m, v, total, largest = np.zeros_like(W), np.zeros_like(W), 0.0, 0.0
    for t, G in enumerate(gradients):
        eta, wd = at(lr, t), at(weight_decay, t)
        largest = max(largest, eta)
        weight = (t + 1) ** r * largest**weight_lr_power
        total += weight
        c = weight / total if total else 0.0
        if betas is None:
            D = -eta * (G + wd * y)
        else:
            m = betas[0] * m + (1 - betas[0]) * G
            v = betas[1] * v + (1 - betas[1]) * G * G
            root = np.sqrt(v / (1 - betas[1] ** (t + 1))) + eps
            D = -eta * wd * y - eta * m / (1 - betas[0] ** (t + 1)) / root
        z = z + D
        x = (1 - c) * x + c * z
        y = beta * x + (1 - beta) * z
        path.weights.append(y)
        path.estimates.append(x)
    return path


def sign_sgd(
    W: np.ndarray,
    gradients: Sequence[np.ndarray],
    lr: Hyper,
    weight_decay: Hyper = 0.0,
    decay: str = "decoupled",
) -> Path:
    """W - lr sign(G)."""
    path = Path()
    for t, G in enumerate(gradients):
        eta, wd = at(lr, t), at(weight_decay, t)
        G = with_l2(G, W, wd, decay)
        W = moved(W, -eta * np.sign(G), eta, wd, decay)
        path.weights.append(W)
        path.estimates.append(G)
    return path


def signum(
    W: np.ndarray,
    gradients: Sequence[np.ndarray],
    lr: Hyper,
    momentum: Hyper = 0.9,
    nesterov: bool = False,
    weight_decay: Hyper = 0.0,
    decay: str = "decoupled",
) -> Path:
    """W - lr sign(M), M the exponential average from zero."""
    path, M = Path(), np.zeros_like(W)
    for t, G in enumerate(gradients):
        eta, b, wd = at(lr, t), at(momentum, t), at(weight_decay, t)
        G = with_l2(G, W, wd, decay)
        M = b * M + (1 - b) * G
        u = (1 - b) * G + b * M if nesterov else M
        W = moved(W, -eta * np.sign(u), eta, wd, decay)
        path.weights.append(W)
        path.estimates.append(u)
    return path


def normalized_sgd(
    W: Blocks,
    gradients: Sequence[Blocks],
    lr: Hyper,
    momentum: Hyper = 0.9,
    momentum_init: str = "first",
    scope: str = "joint",
    weight_decay: Hyper = 0.0,
    decay: str = "decoupled",
) -> Path:
    """W - lr M / ||M||, with one norm over all blocks or one per block."""
    path, M = Path(), {i: np.zeros_like(W[i]) for i in W}
    for t, raw in enumerate(gradients):
        eta, b, wd = at(lr, t), at(momentum, t), at(weight_decay, t)
        G = {i: with_l2(raw[i], W[i], wd, decay) for i in W}
        if t == 0 and momentum_init == "first":
            M = dict(G)
        else:
            M = {i: b * M[i] + (1 - b) * G[i] for i in W}
        norms = {i: np.sqrt((M[i] ** 2).sum()) for i in W}
        if scope == "joint":
            norms = dict.fromkeys(W, np.sqrt(sum(x**2 for x in norms.values())))
        W = {i: moved(W[i], -eta * M[i] / norms[i], eta, wd, decay) for i in W}
        path.weights.append(W)
        path.estimates.append(M)
    return path


def iterate(
    u: np.ndarray, steps: Steps, factor: float = 1.0, added: float = 0.0, least: float = 0.0
) -> np.ndarray:
    """Newton-Schulz as the public codes write it: X = u / max(factor ||u||_F + added, least), on the wide side."""
    X = u.T if u.shape[0] > u.shape[1] else u
    X = X / max(factor * np.sqrt((X**2).sum()) + added, least)
    for a, b, c in steps:
        A = X @ X.T
        X = a * X + (b * A + c * A @ A) @ X
    return X.T if u.shape[0] > u.shape[1] else X


def polar(u: np.ndarray) -> np.ndarray:
    """U V' from LAPACK."""
    U, _, Vt = np.linalg.svd(u, full_matrices=False)
    return U @ Vt


SHAPE_FACTORS: dict[str, Callable[[int, int], float]] = {
    "none": lambda rows, cols: 1.0,
    "original": lambda rows, cols: max(1.0, rows / cols) ** 0.5,
    "match_rms_adamw": lambda rows, cols: 0.2 * max(rows, cols) ** 0.5,
    "spectral": lambda rows, cols: (rows / cols) ** 0.5,
    "max_dim": lambda rows, cols: max(rows, cols) ** 0.5,
    "rows": lambda rows, cols: rows**0.5,
}


def shape_factor(scale: str | float, shape: tuple[int, ...]) -> float:
    """Factor of a matrix; a vector is n x 1."""
    rows, cols = shape if len(shape) == 2 else (int(np.prod(shape)), 1)
    return SHAPE_FACTORS[scale](rows, cols) if isinstance(scale, str) else scale


def muon(
    W: np.ndarray,
    gradients: Sequence[np.ndarray],
    lr: Hyper = 0.02,
    momentum: Hyper = 0.95,
    nesterov: bool = True,
    weight_decay: Hyper = 0.0,
    decay: str = "decoupled",
    scale: str | float = "original",
    orthogonalize: Callable[[np.ndarray], np.ndarray] = polar,
    kind: str = "ema",
) -> Path:
    """Keller Jordan's rule; `kind` "heavy_ball" is Moonlight's buffer and "debiased" optax's."""
    path, M = Path(), np.zeros_like(W)
    for t, G in enumerate(gradients):
        eta, b, wd = at(lr, t), at(momentum, t), at(weight_decay, t)
        G = with_l2(G, W, wd, decay)
        if kind == "heavy_ball":
            M = b * M + G
            u = G + b * M if nesterov else M
        else:
            M = b * M + (1 - b) * G
            u = (1 - b) * G + b * M if nesterov else M
            if kind == "debiased":
                now, following = 1 - b ** (t + 1), 1 - b ** (t + 2)
                u = (1 - b) * G / now + b * M / following if nesterov else M / now
        D = -eta * shape_factor(scale, W.shape) * orthogonalize(u)
        W = moved(W, D, eta, wd, decay)
        path.weights.append(W)
        path.estimates.append(u)
    return path


def polar_grad(
    W: np.ndarray,
    gradients: Sequence[np.ndarray],
    lr: Hyper,
    momentum: Hyper = 0.95,
    nesterov: bool = False,
    weight_decay: Hyper = 0.0,
    decay: str = "decoupled",
    momentum_kind: str = "ema",
    momentum_init: str = "zero",
    orthogonalize: Callable[[np.ndarray], np.ndarray] = polar,
) -> Path:
    """Momentum first: W - lr <U, M> U with U the polar factor of M."""
    path, M = Path(), np.zeros_like(W)
    for t, G in enumerate(gradients):
        eta, b, wd = at(lr, t), at(momentum, t), at(weight_decay, t)
        G = with_l2(G, W, wd, decay)
        M, u = momentum_step(M, G, b, t, momentum_kind, momentum_init, nesterov)
        U = orthogonalize(u)
        W = moved(W, -eta * (U * u).sum() * U, eta, wd, decay)
        path.weights.append(W)
        path.estimates.append(u)
    return path


def momentum_step(
    M: np.ndarray, G: np.ndarray, b: float, t: int, kind: str, init: str, nesterov: bool
) -> tuple[np.ndarray, np.ndarray]:
    """New buffer and the estimate, for the exponential average (theta = 1 - b) or the heavy ball."""
    fresh = 1 - b if kind == "ema" else 1.0
    M = G if t == 0 and init == "first" else b * M + fresh * G
    return M, fresh * G + b * M if nesterov else M


def schattor(
    W: Blocks,
    gradients: Sequence[Blocks],
    lr: Hyper,
    geometries: Mapping[str, tuple[str, Hyper]],
    r: float,
    weights: Mapping[str, Hyper] | None = None,
    rule: str = "ball",
    momentum: Hyper = 0.9,
    momentum_kind: str = "ema",
    momentum_init: str = "first",
    nesterov: bool = False,
    weight_decay: Hyper = 0.0,
    decay: str = "decoupled",
    scale: str | float = "none",
) -> Path:
    """Algorithms 1 to 4 with every variation of momentum, decay and scale.

    A block that a step's gradients lack keeps its weights and its buffer, and the mixed norm is that of the others;
    its momentum starts at the first gradient that it gets.
    """
    path, M, counts = Path(), {i: np.zeros_like(W[i]) for i in W}, dict.fromkeys(W, 0)
    oracle = mixed_norm.ball if rule == "ball" else mixed_norm.regularized
    for t, raw in enumerate(gradients):
        eta, b, wd = at(lr, t), at(momentum, t), at(weight_decay, t)
        estimates: Blocks = {}
        for i in raw:
            G = with_l2(raw[i], W[i], wd, decay)
            M[i], estimates[i] = momentum_step(M[i], G, b, counts[i], momentum_kind, momentum_init, nesterov)
            counts[i] += 1
        now: dict[str, Geometry] = {i: (geometries[i][0], at(geometries[i][1], t)) for i in raw}
        w = {i: 1.0 if weights is None else at(weights[i], t) for i in raw}
        D = oracle(estimates, now, w, r)
        W = {
            i: moved(W[i], eta * shape_factor(scale, W[i].shape) * D[i], eta, wd, decay) if i in raw else W[i]
            for i in W
        }
        path.weights.append(W)
        path.estimates.append(estimates)
    return path
