"""A run that goes on from a saved state is the uninterrupted one, bit for bit, however it was saved."""

from __future__ import annotations

import copy
import functools
import io
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from contract.cases import CASES, DTYPES, Blocks, Case, Supplied, bits, copied, problem, snapshot

import schattor as st

BEFORE, AFTER = 4, 10


def halfway(case: Case, dtype: type) -> tuple[st.Optimizer, list[Blocks], Any]:
    """An optimizer in the middle of a run, the gradients to come, and where the uninterrupted run ends.

    One block misses a step, so that the counters of the blocks differ.
    """
    W, gradients = problem(case, dtype, BEFORE + AFTER)
    gradients[1] = {**gradients[1], next(iter(W)): None}
    opt, whole = case.optimizer(copied(W)), case.optimizer(copied(W))
    for G in gradients:
        whole.step(G)
    for G in gradients[:BEFORE]:
        opt.step(G)
    return opt, gradients[BEFORE:], snapshot(whole)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_resume_from_state_dict(case: Case, dtype: type) -> None:
    """Parameters and state_dict are enough; loading over a used optimizer replaces its state."""
    opt, rest, end = halfway(case, dtype)
    saved, params = opt.state_dict(), copied(opt.params)
    used = case.optimizer(copied(params))
    for G in rest[:3]:
        used.step(G)
    for target in (case.optimizer(copied(params)), used):
        for name, x in target.params.items():
            x[...] = params[name]
        target.load_state_dict(saved)
        assert bits(target.state_dict()) == bits(saved)
        for G in rest:
            target.step(G)
        assert snapshot(target)[:4] == end[:4]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_state_dict_is_a_copy(case: Case) -> None:
    """Neither later steps nor writing into it reach from one to the other; loading copies as well."""
    opt, rest, end = halfway(case, np.float64)
    saved = opt.state_dict()
    frozen = bits(saved)
    twin = case.optimizer(copied(opt.params))
    twin.load_state_dict(saved)
    for G in rest:
        opt.step(G)
    assert bits(saved) == frozen
    for value in saved.values():
        if value.dtype.kind == "f":
            value[...] = 1e3
    for G in rest:
        twin.step(G)
    assert snapshot(twin)[:4] == snapshot(opt)[:4] == end[:4]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_deepcopy_and_pickle(case: Case, dtype: type) -> None:
    """Both carry parameters, recipe and state; the copy and the original go on separately."""
    opt, rest, end = halfway(case, dtype)
    copies = [copy.deepcopy(opt), *(pickle.loads(pickle.dumps(opt, protocol)) for protocol in (2, 5))]
    for other in [*copies, opt]:
        assert type(other) is type(opt)
        for G in rest:
            other.step(G)
        assert snapshot(other) == end


def test_state_dict_layout() -> None:
    """Flat names, arrays of the parameters' shapes, no parameters, hyperparameters or schedules."""
    params = {"a": {"W": np.ones((2, 3))}, "b": np.ones(4, dtype=np.float32)}
    opt = st.AdamW(params)
    opt.step({"a": {"W": np.ones((2, 3))}, "b": None})
    state = opt.state_dict()
    assert {"version", "step", "skipped_steps"} < set(state)
    others = set(state) - {"version", "step", "skipped_steps"}
    assert all(key.startswith(("state/a/W/", "state/b/")) for key in others)
    assert all(isinstance(value, np.ndarray) for value in state.values())
    slots = {key for key in others if key.rsplit("/", 1)[1] not in ("recipe", "count")}
    assert {state[key].shape for key in slots if "/a/" in key} == {(2, 3)}
    assert {state[key].dtype for key in slots if "/b/" in key} == {np.dtype(np.float32)}
    assert state["state/a/W/count"] == 1
    assert state["state/b/count"] == 0


def test_npz_in_memory() -> None:
    """np.savez(**state_dict) and np.load go through without pickling, views and nested names included."""
    rng = np.random.default_rng(0)
    params = {"conv": {"kernel": rng.standard_normal((4, 2, 3))}, "bias": [rng.standard_normal(4)]}
    grads = {"conv": {"kernel": rng.standard_normal((4, 2, 3))}, "bias": [rng.standard_normal(4)]}
    routes = {"bias*": st.recipes.adamw(), "*": st.recipes.muon()}
    views = {"conv*": st.views.flatten()}
    opt = Supplied(params, routes, views=views)
    for _ in range(3):
        opt.step(grads)
    file = io.BytesIO()
    np.savez(file, **opt.state_dict())
    file.seek(0)
    other = Supplied(copy.deepcopy(params), routes, views=views)
    with np.load(file) as saved:
        other.load_state_dict(saved)
    for _ in range(10):
        opt.step(grads)
        other.step(grads)
    assert bits(other.params) == bits(opt.params)


