"""Trajectories of MARS, MARS-M, Prodigy and BAdam."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from published.trajectories import ALL, MATRICES, Blocks, Case, JointLoop
from reference import recipes, variance
from reference.newton_schulz import MUON

import schattor as st

r = st.recipes
parts = st.parts
MUON_STEPS = (MUON,) * 5


def hf_eps(t: int) -> float:
    """The auxiliary AdamW adds eps to sqrt(V) before the bias correction."""
    return 1e-8 / math.sqrt(1 - 0.95 ** (t + 1))


def joint(loop: Callable[..., recipes.Path], **arguments: Any) -> JointLoop:
    """A literal loop over all blocks with its arguments."""

    def run(W: Blocks, gradients: list[Blocks]) -> list[Blocks]:
        named = {str(k): x for k, x in W.items()}
        path = loop(named, [{str(k): g for k, g in G.items()} for G in gradients], **arguments)
        return [{int(i): x for i, x in blocks.items()} for blocks in path.weights]

    return run


def prodigy(name: str, arguments: dict[str, Any], **changed: Any) -> Case:
    """One case of Prodigy; what the recipe does not take goes to its part."""
    taken = {key: arguments[key] for key in ("d0", "d_coef", "growth_rate", "betas") if key in arguments}
    recipe = r.prodigy(**taken, **({"decay": "l2"} if arguments.get("decay") == "l2" else {}))
    recipe = replace(recipe, preconditioner=replace(recipe.preconditioner, **changed))
    return Case("prodigy", f"{name}_wd0_g1", ALL, recipe, joint=joint(variance.prodigy, **arguments))


@dataclass(frozen=True)
class ShortFirstTurn(parts.Turns):
    """The turns of the public code, whose first one lasts a step less."""

    every: int
    order: str

    def at(self, step: int, blocks: int) -> tuple[int, int]:
        """As if the run had begun a step earlier."""
        return parts.Cyclic(self.every, self.order).at(step + 1, blocks)


def turn(t: int, every: int, order: str) -> tuple[int, str]:
    """The same, written out for four blocks."""
    number = (t + 1) // every
    return number, str(number % 4 if order == "ascending" else 3 - number % 4)


def adamw_loop(**arguments: Any) -> Callable[[np.ndarray, list[np.ndarray]], recipes.Path]:
    """The literal AdamW."""
    return partial(recipes.adamw, **arguments)


AUXILIARY = {"lr": 3e-3, "betas": (0.9, 0.95), "weight_decay": 0.1}
SHAMPOO = {
    "loop": partial(variance.mars, form="shampoo", orthogonalize=variance.muon_steps(1e-8)),
    "offset": 1e-8,
    "iteration": MUON_STEPS,
    "length": 3e-3 * 1.5**0.5,
}
BACKUP = {"lr": 1e-3, "betas": (0.9, 0.95), "eps": hf_eps, "weight_decay": 0.0}

CASES = [
    *(
        Case("mars", f"{form}_wd0_g1", (3,), r.adamw(**AUXILIARY), adamw_loop(**AUXILIARY))
        for form in ("adamw", "lion", "shampoo")
    ),
    Case("mars", "adamw_wd0_g1", MATRICES, r.mars(), variance.mars),
    Case("mars", "adamw_opt1d_wd0_g1", ALL, r.mars(), variance.mars),
    Case("mars", "lion_wd0_g1", MATRICES, r.mars.lion(), partial(variance.mars, form="lion")),
    Case("mars", "lion_opt1d_wd0_g1", ALL, r.mars.lion(), partial(variance.mars, form="lion")),
    Case("mars", "shampoo_wd0_g1", MATRICES, r.mars.shampoo(), **SHAMPOO),
    Case("mars", "shampoo_opt1d_wd0_g1", MATRICES, r.mars.shampoo(), **SHAMPOO),
    Case("mars", "shampoo_opt1d_wd0_g1", (3,), r.mars(), variance.mars),
    *(
        Case(
            "mars_m",
            f"{flag}gamma{gamma}_wd0_g1",
            MATRICES,
            r.mars_m(gamma=gamma, weight_decay=0.0),
            partial(variance.mars_m, gamma=gamma, weight_decay=0.0, orthogonalize=variance.muon_steps(1e-7)),
            1e-7,
            MUON_STEPS,
            1e-3 * 0.2 * 6**0.5,
        )
        for flag in ("", "clipflag_")
        for gamma in (0.025, 0.5)
    ),
    *(
        Case("mars_m", f"{flag}gamma{gamma}_wd0_g1", (3,), r.adamw(**BACKUP), adamw_loop(**BACKUP))
        for flag in ("", "clipflag_")
        for gamma in (0.025, 0.5)
    ),
    prodigy("default", {}),
    prodigy("d0_1e-3", {"d0": 1e-3}),
    prodigy("d0_1e-3_bc", {"d0": 1e-3, "bias_correction": True}, debias=True),
    prodigy("d0_1e-3_safeguard", {"d0": 1e-3, "safeguard_warmup": True}, warmup=True),
    prodigy("d0_1e-3_coupled", {"d0": 1e-3, "decay": "l2"}),
    prodigy("d0_1e-3_growth1.5", {"d0": 1e-3, "growth_rate": 1.5}),
    prodigy("d0_1e-3_slice3", {"d0": 1e-3, "slice_p": 3}, every=3),
    prodigy("d0_1e-3_beta1_0", {"d0": 1e-3, "betas": (0.0, 0.999)}),
    prodigy("d0_1e-3_dcoef2", {"d0": 1e-3, "d_coef": 2.0}),
    *(
        Case(
            "badam",
            f"{order}_K{every}_wd0_g1",
            ALL,
            replace(r.badam(weight_decay=0.0), turns=ShortFirstTurn(every, order)),
            joint=joint(variance.badam, turn=partial(turn, every=every, order=order)),
        )
        for order in ("descending", "ascending")
        for every in (2, 3)
    ),
]
