"""Trajectories of published code: the literal loops reproduce them, and so do the recipes.

Two of the codes add an `eps` to the Frobenius norm before Newton-Schulz, which the package does not do: its result does
not depend on the scale of the gradient. Such a case is compared twice: the literal loop with that eps against the
trajectory, to rounding; and the recipe against the trajectory, to the largest effect that the eps can have.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path as File
from typing import Any

import numpy as np
import pytest
from reference import recipes
from reference.newton_schulz import MUON, POLAR_EXPRESS_RAW, YOU_5, Steps, composite, with_safety

import schattor as st

HERE = File(__file__).parent
STEPS = 12
MUON_STEPS: Steps = (MUON,) * 5
POLAR_EXPRESS: Steps = (*with_safety(POLAR_EXPRESS_RAW), (1.875, -1.25, 0.375), (1.875, -1.25, 0.375))
INPUTS = dict(np.load(HERE / "inputs.npz"))
W0 = {k: INPUTS[f"W0_{k}"] for k in range(4)}
GRADIENTS = {k: list(INPUTS[f"G_{k}"]) for k in range(4)}
MATRICES = (0, 1, 2)


@cache
def stored(method: str) -> dict[str, np.ndarray]:
    """All arrays of a method."""
    with np.load(HERE / f"{method}.npz") as arrays:
        return dict(arrays)


@cache
def sensitivity(iteration: Steps) -> float:
    """Largest |s f'(s)| of the composite polynomial f."""
    s = np.geomspace(1e-4, 1, 20001)
    return float(np.abs(np.diff(composite(s, iteration)) / np.diff(np.log(s))).max())


Loop = Callable[[np.ndarray, list[np.ndarray]], recipes.Path]


@dataclass(frozen=True)
class Case:
    """One trajectory: the recipe, the literal loop, and how far the recipe's rule may differ from the code's.

    `offset` is the eps that the code adds to the norm before Newton-Schulz with `iteration`; `length` bounds lr times
    the factor on the orthogonalised matrix.
    """

    method: str
    name: str
    indices: tuple[int, ...]
    recipe: st.Recipe
    loop: Loop
    offset: float = 0.0
    iteration: Steps = ()
    length: float = 0.0
    transposed: bool = False  # optax stores x W: its matrices are transposed to (out, in)

    def __str__(self) -> str:
        return f"{self.method}-{self.name}-{'vector' if self.indices == (3,) else 'matrices'}"

    def oriented(self, x: np.ndarray) -> np.ndarray:
        """The array as (out, in)."""
        return x.T if self.transposed else x

    def published(self, k: int) -> list[np.ndarray]:
        """Weights of the public code after each step."""
        return [self.oriented(x) for x in stored(self.method)[f"{self.name}/W_{k}"]]


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


def scion_spectral(M: np.ndarray) -> np.ndarray:
    """Five steps, times sqrt(rows / cols)."""
    return recipes.iterate(M, MUON_STEPS, added=1e-7) * np.sqrt(M.shape[0] / M.shape[1])


def scion_bias(M: np.ndarray) -> np.ndarray:
    """To a root mean square of one."""
    return M / (np.sqrt((M**2).mean()) + 1e-8)


r = st.recipes
ALL = (0, 1, 2, 3)
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


def displacement(case: Case, k: int) -> float:
    """Largest distance of the public trajectory from its start."""
    return max(float(np.abs(W - case.oriented(W0[k])).max()) for W in case.published(k))


def eps_effect(case: Case, k: int, path: recipes.Path) -> float:
    """Largest effect of the code's eps on any entry of the weights.

    An eps in the norm shrinks every singular value s of X by the factor 1 - eps/||u||; the composite polynomial f turns
    that into a change of at most sup |s f'(s)| eps/||u||, and the sum of all steps adds up.
    """
    if not case.offset:
        return 0.0
    total = 0.0
    for u in path.estimates:
        effect = case.length * np.sqrt(min(u.shape)) * sensitivity(case.iteration)
        effect *= case.offset / float(np.linalg.norm(u))
        if case.recipe.scaling.rule == "regularization":
            effect *= 2 * 1.2 * float(np.linalg.norm(u, "nuc"))  # O enters twice, and <u, O> <= 1.2 ||u||_*
        total += effect
    return total


