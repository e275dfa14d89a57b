"""The sides that are written in Python: the package, and the same rules written in NumPy.

Usage: ``python sides.py oracle {schattor,numpy} DTYPE P FILE`` or
``python sides.py step {schattor,numpy,numpy_stacked} RULE DTYPE SHAPES``, with SHAPES such as 128x784,64x128.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
from harness import serve

Array = np.ndarray[Any, np.dtype[Any]]

LR = 1e-3
MOMENTUM = 0.9
P = 4.0


# ----------------------------------------------------------------------------- the rules in NumPy


def ball_direction(M: Array, p: float) -> Array:
    """Minus the ball oracle: U diag(sigma^(q-1) / ||sigma||_q^(q-1)) V'; also for stacks of matrices."""
    U, s, Vt = np.linalg.svd(M, full_matrices=False)
    q = p / (p - 1)
    t = s / s[..., :1]
    f = t ** (q - 1) / (t**q).sum(axis=-1, keepdims=True) ** (1 / p)
    direction: Array = (U * f[..., None, :]) @ Vt
    return direction


def newton_schulz(M: Array) -> Array:
    """Five quintic steps with Muon's coefficients."""
    X: Array = M.T if M.shape[0] > M.shape[1] else M
    X = X / np.linalg.norm(X)
    for _ in range(5):
        A = X @ X.T
        X = 3.4445 * X + (-4.7750 * A + 2.0315 * A @ A) @ X
    return X.T if M.shape[0] > M.shape[1] else X


def schattor_numpy(W: list[Array], G: list[Array]) -> Callable[[], None]:
    """Ball rule of the Schatten-4 norm; momentum starts at the first gradient."""
    M = [g.copy() for g in G]

    def step() -> None:
        for w, g, m in zip(W, G, M, strict=True):
            m *= MOMENTUM
            m += (1 - MOMENTUM) * g
            w -= LR * ball_direction(m, P)

    return step


def muon_numpy(W: list[Array], G: list[Array]) -> Callable[[], None]:
    """Keller Jordan's Muon."""
    M = [np.zeros_like(g) for g in G]

    def step() -> None:
        for w, g, m in zip(W, G, M, strict=True):
            m *= MOMENTUM
            m += (1 - MOMENTUM) * g
            u = (1 - MOMENTUM) * g + MOMENTUM * m
            w -= (LR * max(1.0, w.shape[0] / w.shape[1]) ** 0.5) * newton_schulz(u)

    return step


def adamw_numpy(W: list[Array], G: list[Array]) -> Callable[[], None]:
    """AdamW with decoupled decay."""
    M = [np.zeros_like(g) for g in G]
    V = [np.zeros_like(g) for g in G]
    t = 0

    def step() -> None:
        nonlocal t
        t += 1
        for w, g, m, v in zip(W, G, M, V, strict=True):
            m *= 0.9
            m += 0.1 * g
            v *= 0.999
            v += 0.001 * (g * g)
            w *= 1 - LR * 0.01
            w -= (LR / (1 - 0.9**t)) * m / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)

    return step


def sgd_numpy(W: list[Array], G: list[Array]) -> Callable[[], None]:
    """SGD with heavy-ball momentum."""
    B: list[Array] = []

    def step() -> None:
        if not B:
            B.extend(g.copy() for g in G)
        else:
            for b, g in zip(B, G, strict=True):
                b *= MOMENTUM
                b += g
        for w, b in zip(W, B, strict=True):
            w -= LR * b

    return step


NUMPY_RULES = {"schattor": schattor_numpy, "muon": muon_numpy, "adamw": adamw_numpy, "sgd": sgd_numpy}


def schattor_step(rule: str, W: list[Array], G: list[Array]) -> Callable[[], None]:
    """Return the package's step by the same rule."""
    import schattor as st

    names = [f"W{i}" for i in range(len(W))]
    params = dict(zip(names, W, strict=True))
    grads = dict(zip(names, G, strict=True))
    makers: dict[str, Callable[[], Any]] = {
        "schattor": lambda: st.Schattor(params, p=P, lr=LR, momentum=MOMENTUM),
        "muon": lambda: st.Muon(params, lr=LR, momentum=MOMENTUM),
        "adamw": lambda: st.AdamW(params, lr=LR),
        "sgd": lambda: st.SGD(params, lr=LR, momentum=MOMENTUM),
    }
    optimizer = makers[rule]()
    return lambda: optimizer.step(grads)


# -------------------------------------------------------------------------------------- the sides


def step_side(who: str, rule: str, dtype: str, shapes: str) -> None:
    """Take steps with fixed gradients."""
    sizes = [tuple(map(int, shape.split("x"))) for shape in shapes.split(",")]
    rng = np.random.default_rng(0)
    G = [rng.standard_normal(size).astype(dtype) for size in sizes]
    W = [np.zeros(size, dtype) for size in sizes]
    first, last = W[0], W[-1]
    if who == "schattor":
        step = schattor_step(rule, W, G)
    elif who == "numpy_stacked":
        stack = np.zeros((len(W), *sizes[0]), dtype)
        first, last = stack[0], stack[-1]
        step = NUMPY_RULES[rule]([stack], [np.stack(G)])
    else:
        step = NUMPY_RULES[rule](W, G)

    def run(calls: int) -> None:
        for _ in range(calls):
            step()

    def check() -> list[float]:
        run(3)
        return [float(x) / LR for x in (first[0, 0], first[-1, -1], last[0, 0], last[-1, -1])]

    serve(check, run)


def oracle_side(who: str, dtype: str, p: float, rows: int, cols: int, path: str) -> None:
    """Call the ball oracle on one matrix after the other."""
    matrices = list(np.fromfile(path, dtype).reshape(-1, rows, cols))
    if who == "schattor":
        from schattor import ball_oracle as oracle
    else:

        def oracle(G: Array, p: float) -> Array:
            return -ball_direction(G, p)

    count = len(matrices)

    def run(calls: int) -> None:
        for i in range(calls):
            oracle(matrices[i % count], p)

    def check() -> list[float]:
        D = oracle(matrices[0], p)
        return [float(D[0, 0]), float(D[-1, -1])]

    serve(check, run)


def main() -> None:
    """Serve the side that the arguments name."""
    kind, who, *rest = sys.argv[1:]
    if kind == "step":
        step_side(who, *rest)
    else:
        dtype, p, rows, cols, path = rest
        oracle_side(who, dtype, math.inf if p == "inf" else float(p), int(rows), int(cols), path)


if __name__ == "__main__":
    main()
