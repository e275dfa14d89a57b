"""The papers' experiments behind ``schattor experiment NAME``.

Each module has one `Experiment`: settings of two sizes, a function that makes the runs, and functions of the finished
runs that return findings, tables and figures. ``results`` keeps runs in a file, ``experiment`` makes each of them once,
``command`` is the command line; ``progress``, ``tuning``, ``tables`` and ``blas`` also serve the demo.

From Python::

    from schattor import experiments

    results = experiments.run("quadratic", quick=True)  # made now
    results = experiments.stored("quadratic")  # those that come with the package
    figure = experiments.load("quadratic").figures["losses"](results)
"""

from __future__ import annotations

import importlib
import tempfile
from pathlib import Path

from .experiment import Experiment, Finding, Session, Table, open_session
from .results import Record, Results, StoredError
from .tools.blas import one_blas_thread
from .tools.progress import Progress

__all__ = [
    "NAMES",
    "Experiment",
    "Finding",
    "Record",
    "Results",
    "Session",
    "StoredError",
    "Table",
    "load",
    "measure",
    "run",
    "stored",
]

NAMES = ("quadratic", "features", "mlp", "language_model", "dimension", "theorems")
STORED = Path(__file__).parent / "_stored"  # written by the full forms, and copied there by hand


def load(name: str) -> Experiment:
    """Return an experiment.

    Raises
    ------
    ValueError
        For an unknown name.
    """
    if name not in NAMES:
        raise ValueError(f"name must be one of {', '.join(NAMES)}, got {name!r}")
    experiment: Experiment = importlib.import_module(f"{__name__}.{name}").EXPERIMENT
    return experiment


def measure(session: Session, experiment: Experiment) -> Results:
    """Make the runs that are missing, with one BLAS thread."""
    with one_blas_thread():
        experiment.measure(session, experiment.quick if session.results.quick else experiment.full)
    return session.finish()


def run(name: str, *, quick: bool = False, seed: int = 0, out: Path | str | None = None) -> Results:
    """Make the runs of an experiment, without figures.

    Parameters
    ----------
    name : str
    quick : bool
        The small form, of seconds.
    seed : int
    out : Path or str, optional
        Directory that keeps finished runs; by default nothing is kept.

    Returns
    -------
    Results
    """
    experiment = load(name)
    with tempfile.TemporaryDirectory() as temporary, Progress(0) as progress:
        directory = Path(temporary if out is None else out)
        directory.mkdir(parents=True, exist_ok=True)
        return measure(open_session(experiment, quick, seed, directory, progress), experiment)


def stored(name: str) -> Results:
    """Return the full results, which come with the package.

    Raises
    ------
    ValueError
        For an unknown name.
    StoredError
        Where there are none.
    """
    load(name)
    return Results.read(STORED / name)
