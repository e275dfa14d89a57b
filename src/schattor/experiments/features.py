"""Softmax and squared loss of Wx on real features and on Gaussian ones (the second experiment of arXiv 2505.23737)."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

import schattor as st
from schattor.demo.data import load_digits
from schattor.experiments.experiment import Experiment, Finding, Session, Table
from schattor.experiments.figures import new_figure, style
from schattor.experiments.results import Results
from schattor.experiments.runs import checkpoints, curvature_ratio, follow
from schattor.plotting import plot_history

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["EXPERIMENT"]

DATA, KINDS, LOSSES = ("digits", "text"), ("real", "Gaussian"), ("softmax", "squared")
GD, MUON = "GD", "Muon"


@dataclass(frozen=True)
class Settings:
    """What all runs share; `targets` are fractions of the initial distance of the loss from its infimum."""

    samples: int = 500
    steps: int = 1000
    seeds: int = 3
    targets: tuple[float, ...] = (0.1, 0.01, 0.001)
    methods: tuple[str, ...] = (GD, MUON, "GD with momentum 0.9", "Schattor p = 4")
    grid: int = 5
    loss_points: int = 120
    ratio_points: int = 25


QUICK = Settings(
    samples=200,
    steps=120,
    seeds=1,
    targets=(0.1, 0.03),
    methods=(GD, MUON),
    grid=3,
    loss_points=60,
    ratio_points=8,
)

Make = Callable[[Any, float], st.Optimizer]
MAKERS: dict[str, Make] = {
    GD: lambda params, lr: st.SGD(params, lr=lr, on_nonfinite="skip"),
    MUON: lambda params, lr: st.Schattor(params, p=math.inf, lr=lr, momentum=0, on_nonfinite="skip"),
    "GD with momentum 0.9": lambda params, lr: st.SGD(params, lr=lr, momentum=0.9, on_nonfinite="skip"),
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
    X, y = X[chosen], np.unique(y[chosen], return_inverse=True)[1]
    if kind == "Gaussian":
        X = st.problems.gaussian_like(X, session.rng(seed, 1))
    if loss == "softmax":
        return st.problems.SoftmaxRegression(X, y)
    return st.problems.LinearRegression(X, np.eye(y.max() + 1)[y])


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
    losses = []
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
        return (
            math.inf
            if run["least"] is None
            else settings.steps * (1 + (run["least"] - facts["infimum"]) / gap)
        )

    best = [
        session.tune(lambda lr, i=i: score(lr, i), start, 2.0, settings.grid, extensions=12)
        for i in range(len(levels))
    ]
    times = [min(score(lr, i), math.inf) for i, lr in enumerate(best)]
    reached = [t if t <= settings.steps else math.nan for t in times]
    session.run(f"{cell}/{method}/best/{seed}", lambda: {"lr": best, "times": reached})
    L = facts["L"] if cell.split("/")[1] == "squared" else "operator_norm"
    lr = best[len(best) // 2]
    points = checkpoints(settings.steps, settings.ratio_points)
    session.run(f"{cell}/{method}/curve/{seed}", _curve, problem, make, lr, points, L)


# ------------------------------------------------------------------------------------------------ what came out


def _speedup(results: Results, cell: str, baseline: str, method: str) -> Any:
    """Return how many times fewer steps the method takes than the baseline to each target (rows: seeds)."""
    return results.arrays(f"{cell}/{baseline}/best/", "times") / results.arrays(
        f"{cell}/{method}/best/", "times"
    )


def _geometric(values: Any) -> float:
    finite = np.asarray(values)[np.isfinite(values)]
    return float(np.exp(np.log(finite).mean())) if len(finite) else math.nan


def _ratio(results: Results, cell: str, method: str) -> float:
    """Return the mean ratio over the recorded steps of a method's runs, evenly spread on a logarithmic scale."""
    return float(np.nanmean(results.arrays(f"{cell}/{method}/curve/", "ratio")))


def findings(results: Results) -> list[Finding]:
    """Say what came out: for each data set and loss, real against Gaussian features."""
    out = []
    middle = len(results.settings["targets"]) // 2
    target = results.settings["targets"][middle]
    for data, loss in product(DATA, LOSSES):
        real, other = (_speedup(results, f"{data}/{loss}/{kind}", GD, MUON)[:, middle] for kind in KINDS)
        a, b = _geometric(real), _geometric(other)
        name = f"{data}, {loss} loss"
        out.append(
            Finding(
                f"{name}: Muon's advantage over gradient descent in steps to {target:g} of the initial gap"
                " shrinks on Gaussian features",
                a > b,
                f"{a:.3g} times fewer steps on real features, {b:.3g} on Gaussian ones",
            )
        )
        ratios = [_ratio(results, f"{data}/{loss}/{kind}", MUON) for kind in KINDS]
        out.append(
            Finding(
                f"{name}: so does the mean ratio along Muon's run",
                ratios[0] > ratios[1],
                f"{ratios[0]:.2f} and {ratios[1]:.2f}",
            )
        )
        predicted = (ratios[0] > 1) == (a > 1) and (ratios[1] > 1) == (b > 1)
        out.append(
            Finding(
                f"{name}: the ratio is above 1 where Muon takes fewer steps, and only there",
                predicted,
                f"ratios {ratios[0]:.2f}, {ratios[1]:.2f}; advantages {a:.3g}, {b:.3g}",
            )
        )
        if "GD with momentum 0.9" in results.settings["methods"]:
            heavy = _geometric(
                _speedup(results, f"{data}/{loss}/real", "GD with momentum 0.9", MUON)[:, middle]
            )
            out.append(
                Finding(
                    f"{name}: on real features Muon without momentum also needs fewer steps than gradient descent"
                    " with momentum 0.9",
                    heavy > 1,
                    f"{heavy:.3g} times fewer",
                )
            )
    return out


