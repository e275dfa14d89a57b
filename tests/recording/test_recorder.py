"""The recorder: it leaves the run as it is, and records what the functions give."""

from __future__ import annotations

import math
import sys
from pathlib import Path

import numpy as np
import pytest
from problems.examples import data

import schattor as st
from schattor.diagnostics import (
    History,
    Recorder,
    block_hessian,
    curvature_profile,
    hessian_summary,
    muon_ratio,
    noise_scale,
    smoothness,
    spectral_criterion,
    spectrum,
)

X, y = data(30)
PROBLEM = st.problems.MLP.random(X, y, hidden=(6, 4), rng=10)
ALL = ("gradient_spectrum", "weight_spectrum", "update_spectrum", "curvature", "muon_ratio", "hessian")
OPTIMIZERS = {
    "schattor": lambda params: st.Schattor(params, p=4, lr=0.05, weight_decay=0.1),
    "muon": lambda params: st.Muon(params, lr=0.05),
    "adamw": lambda params: st.AdamW(params, lr=0.01),
    "dion": lambda params: st.Dion(params, lr=0.05, rank_fraction=0.5, rng=0),
    "turns": lambda params: st.Optimizer(params, st.recipes.block_coordinate(st.recipes.sgd(lr=0.1))),
}


def run(
    make: object, steps: int = 12, recorded: bool = True, **options: object
) -> tuple[object, Recorder | None]:
    """An optimizer after some stochastic steps, and its recorder."""
    opt, rng = make(PROBLEM.start()), np.random.default_rng(1)
    recorder = Recorder(opt, hvp=PROBLEM.hvp, **options) if recorded else None
    for _ in range(steps):
        grads = PROBLEM.stochastic_gradient(opt.params, 8, rng)
        if recorder is None:
            opt.step(grads)
        else:
            recorder.step(grads, loss=PROBLEM.loss(opt.params), closure=PROBLEM.gradient)
    return opt, recorder


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_the_run_is_the_same_with_and_without(name: str) -> None:
    """Bit for bit: weights and state, with every metric on."""
    plain, _ = run(OPTIMIZERS[name], recorded=False)
    watched, _ = run(OPTIMIZERS[name], every=2, metrics=(*ALL, "smoothness"), rng=3)
    for key, W in plain.params.items():
        np.testing.assert_array_equal(watched.params[key], W)
    state, other = plain.state_dict(), watched.state_dict()
    assert state.keys() == other.keys()
    for key, value in state.items():
        np.testing.assert_array_equal(other[key], value)


def test_intervals() -> None:
    """Every third step, the Hessian every sixth; nothing is measured in between."""
    calls = []

    def hvp(params: dict, direction: dict) -> dict:
        calls.append(opt.step_count)
        return PROBLEM.hvp(params, direction)

    opt = st.SGD(PROBLEM.start(), lr=0.1)
    recorder = Recorder(opt, every=3, metrics={"curvature": 6}, hvp=hvp, norms=(2, math.inf))
    for _ in range(10):
        recorder.step(PROBLEM.gradient(opt.params))
    history = recorder.history
    np.testing.assert_array_equal(history["step"], [0, 3, 6, 9])
    assert set(calls) == {0, 6}
    assert len(calls) == 2 * 2 * 3  # two records, two norms, three blocks
    np.testing.assert_array_equal(np.isnan(history["curvature/W2"]).all(axis=1), [False, True, False, True])
    assert np.isfinite(history["dual_norm/W2"]).all()
    assert "loss" not in history


