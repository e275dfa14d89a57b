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
    """Averages over the steps of a run: dual norms of the gradient, the estimate, its error, and their squares.

    `final` is the gradient's dual norm in the last step.
    """

    gradient: float
    squared_gradient: float
    squared_estimate: float
    error: float
    squared_error: float
    final: float

    def judged(self, rule: str) -> float:
        """What the theorem of the rule is about."""
        return self.gradient if rule == "ball" else math.sqrt(self.squared_gradient)


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
            return Measured(*[math.inf] * 6)
        gradient = problem.gradient(params)
        sample = problem.stochastic_gradient(params, setting.batch if t else first_batch, rng)
        M = {name: estimators[name].update(G) for name, G in sample.items()}
        E = {name: x - gradient[name] for name, x in M.items()}
        norms.append([setting.dual_norm(x) for x in (gradient, M, E)])
        opt.step(sample)
    g, M, E = np.array(norms).T
    return Measured(*(float(np.mean(x)) for x in (g, g**2, M**2, E, E**2, g[-1])))


def average(
    setting: Setting, rule: str, lr: float, theta: float, T: int, first_batch: int, runs: int, seed: int
) -> Measured:
    """The mean of several runs."""
    rng = np.random.default_rng(seed)
    return mean([run(setting, rule, lr, theta, T, first_batch, rng) for _ in range(runs)])


def mean(measured: list[Measured]) -> Measured:
    """The mean of what runs measured."""
    return Measured(*np.mean([list(vars(x).values()) for x in measured], axis=0).tolist())


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
    averages = (g.mean(), (g**2).mean(), math.nan, math.nan, math.nan, g[-1])
    return Measured(*map(float, averages)), opt.report.choices[0]


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
        "best final": best.final,
        "best theta": theta,
        "best lr": best_of_bound(setting, rule, T).lr * 2.0**k,
    }
    for source in ("closure", "micro-batches", "both"):
        rng = np.random.default_rng(1)
        results = [run_by_theory(setting, rule, T, source, rng) for _ in range(runs)]
        averages, last = mean([x for x, _ in results]), results[-1][1]
        row[source] = {
            "ratio": averages.judged(rule) / best.judged(rule),
            "final": averages.final,
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
        "schattor": st.__version__,
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
