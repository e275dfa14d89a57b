"""Random sequences of calls: whatever stands between the steps, the steps are those of an undisturbed run."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import hypothesis.strategies as hst
import numpy as np
import pytest
from contract.cases import CASES, DTYPES, Case, bits, copied, draw, problem, snapshot
from hypothesis import given, settings

import schattor as st

DISTURBANCES = ["peek", "non-finite", "shape", "missing", "reload", "pickle", "deepcopy", "read"]
STEPS = ["step", "step without a block", "strided step", "step on parameters"]


def disturb(kind: str, case: Case, opt: st.Optimizer, rng: np.random.Generator) -> st.Optimizer:
    """Do something that must leave the run as it was; returns the optimizer to go on with."""
    dtype = next(iter(opt.params.values())).dtype
    G: dict[str, Any] = draw(case.shapes, rng, dtype.type)
    name = list(G)[rng.integers(len(G))]
    before = snapshot(opt)
    if kind == "peek":
        opt.peek(G)
    elif kind == "non-finite":
        if name not in case.movers(opt.step_count):
            return opt
        G[name].flat[rng.integers(G[name].size)] = [np.nan, np.inf, -np.inf][rng.integers(3)]
        with pytest.raises(ValueError, match=name):
            [opt.step, opt.update, opt.peek][rng.integers(3)](G)
    elif kind == "shape":
        with pytest.raises(ValueError, match=name):
            opt.step({**G, name: np.zeros((2, 2, 2), dtype=dtype)})
    elif kind == "missing":
        del G[name]
        with pytest.raises(KeyError, match=name):
            opt.step(G)
    elif kind == "reload":
        other = case.optimizer(copied(opt.params))
        other.load_state_dict(opt.state_dict())
        return other
    elif kind == "pickle":
        return pickle.loads(pickle.dumps(opt))
    elif kind == "deepcopy":
        other = copy.deepcopy(opt)
        opt.step(G)
        return other
    else:
        assert kind == "read"
        repr(opt)
        opt._repr_html_()
        for values in (opt.state_dict(), opt.evaluation_params()):
            for value in values.values():
                if value.dtype.kind == "f":
                    value[...] = np.nan
    assert snapshot(opt) == before
    return opt


@settings(max_examples=8)
@given(
    sequence=hst.lists(hst.sampled_from(STEPS * 2 + DISTURBANCES), min_size=4, max_size=16),
    seed=hst.integers(0, 2**32 - 1),
)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_disturbances_leave_no_trace(case: Case, dtype: type, sequence: list[str], seed: int) -> None:
    """Parameters, state and counters are bit-identical to those of a run with the plain steps alone."""
    rng = np.random.default_rng(seed)
    W, _ = problem(case, dtype, 0, seed)
    opt, plain = case.optimizer(copied(W)), case.optimizer(copied(W))
    for kind in sequence:
        if kind in DISTURBANCES:
            opt = disturb(kind, case, opt, rng)
            continue
        G: dict[str, Any] = draw(case.shapes, rng, dtype)
        given_G = dict(G)
        if kind == "step without a block":
            given_G[list(G)[rng.integers(len(G))]] = None
            G = dict(given_G)
        elif kind == "strided step":
            given_G = {i: x.copy(order="F") for i, x in G.items()}
        elif kind == "step on parameters":
            given_G, G = dict(opt.params), copied(plain.params)
        opt.step(given_G)
        plain.step(G)
    assert bits(opt.params) == bits(plain.params)
    assert bits(opt.state_dict()) == bits(plain.state_dict())
    assert opt.step_count == plain.step_count
