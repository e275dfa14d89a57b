"""Masked arrays are refused wherever an array is taken: what they mask would be used like the rest."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from contract.case import snapshot

import schattor as st

rng = np.random.default_rng(0)
PLAIN: dict[str, np.ndarray] = {
    "scalar": np.array(2.0),
    "vector": np.array([3.0, 2.0, 1.0]),
    "matrix": np.eye(3) + 0.5,
    "stack": rng.standard_normal((6, 3, 3)),
    "one": np.array([0.1]),
}


def masked(value: Any) -> Any:
    """Return the array with its first entry masked."""
    mask = np.zeros(np.shape(value), dtype=bool)
    mask.flat[0] = True
    return np.ma.masked_array(value, mask=mask)


# Optimizers: each entry is called with an array and must change nothing when that is masked.

STEPS: dict[str, tuple[str, Any, Callable[[Any, Any], Any]]] = {
    "step": ("matrix", st.recipes.muon(), lambda opt, x: opt.step({"W": x})),
    "update": ("matrix", st.recipes.adamw(), lambda opt, x: opt.update({"W": x})),
    "peek": ("matrix", st.recipes.sgd(lr=0.1), lambda opt, x: opt.peek({"W": x})),
    "activations": (
        "matrix",
        st.recipes.kfac(lr=0.1),
        lambda opt, x: opt.step({"W": np.eye(3)}, activations={"W": x}, deltas={"W": np.eye(3)}),
    ),
    "deltas": (
        "matrix",
        st.recipes.kfac(lr=0.1),
        lambda opt, x: opt.step({"W": np.eye(3)}, activations={"W": np.eye(3)}, deltas={"W": x}),
    ),
    "per_example": (
        "stack",
        st.recipes.dp_muon(lr=0.1, clip=1.0, noise_multiplier=0.0),
        lambda opt, x: opt.step(None, per_example={"W": x}),
    ),
    "gradient_at_previous": (
        "matrix",
        st.recipes.storm(lr=0.1),
        lambda opt, x: opt.step({"W": np.eye(3)}, gradient_at_previous={"W": x}),
    ),
    "hvp": (
        "matrix",
        st.recipes.schattor(p=st.AdaptiveExponent(), lr=0.1),
        lambda opt, x: opt.step({"W": np.eye(3)}, hvp=lambda params, direction: {"W": x}),
    ),
    "add_block": ("matrix", st.recipes.sgd(lr=0.1), lambda opt, x: opt.add_block("V", x)),
    "load_state_dict": (
        "matrix",
        st.recipes.sgd(lr=0.1, momentum=0.5),
        lambda opt, x: opt.load_state_dict(
            {k: x if np.shape(v) == (3, 3) else v for k, v in opt.state_dict().items()}
        ),
    ),
}


@pytest.mark.parametrize("name", STEPS)
def test_optimizers(name: str) -> None:
    """TypeError that says so, and nothing has changed; the array's plain twin is taken."""
    kind, recipe, call = STEPS[name]
    opt = st.Optimizer({"W": np.ones((3, 3))}, recipe)
    before = snapshot(opt)
    with pytest.raises(TypeError, match=r"plain array, got a masked one"):
        call(opt, masked(PLAIN[kind]))
    assert snapshot(opt) == before
    call(opt, PLAIN[kind].copy())


def test_gradients_of_other_forms() -> None:
    """Tied arrays, pieces of a view, means of samples for a block whose recipe does not read them, scalars."""
    tied = np.ones((3, 3))
    opt = st.SGD({"a": tied, "b": tied}, lr=0.1)
    for G in ({"a": masked(np.eye(3)), "b": np.eye(3)}, {"a": None, "b": masked(np.eye(3))}):
        with pytest.raises(TypeError, match="masked"):
            opt.step(G)
    pieces = st.Muon({"W": np.ones((2, 3, 3))}, views={"W": st.views.batch()})
    with pytest.raises(TypeError, match="masked"):
        pieces.step({"W": masked(np.ones((2, 3, 3)))})
    private = st.recipes.dp_muon(lr=0.1, clip=1.0, noise_multiplier=0.0)
    two = st.Optimizer(
        {"W": np.ones((3, 3)), "V": np.ones((3, 3))}, {"W": private, "V": st.recipes.sgd(lr=0.1)}
    )
    with pytest.raises(TypeError, match="masked"):
        two.step(None, per_example={"W": PLAIN["stack"], "V": masked(PLAIN["stack"])})
    for scalar in (masked(PLAIN["scalar"]), np.ma.masked):
        with pytest.raises(TypeError, match="masked"):
            st.SGD({"s": np.array(1.0)}, lr=0.1).step({"s": scalar})


