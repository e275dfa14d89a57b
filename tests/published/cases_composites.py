"""Trajectories of MuonEq, Muon+, Aurora and RMNP."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

from published.trajectories import MATRICES, Case, Loop
from reference import composites, recipes
from reference.newton_schulz import MUON, POLAR_EXPRESS_RAW, SIMPLE_QUINTIC, YOU_6, Steps, with_safety

import schattor as st

r = st.recipes
MUON_STEPS: Steps = (MUON,) * 5
POLAR_EXPRESS: Steps = with_safety(POLAR_EXPRESS_RAW)[:5]
QUINTIC_STEPS: Steps = (SIMPLE_QUINTIC,) * 12


def auxiliary(t: int) -> float:
    """The auxiliary AdamW adds eps to sqrt(V) before the bias correction: eps / sqrt(1 - b2^t) after it."""
    return 1e-8 / float((1 - 0.95 ** (t + 1)) ** 0.5)


def loop(rule: Callable[..., recipes.Path], steps: Steps, factor: float = 1.0, **arguments: Any) -> Loop:
    """The literal rule with the iteration of its code, which adds 1e-7 to the norm."""
    return partial(
        rule, orthogonalize=partial(recipes.iterate, steps=steps, factor=factor, added=1e-7), **arguments
    )


def until_step_4(step: int) -> str:
    """Both sides in the first four steps, then rows: the code counts its phase from one."""
    return "rowcol" if step < 4 else "row"


def vector(method: str, name: str) -> Case:
    """The code's auxiliary AdamW on the vector."""
    adamw = {"lr": 1e-3, "betas": (0.95, 0.95), "eps": auxiliary, "weight_decay": 0.0}
    return Case(method, name, (3,), r.adamw(**adamw), partial(recipes.adamw, **adamw))


def with_iteration(recipe: st.Recipe, coefficients: str, steps: int) -> st.Recipe:
    """The recipe with another Newton-Schulz iteration."""
    return replace(recipe, geometry=st.Spectral(st.linalg.NewtonSchulz(coefficients, steps)))


def muon_plus(name: str, mode: str, order: tuple[str, ...], coefficients: str = "", **more: Any) -> Case:
    """A case of Muon+ with its five steps of one of the iterations."""
    steps = {"": MUON_STEPS, "you_jiacheng_6": YOU_6[:5], "polar_express": POLAR_EXPRESS}[coefficients]
    recipe = r.muon_plus(mode=mode, weight_decay=0.0, **more)
    if coefficients:
        recipe = with_iteration(recipe, coefficients, 5)
    factor = 1.01 if coefficients == "polar_express" else 1.0
    literal = loop(composites.muon_plus, steps, factor, lines=order, weight_decay=0.0, **more)
    # Normalising divides an error of O by the length of its line, which is a sixth at least.
    return Case("muonplus", name, MATRICES, recipe, literal, 1e-7, steps, 6 * 1e-3 * 1.5**0.5)


CASES = [
    *(
        Case(
            "muoneq",
            f"{name}_wd0_g1",
            MATRICES,
            r.muon_eq(mode=mode, weight_decay=0.0),
            loop(composites.muon_eq, MUON_STEPS, lines=mode, weight_decay=0.0),
            1e-7,
            MUON_STEPS,
            1e-3 * 0.2 * 6**0.5,
        )
        for name, mode in (
            ("row", "row"),
            ("col", "col"),
            ("rowcol", "rowcol"),
            ("rowcol_phase5", until_step_4),
        )
    ),
    *(vector("muoneq", f"{name}_wd0_g1") for name in ("row", "col", "rowcol", "rowcol_phase5")),
    muon_plus("keller_none_wd0_g1", "none", ()),
    muon_plus("keller_col_wd0_g1", "col", ("col",)),
    muon_plus("keller_row_wd0_g1", "row", ("row",)),
    muon_plus("keller_col_row_wd0_g1", "col_row", ("col", "row")),
    muon_plus("keller_row_col_wd0_g1", "row_col", ("row", "col")),
    muon_plus("jiacheng_col_wd0_g1", "col", ("col",), "you_jiacheng_6"),
    muon_plus("polarexpress_col_wd0_g1", "col", ("col",), "polar_express"),
    muon_plus("polarexpress_row_norms_wd0_g1", "row", ("row",), "polar_express", scale="none"),
    *(
        vector("muonplus", f"{name}_wd0_g1")
        for name in (
            "keller_none",
            "keller_col",
            "keller_row",
            "keller_col_row",
            "keller_row_col",
            "jiacheng_col",
            "polarexpress_col",
            "polarexpress_row_norms",
        )
    ),
    *(
        Case(
            "aurora",
            f"pp{passes}_wd0_g1",
            MATRICES,
            r.aurora(passes=passes, weight_decay=0.0),
            loop(composites.aurora, QUINTIC_STEPS, passes=passes, weight_decay=0.0),
            1e-7,
            QUINTIC_STEPS,
            passes * 0.05 * 1.5**0.5,  # the lengths of rows of each pass scale those of the next
        )
        for passes in (1, 2, 6)
    ),
    Case("rmnp", "wd0_g1", MATRICES, r.rmnp(), composites.rmnp),
    # Without Nesterov the code normalises the gradient itself.
    Case(
        "rmnp",
        "nonest_wd0_g1",
        MATRICES,
        r.rmnp(momentum=0.0, nesterov=False),
        partial(composites.rmnp, momentum=0.0, nesterov=False),
    ),
]
