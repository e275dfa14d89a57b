"""Methods with Kronecker factors as plain NumPy loops, each as its source writes it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from .newton_schulz import MUON
from .recipes import Hyper, Path, at, divided, iterate, moved, polar, with_l2


def inverse_root(A: np.ndarray, exponent: float, eps: float) -> np.ndarray:
    """(A + eps I)^-exponent from the eigenvalues; with eps = 0 of those above rounding (a pseudo-inverse).

    Where rounding leaves an eigenvalue below eps, all are shifted so that the least is eps.
    """
    w, Q = np.linalg.eigh(A + eps * np.eye(len(A), dtype=A.dtype) if eps else A)
    if eps:
        w = w if w.min() >= eps else w - w.min() + eps
        return (Q * w**-exponent) @ Q.T
    above = w > len(A) * float(np.finfo(A.dtype).eps) * max(float(w.max()), 0.0)
    return (Q * np.where(above, np.where(above, w, 1) ** -exponent, 0)) @ Q.T


def outer(G: np.ndarray) -> list[np.ndarray]:
    """GG' and G'G of a matrix, gg' of a vector."""
    return [np.outer(G, G)] if G.ndim == 1 else [G @ G.T, G.T @ G]


def between(X: np.ndarray, factors: Sequence[np.ndarray]) -> np.ndarray:
    """LXR of a matrix, Lx of a vector."""
    return factors[0] @ X if X.ndim == 1 else factors[0] @ X @ factors[1]


@dataclass(frozen=True)
class Graft:
    """The method whose length a step takes: "sgd", "adagrad", "rmsprop" or "adam"."""

    kind: str
    eps: float = 1e-8
    beta: float = 1.0

    def direction(self, u: np.ndarray, V: np.ndarray, t: int) -> np.ndarray:
        """The estimate in the metric of this method; V is its moment after step t = 0, 1, ..."""
        if self.kind == "sgd":
            return u
        root = np.sqrt(V / (1 - self.beta ** (t + 1))) if self.kind == "adam" else np.sqrt(V)
        return divided(u, root + self.eps)

    def observed(self, V: np.ndarray, G: np.ndarray) -> np.ndarray:
        """The moment after a gradient."""
        return V + G * G if self.kind == "adagrad" else self.beta * V + (1 - self.beta) * G * G


def shampoo(
    W: np.ndarray,
    gradients: Sequence[np.ndarray],
    lr: Hyper = 1e-2,
    betas: tuple[Hyper, Hyper] = (0.9, 1.0),
    eps: float = 1e-12,
    graft: Graft | None = None,
    precondition_frequency: int = 1,
    start: int | None = None,
    weight_decay: Hyper = 0.0,
    decay: str = "decoupled",
    beta3: float | None = None,
    debias: bool = True,
    momentum: float = 0.0,
    dampening: float = 0.0,
    nesterov: bool = False,
) -> Path:
    """Distributed Shampoo, one block per array; beta_2 = 1 sums the statistics."""
    path, M, V, B = Path(), np.zeros_like(W), np.zeros_like(W), np.zeros_like(W)
    factors = [np.zeros_like(S) for S in outer(W)]
    roots = [np.eye(len(S), dtype=W.dtype) for S in factors]
    first = precondition_frequency if start is None else start
    for t, G in enumerate(gradients):
        eta, b1, b2, wd = at(lr, t), at(betas[0], t), at(betas[1], t), at(weight_decay, t)
        b3 = b1 if beta3 is None else beta3
        G = with_l2(G, W, wd, decay)
        factors = [b2 * S + (1 if b2 == 1 else 1 - b2) * X for S, X in zip(factors, outer(G), strict=True)]
        if graft:
            V = graft.observed(V, G)
        if t + 1 == first or (t + 1 > first and (t + 1) % precondition_frequency == 0):
            correction = 1 - b2 ** (t + 1) if debias and b2 < 1 else 1.0
            roots = [inverse_root(S / correction, 1 / (2 * W.ndim), eps) for S in factors]
        u = b3 * M + (1 - b3) * G
        M = b1 * M + (1 - b1) * G
        if debias:
            u = u / (1 - b3 * b1**t)
        P = between(u, roots)
        if graft:
            Q = graft.direction(u, V, t)
            length = math.sqrt((Q**2).sum()) / (math.sqrt((P**2).sum()) + 1e-16)
            P = Q if t + 1 < first else length * P
        B = momentum * B + (1 - dampening) * P
        P = (1 - dampening) * P + momentum * B if nesterov else B if momentum else P
        W = moved(W, -eta * P, eta, wd, decay)
        path.weights.append(W)
        path.estimates.append(u)
    return path


