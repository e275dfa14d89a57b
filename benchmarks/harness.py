"""Measures sides of a comparison against each other, each library in a process of its own.

A worker is a process that reads commands on standard input, one per line, and answers each with one line. To ``B C``
it answers the nanoseconds per call of B batches of C calls: for each batch the wall clock's and the processor time.
Workers take turns, so that all see the same machine, and wait for each other: two BLAS pools in one process, or at
work at the same time, disturb each other. A pause after each turn lets idle threads go to sleep.
"""

from __future__ import annotations

import importlib.util
import json
import os
import platform
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from importlib import metadata
from pathlib import Path
from types import TracebackType
from typing import Any

ROOT = Path(__file__).resolve().parent.parent

# An environment may force OpenBLAS to kernels made for another processor.
DROPPED_VARIABLES = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")
THREAD_VARIABLES = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
PYTHON_LIBRARIES = ("schattor", "numpy", "scipy", "torch")


@dataclass(frozen=True)
class Settings:
    """How long to measure: each side takes `rounds` turns, fewer (but three) once it has spent `side_seconds`.

    A side whose first call takes `slow_seconds` is not called again.
    """

    rounds: int = 6
    turn_seconds: float = 0.04
    side_seconds: float = 1.2
    slow_seconds: float = 4.0
    batch_seconds: float = 0.0005
    pause_seconds: float = 0.12


QUICK = Settings(rounds=2, turn_seconds=0.01, side_seconds=0.2, slow_seconds=1.0)


@dataclass(frozen=True)
class Side:
    """One way to do a piece of work.

    `library` is one of `PYTHON_LIBRARIES` with a task for sides.py, or "cpp" with a command to run. `threads` is
    "default" (whatever each library chooses) or "one". `calls_per_unit` calls make one unit of work.
    """

    library: str
    name: str
    task: dict[str, Any]
    threads: str = "default"
    calls_per_unit: int = 1

    def worker_key(self) -> tuple[str, ...]:
        """Sides with one key share a process: they use the same library and so the same pool of threads."""
        command = tuple(self.task["command"]) if self.library == "cpp" else ()
        return (self.library, self.threads, *command)


@dataclass(frozen=True)
class Times:
    """Seconds per unit of work: least and median of all batches, and the least processor time."""

    least: float
    median: float
    cpu: float
    batches: int


def environment(threads: str) -> dict[str, str]:
    """Return the environment of a worker: one BLAS thread, or what each library does when nobody says anything."""
    dropped = DROPPED_VARIABLES + THREAD_VARIABLES
    kept = {name: value for name, value in os.environ.items() if name not in dropped}
    return kept | (dict.fromkeys(THREAD_VARIABLES, "1") if threads == "one" else {})


class Worker:
    """A process that answers each line with a line."""

    def __init__(self, command: Sequence[str], threads: str) -> None:
        self.command = command
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env=environment(threads),
            start_new_session=True,  # Ctrl-C is for the parent, which ends its workers
        )

    def ask(self, line: str) -> str:
        """Send a command; return the answer."""
        assert self.process.stdin is not None and self.process.stdout is not None
        try:
            self.process.stdin.write(line + "\n")
            self.process.stdin.flush()
            answer = self.process.stdout.readline()
        except BrokenPipeError:
            answer = ""
        if not answer:
            raise RuntimeError(f"a worker ended: {' '.join(self.command)}: {line[:200]}")
        return answer.strip()

    def kill(self) -> None:
        """End the process and those that it forked."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.communicate()  # waits and closes the pipes


class Workers:
    """The workers of a run, started when first needed; a context manager that ends them."""

    def __init__(self) -> None:
        self._workers: dict[tuple[str, ...], Worker] = {}

    def __enter__(self) -> Workers:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end(*self._workers)

    def of(self, side: Side, role: str = "time") -> Worker:
        """Return the worker of a side; a `role` other than "time" has processes of its own."""
        key = (*side.worker_key(), role)
        if key not in self._workers:
            python = (sys.executable, "-W", "ignore", "-m", "benchmarks.sides", side.library)
            command = side.task["command"] if side.library == "cpp" else python
            self._workers[key] = Worker(command, side.threads)
        return self._workers[key]

    def end(self, *keys: tuple[str, ...]) -> None:
        """End the workers with these keys."""
        for key in keys:
            self._workers.pop(key).kill()

    def end_role(self, role: str) -> None:
        """End the workers of a role."""
        self.end(*[key for key in self._workers if key[-1] == role])

    def end_programs(self) -> None:
        """End the C++ programs: each serves one case."""
        self.end(*[key for key in self._workers if key[0] == "cpp"])


@dataclass
class Turn:
    """What is known of a side while it is measured."""

    side: Side
    worker: Worker
    key: str
    first: tuple[float, float] | None = None
    calls: int = 1
    batches: int = 1
    spent: float = 0.0
    samples: list[tuple[float, float]] = field(default_factory=list)

    def slow(self, settings: Settings) -> bool:
        """Whether the first call took so long that it has to do."""
        return self.first is not None and self.first[0] > settings.slow_seconds

    def select(self) -> None:
        """Make the worker's next measurements those of this side."""
        if self.side.library != "cpp":
            self.worker.ask(f"use {self.key}")

    def measure(self) -> list[tuple[float, float]]:
        """Return (wall, processor) seconds per call of some batches."""
        begin = time.perf_counter()
        numbers = [float(x) / 1e9 for x in self.worker.ask(f"{self.batches} {self.calls}").split()]
        self.spent += time.perf_counter() - begin
        return list(zip(numbers[::2], numbers[1::2], strict=True))

    def calibrate(self, settings: Settings) -> None:
        """Choose batches that are long against the clock, as many as fill a turn. The first calls warm up."""
        if self.slow(settings) and self.first is not None:
            self.samples.append(self.first)
            return
        self.select()
        self.calls = self.side.calls_per_unit
        first = self.measure()
        seconds = min(wall for wall, _ in first) * self.calls
        if seconds > settings.side_seconds / 3:
            self.samples += first  # a call this long is its own warm-up
            return
        seconds = min(wall for _ in range(2) for wall, _ in self.measure()) * self.calls
        units = max(1, round(settings.batch_seconds / seconds))
        self.calls *= units
        self.batches = max(1, round(settings.turn_seconds / (seconds * units)))

    def done(self, rounds: int, settings: Settings) -> bool:
        """Whether the side had its turns."""
        enough = rounds >= settings.rounds or (rounds >= 3 and self.spent > settings.side_seconds)
        return enough or self.slow(settings)

    def times(self) -> Times:
        """Return the summary of all batches."""
        walls = [wall * self.side.calls_per_unit for wall, _ in self.samples]
        cpu = min(cpu for _, cpu in self.samples) * self.side.calls_per_unit
        return Times(min(walls), statistics.median(walls), cpu, len(walls))


