"""Trajectories of HTMuon, Freon (third-party code), LionMuon and SignMuon, Dion, low-rank Muon."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from published.trajectories import MATRICES, Blocks, Case, JointLoop, stored
from reference import recipes, spectrum
from reference.newton_schulz import MUON, Steps

import schattor as st
from schattor.recipes.lion_muon import Every

r, parts = st.recipes, st.parts
FIVE: Steps = (MUON,) * 5
SIX: Steps = (MUON,) * 6
NS = {"offset": 1e-7, "iteration": FIVE}
WIDEST = 1.5**0.5  # the largest shape factor of the stored shapes


def muon_five(u: np.ndarray) -> np.ndarray:
    """Five steps, with the code's eps."""
    return recipes.iterate(u, FIVE, added=1e-7)


def loop(direction: Callable[[np.ndarray, int], np.ndarray], **arguments: Any) -> Any:
    """The literal momentum rule with a direction and the shape factor sqrt(max(1, rows / cols))."""

    def scaled(u: np.ndarray, t: int) -> np.ndarray:
        return spectrum.original(u) * direction(u, t)

    return partial(spectrum.momentum_rule, direction=scaled, **{"lr": 0.02, **arguments})


@dataclass(frozen=True)
class Last:
    """0 in every k-th step, counted from one, and 1 between."""

    k: int

    def __call__(self, step: int) -> int:
        """The position."""
        return 0 if (step + 1) % self.k == 0 else 1


def htmuon_interval(power: float) -> st.Recipe:
    """Exact powers in every fifth step, Muon between."""
    choice, exact = Last(5), r.htmuon(power=power)
    muon = r.muon()
    return replace(
        exact,
        geometry=st.Switched(choice, (exact.geometry, muon.geometry)),
        scaling=parts.SwitchedScaling(choice, (exact.scaling, muon.scaling)),
    )


def htmuon_cases() -> list[Case]:
    """Exact, by rank, and alternating with Muon."""
    cases = []
    for p in (0.25, 0.125):
        cases += [
            Case(
                "htmuon",
                f"svd_p{p}_wd0_g1",
                MATRICES,
                r.htmuon(power=p),
                loop(lambda u, t, p=p: spectrum.power(u, p)),
            ),
            Case(
                "htmuon",
                f"rank_p{p}_wd0_g1",
                MATRICES,
                r.htmuon.rank(power=p),
                loop(lambda u, t, p=p: spectrum.ranks(u, p)),
            ),
            Case(
                "htmuon",
                f"interval_p{p}_wd0_g1",
                MATRICES,
                htmuon_interval(p),
                loop(lambda u, t, p=p: spectrum.power(u, p) if (t + 1) % 5 == 0 else muon_five(u)),
                **NS,
                length=0.02 * WIDEST,
            ),
            *(
                Case(
                    "htmuon",
                    f"{kind}_p{p}_wd0_g1",
                    (3,),
                    r.adamw(lr=3e-4, betas=(0.9, 0.95), eps=1e-10, weight_decay=0.0),
                    partial(recipes.adamw, lr=3e-4, betas=(0.9, 0.95), eps=1e-10, weight_decay=0.0),
                )
                for kind in ("svd", "rank", "interval")
            ),
        ]
    return cases


def third_party_freon(power: float) -> st.Recipe:
    """EMA with Nesterov, singular values to a power divided by their largest, sqrt(max(1, rows / cols))."""
    return replace(
        r.muon(),
        preconditioner=parts.SpectralMap(power, "largest"),
        geometry=st.Lp(2),
        scaling=parts.NormScaling("regularization", "original"),
    )


FREON = (
    [
        Case(
            "freon_thirdparty",
            f"p{p}_wd0_g1",
            MATRICES,
            third_party_freon(p - 1),
            loop(lambda u, t, p=p: spectrum.inverted(u, p - 1)),
            tolerance=1e-6,  # the code adds 1e-7 to ||u|| and to the largest of the powers, at most 1e-7 of it each
        )
        for p in (0.5, 1.5, 2.0)
    ]
    + [
        Case(
            "freon_thirdparty",
            "p1.0_wd0_g1",
            MATRICES,
            r.muon(),
            loop(lambda u, t: muon_five(u)),
            **NS,
            length=0.02 * WIDEST,
        )
    ]
)


def lion_eps(t: int) -> float:
    """The auxiliary AdamW adds eps to sqrt(V) before the bias correction: eps / sqrt(1 - b2^t) after it."""
    return 1e-8 / math.sqrt(1 - 0.999 ** (t + 1))


LION = [
    case
    for every in (5, 2, 1)
    for case in (
        Case(
            "lionmuon",
            f"k{every}_wd0_g1",
            MATRICES,
            r.lion_muon(every=every),
            partial(spectrum.lion_muon, every=every),
            offset=1e-7,
            iteration=SIX,
            length=2e-3 * 0.2 * 6**0.5,
        ),
        Case(
            "lionmuon",
            f"k{every}_wd0_g1",
            (3,),
            r.adamw(lr=3e-4, betas=(0.8, 0.999), eps=lion_eps, weight_decay=0.1),
            partial(recipes.adamw, lr=3e-4, betas=(0.8, 0.999), eps=lion_eps, weight_decay=0.1),
        ),
    )
]


def rms_entry(rows: int, cols: int) -> float:
    """A quarter of the step of SignMuon's "sign": sqrt(max(1, m/n)) / sqrt(max(m, n))."""
    return 0.25 * max(1.0, rows / cols) ** 0.5 / max(rows, cols) ** 0.5


