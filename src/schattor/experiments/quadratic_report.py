"""What came out of the quadratic: findings, tables and figures of finished runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..plotting import plot_history
from .experiment import Finding, Table
from .results import Results
from .tools.figures import new_figure, style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["DESCENT", "MUON", "draw_floors", "draw_losses", "draw_ratio", "findings", "tables"]

MUON, DESCENT = "Muon, best step", "GD at 1/L"


def _steepest(results: Results) -> str:
    return f"{results.settings['conditions'][-1]:g}"


def _final(results: Results, name: str) -> Any:
    return results.arrays(f"{name}/", "loss")[:, -1]


def _ratios(results: Results, name: str) -> Any:
    """Return the average over the steps, the least and the largest ratio along the runs of a method."""
    steps = results.array(f"{name}/0", "steps")
    values = results.arrays(f"{name}/", "ratio")
    even = np.isin(steps, np.arange(0, steps[-1] + 1, steps[-1] // results.settings["points"]))
    return np.nanmean(values[:, even]), np.nanmin(values), np.nanmax(values)


def _range(ratios: Any) -> str:
    return "{:.2f} on average, {:.2f} to {:.2f}".format(*ratios)


def _mean(values: Any) -> str:
    if (values < 1e-26).any():
        return "rounding"
    return f"{np.exp(np.log(values).mean()):.1e}"


def _ahead(results: Results) -> tuple[Any, Any, Any]:
    """Return steps, gradient descent's loss, and the least loss of the sweep at each step (seed 0)."""
    steepest = _steepest(results)
    envelope = np.nanmin(results.arrays("sweep/", "loss"), axis=0)
    return (
        results.array(f"{steepest}/{DESCENT}/0", "steps"),
        results.array(f"{steepest}/{DESCENT}/0", "loss"),
        envelope,
    )


def findings(results: Results) -> list[Finding]:
    """Say what came out."""
    steepest, steps = _steepest(results), results.settings["steps"]
    muon, descent = _final(results, f"{steepest}/{MUON}"), _final(results, f"{steepest}/{DESCENT}")
    ratios = _ratios(results, f"{steepest}/{MUON}")
    other = _ratios(results, f"{steepest}/{DESCENT}")
    out = [
        Finding(
            f"decaying spectrum: Muon at its best constant step ends below gradient descent at 1/L after {steps} steps",
            bool((muon < descent).all()),
            f"{_mean(muon)} against {_mean(descent)}",
        ),
        Finding(
            "decaying spectrum: the ratio is above 1 on average along Muon's run",
            ratios[0] > 1,
            _range(ratios),
        ),
        Finding(
            "decaying spectrum: the ratio is above 1 at every step of Muon's run",
            ratios[1] > 1,
            _range(ratios),
        ),
        Finding(
            "decaying spectrum: the ratio is above 1 on average along gradient descent's run",
            other[0] > 1,
            _range(other),
        ),
    ]
    for condition in [c for c in results.settings["conditions"] if c <= 2]:
        text = "Q = I" if condition == 1 else "nearly flat spectrum"
        flat, other = _final(results, f"{condition:g}/{MUON}"), _final(results, f"{condition:g}/{DESCENT}")
        ratios = _ratios(results, f"{condition:g}/{MUON}")
        out += [
            Finding(
                f"{text}: the ratio is below 1 on average along Muon's run", ratios[0] < 1, _range(ratios)
            ),
            Finding(
                f"{text}: Muon does not win",
                bool((flat > other).all()),
                f"{_mean(flat)} against {_mean(other)}",
            ),
        ]
    first = results.arrays(f"1/{DESCENT}/", "loss")[:, 1]
    out.append(
        Finding(
            "Q = I: gradient descent is there after one step",
            bool((first < 1e-25).all()),
            f"{first.max():.0e}",
        )
    )
    return out + _limits(results, muon)


def _limits(results: Results, muon: Any) -> list[Finding]:
    """Say what the comparison with gradient descent at 1/L leaves out."""
    steepest = _steepest(results)
    steps, descent, envelope = _ahead(results)
    best = results.array(f"{steepest}/{MUON}/0", "loss")
    behind = steps[(best > descent) & (steps > 0)]
    lost = steps[(envelope > descent) & (steps > 0)]
    heavy = _final(results, f"{steepest}/GD with momentum 0.9")
    tuned = _final(results, f"{steepest}/GD, best step")
    decayed = _final(results, f"{steepest}/Muon, linear decay")
    return [
        Finding(
            "Muon at its best constant step is ahead from the start",
            len(behind) == 0,
            f"behind from step {int(behind.min())} to {int(behind.max())} (seed 0)"
            if len(behind)
            else "everywhere",
        ),
        Finding(
            "with a constant step chosen for each horizon Muon is ahead at every horizon",
            len(lost) == 0,
            f"behind from step {int(lost.min())} to {int(lost.max())} (seed 0)"
            if len(lost)
            else "everywhere",
        ),
        Finding(
            "Muon also ends below gradient descent at its best step",
            bool((muon < tuned).all()),
            f"{_mean(muon)} against {_mean(tuned)}",
        ),
        Finding(
            "Muon also ends below gradient descent with momentum 0.9",
            bool((muon < heavy).all()),
            f"{_mean(muon)} against {_mean(heavy)}",
        ),
        Finding(
            "a decaying step takes Muon below the floor of its constant step",
            bool((decayed < muon).all()),
            f"{_mean(decayed)} against {_mean(muon)}",
        ),
    ]