def test_values_are_those_of_the_functions() -> None:
    """Each metric in one step, against the function called by hand."""
    opt = st.Schattor(PROBLEM.start(), p=4, lr=0.05, weight_decay=0.1)
    norms = (2, 4, math.inf)
    metrics = (*ALL, "smoothness", "noise", "criterion")
    recorder = Recorder(opt, metrics=metrics, hvp=PROBLEM.hvp, norms=norms, blocks="W2", micro_batch_size=5)
    before, G = PROBLEM.start(), PROBLEM.gradient(PROBLEM.start())
    rng = np.random.default_rng(2)
    stacks = [PROBLEM.stochastic_gradient(before, 5, rng) for _ in range(4)]
    micro = {"W2": np.stack([stack["W2"] for stack in stacks])}
    inputs = {"W2": PROBLEM.factors(before)["W2"][1]}
    recorder.step(G, loss=7.0, closure=PROBLEM.gradient, micro_batches=micro, activations=lambda: inputs)
    got = {name: x[0] for name, x in recorder.history.items() if "/" in name}
    assert all(name.endswith("/W2") for name in got)
    got = {name.split("/")[0]: x for name, x in got.items()}
    H = block_hessian(PROBLEM.hvp, before, "W2")
    profile = curvature_profile(H, G["W2"], norms)
    update = opt.params["W2"] - before["W2"]
    change = PROBLEM.gradient(opt.params)["W2"] - G["W2"]
    noise, criterion = noise_scale(micro["W2"], 5), spectral_criterion(G["W2"], inputs["W2"])
    expected = {
        "dual_norm": opt.report["W2"].dual_norm,
        "step_size": opt.report["W2"].step_size,
        "update_rms": opt.report["W2"].update_rms,
        "gradient_norm": np.linalg.norm(G["W2"]),
        "weight_norm": np.linalg.norm(before["W2"]),
        "gradient_nuclear_norm": np.linalg.norm(G["W2"], "nuc"),
        "gradient_stable_rank": spectrum(G["W2"]).stable_rank,
        "weight_effective_rank": spectrum(before["W2"]).effective_rank,
        "update_nuclear_rank": spectrum(update).nuclear_rank,
        "update_singular_values": spectrum(update).values,
        "curvature": profile.curvatures,
        "predicted_decrease": profile.predicted_decreases,
        "J": profile.curvatures[-1],
        "smoothness": [smoothness(change, update, p) for p in norms],
        "noise_trace": noise.covariance_trace,
        "noise_scale": noise.scale,
        "activation_stable_rank": criterion.stable_rank,
        "spectral_criterion": criterion.ratio,
    }
    for name, value in expected.items():
        np.testing.assert_allclose(got[name], value, rtol=1e-12, err_msg=name)
    assert got["muon_ratio"] == pytest.approx(
        got["gradient_nuclear_norm"] ** 2 * got["L"] / (got["gradient_norm"] ** 2 * got["J"])
    )
    assert recorder.history["loss"] == [7.0]
    assert list(recorder.history["norms"]) == ["Schatten(2)", "Schatten(4)", "Spectral"]


def test_random_vectors_come_from_the_recorder() -> None:
    """The Hessian's metrics with a seed are the functions' with that seed."""
    params, G = PROBLEM.start(), PROBLEM.gradient(PROBLEM.start())
    H = block_hessian(PROBLEM.hvp, params, "W2")
    for metric in ("hessian", "muon_ratio"):
        opt = st.SGD(PROBLEM.start(), lr=0.1)
        recorder = Recorder(opt, metrics=(metric,), hvp=PROBLEM.hvp, blocks="W2", rng=4)
        recorder.step(G)
        if metric == "hessian":
            assert recorder.history["hessian_trace/W2"] == hessian_summary(H, (4, 6), rng=4).trace
        else:
            assert recorder.history["L/W2"] == muon_ratio(H, G["W2"], rng=4).L


def test_views_and_tied_arrays() -> None:
    """A split array has a Hessian for each piece, a tied one the sum of its two roles."""
    weights = np.random.default_rng(0).standard_normal((4, 3))
    Q, shared = np.diag([4.0, 3.0, 2.0, 1.0]), np.ones((2, 2))

    def gradient(params: dict) -> dict:
        return {"W": Q @ params["W"], "a": 2 * params["a"], "b": 3 * params["b"]}

    def hvp(params: dict, D: dict) -> dict:
        return gradient(D)

    params = {"W": weights, "a": shared, "b": shared}
    opt = st.Optimizer(params, st.recipes.muon(lr=0.1), views={"W": st.views.split(2)})
    start = weights.copy()
    metrics = ("curvature", "gradient_spectrum", "smoothness")
    recorder = Recorder(opt, metrics=metrics, hvp=hvp, norms=(2,))
    recorder.step(gradient(params), closure=gradient)
    curvatures = recorder.history.of("curvature")
    assert list(curvatures) == ["W[0]", "W[1]", "a"]
    for i, rows in enumerate((slice(0, 2), slice(2, 4))):
        g = Q[rows, rows] @ start[rows]
        rayleigh = np.sum(g * (Q[rows, rows] @ g)) / np.sum(g * g)
        assert curvatures[f"W[{i}]"][0, 0] == pytest.approx(rayleigh, rel=1e-12)
    assert curvatures["a"][0, 0] == pytest.approx(5)
    assert recorder.history["smoothness/a"][0, 0] == pytest.approx(5)
    assert recorder.history["gradient_norm/a"][0] == pytest.approx(5 * 2)


