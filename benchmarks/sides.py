"""The sides that are written in Python; `python -m benchmarks.sides LIBRARY` is a worker of the harness.

A task is a dict with a "kind", one of `KINDS`, and what that kind needs. From it a library makes a `Job`: a function
without arguments that does one unit of work and returns the array to be checked. A library without such a kind, or
whose function refuses the task, is "missing", and the answer says why.
"""

from __future__ import annotations

import itertools
import json
import math
import os
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from .matrices import Array, conjugate, gaussian

Job = Callable[[], Any]
Task = dict[str, Any]

LR = 1e-3
MUON = (3.4445, -4.7750, 2.0315)
REFUSALS = (AttributeError, ImportError, KeyError, NotImplementedError, TypeError, ValueError)


def exponent(task: Task) -> float:
    """Return the task's p."""
    return float(task["p"])


def inputs(task: Task) -> list[Array]:
    """Return the task's matrices."""
    return list(gaussian(tuple(task["shape"]), task["dtype"], task.get("count", 1)))


def cycle(function: Callable[[Any], Any], values: list[Any]) -> Job:
    """Return a function that takes the next value at each call."""
    if len(values) == 1:
        return lambda: function(values[0])
    position = -1

    def job() -> Any:
        nonlocal position
        position = (position + 1) % len(values)
        return function(values[position])

    return job


# ------------------------------------------------------------------------------------------------- NumPy


def svd_ball(svd: Callable[..., Any], G: Array, p: float) -> Array:
    """Return the ball oracle as a user writes it, -U (sigma / ||sigma||_q)^(q-1) V'; also for stacks of matrices."""
    U, s, Vt = svd(G, full_matrices=False)
    if math.isinf(p):
        return np.asarray(-(U @ Vt))
    q = conjugate(p)
    t = s / s[..., :1]  # powers of the quotient cannot overflow
    f = t ** (q - 1) / (t**q).sum(axis=-1, keepdims=True) ** (1 / p)
    return np.asarray(-(U * f[..., None, :]) @ Vt)


def muon_quintic(G: Array) -> Array:
    """Take five quintic steps with Muon's coefficients."""
    a, b, c = MUON
    X = G.T if G.shape[0] > G.shape[1] else G
    X = X / (np.linalg.norm(X) + 1e-7)
    for _ in range(5):
        A = X @ X.T
        X = a * X + (b * A + c * (A @ A)) @ X
    return np.asarray(X.T if G.shape[0] > G.shape[1] else X)


def convergent_newton_schulz(G: Array) -> Array:
    """Return minus the polar factor by X <- (3 X - X X' X) / 2 until X X' is I to sixteen roundings, or 60 steps."""
    X = G / np.linalg.norm(G)
    identity = np.eye(len(X), dtype=X.dtype)
    for _ in range(60):
        A = X @ X.T
        if np.linalg.norm(identity - A) <= 16 * np.finfo(X.dtype).eps * math.sqrt(len(X)):
            break
        X = 1.5 * X - 0.5 * (A @ X)
    return np.asarray(-X)


def ball_rule(G: Array) -> Array:
    """Return the direction of Schattor with p = 4."""
    return -svd_ball(np.linalg.svd, G, 4.0)


def schattor_numpy(W: list[Array], G: list[Array]) -> Job:
    """Ball rule of the Schatten-4 norm; momentum starts at the first gradient."""
    M = [g.copy() for g in G]

    def step() -> None:
        for w, g, m in zip(W, G, M, strict=True):
            m *= 0.9
            m += 0.1 * g
            w -= LR * ball_rule(m)

    return step


def muon_numpy(W: list[Array], G: list[Array]) -> Job:
    """Keller Jordan's Muon."""
    M = [np.zeros_like(g) for g in G]

    def step() -> None:
        for w, g, m in zip(W, G, M, strict=True):
            m *= 0.95
            m += 0.05 * g
            w -= (LR * max(1.0, w.shape[0] / w.shape[1]) ** 0.5) * muon_quintic(0.05 * g + 0.95 * m)

    return step


