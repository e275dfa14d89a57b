"""Trajectories of published code: the literal loops reproduce them, and so do the recipes."""

from __future__ import annotations

import importlib
import json

import numpy as np
import pytest
from published.torch_optim import grid
from published.trajectories import (
    ALL,
    GRADIENTS,
    HERE,
    MATRICES,
    STEPS,
    W0,
    Case,
    displacement,
    eps_effect,
    stored,
)

import schattor as st

CASES: list[Case] = [
    case
    for file in sorted(HERE.glob("cases_*.py"))
    for case in importlib.import_module(f"published.{file.stem}").CASES
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_literal_loop_reproduces_the_code(case: Case) -> None:
    """The loop in tests/reference is the published rule: equal to rounding."""
    path = case.literal()
    for k in case.indices:
        tolerance = case.published_tolerance * displacement(case, k)
        for got, wanted in zip(path[k], case.published(k), strict=True):
            np.testing.assert_allclose(got, wanted, rtol=0, atol=tolerance)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_recipe_reproduces_the_code(case: Case) -> None:
    """Within 1e-9 of the largest displacement, beside what the code's eps can do."""
    path = case.run()
    for k in case.indices:
        tolerance = case.tolerance * displacement(case, k) + eps_effect(case, k)
        assert tolerance < 5e-3 * displacement(case, k), "the bound says something"
        for got, wanted in zip(path[k], case.published(k), strict=True):
            np.testing.assert_allclose(got, wanted, rtol=0, atol=tolerance)


@pytest.mark.parametrize("case", [case for case in CASES if case.float32], ids=str)
def test_recipe_in_float32(case: Case) -> None:
    """Within 1e-4 of the largest displacement, or ten times the error of the literal loop in float32."""
    path, literal = case.run(np.float32), case.literal(np.float32)
    for k in case.indices:
        wanted = np.array(case.published(k))
        error = float(np.abs(np.array(literal[k], dtype=np.float64) - wanted).max())
        assert literal[k][-1].dtype == np.float32, "the literal loop keeps the dtype"
        tolerance = max(1e-4 * displacement(case, k), 10 * error) + eps_effect(case, k)
        assert np.abs(np.array(path[k], dtype=np.float64) - wanted).max() <= tolerance


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


@pytest.mark.parametrize("case", [case for case in CASES if case.method == "prodigy"], ids=str)
def test_estimate_of_the_code(case: Case) -> None:
    """d after each step is that of the public code, in every block."""
    opt = st.Optimizer({str(k): W0[k].copy() for k in ALL}, case.recipe)
    for t, d in enumerate(stored(case.method)[f"{case.name}/d"]):
        opt.step({str(k): GRADIENTS[k][t] for k in ALL})
        for k in ALL:
            np.testing.assert_allclose(opt.state_dict()[f"state/{k}/d"], d, rtol=1e-9)


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
        tolerance = 1e-9 * displacement(case, k) + eps_effect(case, k)
        np.testing.assert_allclose(params[str(k)], case.published(k)[-1], rtol=0, atol=tolerance)


def test_table_says_which_recipes_are_compared() -> None:
    """The table of recipes names the sets, and README and page count them."""
    found: dict[str, set[str]] = {row.name: set() for row in st.recipes.table()}
    for case in CASES:
        for recipe in [case.recipe] if isinstance(case.recipe, st.Recipe) else case.recipe.values():
            found.get(recipe.name, set()).add(case.method)
    for setting in grid():
        found[setting.recipe].add("torch_optim")
    assert {row.name: row.compared for row in st.recipes.table()} == {
        name: tuple(sorted(sets)) for name, sets in found.items()
    }
    count = sum(bool(sets) for sets in found.values())
    readme = (HERE.parents[1] / "README.md").read_text()
    assert f"`Schattor` and {len(found) - 1} published optimizers" in readme
    assert f"{count} of them are checked against stored trajectories of public code" in readme
    page = (HERE.parents[1] / "docs" / "published.md").read_text()
    assert f"Of the {len(found)} recipes, {count} are compared" in page


def test_every_stored_case_is_used() -> None:
    """Each trajectory in this directory is compared, and each left-out case or array has its reason."""
    used = {(case.method, case.name) for case in CASES}
    files = sorted(HERE.glob("*.json"))
    assert {file.stem for file in files} == {case.method for case in CASES}
    for file in files:
        record = json.loads(file.read_text())
        for name, details in record["cases"].items():
            assert (file.stem, name) in used
            indices = {
                k for case in CASES if (case.method, case.name) == (file.stem, name) for k in case.indices
            }
            missing = set(details["params"]) - indices
            assert not missing or record["left_out_arrays"], f"{file.stem}, {name}: {missing}"
        assert all(record["left_out"].values())
