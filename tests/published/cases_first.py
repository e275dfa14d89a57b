"""Trajectories of the first methods: Muon and its ports, PolarGrad, Scion, Lion, Adam's relatives, schedule-free."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from published.trajectories import ALL, MATRICES, Case, JointLoop, Loop
from reference import recipes
from reference.newton_schulz import MUON, POLAR_EXPRESS_RAW, YOU_5, Steps, with_safety

import schattor as st

MUON_STEPS: Steps = (MUON,) * 5
POLAR_EXPRESS: Steps = (*with_safety(POLAR_EXPRESS_RAW), (1.875, -1.25, 0.375), (1.875, -1.25, 0.375))


def muon_loop(iteration: Steps = MUON_STEPS, **arguments: Any) -> Loop:
    """The literal Muon with an iteration; `added` and `least` are the code's guards of the norm."""
    guards = {key: arguments.pop(key) for key in ("added", "least", "factor") if key in arguments}
    return partial(
        recipes.muon, orthogonalize=partial(recipes.iterate, steps=iteration, **guards), **arguments
    )


def adam_loop(**arguments: Any) -> Loop:
    """The literal AdamW without decay."""
    return partial(recipes.adamw, weight_decay=0.0, **arguments)


def polar_loop(**arguments: Any) -> Loop:
    """The literal PolarGrad."""
    return partial(recipes.polar_grad, lr=0.02, **arguments)


def adaptive_loop(W: np.ndarray, gradients: list[np.ndarray]) -> recipes.Path:
    """optax's `adaptive`: the orthogonalised matrix times its inner product with the estimate."""

    def scaled(u: np.ndarray) -> np.ndarray:
        O = recipes.iterate(u, MUON_STEPS, added=1e-8)
        return (u * O).sum() * O

    return recipes.muon(W, gradients, kind="debiased", orthogonalize=scaled)


def hf_eps(t: int) -> float:
    """Moonlight's AdamW adds eps to sqrt(V) before the bias correction: eps / sqrt(1 - b2^t) after it."""
    return 1e-8 / float(np.sqrt(1 - 0.95 ** (t + 1)))


def method_loop(loop: Callable[..., recipes.Path], **arguments: Any) -> Loop:
    """A literal loop with its arguments."""
    return partial(loop, **arguments)


def warm_up(lr: float) -> Callable[[int], float]:
    """Linear warm-up over four steps."""
    return lambda step: lr * min(1.0, (step + 1) / 4)


def scion_spectral(M: np.ndarray, added: float = 1e-7) -> np.ndarray:
    """Five steps, times sqrt(rows / cols)."""
    return recipes.iterate(M, MUON_STEPS, added=added) * float(np.sqrt(M.shape[0] / M.shape[1]))


def scion_bias(M: np.ndarray, eps: float = 1e-8) -> np.ndarray:
    """To a root mean square of one."""
    return M / (np.sqrt((M**2).mean()) + eps)


def clipped(name: str, rho: float, lr: float, constrained: bool) -> Case:
    """All blocks under one clipping factor, each with the norm of the stored case; the code's lr is lr rho here."""

    def loop(added: float, bias: float) -> JointLoop:
        spectral = partial(scion_spectral, added=added)
        norms: dict[int, Callable[[np.ndarray], np.ndarray]] = {
            0: lambda M: 50.0 * spectral(M),
            1: lambda M: 50.0 * spectral(M),
            2: lambda M: 300.0 / M.shape[1] * np.sign(M),
            3: lambda M: 5.0 * scion_bias(M, bias),
        }
        return partial(
            recipes.clipped_scion,
            normalized=norms,
            rho=dict.fromkeys(ALL, rho),
            lr=lr / rho,
            constrained=constrained,
        )

    make = partial(r.clipped_scion, lr=lr / rho, rho=rho, constrained=constrained)
    return Case(
        "clipped_scion",
        name,
        ALL,
        {
            "2": make(norm="sign", radius=300.0),
            "3": make(norm="bias_rms", radius=5.0),
            "*": make(radius=50.0),
        },
        joint=loop(1e-7, 1e-8),
        joint_without_eps=loop(0.0, 0.0),
    )


