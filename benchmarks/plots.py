"""Draws a record (the JSON that run.py writes). Each function of `PLOTS` returns a figure, or None without its rows.

``python -m benchmarks.plots RESULT.json DIRECTORY`` writes them all as SVG; the documentation does it in its build.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from . import report

Row = dict[str, Any]
Drawing = Callable[[report.Result], Figure | None]

# One colour and marker per side, the same in every figure; Okabe and Ito's colours.
STYLES = {
    "schattor: strict": ("#0072B2", "o"),
    "schattor: rtol=1e-3": ("#56B4E9", "s"),
    "schattor: defaults": ("#0072B2", "o"),
    "schattor: float32": ("#0072B2", "o"),
    "numpy: SVD route": ("#000000", "|"),
    "numpy: block by block": ("#000000", "|"),
    "numpy: float32": ("#000000", "|"),
    "numpy: stacked": ("#999999", "|"),
    "scipy: SVD route": ("#009E73", "^"),
    "scipy: polar": ("#009E73", "v"),
    "torch: SVD route": ("#D55E00", "D"),
    "torch: float32": ("#D55E00", "D"),
    "torch: torch.optim": ("#D55E00", "D"),
    "torch: bfloat16": ("#CC79A7", "x"),
    "numpy: Newton-Schulz": ("#999999", "+"),
}


def side_name(row: Row) -> str:
    """Return library and side."""
    return f"{row['library']}: {row['side']}"


def dots(axes: Any, groups: Iterable[tuple[str, list[tuple[str, float]]]]) -> None:
    """Draw one line per group with a mark per (side, value), on a logarithmic scale."""
    labels = []
    for y, (label, marks) in enumerate(groups):
        labels.append(label)
        for side, value in marks:
            colour, marker = STYLES[side]
            axes.plot(value, y, marker, color=colour, label=side, markersize=8, markeredgewidth=1.8)
    axes.set_yticks(range(len(labels)), labels)
    axes.set_ylim(len(labels) - 0.5, -0.5)
    axes.set_xscale("log")
    axes.axvline(1, color="0.7", linewidth=1, zorder=0)
    axes.grid(axis="x", color="0.9")


def legend(figure: Figure, columns: int = 3) -> None:
    """Put one legend for all axes above them, each side once."""
    found: dict[str, Any] = {}
    for axes in figure.axes:
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
            found.setdefault(label, handle)
    figure.legend(
        list(found.values()),
        list(found),
        loc="outside upper center",
        ncols=columns,
        frameon=False,
        fontsize=9,
    )


def ratio_marks(rows: list[Row]) -> list[tuple[str, float]]:
    """Return the ratios of those sides of a case that have a style."""
    pairs = ((side_name(row), report.ratio(row, rows)) for row in rows if side_name(row) in STYLES)
    return [(side, value) for side, value in pairs if value is not None]


def cases(result: report.Result, section: str, **facts: Any) -> list[list[Row]]:
    """Return the cases of a section whose first row has these facts."""
    groups = report.grouped(row for row in result["rows"] if row["section"] == section).values()
    return [rows for rows in groups if all(rows[0].get(key) == value for key, value in facts.items())]


def oracles(result: report.Result) -> Figure | None:
    """Time of one oracle against NumPy's SVD route, default threads."""
    exponents = [p for p in ("3", "4", "inf") if cases(result, "oracles", p=p, threads="default")]
    if not exponents:
        return None
    figure, grid = plt.subplots(
        1,
        len(exponents),
        figsize=(3.2 * len(exponents) + 1, 4.2),
        sharey=True,
        squeeze=False,
        layout="constrained",
    )
    for axes, p in zip(grid[0], exponents, strict=True):
        found = cases(result, "oracles", p=p, threads="default")
        dots(axes, [(rows[0]["shape"], ratio_marks(rows)) for rows in found])
        axes.set_title(f"p = {p}", fontsize=10)
    figure.supxlabel("time / time of the NumPy SVD route (less is faster)", fontsize=10)
    legend(figure, 4)
    return figure


