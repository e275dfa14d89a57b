"""Variance reduction, extrapolation, estimated step lengths, turns and private gradients, as literal NumPy loops.

As in `reference.recipes`: a loop takes the first weights and what every step is given, and returns the `Path`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from .mixed_norm import Blocks
from .newton_schulz import MUON
from .recipes import Hyper, Path, at, divided, iterate, moved, polar, shape_factor, with_l2


def length(x: np.ndarray) -> float:
    """Frobenius norm."""
    return float(np.sqrt((x**2).sum()))


def mars_gradient(G: np.ndarray, reference: np.ndarray, gamma: float, beta: float, clip: bool) -> np.ndarray:
    """c = G + gamma beta / (1 - beta) (G - reference), at most of length one if it is clipped."""
    c = G + gamma * beta / (1 - beta) * (G - reference)
    return c / length(c) if clip and length(c) > 1 else c


def references_of(
    gradients: Sequence[np.ndarray], at_previous: Sequence[np.ndarray] | None
) -> list[np.ndarray]:
    """What each gradient is compared with: the one before, zero at first; or the given ones, itself at first."""
    if at_previous is None:
        return [np.zeros_like(gradients[0]), *gradients[:-1]]
    return [gradients[0], *at_previous[1:]]


def mars(
    W: np.ndarray,
    gradients: Sequence[np.ndarray],
    at_previous: Sequence[np.ndarray] | None = None,
    lr: Hyper = 3e-3,
    betas: tuple[Hyper, Hyper] = (0.95, 0.99),
    eps: Hyper = 1e-8,
    gamma: Hyper = 0.025,
    clip: bool = True,
    form: str = "adamw",
    weight_decay: Hyper = 0.0,
    decay: str = "decoupled",
    orthogonalize: Callable[[np.ndarray], np.ndarray] = polar,
) -> Path:
    """AGI-Arena's MARS in its three forms; the decay of the code is the decoupled one."""
    path, m, v = Path(), np.zeros_like(W), np.zeros_like(W)
    for t, (G, reference) in enumerate(zip(gradients, references_of(gradients, at_previous), strict=True)):
        eta, b1, b2, wd = at(lr, t), at(betas[0], t), at(betas[1], t), at(weight_decay, t)
        c = mars_gradient(with_l2(G, W, wd, decay), reference, at(gamma, t), b1, clip)
        m = b1 * m + (1 - b1) * c
        if form == "adamw":
            v = b2 * v + (1 - b2) * c * c
            root = np.sqrt(v) / math.sqrt(1 - b2 ** (t + 1)) + at(eps, t)
            D, estimate = divided(m / (1 - b1 ** (t + 1)), root), m
            path.roots.append(root)
        elif form == "lion":
            D, estimate = np.sign(m), m
        else:
            estimate = m / (1 - b1)
            D = shape_factor("original", W.shape) * orthogonalize(estimate)
        W = moved(W, -eta * D, eta, wd, decay)
        path.weights.append(W)
        path.estimates.append(estimate)
    return path


def mars_m(
    W: np.ndarray,
    gradients: Sequence[np.ndarray],
    at_previous: Sequence[np.ndarray] | None = None,
    lr: Hyper = 1e-3,
    momentum: Hyper = 0.95,
    gamma: Hyper = 0.025,
    clip: bool = True,
    weight_decay: Hyper = 0.1,
    decay: str = "decoupled",
    orthogonalize: Callable[[np.ndarray], np.ndarray] = polar,
) -> Path:
    """AGI-Arena's MARS-M."""
    path, M = Path(), np.zeros_like(W)
    for t, (G, reference) in enumerate(zip(gradients, references_of(gradients, at_previous), strict=True)):
        eta, b, wd = at(lr, t), at(momentum, t), at(weight_decay, t)
        M = b * M + (1 - b) * mars_gradient(with_l2(G, W, wd, decay), reference, at(gamma, t), b, clip)
        D = 0.2 * max(W.shape) ** 0.5 * orthogonalize(M)
        W = moved(W, -eta * D, eta, wd, decay)
        path.weights.append(W)
        path.estimates.append(M)
    return path


def mvr(
    gradients: Sequence[np.ndarray],
    at_previous: Sequence[np.ndarray] | None = None,
    momentum: Hyper = 0.95,
    gamma: Hyper = 1.0,
) -> list[np.ndarray]:
    """M <- b M + (1 - b) G + gamma b (G - reference), from zero: MVR1, or MVR2 with gradients at the previous point."""
    estimates, M = [], np.zeros_like(gradients[0])
    for t, (G, reference) in enumerate(zip(gradients, references_of(gradients, at_previous), strict=True)):
        b = at(momentum, t)
        M = b * M + (1 - b) * G + at(gamma, t) * b * (G - reference)
        estimates.append(M)
    return estimates


