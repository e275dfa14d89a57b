"""The command ``schattor experiment NAME``."""

from __future__ import annotations

import argparse
import importlib.util
import time
from pathlib import Path

from .. import experiments
from .._tables import table
from .experiment import Experiment, open_session
from .results import FILE, Results, StoredError
from .tools.progress import Progress

__all__ = ["CommandError", "draw", "report", "run"]


class CommandError(Exception):
    """The command ends early: the message is one line that says why, `interrupted` whether it was Ctrl-C."""

    def __init__(self, message: str, *, interrupted: bool = False) -> None:
        super().__init__(message)
        self.interrupted = interrupted


def run(arguments: argparse.Namespace) -> None:
    """Make the runs that are missing, print what came out, draw the figures."""
    experiment = experiments.load(arguments.name)
    missing = [name for name in experiment.requires if importlib.util.find_spec(name) is None]
    if missing:
        needs = " and ".join(missing).replace("sklearn", "scikit-learn")
        raise CommandError(f'this experiment needs {needs}: pip install "schattor[{experiment.extra}]"')
    directory = arguments.out or Path("schattor-experiments") / (
        f"{experiment.name}-quick" if arguments.quick else experiment.name
    )
    start = time.perf_counter()
    print(f"{experiment.title}\n\n{experiment.description}\n", flush=True)
    try:
        results = _results(arguments, experiment, directory)
        print(report(experiment, results), end="\n\n")
        names = draw(experiment, results, directory)
    except KeyboardInterrupt:
        message = f"interrupted; finished runs are kept in {directory}, and the same command goes on"
        raise CommandError(message, interrupted=True) from None
    print(f"written to {directory}: {', '.join([FILE, *names])}")
    print(f"done in {time.perf_counter() - start:.0f} s")


def _results(arguments: argparse.Namespace, experiment: Experiment, directory: Path) -> Results:
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with Progress(0, bar=not arguments.no_progress) as progress:
            session = open_session(experiment, arguments.quick, arguments.seed, directory, progress)
            return experiments.measure(session, experiment)
    except StoredError as error:
        raise CommandError(str(error)) from None
    except OSError as error:
        raise CommandError(f"--out {directory}: {error.strerror}") from None


def report(experiment: Experiment, results: Results) -> str:
    """Return findings and tables as text."""
    parts = []
    for shown in experiment.tables(results):
        parts.append(f"{shown.title}\n\n{table(shown.head, shown.rows, right_from=1)}")
    lines = []
    for finding in experiment.findings(results):
        lines.append(f"  {'yes' if finding.holds else 'NO '}  {finding.statement}: {finding.numbers}")
    return "\n\n".join([*parts, "What came out\n\n" + "\n".join(lines)])


def draw(experiment: Experiment, results: Results, directory: Path) -> list[str]:
    """Draw all figures; return the names of the files."""
    names = []
    for name, make in experiment.figures.items():
        make(results).savefig(directory / f"{name}.png", dpi=110, metadata={"Software": None})
        names.append(f"{name}.png")
    return names
