"""Steps of p="auto" against the best fixed p, at full batch, by the regularization rule, without momentum."""

from __future__ import annotations

import json
import math
import statistics
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import schattor as st
from schattor._provenance import provenance

P = st.problems
GRID = (2.0, 3.0, 4.0, 8.0, math.inf)


def _digits(samples: int, seed: int) -> tuple[Any, Any]:
    from sklearn.datasets import load_digits

    X, y = load_digits(return_X_y=True)
    chosen = np.random.default_rng(seed).choice(len(X), samples, replace=False)
    return X[chosen] / 16, y[chosen]


def _power_law(seed: int, size: int = 20) -> P.Problem:
    """Power laws for both covariances, and for a target with singular vectors of its own.

    With a target that shares them, p >= 4 reaches rounding error within 300 steps, and there is nothing to compare.
    """
    covariances = P.MatrixLeastSquares.power_law(size, size, data_exponent=1.5, rng=seed)
    rng = np.random.default_rng([seed, 1])
    U, V = (np.linalg.qr(rng.standard_normal((size, size)))[0] for _ in range(2))
    target = U * np.arange(1.0, size + 1) ** -0.5 @ V.T
    return P.MatrixLeastSquares(covariances.A, covariances.B, target)


PROBLEMS: dict[str, tuple[Callable[[int], P.Problem], float]] = {
    "matrix quadratic": (lambda s: P.MatrixQuadratic.random(np.geomspace(1, 1e-4, 15), 15, rng=s), 0.25),
    "softmax on digits": (lambda s: P.SoftmaxRegression(*_digits(500, s)), 64.0),
    "matrix completion": (lambda s: P.MatrixCompletion.random((30, 25), 4, rng=s), 0.02),
    "power-law least squares": (_power_law, 0.5),
    "MLP": (lambda s: P.MLP.random(*_digits(300, s), hidden=(32, 16), rng=s), 2.0),
}
"""Problems by seed, each with the middle of its grid of step sizes."""


def lrs(name: str) -> list[float]:
    """The seven step sizes that every fixed p and "auto" are tuned on."""
    return [PROBLEMS[name][1] * 2.0**k for k in range(-4, 3)]


def losses(
    problem: P.Problem, p: Any, lr: float, steps: int, source: str = "", target: float = -1.0
) -> tuple[list[float], Any]:
    """Losses after each step, until one is at most the target or not finite, and the optimizer."""
    params = problem.start()
    opt = st.Schattor(params, p=p, lr=lr, rule="regularization", momentum=0, on_nonfinite="skip")
    found, before = [problem.loss(params)], None
    for _ in range(steps):
        gradient = problem.gradient(params)
        extras: dict[str, Any] = {"hvp": problem.hvp} if source == "hvp" else {}
        if source == "gradients" and before is not None:
            extras = {"gradient_at_previous": before}
        opt.step(gradient, **extras)
        before = gradient
        found.append(problem.loss(params))
        if not found[-1] < 1e6 * found[0] or found[-1] <= target:
            break
    return found, opt


def compare(
    name: str, seed: int, steps: int = 300, auto: Sequence[tuple[str, Any]] = (), control: bool = False
) -> dict[str, Any]:
    """The best fixed p at its best lr, and how many steps "auto" needs at its best lr to reach the same loss.

    With the control, also how many a fixed p needs under the limit of "auto".
    """
    problem, fixed = PROBLEMS[name][0](seed), {}
    for p in GRID:
        ends = {}
        for lr in lrs(name):
            path = losses(problem, p, lr, steps)[0]
            ends[lr] = path[-1] if len(path) > steps and math.isfinite(path[-1]) else math.inf
        lr = min(ends, key=ends.__getitem__)
        fixed[f"{p:g}"] = {"loss": ends[lr], "lr": lr}
    best = min(fixed, key=lambda p: fixed[p]["loss"])
    row: dict[str, Any] = {"problem": name, "seed": seed, "fixed": fixed, "best p": best}
    for label, options in auto:
        row[label] = _tuned(problem, name, options, label.split(",")[0], steps, fixed[best]["loss"])
    if control:
        row[CONTROL] = same_limit(problem, name, steps, fixed[best]["loss"])
    return row


def same_limit(problem: P.Problem, name: str, steps: int, target: float) -> dict[str, Any]:
    """Every fixed p with the products and the limit of "auto", each at its best lr, and the best of them.

    What is left of the gain of "auto" beside this is due to the choice of p; the rest is due to the limit.
    """
    fixed = {
        f"{p:g}": _tuned(problem, name, st.AdaptiveExponent(grid=(p,)), "hvp", steps, target) for p in GRID
    }
    best = min(fixed, key=lambda p: fixed[p]["steps"] or math.inf)
    return {**fixed[best], "best p": best if fixed[best]["steps"] else None, "fixed": fixed}


def _tuned(
    problem: P.Problem, name: str, options: Any, source: str, steps: int, target: float
) -> dict[str, Any]:
    best: dict[str, Any] = {"steps": None, "ratio": None}
    for lr in lrs(name):
        path, opt = losses(problem, options, lr, 2 * steps, source, target)
        taken = len(path) - 1
        if path[-1] <= target and (best["steps"] is None or taken < best["steps"]):
            products = opt.report.choices[0].products
            last = {name: f"{choice.chosen:g}" for name, choice in opt.report.choices[0].items()}
            best = {
                "steps": taken,
                "ratio": taken / steps,
                "lr": lr,
                "products": products,
                "secants": taken - 1,
                "last p": last,
            }
    return best


AUTO = tuple(
    (f"{source}, limit {limit:g}", st.AdaptiveExponent(limit=limit))
    for source in ("hvp", "secant")
    for limit in (1.5, 1.75, math.inf)
)
"""What is compared: where the curvature comes from, and the limit. With all samples, "gradients" are "secant"."""

CONTROL = "hvp, fixed p, same limit"
"""Label of what shows how much is due to the limit alone; see `same_limit`."""

LABELS = (*(label for label, _ in AUTO), CONTROL)

CHOICE, CHECK = (0, 1, 2), (3, 4, 5)
"""Seeds that the defaults were chosen on, and seeds that were not looked at before."""


def summary(rows: Sequence[dict[str, Any]], label: str, seeds: Sequence[int]) -> dict[str, float]:
    """The median over the seeds of the ratio of steps, by problem; inf where the loss was not reached."""
    ratios: dict[str, list[float]] = {}
    for row in rows:
        if row["seed"] not in seeds:
            continue
        ratio = row[label]["ratio"]
        ratios.setdefault(row["problem"], []).append(math.inf if ratio is None else ratio)
    return {name: statistics.median(values) for name, values in ratios.items()}


def main(path: str) -> None:
    """Compare on all problems and seeds; print and store."""
    rows, made = [], provenance()
    for name in PROBLEMS:
        for seed in CHOICE + CHECK:
            rows.append(compare(name, seed, auto=AUTO, control=True))
            print(name, seed, {label: rows[-1][label]["ratio"] for label in LABELS}, flush=True)
            record = {
                **made,
                "numpy": np.__version__,
                "command": "python -m drivers.adaptive_p results/adaptive_p.json",
                "rows": rows,
            }
            Path(path).write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main(sys.argv[1])
