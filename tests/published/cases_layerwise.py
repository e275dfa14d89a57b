"""Trajectories of methods that act on rows, on whole layers or on the shape of the weights."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from published.trajectories import ALL, MATRICES, Case, Loop, stored
from reference import layerwise, recipes
from reference.newton_schulz import MUON, SIMPLE_QUINTIC, YOU_5, Steps

import schattor as st

r, parts = st.recipes, st.parts
MUON_STEPS: Steps = (MUON,) * 5
SIMPLE_STEPS: Steps = (SIMPLE_QUINTIC,) * 12


def loops(
    loop: Callable[..., recipes.Path], iteration: Steps, eps: float, **arguments: Any
) -> dict[str, Loop]:
    """The literal loop with the code's constants, and without those that the package leaves out.

    `eps` is added to the norm before Newton-Schulz; "added", if given, to the norm after it.
    """
    plain = {key: value for key, value in arguments.items() if key != "added"}
    return {
        "loop": partial(
            loop, orthogonalize=partial(recipes.iterate, steps=iteration, added=eps), **arguments
        ),
        "without_eps": partial(loop, orthogonalize=partial(recipes.iterate, steps=iteration), **plain),
    }


def sgd_lr(t: int) -> float:
    """What jettify's bias correction multiplies the whole step by, outside of the trust ratio, times its lr."""
    return 1e-3 * math.sqrt(1 - 0.999 ** (t + 1)) / (1 - 0.9 ** (t + 1))


def hf_eps(t: int) -> float:
    """Mano's AdamW adds eps to sqrt(V) before the bias correction: eps / sqrt(1 - b2^t) after it."""
    return 1e-8 / math.sqrt(1 - 0.95 ** (t + 1))


LARS = (("mu0.9_wd0_g1", 0.9, False), ("mu0.9_nest_wd0_g1", 0.9, True), ("mu0.0_wd0_g1", 0.0, False))
UNCORRECTED = replace(
    r.lamb(largest_norm=10.0),
    estimator=st.estimators.EMA(0.9, "zero"),
    preconditioner=parts.Diagonal(parts.Squares(0.999), parts.Plain(1e-6)),
)
MANO = (("v1_wd0_g1", False), ("v1nest_wd0_g1", True))
FIRST = stored("hyperball_nvidia")

CASES = [
    Case(
        "normuon",
        "wd0_g1",
        MATRICES,
        r.normuon(),
        **loops(layerwise.normuon, MUON_STEPS, 1e-7, added=1e-10),
    ),
    Case(
        "adamuon",
        "wd0_g1",
        MATRICES,
        r.adamuon(weight_decay=0.0),
        **loops(layerwise.adamuon, MUON_STEPS, 1e-7, added=1e-8, weight_decay=0.0),
    ),
    *(
        Case(
            "optax_lars",
            name,
            ALL,
            r.lars(lr=1.0, momentum=mu, nesterov=nesterov),
            partial(layerwise.lars, lr=1.0, momentum_=mu, nesterov=nesterov),
        )
        for name, mu, nesterov in LARS
    ),
    *(  # without decay this code has no trust ratio: it is SGD
        Case(
            "lars_jettify",
            name,
            ALL,
            r.sgd(lr=0.01, momentum=mu, nesterov=nesterov),
            partial(recipes.sgd, lr=0.01, momentum=mu, nesterov=nesterov),
        )
        for name, mu, nesterov in LARS
    ),
    Case("optax_lamb", "wd0_g1", ALL, r.lamb(), layerwise.lamb),
    *(
        Case(
            method,
            name,
            ALL,
            replace(UNCORRECTED, lr=lr),
            partial(layerwise.lamb, lr=lr, corrected=False, largest_norm=10.0),
        )
        for method, name, lr in (
            ("lamb_jettify", "wd0_g1", 1e-3),
            ("lamb_jettify", "debias_wd0_g1", sgd_lr),
            ("lamb_cybertronai", "wd0_g1", 1e-3),
        )
    ),
    Case(
        "lamb_cybertronai",
        "adam_wd0_g1",
        ALL,
        replace(UNCORRECTED, adjustments=()),
        partial(layerwise.lamb, corrected=False, ratio=False),
    ),
    *(
        Case(
            "mano",
            name,
            MATRICES,
            r.mano(weight_decay=0.0, nesterov=nesterov),
            partial(layerwise.mano, weight_decay=0.0, nesterov=nesterov),
        )
        for name, nesterov in MANO
    ),
    *(
        Case(
            "mano",
            name,
            (3,),
            r.adamw(lr=1e-3, betas=(0.9, 0.95), eps=hf_eps, weight_decay=0.0),
            partial(recipes.adamw, lr=1e-3, betas=(0.9, 0.95), eps=hf_eps, weight_decay=0.0),
        )
        for name, _ in MANO
    ),
    Case(
        "hyperball_nvidia",
        "g1",
        MATRICES,
        r.muon_hyperball(nesterov=False, coefficients="muon"),
        partial(
            layerwise.muon_hyperball,
            nesterov=False,
            orthogonalize=partial(recipes.iterate, steps=MUON_STEPS, least=1e-15),
        ),
        start={k: np.array(FIRST[f"g1/W0_{k}"]) for k in MATRICES},
    ),
    *(
        Case(
            "hyperball_muonh",
            f"lr{lr}_g1",
            MATRICES,
            r.muon_hyperball(lr=lr),
            **loops(layerwise.muon_hyperball, SIMPLE_STEPS, 1e-7, lr=lr),
        )
        for lr in (0.014, 0.2)
    ),
    Case(
        "muown",
        "nvidia_wd0_g1",
        MATRICES,
        r.muown(lr=0.0035),
        partial(layerwise.muown, lr=0.0035, orthogonalize=partial(recipes.iterate, steps=YOU_5, least=1e-15)),
    ),
]
