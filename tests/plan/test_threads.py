"""The same bits whatever the threads: several optimizers at once, and any number of BLAS threads."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from contract.cases import CASES, Case, bits, copied, draw, problem

import schattor as st

STEPS = 8


def run(case: Case, seed: int) -> object:
    """Parameters and state at the end of a run."""
    W, gradients = problem(case, np.float64 if seed % 2 else np.float32, STEPS, seed)
    opt = case.optimizer(copied(W))
    for G in gradients:
        opt.step(G)
    return bits(opt.params), bits(opt.state_dict())


def test_optimizers_in_threads() -> None:
    """Threads that step different optimizers get the bits of a serial run."""
    jobs = [(case, seed) for case in CASES for seed in (0, 1)]
    serial = [run(*job) for job in jobs]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda job: run(*job), jobs))
    assert together == serial


def test_large_optimizers_in_threads() -> None:
    """The same with blocks large enough for the step to run while the other thread holds the interpreter."""
    shapes = {"a": (120, 90), "b": (64, 200)}
    W = draw(shapes, np.random.default_rng(0))
    gradients = [draw(shapes, np.random.default_rng(i)) for i in range(3)]
    recipes = [st.recipes.schattor(p=3, lr=0.1), st.recipes.muon(), st.recipes.polar_grad(lr=0.1)]
    results: dict[tuple[str, int], object] = {}

    def work(name: str, i: int, barrier: threading.Barrier) -> None:
        opt = st.Optimizer(copied(W), recipes[i])
        barrier.wait()
        for G in gradients:
            opt.step(G)
        results[name, i] = bits(opt.params)

    for i in range(3):
        work("serial", i, threading.Barrier(1))
    barrier = threading.Barrier(3)
    threads = [threading.Thread(target=work, args=("together", i, barrier)) for i in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for i in range(3):
        assert results["together", i] == results["serial", i]


@pytest.mark.parametrize("layout", ["contiguous", "strided"])
def test_one_optimizer_from_several_threads(layout: str) -> None:
    """Steps of one optimizer are serialised: each gradient is used once, whole, and none is lost."""
    n, threads, steps = 20000, 4, 100
    W = np.zeros(n)
    opt = st.SGD([W], lr=1.0)

    def work(k: int) -> None:
        G = np.full(2 * n, 2.0**k)[:: 2 if layout == "strided" else 1][:n]
        for _ in range(steps):
            opt.step([G])

    workers = [threading.Thread(target=work, args=(k,)) for k in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert opt.step_count == threads * steps
    np.testing.assert_array_equal(W, np.full(n, -steps * (2.0**threads - 1)))


PROGRAM = """
import hashlib, sys
import numpy as np
import schattor as st

rng = np.random.default_rng(0)
shapes = {"large": (300, 200), "wide": (60, 256), "small": (7, 5), "v": (400,)}
for dtype in (np.float64, np.float32):
    for name, recipe in {
        "ball": st.recipes.schattor(p=4, lr=0.1),
        "joint": st.recipes.schattor(p=1.5, lr=0.1, outer=3, rule="regularization"),
        "spectral": st.recipes.schattor(p=np.inf, lr=0.1, nesterov=True),
        "muon": {"v": st.recipes.adamw(), "*": st.recipes.muon()},
        "polar_grad": {"v": st.recipes.signum(lr=0.1), "*": st.recipes.polar_grad(lr=0.1)},
        "normalized": st.recipes.normalized_sgd(lr=0.1),
    }.items():
        rng = np.random.default_rng(1)
        params = {i: rng.standard_normal(s).astype(dtype) for i, s in shapes.items()}
        opt = st.Optimizer(params, recipe, deterministic=True)
        for _ in range(2):
            opt.step({i: rng.standard_normal(s).astype(dtype) for i, s in shapes.items()})
        digest = hashlib.sha256()
        for i, x in params.items():
            digest.update(x.tobytes())
        for key, x in opt.state_dict().items():
            digest.update(key.encode() + x.tobytes())
        print(name, np.dtype(dtype).name, digest.hexdigest(), dict(opt.report))
"""


def output(threads: int) -> str:
    """What the program prints with this many BLAS threads; one OpenBLAS kernel for all runs."""
    variables = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "GOTO_NUM_THREADS", "SCIPY_OPENBLAS_NUM_THREADS")
    environment = {**os.environ, **dict.fromkeys(variables, str(threads))}
    environment["PYTHONPATH"] = os.pathsep.join(p for p in sys.path if p)
    command = [sys.executable, "-W", "error", "-c", PROGRAM]
    return subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout


def test_number_of_blas_threads() -> None:
    """deterministic=True: one and two BLAS threads give the same bits, up to 300 x 200."""
    one, two = output(1), output(2)
    assert len(one.splitlines()) == 12
    assert one == two


def test_alignment_of_the_arrays() -> None:
    """Reductions do not depend on where the arrays start: parameters and gradients at any multiple of their size."""

    def placed(x: np.ndarray, offset: int) -> np.ndarray:
        raw = np.zeros(x.size + 64, dtype=x.dtype)
        start = (-raw.ctypes.data // x.itemsize) % (64 // x.itemsize) + offset
        view = raw[start : start + x.size].reshape(x.shape)
        view[...] = x
        return view

    for case in CASES:
        for dtype in (np.float64, np.float32):
            W, gradients = problem(case, dtype, 3)
            results = []
            for offset in (0, 1, 3):
                opt = case.optimizer({i: placed(x, offset) for i, x in W.items()})
                for G in gradients:
                    opt.step({i: placed(x, (offset * 5) % 7) for i, x in G.items()})
                results.append((bits(opt.params), bits(opt.state_dict())))
            assert results[0] == results[1] == results[2], str(case)


@pytest.mark.parametrize("deterministic", [True, False])
def test_repetition(deterministic: bool) -> None:
    """The same program twice gives the same bits; without `deterministic` the results agree to rounding."""
    shapes = {"a": (80, 60), "v": (300,)}
    W, G = draw(shapes, np.random.default_rng(0)), draw(shapes, np.random.default_rng(1))
    runs = []
    for _ in range(2):
        opt = st.Schattor(copied(W), p=3, lr=0.1, deterministic=deterministic)
        opt.step(G)
        runs.append(copied(opt.params))
    for i in W:
        if deterministic:
            assert bits(runs[0]) == bits(runs[1])
        np.testing.assert_allclose(runs[0][i], runs[1][i], rtol=0, atol=1e-12)