@pytest.mark.parametrize("case", CASES, ids=str)
def test_literal_loop_reproduces_the_code(case: Case) -> None:
    """The loop in tests/reference is the published rule: equal to rounding."""
    for k in case.indices:
        path = case.loop(case.oriented(W0[k]), [case.oriented(G) for G in GRADIENTS[k]])
        tolerance = 1e-12 * displacement(case, k)
        for got, wanted in zip(path.weights, case.published(k), strict=True):
            np.testing.assert_allclose(got, wanted, rtol=0, atol=tolerance)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_recipe_reproduces_the_code(case: Case) -> None:
    """Within 1e-9 of the largest displacement, beside what the code's eps can do."""
    params = {str(k): case.oriented(W0[k]).copy(order="C") for k in case.indices}
    opt = st.Optimizer(params, case.recipe)
    paths = {
        k: case.loop(case.oriented(W0[k]), [case.oriented(G) for G in GRADIENTS[k]]) for k in case.indices
    }
    expected = {k: case.published(k) for k in case.indices}
    for t in range(STEPS):
        opt.step({str(k): case.oriented(GRADIENTS[k][t]) for k in case.indices})
        for k in case.indices:
            tolerance = 1e-9 * displacement(case, k) + eps_effect(case, k, paths[k])
            assert tolerance < 1e-3 * displacement(case, k), "the bound says something"
            np.testing.assert_allclose(params[str(k)], expected[k][t], rtol=0, atol=tolerance)


@pytest.mark.parametrize("case", [case for case in CASES if "schedule_free" in case.method], ids=str)
def test_evaluation_point_of_the_code(case: Case) -> None:
    """The points to evaluate are those of the public code as well."""
    params = {str(k): W0[k].copy() for k in ALL}
    opt = st.Optimizer(params, case.recipe)
    for t in range(STEPS):
        opt.step({str(k): GRADIENTS[k][t] for k in ALL})
        for k, x in opt.evaluation_params().items():
            wanted = stored(case.method)[f"{case.name}/X_{k}"][t]
            np.testing.assert_allclose(x, wanted, rtol=0, atol=1e-9 * displacement(case, int(k)))


def test_routed_hybrid_reproduces_muon_with_auxiliary_adam() -> None:
    """One optimizer with routes moves matrices and the vector as SingleDeviceMuonWithAuxAdam does."""
    muon = next(c for c in CASES if c.name == "auxadam_wd0_g1" and c.indices == MATRICES)
    adam = next(c for c in CASES if c.name == "auxadam_wd0_g1" and c.indices == (3,))
    params = {str(k): W0[k].copy() for k in range(4)}
    opt = st.Optimizer(params, {"3": adam.recipe, "*": muon.recipe})
    for t in range(STEPS):
        opt.step({str(k): GRADIENTS[k][t] for k in range(4)})
    for k in range(4):
        case = adam if k == 3 else muon
        tolerance = 1e-9 * displacement(case, k) + eps_effect(case, k, case.loop(W0[k], GRADIENTS[k]))
        np.testing.assert_allclose(params[str(k)], case.published(k)[-1], rtol=0, atol=tolerance)


def test_every_stored_case_is_used() -> None:
    """Each trajectory in this directory is compared, and each left-out case has its reason."""
    used = {(case.method, case.name) for case in CASES}
    files = sorted(HERE.glob("*.json"))
    assert {file.stem for file in files} == {case.method for case in CASES}
    for file in files:
        record = json.loads(file.read_text())
        for name, details in record["cases"].items():
            assert (record["method"], name) in used
            indices = [
                k for case in CASES if case.name == name and case.method == file.stem for k in case.indices
            ]
            missing = set(details["params"]) - set(indices)
            # optax sends vectors to the same AdamW in every case; two of them cover both of its forms
            assert not missing or (file.stem == "optax_muon" and missing == {3}), name
        assert all(record["left_out"].values())
