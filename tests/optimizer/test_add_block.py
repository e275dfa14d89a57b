"""Blocks that join a running optimizer."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from contract.cases import SINGLE, Case, Supplied, bits, snapshot

import schattor as st

# What is a function of the global step does not start anew with a block.
SEPARATE = [
    case
    for case in SINGLE
    if not case.coupled and not any(map(callable, [case.make().lr, *case.arguments.values()]))
]


def gradients(names: str, count: int) -> list[dict[str, np.ndarray]]:
    """Standard normal gradients of 4 x 3 blocks."""
    rng = np.random.default_rng(3)
    return [{name: rng.standard_normal((4, 3)) for name in names} for _ in range(count)]


@pytest.mark.parametrize("case", SEPARATE, ids=str)
def test_old_blocks_go_on_and_the_new_one_begins(case: Case) -> None:
    """As if each block had its optimizer."""
    apart = {name: np.ones((4, 3)) for name in "ab"}
    alone = {name: case.optimizer({name: x}) for name, x in apart.items()}
    together = {"a": np.ones((4, 3))}
    opt = case.optimizer(together)
    for t, G in enumerate(gradients("ab", 5)):
        if t == 2:
            together["b"] = np.ones((4, 3))
            opt.add_block("b", together["b"])
        opt.step({name: G[name] for name in opt.params})
        for name in opt.params:
            alone[name].step({name: G[name]})
    assert bits(opt.params) == bits(apart)
    assert opt.step_count == 5 and opt.params["b"] is together["b"]


def test_recipe_of_the_new_block() -> None:
    """Given with it, or by the routes."""
    opt = Supplied({"W": np.zeros((2, 2))}, {"*": st.recipes.muon(lr=1.0)}, backend="svd")
    opt.add_block("bias", np.zeros(2), st.recipes.sign_sgd(lr=0.5))
    opt.add_block("V", np.zeros((2, 2)))
    opt.step({"W": np.eye(2), "bias": np.array([3.0, -1.0]), "V": 7 * np.eye(2)})
    np.testing.assert_array_equal(opt.params["bias"], [-0.5, 0.5])
    np.testing.assert_allclose(opt.params["V"], -np.eye(2))


def test_schedules_go_on() -> None:
    """The global step is kept; the new block's own count begins at zero."""
    opt = st.Adam({"a": np.zeros(1)}, lr=lambda t: 0.1 * (t + 1))
    for _ in range(3):
        opt.step({"a": np.ones(1)})
    opt.add_block("b", np.zeros(1))
    opt.step({"a": np.ones(1), "b": np.ones(1)})
    assert opt.params["b"][0] == pytest.approx(-0.4)
    assert opt.state_dict()["state/b/count"] == 1 and opt.state_dict()["state/a/count"] == 4


@pytest.mark.parametrize(
    ("name", "array", "error"),
    [
        ("a", np.ones((2, 2)), ValueError),
        ("b", np.ones(2), ValueError),
        ("b", [1.0], TypeError),
        ("b", np.ones((2, 2), dtype=int), TypeError),
    ],
)
def test_refusals_change_nothing(name: str, array: Any, error: type[Exception]) -> None:
    """A name in use, a vector for Muon, no array, another dtype."""
    opt = st.Muon({"a": np.ones((2, 2))})
    opt.step({"a": np.eye(2)})
    before = snapshot(opt)
    with pytest.raises(error, match=name):
        opt.add_block(name, array)
    assert snapshot(opt) == before
    opt.step({"a": np.eye(2)})


def test_needs_names() -> None:
    """A list of parameters has no place for a name."""
    with pytest.raises(TypeError, match="dict"):
        st.SGD([np.ones(2)]).add_block("b", np.ones(2))
