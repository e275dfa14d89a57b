"""A block without entries is one that steps leave as it is: it counts them, and nothing comes of them."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from contract.cases import CASES, DTYPES, Blocks, Case, bits, copied, draw, snapshot

import schattor as st
from schattor._edge.backends import ROUTES

MATRICES: dict[str, tuple[int, ...]] = {"none x 5": (0, 5), "5 x none": (5, 0), "none": (0, 0)}
SHAPES = {**MATRICES, "nothing": (0,)}
STEPS = 4


def empty_shapes(case: Case) -> dict[str, tuple[int, ...]]:
    """Shapes without entries that the recipe takes, by the names that it expects."""
    recipe = case.make()
    if recipe.pairing is not None:  # factors of a product: rank 3 of a matrix without rows, or rank 0
        return {"tall": (0, 3), "wide": (3, 5)}
    return MATRICES if recipe.matrices_only else SHAPES


def extras_of(recipe: st.Recipe, G: Blocks) -> dict[str, Blocks]:
    """Extras for the blocks of a step: three samples of each."""

    def samples(*shape: int) -> Any:
        return np.ones((3, *shape))

    made: dict[str, Any] = {
        "gradient_at_previous": lambda g: 0.5 * g,
        "activations": lambda g: samples(g.shape[1] if g.ndim > 1 else 1),
        "deltas": lambda g: samples(g.shape[0] if g.ndim else 1),
        "per_example": lambda g: samples(*g.shape) * g,
    }
    return {
        kind: {name: np.asarray(made[kind](g), dtype=g.dtype) for name, g in G.items()}
        for kind in sorted(recipe.requires)
    }


def run(opt: st.Optimizer, recipe: st.Recipe, steps: list[Blocks]) -> None:
    """Take the steps, with what the recipe requires; a warning is an error."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for G in steps:
            opt.step(G, **extras_of(recipe, G))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_empty_blocks(case: Case, dtype: type) -> None:
    """Every recipe takes them, counts their steps, keeps a finite state, saves it and goes on from it."""
    rng = np.random.default_rng(0)
    shapes, recipe = empty_shapes(case), case.make()
    W = draw(shapes, rng, dtype)
    steps = [draw(shapes, rng, dtype) for _ in range(2 * STEPS)]
    before = copied(W)
    opt = st.Optimizer(W, recipe)
    run(opt, recipe, steps[:STEPS])
    assert opt.step_count == STEPS
    if recipe.pairing is None:
        assert bits(opt.params) == bits(before)
    state = opt.state_dict()
    for name, array in state.items():
        assert array.dtype.kind != "f" or np.isfinite(array).all(), name
    counts = [int(array) for name, array in state.items() if name.endswith("/count")]
    assert sum(counts) == STEPS if recipe.turns else set(counts) == {STEPS}
    if recipe.pairing is None:
        assert all(row.dual_norm == 0 == row.step_size == row.update_rms for row in opt.report.values())
    moved = opt.peek(steps[STEPS], **extras_of(recipe, steps[STEPS]))
    assert {name: x.shape for name, x in moved.items()} == shapes
    assert bits(opt.state_dict()) == bits(state)

    resumed = st.Optimizer(copied(opt.params), recipe)
    resumed.load_state_dict(state)
    for one in (opt, resumed):
        run(one, recipe, steps[STEPS:])
    assert snapshot(opt) == snapshot(resumed)
    assert {name: x.shape for name, x in opt.evaluation_params().items()} == shapes


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", [case for case in CASES if not (case.paired or case.make().turns)], ids=str)
def test_empty_blocks_beside_others(case: Case, dtype: type) -> None:
    """They change nothing for the blocks beside them, unless these wait for their turn."""
    recipe = case.make()
    rng = np.random.default_rng(0)
    full = case.shapes
    W, steps = draw(full, rng, dtype), [draw(full, rng, dtype) for _ in range(STEPS)]
    nothing = {name: np.zeros(shape, dtype) for name, shape in empty_shapes(case).items()}
    alone, among = st.Optimizer(copied(W), recipe), st.Optimizer({**copied(W), **nothing}, recipe)
    run(alone, recipe, steps)
    run(among, recipe, [{**G, **nothing} for G in steps])
    assert bits({name: among.params[name] for name in full}) == bits(alone.params)


@pytest.mark.parametrize(
    ("view", "shape"),
    [
        (st.views.flatten(), (0, 3, 2)),
        (st.views.flatten(), (4, 0, 2)),
        (st.views.batch(), (0, 3, 2)),
        (st.views.batch(), (3, 0, 2)),
        (st.views.batch(), (3, 2, 0)),
        (st.views.split(2), (4, 0)),
        (st.views.transposed(), (0, 4)),
        (st.views.transposed(), (4, 0)),
    ],
    ids=str,
)
@pytest.mark.parametrize("name", ["muon", "low_rank_muon", "normuon", "soap", "shampoo"])
def test_empty_views(name: str, view: st.views.View, shape: tuple[int, ...]) -> None:
    """A view of nothing is nothing."""
    recipe = getattr(st.recipes, name).example()
    opt = st.Optimizer({"W": np.zeros(shape)}, recipe, views={"W": view})
    for _ in range(3):
        opt.step({"W": np.zeros(shape)})
    assert opt.params["W"].shape == shape
    assert opt.step_count == 3