def adamw_numpy(W: list[Array], G: list[Array]) -> Job:
    """AdamW with decoupled decay."""
    M = [np.zeros_like(g) for g in G]
    V = [np.zeros_like(g) for g in G]
    t = 0

    def step() -> None:
        nonlocal t
        t += 1
        for w, g, m, v in zip(W, G, M, V, strict=True):
            m *= 0.9
            m += 0.1 * g
            v *= 0.999
            v += 0.001 * (g * g)
            w *= 1 - LR * 0.01
            w -= (LR / (1 - 0.9**t)) * m / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)

    return step


def sgd_numpy(W: list[Array], G: list[Array]) -> Job:
    """SGD with heavy-ball momentum."""
    B: list[Array] = []

    def step() -> None:
        if not B:
            B.extend(g.copy() for g in G)
        else:
            for b, g in zip(B, G, strict=True):
                b *= 0.9
                b += g
        for w, b in zip(W, B, strict=True):
            w -= LR * b

    return step


NUMPY_RULES = {"schattor": schattor_numpy, "muon": muon_numpy, "adamw": adamw_numpy, "sgd": sgd_numpy}


def step_arrays(task: Task) -> tuple[list[Array], list[Array]]:
    """Return weights and fixed gradients of a parameter set: one stacked block, or one array per block."""
    if "arrays" in task:
        return task["arrays"][0], task["arrays"][1]
    shapes = [tuple(shape) for shape in task["shapes"]]
    if task.get("stacked"):
        G = [np.stack([gaussian(shape, task["dtype"])[0] for shape in shapes])]
    else:
        pools = {shape: list(gaussian(shape, task["dtype"], shapes.count(shape))) for shape in set(shapes)}
        G = [pools[shape].pop() for shape in shapes]
    return [np.zeros_like(g) for g in G], G


def checked_step(step: Job, first_weight: Callable[[], Array]) -> Job:
    """Return the step as a job whose result is the displacement of the first block."""

    def job() -> Array:
        step()
        return first_weight()

    return job


def numpy_job(task: Task) -> Job:
    """Make a job of NumPy alone."""
    kind, name = task["kind"], task.get("name")
    if kind == "product":
        A, G = np.ones((task["shape"][0],) * 2, task["dtype"]), inputs(task)[0]
        return lambda: A @ G
    if kind == "oracle":
        p = exponent(task)
        if name == "newton_schulz":
            return cycle(convergent_newton_schulz, inputs(task))
        return cycle(lambda G: svd_ball(np.linalg.svd, G, p), inputs(task))
    if kind == "quintic":
        return cycle(muon_quintic, inputs(task))
    if kind == "batch":
        stack, p = gaussian(tuple(task["shape"]), task["dtype"], task["count"]), exponent(task)
        if name == "stacked":
            return lambda: svd_ball(np.linalg.svd, stack, p)
        return lambda: np.stack([svd_ball(np.linalg.svd, G, p) for G in stack])
    if kind == "step":
        weights, gradients = step_arrays(task)
        return checked_step(NUMPY_RULES[task["rule"]](weights, gradients), lambda: weights[0])
    raise NotImplementedError(kind)


# ------------------------------------------------------------------------------------------------- SciPy


def scipy_job(task: Task) -> Job:
    """Make a job of SciPy: its SVD computes in the dtype of the input, NumPy's in float64."""
    from scipy import linalg

    kind, name = task["kind"], task.get("name")
    if kind == "product":
        gemm = linalg.blas.sgemm if task["dtype"] == "float32" else linalg.blas.dgemm
        A = np.ones((task["shape"][0],) * 2, task["dtype"], order="F")
        G = np.asfortranarray(inputs(task)[0])
        return lambda: gemm(1.0, A, G)
    if kind == "oracle" and name == "polar":
        return cycle(lambda G: -linalg.polar(G)[0], inputs(task))
    if kind == "oracle":
        p = exponent(task)
        return cycle(lambda G: svd_ball(linalg.svd, G, p), inputs(task))
    raise NotImplementedError(kind)


