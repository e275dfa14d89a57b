"""The comparison: choose every method's step size on the validation part, then repeat runs over seeds."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.random import SeedSequence

from ..experiments.tools.progress import Progress
from ..experiments.tools.tuning import search_grid
from .data import Dataset
from .methods import Method
from .model import init_params, loss_and_gradients
from .training import Run, Settings, minibatches, train

__all__ = ["Comparison", "compare", "last_updates", "planned_steps", "seeds_of", "summary"]


@dataclass
class Comparison:
    """What the comparison has produced so far.

    Attributes
    ----------
    runs : list of Run
        Finished runs in the order in which they were made.
    chosen_lr : dict
        Label of a method -> step size, for methods whose step size is chosen.
    interrupted : bool
        Whether Ctrl-C ended the comparison early.
    """

    dataset: Dataset
    settings: Settings
    seed: int
    methods: Sequence[Method]
    runs: list[Run] = field(default_factory=list)
    chosen_lr: dict[str, float] = field(default_factory=dict)
    interrupted: bool = False

    def select(self, method: Method, phase: str) -> list[Run]:
        """Finished runs of one method in one phase."""
        return [run for run in self.runs if run.method is method and run.phase == phase]


def seeds_of(seed: int, number: int) -> SeedSequence:
    """Independent random source of run ``number`` (from 1); number 0 splits the data."""
    return SeedSequence(seed, spawn_key=(number,))


def planned_steps(comparison: Comparison) -> int:
    """Optimizer steps of the whole comparison if no grid is extended."""
    settings = comparison.settings
    runs = settings.n_lrs * settings.n_tuning_seeds + settings.n_seeds
    return len(comparison.methods) * runs * settings.n_steps


def compare(comparison: Comparison, progress: Progress) -> None:
    """Fill ``comparison`` in place, so that an interrupted one keeps its finished runs."""
    try:
        for method in comparison.methods:
            _choose_lr(comparison, method, progress)
            _repeat(comparison, method, progress)
            progress.line(_one_line(summary(comparison, method)))
    except KeyboardInterrupt:
        comparison.interrupted = True


def _choose_lr(comparison: Comparison, method: Method, progress: Progress) -> None:
    """Try a logarithmic grid of step sizes; extend it while the best one lies at an edge."""
    settings = comparison.settings
    losses = search_grid(
        lambda exponent: _tuning_loss(comparison, method, exponent, progress),
        settings.n_lrs,
        extensions=settings.max_extensions,
        on_extension=lambda: progress.extend(settings.n_tuning_seeds * settings.n_steps),
    )
    best = min(losses, key=losses.__getitem__)
    comparison.chosen_lr[method.label] = _grid_lr(method, settings, best)


def _grid_lr(method: Method, settings: Settings, exponent: int) -> float:
    """Step size number ``exponent`` of the grid, rounded to two digits so that it reads well."""
    return float(f"{method.middle_lr * settings.lr_factor**exponent:.2g}")


def _tuning_loss(comparison: Comparison, method: Method, exponent: int, progress: Progress) -> float:
    """Mean validation loss at the end of the tuning runs at one step size; infinite when one diverged."""
    settings = comparison.settings
    lr = _grid_lr(method, settings, exponent)
    losses = []
    for number in range(1, settings.n_tuning_seeds + 1):
        run = _run(comparison, method, lr, "tune", number, progress)
        losses.append(run.final("val_loss"))
    return statistics.fmean(losses)


def _repeat(comparison: Comparison, method: Method, progress: Progress) -> None:
    # Fresh seeds: those of the tuning runs would flatter the step size that they chose.
    first = comparison.settings.n_tuning_seeds + 1
    for number in range(first, first + comparison.settings.n_seeds):
        _run(comparison, method, comparison.chosen_lr[method.label], "final", number, progress)


def _run(
    comparison: Comparison, method: Method, lr: float, phase: str, number: int, progress: Progress
) -> Run:
    progress.describe(f"{method.label}, {phase}, lr {lr:g}")
    run = train(
        method,
        lr,
        comparison.dataset,
        comparison.settings,
        seeds_of(comparison.seed, number),
        phase=phase,
        seed=number,
        advance=progress.advance,
    )
    comparison.runs.append(run)
    return run


def summary(comparison: Comparison, method: Method) -> dict[str, Any]:
    """One row of the result table: step size, grid, test results, time of a step."""
    tuning, final = comparison.select(method, "tune"), comparison.select(method, "final")
    tried = sorted({run.lr for run in tuning})
    lr = comparison.chosen_lr.get(method.label, math.nan)
    # A diverged run has no meaningful loss: the means leave it out, and the table says how many there were.
    finished = [run for run in final if not run.diverged]
    accuracy = [100 * run.final("test_accuracy") for run in finished]
    loss = [run.final("test_loss") for run in finished]
    return {
        "method": method.label,
        "lr": lr,
        "tried": tried,
        "extended": max(0, len(tried) - comparison.settings.n_lrs),
        "at_edge": len(tried) > 1 and lr in (tried[0], tried[-1]),
        "runs": len(finished),
        "diverged": len(final) - len(finished),
        "accuracy": _mean_sd(accuracy),
        "loss": _mean_sd(loss),
        "ms_per_step": statistics.median([run.ms_per_step for run in final]) if final else math.nan,
    }


def _mean_sd(values: list[float]) -> tuple[float, float]:
    """Mean and sample standard deviation; NaN where there are too few values."""
    mean = statistics.fmean(values) if values else math.nan
    return mean, statistics.stdev(values) if len(values) > 1 else math.nan


def _one_line(row: dict[str, Any]) -> str:
    return (
        f"  {row['method']:<29}lr {row['lr']:<8g}test accuracy {row['accuracy'][0]:6.2f} %   "
        f"test loss {row['loss'][0]:.4f}   {row['ms_per_step']:.2f} ms per step"
    )


def last_updates(comparison: Comparison, block: str = "W2", n_steps: int = 30) -> dict[str, Any]:
    """Update of one block, method by method, after the same gradients for all.

    The gradients are those of ``n_steps`` steps of the first method. Every method receives them in turn and
    keeps its own momentum; its last displacement is returned. So differences come from the methods, not from
    their paths.

    Returns
    -------
    dict
        Label -> displacement of the block. Methods without a chosen step size are absent.
    """
    params, gradients = _common_gradients(comparison, n_steps)
    updates = {}
    for method in comparison.methods:
        if method.label in comparison.chosen_lr:
            opt = method.optimizer(params, comparison.chosen_lr[method.label])
            for grads in gradients:
                update = opt.update(grads)  # The parameters stay as they are, and serve the next method too.
            updates[method.label] = update[block]
    return updates


def _common_gradients(comparison: Comparison, n_steps: int) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Parameters and batch gradients of the first method's first steps."""
    settings, dataset = comparison.settings, comparison.dataset
    rng = np.random.default_rng(seeds_of(comparison.seed, 1))
    params = init_params((dataset.n_features, *settings.hidden, dataset.n_classes), rng)
    opt = comparison.methods[0].optimizer(params, comparison.methods[0].middle_lr)
    batches = minibatches(dataset.train, settings.batch_size, rng)
    gradients = []
    for _ in range(n_steps):
        _, grads = loss_and_gradients(params, *next(batches))
        gradients.append(grads)
        opt.step(grads)
    return params, gradients
