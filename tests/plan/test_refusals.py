"""What a step refuses: an error that names the block, with parameters and state bit for bit as before."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from contract.cases import CASES, DTYPES, Blocks, Case, Supplied, bits, copied, problem, snapshot

import schattor as st

BAD = [np.nan, -np.nan, np.inf, -np.inf]


def position(x: np.ndarray, where: str) -> tuple[int, ...]:
    """First, middle or last entry."""
    flat = {"first": 0, "middle": x.size // 2, "last": x.size - 1}[where]
    return np.unravel_index(flat, x.shape) if x.shape else ()


def running(case: Case, dtype: type, **options: Any) -> tuple[st.Optimizer, Blocks]:
    """An optimizer after two steps, and gradients for the next."""
    W, gradients = problem(case, dtype, 3)
    opt = case.optimizer(copied(W), **options)
    for G in gradients[:2]:
        opt.step(G)
    return opt, gradients[2]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_non_finite_gradients(case: Case, dtype: type) -> None:
    """NaN or Inf anywhere, in any block: ValueError naming the block, nothing changed, and the run can go on."""
    opt, G = running(case, dtype)
    before = snapshot(opt)
    for name in case.movers(2):
        for where in ("first", "middle", "last"):
            for bad in BAD:
                broken = copied(G)
                broken[name][position(broken[name], where)] = bad
                for call in (opt.step, opt.update, opt.peek):
                    with pytest.raises(ValueError, match=name):
                        call(broken)
                assert snapshot(opt) == before
    twin, _ = running(case, dtype)
    opt.step(G)
    twin.step(G)
    assert snapshot(opt) == snapshot(twin)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_non_finite_first_gradient(case: Case) -> None:
    """The same before any state exists, for strided gradients, and for large blocks of which one entry is bad."""
    W, gradients = problem(case, np.float64, 1)
    opt = case.optimizer(copied(W))
    before = snapshot(opt)
    name = "wide" if "wide" in case.movers(0) else case.movers(0).pop()
    broken = {**gradients[0], name: np.full(W[name].shape[::-1], np.nan).T}
    with pytest.raises(ValueError, match=name):
        opt.step(broken)
    assert snapshot(opt) == before
    if case.paired:
        return
    large = case.origin({"big": np.ones((150, 130))})["big"]
    first = large.copy()
    big = case.optimizer({"big": large})
    for index in ((0, 0), (75, 64), (149, 129)):
        G = np.ones((150, 130))
        G[index] = np.inf
        with pytest.raises(ValueError, match="big"):
            big.step({"big": G})
    assert np.array_equal(large, first)
    assert big.step_count == 0


def bad_gradients(G: Blocks) -> dict[str, tuple[Any, type[Exception] | tuple[type[Exception], ...], str]]:
    """Gradients that a step refuses whatever the recipe."""
    last = list(G)[-1]
    x = G[last]
    other = np.float32 if x.dtype == np.float64 else np.float64
    return {
        "missing": ({i: g for i, g in G.items() if i != last}, KeyError, last),
        "unknown": ({**G, "stranger": x}, KeyError, "stranger"),
        "shape": ({**G, last: np.zeros((*x.shape, 2), dtype=x.dtype)}, ValueError, last),
        "transposed": ({**G, "tall": G["tall"].T}, ValueError, "tall"),
        "flat": ({**G, "tall": G["tall"].ravel()}, ValueError, "tall"),
        "row": ({**G, "tall": G["tall"][:1]}, ValueError, "tall"),
        "dtype": ({**G, last: x.astype(other)}, TypeError, last),
        "integers": ({**G, last: x.astype(int)}, TypeError, last),
        "complex": ({**G, last: x.astype(complex)}, TypeError, last),
        "objects": ({**G, last: x.astype(object)}, TypeError, last),
        "half": ({**G, last: x.astype(np.float16)}, TypeError, last),
        "byte order": ({**G, last: x.astype(x.dtype.newbyteorder(">"))}, TypeError, last),
        "nested list": ({**G, last: x.tolist()}, (TypeError, KeyError), last),
        "string": ({**G, last: "gradient"}, TypeError, last),
        "nothing": ({}, KeyError, next(iter(G))),
        "array for a dict": (np.zeros(3), KeyError, "0"),
        "list for a dict": (list(G.values()), TypeError, "must be a dict"),
        "none": (None, TypeError, "grads"),
    }


@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.parametrize("dtype", DTYPES)
def test_malformed_gradients(case: Case, dtype: type) -> None:
    """Wrong names, shapes, dtypes or types raise at once, naming the block; nothing is half-applied."""
    opt, G = running(case, dtype)
    before = snapshot(opt)
    for kind, (grads, error, match) in bad_gradients(G).items():
        for call in (opt.step, opt.update, opt.peek):
            with pytest.raises(error, match=match):
                call(grads)
        assert snapshot(opt) == before, kind
    opt.step(G)


def test_malformed_gradients_of_tied_arrays() -> None:
    """The sum of a tied array's gradients is checked as each of them."""
    shared = np.ones((3, 2))
    opt = st.SGD({"a": shared, "b": shared}, lr=0.1)
    good = np.ones((3, 2))
    for bad, error in (
        (np.ones((2, 3)), ValueError),
        (np.ones(2), ValueError),
        (np.ones((3, 2), dtype=np.float32), TypeError),
        (np.ones((1, 2)), ValueError),
        (np.full((3, 2), np.nan), ValueError),
    ):
        for grads in ({"a": good, "b": bad}, {"a": bad, "b": good}):
            with pytest.raises(error, match="a"):
                opt.step(grads)
    np.testing.assert_array_equal(shared, np.ones((3, 2)))
    with pytest.raises(KeyError, match="b"):
        opt.step({"a": good})


