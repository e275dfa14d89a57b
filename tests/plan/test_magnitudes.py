"""Gradients near the end of the dtype: refused before any state is touched, or answered without Inf and NaN."""

from __future__ import annotations

import copy
import pickle
import warnings
from typing import Any

import numpy as np
import pytest
from contract.cases import CASES, DTYPES, Blocks, Case, Supplied, bits, copied, mapped, problem, snapshot

import schattor as st


def assert_finite(opt: st.Optimizer) -> None:
    """No Inf and no NaN in the parameters and the state."""
    for name, x in opt.params.items():
        assert np.isfinite(x).all(), name
    for key, value in opt.state_dict().items():
        assert value.dtype.kind != "f" or np.isfinite(value).all(), key


def refusal_of(opt: st.Optimizer, grads: Blocks) -> str:
    """Take a step and return the text of its refusal, which must have changed nothing, or an empty one."""
    before = snapshot(opt)
    try:
        opt.step(grads)
    except ValueError as error:
        text = str(error)
    else:
        return ""
    assert snapshot(opt) == before
    return text


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_every_magnitude_is_refused_or_answered(case: Case, dtype: type) -> None:
    """From the smallest subnormal to the maximum: finite results, or a refusal that changes nothing.

    The lr is 0.01 at most, and the weights are zero or their norm is kept, so that the step itself stays inside the
    dtype.
    """
    W, gradients = problem(case, dtype, 3)
    info = np.finfo(dtype)
    powers = [
        *range(-1074 if dtype is np.float64 else -149, info.maxexp + 1, 53 if dtype is np.float64 else 11)
    ]
    magnitudes = [float(np.ldexp(1.0, e)) for e in powers if e < info.maxexp]
    magnitudes += [float(info.max) * f for f in (1e-6, 1e-3, 0.01, 0.1, 0.5, 1.0)]
    refused = 0
    for size in magnitudes:
        opt = Supplied(case.origin(W), case.make(weight_decay=0.0, lr=0.01))
        for G in gradients:
            scaled = mapped(lambda x, s=size: (x / np.abs(x).max() * dtype(s)).astype(dtype), G)
            refusal = refusal_of(opt, scaled)
            if refusal:
                assert any(repr(name) in refusal for name in W)
                assert "at most" in refusal
                refused += 1
            assert_finite(opt)
            assert all(np.isfinite(row.update_rms) for row in opt.report.values())
    assert refused < 3 * len(magnitudes) / 2, "most magnitudes are answered"


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_constant_gradients_at_the_limit(case: Case, dtype: type) -> None:
    """The largest gradient that is not refused can be given again and again, with either sign."""
    W, gradients = problem(case, dtype, 1)
    size = float(np.finfo(dtype).max)
    ones = mapped(np.ones_like, gradients[0])

    def make() -> st.Optimizer:
        return Supplied(case.origin(W), case.make(weight_decay=0.0, lr=1e-3))

    for _ in range(2200):
        try:
            make().step(mapped(lambda x, s=size: x * dtype(s), ones))
            break
        except ValueError:
            size *= 0.75
    else:
        pytest.fail("every magnitude is refused")
    steady, alternating = make(), make()
    for t in range(30):
        steady.step(mapped(lambda x, s=size: x * dtype(s), ones))
        sign = -1 if t % 2 else 1
        alternating.step(mapped(lambda x, s=size, q=sign: x * dtype(q * s), ones))
        assert_finite(steady)
        assert_finite(alternating)


