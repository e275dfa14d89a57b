"""Muon against gradient descent on a matrix quadratic (the first experiment of arXiv 2505.23737)."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

import schattor as st

from ..demo.training import LinearDecay
from .experiment import Experiment, Session
from .quadratic_report import DESCENT, MUON, draw_floors, draw_losses, draw_ratio, findings, tables
from .runs import checkpoints, curvature_ratio, follow

__all__ = ["EXPERIMENT"]


@dataclass(frozen=True)
class Settings:
    """What all runs share; `conditions` are ratios of the largest to the smallest eigenvalue of Q."""

    size: int = 15
    steps: int = 4000
    seeds: int = 5
    conditions: tuple[float, ...] = (1, 2, 5, 10, 20, 50, 100, 1000, 10000)
    points: int = 60
    grid: int = 7
    factor: float = 1.25
    sweep: int = 21
    others: tuple[str, ...] = (
        "GD, best step",
        "GD with momentum 0.9",
        "Muon, linear decay",
        "Muon as shipped",
        "Schattor p = 4",
    )


QUICK = Settings(
    seeds=1,
    conditions=(1, 2, 10000),
    points=30,
    grid=3,
    factor=1.5,
    sweep=7,
    others=("GD, best step", "GD with momentum 0.9", "Muon, linear decay"),
)

Make = Callable[[Any, float], st.Optimizer]


def _muon(params: Any, lr: float) -> st.Optimizer:
    # At p = inf without momentum the ball rule moves along the exact polar factor of the gradient.
    return st.Schattor(params, p=math.inf, lr=lr, momentum=0, on_nonfinite="skip")


def _muon_decayed(params: Any, lr: float, steps: int) -> st.Optimizer:
    return st.Schattor(
        params, p=math.inf, lr=lr, momentum=0, schedule=LinearDecay(steps), on_nonfinite="skip"
    )


def _descent(params: Any, lr: float, momentum: float = 0.0) -> st.Optimizer:
    return st.SGD(params, lr=lr, momentum=momentum, on_nonfinite="skip")


def _methods(steps: int) -> dict[str, tuple[Make, float]]:
    """Return each tuned method with the middle of its first grid."""
    return {
        MUON: (_muon, 3e-3),
        "GD, best step": (_descent, 0.8),
        "GD with momentum 0.9": (partial(_descent, momentum=0.9), 0.8),
        "Muon, linear decay": (partial(_muon_decayed, steps=steps), 6e-3),
        "Muon as shipped": (lambda params, lr: st.Muon(params, lr=lr, on_nonfinite="skip"), 3e-3),
        "Schattor p = 4": (lambda params, lr: st.Schattor(params, p=4, lr=lr, momentum=0), 6e-3),
    }


# ------------------------------------------------------------------------------------------------ runs


def _problem(
    session: Session, settings: Settings, condition: float, seed: int
) -> st.problems.MatrixQuadratic:
    spectrum = np.geomspace(1, 1 / condition, settings.size)
    return st.problems.MatrixQuadratic.random(spectrum, settings.size, rng=session.rng(seed))


def _run(problem: Any, make: Make, lr: float, steps: int, points: int, ratio: bool) -> dict[str, Any]:
    """Record the loss and, where asked for, the ratio along the run."""
    L = problem.lipschitz(2)

    def watch(params: Any) -> dict[str, float]:
        row = {"loss": problem.loss(params)}
        # Where the gradient is rounding noise its polar factor means nothing.
        if ratio:
            known = row["loss"] > 1e-20
            row["ratio"] = curvature_ratio(problem, params, L=L)["ratio"] if known else math.nan
        return row

    # Averages over the run need steps that are evenly spread.
    at = sorted({*checkpoints(steps, points), *range(0, steps + 1, steps // points)})
    return {"lr": lr, "steps": at, **follow(problem, make(problem.start(), lr), at, watch)}


def _last(problem: Any, make: Make, lr: float, steps: int) -> dict[str, Any]:
    opt = make(problem.start(), lr)
    return {
        "lr": lr,
        "loss": follow(problem, opt, [0, steps], lambda x: {"loss": problem.loss(x)})["loss"][1],
    }


def measure(session: Session, settings: Settings) -> None:
    """Make every run: both sides on all spectra, the others on the steepest, and the sweep of constant steps."""
    methods = _methods(settings.steps)
    steepest = settings.conditions[-1]
    tuned = len(settings.conditions) + len(settings.others)
    session.plan(settings.seeds * (len(settings.conditions) + tuned * (settings.grid + 1)))
    for condition in settings.conditions:
        for seed in range(settings.seeds):
            problem = _problem(session, settings, condition, seed)
            key, L = f"{condition:g}/{DESCENT}/{seed}", problem.lipschitz(2)
            session.run(key, _run, problem, _descent, 1 / L, settings.steps, settings.points, True)
            for name in (MUON, *(settings.others if condition == steepest else ())):
                _tuned(session, settings, problem, f"{condition:g}/{name}", seed, *methods[name])
    session.plan(settings.sweep)
    problem = _problem(session, settings, steepest, 0)
    for lr in np.geomspace(1e-3, 1, settings.sweep):
        session.run(
            f"sweep/{lr:.4g}", _run, problem, _muon, float(lr), settings.steps, settings.points, False
        )


def _tuned(
    session: Session, settings: Settings, problem: Any, name: str, seed: int, make: Make, start: float
) -> None:
    """Tune the step on this very problem, which is deterministic, and run at the best."""

    def score(lr: float) -> float:
        record = session.run(f"tune/{name}/{seed}/{lr:g}", _last, problem, make, lr, settings.steps)
        return math.inf if record["loss"] is None else float(record["loss"])

    lr = session.tune(score, start, settings.factor, settings.grid, extensions=30)
    session.run(f"{name}/{seed}", _run, problem, make, lr, settings.steps, settings.points, True)


EXPERIMENT = Experiment(
    name="quadratic",
    title="Muon against gradient descent on f(W) = tr((W - W*)' Q (W - W*))",
    description="""\
15 x 15, W_0 = 0, Gaussian W*, Q with random eigenvectors and a geometric spectrum from 1 down to 1/condition;
4000 steps without noise. Muon is the exact polar factor without momentum at the constant step that ends lowest.""",
    full=Settings(),
    quick=QUICK,
    measure=measure,
    findings=findings,
    tables=tables,
    figures={"losses": draw_losses, "floors": draw_floors, "ratio": draw_ratio},
)