@pytest.mark.parametrize("params", [lambda x: x, lambda x: [x], lambda x: {"a": {"b": x}}])
def test_parameters(params: Callable[[Any], Any]) -> None:
    """In every structure."""
    with pytest.raises(TypeError, match="masked"):
        st.SGD(params(masked(np.eye(3))), lr=0.1)


@pytest.mark.parametrize("value", [masked(PLAIN["scalar"]), masked(PLAIN["one"]), np.ma.masked])
def test_hyperparameters(value: Any) -> None:
    """As a constant and from a schedule."""
    with pytest.raises(TypeError, match="lr"):
        st.SGD([np.ones(2)], lr=value)
    with pytest.raises(TypeError, match="lr"):
        st.SGD([np.ones(2)], lr=lambda step: value).step([np.ones(2)])


class Masking(st.parts.PythonTransform):
    """Masks what it is told to."""

    def __init__(self, what: str) -> None:
        self.what = what

    def state(self, shape: tuple[int, int]) -> dict[str, Any]:
        """Return one array."""
        return {"M": masked(np.ones(shape)) if self.what == "first state" else np.ones(shape)}

    def apply(self, context: Any, G: Any) -> Any:
        """Return the gradient."""
        if self.what == "state":
            context.state["M"] = masked(G)
        return masked(G) if self.what == "result" else G


class MaskingBall(st.parts.PythonGeometry):
    """The Frobenius ball, masked."""

    def ball(self, G: Any) -> Any:
        """Return the direction."""
        return masked(-G / np.linalg.norm(G))

    def norm(self, X: Any) -> float:
        """Return the norm."""
        return float(np.linalg.norm(X))

    def dual_norm(self, G: Any) -> float:
        """Return the norm."""
        return float(np.linalg.norm(G))


@pytest.mark.parametrize("what", ["first state", "state", "result", "ball"])
def test_parts_in_python(what: str) -> None:
    """What a part returns or keeps is refused, naming it; nothing has changed."""
    changed: Any = {"geometry": MaskingBall()} if what == "ball" else {"transforms": (Masking(what),)}
    W = np.ones((3, 3))
    with pytest.raises(TypeError, match="masked"):
        st.Optimizer({"W": W}, replace(st.recipes.sgd(lr=0.1), **changed)).step({"W": np.eye(3)})
    np.testing.assert_array_equal(W, np.ones((3, 3)))


# Functions of arrays: (kind of array, call with it)

S, D, N, L, T, P = st.Schatten(3), st.diagnostics, st.noise, st.linalg, st.theory, st.problems
POINT = PLAIN["matrix"]
MIXED = st.MixedNorm({"W": st.Spectral()}, outer=2)


def hessian(direction: Any) -> Any:
    """Return the product of a diagonal Hessian."""
    return np.diag([3.0, 2.0, 1.0]) @ direction


