"""One training run: one method, one step size, one seed."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.random import SeedSequence
from numpy.typing import NDArray

from .data import Dataset, Part
from .methods import Method
from .model import evaluate, init_params, loss_and_gradients

__all__ = ["QUICK", "LinearDecay", "Run", "Settings", "minibatches", "train"]

Batch = tuple[NDArray[np.float32], NDArray[np.int64]]


@dataclass(frozen=True)
class Settings:
    """What all runs share.

    Attributes
    ----------
    n_steps : int
        Optimizer steps of one run.
    n_evaluations : int
        How often a run evaluates its losses, evenly spread over the steps.
    n_lrs : int
        Points of the first grid of step sizes, before it is extended.
    n_tuning_seeds, n_seeds : int
        Runs per step size while tuning, and at the chosen step size.
    """

    n_steps: int = 340
    n_evaluations: int = 20
    n_lrs: int = 5
    n_tuning_seeds: int = 3
    n_seeds: int = 5
    batch_size: int = 64
    hidden: tuple[int, ...] = (128, 64)
    lr_factor: float = 2.0
    max_extensions: int = 4


QUICK = Settings(n_steps=120, n_evaluations=12, n_lrs=3, n_tuning_seeds=1, n_seeds=3, lr_factor=3.0)


@dataclass(frozen=True)
class LinearDecay:
    """Schedule that falls from 1 at step 0 to 0 after ``n_steps`` steps: 1 - t / n_steps."""

    n_steps: int

    def __call__(self, step: int) -> float:
        """Return the factor of step number ``step``."""
        return max(0.0, 1.0 - step / self.n_steps)


@dataclass(frozen=True)
class Run:
    """Record of one finished run; ``rows`` are its evaluations, oldest first."""

    method: Method
    phase: str
    lr: float
    seed: int
    rows: list[dict[str, Any]]
    ms_per_step: float
    diverged: bool

    def final(self, quantity: str) -> float:
        """Value of a column at the end of the run; infinite loss and NaN accuracy when it diverged."""
        if self.diverged:
            return math.inf if quantity.endswith("loss") else math.nan
        return float(self.rows[-1][quantity])


def train(
    method: Method,
    lr: float,
    dataset: Dataset,
    settings: Settings,
    seeds: SeedSequence,
    *,
    phase: str,
    seed: int,
    advance: Callable[[int], None] = lambda n: None,
) -> Run:
    """Train the perceptron once.

    Parameters
    ----------
    method, lr
        The optimizer and its step size, which decays linearly to zero.
    dataset, settings
        What to train on, and for how long.
    seeds : SeedSequence
        Source of the initial weights, the batch order and the training samples that are evaluated. Equal
        seeds give equal runs, so that methods are compared from the same starting points.
    phase : {"tune", "final"}
        While tuning the test part is not looked at.
    seed : int
        Number of the run in the history.
    advance : callable
        Told how many steps were made since it was last called.
    """
    rng = np.random.default_rng(seeds)
    params = init_params((dataset.n_features, *settings.hidden, dataset.n_classes), rng)
    opt = method.optimizer(params, lr, schedule=LinearDecay(settings.n_steps))
    parts = {"train": _sample(dataset.train, 2000, rng), "val": dataset.validation}
    if phase == "final":
        parts["test"] = dataset.test

    batches = minibatches(dataset.train, settings.batch_size, rng)
    rows = [_evaluation(params, parts, 0, 0.0)]
    seconds, step = 0.0, 0
    # A step size that is too large overflows on the way: that is a result here, not a fault.
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        for chunk in _chunks(settings.n_steps, settings.n_evaluations):
            for _ in range(chunk):
                X, y = next(batches)
                _, grads = loss_and_gradients(params, X, y)
                start = time.perf_counter()
                opt.step(grads)
                seconds += time.perf_counter() - start
            step += chunk
            advance(chunk)
            epoch = step * min(settings.batch_size, len(dataset.train)) / len(dataset.train)
            rows.append(_evaluation(params, parts, step, epoch))
            # The optimizer drops a step whose gradient is not finite, and counts it.
            if opt.skipped_steps or not math.isfinite(rows[-1]["val_loss"]):
                advance(settings.n_steps - step)
                return Run(method, phase, lr, seed, rows, 1e3 * seconds / step, diverged=True)
    return Run(method, phase, lr, seed, rows, 1e3 * seconds / step, diverged=False)


def minibatches(part: Part, batch_size: int, rng: np.random.Generator) -> Iterator[Batch]:
    """Endless batches (X, y): each pass in a new random order, without the incomplete last batch."""
    batch_size = min(batch_size, len(part))
    while True:
        order = rng.permutation(len(part))
        for start in range(0, len(part) - batch_size + 1, batch_size):
            chosen = order[start : start + batch_size]
            yield part.X[chosen], part.y[chosen]


def _sample(part: Part, n: int, rng: np.random.Generator) -> Part:
    if len(part) <= n:
        return part
    chosen: NDArray[np.int64] = np.sort(rng.choice(len(part), n, replace=False))
    return Part(part.X[chosen], part.y[chosen])


def _chunks(n_steps: int, n_chunks: int) -> list[int]:
    """Lengths of ``n_chunks`` nearly equal, non-empty pieces of ``n_steps`` steps."""
    ends = np.linspace(0, n_steps, min(n_chunks, n_steps) + 1).round().astype(int)
    return [int(length) for length in np.diff(ends)]


def _evaluation(params: dict[str, Any], parts: dict[str, Part], step: int, epoch: float) -> dict[str, Any]:
    row: dict[str, Any] = {"step": step, "epoch": epoch}
    for name in ("train", "val", "test"):
        row[f"{name}_loss"] = row[f"{name}_accuracy"] = math.nan
        if name in parts:
            row[f"{name}_loss"], row[f"{name}_accuracy"] = evaluate(params, parts[name].X, parts[name].y)
    return row
