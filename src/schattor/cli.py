"""Command line: ``schattor demo``, ``schattor experiment`` and ``schattor --version``."""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import schattor

from .experiments import NAMES

if TYPE_CHECKING:
    from .demo.data import Dataset

__all__ = ["main"]

EXIT_OK, EXIT_USAGE, EXIT_INTERRUPTED = 0, 2, 130

DEMO_DESCRIPTION = """\
Train a multilayer perceptron (d-128-64-classes, ReLU, softmax cross-entropy) with ten optimizers and
compare them: SGD, signSGD, AdamW, Muon, and Schattor at p = 3, 4, 8 with the ball and the regularization
rule.

The data are scikit-learn's handwritten digits, or your own (--data), split 60/20/20 into training,
validation and test part and standardised. Every method gets the step size of a logarithmic grid that has
the lowest validation loss; the grid grows while the best one lies at its edge. Test accuracy and loss are
then measured over several seeds, which vary the initial weights and the batch order. Ctrl-C stops and keeps
the finished runs.
"""

DEMO_EPILOG = """\
files in the output directory:
  table.txt           the result table
  history.csv, .npz   every evaluation of every run, one row each
  loss_curves.png     training and test loss, mean and standard deviation over seeds
  update_spectra.png  singular values of each method's update of W2, on the same gradients

exit codes: 0 done, 2 wrong arguments or data, 130 interrupted
"""

EXPERIMENT_DESCRIPTION = """\
Run an experiment of the papers on Schatten-family methods and on Muon, and say what came out as they say and
what did not. Step sizes are tuned on grids whose best point is no edge. Ctrl-C keeps finished runs; the same
command goes on with those that are missing.
"""

EXPERIMENT_EPILOG = """\
files in the output directory:
  results.json  command, seed, version, commit, settings, and the numbers of every run
  *.png         figures

exit codes: 0 done, 2 wrong arguments, 130 interrupted
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    arguments = _parser().parse_args(argv)
    try:
        return _experiment(arguments) if arguments.command == "experiment" else _demo(arguments)
    except KeyboardInterrupt:
        return _complain("interrupted before any run was finished; nothing is written", EXIT_INTERRUPTED)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="schattor", description="Schatten-family optimizers on CPU.")
    parser.add_argument("--version", action="version", version=f"schattor {schattor.__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")
    demo = commands.add_parser(
        "demo",
        help="compare ten optimizers on handwritten digits or on your own data",
        description=DEMO_DESCRIPTION,
        epilog=DEMO_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    demo.add_argument(
        "--quick",
        action="store_true",
        help="fewer step sizes, steps and seeds: 15 seconds, not 90, on the digits",
    )
    demo.add_argument(
        "--data",
        type=Path,
        metavar="FILE.npz",
        help="your data: arrays X (n x d, real) and y (n integer labels)",
    )
    _add_common(demo, Path("schattor-demo"), "%(default)s")
    experiment = commands.add_parser(
        "experiment",
        help="run one of the papers' experiments",
        description=EXPERIMENT_DESCRIPTION,
        epilog=EXPERIMENT_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    experiment.add_argument("name", choices=NAMES, metavar="NAME", help=", ".join(NAMES))
    experiment.add_argument("--quick", action="store_true", help="the small form, of seconds, not minutes")
    _add_common(experiment, None, "schattor-experiments/NAME, or NAME-quick")
    return parser


def _add_common(command: argparse.ArgumentParser, out: Path | None, shown: str) -> None:
    command.add_argument(
        "--out", type=Path, metavar="DIR", default=out, help=f"output directory (default: {shown})"
    )
    command.add_argument(
        "--seed", type=_seed, metavar="N", default=0, help="seed of all randomness (default: 0)"
    )
    command.add_argument("--no-progress", action="store_true", help="no progress bar, only lines")


def _seed(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"expected an integer >= 0, got {text!r}")
    return int(text)


def _demo(arguments: argparse.Namespace) -> int:
    needed = ["matplotlib"] if arguments.data else ["sklearn", "matplotlib"]
    if any(importlib.util.find_spec(name) is None for name in needed):
        needs = " and ".join(name.replace("sklearn", "scikit-learn") for name in needed)
        return _complain(f'the demo needs {needs}: pip install "schattor[demo]"', EXIT_USAGE)
    # Imported late: --version and --help need none of it.
    from .demo.data import DataError

    try:
        dataset = _load(arguments.data, arguments.seed)
        arguments.out.mkdir(parents=True, exist_ok=True)
        if not os.access(arguments.out, os.W_OK):
            return _complain(f"--out {arguments.out}: not writable", EXIT_USAGE)
    except DataError as error:
        return _complain(str(error), EXIT_USAGE)
    except OSError as error:
        return _complain(f"--out {arguments.out}: {error.strerror}", EXIT_USAGE)
    return _compare(arguments, dataset)


def _experiment(arguments: argparse.Namespace) -> int:
    from .experiments import command

    try:
        command.run(arguments)
    except command.CommandError as error:
        return _complain(str(error), EXIT_INTERRUPTED if error.interrupted else EXIT_USAGE)
    return EXIT_OK


def _load(path: Path | None, seed: int) -> Dataset:
    import numpy as np

    from .demo.data import load_digits, load_file, split
    from .demo.experiment import seeds_of

    X, y = load_digits() if path is None else load_file(path)
    name = "scikit-learn's handwritten digits" if path is None else str(path)
    return split(X, y, np.random.default_rng(seeds_of(seed, 0)), name)


def _compare(arguments: argparse.Namespace, dataset: Dataset) -> int:
    from .demo.experiment import Comparison, compare, planned_steps
    from .demo.methods import METHODS
    from .demo.output import header, result_table, routing_table, write_outputs
    from .demo.training import QUICK, Settings
    from .experiments.tools.blas import one_blas_thread
    from .experiments.tools.progress import Progress

    start = time.perf_counter()
    comparison = Comparison(dataset, QUICK if arguments.quick else Settings(), arguments.seed, METHODS)
    print(header(comparison), routing_table(METHODS), sep="\n\n", end="\n\n", flush=True)
    with Progress(planned_steps(comparison), bar=not arguments.no_progress) as progress, one_blas_thread():
        compare(comparison, progress)
    with _uninterrupted():
        written = write_outputs(comparison, arguments.out)
    if written:
        print("", result_table(comparison), "", f"written to {arguments.out}: {', '.join(written)}", sep="\n")
    if comparison.interrupted:
        kept = f"{len(comparison.runs)} finished runs are kept" if written else "no run was finished"
        return _complain(f"interrupted; {kept}", EXIT_INTERRUPTED)
    print(f"done in {time.perf_counter() - start:.0f} s")
    return EXIT_OK


@contextlib.contextmanager
def _uninterrupted() -> Iterator[None]:
    """Ignore Ctrl-C for the second that writing takes: an impatient second one would lose the files."""
    if threading.current_thread() is not threading.main_thread():
        yield  # Only the main thread may set handlers.
        return
    previous = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, previous)


def _complain(message: str, code: int) -> int:
    print(f"schattor: {message}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
