"""Runs of Algorithms 1 to 4 on stochastic quadratics whose constants are known, and what they measure.

As a script: how good the parameters of the explicit bounds are. It prints a table and writes it to a file.

    PYTHONPATH=tests python -m theory.runs tests/results/parameters.json
"""

from __future__ import annotations

import json
import math
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import schattor as st

P = st.problems
Norm = float | st.MixedNorm


@dataclass(frozen=True)
class Setting:
    """A noisy problem in a geometry, with the constants of the theorems, which are exact."""

    problem: st.problems.WithNoise
    norm: Norm
    L: float
    sigma: float
    batch: int = 1

    @property
    def delta(self) -> float:
        """Loss at the start minus the infimum."""
        return self.problem.loss(self.problem.start()) - self.problem.lower_bound

    def dual_norm(self, blocks: dict[str, np.ndarray]) -> float:
        """The dual norm of all blocks."""
        if isinstance(self.norm, st.MixedNorm):
            return self.norm.dual_norm(blocks)
        return st.Schatten(self.norm).dual_norm(blocks["W"])


@dataclass(frozen=True)
class Measured:
    """Averages over the steps of a run: dual norms of the gradient, the estimate, its error, and their squares."""

    gradient: float
    squared_gradient: float
    squared_estimate: float
    error: float
    squared_error: float


def run(
    setting: Setting, rule: str, lr: float, theta: float, T: int, first_batch: int, rng: np.random.Generator
) -> Measured:
    """One run of Schattor; infinite when it diverges."""
    problem, params = setting.problem, setting.problem.start()
    geometry: dict[str, Any] = (
        {"norm": setting.norm} if isinstance(setting.norm, st.MixedNorm) else {"p": setting.norm}
    )
    opt = st.Schattor(params, **geometry, rule=rule, lr=lr, momentum=1 - theta)
    estimators = {name: st.estimators.EMA(1 - theta).start(like=x) for name, x in params.items()}
    norms = []
    for t in range(T):
        if not problem.loss(params) < 1e12:
            return Measured(*[math.inf] * 5)
        gradient = problem.gradient(params)
        sample = problem.stochastic_gradient(params, setting.batch if t else first_batch, rng)
        M = {name: estimators[name].update(G) for name, G in sample.items()}
        E = {name: x - gradient[name] for name, x in M.items()}
        norms.append([setting.dual_norm(x) for x in (gradient, M, E)])
        opt.step(sample)
    g, M, E = np.array(norms).T
    return Measured(*(float(np.mean(x)) for x in (g, g**2, M**2, E, E**2)))


def average(
    setting: Setting, rule: str, lr: float, theta: float, T: int, first_batch: int, runs: int, seed: int
) -> Measured:
    """The mean of several runs."""
    rng = np.random.default_rng(seed)
    measured = [run(setting, rule, lr, theta, T, first_batch, rng) for _ in range(runs)]
    return Measured(*np.mean([list(vars(x).values()) for x in measured], axis=0).tolist())


def random_quadratic(rng: np.random.Generator) -> tuple[st.problems.MatrixQuadratic, st.problems.Noise]:
    """A quadratic of random size and spectrum, with noise of random size, spectrum and tails."""
    m, n = rng.integers(1, 9, size=2)
    spectrum = rng.exponential() * np.geomspace(1, 10.0 ** -rng.uniform(0, 3), m)
    problem = P.MatrixQuadratic.random(spectrum, int(n), rng)
    size = problem.lipschitz(2) * np.linalg.norm(problem.target) / min(m, n) ** 0.5
    V = size * 10.0 ** rng.uniform(-2, 0.5) * np.geomspace(1, 10.0 ** -rng.uniform(0, 2), min(m, n))
    heavy = rng.random() < 0.3
    return problem, P.StudentNoise(V, (int(m), int(n)), 4.0) if heavy else P.GaussianNoise(
        V, (int(m), int(n))
    )


def random_exponent(rng: np.random.Generator) -> float:
    """2 and infinity, and between them."""
    return float(rng.choice([2.0, 2 + rng.exponential(), 2 + 6 * rng.random(), np.inf]))


def random_setting(seed: int, blocks: int) -> Setting:
    """One block in S_p, or many in a mixed norm; exponents in [2, inf]."""
    rng = np.random.default_rng(seed)
    batch = int(rng.integers(1, 9))
    if blocks == 1:
        quadratic, noise = random_quadratic(rng)
        p = random_exponent(rng)
        sigma = st.theory.variance_proxy(noise.covariance, p)
        return Setting(P.WithNoise(quadratic, {"W": noise}), p, quadratic.lipschitz(p), sigma, batch)
    members = {f"b{i}": random_quadratic(rng) for i in range(blocks)}
    exponents = {f"{name}/W": random_exponent(rng) for name in members}
    weights = {
        f"{k}/W": float(x.lipschitz(exponents[f"{k}/W"]) ** rng.random()) for k, (x, _) in members.items()
    }
    norm = st.MixedNorm(
        {name: st.Schatten(p) for name, p in exponents.items()}, weights=weights, outer=random_exponent(rng)
    )
    joint = P.Joint({name: problem for name, (problem, _) in members.items()})
    noises = {f"{name}/W": noise for name, (_, noise) in members.items()}
    sigma = st.theory.variance_proxy({name: noise.covariance for name, noise in noises.items()}, norm)
    return Setting(P.WithNoise(joint, noises), norm, joint.lipschitz(norm), sigma, batch)


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