def rms_matrix(rows: int, cols: int) -> float:
    """A quarter of the step of SignMuon's "norm": sqrt(max(1, m/n)) sqrt(min(m, n))."""
    return 0.25 * max(1.0, rows / cols) ** 0.5 * min(rows, cols) ** 0.5


CHEAP: dict[str, tuple[st.Lp | st.Schatten, Any]] = {
    "sign": (st.Sign(), rms_entry),
    "norm": (st.Lp(2), rms_matrix),
    "cheap_ns": (st.Spectral(st.linalg.NewtonSchulz("muon", 2)), "match_rms_adamw"),
}


def sign_muon(mode: str) -> st.Recipe:
    """Muon at every fifth step and a cheap direction between."""
    geometry, scale = CHEAP[mode]
    choice, moonlight = Every(5), r.muon.moonlight(lr=0.02, weight_decay=0.0)
    return replace(
        moonlight,
        geometry=st.Switched(choice, (st.Spectral(st.linalg.NewtonSchulz("muon", 6)), geometry)),
        scaling=parts.SwitchedScaling(choice, (moonlight.scaling, parts.NormScaling("ball", scale))),
    )


SIGN = [
    Case(
        "lionmuon",
        f"signmuon_{mode}_wd0_g1",
        MATRICES,
        sign_muon(mode),
        partial(
            spectrum.momentum_rule, direction=spectrum.sign_muon_direction(mode), lr=0.02, kind="heavy_ball"
        ),
        offset=1e-7,
        iteration=SIX,
        length=0.02 * 0.2 * 6**0.5,
    )
    for mode in CHEAP
]


def dion_loop(name: str) -> JointLoop:
    """The literal Dion of each block from its stored Q."""

    def run(W: Blocks, gradients: list[Blocks]) -> list[Blocks]:
        paths = {
            k: spectrum.dion(
                W[k], [G[k] for G in gradients], stored("dion")[f"{name}/Q0_{k}"].astype(W[k].dtype)
            )
            for k in W
        }
        return [{k: path.weights[t] for k, path in paths.items()} for t in range(len(gradients))]

    return run


def with_basis(name: str) -> Callable[[st.Optimizer], None]:
    """Let each block start from its stored Q."""

    def prepare(opt: st.Optimizer) -> None:
        state = opt.state_dict()
        for k, W in opt.params.items():
            state[f"state/{k}/basis"] = stored("dion")[f"{name}/Q0_{k}"].astype(W.dtype)
        opt.load_state_dict(state)

    return prepare


def dion_case(kind: str, fractions: dict[int, float]) -> list[Case]:
    """One stored case: the blocks for which the code keeps Q on the smaller side, each with its rank."""
    name = f"{kind}_wd0_g1"
    routes = {
        str(k): r.dion(rank_fraction=fraction, weight_decay=0.0, rng=0) for k, fraction in fractions.items()
    }
    return [Case("dion", name, tuple(fractions), routes, joint=dion_loop(name), prepare=with_basis(name))]


DION = [
    *dion_case("simple_r2", {0: 0.5, 2: 0.4}),
    *dion_case("simple_r4", {0: 1.0, 2: 0.8}),
    *(
        case
        for qr in ("qr", "cqr", "rcqr")
        for fraction in (0.5, 1.0)
        for case in dion_case(f"reference_{qr}_rf{fraction}", dict.fromkeys(MATRICES, fraction))
    ),
    *(
        Case(
            "dion",
            f"muon_reference_{adjust}_wd0_g1",
            MATRICES,
            r.muon(lr=0.01, scale=scale),
            partial(
                recipes.muon,
                lr=0.01,
                scale=scale,
                kind="heavy_ball",
                orthogonalize=partial(recipes.iterate, steps=FIVE, added=1e-8),
            ),
            offset=1e-8,
            iteration=FIVE,
            length=0.01 * 1.5,
        )
        for adjust, scale in (
            ("spectral_norm", "spectral"),
            ("rms_norm", "match_rms_adamw"),
            ("None", "none"),
        )
    ),
]


def columns(k: int, t: int) -> np.ndarray:
    """The stored columns of a step."""
    return stored("lowrank_muon")[f"k3_wd0_g1/cols_{k}"][t]


def low_rank_loop(W: Blocks, gradients: list[Blocks]) -> list[Blocks]:
    """The literal rule with the stored columns."""
    paths = {
        k: loop(lambda u, t, k=k: spectrum.low_rank(u, columns(k, t).astype(int)))(
            W[k], [G[k] for G in gradients]
        )
        for k in W
    }
    return [{k: path.weights[t] for k, path in paths.items()} for t in range(len(gradients))]


def with_columns(opt: st.Optimizer, t: int) -> None:
    """Let each block take the stored columns."""
    state = opt.state_dict()
    for k, W in opt.params.items():
        state[f"state/{k}/columns"] = columns(int(k), t).reshape(1, -1).astype(W.dtype)
    opt.load_state_dict(state)


LOW_RANK = [
    Case(
        "lowrank_muon",
        "k3_wd0_g1",
        MATRICES,
        r.low_rank_muon(rank=3, rng=0),
        joint=low_rank_loop,
        before_step=with_columns,
        tolerance=1e-6,  # the code adds 1e-7 to the norm of Q' u, which is of order one here
    )
]

CASES = [*htmuon_cases(), *FREON, *LION, *SIGN, *DION, *LOW_RANK]
