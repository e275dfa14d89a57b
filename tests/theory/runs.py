"""Runs of Algorithms 1 to 4 on stochastic quadratics whose constants are known, and what they measure.

As a script: how good the parameters of the explicit bounds are. It prints a table and writes it to a file.

    PYTHONPATH=tests python -m theory.runs tests/results/parameters.json
    PYTHONPATH=tests python -m theory.runs tests/results/theory_lr.json measured

The second command does so with ``lr="theory"``, which measures the constants itself.
"""

from __future__ import annotations

import copy
import functools
import json
import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import schattor as st
from schattor._provenance import provenance
from schattor.experiments.stochastic import Measured, Setting, average, mean

P = st.problems


def run_by_theory(
    setting: Setting, rule: str, T: int, source: str, rng: np.random.Generator, **options: Any
) -> tuple[Measured, Any]:
    """One run of ``lr="theory"``, with the same draws as `run`; and what it chose in the end.

    `source` says what it measures from: a closure, micro-batches, both, or nothing.
    """
    problem, params = setting.problem, setting.problem.start()
    known = st.theory.Run(delta=setting.delta, steps=T, batch=setting.batch, **options)
    opt = st.Schattor(params, p=setting.norm, rule=rule, lr="theory", momentum="theory", theory=known)
    norms = []
    for _ in range(T):
        norms.append(setting.dual_norm(problem.gradient(params)))
        before = copy.deepcopy(rng)

        def batch(point: Any, rng: np.random.Generator = before) -> Any:
            return problem.stochastic_gradient(point, setting.batch, copy.deepcopy(rng))

        samples = [problem.stochastic_gradient(params, 1, rng) for _ in range(setting.batch)]
        extras: dict[str, Any] = {"closure": batch} if source in ("closure", "both") else {}
        if source in ("micro-batches", "both"):
            extras["per_example"] = {k: np.stack([x[k] for x in samples]) for k in params}
        opt.step(batch(params), **extras)
    g = np.array(norms)
    averages = (g.mean(), (g**2).mean(), math.nan, math.nan, math.nan, g.min(), g[-1])
    return Measured(*map(float, averages)), opt.report.choices[0]


def decaying_quadratic(p: float, scale: float) -> Setting:
    """8 x 12 entries and Q = diag(1, 1/2, .., 1/8) / 2, noise of a diagonal covariance; B = 4."""
    target = np.random.default_rng(0).standard_normal((8, 12))
    quadratic = P.MatrixQuadratic(np.diag(1 / np.arange(1.0, 9)) / 2, target)
    noise = P.GaussianNoise(scale * np.linspace(1, 0.3, 8), (8, 12))
    sigma = st.theory.variance_proxy(noise.covariance, p)
    return Setting(P.WithNoise(quadratic, {"W": noise}), p, quadratic.lipschitz(p), sigma, 4)


@functools.cache
def best_of_grid(p: float, rule: str, T: int, scale: float, runs: int) -> tuple[float, float, Measured]:
    """theta, log2 of the factor on the bound's lr, and the averages of the best point of a 5 x 13 grid."""
    setting = decaying_quadratic(p, scale)
    lr = best_of_bound(setting, rule, T).lr
    points = [(theta, k) for theta in (0.03, 0.1, 0.3, 0.6, 1.0) for k in np.linspace(-3, 6, 13)]
    measured = [average(setting, rule, lr * 2.0**k, theta, T, 4, runs, seed=1) for theta, k in points]
    i = min(range(len(points)), key=lambda i: measured[i].judged(rule))
    return *points[i], measured[i]


def best_of_bound(setting: Setting, rule: str, T: int) -> st.theory.RunParameters:
    """What minimises the bound, with known constants and B_0 = B."""
    return st.theory.parameters(setting.delta, setting.L, setting.sigma, T, 4, rule, first_batch=4)


def against_grid(p: float, rule: str, T: int, scale: float, runs: int = 4) -> dict[str, Any]:
    """How the parameters that minimise the bound compare with the best of a 5 x 13 grid of theta and lr; B_0 = B.

    Both are judged on the same seeds, which favours the grid.
    """
    setting = decaying_quadratic(p, scale)
    chosen = best_of_bound(setting, rule, T)
    reached = average(setting, rule, chosen.lr, chosen.theta, T, 4, runs, seed=1).judged(rule)
    theta, k, best = best_of_grid(p, rule, T, scale, runs)
    bound = chosen.bound.total if rule == "ball" else math.sqrt(chosen.bound.total)
    return {
        "p": "inf" if math.isinf(p) else p,
        "rule": rule,
        "T": T,
        "noise": scale,
        "theta": chosen.theta,
        "dominant": chosen.dominant,
        "ratio": reached / best.judged(rule),
        "bound over measured": bound / reached,
        "best theta": theta,
        "best lr over lr": 2.0**k,
    }


def measured_against_grid(p: float, rule: str, T: int, scale: float, runs: int = 2) -> dict[str, Any]:
    """The same for ``lr="theory"``, which measures L and sigma along the run, by what it measures them from."""
    setting = decaying_quadratic(p, scale)
    theta, k, best = best_of_grid(p, rule, T, scale, runs)
    row: dict[str, Any] = {
        "p": "inf" if math.isinf(p) else p,
        "rule": rule,
        "T": T,
        "noise": scale,
        "best average": best.judged(rule),
        "best final": best.final_gradient,
        "best theta": theta,
        "best lr": best_of_bound(setting, rule, T).lr * 2.0**k,
    }
    for source in ("closure", "micro-batches", "both"):
        rng = np.random.default_rng(1)
        results = [run_by_theory(setting, rule, T, source, rng) for _ in range(runs)]
        averages, last = mean([x for x, _ in results]), results[-1][1]
        row[source] = {
            "ratio": averages.judged(rule) / best.judged(rule),
            "final": averages.final_gradient,
            "L over L": last.L / setting.L,
            "sigma over sigma": last.sigma / setting.sigma,
            "differences": last.differences,
            "theta": last.parameters.theta,
            "lr": last.parameters.lr,
        }
    return row


def rounded(value: Any) -> Any:
    """Numbers with four digits."""
    if isinstance(value, dict):
        return {k: rounded(v) for k, v in value.items()}
    return float(f"{value:.4g}") if isinstance(value, float) else value


def main(path: str, compare: Callable[..., dict[str, Any]], command: str) -> None:
    """Compare over geometries, rules, lengths and noise; print and store."""
    rows = []
    for scale in (0.5, 2.0, 8.0):
        for T in (200, 1000):
            for p in (2.0, 4.0, np.inf):
                for rule in ("ball", "regularization"):
                    rows.append(rounded(compare(p, rule, T, scale)))
                    print(rows[-1], flush=True)
    record = {
        **provenance(),
        "numpy": np.__version__,
        "command": command,
        "seed": 1,
        "rows": rows,
    }
    Path(path).write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    measured = sys.argv[2:] == ["measured"]
    compare = measured_against_grid if measured else against_grid
    main(sys.argv[1], compare, " ".join(["python -m theory.runs FILE", *sys.argv[2:]]))