def test_messages_say_what_was_expected_and_what_came() -> None:
    """The texts hold the block, the expectation and the value."""
    opt = st.SGD({"layer/W": np.ones((3, 2))}, lr=0.1)
    for grads, parts in (
        ({"layer/W": np.ones((2, 3))}, ("layer/W", "(3, 2)", "(2, 3)")),
        ({"layer/W": np.ones((3, 2), dtype=np.float32)}, ("layer/W", "float64", "float32")),
        ({"layer/W": [1.0]}, ("layer/W",)),
        ({"layer/W": np.array([[1, 2], [np.nan, np.inf], [3, 4]])}, ("layer/W", "2", "6", "finite")),
        ({"W": np.ones((3, 2))}, ("W", "layer/W")),
    ):
        with pytest.raises((ValueError, TypeError, KeyError)) as caught:
            opt.step(grads)
        for part in parts:
            assert part in str(caught.value)


@pytest.mark.parametrize("policy", ["skip", "warn"])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_skipping(case: Case, policy: str) -> None:
    """The whole step is dropped and counted; parameters, state, step count and report stay."""
    opt, G = running(case, np.float64, on_nonfinite=policy)
    before = snapshot(opt)
    broken, name = copied(G), min(case.movers(2))
    broken[name].flat[0] = np.nan

    def call(function: Any) -> Any:
        if policy == "skip":
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                return function(broken)
        with pytest.warns(RuntimeWarning, match=name):
            return function(broken)

    for count, function in enumerate((opt.step, opt.update), start=1):
        moved = call(function)
        if moved is not None:
            assert all(not x.any() for x in moved.values())
        assert bits(opt.params) == before[0]
        state = opt.state_dict()
        assert state.pop("skipped_steps") == opt.skipped_steps == opt.report.skipped_steps == count
        assert opt.step_count == before[2]
        assert dict(opt.report) == before[4][2]
        assert opt.report.step == before[4][0]
    moved = call(opt.peek)
    assert all(not x.any() for x in moved.values())
    assert opt.skipped_steps == 2, "peek counts nothing"
    twin, _ = running(case, np.float64)
    twin.step(G)
    opt.step(G)
    assert bits(opt.params) == bits(twin.params)
    assert opt.step_count == twin.step_count


def test_schedules_do_not_see_skipped_steps() -> None:
    """The counters are dropped with the step: a schedule gets the same number again."""
    seen = []

    def lr(t: int) -> float:
        seen.append(t)
        return 0.5

    W = np.zeros(1)
    opt = st.SGD([W], lr=lr, on_nonfinite="skip")
    for g in (1.0, np.inf, np.nan, 1.0):
        opt.step([np.array([g])])
    assert sorted(set(seen)) == [0, 1]
    np.testing.assert_array_equal(W, [-1.0])


@pytest.mark.parametrize("policy", ["skip", "warn"])
def test_other_errors_are_not_skipped(policy: str) -> None:
    """The policy is for values; a wrong shape or name raises under each."""
    opt = st.SGD({"W": np.ones(2)}, lr=0.1, on_nonfinite=policy)
    for grads, error in (({"W": np.ones(3)}, ValueError), ({"V": np.ones(2)}, KeyError)):
        with pytest.raises(error):
            opt.step(grads)
    assert opt.skipped_steps == 0


def test_non_finite_weights_under_l2() -> None:
    """L2 decay reads the weights: a NaN there would enter the state, and is refused as one in the gradient."""
    for recipe in (
        st.recipes.sgd(lr=0.1, momentum=0.9, weight_decay=0.1),
        st.recipes.schattor(p=3, lr=0.1, decay="l2", weight_decay=0.1),
        st.recipes.adamw(decay="l2"),
    ):
        params = {"fine": np.ones((2, 2)), "spoilt": np.array([[1.0, np.nan], [0.0, 1.0]])}
        opt = Supplied(params, recipe)
        before = snapshot(opt)
        with pytest.raises(ValueError, match="spoilt"):
            opt.step({"fine": np.ones((2, 2)), "spoilt": np.ones((2, 2))})
        assert snapshot(opt) == before


def test_after_a_hundred_refusals() -> None:
    """Refusals leave nothing behind: alternating bad and good steps equals the good steps."""
    case = CASES[0]
    W, gradients = problem(case, np.float64, 20)
    opt, clean = case.optimizer(copied(W)), case.optimizer(copied(W))
    for G in gradients:
        for name in G:
            with pytest.raises(ValueError, match=name):
                opt.step({**G, name: np.full_like(G[name], np.inf)})
        opt.step(G)
        clean.step(G)
    assert snapshot(opt) == snapshot(clean)
