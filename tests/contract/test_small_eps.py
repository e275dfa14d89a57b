"""An eps that vanishes in what it is added to counts as zero, or is refused; nothing becomes NaN."""

from __future__ import annotations

from dataclasses import fields, is_dataclass, replace
from typing import Any

import numpy as np
import pytest

import schattor as st
from schattor.recipes import _REGISTRY
from schattor.recipes._table import example_shapes

NAMES = {"eps", "damping"}
RECIPES = {name: function.example() for name, function in _REGISTRY.items()} | {
    "shampoo every step": st.recipes.shampoo(),
    "kfac, undamped": st.recipes.kfac(lr=0.1, damping=0.0),
}


def with_eps(part: Any, eps: float) -> Any:
    """The part with this eps in the place of each in it, at any depth."""
    if isinstance(part, tuple):
        return tuple(with_eps(each, eps) for each in part)
    if not is_dataclass(part) or isinstance(part, type):
        return part
    changed = {f.name: eps if f.name in NAMES else with_eps(getattr(part, f.name), eps) for f in fields(part)}
    return replace(part, **changed)


def extras_of(recipe: st.Recipe, gradients: dict[str, np.ndarray], samples: float) -> dict[str, Any]:
    """What the recipe requires; activations and deltas are `samples` times normal ones."""
    rng = np.random.default_rng(2)
    made = {
        "gradient_at_previous": lambda G: G,
        "activations": lambda G: (samples * rng.standard_normal((5, G.shape[1]))).astype(G.dtype),
        "deltas": lambda G: (samples * rng.standard_normal((5, G.shape[0]))).astype(G.dtype),
        "per_example": lambda G: np.stack([G, G]),
    }
    return {kind: {name: made[kind](G) for name, G in gradients.items()} for kind in recipe.requires}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("eps", [1e-320, 1e-160, 1e-45, 1e-30])
@pytest.mark.parametrize("name", RECIPES)
def test_steps_stay_finite(name: str, eps: float, dtype: type) -> None:
    """With zero, tiny and ordinary gradients, also where they are zero at first."""
    try:
        recipe = with_eps(RECIPES[name], eps)
    except ValueError as error:
        assert "smallest normal number" in str(error)
        return
    rng = np.random.default_rng(1)
    for scales in ((0.0, 0.0, 0.0), (1e-30,) * 3, (0.0, 1.0, 1.0), (1e-310, 0.0, 1e-20)):
        shapes = example_shapes(recipe, (4, 3))
        orthonormal = name in ("manifold_muon", "intrinsic_muon")
        W = {k: np.eye(*s) if orthonormal else rng.standard_normal(s) for k, s in shapes.items()}
        params = {k: x.astype(dtype) for k, x in W.items()}
        opt = st.Optimizer(params, recipe)
        for scale in scales:
            gradients = {k: (scale * rng.standard_normal(s)).astype(dtype) for k, s in shapes.items()}
            try:
                opt.step(gradients, **extras_of(recipe, gradients, np.sqrt(scale)))
            except ValueError as error:  # with so small an eps the step could overflow
                assert "expected at most" in str(error)
                break
            for key, x in [*params.items(), *opt.state_dict().items()]:
                assert x.dtype.kind != "f" or np.isfinite(x).all(), (scales, key)


def test_shampoo_of_the_samples_gradients() -> None:
    """Zero gradients of all samples, in float32 with an eps of 1e-160: the weights stay."""
    private = st.recipes.dp_muon(lr=0.1, noise_multiplier=0.0)
    recipe = replace(st.recipes.shampoo(lr=0.1, eps=1e-160), transforms=private.transforms[:1])
    opt = st.Optimizer({"W": np.ones((4, 3), np.float32)}, recipe)
    opt.step({}, per_example={"W": np.zeros((2, 4, 3), np.float32)})
    np.testing.assert_array_equal(opt.params["W"], 1)