# ------------------------------------------------------------------------------------------------- torch


def torch_ball(G: Any, p: float) -> Any:
    """Return the ball oracle by torch's SVD, which computes in the dtype of the input."""
    import torch

    U, s, Vt = torch.linalg.svd(G, full_matrices=False)
    if math.isinf(p):
        return -(U @ Vt)
    q = conjugate(p)
    t = s / s[0]
    return -(U * (t ** (q - 1) / (t**q).sum() ** (1 / p))) @ Vt


def torch_quintic(G: Any, dtype: Any) -> Any:
    """Take Muon's five steps: in bfloat16 as published, or in float32."""
    a, b, c = MUON
    X = G.to(dtype)
    X = X.mT if G.shape[0] > G.shape[1] else X
    X = X / (X.norm() + 1e-7)
    for _ in range(5):
        A = X @ X.mT
        B = b * A + c * A @ A
        X = a * X + B @ X
    return X.mT if G.shape[0] > G.shape[1] else X


def torch_job(task: Task) -> Job:
    """Make a job of torch."""
    import torch

    kind, name = task["kind"], task.get("name")
    if kind == "product":
        G = torch.from_numpy(inputs(task)[0])
        A = torch.ones((len(G), len(G)), dtype=G.dtype)
        return lambda: A @ G
    if kind == "oracle":
        p = exponent(task)
        return cycle(lambda G: torch_ball(G, p), [torch.from_numpy(G) for G in inputs(task)])
    if kind == "quintic":
        dtype = {"float32": torch.float32, "bfloat16": torch.bfloat16}[str(name)]
        return cycle(lambda G: torch_quintic(G, dtype), [torch.from_numpy(G) for G in inputs(task)])
    if kind == "step":
        arrays, gradients = step_arrays(task)
        W = [torch.nn.Parameter(torch.from_numpy(w)) for w in arrays]
        for w, g in zip(W, gradients, strict=True):
            w.grad = torch.from_numpy(g)
        optim: Any = torch.optim
        optimizer = {
            "muon": lambda: optim.Muon(W, lr=LR, momentum=0.95, weight_decay=0.0),
            "adamw": lambda: optim.AdamW(W, lr=LR, weight_decay=0.01, fused=True),
        }[task["rule"]]()
        return checked_step(optimizer.step, lambda: arrays[0])
    raise NotImplementedError(kind)


# ---------------------------------------------------------------------------------------------- Schattor


def given(task: Task, *names: str) -> dict[str, Any]:
    """Return those of the task's options that are set."""
    return {name: task[name] for name in names if task.get(name) is not None}


def schattor_job(task: Task) -> Job:
    """Make a job of this package."""
    import schattor as st

    kind = task["kind"]
    if kind == "product":
        return schattor_product(task)
    if kind == "qr":
        return schattor_qr(task)
    if kind == "eigh":
        return schattor_eigh(task)
    if kind == "oracle":
        p, options = exponent(task), given(task, "backend", "rtol")
        return cycle(lambda G: st.ball_oracle(G, p, **options), inputs(task))
    if kind == "quintic":
        return cycle(lambda G: st.linalg.newton_schulz(G, "muon", 5), inputs(task))
    if kind == "batch":
        stack, p = gaussian(tuple(task["shape"]), task["dtype"], task["count"]), exponent(task)
        options = given(task, "rtol", "n_threads")
        if task.get("name") == "loop":
            return lambda: np.stack([st.ball_oracle(G, p, **options) for G in stack])
        batched: Any = st.batched_ball_oracle
        return lambda: batched(stack, p, **options)
    if kind == "step":
        return schattor_step(task)
    if kind == "traffic":
        return traffic(task)
    if kind == "noise":
        stack = list(gaussian(tuple(task["shape"]), task["dtype"], 2))
        noise = st.noise.StreamingNoise({"W": stack[0]}, batch_size=1, form=task["form"])
        return cycle(lambda G: noise.update({"W": G}), stack)
    if kind in ("recipe", "recipe oracle"):
        return schattor_recipe(task)
    if kind == "part oracle":
        return part_oracle(task)
    if kind in ("construct", "add_block"):
        return construction(task)
    raise NotImplementedError(kind)


