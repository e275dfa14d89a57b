"""Run the benchmarks and print one table; `make bench` calls this.

Usage: ``python benchmarks/run.py --cpp DIRECTORY``, with the directory of the compiled ``oracle_loop``. With
``--output FILE`` the figures are also written as JSON; ``--table FILE`` only prints the table of such a file.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from harness import BATCH_SECONDS, PAUSE_SECONDS, ROUND_SECONDS, ROUNDS, Side, compare, describe_machine

HERE = Path(__file__).parent
BLOCKS = 100

PROBLEMS = {
    "MLP 784-128-64-10": "128x784,64x128,10x64",
    "100 blocks of 16x16": ",".join(["16x16"] * BLOCKS),
    "one 384x384": "384x384",
}


@dataclass(frozen=True)
class Case:
    """One comparison: the first side is the one that the others are divided by."""

    what: str
    dtype: str
    sides: tuple[Side, ...]

    @property
    def tolerance(self) -> float:
        """Largest relative difference of results: roundings of an SVD and, for Muon, of five matrix products."""
        return 1e-2 if self.dtype == "float32" else 1e-8


def python_side(name: str, *arguments: object) -> Side:
    """Return a side of sides.py."""
    return Side(name, (sys.executable, str(HERE / "sides.py"), *map(str, arguments)))


def write_matrices(path: Path, size: int, dtype: str) -> str:
    """Write as many Gaussian matrices as there are blocks; return the file's name."""
    np.random.default_rng(size).standard_normal((BLOCKS, size, size)).astype(dtype).tofile(path)
    return str(path)


def oracle_cases(program: str, data: Path) -> Iterable[Case]:
    """Yield a single oracle against LAPACK's own time."""
    for dtype in ("float64", "float32"):
        path = write_matrices(data / f"8-{dtype}", 8, dtype)
        loop = (dtype, "8", "8", "4", path)
        sides = (
            Side("LAPACK gesdd", (program, "gesdd", *loop), checked=False),
            Side("C++ core", (program, "oracle", *loop)),
            python_side("schattor", "oracle", "schattor", dtype, 4, 8, 8, path),
            python_side("NumPy", "oracle", "numpy", dtype, 4, 8, 8, path),
        )
        yield Case("one oracle, 8x8, p = 4", dtype, sides)


def loop_cases(program: str, data: Path) -> Iterable[Case]:
    """Yield a step over many blocks against the same oracle calls in a C++ loop."""
    for dtype in ("float64", "float32"):
        path = write_matrices(data / f"16-{dtype}", 16, dtype)
        loop = (program, "oracle", dtype, "16", "16", "4", path)
        sides = (
            Side("C++ oracle loop", loop, calls_per_unit=BLOCKS, checked=False),
            python_side(
                "schattor step", "step", "schattor", "schattor", dtype, PROBLEMS["100 blocks of 16x16"]
            ),
        )
        yield Case("100 blocks of 16x16, p = 4", dtype, sides)


def step_cases() -> Iterable[Case]:
    """Yield the step of each rule against the same rule in NumPy."""
    for problem, shapes in PROBLEMS.items():
        for rule in ("schattor", "muon", "adamw", "sgd"):
            for dtype in ("float32", "float64") if rule == "schattor" else ("float32",):
                arguments = (rule, dtype, shapes)
                sides = [
                    python_side("schattor", "step", "schattor", *arguments),
                    python_side("NumPy", "step", "numpy", *arguments),
                ]
                if problem.startswith("100") and rule in ("schattor", "adamw", "sgd"):
                    sides.append(python_side("NumPy, stacked", "step", "numpy_stacked", *arguments))
                yield Case(f"{rule} step, {problem}", dtype, tuple(sides))


def describe_software() -> dict[str, Any]:
    """Return the package's version, and the BLAS that each side uses."""
    from threadpoolctl import threadpool_info

    before = threadpool_info()
    import schattor
    from schattor import _core

    numpy_blas: dict[str, Any] = next((pool for pool in before if pool["user_api"] == "blas"), {})
    keep = ("internal_api", "version", "architecture")
    return {
        "schattor": schattor.__version__,
        "schattor_blas": _core.blas_description(),
        "numpy": np.__version__,
        "numpy_blas": {key: numpy_blas.get(key) for key in keep},
    }