def storm(
    W: np.ndarray,
    gradients: Sequence[np.ndarray],
    at_previous: Sequence[np.ndarray],
    lr: Hyper,
    momentum: Hyper = 0.9,
    weight_decay: Hyper = 0.0,
    decay: str = "decoupled",
) -> Path:
    """d <- G + (1 - a) (d - G at the previous point), a = 1 - momentum; the first d is G."""
    path, d = Path(), np.zeros_like(W)
    for t, (G, before) in enumerate(zip(gradients, at_previous, strict=True)):
        eta, b, wd = at(lr, t), at(momentum, t), at(weight_decay, t)
        G = with_l2(G, W, wd, decay)
        d = G if t == 0 else G + b * (d - before)
        W = moved(W, -eta * d, eta, wd, decay)
        path.weights.append(W)
        path.estimates.append(d)
    return path


def storm_adaptive(
    W: Blocks,
    gradients: Sequence[Blocks],
    at_previous: Sequence[Blocks],
    k: Hyper = 1.0,
    w: float = 10.0,
    c: float = 100.0,
) -> Path:
    """The paper's algorithm: eta_t = k / (w + sum_{s <= t} ||G_s||^2)^(1/3) and a_{t+1} = min(1, c eta_t^2)."""
    path, d, total, a = Path(), dict(gradients[0]), w, 1.0
    for t, (G, before) in enumerate(zip(gradients, at_previous, strict=True)):
        if t > 0:
            d = {i: G[i] + (1 - a) * (d[i] - before[i]) for i in W}
        total += sum(length(G[i]) ** 2 for i in W)
        eta = at(k, t) / total ** (1 / 3)
        a = min(1.0, c * eta**2)
        W = {i: W[i] - eta * d[i] for i in W}
        path.weights.append(W)
        path.estimates.append(d)
    return path


def nigt(
    W: Blocks,
    gradients: Sequence[Blocks],
    lr: Hyper,
    momentum: Hyper = 0.9,
    momentum_init: str = "first",
    scope: str = "joint",
    weight_decay: Hyper = 0.0,
    decay: str = "decoupled",
) -> Path:
    """Normalized steps on W, gradients at X = W + b / (1 - b) (W - W_before); `weights` are X, `estimates` W."""
    path, M, X = Path(), {i: np.zeros_like(W[i]) for i in W}, dict(W)
    for t, raw in enumerate(gradients):
        eta, b, wd = at(lr, t), at(momentum, t), at(weight_decay, t)
        G = {i: with_l2(raw[i], X[i], wd, decay) for i in W}
        first = t == 0 and momentum_init == "first"
        M = {i: G[i] if first else b * M[i] + (1 - b) * G[i] for i in W}
        norms = {i: length(M[i]) for i in W}
        if scope == "joint":
            norms = dict.fromkeys(W, math.sqrt(sum(x**2 for x in norms.values())))
        before = W
        W = {i: moved(W[i], -eta * M[i] / norms[i], eta, wd, decay) for i in W}
        X = {i: W[i] + b / (1 - b) * (W[i] - before[i]) for i in W}
        path.weights.append(X)
        path.estimates.append(W)
    return path


def prodigy(
    W: Blocks,
    gradients: Sequence[Blocks],
    lr: Hyper = 1.0,
    betas: tuple[float, float] = (0.9, 0.999),
    beta3: float | None = None,
    eps: float = 1e-8,
    weight_decay: Hyper = 0.0,
    decay: str = "decoupled",
    bias_correction: bool = False,
    safeguard_warmup: bool = False,
    d0: float = 1e-6,
    d_coef: float = 1.0,
    growth_rate: float = math.inf,
    slice_p: int = 1,
) -> Path:
    """konstmish/prodigy: one d for all blocks; `estimates` are d after each step."""
    b1, b2 = betas
    b3 = math.sqrt(b2) if beta3 is None else beta3
    start = W
    path, d, largest, r, k = Path(), d0, d0, 0.0, 0
    m, v, s = ({i: np.zeros_like(W[i]) for i in W} for _ in range(3))
    s = {i: x.ravel()[::slice_p] for i, x in s.items()}
    for t, raw in enumerate(gradients):
        wd = at(weight_decay, t)
        correction = math.sqrt(1 - b2 ** (k + 1)) / (1 - b1 ** (k + 1)) if bias_correction else 1.0
        step = d * at(lr, t) * correction
        G = {i: with_l2(raw[i], W[i], wd, decay) for i in W}
        r *= b3
        for i in W:
            g = G[i].ravel()[::slice_p]
            r += d / d0 * step * float(np.dot(g, (start[i] - W[i]).ravel()[::slice_p]))
            m[i] = b1 * m[i] + d * (1 - b1) * G[i]
            v[i] = b2 * v[i] + d * d * (1 - b2) * G[i] * G[i]
            s[i] = b3 * s[i] + d / d0 * (d if safeguard_warmup else step) * g
        below = sum(float(np.abs(x).sum()) for x in s.values())
        if below > 0:
            estimate = d_coef * r / below
            old = d
            if d == d0:
                d = max(d, estimate)
            largest = max(largest, estimate)
            d = min(largest, d * growth_rate)
            for i in W:
                root = np.sqrt(v[i]) + d * eps
                M = m[i]
                if b1 == 0:  # without a first moment the code takes the gradient times the new d
                    M = d * G[i]
                kept = 1.0 - step * wd if decay == "decoupled" else 1.0
                W = {**W, i: kept * W[i] - step * divided(M, root)}
            assert d >= old or growth_rate < 1, "the estimate never falls"
            k += 1
        path.weights.append(W)
        path.estimates.append(d)
    return path


