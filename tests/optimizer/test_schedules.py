"""Callables of the step: what they are given, and what happens when they return a bad value or raise."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from contract.cases import CASES, Case, Supplied, copied, problem, snapshot

import schattor as st

FAILING_STEP = 3
R = st.recipes


def until(good: float, bad: Any) -> Callable[[int], Any]:
    """`good` before the failing step, `bad` at it."""
    return lambda t: good if t < FAILING_STEP else bad


def schedules() -> list[tuple[str, Callable[[Any], st.Recipe], float, list[float]]]:
    """(name, recipe with the schedule, a good value, bad values)."""
    nan, inf = np.nan, np.inf
    return [
        ("p", lambda f: R.schattor(p=f, lr=0.1), 3.0, [0.5, nan, -1.0]),
        ("lr", lambda f: R.schattor(p=3, lr=f), 0.1, [nan, inf, -0.1]),
        ("momentum", lambda f: R.schattor(p=3, lr=0.1, momentum=f), 0.9, [1.0, nan, -0.1]),
        ("weight", lambda f: R.schattor(p=3, lr=0.1, weights={"b": f, "*": 1.0}), 1.0, [0.0, nan, -1.0, inf]),
        ("weight", lambda f: R.schattor(p=3, lr=0.1, weights=f, outer=2), 1.0, [0.0, nan]),
        ("weight_decay", lambda f: R.schattor(p=3, lr=0.1, weight_decay=f), 0.1, [nan, -0.1, inf]),
        ("weight_decay", lambda f: R.sgd(lr=0.1, weight_decay=f), 0.1, [nan, -0.1, inf]),
        ("momentum", lambda f: R.sgd(lr=0.1, momentum=f), 0.9, [1.0, nan]),
        ("dampening", lambda f: R.sgd(lr=0.1, momentum=0.9, dampening=f), 0.1, [1.5, nan]),
        ("momentum", lambda f: R.adamw(betas=(f, 0.9)), 0.9, [1.0, nan]),
        ("beta", lambda f: R.adamw(betas=(0.9, f)), 0.9, [1.0, nan]),
        ("eps", lambda f: R.adamw(eps=f), 1e-8, [-1.0, nan]),
        ("lr", lambda f: R.muon(lr=f), 0.1, [nan]),
        ("momentum", lambda f: R.muon(momentum=f), 0.9, [1.0]),
    ]


@pytest.mark.parametrize(
    ("name", "recipe", "good", "bad"), schedules(), ids=lambda x: x if isinstance(x, str) else ""
)
def test_bad_scheduled_values(
    name: str, recipe: Callable[[Any], st.Recipe], good: float, bad: list[float]
) -> None:
    """A value outside its range at step 3 raises ValueError naming hyperparameter and step; nothing has changed."""
    rng = np.random.default_rng(0)
    gradients = [{i: rng.standard_normal((3, 2)) for i in "ab"} for _ in range(FAILING_STEP + 1)]
    for value in bad:
        opt = Supplied({i: np.ones((3, 2)) for i in "ab"}, recipe(until(good, value)))
        for G in gradients[:FAILING_STEP]:
            opt.step(G)
        before = snapshot(opt)
        for call in (opt.step, opt.update, opt.peek):
            with pytest.raises(ValueError, match=name) as caught:
                call(gradients[-1])
            assert f"step {FAILING_STEP}" in str(caught.value)
        assert snapshot(opt) == before


@pytest.mark.parametrize("bad", ["0.1", None, [0.1], 1j])
def test_scheduled_values_that_are_no_numbers(bad: object) -> None:
    """TypeError naming the hyperparameter; nothing has changed."""
    opt = st.SGD([np.ones(2)], lr=until(0.1, bad))
    for _ in range(FAILING_STEP):
        opt.step([np.ones(2)])
    before = snapshot(opt)
    with pytest.raises(TypeError, match="lr"):
        opt.step([np.ones(2)])
    assert snapshot(opt) == before


@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.parametrize("bad", [np.nan, np.inf, -1.0])
def test_bad_factor_on_the_lr(case: Case, bad: float) -> None:
    """The optimizer's `schedule` is checked with every recipe."""
    W, gradients = problem(case, np.float64, FAILING_STEP + 1)
    opt = case.optimizer(copied(W), schedule=until(1.0, bad))
    for G in gradients[:FAILING_STEP]:
        opt.step(G)
    before = snapshot(opt)
    with pytest.raises(ValueError, match="lr"):
        opt.step(gradients[-1])
    assert snapshot(opt) == before