@pytest.mark.parametrize("dtype", DTYPES)
def test_second_moment(dtype: type) -> None:
    """AdamW squares the gradient: what exceeds the root of the maximum is refused, in whichever block."""
    limit = float(np.sqrt(float(np.finfo(dtype).max)))
    params = {"a": np.zeros(3, dtype=dtype), "b": np.zeros(3, dtype=dtype)}
    opt = st.AdamW(params, lr=0.1)
    fine = {i: np.full(3, 0.1 * limit, dtype=dtype) for i in params}
    for _ in range(5):
        opt.step(fine)
    assert_finite(opt)
    before = snapshot(opt)
    for name in params:
        with pytest.raises(ValueError, match=name) as caught:
            opt.step({**fine, name: np.array([1, -1.5 * limit, 1], dtype=dtype)})
        assert "adamw" in str(caught.value)
        assert str(np.dtype(dtype)) in str(caught.value)
        assert snapshot(opt) == before


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("momentum", [0.0, 0.5, 0.9, 0.999])
def test_heavy_ball(momentum: float, dtype: type) -> None:
    """A heavy ball sums up to 1/(1 - momentum) gradients: (1 - momentum) max is what it can take."""
    largest = float(np.finfo(dtype).max)
    share = 1 - momentum
    for nesterov in (False, True):
        if nesterov and momentum == 0:
            continue
        recipe = st.recipes.schattor(
            p=4, lr=1e-3, momentum=momentum, momentum_kind="heavy_ball", nesterov=nesterov
        )
        opt = Supplied({"W": np.zeros((2, 2), dtype=dtype)}, recipe)
        for _ in range(50):
            opt.step({"W": np.full((2, 2), 0.99 * share * largest, dtype=dtype)})
            assert_finite(opt)
        if momentum > 0:
            before = snapshot(opt)
            with pytest.raises(ValueError, match="W"):
                opt.step({"W": np.full((2, 2), 1.1 * share * largest, dtype=dtype)})
            assert snapshot(opt) == before


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("p", [1.0, 2.0, 4.0, np.inf])
def test_regularization_rule(p: float, dtype: type) -> None:
    """The step is as long as the dual norm, at most sqrt(k m n) max|G|: beyond max / sqrt(k m n) it is refused."""
    m, n = 4, 6
    limit = float(np.finfo(dtype).max) / np.sqrt(min(m, n) * m * n)
    for momentum, kind in ((0.0, "ema"), (0.9, "ema"), (0.9, "heavy_ball")):
        share = 1 - momentum if kind == "heavy_ball" else 1.0
        recipe = st.recipes.schattor(
            p=p, lr=1e-3, rule="regularization", momentum=momentum, momentum_kind=kind
        )
        opt = Supplied({"W": np.zeros((m, n), dtype=dtype)}, recipe)
        rng = np.random.default_rng(0)
        for _ in range(10):
            G = rng.choice([-1.0, 1.0], (m, n)) * 0.99 * share * limit
            opt.step({"W": G.astype(dtype)})
            assert_finite(opt)
            assert np.isfinite(opt.report["W"].dual_norm)
        before = snapshot(opt)
        with pytest.raises(ValueError, match="W") as caught:
            opt.step({"W": np.full((m, n), 0.9 * float(np.finfo(dtype).max), dtype=dtype)})
        assert snapshot(opt) == before
        said = float(str(caught.value).split("at most ")[1].split()[0])
        assert 0.99 * share * limit <= said <= 1.01 * share * float(np.finfo(dtype).max)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("r", [1.0, 1.5, 2.0, 4.0, np.inf])
def test_coupled_regularization(r: float, dtype: type) -> None:
    """With weights and an outer norm the bound runs over all blocks; each block alone would pass."""
    largest = float(np.finfo(dtype).max)
    names = [f"b{i}" for i in range(8)]
    weights = dict.fromkeys(names, 0.5)
    recipe = st.recipes.schattor(p=2, lr=1e-3, rule="regularization", outer=r, weights=weights, momentum=0.0)
    opt = Supplied({name: np.zeros(1, dtype=dtype) for name in names}, recipe)
    for share in (0.9, 0.4, 0.2, 0.1, 0.05, 0.02, 0.01):
        refusal_of(opt, {name: np.full(1, share * largest, dtype=dtype) for name in names})
        assert_finite(opt)
    assert opt.step_count > 0, "not everything is refused"
    if r == np.inf:
        with pytest.raises(ValueError, match="b"):
            opt.step({name: np.full(1, 0.9 * largest, dtype=dtype) for name in names})


def test_momentum_of_absent_blocks_counts() -> None:
    """A huge gradient that a block had earlier stands in its momentum: it still counts in the joint bound."""
    largest = np.finfo(np.float64).max
    params = {"a": np.zeros(1), "b": np.zeros(1)}
    opt = st.Schattor(params, p=2, rule="regularization", outer=np.inf, lr=1.0, momentum=0.9)
    opt.step({"a": np.array([0.5 * largest]), "b": None})
    params["a"][...] = 0.0
    refusal_of(opt, {"a": np.zeros(1), "b": np.array([0.9 * largest])})
    assert_finite(opt)


def test_scheduled_weights_count() -> None:
    """Momentum that was harmless under large weights is checked again when the weights fall."""
    largest = np.finfo(np.float64).max
    params = {"a": np.zeros((2, 2))}
    opt = st.Schattor(
        params,
        p=np.inf,
        rule="regularization",
        lr=1e-3,
        momentum=0.9,
        weights=lambda t: 1e6 if t == 0 else 1e-3,
    )
    opt.step({"a": np.full((2, 2), 0.2 * largest)})
    refusal_of(opt, {"a": np.zeros((2, 2))})
    assert_finite(opt)


