"""Composites round the polar factor as plain NumPy loops: MuonEq, Muon+, Aurora, RMNP, LoRA-Muon, Stiefel methods.

`orthogonalize` is the polar factor that a method uses: exact, or the Newton-Schulz iteration of its code.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from .recipes import Hyper, Path, at, divided, lines_to_length_one, moved, polar, shape_factor, with_l2

Polar = Callable[[np.ndarray], np.ndarray]


def equilibrated(u: np.ndarray, lines: str, eps: float) -> np.ndarray:
    """MuonEq: both factors of "rowcol" come from u as it is."""
    rows = 1 / np.sqrt((u**2).sum(1, keepdims=True) + eps)
    columns = 1 / np.sqrt((u**2).sum(0, keepdims=True) + eps)
    return {"row": rows * u, "col": u * columns, "rowcol": rows * u * columns}[lines]


def muon_eq(
    W: np.ndarray,
    gradients: Sequence[np.ndarray],
    lr: Hyper = 1e-3,
    lines: str | Callable[[int], str] = "row",
    momentum: Hyper = 0.95,
    nesterov: bool = True,
    eps: float = 1e-8,
    weight_decay: Hyper = 0.1,
    decay: str = "decoupled",
    scale: str | float = "match_rms_adamw",
    orthogonalize: Polar = polar,
) -> Path:
    """MaeChd/muon-eq; `estimates` is what is orthogonalised."""
    path, B = Path(), np.zeros_like(W)
    for t, G in enumerate(gradients):
        eta, b, wd = at(lr, t), at(momentum, t), at(weight_decay, t)
        G = with_l2(G, W, wd, decay)
        B = b * B + G
        u = G + b * B if nesterov else B
        u = equilibrated(u, lines(t) if callable(lines) else lines, eps)
        W = moved(W, -eta * shape_factor(scale, W.shape) * orthogonalize(u), eta, wd, decay)
        path.weights.append(W)
        path.estimates.append(u)
    return path


def muon_plus(
    W: np.ndarray,
    gradients: Sequence[np.ndarray],
    lr: Hyper = 1e-3,
    lines: Sequence[str] = ("col",),
    momentum: Hyper = 0.95,
    nesterov: bool = True,
    eps: float = 1e-7,
    weight_decay: Hyper = 0.1,
    decay: str = "decoupled",
    scale: str | float = "spectral",
    nuclear: bool = False,
    orthogonalize: Polar = polar,
) -> Path:
    """K1seki221/MuonPlus; `nuclear` multiplies by <u, O> with the normalised O."""
    path, B = Path(), np.zeros_like(W)
    for t, G in enumerate(gradients):
        eta, b, wd = at(lr, t), at(momentum, t), at(weight_decay, t)
        G = with_l2(G, W, wd, decay)
        B = b * B + G
        u = G + b * B if nesterov else B
        O = orthogonalize(u)
        for line in lines:
            O = O / np.sqrt((O**2).sum(0 if line == "col" else 1, keepdims=True) + eps)
        length = (u * O).sum() if nuclear else 1.0
        W = moved(W, -eta * length * shape_factor(scale, W.shape) * O, eta, wd, decay)
        path.weights.append(W)
        path.estimates.append(u)
    return path


def equal_leverage(u: np.ndarray, passes: int, beta: float, orthogonalize: Polar) -> np.ndarray:
    """Aurora's row-scaled matrix, whose polar factor is the last one of its passes."""
    if u.shape[0] == u.shape[1]:
        return u
    if u.shape[0] < u.shape[1]:
        return equal_leverage(u.T, passes, beta, orthogonalize).T
    m, n = u.shape
    length = np.sqrt((u**2).sum(1, keepdims=True))
    D = divided(np.ones_like(length), length)
    for _ in range(passes - 1):
        U = orthogonalize(D * u)
        leverage = (U**2).sum(1, keepdims=True)
        D = D * divided(np.full_like(leverage, n / m), leverage) ** beta
    return D * u


def aurora(
    W: np.ndarray,
    gradients: Sequence[np.ndarray],
    lr: Hyper = 0.05,
    passes: int = 2,
    beta: float = 0.5,
    momentum: Hyper = 0.95,
    nesterov: bool = True,
    weight_decay: Hyper = 0.025,
    decay: str = "decoupled",
    scale: str | float = "original",
    orthogonalize: Polar = polar,
) -> Path:
    """tilde-research/aurora-release: src/aurora.py."""
    path, M = Path(), np.zeros_like(W)
    for t, G in enumerate(gradients):
        eta, b, wd = at(lr, t), at(momentum, t), at(weight_decay, t)
        G = with_l2(G, W, wd, decay)
        M = b * M + (1 - b) * G
        u = (1 - b) * G + b * M if nesterov else M
        u = equal_leverage(u, passes, beta, orthogonalize)
        W = moved(W, -eta * shape_factor(scale, W.shape) * orthogonalize(u), eta, wd, decay)
        path.weights.append(W)
        path.estimates.append(u)
    return path


