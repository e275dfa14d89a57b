"""What came out of the features: findings, tables and figures of finished runs."""

from __future__ import annotations

import math
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

from ..plotting import plot_history
from .experiment import Finding, Table
from .results import Results
from .tools.figures import new_figure, style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = [
    "DATA",
    "GD",
    "HEAVY",
    "KINDS",
    "LOSSES",
    "MUON",
    "UNTUNED",
    "draw_advantage",
    "draw_losses",
    "findings",
    "tables",
]

DATA, KINDS, LOSSES = ("digits", "text"), ("real", "Gaussian"), ("softmax", "squared")
GD, MUON, UNTUNED, HEAVY = "GD", "Muon", "GD at 1/L", "GD with momentum 0.9"


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
