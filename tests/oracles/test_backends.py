"""The table of backends: one row in the core, from which names, documentation and costs derive."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

import schattor as st
from schattor._edge import _core
from schattor._edge.backends import NAMES, ROUTES

PAGE = Path(__file__).parents[2] / "docs" / "numerics.md"


def test_the_last_resort_comes_first_in_the_list():
    """Routes are tried from the last name to the first: the SVD always succeeds."""
    assert NAMES[:2] == ("auto", "svd")
    assert [route.name for route in _core.routes()] == list(ROUTES)[::-1]


def test_documentation_describes_every_backend():
    """The docstring has the sentence of the table; the page on numerics names each in its own table."""
    rows = re.findall(r"^\| `\"(\w+)\"`", PAGE.read_text(), re.MULTILINE)
    for name, route in ROUTES.items():
        assert f'- ``"{name}"``: {route.description}' in st.ball_oracle.__doc__
        assert name in rows
    assert "<backends>" not in st.ball_oracle.__doc__


@pytest.mark.parametrize("name", NAMES)
def test_every_name_is_taken(name: str):
    """And what serves p = inf only says so for others."""
    G = np.random.default_rng(0).standard_normal((20, 50))
    st.Spectral(name).ball(G)
    if name in ROUTES and ROUTES[name].polar:
        with pytest.raises(ValueError, match=f"backend {name} serves p = inf only, got p = 4"):
            st.ball_oracle(G, 4, backend=name)
    else:
        st.ball_oracle(G, 4, backend=name)


def test_the_error_lists_all_names():
    """A typo is answered with what there is."""
    with pytest.raises(ValueError, match="backend must be " + ", ".join(map(repr, NAMES))):
        st.ball_oracle(np.eye(2), 4, backend="svg")


def test_cost_model_round_trip():
    """A model that is applied is in use, and one that names another backend is refused whole."""
    before = st.CostModel.current()
    assert set(before.costs) < set(ROUTES)
    try:
        st.CostModel(svd=(1.0, 2.0, 3.0, 4.0)).apply()
        now = st.CostModel.current()
        assert now.svd == (1.0, 2.0, 3.0, 4.0)
        assert {**now.costs, "svd": before.svd} == before.costs
        with pytest.raises(ValueError, match="'qdwh'"):
            st.CostModel(gram=(1.0, 1.0, 1.0, 1.0), qdwh=(1.0, 1.0, 1.0, 1.0)).apply()
        assert st.CostModel.current() == now
    finally:
        before.apply()
    assert st.CostModel.current() == before
    with pytest.raises(AttributeError, match="no backend 'fast'"):
        _ = before.fast


def test_auto_follows_the_costs():
    """A backend that costs nothing is taken wherever it may be expected to be accurate."""
    before = st.CostModel.current()
    G = np.random.default_rng(0).standard_normal((64, 80)).astype(np.float32)
    try:
        for name in ("svd", "gram", "band"):
            dear = {other: (1e12, 0.0, 0.0, 0.0) for other in before.costs if other != name}
            st.CostModel(**{name: (0.0, 0.0, 0.0, 0.0)}, **dear).apply()
            assert st.ball_oracle(G, 4, return_info=True)[1].backend == name
    finally:
        before.apply()