def rmnp(
    W: np.ndarray,
    gradients: Sequence[np.ndarray],
    lr: Hyper = 0.02,
    momentum: Hyper = 0.95,
    nesterov: bool = True,
    weight_decay: Hyper = 0.0,
    decay: str = "decoupled",
    scale: str | float = "original",
) -> Path:
    """Dominator-Index/RMNP; without Nesterov its code drops the momentum, which is written here as momentum 0."""
    path, B = Path(), np.zeros_like(W)
    for t, G in enumerate(gradients):
        eta, b, wd = at(lr, t), at(momentum, t), at(weight_decay, t)
        G = with_l2(G, W, wd, decay)
        B = b * B + G
        u = G + b * B if nesterov else B
        W = moved(W, -eta * shape_factor(scale, W.shape) * lines_to_length_one(u, 1), eta, wd, decay)
        path.weights.append(W)
        path.estimates.append(u)
    return path


def inverse_root(S: np.ndarray, eps: float) -> np.ndarray:
    """(S + eps I)^(-1/2)."""
    values, V = np.linalg.eigh(S)
    return (V / np.sqrt(np.maximum(values, 0) + eps)) @ V.T


def lora_muon(
    B: np.ndarray,
    A: np.ndarray,
    gradients: Sequence[tuple[np.ndarray, np.ndarray]],
    lr: Hyper = 0.1,
    momentum: Hyper = 0.95,
    eps: float = 1e-8,
    weight_decay: Hyper = 0.0,
    orthogonalize: Polar = polar,
) -> tuple[Path, Path]:
    """arXiv 2606.12921, algorithm 1, for W = B A, with the damping of the Gram matrices of arXiv 2605.09238."""
    paths, M_B, M_A = (Path(), Path()), np.zeros_like(B), np.zeros_like(A)
    for t, (G_B, G_A) in enumerate(gradients):
        eta, b, wd = at(lr, t), at(momentum, t), at(weight_decay, t)
        M_B = b * M_B + (1 - b) * G_B
        M_A = b * M_A + (1 - b) * G_A
        R_A, R_B = inverse_root(A @ A.T, eps), inverse_root(B.T @ B, eps)
        X_B, X_A = orthogonalize(M_B @ R_A) @ R_A, R_B @ orthogonalize(R_B @ M_A)
        s = math.sqrt(1 - wd * eta)
        B, A = s * B - eta / 2 / s * X_B, s * A - eta / 2 / s * X_A
        for path, W, M in zip(paths, (B, A), (M_B, M_A), strict=True):
            path.weights.append(W)
            path.estimates.append(M)
    return paths


def tangent_oracle(
    W: np.ndarray, G: np.ndarray, steps: int, step_size: float, tolerance: float, orthogonalize: Polar
) -> tuple[np.ndarray, np.ndarray]:
    """max <G, A> over ||A||_op <= 1 and A'W + W'A = 0 for tall W with W'W = I, by dual ascent; A and the dual point."""
    L = -0.25 * (W.T @ G + G.T @ W)
    for step in range(steps):
        A = orthogonalize(G + 2 * W @ L)
        H = W.T @ A + A.T @ W
        if math.sqrt(float((H**2).sum())) / math.sqrt(H.size) < tolerance:
            break
        if step + 1 < steps:  # the code updates the dual point once more, but not A
            L = L - step_size * (1 - step / steps) * H
    return A, L


def manifold_muon(
    W: np.ndarray,
    gradients: Sequence[np.ndarray],
    lr: Hyper = 0.1,
    steps: int = 100,
    step_size: float = 0.01,
    tolerance: float = 1e-6,
    orthogonalize: Polar = polar,
) -> Path:
    """thinking-machines-lab/manifolds; its code normalises no gradient."""
    path = Path()
    for t, G in enumerate(gradients):
        wide = W.shape[0] < W.shape[1]
        X, u = (W.T, G.T) if wide else (W, G)
        A = tangent_oracle(X, u, steps, step_size, tolerance, orthogonalize)[0]
        X = orthogonalize(X - at(lr, t) * A)
        W = X.T if wide else X
        path.weights.append(W)
        path.estimates.append(G)
    return path


def skew_part(X: np.ndarray) -> np.ndarray:
    """(X - X') / 2."""
    return (X - X.T) / 2


def polar_on_range(X: np.ndarray, norm: float) -> np.ndarray:
    """The polar factor without the singular values that rounding leaves beside a matrix of this norm."""
    U, s, Vt = np.linalg.svd(X, full_matrices=False)
    keep = s > max(X.shape) * float(np.finfo(X.dtype).eps) * norm
    return U[:, keep] @ Vt[keep]


def intrinsic_direction(W: np.ndarray, G: np.ndarray) -> np.ndarray:
    """W msgn(skew(W'G)) + msgn((I - W W')G) for tall W with W'W = I."""
    norm = float(np.linalg.norm(G))
    turn = skew_part(polar_on_range(skew_part(W.T @ G), norm))
    return W @ turn + polar_on_range(G - W @ (W.T @ G), norm)


def intrinsic_muon(
    W: np.ndarray,
    gradients: Sequence[np.ndarray],
    lr: Hyper = 0.1,
) -> Path:
    """1bang118/manifold-intrinsic-muon, Stiefel with the polar retraction."""
    path = Path()
    for t, G in enumerate(gradients):
        wide = W.shape[0] < W.shape[1]
        X, u = (W.T, G.T) if wide else (W, G)
        X = polar(X - at(lr, t) * intrinsic_direction(X, u))
        W = X.T if wide else X
        path.weights.append(W)
        path.estimates.append(G)
    return path
