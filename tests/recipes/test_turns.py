"""Blocks that take turns: BAdam against the literal rule, and what follows for any recipe."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from reference import variance

import schattor as st

r = st.recipes
parts = st.parts
Blocks = dict[str, np.ndarray]
SHAPES = {"a": (4, 3), "b": (3, 5), "c": (6,)}
NAMES = list(SHAPES)


def draw(scale: float = 1.0, steps: int = 25) -> tuple[Blocks, list[Blocks]]:
    """Weights and gradients."""
    rng = np.random.default_rng(0)
    W = {i: rng.standard_normal(shape) for i, shape in SHAPES.items()}
    return W, [{i: scale * rng.standard_normal(shape) for i, shape in SHAPES.items()} for _ in range(steps)]


def weights(recipe: st.Recipe, W: Blocks, gradients: list[Blocks]) -> list[Blocks]:
    """The weights after each step."""
    opt = st.Optimizer({i: x.copy() for i, x in W.items()}, recipe)
    path = []
    for G in gradients:
        opt.step(G)
        path.append({i: x.copy() for i, x in opt.params.items()})
    return path


def turns(every: int, order: str) -> Any:
    """The turn of each step, written out."""
    names = NAMES if order == "ascending" else NAMES[::-1]
    return lambda t: (t // every, names[t // every % 3])


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
@pytest.mark.parametrize("order", ["ascending", "descending"])
@pytest.mark.parametrize("every", [1, 2, 7])
@pytest.mark.parametrize(
    ("decay", "weight_decay"), [("decoupled", 0.2), ("l2", 0.2), ("independent", 0.02), ("cautious", 0.2)]
)
def test_badam_is_the_literal_rule(
    decay: str, weight_decay: float, every: int, order: str, scale: float
) -> None:
    """Exactly so many steps for each block, the first one included; schedules see the global step."""
    W, gradients = draw(scale)
    common: dict[str, Any] = {
        "lr": lambda t: 0.1 / (1 + t / 5),
        "betas": (0.8, 0.95),
        "eps": 1e-4,
        "weight_decay": weight_decay,
        "decay": decay,
    }
    wanted = variance.badam(W, gradients, turns(every, order), **common).weights
    got = weights(r.badam(every=every, order=order, **common), W, gradients)
    for a, b in zip(got, wanted, strict=True):
        for i, x in b.items():
            np.testing.assert_allclose(a[i], x, rtol=0, atol=1e-13)


def test_one_block_and_no_end_is_adamw() -> None:
    """A turn longer than the run."""
    W, gradients = draw()
    one, two = W["a"].copy(), W["a"].copy()
    badam, adamw = st.BAdam(one, every=10**6), st.AdamW(two)
    for G in gradients:
        badam.step(G["a"])
        adamw.step(G["a"])
    np.testing.assert_array_equal(one, two)


def test_turns_of_one_step_are_cyclic_sign_descent() -> None:
    """M and V start anew: each step is lr sign(G) of one block, and the others stay bit for bit."""
    W, gradients = draw()
    path = [W, *weights(r.badam(lr=0.25, eps=0.0, every=1, weight_decay=0.0), W, gradients)]
    for t, G in enumerate(gradients):
        active = NAMES[::-1][t % 3]
        for i in NAMES:
            moved = path[t + 1][i] - path[t][i]
            if i == active:
                np.testing.assert_allclose(moved, -0.25 * np.sign(G[i]), rtol=0, atol=1e-15)
            else:
                np.testing.assert_array_equal(path[t + 1][i], path[t][i])


@pytest.mark.parametrize(
    "inner", [r.muon(lr=0.1), r.sgd(lr=0.1, momentum=0.9), r.schattor(p=4, lr=0.1)], ids=lambda x: x.name
)
def test_any_recipe_in_turns(inner: st.Recipe) -> None:
    """A block in its turn moves as a fresh optimizer of its own would."""
    W, gradients = draw()
    W = {i: W[i] for i in "ab"}
    gradients = [{i: G[i] for i in "ab"} for G in gradients]
    got = weights(r.block_coordinate(inner, every=4, order="ascending"), W, gradients)
    x = {i: w.copy() for i, w in W.items()}
    for t, G in enumerate(gradients):
        i = "ab"[t // 4 % 2]
        if t % 4 == 0:
            own = st.Optimizer({i: x[i]}, inner)
        own.step({i: G[i]})
        for j, w in x.items():
            np.testing.assert_array_equal(got[t][j], w)


def test_gradients_of_waiting_blocks_are_not_read() -> None:
    """They may be None or not finite."""
    opt = st.BAdam({"a": np.ones(2), "b": np.ones(2)}, every=2)
    opt.step({"a": None, "b": np.ones(2)})
    opt.step({"a": np.full(2, np.nan), "b": np.ones(2)})
    assert list(opt.report) == ["b"]
    with pytest.raises(ValueError, match="'a'"):
        opt.step({"a": np.full(2, np.nan), "b": np.ones(2)})
    opt.step({"a": np.ones(2), "b": None})
    assert list(opt.report) == ["a"]


def test_a_block_without_gradient_misses_steps_of_its_turn() -> None:
    """The turn goes on, and its next step is its first one."""
    opt = st.BAdam({"a": np.ones(2), "b": np.ones(2)}, lr=0.1, every=3, weight_decay=0.0)
    opt.step({"a": None, "b": None})
    opt.step({"a": None, "b": np.full(2, 5.0)})
    np.testing.assert_allclose(opt.params["b"], 0.9)
    assert opt.state_dict()["state/b/count"] == 1


def test_shuffled_turns() -> None:
    """Each block once in a round, the rounds in different orders, the same for the same seed."""
    order = parts.Shuffled(every=2, seed=3)
    places = [order.at(t, 4) for t in range(80)]
    assert [turn for turn, _ in places] == [t // 2 for t in range(80)]
    active = [place for _, place in places]
    assert active[::2] == active[1::2]
    rounds = [tuple(active[8 * k : 8 * k + 8 : 2]) for k in range(10)]
    assert all(Counter(x) == Counter(range(4)) for x in rounds)
    assert len(set(rounds)) > 3
    assert [parts.Shuffled(2, 3).at(t, 4) for t in range(80)] == places
    assert [parts.Shuffled(2, 4).at(t, 4) for t in range(80)] != places
    opt = st.Optimizer({i: np.ones(2) for i in "abcd"}, replace(r.badam(), turns=order))
    opt.step({i: np.ones(2) for i in "abcd"})
    assert list(opt.report) == ["abcd"[active[0]]]


def test_sums_over_blocks_need_all_of_them() -> None:
    """A recipe that shares sums cannot take turns."""
    with pytest.raises(ValueError, match="turns"):
        st.Optimizer(np.ones(2), r.block_coordinate(r.prodigy()))


@pytest.mark.parametrize(
    "make",
    [
        lambda: r.badam(every=0),
        lambda: r.badam(order="random"),
        lambda: parts.Shuffled(every=-1),
        lambda: parts.Shuffled(seed=-1),
    ],
)
def test_values_outside_their_ranges(make: Any) -> None:
    """One clear error."""
    with pytest.raises(ValueError, match=r"must"):
        make()
