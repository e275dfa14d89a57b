"""Run the benchmarks and print one table and the list of targets; `make bench` calls this.

Figures are written to ``benchmarks/results/NAME.json`` after every case, so Ctrl-C loses nothing that was measured.
"""

from __future__ import annotations

import argparse
import functools
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from schattor._provenance import provenance

from . import reference, report
from .cases import QUICK_SELECTION, RTOL, Case, Selection, all_cases, alternating_tasks
from .harness import (
    PYTHON_LIBRARIES,
    QUICK,
    ROOT,
    Settings,
    Side,
    Turn,
    Workers,
    busy_share,
    describe_machine,
    describe_settings,
    environment,
    load,
    take_turns,
    versions,
)
from .matrices import SEED, Array, gaussian
from .sides import muon_quintic, svd_ball

RESULTS = Path(__file__).parent / "results"
Row = dict[str, Any]


# --------------------------------------------------------------------------------------------- accuracy


def shape_of(facts: Row) -> tuple[int, int]:
    """Return the shape that a row names."""
    m, n = map(int, facts["shape"].split("x"))
    return m, n


@functools.lru_cache(maxsize=2)
def decomposed(shape: tuple[int, int], dtype: str) -> reference.Decomposition:
    """Return the accurate SVD of the shape's Gaussian matrix."""
    return reference.decompose(gaussian(shape, dtype)[0])


@functools.lru_cache(maxsize=2)
def exact_oracle(shape: tuple[int, int], dtype: str, p: float) -> Array:
    """Return the ball oracle that results are compared with."""
    return -reference.oracle(decomposed(shape, dtype), p, dtype)[0]


@functools.lru_cache(maxsize=8)
def gesdd_error(shape: tuple[int, int], dtype: str, p: float) -> float:
    """Return the error of LAPACK's gesdd in the dtype, in the Frobenius norm; zero without SciPy."""
    try:
        from scipy import linalg
    except ImportError:
        return 0.0
    D = svd_ball(linalg.svd, gaussian(shape, dtype)[0], p)
    return reference.errors(D, exact_oracle(shape, dtype, p), two=False)[0]


def exact_result(case: Case) -> Array | None:
    """Return what the case's results are compared with; None when it is another side's result."""
    if case.check in ("first", "none"):
        return None
    shape, dtype = shape_of(case.facts), case.facts["dtype"]
    if case.check == "quintic":
        return muon_quintic(gaussian(shape, dtype)[0].astype(np.float64))
    if case.check == "batch":
        stack = gaussian(shape, dtype, case.sides[0].task["count"])
        return svd_ball(np.linalg.svd, stack.astype(np.float64), float(case.facts["p"]))
    return exact_oracle(shape, dtype, float(case.facts["p"]))


def bound_of(case: Case) -> float | None:
    """Return the largest error that `auto` allows itself."""
    if case.section != "auto":
        return None
    if case.facts["rtol"] is not None:
        return float(case.facts["rtol"])
    shape, dtype, p = shape_of(case.facts), case.facts["dtype"], float(case.facts["p"])
    return reference.strict_bound(gesdd_error(shape, dtype, p), shape, dtype)


def compared(result: Array, exact: Array, two: bool) -> Row:
    """Return the errors as entries of a row. Of a stack only the Frobenius error is taken."""
    frobenius, spectral = reference.errors(result, exact, two and exact.ndim == 2)
    return {"error_fro": frobenius} | ({} if np.isnan(spectral) else {"error_two": spectral})


def corner_error(answer: str, exact: Array) -> Row:
    """Return the error of the two entries that a C++ side answers to ``check``."""
    corners = np.array([exact[0, 0], exact[-1, -1]], dtype=float)
    given = np.array([float(x) for x in answer.split()])
    return {"error_fro": float(np.linalg.norm(given - corners) / np.linalg.norm(corners))}


# ----------------------------------------------------------------------------------------------- a case


def oracle_facts(workers: Workers, side: Side) -> Row:
    """Return what an automatic route reports over several matrices."""
    m, n = side.task["shape"]
    task = side.task | {"count": 10 if m * m * n < 6e8 else 4}
    facts: Row = json.loads(workers.of(side, "facts").ask(f"facts {json.dumps(task)}"))
    return {} if "missing" in facts else facts


