"""The recipes that follow torch.optim, against trajectories that torch itself made."""

from __future__ import annotations

import numpy as np
import pytest
from published.torch_optim import FILE, KEPT, Setting, grid, problem

import schattor as st

STORED = dict(np.load(FILE))
SETTINGS = grid()


@pytest.mark.parametrize("setting", SETTINGS, ids=str)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_recipe_follows_torch(dtype: type, setting: Setting) -> None:
    """Float64 to 1e-12 relative to what lr moves, float32 to 1e-6 relative to it and to the weights."""
    params, gradients = problem(dtype, setting.scale)
    arguments = dict(setting.hyperparameters) | dict(setting.ours_only)
    opt = st.Optimizer(params, getattr(st.recipes, setting.recipe)(**arguments))
    kept: dict[str, list[np.ndarray]] = {name: [] for name in params}
    first = {name: x.copy() for name, x in params.items()}
    for t, G in enumerate(gradients, start=1):
        opt.step(G)
        if t in KEPT:
            for name, x in params.items():
                kept[name].append(x.copy())
    for name, got in kept.items():
        wanted = STORED[f"{setting}/{np.dtype(dtype)}/{name}"]
        moved = max(float(np.abs(x - first[name]).max()) for x in wanted)
        weights = max(float(np.abs(x).max()) for x in wanted)
        unit = 1e-12 * max(arguments["lr"], moved) if dtype == np.float64 else 1e-6 * max(moved, weights)
        if arguments.get("centered") and dtype == np.float32:
            unit *= 10  # V - A^2 cancels
        np.testing.assert_allclose(np.stack(got), wanted, rtol=0, atol=unit)


def test_every_stored_trajectory_is_used() -> None:
    """The file holds the grid and nothing else."""
    names = {
        f"{setting}/{dtype}/{name}"
        for setting in SETTINGS
        for dtype in ("float64", "float32")
        for name in "Wv"
    }
    assert STORED.keys() - {"torch"} == names
