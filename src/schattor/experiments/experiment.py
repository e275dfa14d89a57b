"""What an experiment is, and the session that makes its runs once."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.random import SeedSequence

from .._provenance import provenance
from .results import FILE, Record, Results, StoredError, plain
from .tools.progress import Progress
from .tools.tuning import search_grid

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Experiment", "Finding", "Session", "Table", "open_session"]


@dataclass(frozen=True)
class Table:
    """A table of text, under a title."""

    title: str
    head: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]


@dataclass(frozen=True)
class Finding:
    """A statement of the papers or of ours, and whether the runs bear it out.

    Attributes
    ----------
    statement : str
    holds : bool
    numbers : str
        What was measured.
    """

    statement: str
    holds: bool
    numbers: str


@dataclass(frozen=True)
class Experiment:
    """An experiment: a function that makes runs, and functions of the finished runs.

    Attributes
    ----------
    name, title, description : str
        The description says what is run and what is shown, in plain text of at most 110 columns.
    full, quick : dataclass
        Settings of the two sizes: frozen, with values that JSON has.
    measure : callable
        (session, settings): makes every run by `Session.run`.
    findings, tables : callable
        Results -> what came out.
    figures : mapping of str to callable
        Name -> results -> matplotlib figure.
    requires : tuple of str
        Packages beside NumPy, as they are imported.
    extra : str
        The extra that has them.
    """

    name: str
    title: str
    description: str
    full: Any
    quick: Any
    measure: Callable[[Session, Any], None]
    findings: Callable[[Results], list[Finding]]
    tables: Callable[[Results], list[Table]]
    figures: Mapping[str, Callable[[Results], Figure]]
    requires: tuple[str, ...] = ("matplotlib",)
    extra: str = "demo"


class Session:
    """The runs of an experiment, each made once: those that are stored already are not made again."""

    def __init__(self, results: Results, directory: Path, progress: Progress) -> None:
        self.results = results
        self._directory = directory
        self._progress = progress
        self._advanced = 0

    @property
    def seed(self) -> int:
        """The seed of all randomness."""
        return self.results.seed

    def rng(self, *numbers: int) -> np.random.Generator:
        """Return an independent generator for a purpose that numbers name; equal numbers give equal draws."""
        return np.random.default_rng(SeedSequence(self.seed, spawn_key=numbers))

    def plan(self, cost: int) -> None:
        """Announce more runs: the sum of their costs, for the progress bar."""
        self._progress.extend(cost)

    def advance(self, cost: int) -> None:
        """Within a long run: so much of its cost is done."""
        self._progress.advance(cost)
        self._advanced += cost

    def say(self, text: str) -> None:
        """Print a line."""
        self._progress.line(text)

    def run(
        self, key: str, function: Callable[..., Mapping[str, Any]], *arguments: Any, cost: int = 1
    ) -> Record:
        """Return the record of a run: the stored one, or that which the function returns now.

        Parameters
        ----------
        key : str
            Name of the run, with slashes: what `Results.arrays` finds it by.
        function : callable
            Returns numbers, strings, arrays and containers of them.
        *arguments
            Of the function.
        cost : int
            Its share of the progress bar.
        """
        self._advanced = 0
        if key not in self.results.runs:
            self._progress.describe(key)
            # A step size that is too large overflows on the way: that is a result here, not a fault.
            with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
                self.results.runs[key] = plain(function(*arguments))
            self.results.write(self._directory)
        self._progress.advance(cost - self._advanced)
        return self.results.runs[key]

    def finish(self) -> Results:
        """Return the results, and note that nothing is missing."""
        self.results.complete = True
        self.results.write(self._directory)
        return self.results

    def tune(
        self,
        score: Callable[[float], float],
        start: float,
        factor: float,
        points: int,
        *,
        cost: int = 1,
        extensions: int = 8,
    ) -> float:
        """Return the best step size of the grid start * factor^k, which grows until its best is no edge.

        Parameters
        ----------
        score : callable
            Step size -> what is to be small; made of runs. What is not finite counts as infinite.
        start, factor : float
        points : int
            Points of the first grid.
        cost : int
            Of each point.
        extensions : int
        """

        def at(k: int) -> float:
            value = score(grid_lr(start, factor, k))
            return value if np.isfinite(value) else np.inf

        scores = search_grid(at, points, extensions=extensions, on_extension=lambda: self.plan(cost))
        return grid_lr(start, factor, min(scores, key=scores.__getitem__))


def grid_lr(start: float, factor: float, k: int) -> float:
    """Return point number k of a grid of step sizes, rounded to three digits so that it reads well."""
    return float(f"{start * factor**k:.3g}")


def open_session(
    experiment: Experiment, quick: bool, seed: int, directory: Path, progress: Progress
) -> Session:
    """Return a session that continues what is stored in the directory.

    Raises
    ------
    StoredError
        When other settings, another seed or another version made what is stored there.
    """
    settings = plain(dataclasses.asdict(experiment.quick if quick else experiment.full))
    command = f"schattor experiment {experiment.name}{' --quick' if quick else ''} --seed {seed}"
    made = provenance()
    wanted = Results(
        experiment.name, quick, seed, str(made["version"]), command, settings, made["commit"], made["date"]
    )
    if not (directory / FILE).exists():
        return Session(wanted, directory, progress)
    stored = Results.read(directory)
    for name in ("experiment", "quick", "seed", "settings", "version"):
        if (old := getattr(stored, name)) != getattr(wanted, name):
            raise StoredError(
                f"{directory / FILE}: holds runs of another {name} ({old}); remove it or choose another --out"
            )
    known = stored.commit.split(", ") if stored.commit else []
    if wanted.commit not in (None, *known) and not stored.complete:
        stored.commit = ", ".join([*known, str(wanted.commit)])
    return Session(stored, directory, progress)
