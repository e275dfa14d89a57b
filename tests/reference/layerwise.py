"""Methods that act on rows, on whole layers or on the weights' own shape, as plain NumPy loops.

What is said of the loops in `recipes` holds here too. `orthogonalize` is the polar factor or an iteration. Where a code
guards a division by a small constant, the loop takes it as an argument: zero over zero is zero without it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from .recipes import Hyper, Path, at, divided, moved, shape_factor, with_l2

Orthogonalize = Callable[[np.ndarray], np.ndarray]


def polar(u: np.ndarray) -> np.ndarray:
    """U V' over the singular values that are not rounding: matrices of signs are often singular."""
    U, s, Vt = np.linalg.svd(u, full_matrices=False)
    kept = s > max(u.shape) * np.finfo(u.dtype).eps * s.max(initial=0)
    return U[:, kept] @ Vt[kept]


def norm(x: np.ndarray) -> float:
    """Euclidean length of all entries, as a Python number: it keeps the dtype of what it multiplies."""
    return math.sqrt(float((x.astype(np.float64) ** 2).sum()))


def quotient(a: float, b: float) -> float:
    """a / b, zero where b is."""
    return a / b if b else 0.0


def momentum(
    M: np.ndarray, G: np.ndarray, b: float, nesterov: bool, kind: str = "ema"
) -> tuple[np.ndarray, np.ndarray]:
    """New buffer and estimate, of the exponential average or of the heavy ball, both from zero."""
    fresh = 1 - b if kind == "ema" else 1.0
    M = b * M + fresh * G
    return M, fresh * G + b * M if nesterov else M


def normuon(
    W: np.ndarray,
    gradients: Sequence[np.ndarray],
    lr: Hyper = 0.02,
    momentum_: Hyper = 0.95,
    nesterov: bool = True,
    beta2: Hyper = 0.95,
    eps: float = 1e-10,
    weight_decay: Hyper = 0.0,
    decay: str = "decoupled",
    orthogonalize: Orthogonalize = polar,
    rms: float | None = None,
    added: float = 0.0,
) -> Path:
    """zichongli5/NorMuon; with `rms` the paper's last step, which sets the root mean square of the entries."""
    path, M, v = Path(), np.zeros_like(W), np.zeros_like(W[:, :1])
    for t, G in enumerate(gradients):
        eta, b2, wd = at(lr, t), at(beta2, t), at(weight_decay, t)
        M, u = momentum(M, with_l2(G, W, wd, decay), at(momentum_, t), nesterov)
        O = orthogonalize(u)
        length = norm(O) if rms is None else rms * math.sqrt(O.size)
        v = b2 * v + (1 - b2) * (O**2).mean(1, keepdims=True)
        O = divided(O, np.broadcast_to(np.sqrt(v) + eps, O.shape))
        O = O * quotient(length, norm(O) + added)
        factor = shape_factor("original", W.shape) if rms is None else 1.0
        W = moved(W, -eta * factor * O, eta, wd, decay)
        path.weights.append(W)
        path.estimates.append(u)
    return path


def adamuon(
    W: np.ndarray,
    gradients: Sequence[np.ndarray],
    lr: Hyper = 0.02,
    momentum_: Hyper = 0.95,
    nesterov: bool = True,
    eps: float = 1e-8,
    weight_decay: Hyper = 0.01,
    decay: str = "decoupled",
    orthogonalize: Orthogonalize = polar,
    added: float = 0.0,
) -> Path:
    """Chongjie-Si/AdaMuon: polar of the sign, entrywise second moment with the momentum's rate, RMS 0.2."""
    path, M, V = Path(), np.zeros_like(W), np.zeros_like(W)
    for t, G in enumerate(gradients):
        eta, b, wd = at(lr, t), at(momentum_, t), at(weight_decay, t)
        M, u = momentum(M, with_l2(G, W, wd, decay), b, nesterov)
        O = orthogonalize(np.sign(u))
        V = b * V + (1 - b) * O**2
        O = divided(O, np.sqrt(V) + eps)
        O = O * quotient(0.2 * math.sqrt(O.size), norm(O) + added)
        W = moved(W, -eta * O, eta, wd, decay)
        path.weights.append(W)
        path.estimates.append(u)
    return path


