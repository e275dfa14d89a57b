"""Steps on several threads: the same bits, whatever runs beside them, and nothing left behind."""

from __future__ import annotations

import copy
import json
import os
import pickle
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
from contract.cases import CASES, Case, Supplied, bits, copied, draw, problem

import schattor as st
from schattor._edge import _core

# Large enough for the pool: matrices of several sizes, an entry-wise block of several pieces, small ones.
SHAPES = {"a": (96, 64), "b": (40, 130), "c": (300, 500), "d": (7, 5), "e": (64, 64), "v": (70001,)}

MATRICES = {"v": st.recipes.adamw(), "c": st.recipes.sgd(lr=0.1, momentum=0.9)}
RECIPES: dict[str, Callable[[], Any]] = {
    "ball": lambda: st.recipes.schattor(p=4, lr=0.1),
    "coupled": lambda: st.recipes.schattor(p=1.5, lr=0.1, outer=3, rule="regularization"),
    "coupled to one": lambda: st.recipes.schattor(p=3, lr=0.1, outer=1),
    "muon": lambda: {**MATRICES, "*": st.recipes.muon()},
    "polar_grad": lambda: {**MATRICES, "*": st.recipes.polar_grad(lr=0.1)},
    "adamw": lambda: st.recipes.adamw(decay="l2"),
    "cautious": lambda: st.recipes.adamw(decay="cautious", weight_decay=0.1),
    "sgd": lambda: st.recipes.sgd(lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.01),
    "signum": lambda: st.recipes.signum(lr=0.1, nesterov=True),
    "normalized": lambda: st.recipes.normalized_sgd(lr=0.1),
}


def result(recipe: Any, dtype: Any, **options: Any) -> tuple[Any, ...]:
    """Parameters, state, displacements and reports of a few steps."""
    W = {i: x.astype(dtype) for i, x in draw(SHAPES, np.random.default_rng(0)).items()}
    opt = Supplied(W, recipe, **options)
    moved: list[Any] = []
    for t in range(3):
        G = {i: x.astype(dtype) for i, x in draw(SHAPES, np.random.default_rng(t + 1)).items()}
        moved.append(bits(opt.peek(G)))
        opt.step({**G, "e": None} if t == 1 else G)
    moved.append(bits(opt.update(G)))
    return bits(W), bits(opt.state_dict()), moved, dict(opt.report)


