"""What the demo leaves behind: history, table and figures."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .._tables import table
from ..plotting import plot_history, plot_spectra
from .experiment import Comparison, last_updates, summary
from .methods import Method

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["COLUMNS", "FILES", "header", "history_rows", "result_table", "routing_table", "write_outputs"]

FILES = ("table.txt", "history.csv", "history.npz", "loss_curves.png", "update_spectra.png")
COLUMNS = (
    *("phase", "method", "p", "rule", "lr", "seed", "step", "epoch"),
    *("train_loss", "train_accuracy", "val_loss", "val_accuracy", "test_loss", "test_accuracy"),
    *("ms_per_step", "diverged"),
)
BALL, REGULARIZATION = "-", (0, (4, 1.5))


def header(comparison: Comparison) -> str:
    """Say in a few lines what is compared, on what data, and how."""
    data, settings = comparison.dataset, comparison.settings
    layers = "-".join(str(n) for n in (data.n_features, *settings.hidden, data.n_classes))
    parts = f"{len(data.train)} training, {len(data.validation)} validation, {len(data.test)} test samples"
    batch_size = min(settings.batch_size, len(data.train))
    return "\n".join(
        [
            f"data     {data.name}: {parts}",
            f"model    perceptron {layers}, ReLU, softmax cross-entropy, float32",
            f"runs     {settings.n_steps} steps, batch {batch_size}, step size falling linearly to zero",
            f"lr       lowest final validation loss on a grid of ratio {settings.lr_factor:.3g}, "
            f"{settings.n_lrs} points or more, tuning seeds: {settings.n_tuning_seeds}",
            f"results  mean and standard deviation over {settings.n_seeds} other seeds "
            f"(--seed {comparison.seed})",
        ]
    )


def routing_table(methods: Sequence[Method]) -> str:
    """Which method updates the weights and which the biases."""
    rows = [(method.label, method.weights_text, method.biases_text) for method in methods]
    return table(("method", "weight matrices W*", "biases b*"), rows)


def result_table(comparison: Comparison) -> str:
    """Best step size, test accuracy and loss (mean and standard deviation over seeds), time of a step."""
    head = ("method", "best lr", "lr grid", "test accuracy %", "test loss", "seeds", "ms/step")
    done = [method for method in comparison.methods if comparison.select(method, "final")]
    return table(head, [_result_row(summary(comparison, method)) for method in done], right_from=1)


def _result_row(row: Mapping[str, Any]) -> tuple[str, ...]:
    seeds = str(row["runs"]) + (f" ({row['diverged']} diverged)" if row["diverged"] else "")
    return (
        row["method"],
        f"{row['lr']:g}",
        _grid_text(row),
        _mean_sd_text(row["accuracy"], 2),
        _mean_sd_text(row["loss"], 4),
        seeds,
        f"{row['ms_per_step']:.2f}",
    )


def _mean_sd_text(values: tuple[float, float], digits: int) -> str:
    """One run has no deviation, and no run no mean."""
    return " +- ".join("-" if math.isnan(value) else f"{value:.{digits}f}" for value in values)


def _grid_text(row: Mapping[str, Any]) -> str:
    tried = row["tried"]
    text = f"{tried[0]:g} .. {tried[-1]:g}"
    if row["extended"]:
        text += f" (+{row['extended']})"
    return text + (" EDGE" if row["at_edge"] else "")


def history_rows(comparison: Comparison) -> list[dict[str, Any]]:
    """One dict per evaluation of every finished run, with the keys ``COLUMNS``."""
    return [
        {
            "phase": run.phase,
            "method": run.method.label,
            "p": math.nan if run.method.p is None else run.method.p,
            "rule": run.method.rule,
            "lr": run.lr,
            "seed": run.seed,
            **row,
            "ms_per_step": run.ms_per_step,
            "diverged": run.diverged,
        }
        for run in comparison.runs
        for row in run.rows
    ]


def write_outputs(comparison: Comparison, directory: Path) -> list[str]:
    """Write the files that the finished runs allow; older ones of the same names go. Returns their names."""
    for name in FILES:
        (directory / name).unlink(missing_ok=True)
    if not comparison.runs:
        return []
    rows = history_rows(comparison)
    _write_csv(directory / "history.csv", rows)
    columns: dict[str, Any] = {name: np.array([row[name] for row in rows]) for name in COLUMNS}
    np.savez(directory / "history.npz", **columns)
    text = f"{header(comparison)}\n\n{result_table(comparison)}\n"
    (directory / "table.txt").write_text(text, encoding="utf-8")
    if any(run.phase == "final" for run in comparison.runs):
        _draw_losses(comparison, directory / "loss_curves.png")
        _draw_spectra(comparison, directory / "update_spectra.png")
    return [name for name in FILES if (directory / name).exists()]


def _write_csv(path: Path, rows: list[dict[str, Any]]) -> None:
    """NaN (not measured) becomes an empty cell, which every reader of CSV takes as missing."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        for row in rows:
            writer.writerow({key: "" if value != value else value for key, value in row.items()})


