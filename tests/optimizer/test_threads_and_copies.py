"""One optimizer used from several places: threads, its own callables, copies, forked children."""

from __future__ import annotations

import copy
import io
import json
import os
import pickle
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from contract.case import bits, snapshot

import schattor as st

ONES = {"a": np.ones(2)}


def copied_by_pickle(value: Any) -> Any:
    """Return the value after a way through pickle."""
    return pickle.loads(pickle.dumps(value))


def stepped(opt: Any) -> int:
    """Take a step and return the count."""
    opt.step(ONES)
    return int(opt.step_count)


CALLS: dict[str, Callable[[Any], int]] = {
    "step": lambda opt: stepped(opt) - 1,
    "update": lambda opt: len(opt.update(ONES)) and opt.step_count - 1,
    "peek": lambda opt: len(opt.peek(ONES)) and opt.step_count,
    "state_dict": lambda opt: int(opt.state_dict()["state/a/count"]),
    "load_state_dict": lambda opt: opt.load_state_dict(SAVED) or int(opt.state_dict()["step"]) - 6,
    "evaluation_params": lambda opt: int(1 - opt.evaluation_params()["a"][0]),
    "add_block": lambda opt: opt.add_block("b", np.zeros(1)) or int(opt.state_dict()["state/a/count"]),
    "pickle": lambda opt: copied_by_pickle(opt).step_count,
    "deepcopy": lambda opt: int(1 - copy.deepcopy(opt).params["a"][0]),
    "lr": lambda opt: int(opt.lr["a"]),
    "explain": lambda opt: opt.explain(io.StringIO()) or opt.step_count,
    "html": lambda opt: int("step 1)" in opt._repr_html_()),
}
"""Each returns how many steps the optimizer has gone by then."""


class Schedule:
    """An lr of one that does something at the first step that is taken; copies of it do nothing."""

    def __init__(self, act: Callable[[], object] | None = None) -> None:
        self.act = act

    def __call__(self, step: int) -> float:
        act, self.act = self.act, None
        if act:
            act()
        return 1.0

    def __reduce__(self) -> tuple[Any, ...]:
        return Schedule, ()


def momentum(lr: Any = 1.0) -> st.Optimizer:
    """Return an optimizer of one block with a state."""
    return st.SGD({"a": np.ones(2)}, lr=lr, momentum=0.5)


def saved() -> dict[str, np.ndarray]:
    """Return the state of such a one after seven steps."""
    opt = momentum()
    for _ in range(7):
        opt.step(ONES)
    return opt.state_dict()


SAVED = saved()


# Threads


@pytest.mark.parametrize("name", [name for name in CALLS if name != "lr"])  # which is the same at every step
def test_another_thread_waits_for_the_step(name: str) -> None:
    """A call that comes while a step is under way sees the optimizer after it, never in between.

    The step's own schedule starts the thread and gives it time to come too early.
    """
    seen: list[int] = []
    thread = threading.Thread(target=lambda: seen.append(CALLS[name](opt)))

    def begin() -> None:
        thread.start()
        thread.join(0.05)

    opt = momentum(Schedule(begin))
    opt.step(ONES)
    thread.join()
    assert seen == [1]
    assert opt.step_count == {"step": 2, "update": 2, "load_state_dict": 7}.get(name, 1)


def test_snapshots_of_a_run_are_whole() -> None:
    """State and copies taken beside a thread that steps belong to one step: every block and the parameters of it."""
    names = [f"{i}" for i in range(20)]
    params = {name: np.zeros((30, 30)) for name in names}
    gradients = {name: np.ones((30, 30)) for name in names}
    opt = st.Adam(params, lr=1.0, betas=(0.0, 0.0), eps=0.0)  # steps of exactly one
    opt.step(gradients)
    states, copies, points = [], [], []
    stop = threading.Event()

    def run() -> None:
        while not stop.is_set():
            opt.step(gradients)

    thread = threading.Thread(target=run)
    thread.start()
    for _ in range(30):
        states.append(opt.state_dict())
        copies += [copy.deepcopy(opt), copied_by_pickle(opt)]
        points.append(opt.evaluation_params())
    stop.set()
    thread.join()

    for state in [*states, *(other.state_dict() for other in copies)]:
        assert {int(state[f"state/{name}/count"]) for name in names} == {int(state["step"])}
    for other in copies:
        for x in other.params.values():
            np.testing.assert_array_equal(x, np.full((30, 30), -float(other.step_count)))
    for point in points:
        assert len({x.tobytes() for x in point.values()}) == 1


