"""Measures sides of a comparison against each other, each in a process of its own.

A side is a process that reads commands on standard input, one per line. To ``check`` it answers a few numbers of its
result, which must agree with those of other sides; to ``B C`` the nanoseconds per call of B batches of C calls: for
each batch the wall clock's and the processor time. Sides take turns, so that all see the same machine, and wait for
each other: two BLAS pools in one process, or at work at the same time, disturb each other. A pause after each turn
lets idle threads go to sleep.
"""

from __future__ import annotations

import datetime
import os
import platform
import statistics
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

ROUNDS = 15
ROUND_SECONDS = 0.06
BATCH_SECONDS = 0.0005
PAUSE_SECONDS = 0.12

# An environment may force OpenBLAS to kernels made for another processor.
DROPPED_VARIABLES = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")
THREAD_VARIABLES = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")


def environment() -> dict[str, str]:
    """Return the environment of every side: one BLAS thread.

    The step works on one by default, and on a machine with other work two compare nothing: BLAS threads that wait for
    one which is not scheduled spin.
    """
    inherited = {name: value for name, value in os.environ.items() if name not in DROPPED_VARIABLES}
    return inherited | dict.fromkeys(THREAD_VARIABLES, "1")


@dataclass(frozen=True)
class Side:
    """A command to run.

    `calls_per_unit` calls make one unit of work, and `checked` says whether its result must agree with the other
    sides'.
    """

    name: str
    command: tuple[str, ...]
    calls_per_unit: int = 1
    checked: bool = True


@dataclass(frozen=True)
class Times:
    """Microseconds per unit of work: least and median of all batches, and the least processor time."""

    least: float
    median: float
    cpu: float
    batches: int


@dataclass
class _Process:
    side: Side
    process: subprocess.Popen[str]
    batches: int = 1
    calls: int = 1
    samples: list[tuple[float, float]] = field(default_factory=list)

    def ask(self, command: str) -> list[str]:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            raise RuntimeError(f"{self.side.name} ended: {' '.join(self.side.command)}")
        return answer.split()

    def measure(self) -> list[tuple[float, float]]:
        numbers = [float(x) for x in self.ask(f"{self.batches} {self.calls}")]
        return list(zip(numbers[::2], numbers[1::2], strict=True))

    def calibrate(self) -> None:
        """Warm up, and choose batches that are long against the clock and short against an interruption."""
        self.calls = self.side.calls_per_unit
        unit = min(wall for _ in range(3) for wall, _cpu in self.measure()) * self.calls / 1e9
        self.calls *= max(1, round(BATCH_SECONDS / unit))
        self.batches = max(1, round(ROUND_SECONDS / (unit * self.calls / self.side.calls_per_unit)))


def compare(sides: Sequence[Side], tolerance: float, rounds: int = ROUNDS) -> dict[str, Times]:
    """Measure the sides in turn; raises RuntimeError when their results differ by more than `tolerance`."""
    processes = [
        _Process(
            side,
            subprocess.Popen(
                side.command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                env=environment(),
            ),
        )
        for side in sides
    ]
    try:
        _check_agreement(processes, tolerance)
        for process in processes:
            process.calibrate()
            time.sleep(PAUSE_SECONDS)
        for i in range(rounds):
            for process in processes[i % len(processes) :] + processes[: i % len(processes)]:
                process.samples += process.measure()
                time.sleep(PAUSE_SECONDS)
    finally:
        for process in processes:
            process.process.kill()
            process.process.wait()
    return {p.side.name: _summary(p) for p in processes}


def _summary(process: _Process) -> Times:
    factor = process.side.calls_per_unit / 1000.0
    wall = [factor * sample[0] for sample in process.samples]
    cpu = [factor * sample[1] for sample in process.samples]
    return Times(min(wall), statistics.median(wall), min(cpu), len(wall))


def _check_agreement(processes: Sequence[_Process], tolerance: float) -> None:
    reference: list[float] | None = None
    for process in processes:
        answer = process.ask("check")
        if not process.side.checked:
            continue
        numbers = [float(x) for x in answer]
        if reference is None:
            reference = numbers
        scale = max(map(abs, reference))
        if len(numbers) != len(reference) or any(
            not abs(a - b) <= tolerance * scale for a, b in zip(numbers, reference, strict=True)
        ):
            raise RuntimeError(
                f"{process.side.name} computes {numbers}, {processes[0].side.name} {reference}"
            )


def serve(check: Callable[[], Sequence[float]], run: Callable[[int], object]) -> None:
    """Be a side written in Python: `run(n)` makes n calls."""
    while True:
        try:
            command = input().split()
        except EOFError:
            return
        if command == ["check"]:
            print(*check(), flush=True)
            continue
        batches, calls = map(int, command)
        times = []
        for _ in range(batches):
            cpu = time.process_time_ns()
            wall = time.perf_counter_ns()
            run(calls)
            times += [(time.perf_counter_ns() - wall) / calls, (time.process_time_ns() - cpu) / calls]
        print(*times, flush=True)


def describe_machine() -> dict[str, object]:
    """Return what a reader needs to judge the figures; nothing that names the machine."""
    return {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "load_average": [round(x, 1) for x in os.getloadavg()] if hasattr(os, "getloadavg") else None,
        "python": platform.python_version(),
        "date": datetime.datetime.now(datetime.timezone.utc).date().isoformat(),
        "dropped_variables": {name: os.environ[name] for name in DROPPED_VARIABLES if name in os.environ},
    }


def _processor() -> str:
    """Return the processor's name, family and model, and the vector units that BLAS libraries choose by."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            first = file.read().split("\n\n")[0]
    except OSError:
        return platform.processor() or "unknown"
    pairs = (line.partition(":") for line in first.splitlines())
    rows = {name.strip(): value.strip() for name, _, value in pairs}
    units = [
        unit
        for unit in ("avx2", "avx512f", "avx512_bf16", "amx_bf16")
        if unit in rows.get("flags", "").split()
    ]
    name = rows.get("model name", platform.machine())
    family, model = rows.get("cpu family", "?"), rows.get("model", "?")
    return f"{name}, family {family}, model {model}, {' '.join(units)}"