def _styles(methods: Sequence[Method]) -> dict[str, dict[str, Any]]:
    """Colours that stay apart for colour-blind readers (Okabe and Ito); the rule shows in the dashes too."""
    colours = {"SGD": "#000000", "signSGD": "#999999", "AdamW": "#E69F00", "Muon": "#D55E00"}
    exponents = {3: "#56B4E9", 4: "#0072B2", 8: "#009E73"}
    return {
        method.label: {
            "color": colours.get(method.label) or exponents.get(int(method.p or 0), "#CC79A7"),
            "linestyle": REGULARIZATION if method.rule == "regularization" else BALL,
            "linewidth": 2.0 if method.rule else 1.3,
        }
        for method in methods
    }


def _curves(comparison: Comparison, quantity: str) -> dict[str, NDArray[np.float64]]:
    """Label -> values (seeds x evaluations) of the final runs that did not diverge."""
    curves = {}
    for method in comparison.methods:
        runs = [run for run in comparison.select(method, "final") if not run.diverged]
        if runs:
            curves[method.label] = np.array([[row[quantity] for row in run.rows] for run in runs])
    return curves


def _draw_losses(comparison: Comparison, path: Path) -> None:
    """Training and test loss (rows) with Schattor's ball and regularization rule (columns)."""
    # A bare Figure needs no display and leaves pyplot's state alone.
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    figure = Figure(figsize=(12, 7.5), layout="constrained")
    axes = figure.subplots(2, 2, sharex=True, sharey="row")
    for column, rule in enumerate(("ball", "regularization")):
        for row, part in enumerate(("training", "test")):
            _loss_panel(axes[row, column], comparison, part, rule)
        axes[0, column].set_title(f"Schattor with the {rule} rule, and the others")
        axes[1, column].set_xlabel("epoch")
        axes[1, column].xaxis.set_major_locator(MaxNLocator(integer=True))
    lines = {line.get_label(): line for ax in axes.flat for line in ax.get_lines()}
    labels = [method.label for method in comparison.methods if method.label in lines]
    figure.legend([lines[label] for label in labels], labels, loc="outside right center", frameon=False)
    data, settings = comparison.dataset, comparison.settings
    figure.suptitle(
        f"Loss at the best step size, mean and standard deviation over {settings.n_seeds} seeds\n{data.name}"
    )
    figure.savefig(path, dpi=130)


def _loss_panel(ax: Axes, comparison: Comparison, part: str, rule: str) -> None:
    curves = _curves(comparison, "train_loss" if part == "training" else "test_loss")
    shown = {method.label for method in comparison.methods if method.rule in ("", rule)}
    curves = {label: values for label, values in curves.items() if label in shown}
    plot_history(curves, _epochs(comparison), styles=_styles(comparison.methods), ax=ax)
    ax.set_ylabel(f"{part} loss (cross-entropy)" if rule == "ball" else "")
    legend = ax.get_legend()
    if legend is not None:
        legend.remove()  # One legend serves all panels.


def _epochs(comparison: Comparison) -> NDArray[np.float64]:
    run = next(run for run in comparison.runs if not run.diverged)
    return np.array([row["epoch"] for row in run.rows])


def _draw_spectra(comparison: Comparison, path: Path) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9.5, 5.5), layout="constrained")
    ax = figure.subplots()
    styles = _styles(comparison.methods)
    for method in comparison.methods:
        if method.rule == "ball":
            # Both rules give the same shape: a wide, pale line leaves the dashes on top of it visible.
            styles[method.label] |= {"linewidth": 6, "alpha": 0.35}
    plot_spectra(last_updates(comparison), styles=styles, ax=ax)
    ax.set_ylim(bottom=max(ax.get_ylim()[0], 1e-3))
    ax.set_title(
        "Singular values of the update of W2, relative to the largest,\n"
        "after the same gradients for every method"
    )
    if ax.get_legend() is not None:
        ax.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False)
    figure.savefig(path, dpi=130)