def construction(task: Task) -> Job:
    """Return the construction of an optimizer over many blocks, or one more block for it."""
    import schattor as st

    W = np.zeros((2, 2), task["dtype"])
    params = {f"layer{i}/W": W.copy() for i in range(task["count"])}
    if task["kind"] == "construct":

        def construct() -> Array:
            st.Muon(params, lr=LR)
            return W

        return construct
    opt, number = st.Muon(params, lr=LR), itertools.count()

    def add() -> Array:
        opt.add_block(f"more{next(number)}/W", W.copy())
        return W

    return add


def schattor_recipe(task: Task) -> Job:
    """Return a step of a recipe on copies of a block, or the oracles that it takes."""
    from . import floors

    problem = floors.problem(task["name"], tuple(task["shape"]), task["copies"])
    if task["kind"] == "recipe":
        opt, extras = problem.optimizer(), problem.extras()
        first = next(iter(problem.weights.values()))
        return checked_step(lambda: opt.step(problem.gradients, **extras), lambda: first)
    geometry, scaling = floors.geometry_of(problem.recipe), problem.recipe.scaling
    oracle = geometry.regularized if getattr(scaling, "rule", "ball") == "regularization" else geometry.ball

    def job() -> Array:
        for G in problem.gradients.values():
            D = oracle(G)
        return np.asarray(D)

    return job


def part_oracle(task: Task) -> Job:
    """Return one of the oracles that parts of a recipe call."""
    from . import floors

    geometry, rows, cols, _ = floors.floor_of(task["name"], tuple(task["shape"])).work.oracles[task["call"]]
    G = gaussian((rows, cols), "float32")[0]
    return lambda: geometry.ball(G)


