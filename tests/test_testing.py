"""The checks that users run on their own geometries and recipes: they pass on ours, and find what is wrong."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from contract.cases import CASES, Case

import schattor as st

GEOMETRIES = [
    st.Schatten(1.5),
    st.Schatten(4),
    st.Schatten(np.inf),
    st.Schatten(1),
    st.KyFan(2),
    st.RowNorm(),
    st.ColumnNorm(),
    st.Lp(2),
    st.Lp(3),
    st.Sign(),
]


@pytest.mark.parametrize("geometry", GEOMETRIES, ids=str)
def test_geometries_pass(geometry: st.Schatten) -> None:
    """All that the package has."""
    st.testing.check_geometry(geometry)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_recipes_pass(case: Case) -> None:
    """All that the package has."""
    st.testing.check_recipe(case.make(weight_decay=0.0))


@dataclass(frozen=True)
class Wrong(st.Schatten):
    """A Schatten norm with one method spoilt."""

    spoilt: str = ""

    def ball(self, G: Any) -> np.ndarray:
        """Turned round, too long or with noise where G is zero."""
        D = super().ball(G)
        if self.spoilt == "ball(0)":
            return D + (0 if np.asarray(G).any() else 1)
        return {"<G, D>": -D, "equivariance": D}.get(self.spoilt, D)

    def dual_norm(self, G: Any) -> float:
        """Another exponent's."""
        return st.Lp(2).dual_norm(G) if self.spoilt == "-dual norm" else super().dual_norm(G)

    def norm(self, X: Any) -> float:
        """Squared."""
        return super().norm(X) ** 2 if self.spoilt == "3 ||X||" else super().norm(X)

    def regularized(self, G: Any) -> np.ndarray:
        """The ball oracle."""
        return self.ball(G) if self.spoilt == "regularized" else super().regularized(G)

    @property
    def equivariance(self) -> str:  # type: ignore[override]
        """Too large a group."""
        return "rotations" if self.spoilt == "equivariance" else "orthogonal"


@pytest.mark.parametrize(
    "spoilt", ["<G, D>", "-dual norm", "3 ||X||", "regularized", "ball(0)", "equivariance"]
)
def test_spoilt_geometries_are_found(spoilt: str) -> None:
    """Each defect by the identity that it breaks."""
    st.testing.check_geometry(Wrong(4))
    with pytest.raises(AssertionError) as caught:
        st.testing.check_geometry(Wrong(4, spoilt=spoilt))
    assert spoilt in str(caught.value)


def test_recipes_with_decay_are_told() -> None:
    """Decay moves weights without a gradient, which the check forbids."""
    with pytest.raises(AssertionError, match="zero gradient"):
        st.testing.check_recipe(st.recipes.adamw(weight_decay=0.1))


def test_wrong_declarations_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """A recipe that claims another degree or a larger group."""
    recipe = replace(st.recipes.sgd(lr=0.1), name="mine")
    st.testing.check_recipe(recipe)
    monkeypatch.setattr(st.Recipe, "degree", property(lambda self: 0))
    with pytest.raises(AssertionError, match="degree 0"):
        st.testing.check_recipe(recipe)
    monkeypatch.undo()
    monkeypatch.setattr(st.Recipe, "equivariance", property(lambda self: "rotations"))
    with pytest.raises(AssertionError, match="rotations"):
        st.testing.check_recipe(st.recipes.adam(weight_decay=0.0))


def test_unknown_group() -> None:
    """Named in the error."""
    with pytest.raises(ValueError, match="unitary"):
        st.testing.group_element("unitary", (2, 2), np.random.default_rng(0))