RESUME = """
import pickle, sys
import numpy as np
sys.path.insert(0, sys.argv[1])
import schattor as st
from contract.cases import CASES

folder = sys.argv[2]
results = {}
for i, case in enumerate(CASES):
    for dtype in ("float32", "float64"):
        name = f"{folder}/{i}-{dtype}"
        with open(name + ".rest", "rb") as file:
            rest = pickle.load(file)
        with np.load(name + ".params.npz") as file:
            params = {key: file[key] for key in file.files}
        from_npz = case.optimizer(params)
        with np.load(name + ".state.npz") as file:
            from_npz.load_state_dict(file)
        with open(name + ".pickle", "rb") as file:
            from_pickle = pickle.load(file)
        for kind, opt in (("npz", from_npz), ("pickle", from_pickle)):
            for G in rest:
                opt.step(G)
            results[i, dtype, kind] = (opt.params, opt.state_dict())
with open(folder + "/results", "wb") as file:
    pickle.dump(results, file)
"""


def test_resume_in_a_new_process(tmp_path: Path) -> None:
    """NPZ and pickle, for every recipe and dtype: the next ten steps are those of the uninterrupted run."""
    ends = {}
    for i, case in enumerate(CASES):
        for dtype in (np.float32, np.float64):
            opt, rest, ends[i, np.dtype(dtype).name] = halfway(case, dtype)
            name = str(tmp_path / f"{i}-{np.dtype(dtype).name}")
            np.savez(name + ".params.npz", **opt.params)
            np.savez(name + ".state.npz", **opt.state_dict())
            Path(name + ".pickle").write_bytes(pickle.dumps(opt))
            Path(name + ".rest").write_bytes(pickle.dumps(rest))
    tests = str(Path(__file__).parents[1])
    subprocess.run([sys.executable, "-c", RESUME, tests, str(tmp_path)], check=True)
    results = pickle.loads((tmp_path / "results").read_bytes())
    assert len(results) == 2 * len(ends)
    for (i, dtype, kind), (params, state) in results.items():
        assert (bits(params), bits(state)) == ends[i, dtype][:2], (str(CASES[i]), dtype, kind)


def test_pickle_keeps_options_schedules_and_ties() -> None:
    """Picklable callables, views, policies and tied names survive; the arrays stay tied."""
    shared = np.ones((3, 2))
    params = {"a": shared, "b": [shared, np.ones((2, 2, 2))]}
    opt = st.Schattor(
        params,
        p=functools.partial(max, 3.0),
        lr=functools.partial(pow, 0.5),
        weights={"a": functools.partial(max, 2), "*": 1.0},
        outer=3,
        schedule=functools.partial(pow, 0.9),
        views={"b/1": st.views.flatten()},
        backend="svd",
        on_nonfinite="skip",
    )
    rng = np.random.default_rng(0)
    gradients = [
        {"a": rng.standard_normal((3, 2)), "b": [rng.standard_normal((3, 2)), rng.standard_normal((2, 2, 2))]}
        for _ in range(6)
    ]
    gradients[1]["a"][0, 0] = np.nan
    for G in gradients[:3]:
        opt.step(G)
    other = pickle.loads(pickle.dumps(opt))
    assert isinstance(other, st.Schattor)
    assert other.skipped_steps == opt.skipped_steps == 1
    assert other.params["a"] is other.params["b/0"]
    for G in gradients:
        opt.step(G)
        other.step(G)
    assert snapshot(other) == snapshot(opt)


def test_pickled_lambda_raises() -> None:
    """A schedule that cannot be pickled fails at once, instead of being dropped."""
    opt = st.SGD([np.ones(2)], lr=lambda t: 0.1)
    with pytest.raises((pickle.PicklingError, AttributeError)):
        pickle.dumps(opt)


def test_deepcopy_within_a_structure_keeps_identity() -> None:
    """Copied together with its parameters, the optimizer goes on to move the copied parameters."""
    params = {"W": np.ones((2, 2))}
    pair = {"params": params, "optimizer": st.SGD(params, lr=1.0)}
    other = copy.deepcopy(pair)
    other["optimizer"].step({"W": np.ones((2, 2))})
    np.testing.assert_array_equal(other["params"]["W"], np.zeros((2, 2)))
    np.testing.assert_array_equal(params["W"], np.ones((2, 2)))


def recipe_state() -> tuple[st.Optimizer, dict[str, np.ndarray]]:
    """An optimizer with two recipes in the middle of a run, and another run's state of the same kind."""
    rng = np.random.default_rng(1)

    def make() -> st.Optimizer:
        params = {"W": np.ones((3, 2)), "b": np.ones(3, dtype=np.float32)}
        opt = Supplied(params, {"b": st.recipes.adamw(), "W": st.recipes.muon()})
        for _ in range(3):
            opt.step({"W": rng.standard_normal((3, 2)), "b": rng.standard_normal(3).astype(np.float32)})
        return opt

    return make(), make().state_dict()


def slot(state: dict[str, np.ndarray], block: str) -> str:
    """Key of one array of state of a block."""
    return next(key for key in state if key.startswith(f"state/{block}/") and state[key].dtype.kind == "f")


