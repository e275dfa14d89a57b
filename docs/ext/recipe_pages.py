"""Write what the page of recipes shows of the recipes themselves: the table, and their paths on one problem.

Both go to ``docs/_recipes`` (ignored by git).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from sphinx.application import Sphinx
    from sphinx.config import Config

    from schattor.recipes import RecipeRow

HEADER = "| Recipe | Family | State beside the weights | Degree | Commutes with |\n|---|---|---|---|---|\n"
GROUPS = {
    "orthogonal": "rotations of both sides",
    "left": "rotations of the rows",
    "right": "rotations of the columns",
    "rotations": "all rotations",
    "entries": "signed permutations",
}
STEPS, COLUMNS = 40, 4
START = np.array([[-1.5, 0.4], [0.2, 1.0]])
CURVATURE = np.array([[4.0, 1.0], [1.0, 1.0]])  # f(W) = tr(W' Q W) / 2


def line(row: RecipeRow) -> str:
    """Return the line of one recipe."""
    state = f"{row.memory:g} ({', '.join(row.state)})" if row.state else "0"
    degree = "-" if row.degree is None else str(row.degree)
    cells = (f"`{row.name}`", row.family, state, degree, GROUPS[row.equivariance])
    return f"| {' | '.join(cells)} |\n"


def loss(W: np.ndarray) -> float:
    """Return the loss of the test problem."""
    return float((W * (CURVATURE @ W)).sum()) / 2


def walk(make: Callable[..., Any], needed: dict[str, Any], lr: float) -> list[np.ndarray]:
    """Return the weights at the start and after each step."""
    import schattor as st

    W = START.copy()
    opt = st.Optimizer(W, make(lr=lr, **needed))
    path = [W.copy()]
    for _ in range(STEPS):
        opt.step(CURVATURE @ W)
        path.append(W.copy())
    return path


def best_path(make: Callable[..., Any], needed: dict[str, Any]) -> tuple[float, list[np.ndarray]]:
    """Return the lr of a grid whose path lies lowest on average, and the path."""
    grid = [m * 10.0**k for k in range(-3, 1) for m in (1, 2, 5)]
    paths = {lr: walk(make, needed, lr) for lr in grid}
    lr = min(paths, key=lambda lr: sum(map(loss, paths[lr])))
    return lr, paths[lr]


def draw_paths(path: Path) -> None:
    """Draw the path of every recipe over the contours of the loss, in the first column of W."""
    from matplotlib.figure import Figure

    from schattor import recipes

    names = recipes.__all__
    rows = -(-len(names) // COLUMNS)
    figure = Figure(figsize=(10, 2.4 * rows), layout="constrained")
    axes = figure.subplots(rows, COLUMNS, sharex=True, sharey=True).ravel()
    x, y = np.meshgrid(np.linspace(-1.8, 1.0, 80), np.linspace(-1.2, 1.2, 80))
    a, b, c = CURVATURE[0, 0], CURVATURE[0, 1], CURVATURE[1, 1]
    for axis, name in zip(axes, names, strict=False):
        lr, steps = best_path(getattr(recipes, name), {"p": 4} if name == "schattor" else {})
        axis.contour(x, y, (a * x**2 + 2 * b * x * y + c * y**2) / 2, 12, colors="0.8", linewidths=0.6)
        line_ = np.array(steps)[:, :, 0]
        axis.plot(line_[:, 0], line_[:, 1], "o-", markersize=2, linewidth=0.9, color="#1f5fa8")
        axis.plot(0, 0, "+", color="#b03030")
        axis.set(title=f"{name}, lr = {lr:g}", xlim=(-1.8, 1.0), ylim=(-1.2, 1.2))
        axis.title.set_fontsize(8)
        axis.tick_params(labelsize=7)
    for axis in axes[len(names) :]:
        axis.set_visible(False)
    figure.savefig(path, metadata={"Date": None})


def write(app: Sphinx, _config: Config) -> None:
    """Write the files before the sources are listed."""
    from schattor import recipes

    target = Path(app.srcdir) / "_recipes"
    target.mkdir(exist_ok=True)
    (target / "table.md").write_text(HEADER + "".join(map(line, recipes.table())), encoding="utf-8")
    draw_paths(target / "paths.svg")


def setup(app: Sphinx) -> dict[str, Any]:
    """Register with Sphinx."""
    app.connect("config-inited", write)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
