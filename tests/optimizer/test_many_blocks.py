"""Blocks that join, and what blocks share: the result is that of a construction with all of them."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

import schattor as st

Blocks = dict[str, np.ndarray]


def problem(count: int) -> tuple[Blocks, list[Blocks]]:
    """Weights and the gradients of three steps."""
    rng = np.random.default_rng(0)
    names = [f"layer{i}" for i in range(count)]
    weights = {name: rng.standard_normal((3, 4)) for name in names}
    return weights, [{name: rng.standard_normal((3, 4)) for name in names} for _ in range(3)]


RECIPES = {
    "muon": lambda: st.recipes.muon(lr=0.1),
    "adamw": lambda: st.recipes.adamw(lr=0.1),
    "coupled": lambda: st.recipes.schattor(p=4, lr=0.1, outer=2),
    "shared": lambda: st.recipes.prodigy(),
    "scheduled": lambda: st.recipes.muon(lr=lambda t: 0.1 / (1 + t), momentum=lambda t: 0.9),
}


@pytest.mark.parametrize("name", RECIPES)
def test_a_block_that_joins_is_as_one_from_the_start(name: str) -> None:
    """Before the first step nothing tells them apart."""
    weights, gradients = problem(5)
    whole, grown = ({k: W.copy() for k, W in weights.items()} for _ in range(2))
    late = grown.pop("layer4")
    opt, other = st.Optimizer(whole, RECIPES[name]()), st.Optimizer(grown, RECIPES[name]())
    other.add_block("layer4", late)
    for G in gradients:
        opt.step(G)
        other.step(G)
    assert list(other.params) == list(opt.params)
    for block, W in opt.params.items():
        np.testing.assert_array_equal(other.params[block], W)
    restored = copy.deepcopy(other) if name == "scheduled" else pickle.loads(pickle.dumps(other))
    opt.step(gradients[0])
    restored.step(gradients[0])
    for block, W in opt.params.items():
        np.testing.assert_array_equal(restored.params[block], W)


def test_blocks_join_with_a_recipe_of_their_own() -> None:
    """The new key serves the new block alone."""
    weights, gradients = problem(2)
    opt = st.SGD(weights, lr=0.5)
    opt.add_block("bias", np.zeros(2), st.recipes.adamw(lr=0.1))
    opt.step({**gradients[0], "bias": np.ones(2)})
    np.testing.assert_allclose(opt.params["bias"], -0.1)
    assert opt.report["layer0"].step_size == pytest.approx(0.5 * np.linalg.norm(gradients[0]["layer0"]))


def test_a_refused_block_leaves_the_optimizer_alone() -> None:
    """Overlapping memory, a shape that the recipe does not take."""
    weights, gradients = problem(2)
    opt = st.Muon(weights, lr=0.1)
    with pytest.raises(ValueError, match="overlap"):
        opt.add_block("part", weights["layer0"][:2])
    with pytest.raises(ValueError, match="vector"):
        opt.add_block("vector", np.zeros(3))
    opt.step(gradients[0])
    assert set(opt.params) == {"layer0", "layer1"}


def test_blocks_of_one_shape_share_their_parts() -> None:
    """What a block keeps is its own all the same."""
    weights, gradients = problem(3)
    together = st.Muon({k: W.copy() for k, W in weights.items()}, lr=0.1)
    for G in gradients:
        together.step(G)
    for name, W in weights.items():
        alone = st.Muon({name: W}, lr=0.1)
        for G in gradients:
            alone.step({name: G[name]})
        np.testing.assert_array_equal(together.params[name], W)