r = st.recipes
parts = st.parts
WITHHELD = parts.Diagonal(parts.Squares(0.999), parts.Rectified(0.999, 1e-8, early=0.0))
BELIEF_AMS = parts.Diagonal(
    parts.Largest(parts.Deviations(0.999, 1e-16)), parts.Debiased(0.999, 1e-16, mean_beta=0.9)
)
BELIEF_WITHHELD = parts.Diagonal(
    parts.Deviations(0.999, 1e-16), parts.Rectified(0.999, 1e-16, mean_beta=0.9, early=0.0)
)
NADAM = replace(
    r.adamw(lr=0.02, weight_decay=0.0), estimator=st.estimators.EMA(0.9, "debiased", nesterov=True)
)
OPTAX = {"transposed": True, "offset": 1e-8, "iteration": MUON_STEPS, "length": 0.02 * 1.5**0.5}
POLAR_EXPRESS_5 = replace(
    r.polar_grad(lr=0.02), geometry=st.Spectral(st.linalg.NewtonSchulz("polar_express", 5))
)
POLAR_EXPRESS_10 = replace(
    r.polar_grad(lr=0.02), geometry=st.Spectral(st.linalg.NewtonSchulz("polar_express", 10))
)
CASES = [
    Case("kj_muon", "wd0_g1", MATRICES, r.muon(), muon_loop(added=1e-7), 1e-7, MUON_STEPS, 0.02 * 1.5**0.5),
    Case(
        "kj_muon",
        "auxadam_wd0_g1",
        MATRICES,
        r.muon(),
        muon_loop(added=1e-7),
        1e-7,
        MUON_STEPS,
        0.02 * 1.5**0.5,
    ),
    Case(
        "kj_muon",
        "auxadam_wd0_g1",
        (3,),
        r.adamw(lr=3e-4, betas=(0.9, 0.95), eps=1e-10, weight_decay=0.0),
        adam_loop(lr=3e-4, betas=(0.9, 0.95), eps=1e-10),
    ),
    Case(
        "torch_muon", "orig_wd0_g1", MATRICES, r.muon.torch(lr=0.02, weight_decay=0.0), muon_loop(least=1e-7)
    ),
    Case(
        "torch_muon",
        "matchrms_wd0_g1",
        MATRICES,
        r.muon.torch(lr=0.02, weight_decay=0.0, scale="match_rms_adamw"),
        muon_loop(least=1e-7, scale="match_rms_adamw"),
    ),
    Case(
        "moonlight_muon",
        "wd0_g1",
        MATRICES,
        r.muon.moonlight(weight_decay=0.0),
        muon_loop(added=1e-7, lr=1e-3, scale="match_rms_adamw", kind="heavy_ball"),
        1e-7,
        MUON_STEPS,
        1e-3 * 0.2 * 6**0.5,
    ),
    Case(
        "moonlight_muon",
        "wd0_g1",
        (3,),
        r.adamw(lr=1e-3, betas=(0.9, 0.95), eps=hf_eps, weight_decay=0.0),
        adam_loop(lr=1e-3, betas=(0.9, 0.95), eps=hf_eps),
    ),
    Case(
        "optax_muon",
        "default_wd0_g1",
        MATRICES,
        r.muon.optax(lr=0.02),
        muon_loop(added=1e-8, kind="debiased"),
        **OPTAX,
    ),
    Case("optax_muon", "default_wd0_g1", (3,), NADAM, adam_loop(lr=0.02, nesterov=True)),
    Case(
        "optax_muon",
        "nonest_wd0_g1",
        MATRICES,
        r.muon.optax(lr=0.02, nesterov=False),
        muon_loop(added=1e-8, kind="debiased", nesterov=False),
        **OPTAX,
    ),
    Case("optax_muon", "nonest_wd0_g1", (3,), r.adamw(lr=0.02, weight_decay=0.0), adam_loop(lr=0.02)),
    Case(
        "optax_muon",
        "rms0.2_wd0_g1",
        MATRICES,
        replace(r.muon.optax(lr=0.02), scaling=st.parts.NormScaling("ball", "match_rms_adamw")),
        muon_loop(added=1e-8, kind="debiased", scale="match_rms_adamw"),
        **{**OPTAX, "length": 0.02 * 0.2 * 6**0.5},
    ),
    Case(
        "optax_muon",
        "coef_dion_wd0_g1",
        MATRICES,
        replace(r.muon.optax(lr=0.02), geometry=st.Spectral(st.linalg.NewtonSchulz("you_jiacheng_5"))),
        muon_loop(YOU_5, added=1e-8, kind="debiased"),
        **{**OPTAX, "iteration": YOU_5},
    ),
    Case(
        "optax_muon",
        "adaptive_wd0_g1",
        MATRICES,
        replace(r.muon.optax(lr=0.02), scaling=st.parts.NormScaling("regularization", "original")),
        adaptive_loop,
        **OPTAX,
    ),
    Case("polargrad", "qdwh6_wd0_g1", MATRICES, r.polar_grad(lr=0.02), polar_loop()),
    Case("polargrad", "qdwh10_wd0_g1", MATRICES, r.polar_grad(lr=0.02), polar_loop()),
    Case(
        "polargrad",
        "pe10_wd0_g1",
        MATRICES,
        POLAR_EXPRESS_10,
        polar_loop(orthogonalize=partial(recipes.iterate, steps=POLAR_EXPRESS, factor=1.01, added=1e-7)),
    ),
    Case(
        "polargrad",
        "pe5_wd0_g1",
        MATRICES,
        POLAR_EXPRESS_5,
        polar_loop(orthogonalize=partial(recipes.iterate, steps=POLAR_EXPRESS[:5], factor=1.01, added=1e-7)),
        1e-7,
        POLAR_EXPRESS[:5],
        0.02,
    ),
    Case("lion", "wd0_g1", ALL, r.lion(), method_loop(recipes.lion)),
    Case("optax_lion", "wd0_g1", ALL, r.lion(), method_loop(recipes.lion)),
    Case("radam", "radam_sgd_wd0_g1", ALL, r.radam(), method_loop(recipes.radam)),
    Case("radam", "plain_sgd_wd0_g1", ALL, r.radam(), method_loop(recipes.radam)),
    Case(
        "radam",
        "radam_b2_0.9_sgd_wd0_g1",
        ALL,
        r.radam(betas=(0.9, 0.9)),
        method_loop(recipes.radam, betas=(0.9, 0.9)),
    ),
    Case(
        "radam",
        "radam_wd0_g1",
        ALL,
        replace(r.radam(), preconditioner=WITHHELD),
        method_loop(recipes.radam, early=0.0),
    ),
    Case("adabelief", "rectify_wd0_g1", ALL, r.adabelief(), method_loop(recipes.adabelief)),
    Case(
        "adabelief",
        "rectify_b2_0.9_wd0_g1",
        ALL,
        r.adabelief(betas=(0.9, 0.9)),
        method_loop(recipes.adabelief, betas=(0.9, 0.9)),
    ),
    *(
        Case(
            "adabelief",
            f"norectify{kind}_wd0_g1",
            ALL,
            r.adabelief(rectify=False, decay=decay, eps=eps),
            method_loop(recipes.adabelief, rectify=False, decay=decay, eps=eps),
        )
        for kind, decay, eps in (
            ("", "decoupled", 1e-16),
            ("_eps1e-8", "decoupled", 1e-8),
            ("_l2", "l2", 1e-16),
            ("_fixed", "independent", 1e-16),
        )
    ),
    Case(
        "adabelief",
        "norectify_ams_wd0_g1",
        ALL,
        replace(r.adabelief(), preconditioner=BELIEF_AMS),
        method_loop(recipes.adabelief, rectify=False, amsgrad=True),
    ),
    Case(
        "adabelief",
        "rectify_nosgd_wd0_g1",
        ALL,
        replace(r.adabelief(), preconditioner=BELIEF_WITHHELD),
        method_loop(recipes.adabelief, early=0.0),
    ),
    Case(
        "optax_adabelief",
        "default_g1",
        ALL,
        r.adabelief(rectify=False),
        method_loop(recipes.adabelief, rectify=False),
    ),
    *(
        Case(
            "scion",
            name,
            MATRICES,
            r.scion(lr=0.02, radius=3.0, constrained=constrained),
            method_loop(
                recipes.scion, normalized=scion_spectral, lr=0.02, radius=3.0, constrained=constrained
            ),
            1e-7,
            MUON_STEPS,
            0.02 * 3 * 1.5**0.5,
        )
        for name, constrained in (("auto_con_g1", True), ("auto_unc_g1", False))
    ),
    *(
        Case(
            "scion",
            name,
            (3,),
            r.scion(lr=0.02, radius=3.0, norm="bias_rms", constrained=constrained),
            method_loop(recipes.scion, normalized=scion_bias, lr=0.02, radius=3.0, constrained=constrained),
            7**0.5 * 1e-8,  # to the root mean square, not to the norm
            (),
            0.02 * 3 * 7**0.5,
        )
        for name, constrained in (("auto_con_g1", True), ("auto_unc_g1", False))
    ),
    *(
        clipped(f"{kind}_rho{rho:g}_g1", rho, lr, constrained)
        for rho in (100.0, 100000.0)
        for kind, lr, constrained in (("unconstrained", 2**-12, False), ("constrained", 2**-6, True))
    ),
    *(
        Case(
            method,
            name,
            ALL,
            r.schedule_free_sgd(lr=lr, r=power),
            method_loop(recipes.schedule_free, lr=lr, r=power),
        )
        for method, name, lr, power in (
            ("schedule_free", "sgd_wd0_g1", 0.1, 0.0),
            ("schedule_free", "sgd_warm4_r1_wd0_g1", warm_up(0.1), 1.0),
            ("optax_schedule_free", "sgd_wd0_g1", 0.1, 0.0),
            ("optax_schedule_free", "wrapper_sgd_wd0_g1", 0.1, 0.0),
        )
    ),
    *(
        Case(
            method,
            name,
            ALL,
            r.schedule_free_adamw(lr=lr),
            method_loop(recipes.schedule_free, lr=lr, betas=(0.0, 0.999)),
        )
        for method, name, lr in (
            ("schedule_free", "adamw_wd0_g1", 0.0025),
            ("schedule_free", "adamw_noforeach_wd0_g1", 0.0025),
            ("schedule_free", "adamw_warm4_wd0_g1", warm_up(0.0025)),
            ("optax_schedule_free", "adamw_wd0_g1", 0.0025),
        )
    ),
    Case(
        "schedule_free",
        "adamw_innermom_wd0_g1",
        ALL,
        r.schedule_free(r.adamw(lr=0.0025, betas=(0.8, 0.999), weight_decay=0.0)),
        method_loop(recipes.schedule_free, lr=0.0025, betas=(0.8, 0.999)),
    ),
]
