"""Trajectories of SOAP, distributed Shampoo and Newton-Muon."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from published.trajectories import ALL, GRADIENTS, MATRICES, W0, Case, stored
from reference import kronecker
from reference.kronecker import Graft
from reference.newton_schulz import MUON
from reference.recipes import Path

import schattor as st

r = st.recipes
parts = st.parts


class SoapCase(Case):
    """SOAP of one array: the first eigenbasis of an oblong block is arbitrary in the null space, so it is injected."""

    def path(self, k: int, W: np.ndarray, gradients: list[np.ndarray]) -> Path:
        """The literal loop from the stored bases."""
        assert self.loop is not None
        return self.loop(W, gradients, bases=tuple(bases(self.name, k)))


def bases(name: str, k: int) -> list[np.ndarray | None]:
    """The stored bases of the left and the right side."""
    return [stored("soap").get(f"{name}/{which}_{k}") for which in ("QL", "QR")]


def inject_bases(name: str, opt: st.Optimizer, t: int) -> None:
    """Replace the bases after the first call, which only makes them."""
    if t != 1:
        return
    state = opt.state_dict()
    for k in opt.params:
        for side, Q in zip(("left", "right"), bases(name, int(k)), strict=True):
            if Q is not None:
                key = f"state/{k}/{side}_basis"
                state[key] = np.ascontiguousarray(Q, dtype=state[key].dtype)
    opt.load_state_dict(state)


def soap_case(name: str, recipe: Any = None, **arguments: Any) -> Case:
    """A trajectory of SOAP without decay."""
    literal = {key: arguments.pop(key) for key in ("shampoo_beta", "debias", "normalize") if key in arguments}
    return SoapCase(
        "soap",
        name,
        ALL,
        recipe or r.soap(weight_decay=0.0, **arguments),
        partial(kronecker.soap, **arguments, **literal),
        before_step=partial(inject_bases, name),
    )


def corrected(step: int) -> float:
    """3e-3 sqrt(1 - b^t) / (1 - b^t), t = 1 in the second call."""
    return 3e-3 / math.sqrt(1 - 0.95 ** max(1, step))


# Without debiasing: plain division, momentum from zero.
SOAP = r.soap(weight_decay=0.0, precondition_frequency=3)
NOT_DEBIASED = replace(SOAP, preconditioner=parts.Diagonal(parts.Squares(0.95), parts.Plain(1e-8)), lr=3e-3)
# To a root mean square of one before the lr and its corrections.
NORMALIZED = {
    str(k): replace(NOT_DEBIASED, lr=corrected, scaling=parts.NormScaling("ball", math.sqrt(W0[k].size)))
    for k in ALL
}

# The learning rate is held in single precision there.
LR = float(np.float32(0.01))
GRAFTS: dict[str, tuple[Graft, st.parts.Preconditioner]] = {
    "sgd": (Graft("sgd"), parts.Identity()),
    "adagrad": (Graft("adagrad"), parts.Diagonal(parts.SumOfSquares(), parts.Plain(1e-8))),
    "rmsprop": (Graft("rmsprop", beta=0.99), parts.Diagonal(parts.Squares(0.99), parts.Plain(1e-8))),
    "adam": (Graft("adam", beta=0.999), parts.SecondMoment(0.999, 1e-8)),
    "adam_beta2_0.95": (Graft("adam", beta=0.95), parts.SecondMoment(0.95, 1e-8)),
}
# A vector's factor has rank t < 7 at first. Rounding, 2e-16 of its largest eigenvalue, leaks into the rest of the
# space, which the root multiplies by eps^-1/2 = 1e6, and by its own error: some 1e-9 of the step.
RANK_DEFICIENT: dict[str, Any] = {"published_tolerance": 5e-9, "tolerance": 5e-9}
# A root from four gradients that serves later ones: the step has components of 1e6 ||u|| along eigenvectors whose
# eigenvalues, eps = 1e-12, carry an error of 2.2e-16 times the largest, some 20: 4.4e-3 of them, half of that in the
# root. How much of it shows depends on the processor's kernels. In float32 that error exceeds eps.
STALE: dict[str, Any] = {"published_tolerance": 2.2e-3, "tolerance": 2.2e-3, "float32": False}


def shampoo_cases(
    name: str, recipe: st.Recipe | None = None, vector: dict[str, Any] = RANK_DEFICIENT, **arguments: Any
) -> list[Case]:
    """A trajectory of distributed Shampoo, matrices and vector apart: they have different tolerances."""
    literal = {k: v for k, v in arguments.items() if k != "grafting"}
    graft = arguments.get("grafting")
    if graft is not None:
        literal["graft"], arguments["grafting"] = GRAFTS[graft]
    literal["start"] = literal.pop("start_preconditioning_step", None)
    loop = partial(kronecker.shampoo, lr=LR, **literal)
    keywords = ("betas", "grafting", "eps", "precondition_frequency", "start_preconditioning_step", "decay")
    own = {k: v for k, v in arguments.items() if k in keywords}
    return [
        Case("distributed_shampoo", name, indices, recipe or r.shampoo(lr=LR, **own), loop, **tolerances)
        for indices, tolerances in ((MATRICES, {}), ((3,), vector))
    ]


def scaled(factor: Callable[[int], float]) -> Callable[[int], float]:
    """The learning rate times a function of t = 1, 2, ..."""
    return lambda step: LR * factor(step + 1)


PLAIN = r.shampoo(lr=LR)
# What is not debiased there is debiased here, and the lr makes up for it: u is 1 - b^t times as long, and the two
# powers (1 - b^t)^-1/4, or the one (1 - b^t)^-1/2, give (1 - b^t)^-1/2; eps weighs no more than rounding.
NOT_CORRECTED = r.shampoo(lr=scaled(lambda t: math.sqrt(1 - 0.9**t)), betas=(0.9, 0.9))
TWO_AVERAGES = replace(
    r.shampoo(lr=scaled(lambda t: 1 / (1 - 0.5 * 0.9 ** (t - 1)))),
    estimator=st.estimators.DoubleEMA(0.5, 0.9),
)
MOMENTUM = replace(PLAIN, output=st.estimators.HeavyBall(0.5, init="zero"))
# (1 - d) P + mu B with B = mu B + (1 - d) P: the factor 1 - d comes out of both.
NESTEROV = replace(r.shampoo(lr=0.75 * LR), output=st.estimators.HeavyBall(0.5, init="zero", nesterov=True))
# SOAP's relative: bases are eigenvectors in every step, from the first on, and eps stands beside the debiased root.
CORRECTED_EIGENVALUES = replace(
    r.soap(lr=LR, betas=(0.9, 0.9), skip_first=False, precondition_frequency=1, weight_decay=0.0),
    frame=parts.Eigenbasis(0.9, 1, following="eigenvectors"),
    estimator=st.estimators.EMA(0.9, "debiased"),
    preconditioner=parts.SecondMoment(0.9, 1e-8),
)
MERGED = {
    "start": {k: W0[k].ravel() for k in ALL},
    "gradients": {k: [G.ravel() for G in GRADIENTS[k]] for k in ALL},
}

MUON_STEPS = (MUON,) * 5
STATS = "stats_start31"
KINDS = {0: {"parts": 3}, 1: {}, 2: {}, 3: {"blocks": 4}}  # of the arrays of that case


def newton_loop(**arguments: Any) -> Callable[..., Path]:
    """The literal Newton-Muon with five steps."""
    return partial(kronecker.newton_muon, orthogonalize=kronecker.five_steps, **arguments)


class NewtonCase(Case):
    """Newton-Muon with the stored activations of the refresh at its first step."""

    def path(self, k: int, W: np.ndarray, gradients: list[np.ndarray]) -> Path:
        """The literal loop with the activations of this array."""
        Z = stored("newton_muon")[f"{STATS}/Z_{k}"].astype(W.dtype)
        return newton_loop(activations=lambda t: Z, offset=31, **KINDS[k])(W, gradients)


def stored_activations(t: int) -> dict[str, dict[str, np.ndarray]]:
    """Those of step 1 in every step: the others are not read."""
    return {"activations": {str(k): stored("newton_muon")[f"{STATS}/Z_{k}"] for k in KINDS}}


def ones(t: int) -> dict[str, dict[str, np.ndarray]]:
    """Activations that no step reads."""
    return {"activations": {str(k): np.ones((1, W0[k].shape[1])) for k in MATRICES}}


def start_at_31(opt: st.Optimizer) -> None:
    """Count 31 steps before the first, so that it is the 32nd."""
    state = opt.state_dict()
    opt.load_state_dict({k: np.array(31) if k.endswith("/count") else v for k, v in state.items()})


def four_blocks() -> st.Recipe:
    """With K in four diagonal blocks."""
    return replace(r.newton_muon(), transforms=(parts.InverseInputMoment(blocks=4),))


CASES = [
    soap_case("freq10_wd0_g1"),
    soap_case("freq1_wd0_g1", precondition_frequency=1),
    soap_case("freq3_wd0_g1", precondition_frequency=3),
    soap_case("freq3_onesided_wd0_g1", precondition_frequency=3, max_precond_dim=5),
    soap_case(
        "freq3_shb09_wd0_g1",
        replace(SOAP, frame=parts.LaggedEigenbasis(0.9, 3)),
        precondition_frequency=3,
        shampoo_beta=0.9,
    ),
    soap_case("freq3_normgrads_wd0_g1", NORMALIZED, precondition_frequency=3, normalize=True),
    soap_case("freq3_nobc_wd0_g1", NOT_DEBIASED, precondition_frequency=3, debias=False),
    *shampoo_cases("nograft_wd0_g1"),
    *shampoo_cases("nograft_beta2_0.9_wd0_g1", betas=(0.9, 0.9)),
    *shampoo_cases("graft_sgd_wd0_g1", grafting="sgd"),
    *shampoo_cases("graft_adagrad_wd0_g1", grafting="adagrad"),
    *shampoo_cases("graft_rmsprop_wd0_g1", grafting="rmsprop"),
    *shampoo_cases("graft_adam_wd0_g1", grafting="adam"),
    *shampoo_cases("graft_adam_freq4_wd0_g1", vector=STALE, grafting="adam", precondition_frequency=4),
    *shampoo_cases(
        "graft_adam_freq3_start5_wd0_g1",
        grafting="adam",
        precondition_frequency=3,
        start_preconditioning_step=5,
    ),
    *shampoo_cases("nograft_freq4_wd0_g1", vector=STALE, precondition_frequency=4),
    *shampoo_cases("graft_adam_beta2_0.95_wd0_g1", betas=(0.9, 0.95), grafting="adam_beta2_0.95"),
    *shampoo_cases("nograft_beta3_0.5_wd0_g1", TWO_AVERAGES, beta3=0.5),
    *shampoo_cases("nograft_nobc_beta2_0.9_wd0_g1", NOT_CORRECTED, betas=(0.9, 0.9), debias=False),
    *shampoo_cases("nograft_l2_wd0_g1", decay="l2"),
    *shampoo_cases("nograft_eps1e-3_wd0_g1", vector={}, eps=1e-3),
    *shampoo_cases("nograft_momentum_wd0_g1", MOMENTUM, momentum=0.5),
    *shampoo_cases(
        "nograft_momentum_nest_damp_wd0_g1", NESTEROV, momentum=0.5, dampening=0.25, nesterov=True
    ),
    Case(
        "distributed_shampoo",
        "default_merge_wd0_g1",
        ALL,
        PLAIN,
        partial(kronecker.shampoo, lr=LR),
        **MERGED,
        **RANK_DEFICIENT,
    ),
    # The first gradient in its own bases is diagonal but for rounding, 1e-15, which eps = 1e-8 lets through: 1e-7. In
    # float32 it is 1e-6, and the step is noise.
    Case(
        "distributed_shampoo",
        "eigcorrected_square_wd0_g1",
        (2,),
        CORRECTED_EIGENVALUES,
        partial(
            kronecker.soap,
            lr=LR,
            betas=(0.9, 0.9),
            eps=lambda step: 1e-8 * math.sqrt(1 - 0.9 ** (step + 1)),
            skip_first=False,
            exact=True,
            precondition_frequency=1,
        ),
        published_tolerance=2e-7,
        tolerance=2e-7,
        float32=False,
    ),
    Case(
        "newton_muon",
        "nostats_g1",
        MATRICES,
        r.newton_muon(),
        newton_loop(activations=None),
        1e-7,
        MUON_STEPS,
        3e-4 * 6**0.5,
        extras=ones,
    ),
    NewtonCase(
        "newton_muon",
        STATS,
        (0, 1, 2, 3),
        {"3": four_blocks(), "*": r.newton_muon()},
        newton_loop(activations=None),
        1e-7,
        MUON_STEPS,
        3e-4 * 12**0.5,
        start={k: stored("newton_muon")[f"{STATS}/W0_{k}"] for k in KINDS},
        gradients={k: list(stored("newton_muon")[f"{STATS}/G_{k}"]) for k in KINDS},
        extras=stored_activations,
        options={"views": {"0": st.views.split(3, axis=0)}},
        prepare=start_at_31,
    ),
]