def badam(
    W: Blocks,
    gradients: Sequence[Blocks],
    turn: Callable[[int], tuple[int, str]],
    lr: Hyper = 1e-3,
    betas: tuple[Hyper, Hyper] = (0.9, 0.999),
    eps: Hyper = 1e-8,
    weight_decay: Hyper = 0.0,
    decay: str = "decoupled",
) -> Path:
    """AdamW on one block at a time; `turn` gives the number of the turn and its block, and each starts afresh."""
    path, now = Path(), -1
    for t, raw in enumerate(gradients):
        eta, b1, b2, wd = at(lr, t), at(betas[0], t), at(betas[1], t), at(weight_decay, t)
        number, i = turn(t)
        if number != now:
            now, taken = number, 0
            m, v = np.zeros_like(W[i]), np.zeros_like(W[i])
        taken += 1
        G = with_l2(raw[i], W[i], wd, decay)
        m = b1 * m + (1 - b1) * G
        v = b2 * v + (1 - b2) * G * G
        root = np.sqrt(v) / math.sqrt(1 - b2**taken) + at(eps, t)
        D = divided(-eta * m / (1 - b1**taken), root)
        W = {**W, i: moved(W[i], D, eta, wd, decay)}
        path.weights.append(W)
        path.estimates.append(m)
    return path


def square_root_series(kappa: int) -> list[float]:
    """Coefficients of (1 - z)^s, s = 0 ... kappa, in the series of z^(-1/2): (2s)! / (4^s s!^2)."""
    return [math.comb(2 * s, s) / 4**s for s in range(kappa + 1)]


def private_orthogonalized(m: np.ndarray, kappa: int, iterations: int) -> np.ndarray:
    """Y <- p_kappa(Y Y') Y from m / max(1, ||m||_F), on the wide side."""
    Y = m.T if m.shape[0] > m.shape[1] else m
    Y = Y / max(1.0, length(Y))
    one = np.eye(Y.shape[0], dtype=Y.dtype)
    for _ in range(iterations):
        rest, power, p = one - Y @ Y.T, one, np.zeros_like(one)
        for weight in square_root_series(kappa):
            p = p + weight * power
            power = power @ rest
        Y = p @ Y
    return Y.T if m.shape[0] > m.shape[1] else Y


def clipped_mean(per_example: np.ndarray, clip: float) -> np.ndarray:
    """Mean of the examples' gradients, each at most as long as `clip`."""
    total = np.zeros_like(per_example[0])
    for g in per_example:
        total = total + g / max(1.0, length(g) / clip)
    return total / len(per_example)


def dp_muon(
    W: np.ndarray,
    per_example: Sequence[np.ndarray],
    normals: Sequence[np.ndarray],
    lr: Hyper,
    clip: float = 1.0,
    noise_multiplier: float = 1.0,
    momentum: Hyper = 0.95,
    kappa: int = 2,
    iterations: int = 5,
    weight_decay: Hyper = 0.0,
) -> Path:
    """DP-Muon: clip, average, add noise, heavy ball, orthogonalize; `normals` are the standard normal draws."""
    path, m = Path(), np.zeros_like(W)
    for t, (examples, normal) in enumerate(zip(per_example, normals, strict=True)):
        eta, wd = at(lr, t), at(weight_decay, t)
        noise = noise_multiplier * clip / len(examples) * normal
        m = at(momentum, t) * m + clipped_mean(examples, clip) + noise
        W = moved(W, -eta * private_orthogonalized(m, kappa, iterations), eta, wd, "decoupled")
        path.weights.append(W)
        path.estimates.append(m)
    return path


def muon_steps(added: float) -> Callable[[np.ndarray], np.ndarray]:
    """Muon's five steps with this eps in the norm."""

    def orthogonalize(u: np.ndarray) -> np.ndarray:
        return iterate(u, (MUON,) * 5, added=added)

    return orthogonalize
