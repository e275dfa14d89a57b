"""AdamW, Muon and the Schatten family on a model of GPT-2's shape (the last experiment of arXiv 2505.23737)."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from ..plotting import plot_history
from .architecture import MATRICES
from .experiment import Experiment, Finding, Table
from .language_training import METHODS, QUICK, VARIANTS, Settings, measure
from .results import Results
from .tools.figures import new_figure, style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["EXPERIMENT", "block_means"]


def _finals(results: Results, quantity: str) -> dict[str, Any]:
    """Return a quantity of the final runs of each method, runs x evaluations."""
    return {name: results.arrays(f"final/{name}/", quantity) for name in METHODS}


def _grid(results: Results, name: str) -> list[float]:
    prefix = f"tune/{name}/"
    return sorted(float(key.removeprefix(prefix)) for key in results.runs if key.startswith(prefix))


def _mean(values: Any) -> str:
    return f"{values.mean():.3f} ± {values.std(ddof=1):.3f}"


def _below(losses: dict[str, Any], first: str, second: str) -> tuple[bool, str]:
    """Return whether the first method ends below the second with every seed, and the numbers."""
    a, b = losses[first], losses[second]
    return bool((a < b).all()), f"{_mean(a)} against {_mean(b)}"


def block_means(results: Results, name: str, kind: int | slice = slice(None)) -> tuple[Any, float]:
    """Return the mean ratio over the blocks at each measurement, and the share of blocks without one.

    Where the curvature along a direction is not positive, no step length is best: the block has no ratio. `kind` is
    the number of a matrix within its layer.
    """
    shape = (-1, results.settings["layers"], len(MATRICES))
    J, L, ratio = (
        results.array(f"final/{name}/0", key).reshape(shape)[:, :, kind] for key in ("J", "L", "ratio")
    )
    curved = (J > 0) & (L > 0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # no block has one: the mean is NaN
        mean = np.nanmean(np.where(curved, ratio, np.nan).reshape(len(ratio), -1), axis=1)
    return mean, 1 - float(curved.mean())


def findings(results: Results) -> list[Finding]:
    """Say what came out."""
    last = {name: x[:, -1] for name, x in _finals(results, "held_out_loss").items()}
    family = [name for name in METHODS if name.startswith("Schattor")]
    out = [Finding("Muon ends below AdamW on held-out text with every seed", *_below(last, "Muon", "AdamW"))]
    for name in family:
        out.append(Finding(f"{name} ends below AdamW with every seed", *_below(last, name, "AdamW")))
    best = min(family[:-1], key=lambda name: last[name].mean())
    out.append(
        Finding(
            f"{best}, the best finite p, ends below p=inf with every seed", *_below(last, best, family[-1])
        )
    )
    out.append(Finding(f"{best} ends below Muon with every seed", *_below(last, best, "Muon")))
    for name in ("Muon", "AdamW"):
        ratio, without = block_means(results, name)
        numbers = f"{ratio.min():.2f} to {ratio.max():.2f}; {without:.0%} of the blocks have none"
        out.append(
            Finding(
                f"the mean ratio over the blocks is above 1 along {name}'s run",
                bool((ratio > 1).all()),
                numbers,
            )
        )
    out += _about_variants(results)
    edge = [name for name in METHODS if results.runs[f"final/{name}/0"]["lr"] in _grid(results, name)[::2]]
    numbers = f"at the edge: {', '.join(edge)}" if edge else "all inside"
    return [
        *out,
        Finding("the best of the three step sizes is the middle one for every method", not edge, numbers),
    ]


def _variants(results: Results, quantity: str) -> dict[str, float]:
    """Return a quantity at the end of each variant's run, and of Muon's and p = inf's with the same seed."""
    keys = {"Muon": "final/Muon/0", "p=inf": "final/Schattor p=inf/0"}
    keys |= {name: f"variant/{name}" for name in VARIANTS}
    return {name: float(results.array(key, quantity)[-1]) for name, key in keys.items()}


def _about_variants(results: Results) -> list[Finding]:
    """Say what separates p = inf from Muon, and whether a finite p gains by it as well."""
    last = _variants(results, "held_out_loss")
    pairs = {
        "the exact polar factor, with Muon's momentum and shape factors, ends below Muon": (
            "p=inf, both",
            "Muon",
        ),
        "with these, p=8 ends below p=inf": ("p=8, both", "p=inf, both"),
        "with these, p=4 ends below p=inf": ("p=4, both", "p=inf, both"),
    }
    return [
        Finding(f"{text} (first seed)", last[a] < last[b], f"{last[a]:.3f} against {last[b]:.3f}")
        for text, (a, b) in pairs.items()
    ]