FUNCTIONS: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "ball_oracle": ("matrix", lambda x: st.ball_oracle(x, 3)),
    "batched_ball_oracle": ("stack", lambda x: st.batched_ball_oracle(x, 3)),
    "batched_ball_oracle list": ("matrix", lambda x: st.batched_ball_oracle([POINT, x], 3)),
    "regularization_oracle": ("matrix", lambda x: st.regularization_oracle(x, 3)),
    "schatten_norm": ("matrix", lambda x: st.schatten_norm(x, 3)),
    "Schatten.ball": ("matrix", lambda x: S.ball(x)),
    "Schatten.dual_norm": ("matrix", lambda x: S.dual_norm(x)),
    "Lp.norm": ("vector", lambda x: st.Lp(3).norm(x)),
    "MixedNorm.norm": ("matrix", lambda x: MIXED.norm({"W": x})),
    "MixedNorm.ball": ("matrix", lambda x: MIXED.ball({"W": x})),
    "newton_schulz": ("matrix", lambda x: L.newton_schulz(x)),
    "polar_factor": ("matrix", lambda x: L.polar_factor(x)),
    "singular_values": ("matrix", lambda x: L.singular_values(x)),
    "spectral_norm": ("matrix", lambda x: L.spectral_norm(x)),
    "spectral_norm v0": ("vector", lambda x: L.spectral_norm(POINT, v0=x)),
    "top_singular": ("matrix", lambda x: L.top_singular(x, 1)),
    "top_singular V0": ("matrix", lambda x: L.top_singular(POINT, 1, V0=x)),
    "covariance": ("stack", lambda x: N.covariance(x)),
    "covariance list": ("matrix", lambda x: N.covariance([POINT, x, POINT])),
    "covariance_of_pairs": ("stack", lambda x: N.covariance_of_pairs(x, PLAIN["stack"])),
    "covariance_of_pairs second": ("stack", lambda x: N.covariance_of_pairs(PLAIN["stack"], x)),
    "partial_sums noise": ("matrix", lambda x: N.partial_sums(P.GaussianNoise(x, (3, 5)), [1.0], 3.0)),
    "partial_sums": ("vector", lambda x: N.partial_sums(P.GaussianNoise(POINT, (3, 5)), x, 3.0)),
    "tail_index": ("vector", lambda x: N.tail_index([x[0] + 2, *np.arange(1.0, 20.0)])),
    "StreamingNoise": ("matrix", lambda x: N.StreamingNoise({"W": x}, 1)),
    "StreamingNoise.update": ("matrix", lambda x: N.StreamingNoise({"W": POINT}, 1).update({"W": x})),
    "martingale_bound": ("vector", lambda x: T.martingale_bound(POINT, x, 3.0)),
    "martingale_bound covariance": ("matrix", lambda x: T.martingale_bound(x, [1.0], 3.0)),
    "variance_proxy": ("matrix", lambda x: T.variance_proxy(x, 3.0)),
    "optimal_weight": ("matrix", lambda x: T.optimal_weight(x, 3.0)),
    "lemma_3": ("matrix", lambda x: T.lemma_3(x, POINT, 3.0)),
    "lemma_3 weight": ("matrix", lambda x: T.lemma_3(POINT, x, 3.0)),
    "lemma_4": ("matrix", lambda x: T.lemma_4([POINT, x], POINT, 3.0)),
    "curvature": ("matrix", lambda x: D.curvature(hessian, x, 2.0)),
    "curvature hessian": ("matrix", lambda x: D.curvature(lambda d: x, POINT, 2.0)),
    "curvature_profile": ("matrix", lambda x: D.curvature_profile(hessian, x)),
    "fisher_fit": ("stack", lambda x: D.fisher_fit(x, "diagonal")),
    "hessian_matrix": ("matrix", lambda x: D.hessian_matrix(lambda d: x, (3, 3))),
    "top_eigenvalues": ("matrix", lambda x: D.top_eigenvalues(lambda d: x, (3, 3), max_steps=2)),
    "muon_ratio": ("matrix", lambda x: D.muon_ratio(hessian, x, 3.0)),
    "noise_scale": ("stack", lambda x: D.noise_scale(x)),
    "noise_scale mapping": ("stack", lambda x: D.noise_scale({"W": x})),
    "smoothness": ("matrix", lambda x: D.smoothness(x, POINT, 2.0)),
    "smoothness step": ("matrix", lambda x: D.smoothness(POINT, x, 2.0)),
    "smoothness noise": ("matrix", lambda x: D.smoothness(POINT, POINT, 2.0, x)),
    "spectral_criterion": ("matrix", lambda x: D.spectral_criterion(x, POINT)),
    "spectral_criterion activations": ("matrix", lambda x: D.spectral_criterion(POINT, x)),
    "spectrum": ("matrix", lambda x: D.spectrum(x)),
    "History": ("vector", lambda x: D.History({"step": x})),
    "MatrixQuadratic": ("matrix", lambda x: P.MatrixQuadratic(x, np.eye(3))),
    "MatrixQuadratic target": ("matrix", lambda x: P.MatrixQuadratic(np.eye(3), x)),
    "MatrixQuadratic.random": ("vector", lambda x: P.MatrixQuadratic.random(x, columns=2)),
    "MatrixLeastSquares A": ("matrix", lambda x: P.MatrixLeastSquares(x, np.eye(3), np.eye(3))),
    "MatrixLeastSquares B": ("matrix", lambda x: P.MatrixLeastSquares(np.eye(3), x, np.eye(3))),
    "MatrixLeastSquares target": ("matrix", lambda x: P.MatrixLeastSquares(np.eye(3), np.eye(3), x)),
    "MatrixCompletion": ("matrix", lambda x: P.MatrixCompletion(x, POINT > 0, np.eye(3), np.eye(3))),
    "MatrixCompletion seen": ("matrix", lambda x: P.MatrixCompletion(POINT, x > 0, np.eye(3), np.eye(3))),
    "MatrixCompletion U": ("matrix", lambda x: P.MatrixCompletion(POINT, POINT > 0, x, np.eye(3))),
    "LinearRegression": ("matrix", lambda x: P.LinearRegression(x, POINT)),
    "LinearRegression targets": ("matrix", lambda x: P.LinearRegression(POINT, x)),
    "SoftmaxRegression": ("matrix", lambda x: P.SoftmaxRegression(x, np.arange(3))),
    "SoftmaxRegression targets": ("vector", lambda x: P.SoftmaxRegression(POINT, x.astype(int))),
    "MLP": ("matrix", lambda x: P.MLP(x, np.arange(3), [POINT, POINT])),
    "MLP targets": ("vector", lambda x: P.MLP(POINT, x.astype(int) - 1, [POINT, POINT])),
    "MLP weights": ("matrix", lambda x: P.MLP(POINT, np.arange(3), [POINT, x])),
    "AssociativeMemory": ("matrix", lambda x: P.AssociativeMemory(x, POINT, np.ones(3))),
    "AssociativeMemory values": ("matrix", lambda x: P.AssociativeMemory(POINT, x, np.ones(3))),
    "AssociativeMemory weights": ("vector", lambda x: P.AssociativeMemory(POINT, POINT, x)),
    "GaussianNoise": ("vector", lambda x: P.GaussianNoise(x, (3, 5))),
    "StudentNoise": ("matrix", lambda x: P.StudentNoise(x, (3, 5), 3.0)),
    "gaussian_like": ("matrix", lambda x: P.gaussian_like(x)),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions(name: str) -> None:
    """TypeError that names the argument; the array's plain twin is taken."""
    kind, call = FUNCTIONS[name]
    with pytest.raises(TypeError, match=r"\S+ must be a plain array, got a masked one"):
        call(masked(PLAIN[kind]))
    call(PLAIN[kind].copy())