@pytest.mark.parametrize("policy", ["skip", "warn"])
def test_too_large_falls_under_the_policy(policy: str) -> None:
    """What exceeds a part's magnitude is skipped and counted as Inf is."""
    opt = st.AdamW({"W": np.zeros(2)}, on_nonfinite=policy)
    grads = {"W": np.array([1.0, 1e200])}
    before = bits(opt.params)
    if policy == "warn":
        with pytest.warns(RuntimeWarning, match="W"):
            opt.step(grads)
    else:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            opt.step(grads)
    assert (opt.skipped_steps, opt.step_count) == (1, 0)
    assert bits(opt.params) == before


@pytest.mark.parametrize("dtype", DTYPES)
def test_l2_counts_the_weights(dtype: type) -> None:
    """G + wd W must fit as well: large weights are refused where it would not."""
    largest = float(np.finfo(dtype).max)
    params = {"W": np.full((2, 2), 0.5 * largest, dtype=dtype)}
    recipes: list[Any] = [
        st.recipes.sgd(lr=1e-3, momentum=0.9, weight_decay=4.0),
        st.recipes.schattor(p=3, lr=1e-3, decay="l2", weight_decay=4.0),
        st.recipes.adamw(decay="l2", weight_decay=4.0),
    ]
    for recipe in recipes:
        opt = Supplied(copied(params), recipe)
        before = snapshot(opt)
        with pytest.raises(ValueError, match="W"):
            opt.step({"W": np.ones((2, 2), dtype=dtype)})
        assert snapshot(opt) == before


RECURSIVE = [
    st.recipes.storm(lr=1e-3, momentum=0.9),
    st.recipes.mars(lr=1e-3, reference="same_samples"),
]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("recipe", RECURSIVE, ids=lambda recipe: recipe.name)
def test_gradient_at_previous_counts(recipe: st.Recipe, dtype: type) -> None:
    """The gradient at the previous point is subtracted: where it is huge, so is the estimate, whatever G is."""
    largest = float(np.finfo(dtype).max)
    grads = {"W": np.ones((2, 2), dtype)}
    opt = st.Optimizer({"W": np.zeros((2, 2), dtype)}, recipe)
    opt.step(grads)
    before = snapshot(opt)
    with pytest.raises(ValueError, match="'W'") as caught:
        opt.step(grads, gradient_at_previous={"W": np.full((2, 2), -0.95 * largest, dtype)})
    assert "at most" in str(caught.value)
    assert snapshot(opt) == before


@pytest.mark.parametrize("dtype", DTYPES)
def test_per_example_gradients_count(dtype: type) -> None:
    """What enters is the mean of the samples' gradients, not the gradient beside them: here it is all there is.

    A heavy ball of momentum 0.9 is ten gradients long, and the clip is too wide to help.
    """
    largest = float(np.finfo(dtype).max)
    recipe = st.recipes.dp_muon(lr=1e-3, clip=0.9 * largest, noise_multiplier=0.0, momentum=0.9, rng=0)
    opt = st.Optimizer({"W": np.zeros((2, 2), dtype)}, recipe)
    samples = np.full((3, 2, 2), 0.2 * largest, dtype)
    before = snapshot(opt)
    with pytest.raises(ValueError, match="'W'"):
        opt.step({"W": np.zeros((2, 2), dtype)}, per_example={"W": samples})
    assert snapshot(opt) == before


def by_state_dict(opt: st.Optimizer) -> st.Optimizer:
    """Another optimizer that loads the state."""
    other = st.Optimizer(copied(opt.params), REGULARIZED)
    other.load_state_dict(opt.state_dict())
    return other


REGULARIZED = st.recipes.schattor(p=2, rule="regularization", outer=np.inf, lr=1.0, momentum=0.9)
COPIES = {
    "state_dict": by_state_dict,
    "pickle": lambda opt: pickle.loads(pickle.dumps(opt)),
    "deepcopy": copy.deepcopy,
}


@pytest.mark.parametrize("copy_of", COPIES.values(), ids=COPIES)
def test_loaded_momentum_counts(copy_of: Any) -> None:
    """The bound of the momentum is no part of the state: it is found again when a momentum is loaded.

    Each block's estimate fits, their sum does not: 0.9 * 0.9 + 0.9 of the largest number.
    """
    largest = np.finfo(np.float64).max
    opt = st.Optimizer({"a": np.zeros(1), "b": np.zeros(1)}, REGULARIZED)
    opt.step({"a": np.array([0.9 * largest]), "b": None})
    opt.params["a"][...] = 0.0
    for taken in (opt, copy_of(opt)):
        before = snapshot(taken)
        with pytest.raises(ValueError, match="at most"):
            taken.step({"a": np.zeros(1), "b": np.array([0.9 * largest])})
        assert snapshot(taken) == before