def test_schedule_that_raises() -> None:
    """The callable's own error comes through, and the step can be taken again."""

    def lr(t: int) -> float:
        if t == 1 and not allowed:
            raise RuntimeError("not yet")
        return 1.0

    allowed = False
    W = np.zeros(1)
    opt = st.SGD([W], lr=lr)
    opt.step([np.ones(1)])
    before = snapshot(opt)
    with pytest.raises(RuntimeError, match="not yet"):
        opt.step([np.ones(1)])
    assert snapshot(opt) == before
    allowed = True
    opt.step([np.ones(1)])
    np.testing.assert_array_equal(W, [-2.0])


def test_steps_that_schedules_see() -> None:
    """The global step from 0: one per step or update, none for peek, counted also when a block is absent."""
    seen: list[int] = []

    def lr(t: int) -> float:
        seen.append(t)
        return 0.1

    opt = st.SGD({"a": np.ones(2), "b": np.ones(2)}, lr=lr)
    seen.clear()
    G = {"a": np.ones(2), "b": np.ones(2)}
    for call in (opt.step, opt.update, opt.peek, opt.step):
        call(G)
    opt.step({"a": None, "b": None})
    opt.step({"a": None, "b": np.ones(2)})
    assert list(dict.fromkeys(seen)) == [0, 1, 2, 3, 4]
    assert opt.step_count == 5


def test_counters_of_bias_correction_are_per_block() -> None:
    """A block that joins late takes Adam's first step then, although the global step is far on."""
    params = {"early": np.zeros(1), "late": np.zeros(1)}
    opt = st.AdamW(params, lr=0.1, weight_decay=0.0, eps=0.0)
    for _ in range(5):
        opt.step({"early": np.array([1.0]), "late": None})
    opt.step({"early": np.array([1.0]), "late": np.array([-3.0])})
    np.testing.assert_allclose(params["late"], [0.1], rtol=1e-13)
    assert opt.state_dict()["state/late/count"] == 1
    assert opt.state_dict()["state/early/count"] == 6


def test_momentum_of_a_late_block_starts_with_its_first_gradient() -> None:
    """The start "first" is the block's own: undamped under a heavy ball, whole under an average."""
    for recipe in (
        R.sgd(lr=1.0, momentum=0.9, dampening=0.5),
        R.schattor(p=2, lr=1.0, rule="regularization"),
    ):
        params = {"early": np.zeros((1, 1)), "late": np.zeros((1, 1))}
        opt = Supplied(params, recipe)
        for _ in range(3):
            opt.step({"early": np.ones((1, 1)), "late": None})
        opt.step({"early": None, "late": np.full((1, 1), 3.0)})
        assert params["late"] == -3.0


def test_numpy_numbers_are_numbers() -> None:
    """NumPy scalars and integers serve as hyperparameters and as scheduled values."""
    W = np.zeros((2, 2))
    opt = st.Schattor(
        [W],
        p=np.float64(3),
        lr=lambda t: np.float32(0.5),
        momentum=np.float32(0.5),
        weights=np.int64(2),
        outer=np.float64(np.inf),
    )
    opt.step([np.eye(2)])
    assert st.Schatten(3).norm(W) == pytest.approx(0.25, rel=1e-12)


def test_zero_lr_advances_the_state_only() -> None:
    """lr = 0 is legal: the weights stay, the momentum takes the gradient."""
    for case in CASES:
        W, gradients = problem(case, np.float64, 2)
        opt = Supplied(copied(W), case.make(lr=0.0, weight_decay=0.0))
        for G in gradients:
            opt.step(G)
        for name, x in W.items():
            np.testing.assert_array_equal(opt.params[name], x)
        assert opt.step_count == 2