def refreshed(S: np.ndarray, Q: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """SOAP's new basis: columns by falling diag(Q'SQ), one power iteration, QR. And that order."""
    order = np.argsort(-np.diag(Q.T @ S @ Q), kind="stable")
    return np.linalg.qr(S @ Q[:, order])[0], order


def eigenbasis(S: np.ndarray) -> np.ndarray:
    """Eigenvectors by falling eigenvalue."""
    return np.linalg.eigh(S)[1][:, ::-1]


def soap(
    W: np.ndarray,
    gradients: Sequence[np.ndarray],
    lr: Hyper = 3e-3,
    betas: tuple[Hyper, Hyper] = (0.95, 0.95),
    shampoo_beta: float | None = None,
    eps: Hyper = 1e-8,
    precondition_frequency: int = 10,
    max_precond_dim: int = 10000,
    weight_decay: Hyper = 0.0,
    decay: str = "after",
    skip_first: bool = True,
    debias: bool = True,
    normalize: bool = False,
    bases: tuple[np.ndarray | None, np.ndarray | None] | None = None,
    exact: bool = False,
) -> Path:
    """nikhilvyas/SOAP, with the momentum in the original space; `bases` are the first ones where they are not unique.

    Without `skip_first` the statistics and, every `precondition_frequency` steps, the bases are advanced before they
    are used, from the first step on. `exact` bases are eigenvectors at each refresh instead of a QR iteration.
    """
    path, M, V = Path(), np.zeros_like(W), np.zeros_like(W)
    shape = W.shape if W.ndim == 2 else (W.size, 1)
    sides = [i for i in range(2) if W.ndim == 2 and shape[i] <= max_precond_dim]
    S = {i: np.zeros((shape[i], shape[i]), W.dtype) for i in sides}
    Q = {i: np.eye(shape[i], dtype=W.dtype) for i in sides}

    def turn(X: np.ndarray, back: bool = False) -> np.ndarray:
        for i in sides:
            R = Q[i] if back else Q[i].T
            X = R @ X if i == 0 else X @ R.T
        return X

    def observe(t: int, G: np.ndarray, due: bool) -> None:
        nonlocal V
        b = at(betas[1], t) if shampoo_beta is None else shampoo_beta
        for i in sides:
            S[i] = b * S[i] + (1 - b) * (G @ G.T if i == 0 else G.T @ G)
            if t == 0:
                given = bases[i] if bases else None
                Q[i] = eigenbasis(S[i]) if given is None else given.astype(W.dtype)
            elif due and exact:
                Q[i] = eigenbasis(S[i])
            elif due:
                Q[i], order = refreshed(S[i], Q[i])
                V = V.take(order, axis=i)

    for step, G in enumerate(gradients):
        eta, b1, b2, wd = at(lr, step), at(betas[0], step), at(betas[1], step), at(weight_decay, step)
        G = with_l2(G, W, wd, decay)
        if skip_first and step == 0:
            observe(0, G, False)
            path.weights.append(W)
            path.estimates.append(np.zeros_like(W))
            continue
        t = step if skip_first else step + 1
        if not skip_first:
            observe(step, G, t % precondition_frequency == 0)
        M = b1 * M + (1 - b1) * G
        V = b2 * V + (1 - b2) * turn(G) ** 2
        U = turn(divided(turn(M), np.sqrt(V) + at(eps, step)), back=True)
        if normalize:
            U = U / math.sqrt((U**2).mean())
        factor = math.sqrt(1 - b2**t) / (1 - b1**t) if debias else 1.0
        W = moved(W, -eta * factor * U, eta, wd, decay)
        if skip_first:
            observe(step, G, t % precondition_frequency == 0)
        path.weights.append(W)
        path.estimates.append(M)
    return path


def eigen_adam(
    W: np.ndarray,
    gradients: Sequence[np.ndarray],
    lr: Hyper = 1e-3,
    betas: tuple[Hyper, Hyper, Hyper] = (0.9, 0.999, 0.999),
    eps: Hyper = 1e-8,
    precondition_frequency: int = 200,
    weight_decay: Hyper = 0.0,
    decay: str = "decoupled",
    debias: bool = True,
    side: int | None = None,
    basis: Callable[[np.ndarray], np.ndarray] = eigenbasis,
) -> Path:
    """arXiv 2502.07752, Algorithm 7: Adam in the eigenbasis of the average of GG', on the smaller side."""
    path, M, V = Path(), np.zeros_like(W), np.zeros_like(W)
    side = side if side is not None else int(W.ndim == 2 and W.shape[1] < W.shape[0])
    S, U = 0.0, None
    for t, G in enumerate(gradients):
        eta, b1, b2, b3, wd = at(lr, t), *(at(b, t) for b in betas), at(weight_decay, t)
        G = with_l2(G, W, wd, decay)
        X, Y = (G.T, W.T) if side else (G, W)
        if X.ndim == 2:
            S = b3 * S + (1 - b3) * X @ X.T
            U = basis(S) if t == 0 or (t + 1) % precondition_frequency == 0 else U
        M = b1 * M + (1 - b1) * G
        m = M.T if side else M
        v = V.T if side else V
        v = b2 * v + (1 - b2) * (X if U is None else U.T @ X) ** 2
        mean, second = (1 - b1 ** (t + 1), 1 - b2 ** (t + 1)) if debias else (1.0, 1.0)
        D = divided((m if U is None else U.T @ m) / mean, np.sqrt(v / second) + at(eps, t))
        Y = moved(Y, -eta * (D if U is None else U @ D), eta, wd, decay)
        W, V = (Y.T, v.T) if side else (Y, v)
        path.weights.append(W)
        path.estimates.append(M)
    return path


def kfac(
    W: np.ndarray,
    gradients: Sequence[np.ndarray],
    activations: Sequence[np.ndarray],
    deltas: Sequence[np.ndarray],
    lr: Hyper,
    momentum: Hyper = 0.9,
    beta: Hyper = 0.95,
    damping: Hyper = 1e-3,
    precondition_frequency: int = 5,
    weight_decay: Hyper = 0.0,
    decay: str = "l2",
) -> Path:
    """arXiv 1503.05671, with the weighted means of kfac-jax: (C + sqrt(l)/pi)^-1 G (A + pi sqrt(l))^-1.

    A and C are means of the outer products of the rows of `activations` and `deltas`; pi^2 is the quotient of their
    mean eigenvalues. The inverses are renewed at t = 1 and where `precondition_frequency` divides t.
    """
    path, D = Path(), np.zeros_like(W)
    A, C, weight = 0.0, 0.0, 0.0
    inverse_A = inverse_C = None
    for t, G in enumerate(gradients):
        eta, mu, b, wd, lam = (at(x, t) for x in (lr, momentum, beta, weight_decay, damping))
        G = with_l2(G, W, wd, decay)
        a, d = activations[t], deltas[t]
        A, C, weight = b * A + a.T @ a / len(a), b * C + d.T @ d / len(d), b * weight + 1
        if t == 0 or (t + 1) % precondition_frequency == 0:
            mean_A, mean_C = A / weight, C / weight
            trace_A, trace_C = float(np.trace(mean_A)) / len(A), float(np.trace(mean_C)) / len(C)
            pi = math.sqrt(trace_A / trace_C) if trace_A > 0 and trace_C > 0 else 1.0
            root = math.sqrt(lam)
            inverse_A = np.linalg.inv(mean_A + pi * root * np.eye(len(A), dtype=W.dtype))
            inverse_C = np.linalg.inv(mean_C + root / pi * np.eye(len(C), dtype=W.dtype))
        D = mu * D - eta * inverse_C @ G @ inverse_A
        W = moved(W, D, eta, wd, decay)
        path.weights.append(W)
        path.estimates.append(G)
    return path


def five_steps(u: np.ndarray) -> np.ndarray:
    """Muon's iteration."""
    return iterate(u, (MUON,) * 5, added=1e-7)


def newton_muon(
    W: np.ndarray,
    gradients: Sequence[np.ndarray],
    activations: Callable[[int], np.ndarray],
    lr: Hyper = 3e-4,
    momentum: Hyper = 0.95,
    nesterov: bool = True,
    beta: float = 0.95,
    initial: float = 1e-3,
    ridge: float = 0.2,
    eps: float = 1e-8,
    precondition_frequency: int = 32,
    offset: int = 0,
    blocks: int = 1,
    parts: int = 1,
    weight_decay: Hyper = 0.0,
    decay: str = "decoupled",
    orthogonalize: Callable[[np.ndarray], np.ndarray] = polar,
) -> Path:
    """zhehangdu/Newton-Muon: G (K + rho I)^-1 before the momentum, K renewed in every 32nd step.

    K has `blocks` diagonal blocks; `parts` row blocks of the matrix are orthogonalised one by one; `offset` counts
    steps taken before the first.
    """
    path, M, n = Path(), np.zeros_like(W), W.shape[1] // blocks
    K = [initial * np.eye(n, dtype=W.dtype) for _ in range(blocks)]
    inverse = [np.eye(n, dtype=W.dtype) for _ in range(blocks)]
    for t, G in enumerate(gradients):
        eta, mu, wd = at(lr, t), at(momentum, t), at(weight_decay, t)
        G = with_l2(G, W, wd, decay)
        if (offset + t + 1) % precondition_frequency == 0:
            for j, Z in enumerate(np.split(activations(t), blocks, axis=1)):
                K[j] = beta * K[j] + (1 - beta) * Z.T @ Z / len(Z)
                rho = ridge * float(np.trace(K[j])) / n + eps
                inverse[j] = np.linalg.inv(K[j] + rho * np.eye(n, dtype=W.dtype))
        G = np.hstack([X @ inv for X, inv in zip(np.split(G, blocks, axis=1), inverse, strict=True)])
        M = mu * M + G
        u = G + mu * M if nesterov else M
        O = np.vstack([orthogonalize(x) for x in np.split(u, parts)])
        D = -eta * math.sqrt(max(W.shape[0] // parts, W.shape[1])) * O
        W = moved(W, D, eta, wd, decay)
        path.weights.append(W)
        path.estimates.append(u)
    return path