def test_the_lock_belongs_to_one_optimizer() -> None:
    """A step of one inside a step of another is no call from inside its own."""
    other = momentum()
    opt = momentum(Schedule(lambda: other.step(ONES)))
    opt.step(ONES)
    assert (opt.step_count, other.step_count) == (1, 1)


# Calls from inside a call


@pytest.mark.parametrize("outer", ["step", "update", "peek"])
@pytest.mark.parametrize("name", CALLS)
def test_call_from_a_schedule(name: str, outer: str) -> None:
    """RuntimeError instead of waiting for oneself; nothing has changed, and the step can be taken again."""
    opt = momentum(Schedule(lambda: CALLS[name](opt)))
    before = bits(opt.params)
    with pytest.raises(RuntimeError, match=r"^SGD is in the middle of a call"):
        getattr(opt, outer)(ONES)
    assert bits(opt.params) == before and opt.step_count == 0
    assert list(opt.params) == ["a"]
    opt.step(ONES)
    np.testing.assert_array_equal(opt.params["a"], np.zeros(2))


@pytest.mark.parametrize("name", ["lr", "explain", "html"])
def test_reading_from_a_schedule_that_is_read(name: str) -> None:
    """What reads the schedules is not called from them: RuntimeError, no recursion without end."""
    opt = momentum(Schedule(lambda: CALLS[name](opt)))
    with pytest.raises(RuntimeError, match="middle of a call"):
        CALLS[name](opt)
    assert opt.lr == {"a": 1.0}


@pytest.mark.parametrize("name", ["peek", "step", "add_block"])
def test_call_from_a_user_function_of_the_step(name: str) -> None:
    """A Hessian product, which a driver asks for, is inside the step too; the driver's state goes back."""

    def hvp(params: Any, direction: Any) -> Any:
        if allowed:
            return direction
        return CALLS[name](opt)

    allowed = False
    recipe = st.recipes.schattor(p=st.AdaptiveExponent(), lr=0.1)
    opt = st.Optimizer({"a": np.ones((2, 2))}, recipe)
    before = snapshot(opt)
    with pytest.raises(RuntimeError, match="middle of a call"):
        opt.step({"a": np.eye(2)}, hvp=hvp)
    assert snapshot(opt) == before
    allowed = True
    opt.step({"a": np.eye(2)}, hvp=hvp)
    assert opt.step_count == 1


# Copies


class Uncopyable(Schedule):
    """A callable that refuses to be copied."""

    def __reduce__(self) -> tuple[Any, ...]:
        raise TypeError("not to be copied")


@pytest.mark.parametrize("take", [copy.deepcopy, pickle.dumps, pickle._dumps], ids=["copy", "C", "Python"])  # type: ignore[attr-defined]
def test_failed_copies_leave_nothing_locked(take: Callable[[Any], Any]) -> None:
    """Also while the error is kept with its traceback, as an interactive session does: the optimizer goes on."""
    opt = momentum(Uncopyable())
    with pytest.raises(TypeError, match="not to be copied") as kept:
        take(opt)
    opt.step(ONES)
    thread = threading.Thread(target=opt.step, args=(ONES,))
    thread.start()
    thread.join()
    assert opt.step_count == 2
    assert kept.value.__traceback__ is not None