def traffic(task: Task) -> Job:
    """Return a loop that adds arrays to others until this many bytes are read and written.

    The arrays are as large as the blocks: a system may give larger ones larger pages, which are faster.
    """
    size = math.prod(task["shape"])
    pairs = [
        (np.ones(size, np.float32), np.ones(size, np.float32)) for _ in range(task["memory"] // (8 * size))
    ]
    whole, rest = divmod(task["bytes"] // 12, size)
    calls = [pairs[i % len(pairs)] for i in range(whole)]
    x, y = pairs[whole % len(pairs)]
    calls.append((x[:rest], y[:rest]))

    def job() -> Array:
        for x, y in calls:
            np.add(x, y, out=y)
        return y

    return job


def schattor_step(task: Task) -> Job:
    """Return a step of an optimizer, with its defaults for threads unless the task says otherwise."""
    import schattor as st

    W, G = step_arrays(task)
    names = [f"W{i}" for i in range(len(W))]
    params, grads = dict(zip(names, W, strict=True)), dict(zip(names, G, strict=True))
    options = given(task, "n_threads", "rtol", "deterministic")
    optimizer: Any = {
        "schattor": lambda: st.Schattor(params, p=4, lr=LR, momentum=0.9, **options),
        "muon": lambda: st.Muon(params, lr=LR, momentum=0.95, **options),
        "adamw": lambda: st.AdamW(params, lr=LR, weight_decay=0.01, **options),
        "sgd": lambda: st.SGD(params, lr=LR, momentum=0.9, **options),
    }[task["rule"]]()
    return checked_step(lambda: optimizer.step(grads), lambda: W[0])


def owner(path: str) -> str:
    """Return whose copy of a BLAS this file is. The wheels of NumPy and SciPy name their folders so."""
    known = {"numpy.libs": "numpy", "scipy.libs": "scipy", "torch": "torch"}
    return next((name for folder, name in known.items() if folder in path), "schattor")


def core_blas(name: str) -> Any:
    """Return a function of the BLAS that the core uses, by ctypes: the package itself has neither products nor QR."""
    import ctypes

    from threadpoolctl import threadpool_info

    import schattor  # noqa: F401  loads its BLAS

    path = next(
        pool["filepath"]
        for pool in threadpool_info()
        if pool["user_api"] == "blas" and owner(pool["filepath"]) == "schattor"
    )
    library = ctypes.CDLL(path)
    prefixed = f"scipy_{name}"
    return getattr(library, prefixed if hasattr(library, prefixed) else name)


def schattor_qr(task: Task) -> Job:
    """Return the orthonormal factor of one matrix by Householder reflectors, copy included."""
    import ctypes

    letter = "s" if task["dtype"] == "float32" else "d"
    geqrf, orgqr = core_blas(f"{letter}geqrf_"), core_blas(f"{letter}orgqr_")
    m, n = task["shape"]
    A = np.asfortranarray(inputs(task)[0])
    Q, tau, work = np.empty_like(A), np.empty(n, task["dtype"]), np.empty(64 * (n + 1), task["dtype"])
    size = {
        k: ctypes.byref(ctypes.c_int(v)) for k, v in {"m": m, "n": n, "work": work.size, "info": 0}.items()
    }
    q, t, w = (ctypes.c_void_p(x.ctypes.data) for x in (Q, tau, work))

    def job(_keep: tuple[Array, ...] = (tau, work)) -> Array:
        Q[...] = A
        geqrf(size["m"], size["n"], q, size["m"], t, w, size["work"], size["info"])
        orgqr(size["m"], size["n"], size["n"], q, size["m"], t, w, size["work"], size["info"])
        return Q

    return job


def schattor_eigh(task: Task) -> Job:
    """Return the eigenvectors of the Gram matrix of a square one in float64, by divide and conquer, copy included."""
    import ctypes

    syevd = core_blas("dsyevd_")
    k = task["shape"][0]
    G = inputs(task)[0]
    A, V, values = G @ G.T, np.empty((k, k)), np.empty(k)
    work, iwork = np.empty(1 + 6 * k + 2 * k * k), np.empty(3 + 5 * k, np.int32)
    size = {
        n: ctypes.byref(ctypes.c_int(v))
        for n, v in {"k": k, "w": work.size, "i": iwork.size, "info": 0}.items()
    }
    v, d, w, i = (ctypes.c_void_p(x.ctypes.data) for x in (V, values, work, iwork))

    def job(_keep: tuple[Array, ...] = (values, work, iwork)) -> Array:
        V[...] = A
        syevd(b"V", b"L", size["k"], v, size["k"], d, w, size["w"], i, size["i"], size["info"])
        return V

    return job


def schattor_product(task: Task) -> Job:
    """Return one product by the BLAS that the core uses."""
    import ctypes

    gemm = core_blas("cblas_sgemm" if task["dtype"] == "float32" else "cblas_dgemm")
    real = ctypes.c_float if task["dtype"] == "float32" else ctypes.c_double
    k, n = task["shape"]
    m = task.get("rows", k)
    A, G = np.ones((m, k), task["dtype"]), inputs(task)[0]
    C = np.empty((m, n), task["dtype"])
    row_major, plain = 101, 111
    arguments = (
        *map(ctypes.c_int, (row_major, plain, plain, m, n, k)),
        real(1.0),
        ctypes.c_void_p(A.ctypes.data),
        ctypes.c_int(k),
        ctypes.c_void_p(G.ctypes.data),
        ctypes.c_int(n),
        real(0.0),
        ctypes.c_void_p(C.ctypes.data),
        ctypes.c_int(n),
    )

    def job(_keep: tuple[Array, ...] = (A, G)) -> Array:
        gemm(*arguments)
        return C

    return job


def oracle_facts(task: Task) -> dict[str, Any]:
    """Return what the oracle reports for several Gaussian matrices: backend, residual, share of fallbacks, time."""
    import schattor as st

    results, times = [], []
    for G in inputs(task):
        begin = time.perf_counter()
        results.append(
            st.ball_oracle(G, exponent(task), return_info=True, **given(task, "backend", "rtol"))[1]
        )
        times.append(time.perf_counter() - begin)
    return {
        "backend": sorted({info.backend for info in results}),
        "residual": max(info.residual for info in results),
        "fallback_share": sum(info.fallbacks > 0 for info in results) / len(results),
        "mean_over_inputs": sum(times) / len(times),
    }


def alternate(task: Task) -> dict[str, float]:
    """Return the medians of our calls and of NumPy's products, alone and taking turns, in this process."""
    import schattor as st

    n, p, calls = task["n"], 4.0, task["calls"]
    G = gaussian((n, n), "float32")[0]
    A = gaussian((n, n), task["dtype"])[0]
    ours: Job = {
        "ball_oracle": lambda: st.ball_oracle(G, p),
        "muon": lambda: st.linalg.newton_schulz(G, "muon", 5),
    }[task["function"]]

    def timed(job: Job) -> float:
        begin = time.perf_counter()
        job()
        return time.perf_counter() - begin

    def product() -> Array:
        return np.asarray(A @ A)

    alone: list[float] = []
    product_alone: list[float] = []
    for times, job in ((alone, ours), (product_alone, product)):
        time.sleep(0.25)  # the other pool's idle threads go to sleep
        job()
        times.extend(timed(job) for _ in range(calls))
    pairs = [(timed(product), timed(ours)) for _ in range(calls)]
    return {
        "alone": float(np.median(alone)),
        "alternating": float(np.median([ours for _, ours in pairs])),
        "product_alone": float(np.median(product_alone)),
        "product_alternating": float(np.median([product for product, _ in pairs])),
    }


# ------------------------------------------------------------------------------------------------ memory


def peak_growth(job: Job) -> int | None:
    """Return by how many bytes the resident memory grows at most while the job runs; None where Linux does not say."""
    import ctypes

    def status(name: str) -> int:
        with open("/proc/self/status", encoding="ascii") as file:
            return next(int(line.split()[1]) for line in file if line.startswith(name)) * 1024

    try:
        ctypes.CDLL(None).malloc_trim(0)
        with open("/proc/self/clear_refs", "w", encoding="ascii") as file:
            file.write("5")  # the peak starts again from the present size
        before = status("VmRSS")
    except (AttributeError, OSError):
        return None
    job()
    return status("VmHWM") - before


def measure_memory(make: Callable[[Task], Job], task: Task) -> int | None:
    """Return the peak of one call above its input, or of an optimizer's first two steps above its state.

    A small task of the same kind and a product of this size come first, so that code and the buffers of the BLAS
    are in memory already.
    """
    if task["kind"] == "step":
        make(task | {"shapes": [[8, 8]]})()
        arrays = step_arrays(task)

        def run() -> None:
            job = make(task | {"arrays": arrays})
            job()
            job()

        growth = peak_growth(run)
        state = {"adamw": 2}.get(task["rule"], 1) * sum(w.nbytes for w in arrays[0])
        return None if growth is None else max(0, growth - state)
    make(task | {"shape": [16, 16]})()
    make({"kind": "product", "shape": task["shape"], "dtype": task["dtype"]})()
    return peak_growth(make(task))


def in_child(function: Callable[[], Any]) -> Any:
    """Return the function's value, computed in a forked process: memory is measured in one without a past."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        try:
            answer: Any = ["value", function()]
        except REFUSALS as error:
            answer = ["missing", f"{type(error).__name__}: {error}"]
        with os.fdopen(writing, "w") as file:
            json.dump(answer, file)
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as file:
        text = file.read()
    os.waitpid(child, 0)
    kind, value = json.loads(text) if text else ("missing", "the process ended")
    return value if kind == "value" else None


# ------------------------------------------------------------------------------------------------ worker

JOBS = {"numpy": numpy_job, "scipy": scipy_job, "torch": torch_job, "schattor": schattor_job}
FACTS = {"oracle": oracle_facts, "alternate": alternate}


def software(library: str) -> dict[str, Any]:
    """Return the versions and BLAS libraries of this process."""
    from threadpoolctl import threadpool_info

    facts: dict[str, Any] = {}
    if library == "schattor":
        from schattor._edge import _core

        facts["blas_description"] = _core.blas_description()
    elif library == "torch":
        import torch

        facts["mkl"] = torch.backends.mkl.is_available()
        facts["capability"] = torch.backends.cpu.get_cpu_capability()
        facts["threads"] = torch.get_num_threads()
    elif library == "scipy":
        import scipy.linalg  # noqa: F401  loads its BLAS
    keep = ("user_api", "internal_api", "version", "architecture", "num_threads")
    facts["pools"] = [
        {key: pool.get(key) for key in keep} | {"owner": owner(pool["filepath"])}
        for pool in threadpool_info()
    ]
    return facts


def to_array(result: Any) -> Array:
    """Return a result as a NumPy array of a dtype that NumPy has."""
    return np.asarray(result.detach().float().numpy() if hasattr(result, "detach") else result)


class Server:
    """Answers the harness: it keeps the jobs that were loaded, and measures the one in use."""

    def __init__(self, library: str) -> None:
        self.library = library
        self.jobs: dict[str, Job] = {}
        self.results: dict[str, Array] = {}
        self.job: Job = lambda: None

    def load(self, rest: str) -> str:
        """Make a job, call it once and keep the result; return "ok" and the nanoseconds, or "missing" and why."""
        key, _, text = rest.partition(" ")
        try:
            job = JOBS[self.library](json.loads(text))
            cpu, wall = time.process_time_ns(), time.perf_counter_ns()
            result = job()
            wall, cpu = time.perf_counter_ns() - wall, time.process_time_ns() - cpu
        except REFUSALS as error:
            return f"missing {type(error).__name__}: {error}".replace("\n", " ")
        self.jobs[key] = job
        self.results[key] = to_array(result).copy()  # a step changes its weights in place
        return f"ok {wall} {cpu}"

    def use(self, key: str) -> str:
        """Choose a loaded job."""
        self.job = self.jobs[key]
        return "ok"

    def forget(self, _rest: str) -> str:
        """Drop all jobs and their arrays."""
        self.jobs.clear()
        self.results.clear()
        self.job = lambda: None
        return "ok"

    def save(self, rest: str) -> str:
        """Write the result of a job's first call."""
        key, _, path = rest.partition(" ")
        np.save(path, self.results.pop(key))
        return "ok"

    def facts(self, text: str) -> str:
        """Return what a function of `FACTS` says about a task."""
        task = json.loads(text)
        try:
            return json.dumps(FACTS[task["kind"]](task))
        except REFUSALS as error:
            return json.dumps({"missing": f"{type(error).__name__}: {error}"})

    def memory(self, text: str) -> str:
        """Return the peak memory of a task, measured in a child process."""
        task = json.loads(text)
        return json.dumps(in_child(lambda: measure_memory(JOBS[self.library], task)))

    def software(self, _rest: str) -> str:
        """Return what this process runs on."""
        return json.dumps(software(self.library))

    def time(self, batches: int, calls: int) -> str:
        """Return nanoseconds per call, wall and processor, of each batch."""
        job, times = self.job, []
        for _ in range(batches):
            cpu = time.process_time_ns()
            wall = time.perf_counter_ns()
            for _ in range(calls):
                job()
            times += [(time.perf_counter_ns() - wall) / calls, (time.process_time_ns() - cpu) / calls]
        return " ".join(map(str, times))

    def answer(self, line: str) -> str:
        """Answer one line."""
        command, _, rest = line.partition(" ")
        if command.isdigit():
            return self.time(int(command), int(rest))
        return str(getattr(self, command)(rest))


def main() -> None:
    """Serve until standard input ends."""
    server = Server(sys.argv[1])
    for line in sys.stdin:
        print(server.answer(line.strip()), flush=True)


if __name__ == "__main__":
    main()