def measure_results(case: Case, turns: list[tuple[Turn, Row]], workers: Workers, path: Path) -> None:
    """Write the accuracy of each side into its row; it is the same for every number of threads."""
    exact = exact_result(case)
    for turn, row in turns:
        if turn.side.name == "product" or case.check == "none" or turn.side.task.get("stacked"):
            continue
        if turn.side.library == "cpp":
            if turn.side.name == "oracle" and exact is not None:
                row.update(corner_error(turn.worker.ask("check"), exact))
            continue
        turn.worker.ask(f"save {turn.key} {path}")
        result = np.load(path)
        exact = result if exact is None else exact
        row.update(compared(result, exact, two=case.facts.get("threads") == "default"))


def measure_extras(case: Case, turns: list[tuple[Turn, Row]], workers: Workers, settings: Settings) -> None:
    """Write peak memory, and what automatic routes report, into the rows."""
    for turn, row in turns:
        if turn.side.library == "cpp" or turn.side.name == "product" or turn.slow(settings):
            continue
        if case.memory:
            row["memory"] = json.loads(
                workers.of(turn.side, "memory").ask(f"memory {json.dumps(turn.side.task)}")
            )
        automatic = turn.side.library == "schattor" and turn.side.task.get("backend") == "auto"
        if case.section == "oracles" and turn.side.threads == "default" and automatic:
            row.update(oracle_facts(workers, turn.side))


def run_case(case: Case, settings: Settings, workers: Workers, directory: Path) -> list[Row]:
    """Measure a comparison; return a row for each side."""
    rows, turns = [], []
    bound = bound_of(case)
    for i, side in enumerate(case.sides):
        row: Row = {"section": case.section, "case": case.title, "threads": side.threads, **case.facts}
        row |= {"library": side.library, "side": side.name, "base": (side.library, side.name) == case.base}
        row |= {} if bound is None else {"bound": bound}
        rows.append(row)
        loaded = load(workers, side, str(i))
        if isinstance(loaded, str):
            row["missing"] = loaded
        else:
            turns.append((loaded, row))
            if loaded.first is not None and loaded.first[0] > 0.02:
                time.sleep(settings.pause_seconds)  # this call may stand for the side if it is slow
    measure_results(case, turns, workers, directory / "result.npy")
    measure_extras(case, turns, workers, settings)
    time.sleep(settings.pause_seconds)
    others = busy_share()
    chosen = case.settings if case.settings and settings is not QUICK else settings
    take_turns([turn for turn, _ in turns], chosen)
    for turn, row in turns:
        row.update(asdict(turn.times()))
        row["others_busy"] = others
    for worker in {id(turn.worker): turn for turn, _ in turns}.values():
        if worker.side.library != "cpp":
            worker.worker.ask("forget ")
    workers.end_programs()
    return rows


def run_alternating(task: Row, workers: Workers) -> Row:
    """Measure our calls between NumPy's products."""
    side = Side("schattor", task["function"], task)
    facts = json.loads(workers.of(side, "alternate").ask(f"facts {json.dumps(task)}"))
    title = f"{task['function']} {task['n']}x{task['n']} between NumPy's {task['dtype']} products"
    row = {"section": "alternating", "case": title, "library": "schattor", "side": task["function"]}
    return row | {"n": task["n"], "dtype": task["dtype"], "threads": "default", **facts}


# ------------------------------------------------------------------------------------------------ a run


def software(workers: Workers) -> dict[str, Any]:
    """Return the versions, and what each library's process has loaded."""
    found: dict[str, Any] = {"versions": versions()}
    for library in PYTHON_LIBRARIES:
        if library in found["versions"]:
            side = Side(library, "", {})
            found[library] = json.loads(workers.of(side, "software").ask("software "))
    workers.end_role("software")
    return found


def run_accuracy(quick: bool, path: Path) -> None:
    """Run accuracy.py in a process of its own; it writes its rows to `path` as it goes."""
    command = [sys.executable, "-W", "ignore", "-m", "benchmarks.accuracy", "--output", str(path)]
    command += ["--quick"] if quick else []
    subprocess.run(command, cwd=ROOT, env=environment("default"), check=True)


