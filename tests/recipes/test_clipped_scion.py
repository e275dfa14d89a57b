"""Clipped Scion: one length for all blocks, and the step of the constrained form."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from reference import recipes

import schattor as st

RNG = np.random.default_rng(31)
SHAPES = {0: (5, 3), 1: (3, 4), 2: (6,)}
W = {k: RNG.standard_normal(shape) for k, shape in SHAPES.items()}
GRADIENTS = [{k: RNG.standard_normal(shape) for k, shape in SHAPES.items()} for _ in range(6)]
RHO = {0: 9.0, 1: 30.0, 2: 9.0}
NORMS = {
    0: lambda M: 2.0 * (5 / 3) ** 0.5 * recipes.polar(M),
    1: lambda M: 3.0 / 4 * np.sign(M),
    2: lambda M: M / np.sqrt((M**2).mean()),
}


def routes(lr: float, **arguments: Any) -> dict[str, st.Recipe]:
    """A norm, a radius and a threshold for each block."""
    make = st.recipes.clipped_scion
    return {
        "0": make(lr=lr, rho=RHO[0], radius=2.0, **arguments),
        "1": make(lr=lr, rho=RHO[1], norm="sign", radius=3.0, **arguments),
        "2": make(lr=lr, rho=RHO[2], norm="bias_rms", **arguments),
    }


def start(W: dict[int, np.ndarray] = W) -> dict[str, np.ndarray]:
    """Fresh parameters."""
    return {str(k): x.copy() for k, x in W.items()}


@pytest.mark.parametrize("constrained", [False, True])
@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
@pytest.mark.parametrize("momentum", [0.0, 0.7])
def test_one_factor_over_recipes_of_several_norms(constrained: bool, scale: float, momentum: float) -> None:
    """Dual norms, or gaps, are added up over all blocks, whatever their recipe; each has its threshold."""
    gradients = [{k: scale * g for k, g in G.items()} for G in GRADIENTS]
    lr = 0.002
    wanted = recipes.clipped_scion(W, gradients, NORMS, RHO, lr, momentum, constrained)
    opt = st.Optimizer(start(), routes(lr, momentum=momentum, constrained=constrained), backend="svd")
    for G, after in zip(gradients, wanted, strict=True):
        opt.step({str(k): g for k, g in G.items()})
        for k, x in after.items():
            np.testing.assert_allclose(opt.params[str(k)], x, rtol=0, atol=1e-12)


@pytest.mark.parametrize("constrained", [False, True])
def test_per_block(constrained: bool) -> None:
    """The declared option: every block as if it were alone."""
    arguments = {"momentum": 0.7, "constrained": constrained}
    opt = st.Optimizer(start(), routes(0.002, per_block=True, **arguments), backend="svd")
    alone = {
        k: st.Optimizer({k: x}, routes(0.002, **arguments)[k], backend="svd") for k, x in start().items()
    }
    for G in GRADIENTS:
        opt.step({str(k): g for k, g in G.items()})
        for k, single in alone.items():
            single.step({k: G[int(k)]})
            np.testing.assert_allclose(opt.params[k], single.params[k], rtol=1e-13)


def test_blocks_without_a_gradient_do_not_count() -> None:
    """They stay, and the others move as if there were no others."""
    both = st.Optimizer(start(), routes(0.002), backend="svd")
    both.step({"0": GRADIENTS[0][0], "1": None, "2": None})
    alone = st.Optimizer({"0": W[0].copy()}, routes(0.002)["0"], backend="svd")
    alone.step({"0": GRADIENTS[0][0]})
    np.testing.assert_array_equal(both.params["0"], alone.params["0"])
    np.testing.assert_array_equal(both.params["1"], W[1])


@pytest.mark.parametrize("per_block", [False, True])
def test_constrained_steps_never_go_uphill(per_block: bool) -> None:
    """Outside of the ball the gap may be negative: -27 for W = 10 I and G = -I. The weights stay then."""
    recipe = st.recipes.clipped_scion(lr=0.1, rho=1.0, momentum=0.0, constrained=True, per_block=per_block)
    opt = st.Optimizer([10 * np.eye(3)], recipe, backend="svd")
    opt.step([-np.eye(3)])
    np.testing.assert_array_equal(opt.params["0"], 10 * np.eye(3))


def test_constrained_steps_are_held_to_the_boundary() -> None:
    """However long the lr: no further than the point of the ball that the oracle names."""
    recipe = st.recipes.clipped_scion(lr=10.0, rho=5.0, momentum=0.0, constrained=True)
    opt = st.Optimizer([0.5 * np.eye(3)], recipe, backend="svd")
    opt.step([np.eye(3)])
    np.testing.assert_allclose(opt.params["0"], -np.eye(3), rtol=0, atol=1e-15)


def test_update_and_peek_agree_with_step() -> None:
    """The sum is there in every mode."""
    opts = [st.Optimizer(start(), routes(0.01, constrained=True), backend="svd") for _ in range(3)]
    G = {str(k): g for k, g in GRADIENTS[0].items()}
    opts[0].step(G)
    for moved in (opts[1].update(G), opts[2].peek(G)):
        for k, before in start().items():
            np.testing.assert_allclose(before + moved[k], opts[0].params[k], rtol=0, atol=1e-15)


@pytest.mark.parametrize("threads", [1, 2])
def test_threads_change_no_bit(threads: int) -> None:
    """The sum goes in the order of the blocks."""
    rng = np.random.default_rng(0)
    params = {f"W{i}": rng.standard_normal((40, 30)) for i in range(20)}
    gradients = {k: rng.standard_normal(x.shape) for k, x in params.items()}
    recipe = st.recipes.clipped_scion(lr=0.1, rho=1e4, constrained=True)
    moved = st.Optimizer(params, recipe, n_threads=threads).update(gradients)
    alone = st.Optimizer(params, recipe, n_threads=1).update(gradients)
    assert all((moved[k] == alone[k]).all() for k in moved)