def tables(results: Results) -> list[Table]:
    """Return final losses by spectrum, and by method on the steepest."""
    steepest = _steepest(results)
    rows = []
    for condition in results.settings["conditions"]:
        name = f"{condition:g}"
        ratios = _ratios(results, f"{name}/{MUON}")
        losses = [_mean(_final(results, f"{name}/{method}")) for method in (DESCENT, MUON)]
        rows.append((name, *losses, _range(ratios)))
    methods = []
    for method in (DESCENT, MUON, *results.settings["others"]):
        runs = [run for key, run in results.runs.items() if key.startswith(f"{steepest}/{method}/")]
        lrs = sorted(run["lr"] for run in runs)
        methods.append((method, f"{lrs[0]:g} to {lrs[-1]:g}", _mean(_final(results, f"{steepest}/{method}"))))
    return [
        Table(
            f"Loss after {results.settings['steps']} steps by condition number of Q, geometric mean over seeds",
            ("condition", DESCENT, MUON, "ratio along Muon's run"),
            rows,
        ),
        Table(f"All methods at condition number {steepest}", ("method", "step", "loss"), methods),
    ]


STYLES = {
    DESCENT: style("black", linewidth=2),
    MUON: style("red", linewidth=2),
    "GD, best step": style("grey"),
    "GD with momentum 0.9": style("orange"),
    "Muon, linear decay": style("pink"),
    "Muon as shipped": style("green"),
    "Schattor p = 4": style("blue"),
}


def draw_losses(results: Results) -> Figure:
    """Draw the losses of all methods on the steepest spectrum, and of both sides on flat ones."""
    conditions = [c for c in results.settings["conditions"] if c <= 2][::-1]
    figure, axes = new_figure(1 + len(conditions))
    for ax, condition in zip(axes[0], (results.settings["conditions"][-1], *conditions), strict=True):
        names = (DESCENT, MUON, *(results.settings["others"] if condition > 2 else ()))
        curves = {name: results.arrays(f"{condition:g}/{name}/", "loss") for name in names}
        steps = results.array(f"{condition:g}/{DESCENT}/0", "steps")
        plot_history(curves, steps, band="range", styles=STYLES, ax=ax)
        ax.set(
            xscale="symlog",
            xlim=(0, steps[-1]),
            xlabel="step",
            title="Q = I" if condition == 1 else f"condition number {condition:g}",
        )
        ax.set_ylim(bottom=max(ax.get_ylim()[0], 1e-14))
        ax.legend(fontsize=8)
    axes[0, 0].set_ylabel("loss, mean and range over seeds")
    return figure


def draw_floors(results: Results) -> Figure:
    """Draw Muon at constant steps, their envelope, and gradient descent."""
    figure, axes = new_figure(2)
    steps, descent, envelope = _ahead(results)
    # At its floor Muon jumps to and fro: one side of it is drawn, the even steps.
    shown = (steps % 2 == 0) & (steps > 0) | (steps == 1)
    sweep = [key for key in results.runs if key.startswith("sweep/")]
    for ax, scale in zip(axes[0], ("log", "linear"), strict=True):
        for i, key in enumerate(sweep):
            ax.plot(
                steps[shown],
                results.array(key, "loss")[shown],
                **style("sky", linewidth=0.8, label="_" if i else "Muon, constant steps from 0.001 to 1"),
            )
        ax.plot(steps[shown], envelope[shown], **style("red", label="the best of them at each step"))
        ax.plot(steps[shown], descent[shown], **style("black", linewidth=2, label=DESCENT))
        ax.set(xscale=scale, yscale="log", xlabel="step", ylabel="loss (seed 0)")
        ax.grid(True, alpha=0.25)
    axes[0, 0].set_title("Where each step stops")
    axes[0, 1].set_title("The same, linear in time")
    axes[0, 0].legend(fontsize=8)
    return figure


def draw_ratio(results: Results) -> Figure:
    """Draw the ratio along the runs, and the final losses over the condition number."""
    figure, axes = new_figure(3)
    conditions = results.settings["conditions"]
    colours = ("black", "grey", "sky", "blue", "red")
    shown = [c for c in conditions if c in (1, 2, 10, 100)] + [conditions[-1]]
    styles = {f"condition {c:g}": style(colour) for c, colour in zip(shown, colours, strict=False)}
    for ax, name in zip(axes[0], (MUON, DESCENT), strict=False):
        steps = results.array(f"1/{name}/0", "steps")
        curves = {f"condition {c:g}": results.arrays(f"{c:g}/{name}/", "ratio") for c in shown}
        plot_history(curves, steps, band="range", logy=False, styles=styles, ax=ax)
        ax.axhline(1, **style("black", linewidth=0.8, linestyle=":"))
        ax.set(xscale="symlog", xlim=(0, steps[-1]), xlabel="step", title=f"along the run of {name}")
    axes[0, 0].set_ylabel(r"ratio $\|g\|_*^2 L/(\|g\|_F^2 J)$")
    ax = axes[0, 2]
    for name in (DESCENT, MUON):
        losses = [
            np.exp(np.log(np.maximum(_final(results, f"{c:g}/{name}"), 1e-32)).mean()) for c in conditions
        ]
        ax.loglog(conditions, losses, "o-", label=name, **STYLES[name])
    ax.set(
        xlabel="condition number of Q",
        ylabel=f"loss after {results.settings['steps']} steps",
        title="Who ends below",
    )
    ax.grid(True, alpha=0.25)
    ax.legend()
    return figure