BROKEN: dict[str, tuple[Any, type[Exception], str]] = {
    "version missing": (lambda s: s.pop("version"), KeyError, "version"),
    "other version": (lambda s: s.update(version=np.array(999)), ValueError, "version"),
    "step missing": (lambda s: s.pop("step"), KeyError, "step"),
    "slot missing": (lambda s: s.pop(slot(s, "W")), KeyError, "state/W"),
    "unknown block": (lambda s: s.update({"state/X/count": np.array(1)}), KeyError, "state/X"),
    "unknown slot": (lambda s: s.update({"state/W/other": np.ones((3, 2))}), KeyError, "state/W/other"),
    "unknown key": (lambda s: s.update(extra=np.array(1)), KeyError, "extra"),
    "other recipe": (lambda s: s.update({"state/W/recipe": np.array("adamw")}), ValueError, "state/W/recipe"),
    "recipe is a number": (lambda s: s.update({"state/W/recipe": np.array(3)}), ValueError, "state/W/recipe"),
    "other shape": (lambda s: s.update({slot(s, "W"): np.ones((2, 3))}), ValueError, "shape"),
    "flattened": (lambda s: s.update({slot(s, "W"): np.ones(6)}), ValueError, "shape"),
    "other dtype": (lambda s: s.update({slot(s, "b"): np.ones(3)}), ValueError, "float32"),
    "integers": (lambda s: s.update({slot(s, "W"): np.ones((3, 2), dtype=int)}), ValueError, "float64"),
    "NaN": (
        lambda s: s.update({slot(s, "b"): np.array([1, np.nan, 1], dtype=np.float32)}),
        ValueError,
        "state/b",
    ),
    "Inf": (lambda s: s.update({slot(s, "W"): np.full((3, 2), np.inf)}), ValueError, "state/W"),
    "negative step": (lambda s: s.update(step=np.array(-1)), ValueError, "step"),
    "negative count": (lambda s: s.update({"state/W/count": np.array(-2)}), ValueError, "state/W/count"),
    "fractional step": (lambda s: s.update(step=np.array(1.5)), ValueError, "step"),
    "step of the wrong shape": (lambda s: s.update(step=np.array([1, 2])), ValueError, "step"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_state_is_refused(name: str) -> None:
    """The error names the entry, and nothing has changed, not even what stands before it in the dict."""
    opt, state = recipe_state()
    before = snapshot(opt)
    change, error, match = BROKEN[name]
    change(state)
    with pytest.raises(error, match=match):
        opt.load_state_dict(state)
    assert snapshot(opt) == before


def test_state_of_other_blocks_is_refused() -> None:
    """Another recipe, name, shape or dtype of a block raises, in every pair of different optimizers."""

    def make(name: str, shape: tuple[int, ...], dtype: type, recipe: st.Recipe) -> st.Optimizer:
        return Supplied({name: np.ones(shape, dtype=dtype)}, recipe)

    r = st.recipes
    optimizers = [
        make("W", (3, 2), np.float64, r.schattor(p=3, lr=0.1)),
        make("V", (3, 2), np.float64, r.schattor(p=3, lr=0.1)),
        make("W", (2, 3), np.float64, r.schattor(p=3, lr=0.1)),
        make("W", (3, 2), np.float32, r.schattor(p=3, lr=0.1)),
        make("W", (3, 2), np.float64, r.schattor(p=3, lr=0.1, momentum_kind="heavy_ball")),
        make("W", (3, 2), np.float64, r.sgd()),
        make("W", (3, 2), np.float64, r.sgd(momentum=0.9)),
        make("W", (3, 2), np.float64, r.signum(lr=0.1)),
        make("W", (3, 2), np.float64, r.adamw()),
        make("W", (3, 2), np.float64, r.muon()),
    ]
    for i, one in enumerate(optimizers):
        for j, other in enumerate(optimizers):
            if i == j:
                other.load_state_dict(one.state_dict())
            else:
                before = snapshot(other)
                with pytest.raises((KeyError, ValueError)):
                    other.load_state_dict(one.state_dict())
                assert snapshot(other) == before


def test_hyperparameters_may_change_on_resume() -> None:
    """The state says nothing of lr, p or decay: a run may go on with others."""
    opt = st.Schattor([np.ones((2, 2))], p=3, lr=0.1)
    opt.step([np.eye(2)])
    other = st.Schattor([np.ones((2, 2))], p=8, lr=0.5, weight_decay=0.1)
    other.load_state_dict(opt.state_dict())
    assert other.step_count == 1
    other.step([np.eye(2)])


@pytest.mark.parametrize("bad", [None, 3, [1, 2], "state"])
def test_load_takes_mappings_only(bad: object) -> None:
    """Anything else raises TypeError or KeyError and changes nothing."""
    opt, _ = recipe_state()
    before = snapshot(opt)
    with pytest.raises((TypeError, KeyError)):
        opt.load_state_dict(bad)
    assert snapshot(opt) == before
