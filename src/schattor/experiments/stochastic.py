"""Runs of Algorithms 1 to 4 on stochastic quadratics whose constants are known, and what they measure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

import schattor as st

from ..problems.problem import Params
from ..theory.parameters import Rule

__all__ = ["Measured", "Norm", "Setting", "average", "bounds_over_averages", "mean", "random_setting", "run"]

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

    def dual_norm(self, blocks: Params) -> float:
        """Return the dual norm of all blocks."""
        if isinstance(self.norm, st.MixedNorm):
            return self.norm.dual_norm(dict(blocks))
        return st.Schatten(self.norm).dual_norm(blocks["W"])


@dataclass(frozen=True)
class Measured:
    """Averages over the steps of a run: dual norms of the gradient, the estimate, its error, and their squares.

    And the least dual norm of the gradient, and the one in the last step.
    """

    gradient: float
    squared_gradient: float
    squared_estimate: float
    error: float
    squared_error: float
    least_gradient: float
    final_gradient: float

    def judged(self, rule: str) -> float:
        """Return what the theorem of the rule is about."""
        return self.gradient if rule == "ball" else math.sqrt(self.squared_gradient)


def run(
    setting: Setting, rule: str, lr: float, theta: float, T: int, first_batch: int, rng: np.random.Generator
) -> Measured:
    """Make one run of Schattor; infinite when it diverges."""
    problem, params = setting.problem, setting.problem.start()
    geometry: dict[str, Any] = (
        {"norm": setting.norm} if isinstance(setting.norm, st.MixedNorm) else {"p": setting.norm}
    )
    opt = st.Schattor(params, **geometry, rule=rule, lr=lr, momentum=1 - theta)
    estimators = {name: st.estimators.EMA(1 - theta).start(like=x) for name, x in params.items()}
    norms = []
    for t in range(T):
        if not problem.loss(params) < 1e12:
            return Measured(*[math.inf] * 7)
        gradient = problem.gradient(params)
        sample = problem.stochastic_gradient(params, setting.batch if t else first_batch, rng)
        estimate = {name: estimators[name].update(G) for name, G in sample.items()}
        error = {name: x - gradient[name] for name, x in estimate.items()}
        norms.append([setting.dual_norm(x) for x in (gradient, estimate, error)])
        opt.step(sample)
    g, M, E = np.array(norms).T
    means = [float(np.mean(x)) for x in (g, g**2, M**2, E, E**2)]
    return Measured(*[*means, float(g.min()), float(g[-1])])


def average(
    setting: Setting, rule: str, lr: float, theta: float, T: int, first_batch: int, runs: int, seed: int
) -> Measured:
    """Return the mean of several runs."""
    rng = np.random.default_rng(seed)
    return mean([run(setting, rule, lr, theta, T, first_batch, rng) for _ in range(runs)])


def mean(measured: Sequence[Measured]) -> Measured:
    """Return the mean of what runs measured."""
    return Measured(*np.mean([list(vars(x).values()) for x in measured], axis=0).tolist())


def random_quadratic(rng: np.random.Generator) -> tuple[st.problems.MatrixQuadratic, st.problems.Noise]:
    """Return a quadratic of random size and spectrum, with noise of random size, spectrum and tails."""
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
    """Return 2, infinity or a number between them."""
    return float(rng.choice([2.0, 2 + rng.exponential(), 2 + 6 * rng.random(), np.inf]))


def random_setting(seed: int, blocks: int) -> Setting:
    """Return one block in S_p, or many in a mixed norm; exponents in [2, inf]."""
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


def bounds_over_averages(seed: int, blocks: int, rule: Rule, runs: int = 4) -> dict[str, float]:
    """Return the least ratio of each bound to the measured average, at the bound's parameters and at random ones."""
    setting = random_setting(seed, blocks)
    rng = np.random.default_rng([seed, blocks])
    T, first = int(rng.integers(40, 160)), int(rng.integers(1, 30))
    constants = (setting.delta, setting.L, setting.sigma, T)
    chosen = st.theory.parameters(*constants, setting.batch, rule, first_batch=first)
    theta = float(rng.uniform(0.02, 1))
    if rule == "ball":
        lr = st.theory.best_lr(setting.delta, setting.L, T, theta) * 10.0 ** rng.uniform(-1, 1)
    else:
        lr = st.theory.largest_lr(setting.L, theta) * rng.uniform(0.05, 1)
    geometry = {"p" if blocks == 1 else "norm": setting.norm}
    theorem = getattr(st.theory, f"theorem_{(1 if blocks == 1 else 3) + (rule == 'regularization')}")
    ratios: dict[str, list[float]] = {}
    for lr_used, theta_used in ((chosen.lr, chosen.theta), (lr, theta)):
        measured = average(setting, rule, lr_used, theta_used, T, first, runs, seed)
        options: dict[str, Any] = {
            "lr": lr_used,
            "theta": theta_used,
            "batch": setting.batch,
            "first_batch": first,
        }
        bound = theorem(*constants, **geometry, **options).total
        if rule == "ball":
            tracking = st.theory.lemma_7(*constants[1:], **options).total
            pairs = {"gradient": (bound, measured.gradient), "error": (tracking, measured.error)}
        else:
            estimate = theorem(*constants, **geometry, **options, quantity="estimate").total
            kappa, v = st.theory.lemma_10(*constants[1:], **options)
            pairs = {
                "gradient": (bound, measured.squared_gradient),
                "estimate": (estimate, measured.squared_estimate),
                "error": (kappa * measured.squared_estimate + v.total, measured.squared_error),
            }
        for name, (right, left) in pairs.items():
            ratios.setdefault(name, []).append(right / left)
    return {name: min(values) for name, values in ratios.items()}