GEOMETRIES = (
    *(st.Schatten(p) for p in (1, 1.5, 2, 4, np.inf)),
    *(st.Spectral(backend) for backend in ROUTES),
    *(st.Lp(p) for p in (1, 2, 3, np.inf)),
    st.RowNorm(),
    st.ColumnNorm(),
    st.KyFan(2),
    st.KyFan(2, backend="subspace"),
)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SHAPES.values(), ids=str)
@pytest.mark.parametrize("geometry", GEOMETRIES, ids=str)
def test_norms_and_oracles(geometry: st.Geometry, shape: tuple[int, ...], dtype: type) -> None:
    """Nothing has norm zero, and the direction is nothing."""
    X = np.zeros(shape, dtype)
    assert geometry.norm(X) == geometry.dual_norm(X) == 0
    for D in (geometry.ball(X), geometry.regularized(X)):
        assert (D.shape, D.dtype) == (shape, dtype)
    mixed = st.MixedNorm({"a": geometry, "b": st.Lp(2)}, outer=2)
    G = {"a": X, "b": np.array([3.0, 4.0])}
    assert mixed.norm(G) == pytest.approx(5)
    assert mixed.dual_norm(G) == pytest.approx(5)
    np.testing.assert_allclose(mixed.ball(G)["b"], [-0.6, -0.8])
    np.testing.assert_allclose(mixed.regularized(G)["b"], [-3.0, -4.0])


@pytest.mark.parametrize("shape", SHAPES.values(), ids=str)
def test_functions_of_matrices(shape: tuple[int, ...]) -> None:
    """The functions of `linalg` and the oracles as functions; a stack of nothings is one, too."""
    X = np.zeros(shape)
    assert st.schatten_norm(X, 3) == st.linalg.spectral_norm(X) == 0
    assert st.linalg.singular_values(X).shape == (0,)
    assert st.linalg.polar_factor(X).shape == st.linalg.newton_schulz(X).shape == shape
    _, info = st.linalg.spectral_norm(X, return_info=True)
    assert (info.lower, info.upper, info.certified) == (0, 0, True)
    for oracle in (st.ball_oracle, st.regularization_oracle):
        D, result = oracle(X, np.inf, return_info=True)
        assert (D.shape, result.dual_norm, result.backend) == (shape, 0, "none")
    D, results = st.batched_ball_oracle(np.zeros((3, *shape)), 4, return_info=True)
    assert D.shape == (3, *shape)
    assert all(result.dual_norm == 0 for result in results)
    with pytest.raises(ValueError, match="A must have singular values, got an empty"):
        st.linalg.top_singular(X, 1)


@pytest.mark.parametrize(
    "estimator", [st.estimators.EMA(0.9), st.estimators.HeavyBall(0.9), st.estimators.Dion(0.9)]
)
@pytest.mark.parametrize("shape", SHAPES.values(), ids=str)
def test_estimators_alone(estimator: Any, shape: tuple[int, ...]) -> None:
    """Outside of an optimizer."""
    running = estimator.start(np.zeros(shape))
    for _ in range(3):
        assert running.update(np.zeros(shape)).shape == shape
    assert running.count == 3


@pytest.mark.parametrize("shape", SHAPES.values(), ids=str)
def test_measurements(shape: tuple[int, ...]) -> None:
    """What measures nothing is zero, NaN, or refused in a sentence that says so."""

    def identity(D: np.ndarray) -> np.ndarray:
        return D

    X, samples, measure = np.zeros(shape), np.zeros((6, *shape)), st.diagnostics
    assert measure.hessian_matrix(identity, shape).shape == (0, 0)
    assert measure.curvature(identity, X, st.Spectral()) == 0
    assert np.isnan(measure.smoothness(X, X, np.inf))
    for call in (
        lambda: measure.spectrum(X),
        lambda: measure.spectral_criterion(X, np.ones((3, 5))),
        lambda: measure.fisher_fit(samples, "diagonal"),
        lambda: st.noise.covariance(samples),
        lambda: st.noise.covariance_of_pairs(samples, samples),
        lambda: st.noise.partial_sums(samples, [1.0], 2.0),
    ):
        with pytest.raises(ValueError, match="empty"):
            call()
    for call in (
        lambda: measure.top_eigenvalues(identity, shape),
        lambda: measure.hessian_summary(identity, shape),
        lambda: measure.muon_ratio(identity, X),
    ):
        with pytest.raises(ValueError, match="shape must have entries"):
            call()
    with pytest.raises(TypeError, match="block 'W' must be float32 or float64 and not empty"):
        st.noise.StreamingNoise({"W": X}, batch_size=8)


def test_recorder() -> None:
    """A recorder measures the other blocks."""
    metrics = (
        "gradient_spectrum",
        "weight_spectrum",
        "update_spectrum",
        "curvature",
        "muon_ratio",
        "hessian",
    )
    opt = st.Muon({"none": np.zeros((0, 5)), "W": np.ones((2, 3))}, lr=0.1)
    recorder = st.diagnostics.Recorder(opt, metrics=metrics, hvp=lambda params, direction: direction)
    for G in np.random.default_rng(0).standard_normal((3, 2, 3)):
        recorder.step({"none": np.zeros((0, 5)), "W": G})
    assert len(recorder.history["gradient_norm/W"]) == 3
    assert "gradient_norm/none" not in recorder.history
