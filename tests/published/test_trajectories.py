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


r = st.recipes
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