def write(result: dict[str, Any], path: Path) -> None:
    """Replace the file by the result in one go."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    partial.write_text(report.to_json(result), encoding="utf-8")
    partial.replace(path)


class Progress:
    """Tells on standard error what is being measured, and for how long this has been going on."""

    def __init__(self, total: int) -> None:
        self.total, self.done, self.begin = total, 0, time.monotonic()

    def __call__(self, title: str) -> None:
        """Say what comes next."""
        minutes, seconds = divmod(int(time.monotonic() - self.begin), 60)
        print(f"[{self.done:3}/{self.total} {minutes:2}:{seconds:02}] {title}", file=sys.stderr, flush=True)
        self.done += 1


def measure(result: dict[str, Any], arguments: argparse.Namespace, path: Path) -> None:
    """Run what is wanted, and write the result after each case."""
    selection = QUICK_SELECTION if arguments.quick else Selection()
    settings = QUICK if arguments.quick else Settings()
    program = str(arguments.cpp / "oracle_loop") if arguments.cpp else None
    with tempfile.TemporaryDirectory() as name, Workers() as workers:
        directory = Path(name)
        cases = [c for c in all_cases(selection, program, directory) if wanted(case_text(c), arguments.only)]
        tasks = [t for t in alternating_tasks(selection) if wanted("alternating", arguments.only)]
        accuracy = wanted("accuracy", arguments.only)
        progress = Progress(len(cases) + len(tasks) + accuracy)
        result["software"] = software(workers)
        for case in cases:
            progress(case_text(case))
            result["rows"] += run_case(case, settings, workers, directory)
            write(result, path)
        for task in tasks:
            progress(f"alternating {task['function']} {task['n']}, {task['dtype']}")
            result["rows"].append(run_alternating(task, workers))
            write(result, path)
        if accuracy:
            progress("accuracy")
            try:
                run_accuracy(arguments.quick, directory / "accuracy.json")
            finally:
                if (directory / "accuracy.json").exists():
                    result["accuracy"] = json.loads((directory / "accuracy.json").read_text(encoding="utf-8"))
        result["seconds"] = round(time.monotonic() - progress.begin)


def case_text(case: Case) -> str:
    """Return the text that ``--only`` searches."""
    return (
        f"{case.section}: {case.title}, {case.facts.get('dtype', '')}, {case.facts.get('threads', 'default')}"
    )


def wanted(text: str, only: Iterable[str]) -> bool:
    """Whether the text contains one of the words; no words want everything."""
    words = list(only)
    return not words or any(word in text for word in words)


def main() -> None:
    """Parse the arguments, measure, print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.run", description=__doc__)
    parser.add_argument(
        "--cpp", type=Path, help="directory of the compiled C++ benchmarks; `make bench` builds it"
    )
    parser.add_argument(
        "--only", action="append", default=[], help="run the cases whose name contains this text; repeatable"
    )
    parser.add_argument(
        "--quick", action="store_true", help="few small cases, two turns: shows that it works"
    )
    parser.add_argument("--name", default="latest", help="write results/NAME.json (default: latest)")
    parser.add_argument("--table", type=Path, help="print what this JSON file says and measure nothing")
    arguments = parser.parse_args()
    if arguments.table:
        print(report.everything(json.loads(arguments.table.read_text(encoding="utf-8"))))
        return
    path = RESULTS / f"{arguments.name}.json"
    settings = describe_settings(QUICK if arguments.quick else Settings())
    result: dict[str, Any] = {**provenance(), "machine": describe_machine(), "software": {}}
    result |= {"rows": [], "accuracy": []}
    result["settings"] = settings | {
        "seed": SEED,
        "rtol": RTOL,
        "quick": arguments.quick,
        "only": arguments.only,
    }
    try:
        measure(result, arguments, path)
    except KeyboardInterrupt:
        result["interrupted"] = True
        print("interrupted: what was measured is kept", file=sys.stderr)
    finally:
        write(result, path)
    print(report.everything(json.loads(path.read_text(encoding="utf-8"))))
    print(f"\nwritten to {path.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