def load(workers: Workers, side: Side, key: str) -> Turn | str:
    """Prepare a side; return its turn, or why it is not available."""
    worker = workers.of(side)
    if side.library == "cpp":
        return Turn(side, worker, key)
    word, _, rest = worker.ask(f"load {key} {json.dumps(side.task)}").partition(" ")
    if word == "missing":
        return rest
    wall, cpu = (float(x) / 1e9 for x in rest.split())
    return Turn(side, worker, key, (wall, cpu))


def take_turns(turns: Sequence[Turn], settings: Settings) -> None:
    """Measure the sides in turn. Those of one worker follow each other without a pause: their pool is the same."""
    for turn in turns:
        turn.calibrate(settings)
    groups: dict[int, list[Turn]] = {}
    for turn in turns:
        groups.setdefault(id(turn.worker), []).append(turn)
    order = list(groups.values())
    time.sleep(settings.pause_seconds)
    for i in range(settings.rounds):
        shift = i % len(order) if order else 0
        for group in order[shift:] + order[:shift]:
            waiting = [turn for turn in group if not turn.done(i, settings)]
            for turn in waiting:
                turn.select()
                turn.samples += turn.measure()
            if waiting and len(order) > 1:
                time.sleep(settings.pause_seconds)


def busy_share(seconds: float = 0.1) -> float | None:
    """Return the share of the processors that others use while this run waits; None where Linux does not say."""

    def ticks() -> tuple[int, int]:
        with open("/proc/stat", encoding="ascii") as file:
            numbers = [int(x) for x in file.readline().split()[1:9]]
        return sum(numbers), numbers[3] + numbers[4]  # all; idle and waiting for a disk

    try:
        total, idle = ticks()
        time.sleep(seconds)
        later, idle_later = ticks()
    except (OSError, ValueError):
        return None
    return 1 - (idle_later - idle) / (later - total) if later > total else None


def versions() -> dict[str, str]:
    """Return the versions of the libraries that are installed."""
    found = {}
    for name in PYTHON_LIBRARIES:
        if importlib.util.find_spec(name) is not None:
            try:
                found[name] = metadata.version(name)
            except metadata.PackageNotFoundError:
                found[name] = "not installed by a package manager"
    return found


def describe_machine() -> dict[str, Any]:
    """Return what a reader needs to judge the figures; nothing that names the machine."""
    return {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "load_average": [round(x, 1) for x in os.getloadavg()] if hasattr(os, "getloadavg") else None,
        "python": platform.python_version(),
        "dropped_variables": {
            name: os.environ[name] for name in DROPPED_VARIABLES + THREAD_VARIABLES if name in os.environ
        },
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
        for unit in ("avx2", "fma", "avx512f", "avx512_bf16", "amx_bf16")
        if unit in rows.get("flags", "").split()
    ]
    name = rows.get("model name", platform.machine())
    family, model = rows.get("cpu family", "?"), rows.get("model", "?")
    return f"{name}, family {family}, model {model}, {' '.join(units)}"


def describe_settings(settings: Settings) -> dict[str, Any]:
    """Return the settings for the record."""
    return asdict(settings) | {"time_unit": "seconds per call or step", "memory_unit": "bytes"}
