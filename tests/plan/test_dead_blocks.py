"""Blocks whose gradients have ended: an average that is below the dtype's normal numbers counts as zero."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import schattor as st

r = st.recipes
MADE: dict[str, Callable[[], st.Recipe]] = {
    "muon": lambda: r.muon(lr=0.1, momentum=0.5, weight_decay=0.0),
    "normuon": lambda: r.normuon(lr=0.1, momentum=0.5, weight_decay=0.0),
    "signum, in pieces": lambda: r.signum(lr=0.1, momentum=0.5),
    "lion, in pieces": lambda: r.lion(lr=0.1, betas=(0.5, 0.5), weight_decay=0.0),
    "coupled": lambda: r.schattor(p=3, lr=0.1, momentum=0.5, outer=2),
    "a preconditioner and the ball rule": lambda: st.Recipe(
        "own",
        0.1,
        st.Spectral(),
        estimator=st.estimators.EMA(0.5),
        preconditioner=st.parts.SecondMoment(0.9, 1e-30),
    ),
}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", MADE)
def test_a_block_without_gradients_comes_to_rest(name: str, dtype: type) -> None:
    """One gradient, then zeros: full steps while the average is a normal number, and none afterwards.

    2^-t leaves the normal numbers after 126 and after 1022 steps. In roundings below them the average would stay.
    """
    rng = np.random.default_rng(0)
    W, G = rng.standard_normal((2, 4, 6)).astype(dtype)
    opt = st.Optimizer({"W": W}, MADE[name]())
    opt.step({"W": G})
    normal = 100 if dtype is np.float32 else 990
    for _ in range(normal - 1):
        opt.step({"W": 0 * G})
    before = W.copy()
    opt.step({"W": 0 * G})
    assert np.linalg.norm(W - before) > 0.01
    for _ in range(60):
        opt.step({"W": 0 * G})
    before = W.copy()
    for _ in range(3):
        opt.step({"W": 0 * G})
        assert opt.report["W"].update_rms == opt.report["W"].dual_norm == 0
    assert np.array_equal(W, before)
    opt.step({"W": G})  # and it comes back
    assert not np.array_equal(W, before)


def test_decay_of_a_dead_block_goes_on() -> None:
    """Rest is what a zero gradient is for every other rule: weight decay does not need one."""
    W = np.ones((4, 6), dtype=np.float32)
    opt = st.Optimizer({"W": W}, r.signum(lr=0.5, momentum=0.5, weight_decay=0.5))
    zero = np.zeros_like(W)
    opt.step({"W": np.ones_like(W)})
    for _ in range(200):
        opt.step({"W": zero})
    before = W.copy()
    opt.step({"W": zero})
    np.testing.assert_allclose(W, 0.75 * before, rtol=1e-6)
