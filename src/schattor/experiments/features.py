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
from ..plotting import plot_history
from .experiment import Experiment, Finding, Session, Table
from .results import Results
from .runs import checkpoints, curvature_ratio, follow
from .tools.figures import new_figure, style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["EXPERIMENT"]

DATA, KINDS, LOSSES = ("digits", "text"), ("real", "Gaussian"), ("softmax", "squared")
GD, MUON, UNTUNED, HEAVY = "GD", "Muon", "GD at 1/L", "GD with momentum 0.9"


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


# ------------------------------------------------------------------------------------------------ what came out


def _speedup(results: Results, cell: str, baseline: str, method: str) -> Any:
    """Return how many times fewer steps the method takes than the baseline to each target (rows: seeds).

    A target that was not reached counts as reached by the last step.
    """
    slow, fast = (results.arrays(f"{cell}/{name}/best/", "times") for name in (baseline, method))
    steps = results.settings["steps"]
    return np.nan_to_num(slow, nan=steps) / np.nan_to_num(fast, nan=steps)


def _geometric(values: Any) -> float:
    finite = np.asarray(values)[np.isfinite(values)]
    return float(np.exp(np.log(finite).mean())) if len(finite) else math.nan


def _advantage(results: Results, cell: str, baseline: str) -> Any:
    """Return the speed-up of Muon at the middle target, for each seed."""
    return _speedup(results, cell, baseline, MUON)[:, len(results.settings["targets"]) // 2]


def _ratios(results: Results, cell: str, method: str) -> Any:
    """Return the mean ratio along each run, over steps that are evenly spread on a logarithmic scale."""
    return np.nanmean(results.arrays(f"{cell}/{method}/curve/", "ratio"), axis=1)


def findings(results: Results) -> list[Finding]:
    """Say what came out: for each data set and loss, real against Gaussian features, seed by seed."""
    out = []
    for data, loss in product(DATA, LOSSES):
        name, cells = f"{data}, {loss} loss", [f"{data}/{loss}/{kind}" for kind in KINDS]
        for baseline, text in ((UNTUNED, UNTUNED), (GD, "GD at its best step")):
            a, b = (_advantage(results, cell, baseline) for cell in cells)
            numbers = f"{_geometric(a):.3g} times fewer steps, then {_geometric(b):.3g}"
            text = f"{name}: Muon's advantage over {text} shrinks on Gaussian features, in every seed"
            out.append(Finding(text, bool((a > b).all()), numbers))
        x, y = (_ratios(results, cell, MUON) for cell in cells)
        text = f"{name}: the mean ratio along Muon's run is smaller on Gaussian features, in every seed"
        out.append(Finding(text, bool((x > y).all()), f"{x.mean():.2f}, then {y.mean():.2f}"))
        text = f"{name}: the ratio is above 1 exactly where Muon takes fewer steps than GD at its best step"
        agree = all((r.mean() > 1) == (_geometric(s) > 1) for r, s in ((x, a), (y, b)))
        out.append(Finding(text, agree, f"ratios {x.mean():.2f}, {y.mean():.2f}; {numbers}"))
        if HEAVY in results.settings["methods"]:
            heavy = _geometric(_advantage(results, cells[0], HEAVY))
            text = f"{name}: on real features Muon without momentum also needs fewer steps than {HEAVY}"
            out.append(Finding(text, heavy > 1, f"{heavy:.3g} times fewer"))
    return out


def tables(results: Results) -> list[Table]:
    """Return steps to each target by method, and facts of the features."""
    targets = results.settings["targets"]
    rows, facts = [], []
    for data, loss, kind in product(DATA, LOSSES, KINDS):
        cell = f"{data}/{loss}/{kind}"
        for method in results.settings["methods"]:
            times = results.arrays(f"{cell}/{method}/best/", "times")
            ratio = f"{_ratios(results, cell, method).mean():.2f}"
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
        Table(
            f"The problems, mean over seeds; text of Python {results.runs['text']['python']}",
            ("problem", "loss at 0", "infimum", "stable rank"),
            facts,
        ),
    ]


def _steps_text(times: Any) -> str:
    missed = int(np.isnan(times).sum())
    if missed == len(times):
        return "not reached"
    return f"{_geometric(times):.3g}" + (f" ({missed} not)" if missed else "")


STYLES = {
    UNTUNED: style("grey", linewidth=1.3, linestyle="--"),
    GD: style("black", linewidth=2),
    MUON: style("red", linewidth=2),
    HEAVY: style("orange"),
    "Schattor p = 4": style("blue"),
}


def draw_losses(results: Results) -> Figure:
    """Draw the distance of the loss from its infimum along the runs tuned for the middle target."""
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
    """Draw Muon's advantage in steps, and the ratio along its runs, on both kinds of features."""
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
            ratios = _ratios(results, cell, MUON)
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
W = 0, constant steps. For each target, a fraction of the initial distance from inf f, the step that is there first.""",
    full=Settings(),
    quick=QUICK,
    measure=measure,
    findings=findings,
    tables=tables,
    figures={"losses": draw_losses, "advantage": draw_advantage},
    requires=("matplotlib", "sklearn"),
)