def schedule_free_normuon(
    W: np.ndarray,
    gradients: Sequence[np.ndarray],
    lr: Hyper = 0.02,
    beta: float = 0.9,
    momentum_: Hyper = 0.95,
    beta2: Hyper = 0.95,
    eps: float = 1e-10,
    weight_decay: Hyper = 0.0,
    orthogonalize: Orthogonalize = polar,
) -> Path:
    """SF-NorMuon (arXiv 2605.23061), but decay at y; `estimates` are the averages x."""
    path, y, z, x = Path(), W, W, W
    M, v, total = np.zeros_like(W), np.zeros_like(W[:, :1]), 0.0
    for t, G in enumerate(gradients):
        eta, b2, wd = at(lr, t), at(beta2, t), at(weight_decay, t)
        M, _ = momentum(M, G, at(momentum_, t), False)
        P = orthogonalize(M)
        v = b2 * v + (1 - b2) * (P**2).mean(1, keepdims=True)
        P = divided(P, np.broadcast_to(np.sqrt(v) + eps, P.shape))
        z = z - eta * wd * y - quotient(0.2 * eta * math.sqrt(P.size), norm(P)) * P
        total += eta**2
        c = quotient(eta**2, total)
        x = (1 - c) * x + c * z
        y = beta * x + (1 - beta) * z
        path.weights.append(y)
        path.estimates.append(x)
    return path


def trust(W: np.ndarray, u: np.ndarray, coefficient: float = 1.0, limit: float = math.inf) -> float:
    """coefficient min(||W||, limit) / ||u||; one where a norm is zero."""
    of_weights, of_update = norm(W), norm(u)
    return coefficient * min(of_weights, limit) / of_update if of_weights and of_update else 1.0


def lars(
    W: np.ndarray,
    gradients: Sequence[np.ndarray],
    lr: Hyper,
    momentum_: Hyper = 0.9,
    nesterov: bool = False,
    trust_coefficient: float = 1e-3,
    weight_decay: Hyper = 0.0,
    decay: str = "l2",
) -> Path:
    """optax.lars: the norm of the sum with the decay, and the learning rate inside the buffer."""
    path, B = Path(), np.zeros_like(W)
    for t, G in enumerate(gradients):
        eta, b, wd = at(lr, t), at(momentum_, t), at(weight_decay, t)
        G = with_l2(G, W, wd, decay)
        B, step = momentum(B, eta * trust(W, G, trust_coefficient) * G, b, nesterov, "heavy_ball")
        W = moved(W, -step, eta, wd, decay)
        path.weights.append(W)
        path.estimates.append(G)
    return path


def lamb(
    W: np.ndarray,
    gradients: Sequence[np.ndarray],
    lr: Hyper = 1e-3,
    betas: tuple[Hyper, Hyper] = (0.9, 0.999),
    eps: Hyper = 1e-6,
    weight_decay: Hyper = 0.0,
    largest_norm: float = math.inf,
    corrected: bool = True,
    ratio: bool = True,
) -> Path:
    """optax.lamb; without bias correction and with a largest norm the third-party codes, without ratio their Adam."""
    path, m, v = Path(), np.zeros_like(W), np.zeros_like(W)
    for t, G in enumerate(gradients):
        eta, b1, b2, wd = at(lr, t), at(betas[0], t), at(betas[1], t), at(weight_decay, t)
        m = b1 * m + (1 - b1) * G
        v = b2 * v + (1 - b2) * G * G
        c1, c2 = (1 - b1 ** (t + 1), 1 - b2 ** (t + 1)) if corrected else (1.0, 1.0)
        r = divided(m / c1, np.sqrt(v / c2) + at(eps, t)) + wd * W
        W = W - eta * (trust(W, r, limit=largest_norm) if ratio else 1.0) * r
        path.weights.append(W)
        path.estimates.append(r)
    return path