def tables(results: Results) -> list[Table]:
    """Return steps to each target by method, and facts of the features."""
    targets = results.settings["targets"]
    rows, facts = [], []
    for data, loss, kind in product(DATA, LOSSES, KINDS):
        cell = f"{data}/{loss}/{kind}"
        for method in results.settings["methods"]:
            times = results.arrays(f"{cell}/{method}/best/", "times")
            ratio = f"{_ratio(results, cell, method):.2f}"
            rows.append(
                (
                    f"{data}, {loss}, {kind}",
                    method,
                    *(_steps_text(times[:, i]) for i in range(len(targets))),
                    ratio,
                )
            )
        values = {
            name: results.arrays(f"{cell}/facts/", name) for name in ("start", "infimum", "stable_rank")
        }
        facts.append((f"{data}, {loss}, {kind}", *(f"{v.mean():.3g}" for v in values.values())))
    head = ("problem", "method", *(f"to {t:g}" for t in targets), "mean ratio")
    return [
        Table(
            "Steps to a fraction of the initial gap at the best constant step for it, geometric mean over seeds",
            head,
            rows,
        ),
        Table("The problems, mean over seeds", ("problem", "loss at 0", "infimum", "stable rank"), facts),
    ]


def _steps_text(times: Any) -> str:
    missed = int(np.isnan(times).sum())
    if missed == len(times):
        return "not reached"
    return f"{_geometric(times):.3g}" + (f" ({missed} not)" if missed else "")


STYLES = {
    GD: style("black", linewidth=2),
    MUON: style("red", linewidth=2),
    "GD with momentum 0.9": style("orange"),
    "Schattor p = 4": style("blue"),
}


def draw_losses(results: Results) -> Figure:
    """Distance of the loss from its infimum along the runs tuned for the middle target."""
    figure, axes = new_figure(4, 2, width=4.2, height=3.3)
    methods = results.settings["methods"]
    for row, kind in enumerate(KINDS):
        for ax, (data, loss) in zip(axes[row], product(DATA, LOSSES), strict=True):
            cell = f"{data}/{loss}/{kind}"
            start, infimum = (
                results.arrays(f"{cell}/facts/", name)[:, None] for name in ("start", "infimum")
            )
            curves = {
                method: np.maximum(results.arrays(f"{cell}/{method}/curve/", "loss") - infimum, 1e-300)
                / (start - infimum)
                for method in methods
            }
            steps = results.array(f"{cell}/{methods[0]}/curve/0", "steps")
            plot_history(curves, steps, band="range", styles=STYLES, ax=ax)
            ax.set(xscale="symlog", xlim=(0, steps[-1]), ylim=(1e-6, 2), title=f"{data}, {loss}, {kind}")
            ax.get_legend().remove()
        axes[row, 0].set_ylabel("(f - inf f) / (f(0) - inf f)")
    for ax in axes[1]:
        ax.set_xlabel("step")
    axes[0, 0].legend(fontsize=8)
    return figure


def draw_advantage(results: Results) -> Figure:
    """Muon's advantage in steps, and the ratio along its runs, on both kinds of features."""
    figure, axes = new_figure(2)
    cells = list(product(DATA, LOSSES))
    middle = len(results.settings["targets"]) // 2
    for offset, kind, colour in ((-0.2, "real", "red"), (0.2, "Gaussian", "grey")):
        for i, (data, loss) in enumerate(cells):
            cell = f"{data}/{loss}/{kind}"
            values = _speedup(results, cell, GD, MUON)[:, middle]
            axes[0, 0].bar(
                i + offset,
                _geometric(values),
                0.36,
                **style(colour, alpha=0.6, label=kind if i == 0 else "_"),
            )
            axes[0, 0].plot(np.full(len(values), i + offset), values, "o", **style("black", markersize=3))
            ratios = np.nanmean(results.arrays(f"{cell}/{MUON}/curve/", "ratio"), axis=1)
            axes[0, 1].bar(i + offset, ratios.mean(), 0.36, **style(colour, alpha=0.6))
            axes[0, 1].plot(np.full(len(ratios), i + offset), ratios, "o", **style("black", markersize=3))
    for ax in axes[0]:
        ax.set_xticks(range(len(cells)), [f"{data}\n{loss}" for data, loss in cells])
        ax.axhline(1, **style("black", linewidth=0.8, linestyle=":"))
    axes[0, 0].set(
        yscale="log", title=f"steps of GD over steps of Muon, to {results.settings['targets'][middle]:g}"
    )
    axes[0, 1].set(title="mean ratio along Muon's run")
    axes[0, 0].legend()
    return figure


EXPERIMENT = Experiment(
    name="features",
    title="Softmax and squared loss of Wx, on real features and on Gaussian ones of equal size and scale",
    description="""\
Digits (8 x 8 pixels) and paragraphs of Python's documentation (256 words, tf-idf), ten classes; full gradients from
W = 0, constant steps. Each method takes the best step for each target: a fraction of the initial distance from inf f.""",
    full=Settings(),
    quick=QUICK,
    measure=measure,
    findings=findings,
    tables=tables,
    figures={"losses": draw_losses, "advantage": draw_advantage},
    requires=("matplotlib", "sklearn"),
)