def measure(cpp: Path, wanted: str, rounds: int) -> dict[str, Any]:
    """Run the cases whose text contains `wanted`; print each when it is done."""
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as directory:
        program, data = str(cpp / "oracle_loop"), Path(directory)
        for case in (*oracle_cases(program, data), *loop_cases(program, data), *step_cases()):
            if wanted not in f"{case.what} {case.dtype}":
                continue
            times = compare(case.sides, case.tolerance, rounds)
            for side in case.sides:
                row = {"case": case.what, "dtype": case.dtype, "side": side.name}
                rows.append(row | {key: round(value, 3) for key, value in asdict(times[side.name]).items()})
            print(f"{case.what}, {case.dtype}", file=sys.stderr, flush=True)
    settings = {
        "rounds": rounds,
        "round_seconds": ROUND_SECONDS,
        "batch_seconds": BATCH_SECONDS,
        "pause_seconds": PAUSE_SECONDS,
        "blas_threads": 1,
        "unit": "microseconds per call or step",
    }
    return {
        "machine": describe_machine(),
        "software": describe_software(),
        "settings": settings,
        "rows": rows,
    }


def table(result: dict[str, Any]) -> str:
    """Return the figures as a Markdown table; the ratio is that of processor times to the first side of the case."""
    lines = [
        "| case | dtype | side | least µs | median µs | processor µs | ratio |",
        "|---|---|---|---:|---:|---:|---:|",
    ]
    base: dict[str, Any] = {}
    for row in result["rows"]:
        first = (row["case"], row["dtype"]) != (base.get("case"), base.get("dtype"))
        base = row if first else base
        head = f"| {row['case']} | {row['dtype']} " if first else "| | "
        numbers = " | ".join(f"{row[key]:.1f}" for key in ("least", "median", "cpu"))
        lines.append(f"{head}| {row['side']} | {numbers} | {row['cpu'] / base['cpu']:.2f} |")
    return "\n".join(lines)


def targets(result: dict[str, Any]) -> str:
    """Return the two figures that the project has set itself, as measured, in least wall and processor time."""
    rows = {(row["case"], row["dtype"], row["side"]): row for row in result["rows"]}
    lines = []
    for (case, dtype, side), row in rows.items():
        if case.startswith("one oracle") and side in ("C++ core", "schattor"):
            lapack = rows[case, dtype, "LAPACK gesdd"]
            wall, cpu = (row[key] - lapack[key] for key in ("least", "cpu"))
            lines.append(
                f"- {case}, {dtype}, {side}: {wall:.1f} µs above LAPACK (processor time {cpu:.1f}); target: at most 10"
            )
        if side == "schattor step":
            loop = rows[case, dtype, "C++ oracle loop"]
            wall, cpu = (1.3 * loop[key] + 60 for key in ("least", "cpu"))
            lines.append(
                f"- {case}, {dtype}: the step takes {row['least']:.0f} µs (processor time {row['cpu']:.0f}); target: "
                f"at most 1.3 times the loop plus 60 µs, which is {wall:.0f} ({cpu:.0f})"
            )
    return "\n".join(lines)


def main() -> None:
    """Parse the arguments, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--cpp", type=Path, help="directory of the compiled C++ benchmarks")
    parser.add_argument("--only", default="", help="run the cases whose name contains this text")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="turns of each side")
    parser.add_argument("--output", type=Path, help="write the figures to this JSON file")
    parser.add_argument("--table", type=Path, help="print the table of this JSON file and measure nothing")
    arguments = parser.parse_args()
    if arguments.table:
        result = json.loads(arguments.table.read_text(encoding="utf-8"))
    elif arguments.cpp is None or not (arguments.cpp / "oracle_loop").exists():
        parser.error("--cpp must name the directory of the compiled oracle_loop; `make bench` builds it")
    else:
        result = measure(arguments.cpp, arguments.only, arguments.rounds)
        if arguments.output:
            arguments.output.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(table(result))
    print()
    print(targets(result))


if __name__ == "__main__":
    main()
