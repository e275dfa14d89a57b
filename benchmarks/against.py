"""Time two installed versions of the package against each other, call by call in turns.

Each version runs in a process of its own, under the interpreter of the environment in which it is installed::

    python -m benchmarks.against OLD/bin/python NEW/bin/python --output benchmarks/results/0.4.0-against-0.3.0.json

The workers use only names that both versions have. A case is one call; its figure is the ratio of the least times.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

BATCH = 0.04
"""Seconds of one turn."""

ROUNDS = 8
SHAPES = ((384, 384), (1536, 384))
NOT_OURS = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")
"""Settings that hold OpenBLAS to another processor's kernels."""


# --------------------------------------------------------------------------------------------- in a worker


def recipe_names() -> list[str]:
    """Return the recipes of this version, by name."""
    import schattor as st

    return sorted(row.name for row in st.recipes.table())


def step_of(recipe: Any, blocks: dict[str, tuple[int, int]]) -> Callable[[], object]:
    """Return one step of a recipe on these blocks, in float32 with one thread."""
    import numpy as np

    import schattor as st

    rng = np.random.default_rng(0)
    weights = {name: rng.standard_normal(shape, dtype=np.float32) for name, shape in blocks.items()}
    grads = {name: rng.standard_normal(shape, dtype=np.float32) for name, shape in blocks.items()}
    if "muon" in recipe.name and recipe.name.startswith(("manifold", "intrinsic")):
        weights = {name: np.ascontiguousarray(np.linalg.qr(W)[0]) for name, W in weights.items()}
    extras = st.testing.extras_for(recipe, grads)
    opt = st.Optimizer(weights, recipe, n_threads=1)
    return lambda: opt.step(grads, **extras)


def job(case: list[Any]) -> Callable[[], object]:
    """Return the call of a case."""
    import numpy as np

    import schattor as st

    kind, *rest = case
    if kind == "recipe":
        name, m, n = rest
        recipe = getattr(st.recipes, name).example(lr=1e-6)
        pairing = recipe.pairing
        return step_of(recipe, {pairing.left: (m, n), pairing.right: (n, m)} if pairing else {"W": (m, n)})
    if kind == "many":
        name, blocks, side = rest
        return step_of(
            getattr(st.recipes, name).example(lr=1e-6), {str(i): (side, side) for i in range(blocks)}
        )
    if kind == "oracle":
        m, n, p, dtype = rest
        G = np.random.default_rng(0).standard_normal((m, n)).astype(dtype)
        return lambda: st.ball_oracle(G, p)
    blocks = rest[0]
    arrays = {f"layer{i}": np.zeros((2, 2)) for i in range(blocks)}
    return lambda: st.SGD(arrays, lr=0.1)


def work() -> None:
    """Serve requests from standard input: the names of the recipes, a case to prepare, a turn to time."""
    call: Callable[[], object] | None = None
    for line in sys.stdin:
        request = json.loads(line)
        try:
            if request == "recipes":
                answer: Any = recipe_names()
            elif request == "turn":
                assert call is not None
                times: list[float] = []
                begin = time.perf_counter()
                while not times or time.perf_counter() - begin < BATCH:
                    before = time.perf_counter()
                    call()
                    times.append(time.perf_counter() - before)
                answer = [min(times), statistics.median(times)]
            else:
                call = job(request)
                call()
                answer = None
        except Exception as error:  # a case that this version does not have
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), flush=True)


# --------------------------------------------------------------------------------------------- outside


class Worker:
    """One version at work."""

    def __init__(self, python: str) -> None:
        kept = {k: v for k, v in os.environ.items() if k not in NOT_OURS and not k.startswith("PYTHON")}
        self._process = subprocess.Popen(
            [python, __file__, "--work"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=kept
        )

    def ask(self, request: object) -> Any:
        """Return the answer to a request."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def close(self) -> None:
        """Let it end."""
        self._process.communicate()


def all_cases(names: list[str]) -> list[list[Any]]:
    """Return the cases: oracles, constructions, steps on many small blocks and on one of each shape."""
    oracles: list[list[Any]] = [
        ["oracle", m, n, p, dtype]
        for m, n in ((8, 8), (64, 64), (384, 384), (128, 784))
        for p in (4.0, float("inf"))
        for dtype in ("float32", "float64")
    ]
    small: list[list[Any]] = [["many", name, 100, 16] for name in names]
    steps: list[list[Any]] = [["recipe", name, *shape] for name in names for shape in SHAPES]
    return [*oracles, ["construct", 1000], *small, *steps]


def measure(workers: dict[str, Worker], case: list[Any], rounds: int) -> dict[str, Any]:
    """Return least times and medians of both versions for a case, or what one of them lacks."""
    row: dict[str, Any] = {"case": " ".join(map(str, case))}
    for version, worker in workers.items():
        if answer := worker.ask(case):
            return row | {"error": f"{version}: {answer['error']}"}
    turns: dict[str, list[list[float]]] = {version: [] for version in workers}
    for i in range(rounds):
        for version in list(workers)[:: 1 if i % 2 else -1]:
            turns[version].append(workers[version].ask("turn"))
    for version, seen in turns.items():
        row[version] = {
            "least": min(t[0] for t in seen),
            "median": statistics.median(t[1] for t in seen),
        }
    row["ratio"] = row["new"]["least"] / row["old"]["least"]
    row["ratio of medians"] = row["new"]["median"] / row["old"]["median"]
    return row


def main() -> None:
    """Run the comparison and print the ratios, largest first."""
    if sys.argv[1:] == ["--work"]:
        work()
        return
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("old", help="interpreter with the older version")
    parser.add_argument("new", help="interpreter with the newer version")
    parser.add_argument("--output", type=Path)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--only", action="append", default=[], help="cases whose name contains this text")
    arguments = parser.parse_args()
    workers = {"old": Worker(arguments.old), "new": Worker(arguments.new)}
    rows: list[dict[str, Any]] = []
    try:
        for case in all_cases(workers["old"].ask("recipes")):
            name = " ".join(map(str, case))
            if arguments.only and not any(text in name for text in arguments.only):
                continue
            row = measure(workers, case, arguments.rounds)
            rows.append(row)
            figure = f"{row['ratio']:.3f} {row['ratio of medians']:.3f}" if "ratio" in row else row["error"]
            print(f"{name:50} {figure}", flush=True)
    except KeyboardInterrupt:
        print("stopped; what was measured is kept", file=sys.stderr)
    finally:
        for worker in workers.values():
            worker.close()
    if arguments.output:
        arguments.output.write_text(json.dumps({"rounds": arguments.rounds, "rows": rows}, indent=1) + "\n")
    ratios = sorted((row["ratio"], row["case"]) for row in rows if "ratio" in row)
    for ratio, name in ratios[-15:]:
        print(f"{ratio:.3f}  {name}")
    if ratios:
        print(f"{len(ratios)} cases, median {statistics.median(r for r, _ in ratios):.3f}")


if __name__ == "__main__":
    main()
