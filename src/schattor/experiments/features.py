"""Softmax and squared loss of Wx on real features and on Gaussian ones (the second experiment of arXiv 2505.23737)."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

import schattor as st

from ..demo.data import load_digits
from .experiment import Experiment, Session
from .features_report import (
    DATA,
    GD,
    HEAVY,
    KINDS,
    LOSSES,
    MUON,
    UNTUNED,
    draw_advantage,
    draw_losses,
    findings,
    tables,
)
from .runs import checkpoints, curvature_ratio, follow

if TYPE_CHECKING:
    pass

__all__ = ["EXPERIMENT"]


@dataclass(frozen=True)
class Settings:
    """What all runs share; `targets` are fractions of the initial distance of the loss from its infimum."""

    samples: int = 500
    steps: int = 1000
    seeds: int = 3
    targets: tuple[float, ...] = (0.1, 0.01, 0.001)
    methods: tuple[str, ...] = (UNTUNED, GD, HEAVY, MUON, "Schattor p = 4")
    grid: int = 5
    loss_points: int = 120
    ratio_points: int = 25


QUICK = Settings(
    samples=200,
    steps=120,
    seeds=1,
    targets=(0.1, 0.03),
    methods=(UNTUNED, GD, MUON),
    grid=3,
    loss_points=60,
    ratio_points=8,
)

Make = Callable[[Any, float], st.Optimizer]
MAKERS: dict[str, Make] = {
    UNTUNED: lambda params, lr: st.SGD(params, lr=lr),
    GD: lambda params, lr: st.SGD(params, lr=lr, on_nonfinite="skip"),
    MUON: lambda params, lr: st.Schattor(params, p=math.inf, lr=lr, momentum=0, on_nonfinite="skip"),
    HEAVY: lambda params, lr: st.SGD(params, lr=lr, momentum=0.9, on_nonfinite="skip"),
    "Schattor p = 4": lambda params, lr: st.Schattor(params, p=4, lr=lr, momentum=0, on_nonfinite="skip"),
}


# ------------------------------------------------------------------------------------------------ runs


def _features(name: str) -> tuple[Any, Any]:
    """Return all features of a data set and the classes."""
    if name == "text":
        return st.problems.documentation_features(classes=10, features=256)
    X, y = load_digits()
    return X / 16, y


def _problem(session: Session, settings: Settings, data: str, kind: str, loss: str, seed: int) -> Any:
    """Return the problem on a random choice of samples, the same for both kinds of features."""
    X, y = _features(data)
    chosen = session.rng(seed, 0).permutation(len(X))[: settings.samples]
    X, Y = X[chosen], np.eye(y.max() + 1)[y[chosen]]
    if kind == "Gaussian":
        X = st.problems.gaussian_like(X, session.rng(seed, 1))
    return (st.problems.SoftmaxRegression if loss == "softmax" else st.problems.LinearRegression)(X, Y)


def _describe(problem: Any, steps: int) -> dict[str, float]:
    """Return the ends of the loss, the constant of gradient descent, and how concentrated the features are."""
    squared = isinstance(problem, st.problems.LinearRegression)
    infimum = problem.lower_bound if squared else _softmax_infimum(problem, 3 * steps)
    spectrum = st.diagnostics.spectrum(problem.inputs)
    return {
        "start": problem.loss(problem.start()),
        "infimum": infimum,
        "L": problem.lipschitz(2) if squared else problem.lipschitz_bound(2),
        "stable_rank": spectrum.stable_rank,
    }


def _softmax_infimum(problem: Any, steps: int) -> float:
    """Return the least loss of two long runs: what is below it is not distinguished from it."""
    L = problem.lipschitz_bound(2)
    runs = (
        st.SGD(problem.start(), lr=2 / L, momentum=0.95),
        st.Schattor(problem.start(), p=math.inf, lr=0.2, momentum=0.9, schedule=lambda t: 1 - t / steps),
    )
    losses: list[float] = []
    for opt in runs:
        for _ in range(steps):
            opt.step(problem.gradient(opt.params))
        losses.append(problem.loss(opt.params))
    return min(losses)


def _times(problem: Any, make: Make, lr: float, levels: list[float], at: list[int]) -> dict[str, Any]:
    """Return when the loss first is at each level (NaN: never), and the least loss; stop at the last level."""
    opt, times, least, step = make(problem.start(), lr), [math.nan] * len(levels), math.inf, 0
    for stop in at:
        while step < stop and not opt.skipped_steps:
            opt.step(problem.gradient(opt.params))
            step += 1
        loss = problem.loss(opt.params) if not opt.skipped_steps else math.inf
        least = min(least, loss)
        times = [
            step if math.isnan(t) and loss <= level else t for t, level in zip(times, levels, strict=True)
        ]
        if opt.skipped_steps or not math.isnan(times[-1]):
            break
    return {"lr": lr, "times": times, "least": least}


def _curve(problem: Any, make: Make, lr: float, at: list[int], L: Any) -> dict[str, Any]:
    def watch(params: Any) -> dict[str, float]:
        gradient = np.linalg.norm(problem.gradient(params)["W"])
        # At the minimiser the gradient is rounding noise.
        ratio = curvature_ratio(problem, params, L=L)["ratio"] if gradient > 1e-9 else math.nan
        return {"loss": problem.loss(params), "ratio": ratio}

    return {"lr": lr, "steps": at, **follow(problem, make(problem.start(), lr), at, watch)}


def measure(session: Session, settings: Settings) -> None:
    """Make every run: for each problem and method the times to all targets over a grid, then one curve."""
    cells = list(product(DATA, LOSSES, KINDS, range(settings.seeds)))
    session.run("text", st.problems.documentation_record)
    session.plan(len(cells) * (1 + len(settings.methods) * (settings.grid + 1)))
    for data, loss, kind, seed in cells:
        problem = _problem(session, settings, data, kind, loss, seed)
        cell = f"{data}/{loss}/{kind}"
        facts = session.run(f"{cell}/facts/{seed}", _describe, problem, settings.steps)
        for method in settings.methods:
            _tuned(session, settings, problem, facts, cell, method, seed)


def _tuned(
    session: Session, settings: Settings, problem: Any, facts: Any, cell: str, method: str, seed: int
) -> None:
    """Tune the step for each target on this problem, which is deterministic, and record a run at the middle one."""
    gap = facts["start"] - facts["infimum"]
    levels = [facts["infimum"] + target * gap for target in settings.targets]
    at, make = checkpoints(settings.steps, settings.loss_points), MAKERS[method]
    start = 2 / facts["L"] if method.startswith(GD) else 0.05

    def score(lr: float, number: int) -> float:
        run = session.run(f"{cell}/{method}/tune/{seed}/{lr:g}", _times, problem, make, lr, levels, at)
        time = run["times"][number]
        if time is not None:
            return float(time)
        # Not reached: the closer, the better.
        left = math.inf if run["least"] is None else (run["least"] - facts["infimum"]) / gap
        return float(settings.steps * (1 + left))

    if method == UNTUNED:
        best = [1 / facts["L"]] * len(levels)
    else:
        scores = [partial(score, number=i) for i in range(len(levels))]
        best = [session.tune(f, start, 2.0, settings.grid, extensions=12) for f in scores]
    times = [score(lr, i) for i, lr in enumerate(best)]
    reached = [t if t <= settings.steps else math.nan for t in times]
    session.run(f"{cell}/{method}/best/{seed}", lambda: {"lr": best, "times": reached})
    L = facts["L"] if cell.split("/")[1] == "squared" else "operator_norm"
    lr = best[len(best) // 2]
    points = checkpoints(settings.steps, settings.ratio_points)
    session.run(f"{cell}/{method}/curve/{seed}", _curve, problem, make, lr, points, L)


EXPERIMENT = Experiment(
    name="features",
    title="Softmax and squared loss of Wx, on real features and on Gaussian ones of equal size and scale",
    description="""\
Digits (8 x 8 pixels) and paragraphs of Python's documentation (256 words, tf-idf), ten classes; full gradients from
W = 0, constant steps. For each target, a fraction of the initial distance from inf f, the step that is there first.""",
    full=Settings(),
    quick=QUICK,
    measure=measure,
    findings=findings,
    tables=tables,
    figures={"losses": draw_losses, "advantage": draw_advantage},
    requires=("matplotlib", "sklearn"),
)