def mano(
    W: np.ndarray,
    gradients: Sequence[np.ndarray],
    lr: Hyper = 1e-3,
    momentum_: Hyper = 0.95,
    nesterov: bool = False,
    weight_decay: Hyper = 0.1,
    decay: str = "decoupled",
) -> Path:
    """Mano: columns in even steps, rows in odd ones."""
    path, B = Path(), np.zeros_like(W)
    for t, G in enumerate(gradients):
        eta, wd, axis = at(lr, t), at(weight_decay, t), t % 2
        B, u = momentum(B, with_l2(G, W, wd, decay), at(momentum_, t), nesterov, "heavy_ball")
        lengths = np.broadcast_to(np.sqrt((W**2).sum(axis, keepdims=True)), W.shape)
        P = divided(W, lengths)
        T = u - (u * P).sum(axis, keepdims=True) * P
        lengths = np.broadcast_to(np.sqrt((T**2).sum(axis, keepdims=True)), T.shape)
        D = -eta * 0.2 * math.sqrt(W.shape[axis]) * divided(T, lengths)
        W = moved(W, D, eta, wd, decay)
        path.weights.append(W)
        path.estimates.append(T)
    return path


def on_hypersphere(W: np.ndarray, u: np.ndarray, lr: float, radius: float) -> np.ndarray:
    """R (W - lr R u / ||u||) / ||W - lr R u / ||u||||; W where u is zero."""
    length = norm(u)
    if not length:
        return W
    moved_to = W - lr * radius / length * u
    return radius / norm(moved_to) * moved_to


def muon_hyperball(
    W: np.ndarray,
    gradients: Sequence[np.ndarray],
    lr: Hyper = 0.014,
    momentum_: Hyper = 0.95,
    nesterov: bool = True,
    orthogonalize: Orthogonalize = polar,
) -> Path:
    """MuonH with the radius of the first weights."""
    path, M, radius = Path(), np.zeros_like(W), norm(W)
    for t, G in enumerate(gradients):
        M, u = momentum(M, G, at(momentum_, t), nesterov)
        W = on_hypersphere(W, orthogonalize(u), at(lr, t), radius)
        path.weights.append(W)
        path.estimates.append(u)
    return path


def muown(
    W: np.ndarray,
    gradients: Sequence[np.ndarray],
    lr: Hyper = 3e-4,
    momentum_: Hyper = 0.95,
    nesterov: bool = False,
    betas: tuple[Hyper, Hyper] = (0.9, 0.95),
    eps: Hyper = 1e-8,
    weight_decay: Hyper = 0.0,
    orthogonalize: Orthogonalize = polar,
    floor: float = 1e-12,
) -> Path:
    """NVIDIA's Muown: rows W_i = g_i v_i / ||v_i||, Muon on v and Adam on g, which alone decays.

    `roots` are g and ||v||.
    """
    path, M = Path(), np.zeros_like(W)
    g = np.maximum(np.sqrt((W**2).sum(1, keepdims=True)), W.dtype.type(floor))
    v_norm, m_g, v_g = g, np.zeros_like(g), np.zeros_like(g)
    for t, G in enumerate(gradients):
        eta, b1, b2, wd = at(lr, t), at(betas[0], t), at(betas[1], t), at(weight_decay, t)
        u = W / g
        v = u * v_norm
        grad_g = (G * u).sum(1, keepdims=True)
        grad_v = g / v_norm * (G - u * grad_g)
        M, estimate = momentum(M, grad_v, at(momentum_, t), nesterov)
        v = v - eta * 0.2 * math.sqrt(max(W.shape)) * orthogonalize(estimate)
        m_g = b1 * m_g + (1 - b1) * grad_g
        v_g = b2 * v_g + (1 - b2) * grad_g**2
        root = np.sqrt(v_g / (1 - b2 ** (t + 1))) + at(eps, t)
        g = (1 - eta * wd) * (g - eta * divided(m_g / (1 - b1 ** (t + 1)), root))
        v_norm = np.sqrt((v**2).sum(1, keepdims=True))
        W = g * divided(v, np.broadcast_to(v_norm, v.shape))
        path.weights.append(W)
        path.estimates.append(grad_v)
        path.roots.append((g, v_norm))
    return path