PROBLEMS: dict[str, st.problems.Problem] = {
    "quadratic": P.MatrixQuadratic(np.eye(3), POINT),
    "least squares": P.MatrixLeastSquares(np.eye(3), np.eye(3), POINT),
    "completion": P.MatrixCompletion(POINT, POINT > 0, np.eye(3), np.eye(3)),
    "linear": P.LinearRegression(POINT, POINT),
    "softmax": P.SoftmaxRegression(POINT, np.arange(3)),
    "network": P.MLP(POINT, np.arange(3), [POINT, POINT]),
    "memory": P.AssociativeMemory(POINT, POINT, np.ones(3)),
}
PROBLEMS["joint"] = P.Joint({"a": PROBLEMS["quadratic"], "b": PROBLEMS["completion"]})
PROBLEMS["noise"] = P.WithNoise(PROBLEMS["quadratic"], {"W": P.GaussianNoise(np.ones(3), (3, 3))})


@pytest.mark.parametrize("name", PROBLEMS)
def test_points_and_directions_of_problems(name: str) -> None:
    """Every block of a point is refused where it is masked, in every method that reads it, and so are directions."""
    problem = PROBLEMS[name]
    start = problem.start()
    direction = {i: np.ones_like(x) for i, x in start.items()}
    problem.hvp(start, direction)
    for block in start:
        at = {**start, block: masked(start[block])}
        along = {**direction, block: masked(direction[block])}
        for call in (
            lambda at=at: problem.loss(at),
            lambda at=at: problem.gradient(at),
            lambda at=at: problem.stochastic_gradient(at, 2, 0),
            lambda along=along: problem.hvp(start, along),
        ):
            with pytest.raises(TypeError, match="masked"):
                call()