@pytest.mark.parametrize("form", ["dict", "list", "nested", "view"])
def test_one_array_as_two_views(form: str) -> None:
    """One block under two names, also where the two are different objects over the same memory; copies keep it so."""
    array = np.arange(6.0).reshape(3, 2)
    params: Any = {
        "dict": {"x": array[:], "y": array[:]},
        "list": [array[:], array.view()],
        "nested": {"x": {"u": array[:]}, "y": [array]},
        "view": {"x": array, "y": array[:]},
    }[form]
    G: Any = {
        "dict": {"x": np.ones((3, 2)), "y": np.ones((3, 2))},
        "list": [np.ones((3, 2))] * 2,
        "nested": {"x": {"u": np.ones((3, 2))}, "y": [np.ones((3, 2))]},
        "view": {"x": np.ones((3, 2)), "y": None},
    }[form]
    opt = st.SGD(params, lr=0.5, momentum=0.5)
    opt.step(G)
    buffers: list[pickle.PickleBuffer] = []
    data = pickle.dumps(opt, 5, buffer_callback=buffers.append)
    copies = [
        copy.deepcopy(opt),
        *(pickle.loads(pickle.dumps(opt, protocol)) for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1)),
        pickle.loads(data, buffers=buffers),
    ]
    before = opt.params
    for other in copies[:-1]:
        assert repr(other).startswith("SGD(1 block, 6 parameters")
        assert not any(np.shares_memory(x, array) for x in other.params.values())
    opt.step(G)
    for other in copies[:-1]:
        other.step(G)
        assert len({id(x) for x in other.params.values()}) == 1
        assert snapshot(other)[:4] == snapshot(opt)[:4]
    assert all(x is before[name] for name, x in opt.params.items())


LARGE = 400  # a square of it is above the size from which process pools hand over memory instead of bytes


def moved(opt: st.Optimizer) -> Any:
    """Return everything about a large optimizer after another step."""
    opt.step({"W": np.ones((LARGE, LARGE)), "b": np.ones(3)})
    return snapshot(opt)[:4]


def large() -> st.Optimizer:
    """Return an optimizer with a large and a small block, after a step."""
    opt = st.Adam({"W": np.ones((LARGE, LARGE)), "b": np.ones(3)}, lr=0.1)
    moved(opt)
    return opt


@pytest.mark.parametrize("kind", ["bytes", "memory map", "writable"])
def test_buffers_that_are_handed_over(kind: str, tmp_path: Path) -> None:
    """Restored with arrays that can be stepped on, whatever memory the buffers are; the memory itself stays."""
    opt = large()
    handed: list[pickle.PickleBuffer] = []
    data = pickle.dumps(opt, 5, buffer_callback=handed.append)
    assert max(buffer.raw().nbytes for buffer in handed) > 1_000_000
    frozen = [bytes(buffer.raw()) for buffer in handed]

    def mapped(i: int) -> np.ndarray:
        path = tmp_path / f"{i}"
        path.write_bytes(frozen[i])
        return np.memmap(path, mode="r") if frozen[i] else np.zeros(0, dtype=np.uint8)

    buffers: list[Any] = {
        "bytes": lambda: frozen,
        "memory map": lambda: [mapped(i) for i in range(len(frozen))],
        "writable": lambda: [bytearray(x) for x in frozen],
    }[kind]()
    before = [bytes(x) for x in buffers]
    other = pickle.loads(data, buffers=buffers)
    assert all(x.flags.writeable for x in other.params.values())
    assert moved(other) == moved(opt)
    if kind != "writable":
        assert [bytes(x) for x in buffers] == before


class AsMemoryMap(pickle.Pickler):
    """Writes every array as a read-only memory map of a file, as pools of processes do with large ones."""

    def __init__(self, file: Any, folder: Path) -> None:
        super().__init__(file, protocol=5)
        self._folder, self._count = folder, 0

    def reducer_override(self, value: Any) -> Any:
        if type(value) is not np.ndarray or not value.size or value.dtype.kind != "f":
            return NotImplemented
        self._count += 1
        path = self._folder / f"{self._count}.npy"
        np.save(path, value)
        return np.load, (path, "r")


