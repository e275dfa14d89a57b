"""Runs of Algorithms 1 to 4 on stochastic quadratics whose constants are known, and what they measure.

As a script: how good the parameters of the explicit bounds are. It prints a table and writes it to a file.

    PYTHONPATH=tests python -m theory.runs tests/results/parameters.json
"""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from typing import Any

import numpy as np

import schattor as st
from schattor.experiments.stochastic import Setting, average

P = st.problems


def against_grid(p: float, rule: str, T: int, scale: float, runs: int = 4) -> dict[str, Any]:
    """How the parameters that minimise the bound compare with the best of a 5 x 13 grid of theta and lr.

    The quadratic has 8 x 12 entries and Q = diag(1, 1/2, .., 1/8) / 2, the noise a diagonal covariance; B = B_0 = 4.
    Both are judged on the same seeds, which favours the grid.
    """
    target = np.random.default_rng(0).standard_normal((8, 12))
    quadratic = P.MatrixQuadratic(np.diag(1 / np.arange(1.0, 9)) / 2, target)
    noise = P.GaussianNoise(scale * np.linspace(1, 0.3, 8), (8, 12))
    sigma = st.theory.variance_proxy(noise.covariance, p)
    setting = Setting(P.WithNoise(quadratic, {"W": noise}), p, quadratic.lipschitz(p), sigma, 4)
    chosen = st.theory.parameters(setting.delta, setting.L, sigma, T, 4, rule, first_batch=4)

    def measure(lr: float, theta: float) -> float:
        measured = average(setting, rule, lr, theta, T, 4, runs, seed=1)
        return measured.gradient if rule == "ball" else math.sqrt(measured.squared_gradient)

    reached = measure(chosen.lr, chosen.theta)
    grid = {
        (theta, k): measure(chosen.lr * 2.0**k, theta)
        for theta in (0.03, 0.1, 0.3, 0.6, 1.0)
        for k in np.linspace(-3, 6, 13)
    }
    theta, k = min(grid, key=grid.__getitem__)
    bound = chosen.bound.total if rule == "ball" else math.sqrt(chosen.bound.total)
    return {
        "p": "inf" if math.isinf(p) else p,
        "rule": rule,
        "T": T,
        "noise": scale,
        "theta": chosen.theta,
        "dominant": chosen.dominant,
        "ratio": reached / grid[theta, k],
        "bound over measured": bound / reached,
        "best theta": theta,
        "best lr over lr": 2.0**k,
    }


def main(path: str) -> None:
    """Compare over geometries, rules, lengths and noise; print and store."""
    rows = []
    for scale in (0.5, 2.0, 8.0):
        for T in (200, 1000):
            for p in (2.0, 4.0, np.inf):
                for rule in ("ball", "regularization"):
                    row = against_grid(p, rule, T, scale)
                    rows.append({k: float(f"{x:.4g}") if isinstance(x, float) else x for k, x in row.items()})
                    print(rows[-1], flush=True)
    record = {
        "schattor": st.__version__,
        "numpy": np.__version__,
        "command": "python -m theory.runs",
        "rows": rows,
    }
    Path(path).write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main(sys.argv[1])
