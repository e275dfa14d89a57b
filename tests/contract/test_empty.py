"""A block without entries is one that steps leave as it is: it counts them, and nothing comes of them."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from contract.cases import CASES, DTYPES, Blocks, Case, bits, copied, draw, snapshot

import schattor as st

MATRICES: dict[str, tuple[int, ...]] = {"none x 5": (0, 5), "5 x none": (5, 0), "none": (0, 0)}
SHAPES = {**MATRICES, "nothing": (0,)}
STEPS = 4


def empty_shapes(case: Case) -> dict[str, tuple[int, ...]]:
    """Shapes without entries that the recipe takes, by the names that it expects."""
    recipe = case.make()
    if recipe.pairing is not None:  # factors of a product: rank 3 of a matrix without rows, or rank 0
        return {"tall": (0, 3), "wide": (3, 5)}
    return MATRICES if recipe.matrices_only else SHAPES


def extras_of(recipe: st.Recipe, G: Blocks) -> dict[str, Blocks]:
    """Extras for the blocks of a step: three samples of each."""

    def samples(*shape: int) -> Any:
        return np.ones((3, *shape))

    made: dict[str, Any] = {
        "gradient_at_previous": lambda g: 0.5 * g,
        "activations": lambda g: samples(g.shape[1] if g.ndim > 1 else 1),
        "deltas": lambda g: samples(g.shape[0] if g.ndim else 1),
        "per_example": lambda g: samples(*g.shape) * g,
    }
    return {
        kind: {name: np.asarray(made[kind](g), dtype=g.dtype) for name, g in G.items()}
        for kind in sorted(recipe.requires)
    }


def run(opt: st.Optimizer, recipe: st.Recipe, steps: list[Blocks]) -> None:
    """Take the steps, with what the recipe requires; a warning is an error."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for G in steps:
            opt.step(G, **extras_of(recipe, G))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_empty_blocks(case: Case, dtype: type) -> None:
    """Every recipe takes them, counts their steps, keeps a finite state, saves it and goes on from it."""
    rng = np.random.default_rng(0)
    shapes, recipe = empty_shapes(case), case.make()
    W = draw(shapes, rng, dtype)
    steps = [draw(shapes, rng, dtype) for _ in range(2 * STEPS)]
    before = copied(W)
    opt = st.Optimizer(W, recipe)
    run(opt, recipe, steps[:STEPS])
    assert opt.step_count == STEPS
    if recipe.pairing is None:
        assert bits(opt.params) == bits(before)
    state = opt.state_dict()
    for name, array in state.items():
        assert array.dtype.kind != "f" or np.isfinite(array).all(), name
    counts = [int(array) for name, array in state.items() if name.endswith("/count")]
    assert sum(counts) == STEPS if recipe.turns else set(counts) == {STEPS}
    if recipe.pairing is None:
        assert all(row.dual_norm == 0 == row.step_size == row.update_rms for row in opt.report.values())
    moved = opt.peek(steps[STEPS], **extras_of(recipe, steps[STEPS]))
    assert {name: x.shape for name, x in moved.items()} == shapes
    assert bits(opt.state_dict()) == bits(state)

    resumed = st.Optimizer(copied(opt.params), recipe)
    resumed.load_state_dict(state)
    for one in (opt, resumed):
        run(one, recipe, steps[STEPS:])
    assert snapshot(opt) == snapshot(resumed)
    assert {name: x.shape for name, x in opt.evaluation_params().items()} == shapes


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", [case for case in CASES if not case.paired], ids=str)
def test_empty_blocks_beside_others(case: Case, dtype: type) -> None:
    """They change nothing for the blocks beside them."""
    recipe = case.make()
    if recipe.turns:
        pytest.skip("each takes its turn, which the others then have to wait for")
    rng = np.random.default_rng(0)
    full = case.shapes
    W, steps = draw(full, rng, dtype), [draw(full, rng, dtype) for _ in range(STEPS)]
    nothing = {name: np.zeros(shape, dtype) for name, shape in empty_shapes(case).items()}
    alone, among = st.Optimizer(copied(W), recipe), st.Optimizer({**copied(W), **nothing}, recipe)
    run(alone, recipe, steps)
    run(among, recipe, [{**G, **nothing} for G in steps])
    assert bits({name: among.params[name] for name in full}) == bits(alone.params)


@pytest.mark.parametrize(
    ("view", "shape"),
    [
        (st.views.flatten(), (0, 3, 2)),
        (st.views.flatten(), (4, 0, 2)),
        (st.views.batch(), (0, 3, 2)),
        (st.views.batch(), (3, 0, 2)),
        (st.views.batch(), (3, 2, 0)),
        (st.views.split(2), (4, 0)),
        (st.views.transposed(), (0, 4)),
        (st.views.transposed(), (4, 0)),
    ],
    ids=str,
)
@pytest.mark.parametrize("name", ["muon", "low_rank_muon", "normuon", "soap", "shampoo"])
def test_empty_views(name: str, view: st.views.View, shape: tuple[int, ...]) -> None:
    """A view of nothing is nothing."""
    recipe = getattr(st.recipes, name).example()
    opt = st.Optimizer({"W": np.zeros(shape)}, recipe, views={"W": view})
    for _ in range(3):
        opt.step({"W": np.zeros(shape)})
    assert opt.params["W"].shape == shape
    assert opt.step_count == 3