def test_arrays_that_come_as_memory_maps(tmp_path: Path) -> None:
    """Restored with writable copies; a parameter that is a writable map is stepped on in the file."""
    opt, file = large(), io.BytesIO()
    AsMemoryMap(file, tmp_path).dump(opt)
    assert moved(pickle.loads(file.getvalue())) == moved(opt)
    on_disk = np.memmap(tmp_path / "W", dtype=np.float64, mode="w+", shape=(2, 2))
    st.SGD({"W": on_disk}, lr=1.0).step({"W": np.eye(2)})
    on_disk.flush()
    np.testing.assert_array_equal(np.fromfile(tmp_path / "W").reshape(2, 2), -np.eye(2))


# Forks

FORK = """
import json, os, pickle, signal, threading, warnings
import numpy as np
import schattor as st

warnings.simplefilter("ignore", DeprecationWarning)  # of fork beside threads, from Python 3.12 on
G = {str(i): np.ones((40, 40)) for i in range(4)}
make = lambda **options: st.SGD({i: np.zeros((40, 40)) for i in G}, lr=1.0, **options)

def whole(opt):
    # Every entry has gone as many unit steps as are counted, and goes the next.
    for _ in range(2):
        state = opt.state_dict()
        if {int(state[f"state/{i}/count"]) for i in G} != {int(state["step"])}:
            return False
        if any((x != -state["step"]).any() for x in opt.params.values()):
            return False
        opt.step(G)
    return bool(opt.step_count == state["step"] + 1)

def child(work):
    number = os.fork()
    if number == 0:
        signal.alarm(60)  # ends a child that hangs
        os._exit(0 if work() else 1)
    return os.waitpid(number, 0)[1]
"""

BESIDE_STEPS = (
    FORK
    + """
opts = [make(n_threads=2) for _ in range(3)]
stop = threading.Event()
def run(opt):
    while not stop.is_set():
        opt.step(G)
threads = [threading.Thread(target=run, args=(opt,)) for opt in opts]
for thread in threads:
    thread.start()
codes = []
def forks():
    for _ in range(4):
        codes.append(child(lambda: all(whole(opt) for opt in opts)))
forkers = [threading.Thread(target=forks) for _ in range(2)]
for thread in forkers:
    thread.start()
for thread in forkers:
    thread.join()
stop.set()
for thread in threads:
    thread.join()
print(json.dumps([codes, [whole(opt) for opt in opts]]))
"""
)

NESTED = (
    FORK
    + """
# One steps inside the steps of another: a fork must not stand between the two.
inner = make()
def schedule(step):
    for _ in range(3):
        inner.step(G)
    return 1.0
outer = make(schedule=schedule)
stop = threading.Event()
def run():
    while not stop.is_set():
        outer.step(G)
thread = threading.Thread(target=run)
thread.start()
together = lambda: inner.step_count == 3 * outer.step_count and whole(inner) and whole(outer)
codes = [child(together) for _ in range(4)]
stop.set()
thread.join()

# A fork in the middle of one's own step: the child is in that step too, and can finish it.
def forks(step):
    if step == 1:
        codes.append(child(lambda: whole(other)))
        pids.append(os.fork())
        if pids[-1] == 0:
            signal.alarm(60)
    return 1.0
other, pids = make(), []
own = make(schedule=forks)
own.step(G), own.step(G)
if pids[-1] == 0:
    os._exit(0 if whole(own) else 1)
codes.append(os.waitpid(pids[-1], 0)[1])
print(json.dumps([codes, whole(own)]))
"""
)


def run(program: str) -> Any:
    """The JSON that a Python program prints in a fresh process."""
    variables = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        env=variables,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.stderr == "" and done.returncode == 0
    return json.loads(done.stdout)


if hasattr(os, "fork"):

    def test_fork_beside_steps() -> None:
        """Children forked by two threads while three others step find whole states and go on; so does the parent."""
        assert run(BESIDE_STEPS) == [[0] * 8, [True] * 3]

    def test_fork_and_steps_within_steps() -> None:
        """A fork lets a step that needs another optimizer come to its end; a step that forks goes on in both."""
        assert run(NESTED) == [[0] * 6, True]
