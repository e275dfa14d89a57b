"""Curvature along the training of a multilayer perceptron (the third experiment of arXiv 2505.23737)."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

import schattor as st

from ..demo.data import load_digits, split
from ..demo.training import LinearDecay
from ..plotting import plot_history
from .experiment import Experiment, Finding, Session, Table
from .results import Results
from .runs import curvature_ratio, follow
from .tools.figures import new_figure, style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["EXPERIMENT"]

BLOCKS = ("W1", "W2", "W3")
MIDDLE = "W2"


@dataclass(frozen=True)
class Settings:
    """What all runs share: layers of 128, 64 and 10 units as in the paper, inputs of 64 pixels, not 784."""

    hidden: tuple[int, ...] = (128, 64)
    batch: int = 64
    steps: int = 400
    points: int = 17
    seeds: int = 3
    tuning_seeds: int = 2
    grid: int = 5
    methods: tuple[str, ...] = ("SGD", "SGD with momentum 0.9", "AdamW", "Muon", "Schattor p = 4")


QUICK = Settings(steps=60, points=4, seeds=1, tuning_seeds=1, grid=3, methods=("SGD", "Muon"))

Make = Callable[[Any, float, Any], st.Optimizer]
METHODS: dict[str, tuple[Make, float]] = {
    "SGD": (lambda x, lr, decay: st.SGD(x, lr=lr, schedule=decay, on_nonfinite="skip"), 0.2),
    "SGD with momentum 0.9": (
        lambda x, lr, decay: st.SGD(x, lr=lr, momentum=0.9, schedule=decay, on_nonfinite="skip"),
        0.05,
    ),
    "AdamW": (lambda x, lr, decay: st.AdamW(x, lr=lr, schedule=decay, on_nonfinite="skip"), 3e-3),
    "Muon": (lambda x, lr, decay: st.Muon(x, lr=lr, schedule=decay, on_nonfinite="skip"), 0.02),
    "Schattor p = 4": (
        lambda x, lr, decay: st.Schattor(x, p=4, lr=lr, momentum=0.9, schedule=decay, on_nonfinite="skip"),
        0.04,
    ),
}


# ------------------------------------------------------------------------------------------------ runs


def _problems(session: Session, settings: Settings, seed: int) -> tuple[st.problems.MLP, st.problems.MLP]:
    """Return the perceptron on the training part and on the validation part of the digits."""
    data = split(*load_digits(), session.rng(0), "digits")
    train = st.problems.MLP.random(
        data.train.X, data.train.y, hidden=settings.hidden, activation="relu", rng=session.rng(seed, 1)
    )
    return train, st.problems.MLP(
        data.validation.X, np.eye(data.n_classes)[data.validation.y], train.weights, "relu"
    )


def _train(
    session: Session, settings: Settings, method: str, lr: float, seed: int, measured: bool
) -> dict[str, Any]:
    """Train once; record losses and, where asked for, the curvature of every block."""
    problem, validation = _problems(session, settings, seed)
    rng = session.rng(seed, 2)
    make = METHODS[method][0]

    def watch(params: Any) -> dict[str, Any]:
        row: dict[str, Any] = {"loss": problem.loss(params), "validation_loss": validation.loss(params)}
        if measured:
            for name in BLOCKS:
                row |= {
                    f"{name}/{key}": value for key, value in curvature_ratio(problem, params, name).items()
                }
        return row

    at = [round(x) for x in np.linspace(0, settings.steps, settings.points if measured else 2)]
    opt = make(problem.start(), lr, LinearDecay(settings.steps))
    record = follow(problem, opt, at, watch, lambda x: problem.stochastic_gradient(x, settings.batch, rng))
    return {"lr": lr, "steps": at, **record}


def measure(session: Session, settings: Settings) -> None:
    """Tune each method by its final training loss, then train with measurements on fresh seeds."""
    cost = settings.grid * settings.tuning_seeds + 2 * settings.seeds
    session.plan(len(settings.methods) * cost)
    for method in settings.methods:

        def score(lr: float, method: str = method) -> float:
            losses = []
            for seed in range(1, 1 + settings.tuning_seeds):
                key = f"tune/{method}/{lr:g}/{seed}"
                run = session.run(key, _train, session, settings, method, lr, seed, False)
                losses.append(math.inf if run["loss"][-1] is None else run["loss"][-1])
            return math.fsum(losses) / len(losses)

        lr = session.tune(score, METHODS[method][1], 2.0, settings.grid, cost=settings.tuning_seeds)
        for seed in range(settings.seeds):
            key, number = f"train/{method}/{seed}", 1 + settings.tuning_seeds + seed
            session.run(key, _train, session, settings, method, lr, number, True, cost=2)


# ------------------------------------------------------------------------------------------------ what came out


def _of(results: Results, method: str, quantity: str) -> Any:
    return results.arrays(f"train/{method}/", quantity)


def _range(values: Any) -> str:
    return f"{np.nanmean(values):.2f} ({np.nanmin(values):.2f} to {np.nanmax(values):.2f})"


def findings(results: Results) -> list[Finding]:
    """Say what came out."""
    out = []
    methods = results.settings["methods"]
    for method in methods:
        text = f"{method}: the ratio of the middle block is above 1"
        ratio = _of(results, method, f"{MIDDLE}/ratio")
        out.append(Finding(f"{text} on average", bool(np.nanmean(ratio) > 1), _range(ratio)))
        out.append(Finding(f"{text} all through training", bool(np.nanmin(ratio) > 1), _range(ratio)))
        text += " on average with the Rayleigh quotient at the gradient in place of ||H||"
        rayleigh = _of(results, method, f"{MIDDLE}/rayleigh_ratio")
        out.append(Finding(text, bool(np.nanmean(rayleigh) > 1), _range(rayleigh)))
    muon = _of(results, "Muon", "loss")[:, -1].mean()
    for other in methods:
        if other != "Muon":
            loss = _of(results, other, "loss")[:, -1].mean()
            text = f"Muon ends with a lower training loss than {other}"
            out.append(Finding(text, bool(muon < loss), f"{muon:.2e} against {loss:.2e}"))
    return out


def tables(results: Results) -> list[Table]:
    """Return final losses, and the mean curvature of each block."""
    losses, blocks = [], []
    for method in results.settings["methods"]:
        lr = next(run["lr"] for key, run in results.runs.items() if key.startswith(f"train/{method}/"))
        tried = sorted(
            {float(key.split("/")[2]) for key in results.runs if key.startswith(f"tune/{method}/")}
        )
        values = [_of(results, method, name)[:, -1] for name in ("loss", "validation_loss")]
        cells = (f"{x.mean():.3g} +- {x.std(ddof=1) if len(x) > 1 else 0:.1g}" for x in values)
        losses.append((method, f"{lr:g}", f"{tried[0]:g} .. {tried[-1]:g}", *cells))
    for method, block in product(results.settings["methods"], BLOCKS):
        means = [np.nanmean(_of(results, method, f"{block}/{name}")) for name in ("J", "L")]
        means += [
            np.nanmean(_of(results, method, f"{block}/{name}_norm") ** 2) for name in ("nuclear", "frobenius")
        ]
        ratios = [_range(_of(results, method, f"{block}/{name}")) for name in ("ratio", "rayleigh_ratio")]
        blocks.append((method, block, *(f"{x:.3g}" for x in means), *ratios))
    return [
        Table(
            "Cross-entropy at the end of training, mean and standard deviation over seeds",
            ("method", "lr", "grid", "training", "validation"),
            losses,
        ),
        Table(
            "Means along the runs, and the ratio with ||H|| and with the Rayleigh quotient, with their ranges",
            ("method", "block", "J", "L", "nuclear^2", "Frobenius^2", "ratio", "Rayleigh"),
            blocks,
        ),
    ]


STYLES = {
    "SGD": style("black"),
    "SGD with momentum 0.9": style("orange"),
    "AdamW": style("grey"),
    "Muon": style("red", linewidth=2),
    "Schattor p = 4": style("blue"),
}


def draw_curvature(results: Results) -> Figure:
    """Draw J_t, L_t, the norms and the ratio of the middle block through training."""
    figure, axes = new_figure(3, 2, width=4.6, height=3.3)
    methods = results.settings["methods"]
    panels = (
        ("J", r"$J_t = \langle UV^\top, H[UV^\top]\rangle$", True),
        ("L", r"$L_t = \|H\|$", True),
        ("ratio", r"$\|g\|_*^2 L_t/(\|g\|_F^2 J_t)$", False),
        ("nuclear_norm", r"$\|g\|_*$", True),
        ("frobenius_norm", r"$\|g\|_F$", True),
        ("loss", "training loss", True),
    )
    for ax, (quantity, title, logarithmic) in zip(axes.flat, panels, strict=True):
        name = quantity if quantity == "loss" else f"{MIDDLE}/{quantity}"
        curves = {method: _of(results, method, name) for method in methods}
        steps = results.array(f"train/{methods[0]}/0", "steps")
        plot_history(curves, steps, band="range", logy=logarithmic, styles=STYLES, ax=ax)
        ax.set(title=title)
        ax.get_legend().remove()
    axes[0, 2].axhline(1, **style("black", linewidth=0.8, linestyle=":"))
    axes[1, 2].legend(fontsize=8)
    for ax in axes[1]:
        ax.set_xlabel("step")
    return figure


def draw_blocks(results: Results) -> Figure:
    """Draw the ratio of every block, with the norm of the Hessian and with its Rayleigh quotient."""
    figure, axes = new_figure(3, 2, width=4.6, height=3.1, sharey="row")
    methods = results.settings["methods"]
    steps = results.array(f"train/{methods[0]}/0", "steps")
    kinds = (("ratio", r"$L_t = \|H\|$"), ("rayleigh_ratio", r"$L_t$ the Rayleigh quotient at $g$"))
    for row, (kind, title) in zip(axes, kinds, strict=True):
        for ax, block in zip(row, BLOCKS, strict=True):
            curves = {method: _of(results, method, f"{block}/{kind}") for method in methods}
            plot_history(curves, steps, band="range", logy=True, styles=STYLES, ax=ax)
            ax.axhline(1, **style("black", linewidth=0.8, linestyle=":"))
            ax.set(title=f"ratio of {block}, {title}", xlabel="step")
            ax.get_legend().remove()
    axes[1, 2].legend(fontsize=7, loc="lower right", ncols=2)
    return figure


EXPERIMENT = Experiment(
    name="mlp",
    title="J_t, L_t, the gradient's norms and the ratio through the training of a perceptron",
    description="""\
Digits, layers of 128, 64 and 10 units, ReLU, batches of 64, learning rates falling linearly to zero, tuned by the
final training loss. Curvature of each block on all training samples, along the gradient there.""",
    full=Settings(),
    quick=QUICK,
    measure=measure,
    findings=findings,
    tables=tables,
    figures={"curvature": draw_curvature, "blocks": draw_blocks},
    requires=("matplotlib", "sklearn"),
)