def tables(results: Results) -> list[Table]:
    """Return losses at the end of the runs, those of the variants, and the ratio along the runs."""
    training, held_out = _finals(results, "training_loss"), _finals(results, "held_out_loss")
    rows: list[tuple[str, ...]] = []
    for name in METHODS:
        grid, run = _grid(results, name), results.runs[f"final/{name}/0"]
        rows.append(
            (
                name,
                f"{run['lr']:g}",
                f"{grid[0]:g} .. {grid[-1]:g}",
                _mean(training[name][:, -1]),
                _mean(held_out[name][:, -1]),
                f"{run['gradient_ms']:.0f}",
                f"{run['step_ms']:.0f}",
            )
        )
    head = ("method", "lr", "tried", "training loss", "held-out loss", "gradient (ms)", "step (ms)")
    losses = Table(
        "Cross-entropy of a byte (nats) at the end, mean and standard deviation over the seeds", head, rows
    )
    training, held_out = (_variants(results, part) for part in ("training_loss", "held_out_loss"))
    variants = Table(
        "From p = inf to Muon, first seed: the variants have Muon's step size, and Nesterov's momentum, Muon's shape "
        "factors sqrt(max(1, m/n)), or both",
        ("variant", "training loss", "held-out loss"),
        [(name, f"{training[name]:.3f}", f"{held_out[name]:.3f}") for name in training],
    )
    steps = [str(int(step)) for step in results.array("final/Muon/0", "ratio_steps")]
    lines: list[tuple[str, ...]] = []
    for name in METHODS:
        ratio, without = block_means(results, name)
        lines.append((name, *(f"{x:.2f}" for x in ratio), f"{without:.0%}"))
    title = (
        "Mean over the hidden matrices of |g|_*^2 L / (|g|_F^2 J), by step, first seed; blocks without one"
    )
    return [losses, variants, Table(title, ("method", *steps, "without"), lines)]


def _styles() -> dict[str, dict[str, Any]]:
    return {name: style(method.colour) for name, method in METHODS.items()}


def _draw_losses(results: Results) -> Figure:
    figure, ((left, right),) = new_figure(2, width=5.6)
    for ax, part in ((left, "training"), (right, "held-out")):
        steps = results.array("final/Muon/0", "steps")
        curves = _finals(results, f"{part.replace('-', '_')}_loss")
        plot_history(curves, steps, logy=False, styles=_styles(), ax=ax)
        ax.set_xlabel("step")
        ax.set_ylabel(f"{part} loss (nats per byte)")
    right.get_legend().remove()
    figure.suptitle(f"Mean and standard deviation over {results.settings['seeds']} seeds")
    return figure


def _draw_ratio(results: Results) -> Figure:
    figure, ((left, right),) = new_figure(2, width=5.6)
    steps = results.array("final/Muon/0", "ratio_steps")
    means = {name: block_means(results, name)[0] for name in METHODS}
    plot_history(means, steps, logy=False, styles=_styles(), ax=left)
    left.set_ylabel("mean ratio over the hidden matrices")
    kinds = {name: block_means(results, "Muon", kind)[0] for kind, name in enumerate(MATRICES)}
    plot_history(kinds, steps, logy=False, ax=right)
    right.set_ylabel("mean ratio over the layers, along Muon's run")
    for ax in (left, right):
        ax.axhline(1, color="black", linewidth=0.8)
        ax.set_xlabel("step")
    return figure


EXPERIMENT = Experiment(
    name="language_model",
    title="A language model of GPT-2's shape",
    description="""\
Six layers of width 128 learn the bytes of Python's documentation, one tenth of which is held out. The hidden
matrices get AdamW, Muon or Schattor with p = 3, 4, 8, inf; embeddings, norms and biases get AdamW. Each method
takes the best of three step sizes after 100 steps, then makes 400 steps with three seeds; step sizes rise over
the first fifth of a run and fall to zero. With the first seed the ratio of arXiv 2505.23737 is measured on every
hidden matrix, by two Hessian-vector products each.""",
    full=Settings(),
    quick=QUICK,
    measure=measure,
    findings=findings,
    tables=tables,
    figures={"losses": _draw_losses, "ratio": _draw_ratio},
    requires=("torch", "matplotlib"),
    extra="experiments",
)
