"""What the guide on noise shows: the tightness of the moment bounds, the forms, the drift along a run.

PYTHONPATH=tests python -m noise.measure tests/results/noise.json
"""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from typing import Any

import numpy as np

import schattor as st
from schattor._provenance import provenance

SEED = 0
Row = dict[str, Any]


def unit_draws(k: int) -> np.ndarray:
    """All of +-sqrt(k) e_i e_1', whose covariance is the identity."""
    draws = np.zeros((2 * k, k, k))
    draws[np.arange(k), np.arange(k), 0] = math.sqrt(k)
    draws[k:] = -draws[:k]
    return draws


def beyond_two() -> list[Row]:
    """Measured over formula of one draw and of a mean of 16 with equal weights, for noise in one random row."""
    rows = []
    for k in (4, 16, 64):
        for q in (1.0, 4 / 3, 2.0, 3.0, 4.0, math.inf):
            p = math.inf if q == 1 else 1.0 if math.isinf(q) else q / (q - 1)
            sums = st.noise.partial_sums(unit_draws(k), np.ones(16) / 16, p, repetitions=200, rng=SEED)
            rows.append(
                {"k": k, "q": q, "proven": sums.proven, "one": sums.ratio[0], "sixteen": sums.ratio[-1]}
            )
    return rows


def dimensions() -> list[Row]:
    """Momentum's sum of Gaussian noise in d x d with sigma_1 = 1: eigenvalues of V in proportion to 1, 1/4, 1/9, ..."""
    theta, T, rows = 0.1, 50, []
    c = theta * (1 - theta) ** np.arange(T)[::-1]
    for d in (4, 16, 64, 256):
        V = 1 / np.arange(1.0, d + 1) ** 2
        noise = st.problems.GaussianNoise(V / V.sum(), (d, d))
        sums = st.noise.partial_sums(noise, c, np.inf, repetitions=10 if d > 64 else 40, rng=SEED)
        rows.append(
            {
                "d": d,
                "measured": sums.measured[-1],
                "standard_error": sums.standard_error[-1],
                "bound": sums.bound[-1],
                "frobenius_bound": sums.frobenius_bound[-1],
            }
        )
    return rows


def forms() -> list[Row]:
    """sigma_q of diagonal and sketch over that of the full form: 64 x 96, 64 micro-batches, rotated covariances."""
    rng, rows = np.random.default_rng(SEED), []
    Q = np.linalg.qr(rng.standard_normal((64, 64)))[0]
    for name, V in {
        "flat": np.ones(64),
        "1/i": 1 / np.arange(1.0, 65),
        "1/i^2": 1 / np.arange(1.0, 65) ** 2,
        "rank 8": np.r_[np.ones(8), np.zeros(56)],
    }.items():
        G = st.problems.GaussianNoise(Q * V @ Q.T, (64, 96)).draw(64, rng)
        full = st.noise.covariance(G)
        row: Row = {"V": name}
        for label, options in {
            "diagonal": {"form": "diagonal"},
            "sketch 8": {"form": "sketch", "rank": 8},
            "sketch 16": {"form": "sketch", "rank": 16},
            "sketch 32": {"form": "sketch", "rank": 32},
        }.items():
            other = st.noise.covariance(G, **options)
            row[label] = [other.sigma(q).uncorrected / full.sigma(q).uncorrected for q in (1, 4 / 3)]
        rows.append(row)
    return rows


def drift() -> list[Row]:
    """sigma_{4/3} along a run of Schattor over the true value, for growing learning rates, with and without pairs."""
    V, rows = 0.3 / np.arange(1.0, 9), []
    for lr in (0.001, 0.01, 0.03, 0.1, 0.3):
        quadratic = st.problems.MatrixQuadratic.random(np.geomspace(1, 0.1, 8), columns=12, rng=SEED)
        problem = st.problems.WithNoise(quadratic, {"W": st.problems.GaussianNoise(V, (8, 12))})
        rng, params, b = np.random.default_rng(SEED), problem.start(), 4
        opt = st.Schattor(params, p=4, lr=lr, momentum=0.9)
        successive, pairs = (st.noise.StreamingNoise(params, b, beta=1.0) for _ in range(2))
        for _ in range(1000):
            G, H = (problem.stochastic_gradient(params, b, rng) for _ in range(2))
            successive.update(G)
            pairs.update(G, H)
            opt.step(G)
        truth, q = float(np.linalg.norm(V, 4 / 3)), 4 / 3
        bound = truth + math.sqrt(b / 2) * quadratic.lipschitz(4) * lr
        rows.append(
            {
                "lr": lr,
                "successive": successive.estimate("W").sigma(q).value / truth,
                "pairs": pairs.estimate("W").sigma(q).value / truth,
                "bound": bound / truth,
            }
        )
    return rows


def main(path: str) -> None:
    """Measure everything, print it, and write it."""
    record: Row = {
        **provenance(),
        "numpy": np.__version__,
        "command": "PYTHONPATH=tests python -m noise.measure",
        "seed": SEED,
    }
    for function in (beyond_two, dimensions, forms, drift):
        record[function.__name__] = function()
        print(function.__name__, *record[function.__name__], sep="\n  ", flush=True)
    text = json.dumps(record, indent=1, default=float).replace("Infinity", '"inf"')
    Path(path).write_text(text + "\n")


if __name__ == "__main__":
    main(sys.argv[1])