def test_left_out_skipped_and_failed_steps() -> None:
    """No gradient: NaN. A dropped step: no report. A step that raises: no record."""
    opt = st.SGD({"a": np.ones((2, 2)), "b": np.ones((2, 2))}, lr=0.1, on_nonfinite="skip")
    recorder = Recorder(opt, metrics=("gradient_spectrum", "update_spectrum"))
    good = np.eye(2)
    recorder.step({"a": good, "b": None})
    recorder.step({"a": good, "b": np.full((2, 2), np.nan)})
    recorder.step({"a": good, "b": good})
    history = recorder.history
    np.testing.assert_array_equal(np.isnan(history["dual_norm/a"]), [False, True, False])
    np.testing.assert_array_equal(np.isnan(history["dual_norm/b"]), [True, True, False])
    np.testing.assert_array_equal(np.isnan(history["update_stable_rank/a"]), [False, True, False])
    assert opt.skipped_steps == 1
    with pytest.raises(ValueError, match="shape"):
        recorder.step({"a": np.ones(3), "b": good})
    assert len(recorder.history["step"]) == 3


def test_closure_that_reuses_its_buffers() -> None:
    """Frameworks return the same gradient arrays again: the one before the step must have been kept."""
    buffer = {"W": np.zeros((2, 2))}

    def gradient(params: dict) -> dict:
        buffer["W"][...] = 3 * params["W"]
        return buffer

    opt = st.SGD({"W": np.eye(2)}, lr=0.1)
    recorder = Recorder(opt, metrics=("smoothness",), norms=(2,))
    recorder.step(gradient(opt.params), closure=gradient)
    assert recorder.history["smoothness/W"][0, 0] == pytest.approx(3)


def test_saved_and_loaded(tmp_path: Path) -> None:
    """NPZ keeps all arrays."""
    _, recorder = run(OPTIMIZERS["muon"], 6, every=2, metrics=("curvature", "update_spectrum"))
    history = recorder.history
    history.save(tmp_path / "run.npz")
    loaded = History.load(tmp_path / "run.npz")
    assert list(loaded) == list(history)
    for name, values in history.items():
        np.testing.assert_array_equal(loaded[name], values)
    assert "curvature" in repr(loaded)
    with pytest.raises(KeyError, match="no metric 'noise' was recorded; there are"):
        history.of("noise")


def test_data_frame() -> None:
    """Long format: one row for each number, which the arrays have, too; NaN has none."""
    _, recorder = run(
        OPTIMIZERS["muon"], 6, every=2, metrics={"curvature": 4, "update_spectrum": 2}, norms=(2, 4)
    )
    history, frame = recorder.history, recorder.history.to_pandas()
    assert list(frame.columns) == ["step", "block", "metric", "index", "value"]
    curvature = frame[(frame.metric == "curvature") & (frame.block == "W1")]
    assert list(curvature.step) == [0, 0, 4, 4]
    assert list(curvature["index"]) == ["Schatten(2)", "Schatten(4)"] * 2
    np.testing.assert_array_equal(curvature.value, history["curvature/W1"][[0, 2]].ravel())
    values = frame[(frame.metric == "update_singular_values") & (frame.block == "W3")]
    assert list(values["index"]) == [1, 2, 3] * 3
    np.testing.assert_array_equal(frame[frame.metric == "loss"].value, history["loss"])
    assert frame.value.notna().all()


def test_missing_pandas_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    """The module needs no pandas until a frame is asked for."""
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match="pip install pandas"):
        History({"step": [0]}).to_pandas()


def test_errors() -> None:
    """At construction where possible; else before the step is taken."""
    opt = st.SGD({"W": np.ones((2, 2))}, lr=0.1)
    with pytest.raises(ValueError, match=r"metrics must be some of .*, got 'rank'"):
        Recorder(opt, metrics=("rank",))
    with pytest.raises(TypeError, match="metric 'hessian' needs hvp"):
        Recorder(opt, metrics=("hessian",))
    with pytest.raises(ValueError, match="multiple of every = 4, got 6"):
        Recorder(opt, every=4, metrics={"noise": 6})
    with pytest.raises(KeyError, match="'V' matches no block"):
        Recorder(opt, blocks=("W", "V"))
    for metric, lacking in (
        ("smoothness", "closure"),
        ("noise", "micro_batches"),
        ("criterion", "activations"),
    ):
        with pytest.raises(KeyError, match=f"step lacks {lacking}"):
            Recorder(opt, metrics=(metric,)).step({"W": np.ones((2, 2))})
    with pytest.raises(TypeError, match="no recipe of this optimizer reads deltas"):
        Recorder(opt).step({"W": np.ones((2, 2))}, deltas={"W": np.ones((3, 2))})
    assert opt.step_count == 0