def units(result: report.Result) -> Figure | None:
    """Time of one oracle in products of the same shape, one thread."""
    found = cases(result, "oracles", p="4", threads="one")
    if not found:
        return None
    figure, axes = plt.subplots(figsize=(7.5, 3.8), layout="constrained")
    groups = []
    for rows in found:
        pairs = ((side_name(row), report.units(row, rows)) for row in rows if side_name(row) in STYLES)
        groups.append((rows[0]["shape"], [(side, value) for side, value in pairs if value is not None]))
    dots(axes, groups)
    axes.set_xlabel("time / time of one product (m x m)(m x n) by the same library; p = 4, one thread")
    legend(figure)
    return figure


def quintic(result: report.Result) -> Figure | None:
    """Muon's five steps against torch's float32 loop."""
    found = cases(result, "quintic", threads="default")
    if not found:
        return None
    figure, axes = plt.subplots(figsize=(7.5, 3.8), layout="constrained")
    dots(axes, [(rows[0]["shape"], ratio_marks(rows)) for rows in found])
    axes.set_xlabel("time / time of torch's float32 loop")
    legend(figure, 4)
    return figure


def steps(result: report.Result) -> Figure | None:
    """Whole steps against torch.optim where it has the rule, else against NumPy."""
    found = cases(result, "steps")
    if not found:
        return None
    figure, axes = plt.subplots(figsize=(7.5, 0.35 * len(found) + 1.4), layout="constrained")
    dots(axes, [(f"{rows[0]['rule']}, {rows[0]['set']}", ratio_marks(rows)) for rows in found])
    axes.set_xlabel("time / time of torch.optim (muon, adamw) or of NumPy (schattor, sgd)")
    legend(figure, 4)
    return figure


ACCURACY_ROUTES = {
    "NumPy": ("#000000", "-"),
    "gesdd": ("#009E73", "-"),
    "auto": ("#0072B2", "-"),
    "auto, rtol=1e-3": ("#56B4E9", "-"),
    "NumPy Newton-Schulz": ("#999999", "--"),
}


def accuracy(result: report.Result) -> Figure | None:
    """Error against the condition number, 384x384 or the largest shape there is."""
    measured = [row for row in result.get("accuracy", []) if "missing" not in row]
    rows = [row for row in measured if row["matrix"].startswith("geometric")]
    if not rows:
        return None
    shape = rows[0]["shape"]
    figure, grid = plt.subplots(2, 2, figsize=(8, 6), sharex=True, layout="constrained")
    for line, dtype in zip(grid, ("float32", "float64"), strict=True):
        for axes, p in zip(line, ("4", "inf"), strict=True):
            for route, (colour, style) in ACCURACY_ROUTES.items():
                points = [
                    (float(row["matrix"].split()[1]), row["error_two"])
                    for row in rows
                    if (row["shape"], row["dtype"], row["p"], row["route"]) == (shape, dtype, p, route)
                    and row["error_two"] is not None
                ]
                if points:
                    axes.loglog(*zip(*points, strict=True), style, marker=".", color=colour, label=route)
            axes.set_title(f"{dtype}, p = {p}", fontsize=10)
            axes.grid(color="0.9")
    figure.supxlabel(f"condition number of a geometric spectrum, {shape}", fontsize=10)
    figure.supylabel("relative error, spectral norm", fontsize=10)
    legend(figure, 5)
    return figure


PLOTS: dict[str, Drawing] = {
    "oracles": oracles,
    "units": units,
    "quintic": quintic,
    "steps": steps,
    "accuracy": accuracy,
}


def write_all(result: report.Result, directory: Path) -> list[str]:
    """Write the figures as SVG; return the names of those that there is something to draw for."""
    written = []
    for name, draw in PLOTS.items():
        figure = draw(result)
        if figure is not None:
            figure.savefig(directory / f"{name}.svg", metadata={"Date": None})
            plt.close(figure)
            written.append(name)
    return written


if __name__ == "__main__":
    write_all(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")), Path(sys.argv[2]))
