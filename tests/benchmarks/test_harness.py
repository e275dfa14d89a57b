"""The harness of the benchmarks: environment, turns, workers. No time is asserted."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from benchmarks import harness, reference, run, sides
from benchmarks.cases import Case, Selection, all_cases
from benchmarks.matrices import gaussian

SIDE = harness.Side("numpy", "SVD route", {})


class FakeWorker:
    """A worker whose calls take a set number of nanoseconds."""

    def __init__(self, nanoseconds: float) -> None:
        self.nanoseconds = nanoseconds
        self.asked: list[str] = []

    def ask(self, line: str) -> str:
        """Answer a measurement."""
        self.asked.append(line)
        if not line[0].isdigit():
            return "ok"
        return " ".join([f"{self.nanoseconds} {self.nanoseconds / 2}"] * int(line.split()[0]))


def turn(nanoseconds: float, first: tuple[float, float] | None = None) -> harness.Turn:
    """Return a turn with such a worker."""
    worker: harness.Worker = FakeWorker(nanoseconds)  # type: ignore[assignment]
    return harness.Turn(SIDE, worker, "0", first)


def test_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forced kernels never reach a worker, and a number of threads only where it is asked for."""
    monkeypatch.setenv("OPENBLAS_CORETYPE", "Haswell")
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    default, one = harness.environment("default"), harness.environment("one")
    assert "OPENBLAS_CORETYPE" not in default and "OPENBLAS_CORETYPE" not in one
    assert "OMP_NUM_THREADS" not in default and one["OMP_NUM_THREADS"] == "1"
    assert harness.describe_machine()["dropped_variables"]["OPENBLAS_CORETYPE"] == "Haswell"


def test_batches_fill_a_turn() -> None:
    """Calls of 1 µs: batches of 0.5 ms, as many as fill 40 ms."""
    settings = harness.Settings(pause_seconds=0)
    side = turn(1000.0)
    harness.take_turns([side], settings)
    assert (side.calls, side.batches) == (500, 80)
    times = side.times()
    assert times == harness.Times(pytest.approx(1e-6), pytest.approx(1e-6), pytest.approx(5e-7), 480)


def test_a_slow_side_is_called_once() -> None:
    """The first call of ten seconds has to do: the worker is not asked to measure."""
    side = turn(1e10, first=(10.0, 9.0))
    harness.take_turns([side], harness.Settings(pause_seconds=0))
    assert side.worker.asked == []  # type: ignore[attr-defined]
    assert side.times() == harness.Times(10.0, 10.0, 9.0, 1)


def test_sides_of_one_library_share_a_process() -> None:
    """Two processes of one library would be two pools; a C++ program is a process for each command."""
    ours = [harness.Side("schattor", name, {}) for name in ("strict", "rtol=1e-3")]
    assert ours[0].worker_key() == ours[1].worker_key()
    assert ours[0].worker_key() != harness.Side("schattor", "strict", {}, "one").worker_key()
    programs = [harness.Side("cpp", name, {"command": (name,)}) for name in "ab"]
    assert programs[0].worker_key() != programs[1].worker_key()


def test_cases_have_names_of_their_own(tmp_path: Path) -> None:
    """The report finds rows by case, dtype and threads: no two comparisons may share them."""
    cases = list(all_cases(Selection(), "oracle_loop", tmp_path))
    names = [run.case_text(case) for case in cases]
    assert len(set(names)) == len(names)
    for case in cases:
        labels = [(side.library, side.name) for side in case.sides]
        assert len(set(labels)) == len(labels) and case.base in labels


def test_a_refused_task_is_missing() -> None:
    """A backend that does not exist is an answer, not a crash."""
    task = {"kind": "oracle", "shape": [4, 4], "dtype": "float32", "p": "4", "backend": "no such backend"}
    answer = sides.Server("schattor").answer(f"load 0 {json.dumps(task)}")
    assert answer.startswith("missing ValueError")
    assert (
        sides.Server("numpy")
        .answer('load 0 {"kind": "no such kind"}')
        .startswith("missing NotImplementedError")
    )


@pytest.mark.parametrize("p", [1.5, 4.0, math.inf])
def test_numpy_route_is_the_oracle(p: float) -> None:
    """What the others are compared with computes the ball oracle: a float64 SVD, rounded to float32."""
    G = gaussian((6, 9), "float32")[0]
    exact, _ = reference.oracle(reference.decompose(G), p, "float32")
    D = sides.svd_ball(np.linalg.svd, G, p)
    # U, f and V are rounded to float32, and a product of length 6 follows
    assert reference.errors(-D, exact)[0] <= 16 * 2.0**-23


def test_newton_schulz_in_numpy_converges() -> None:
    """The cubic iteration is stable: rounding of its last step, magnified little."""
    G = gaussian((6, 20), "float64")[0]
    exact, _ = reference.oracle(reference.decompose(G), math.inf, "float64")
    assert reference.errors(-sides.convergent_newton_schulz(G), exact)[0] <= 1e3 * 2.0**-52


@pytest.mark.parametrize("rule", ["schattor", "muon", "adamw", "sgd"])
def test_steps_take_the_same_direction(rule: str) -> None:
    """A comparison of times is one of equal work: after two steps both displacements agree to rounding."""
    task = {"kind": "step", "rule": rule, "dtype": "float64", "shapes": [[4, 6], [5, 3]]}
    jobs = [sides.JOBS[library](task) for library in ("numpy", "schattor")]
    for job in jobs:
        job()
    theirs, ours = (np.array(job()) for job in jobs)
    # Muon and AdamW add an eps of up to 1e-7 in different places
    assert np.linalg.norm(ours - theirs) <= 1e-6 * np.linalg.norm(theirs)


def test_one_case_from_workers_to_rows(tmp_path: Path) -> None:
    """Processes, checks and measurements of a small comparison; every side gets times and an error."""
    task = {"kind": "oracle", "shape": (12, 16), "dtype": "float32", "p": "4"}
    chosen = (
        harness.Side("numpy", "SVD route", task),
        harness.Side("schattor", "strict", task | {"backend": "auto"}),
        harness.Side("schattor", "band", task | {"backend": "no such backend"}),
    )
    facts = {"shape": "12x16", "p": "4", "dtype": "float32", "threads": "default"}
    case = Case("oracles", "a case", chosen, ("numpy", "SVD route"), "oracle", facts)
    with harness.Workers() as workers:
        rows = run.run_case(case, harness.QUICK, workers, tmp_path)
    assert ["missing" in row for row in rows] == [False, False, True]
    for row in rows[:2]:
        assert 0 < row["least"] <= row["median"] and row["error_fro"] <= 32 * 2.0**-23
    assert rows[1]["backend"] and rows[1]["fallback_share"] == 0