@pytest.mark.parametrize("name", RECIPES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_bits_for_any_number_of_threads(name: str, dtype: Any) -> None:
    """1, 2, 4 and the default number of threads give the same weights, state, displacements and reports."""
    one = result(RECIPES[name](), dtype, n_threads=1)
    for n_threads in (2, 4, None):
        assert result(RECIPES[name](), dtype, n_threads=n_threads) == one


@pytest.mark.parametrize("case", CASES, ids=str)
def test_every_case_with_threads(case: Case) -> None:
    """Every recipe of the contract, with and without threads."""
    W, gradients = problem(case, np.float64, 3)
    ends = []
    for n_threads in (1, 3):
        opt = case.optimizer(copied(W), n_threads=n_threads)
        for G in gradients:
            opt.step(G)
        ends.append((bits(opt.params), bits(opt.state_dict())))
    assert ends[0] == ends[1]


def test_pool_has_started() -> None:
    """The steps above are no comparison of serial runs: a step of this size does start a thread."""
    result(RECIPES["adamw"](), np.float32, n_threads=3)
    assert _core.pool_helpers() >= 2


def test_without_determinism_results_agree_to_rounding() -> None:
    """deterministic=False may split a large block over BLAS threads: other sums, the same result."""
    shapes = {"large": (260, 230), "small": (30, 20)}
    W, G = draw(shapes, np.random.default_rng(0)), draw(shapes, np.random.default_rng(1))
    ends = []
    for options in ({"n_threads": 1}, {"n_threads": 2, "deterministic": False}):
        opt = st.Schattor(copied(W), p=3, lr=0.1, **options)
        opt.step(G)
        ends.append(opt.params)
    for i in shapes:
        # The oracle is accurate to 100 max(m, n) eps here, and the step is 0.1 long.
        np.testing.assert_allclose(ends[0][i], ends[1][i], rtol=0, atol=1e-11)


def test_python_threads_share_the_pool() -> None:
    """Several Python threads step their own optimizers, each with threads: every one gets the bits of a lone run."""
    names = ["ball", "adamw", "coupled", "muon"]
    alone = {name: result(RECIPES[name](), np.float32, n_threads=1) for name in names}
    found: dict[tuple[str, int], Any] = {}
    barrier = threading.Barrier(len(names))

    def work(name: str) -> None:
        barrier.wait()
        for i in range(3):
            found[name, i] = result(RECIPES[name](), np.float32, n_threads=3)

    threads = [threading.Thread(target=work, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for (name, _), value in found.items():
        assert value == alone[name]
    assert len(found) == 3 * len(names)


def test_number_of_blas_threads_is_left_as_found() -> None:
    """After steps, refused steps and batches the BLAS has as many threads as before."""
    before = _core.blas_threads()
    for options in ({}, {"n_threads": 1}, {"n_threads": 3}, {"deterministic": False}):
        W = draw(SHAPES, np.random.default_rng(0))
        opt = Supplied(W, st.recipes.schattor(p=3, lr=0.1), **options)
        G = draw(SHAPES, np.random.default_rng(1))
        opt.step(G)
        G["c"][3, 4] = np.nan
        with pytest.raises(ValueError, match="block 'c'"):
            opt.step(G)
        assert _core.blas_threads() == before
    st.batched_ball_oracle(np.ones((9, 40, 40)), 3, n_threads=2)
    assert _core.blas_threads() == before


@pytest.mark.parametrize("name", ["a", "c", "v"])
def test_refusal_finds_every_entry(name: str) -> None:
    """The check runs in pieces: entries that are not finite are found and counted in each, before any state moves."""
    W = draw(SHAPES, np.random.default_rng(0))
    opt = Supplied(copied(W), {**MATRICES, "*": st.recipes.muon()}, n_threads=2)
    G = draw(SHAPES, np.random.default_rng(1))
    opt.step(G)
    state, params = bits(opt.state_dict()), bits(opt.params)
    size = G[name].size
    for spoilt in ([0], [size - 1], [0, size // 2, size - 1]):
        bad = copied(G)
        bad[name].reshape(-1)[spoilt] = [np.inf, np.nan, -np.inf][: len(spoilt)]
        with pytest.raises(ValueError, match=f"block '{name}': {len(spoilt)} of {size} "):
            opt.step(bad)
        assert (bits(opt.state_dict()), bits(opt.params)) == (state, params)


@pytest.mark.parametrize("value", [0, -1, True, 2.0, "2"])
def test_n_threads_is_checked(value: Any) -> None:
    """An int of at least 1, or None."""
    for call in (
        lambda: st.SGD([np.zeros(2)], lr=0.1, n_threads=value),
        lambda: st.batched_ball_oracle(np.ones((2, 3, 3)), 2, n_threads=value),
    ):
        with pytest.raises((TypeError, ValueError), match="n_threads must be"):
            call()


def test_n_threads_is_carried_by_copies() -> None:
    """pickle and deepcopy keep the option; it is no part of the saved state."""
    opt = st.AdamW([np.ones(5)], n_threads=3)
    for other in (pickle.loads(pickle.dumps(opt)), copy.deepcopy(opt)):
        assert other._execution["n_threads"] == 3
    assert "n_threads" not in " ".join(opt.state_dict())


def run(program: str, **environment: str) -> Any:
    """The JSON that a Python program prints in a fresh process."""
    variables = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p), **environment}
    command = [sys.executable, "-W", "error", "-c", program]
    done = subprocess.run(command, env=variables, check=True, capture_output=True, text=True, timeout=120)
    return json.loads(done.stdout)


COUNT = """
import json, os
if hasattr(os, "sched_setaffinity") and {pin}:
    os.sched_setaffinity(0, {{min(os.sched_getaffinity(0))}})
import numpy as np
import schattor as st
from schattor._edge import _core
params = [np.ones((300, 300)) for _ in range(6)]
st.Schattor(params, p=3, lr=0.1, n_threads={n_threads}).step([x + np.eye(300) for x in params])
print(json.dumps([_core.default_threads(), _core.pool_helpers()]))
"""


def test_default_number_of_threads() -> None:
    """One BLAS thread, or one processor to run on, means one thread; a number given means that number."""
    variables = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "GOTO_NUM_THREADS", "SCIPY_OPENBLAS_NUM_THREADS")
    one = dict.fromkeys(variables, "1")
    assert run(COUNT.format(pin=False, n_threads=None), **one) == [1, 0]
    assert run(COUNT.format(pin=False, n_threads=3), **one) == [1, 2]
    if hasattr(os, "sched_setaffinity"):
        assert run(COUNT.format(pin=True, n_threads=None)) == [1, 0]
    processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    two = dict.fromkeys(variables, "2")
    expected = min(2, processors)
    assert run(COUNT.format(pin=False, n_threads=None), **two) == [expected, expected - 1]


FORK = """
import hashlib, json, os, threading, warnings
import numpy as np
import schattor as st

warnings.simplefilter("ignore", DeprecationWarning)  # of fork beside threads, from Python 3.12 on
shapes = [(96, 64), (300, 500), (64, 64), (70001,)]

def digest(steps):
    rng = np.random.default_rng(0)
    params = [rng.standard_normal(s) for s in shapes]
    opt = st.Schattor(params, p=3, lr=0.1, n_threads=3)
    for _ in range(steps):
        opt.step([rng.standard_normal(s) for s in shapes])
    return hashlib.sha256(b"".join(x.tobytes() for x in params)).hexdigest()

first = digest(2)
stop = threading.Event()
def busy():
    while not stop.is_set():
        digest(1)
thread = threading.Thread(target=busy)
thread.start()
codes = []
for _ in range(5):
    child = os.fork()
    if child == 0:
        os._exit(0 if digest(2) == first else 1)
    codes.append(os.waitpid(child, 0)[1])
stop.set()
thread.join()
print(json.dumps([codes, digest(2) == first]))
"""


if hasattr(os, "fork"):

    def test_fork() -> None:
        """A child forked while another thread steps has threads of its own, and the parent goes on."""
        assert run(FORK) == [[0] * 5, True]


EXIT = """
import threading
import numpy as np
import schattor as st
params = [np.ones((200, 200)) for _ in range(8)]
opt = st.Schattor(params, p=3, lr=0.1, n_threads=4)
opt.step([x + np.eye(200) for x in params])
def last_step():
    threading.main_thread().join()
    opt.step([np.eye(200) for x in params])
    print("null", flush=True)
threading.Thread(target=last_step).start()
"""


def test_exit_does_not_hang() -> None:
    """The interpreter ends right after a step, one taken when the main thread is over already."""
    assert run(EXIT) is None


def test_report_of_a_block_in_pieces() -> None:
    """The dual norm, the step's length and the mean square come from sums over pieces: those of the formulas."""
    rng = np.random.default_rng(0)
    G: Mapping[str, np.ndarray] = {"W": rng.standard_normal((400, 500))}
    norm = np.linalg.norm(G["W"])
    opt = st.SGD({"W": np.zeros((400, 500))}, lr=0.5)
    opt.step(G)
    row = opt.report["W"]
    # Sums of 2e5 squares in double, each partial sum below 1e4 terms.
    np.testing.assert_allclose(
        [row.dual_norm, row.step_size, row.update_rms], [norm, norm / 2, norm / 2 / 2e5**0.5], rtol=1e-12
    )
    opt = st.SignSGD({"W": np.zeros((400, 500))}, lr=0.5)
    opt.step(G)
    row = opt.report["W"]
    np.testing.assert_allclose(
        [row.dual_norm, row.step_size, row.update_rms], [np.abs(G["W"]).sum(), 0.5, 0.5], rtol=1e-12
    )


@pytest.mark.parametrize("scale", [1e-300, 1e-200, 1e150, 1e300])
def test_report_far_from_one(scale: float) -> None:
    """Squares of such entries leave the range of double; the norm of a block in pieces does not."""
    G = {"W": scale * np.random.default_rng(0).standard_normal((300, 300))}
    opt = st.SGD({"W": np.zeros((300, 300))}, lr=1.0)
    opt.step(G)
    expected = scale * np.linalg.norm(G["W"] / scale)
    assert opt.report["W"].dual_norm == pytest.approx(expected, rel=1e-12)
    np.testing.assert_array_equal(opt.params["W"], -G["W"])
