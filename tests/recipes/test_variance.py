"""STORM, MARS, MARS-M and NIGT: the literal rules, and the identities that tie them to other methods."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest
from reference import recipes, variance

import schattor as st

r = st.recipes
parts = st.parts
Blocks = dict[str, np.ndarray]
STEPS = 12
SHAPES = {"tall": (6, 4), "wide": (3, 5), "square": (4, 4)}
DECAYS = [("decoupled", 0.0), ("decoupled", 0.3), ("independent", 0.02), ("cautious", 0.3)]
BESIDE = [*DECAYS, ("l2", 0.3)]
SCALES = [1e-3, 1.0, 1e3]


def draw(scale: float = 1.0, seed: int = 0, steps: int = STEPS) -> tuple[Blocks, list[Blocks], list[Blocks]]:
    """Weights, gradients, and gradients at the previous points."""
    rng = np.random.default_rng(seed)

    def blocks(size: float) -> Blocks:
        return {i: size * rng.standard_normal(shape) for i, shape in SHAPES.items()}

    return blocks(1.0), [blocks(scale) for _ in range(steps)], [blocks(scale) for _ in range(steps)]


def run(
    recipe: st.Recipe, W: Blocks, gradients: list[Blocks], at_previous: list[Blocks], **options: Any
) -> Iterator[st.Optimizer]:
    """The optimizer after each step; the first one is not given the gradient at the previous point."""
    opt = st.Optimizer({i: x.copy() for i, x in W.items()}, recipe, **options)
    for t, (G, before) in enumerate(zip(gradients, at_previous, strict=True)):
        extras = {"gradient_at_previous": before} if recipe.requires and t else {}
        opt.step(G, **extras)
        yield opt


def weights(*arguments: Any, **options: Any) -> list[Blocks]:
    """The weights after each step."""
    return [{i: x.copy() for i, x in opt.params.items()} for opt in run(*arguments, **options)]


def assert_paths(got: list[Blocks], wanted: list[Blocks], tolerance: float = 1e-13) -> None:
    """Equal to rounding, relative to the largest entry."""
    for a, b in zip(got, wanted, strict=True):
        for i, x in b.items():
            np.testing.assert_allclose(a[i], x, rtol=0, atol=tolerance * max(1.0, np.abs(x).max()))


def literal(
    loop: Callable[..., recipes.Path],
    W: Blocks,
    gradients: list[Blocks],
    at_previous: list[Blocks] | None = None,
    **arguments: Any,
) -> list[Blocks]:
    """The weights of the loop of one array, block by block."""
    paths = {}
    for i in W:
        given = [[G[i] for G in gradients]]
        if at_previous is not None:
            given.append([G[i] for G in at_previous])
        paths[i] = loop(W[i], *given, **arguments).weights
    return [{i: paths[i][t] for i in W} for t in range(len(gradients))]


def falling(start: float) -> Callable[[int], float]:
    """A schedule."""
    return lambda t: start / (1 + t / 4)


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize(("decay", "weight_decay"), DECAYS)
@pytest.mark.parametrize("momentum", [0.0, 0.7, falling(0.9)])
def test_storm_is_the_literal_rule(momentum: Any, decay: str, weight_decay: float, scale: float) -> None:
    """With an lr that falls."""
    problem = draw(scale)
    common = {"lr": falling(0.1 / scale), "momentum": momentum, "weight_decay": weight_decay, "decay": decay}
    assert_paths(weights(r.storm(**common), *problem), literal(variance.storm, *problem, **common))


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize(("w", "c"), [(10.0, 100.0), (0.5, 0.1), (2.0, 0.0)])
@pytest.mark.parametrize("lr", [1.0, falling(0.3)])
def test_adaptive_storm_is_the_literal_rule(lr: Any, w: float, c: float, scale: float) -> None:
    """The norms of all blocks set one lr and one momentum."""
    problem = draw(scale)
    path = variance.storm_adaptive(*problem, k=lr, w=w, c=c)
    # Near a momentum of one the twelve gradients, which do not belong together, add up in d and in the weights.
    assert_paths(weights(r.storm.adaptive(lr=lr, w=w, c=c), *problem), path.weights, 1e-12)


FORMS = {
    "adamw": (r.mars, {"betas": (0.8, 0.97), "eps": 1e-3}, {"betas": (0.8, 0.97), "eps": 1e-3}),
    "lion": (r.mars.lion, {"momentum": 0.8}, {"betas": (0.8, 0.0)}),
    "shampoo": (r.mars.shampoo, {"momentum": 0.8}, {"betas": (0.8, 0.0)}),
}


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("reference", ["last", "same_samples"])
@pytest.mark.parametrize("form", FORMS)
def test_mars_is_the_literal_rule(form: str, reference: str, scale: float) -> None:
    """All forms, with decay, a scheduled gamma and an lr that falls; small gradients are not clipped."""
    make, taken, given = FORMS[form]
    W, gradients, at_previous = draw(scale)
    common: dict[str, Any] = {"lr": falling(0.05), "gamma": falling(0.6), "weight_decay": 0.2}
    exact = at_previous if reference == "same_samples" else None
    wanted = literal(variance.mars, W, gradients, exact, form=form, **common, **given)
    backend = {"backend": "svd"} if form == "shampoo" else {}
    got = weights(make(reference=reference, **common, **taken), W, gradients, at_previous, **backend)
    assert_paths(got, wanted, 1e-12)


@pytest.mark.parametrize(("decay", "weight_decay"), BESIDE)
@pytest.mark.parametrize("method", ["mars", "mars_m"])
def test_decay_of_mars(method: str, decay: str, weight_decay: float) -> None:
    """Every kind; the literal loops compare a penalised gradient with a plain one, so L2 goes outside."""
    W, gradients, at_previous = draw()
    common: dict[str, Any] = {"lr": 0.05, "gamma": 0.3, "weight_decay": weight_decay, "decay": decay}
    make, loop = getattr(r, method), getattr(variance, method)
    if decay != "l2":
        got = weights(
            make(**common), W, gradients, at_previous, backend="auto" if method == "mars" else "svd"
        )
        assert_paths(got, literal(loop, W, gradients, **common), 1e-12)
        return
    inside = st.Optimizer({i: x.copy() for i, x in W.items()}, make(**common))
    outside = st.Optimizer({i: x.copy() for i, x in W.items()}, make(lr=0.05, gamma=0.3, weight_decay=0.0))
    for G in gradients:
        inside.step(G)
        outside.step({i: g + weight_decay * outside.params[i] for i, g in G.items()})
    assert_paths([inside.params], [outside.params], 1e-12)


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("reference", ["last", "same_samples"])
def test_mars_m_is_the_literal_rule(reference: str, scale: float) -> None:
    """With exact polar factors."""
    W, gradients, at_previous = draw(scale)
    common: dict[str, Any] = {"lr": falling(0.05), "momentum": 0.7, "gamma": 0.4, "weight_decay": 0.1}
    exact = at_previous if reference == "same_samples" else None
    got = weights(r.mars_m(reference=reference, **common), W, gradients, at_previous, backend="svd")
    assert_paths(got, literal(variance.mars_m, W, gradients, exact, **common), 1e-12)


@pytest.mark.parametrize("make", [r.mars, r.mars_m, r.storm, r.storm.adaptive])
def test_l2_decay_beside_two_gradients(make: Any) -> None:
    """The penalty belongs to both of them: refused, with what to do."""
    arguments = {} if make in (r.storm, r.storm.adaptive) else {"reference": "same_samples"}
    with pytest.raises(ValueError, match="both gradients"):
        make(lr=0.1, decay="l2", weight_decay=0.1, **arguments)


# ------------------------------------------------------------------------------------------ identities


CURVATURE = np.diag([4.0, 2.0, 1.0, 0.5])


def quadratic(recipe: st.Recipe, steps: int = 30) -> list[tuple[np.ndarray, dict[str, np.ndarray]]]:
    """The gradient and the state after each step on tr(W' Q W) / 2, with gradients at both points."""
    W = np.random.default_rng(5).standard_normal((4, 4))
    opt, before, rows = st.Optimizer(W, recipe), W.copy(), []
    for _ in range(steps):
        exact, at_previous, before = CURVATURE @ W, CURVATURE @ before, W.copy()
        opt.step(exact, gradient_at_previous=at_previous)
        rows.append((exact, opt.state_dict()))
    return rows


@pytest.mark.parametrize("momentum", [0.0, 0.5, 0.99, 1.0])
def test_recursive_momentum_without_noise_is_the_gradient(momentum: float) -> None:
    """d_t = grad f(W_t) for any momentum, SARAH's included; so for Muon with gradients at two points (MVR2)."""
    estimator = st.estimators.Recursive(momentum)
    for base in (r.storm(lr=0.05), r.muon(lr=0.05)):
        for exact, state in quadratic(replace(base, estimator=estimator)):
            np.testing.assert_allclose(state["state/0/estimate"], exact, rtol=0, atol=1e-13)


def test_storm_without_momentum_is_sgd() -> None:
    """a = 1."""
    problem = draw()
    assert_paths(weights(r.storm(lr=0.1, momentum=0.0), *problem), weights(r.sgd(lr=0.1), *problem))


def test_storm_with_momentum_one_is_sarah() -> None:
    """a = 0: d <- d + G - G'."""
    W, gradients, at_previous = draw()
    sarah = replace(r.storm(lr=0.1), estimator=st.estimators.Recursive(1.0))
    x, d = {i: w.copy() for i, w in W.items()}, dict(gradients[0])
    wanted = []
    for t, (G, before) in enumerate(zip(gradients, at_previous, strict=True)):
        d = {i: d[i] + G[i] - before[i] for i in W} if t else d
        x = {i: x[i] - 0.1 * d[i] for i in W}
        wanted.append(x)
    assert_paths(weights(sarah, W, gradients, at_previous), wanted)


def test_storm_contracts_where_the_point_stays() -> None:
    """The same point and sample: the distance of d from the gradient shrinks by 1 - a."""
    rng = np.random.default_rng(1)
    opt = st.STORM(np.zeros((3, 2)), lr=0.0, momentum=0.6)
    opt.step(rng.standard_normal((3, 2)))
    G = rng.standard_normal((3, 2))
    for _ in range(5):
        before = opt.state_dict()["state/0/estimate"] - G
        opt.step(G, gradient_at_previous=G)
        np.testing.assert_allclose(opt.state_dict()["state/0/estimate"] - G, 0.6 * before, rtol=0, atol=1e-15)


def corrected(base: st.Recipe, gamma: float, momentum: float, reference: str = "last") -> st.Recipe:
    """The recipe on corrected gradients that are not clipped."""
    return replace(base, transforms=(parts.VarianceReduction(gamma, momentum, reference),))


def test_exact_correction_with_gamma_one_is_storm() -> None:
    """An average from the first gradient, without clipping."""
    problem = draw()
    average = replace(r.storm(lr=0.1), estimator=st.estimators.EMA(0.8, "first"))
    got = weights(corrected(average, 1.0, 0.8, "same_samples"), *problem)
    assert_paths(got, weights(r.storm(lr=0.1, momentum=0.8), *problem))


def test_mars_without_correction() -> None:
    """gamma = 0 is AdamW, MARS-M Muon; with the clip on gradients that are short."""
    W, gradients, at_previous = draw(1e-3)
    for mars, plain in (
        (r.mars(gamma=0.0), r.adamw(lr=3e-3, betas=(0.95, 0.99), weight_decay=0.0)),
        (r.mars_m(gamma=0.0), r.muon(lr=1e-3, nesterov=False, weight_decay=0.1, scale="match_rms_adamw")),
        (r.mars.lion(gamma=0.0), r.signum(lr=3e-3, momentum=0.95)),
        (r.mars.shampoo(gamma=0.0), r.muon(lr=3e-3, nesterov=False)),
    ):
        assert_paths(weights(mars, W, gradients, at_previous), weights(plain, W, gradients, at_previous))


def test_approximate_correction_is_quasi_hyperbolic() -> None:
    """gamma G + (1 - gamma) average: DoubleEMA; Nesterov at gamma = 1 - b, the gradient itself at gamma = 1."""
    problem = draw()
    b = 0.9
    plain = r.muon(lr=0.1, momentum=b, nesterov=False)
    for gamma in (0.0, 0.3, 1 - b, 1.0):
        got = weights(corrected(plain, gamma, b), *problem, backend="svd")
        double = replace(plain, estimator=st.estimators.DoubleEMA((1 - gamma) * b, b))
        assert_paths(got, weights(double, *problem, backend="svd"), 1e-12)
    nesterov = weights(r.muon(lr=0.1, momentum=b), *problem, backend="svd")
    assert_paths(weights(corrected(plain, 1 - b, b), *problem, backend="svd"), nesterov, 1e-12)
    free = weights(r.muon(lr=0.1, momentum=0.0, nesterov=False), *problem, backend="svd")
    assert_paths(weights(corrected(plain, 1.0, b), *problem, backend="svd"), free, 1e-12)


def test_exact_correction_without_gamma_is_the_plain_average() -> None:
    """MVR2 at gamma = 0 is Muon."""
    problem = draw()
    plain = r.muon(lr=0.1, momentum=0.9, nesterov=False)
    assert_paths(weights(corrected(plain, 0.0, 0.9, "same_samples"), *problem), weights(plain, *problem))


@pytest.mark.parametrize("reference", ["last", "same_samples"])
@pytest.mark.parametrize("gamma", [0.2, 1.0])
def test_corrected_average_is_the_recursion(gamma: float, reference: str) -> None:
    """M <- b M + (1 - b) G + gamma b (G - R): what the directions are made from."""
    W, gradients, at_previous = draw()
    recipe = corrected(r.muon(lr=0.1, momentum=0.8, nesterov=False), gamma, 0.8, reference)
    for i in W:
        exact = [G[i] for G in at_previous] if reference == "same_samples" else None
        wanted = variance.mvr([G[i] for G in gradients], exact, 0.8, gamma)
        for opt, M in zip(run(recipe, W, gradients, at_previous), wanted, strict=True):
            np.testing.assert_allclose(opt.state_dict()[f"state/{i}/average"], M, rtol=0, atol=1e-14)


def test_mars_lion_is_lion() -> None:
    """Without clipping, with beta_2 the momentum and gamma = 1 - beta_1 / beta_2."""
    W, gradients, at_previous = draw()
    near, far = 0.6, 0.95
    mars = corrected(r.signum(lr=0.1, momentum=far), 1 - near / far, far)
    lion = r.lion(lr=0.1, betas=(near, far))
    assert_paths(weights(mars, W, gradients, at_previous), weights(lion, W, gradients, at_previous))


def test_first_step_of_mars_is_a_sign() -> None:
    """Whatever gamma, clip and scale."""
    W, gradients, at_previous = draw(1e3, steps=1)
    got = weights(r.mars(lr=0.1, gamma=0.5, eps=0.0), W, gradients, at_previous)[0]
    assert_paths([got], [{i: W[i] - 0.1 * np.sign(G) for i, G in gradients[0].items()}])


def test_the_last_gradient_is_copied() -> None:
    """Zeroing the array that held it changes nothing."""
    W, gradients, _ = draw()
    kept = st.Optimizer({i: x.copy() for i, x in W.items()}, r.mars(gamma=0.5))
    zeroed = st.Optimizer({i: x.copy() for i, x in W.items()}, r.mars(gamma=0.5))
    buffer = {i: np.zeros_like(x) for i, x in W.items()}
    for G in gradients:
        for i, x in buffer.items():
            x[...] = G[i]
        kept.step(G)
        zeroed.step(buffer)
        for x in buffer.values():
            x[...] = 0.0
    for i, x in kept.params.items():
        np.testing.assert_array_equal(zeroed.params[i], x)


def test_gradients_at_two_points_reduce_the_variance() -> None:
    """Following a moving gradient, the error of the recursion is the noise of an average that does not lag.

    With momentum b that is (1 - b) / (1 + b) of the variance of a sample, to the scatter of 250 independent ones
    (some ten percent, three times of which is allowed); the plain average lags behind by far more.
    """
    b, noise, rng = 0.9, 0.5, np.random.default_rng(6)
    recursive = r.storm(lr=0.0, momentum=b)
    errors = {}
    for name, recipe in (
        ("estimate", recursive),
        ("average", replace(recursive, estimator=st.estimators.EMA(b, "first"))),
    ):
        opt, exact, squares = st.Optimizer(np.zeros((5, 5)), recipe), np.zeros((5, 5)), []
        for _ in range(300):
            before, sample = exact, noise * rng.standard_normal((5, 5))
            exact = exact + rng.standard_normal((5, 5))
            extras = {"gradient_at_previous": before + sample} if recipe.requires else {}
            opt.step(exact + sample, **extras)
            squares.append(((opt.state_dict()[f"state/0/{name}"] - exact) ** 2).mean())
        errors[name] = float(np.mean(squares[50:]))
    expected = noise**2 * (1 - b) / (1 + b)
    assert errors["estimate"] == pytest.approx(expected, rel=0.3)
    assert errors["average"] > 10 * expected


def test_clipping() -> None:
    """To the limit in each block alone, never up; over the whole range of the dtype; zero stays zero."""
    for dtype in (np.float64, np.float32):
        for scale in (1e-30, 1e-3, 1.0, 1e30):
            G = (np.random.default_rng(0).standard_normal((5, 3)) * scale).astype(dtype)
            W = {"a": np.zeros((5, 3), dtype=dtype), "b": np.zeros((5, 3), dtype=dtype)}
            opt = st.Optimizer(W, replace(r.sgd(lr=1.0), transforms=(parts.ClipNorm(0.5),)))
            opt.step({"a": G, "b": np.zeros_like(G)})
            length = np.linalg.norm(G.astype(np.float64))
            wanted = -G.astype(np.float64) * min(1.0, 0.5 / length)
            tolerance = 4 * float(np.finfo(dtype).eps) * np.abs(wanted).max()
            np.testing.assert_allclose(W["a"], wanted, rtol=0, atol=tolerance)
            assert not W["b"].any()


def test_recursive_estimators_work_in_optimizers_only() -> None:
    """Outside there is no gradient at the previous point."""
    for estimator in (st.estimators.Recursive(), st.estimators.AdaptiveRecursive()):
        with pytest.raises(TypeError, match="gradient_at_previous"):
            estimator.start(like=np.zeros(2))


def test_shared_sums_stand_alone() -> None:
    """A transform with state would run twice."""
    with pytest.raises(ValueError, match=r"VarianceReduction, which keeps a state.*AdaptiveRecursive"):
        replace(r.storm.adaptive(), transforms=(parts.VarianceReduction(),))


# ------------------------------------------------------------------------------------------------ NIGT


def iterates(recipe: st.Recipe, W: Blocks, gradients: list[Blocks]) -> tuple[list[Blocks], list[Blocks]]:
    """Weights and points to evaluate after each step."""
    opt = st.Optimizer({i: x.copy() for i, x in W.items()}, recipe)
    points, evaluated = [], []
    for G in gradients:
        opt.step(G)
        points.append({i: x.copy() for i, x in opt.params.items()})
        evaluated.append(opt.evaluation_params())
    return points, evaluated


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("scope", ["joint", "block"])
@pytest.mark.parametrize("init", ["first", "zero"])
@pytest.mark.parametrize(("decay", "weight_decay"), BESIDE)
def test_nigt_is_the_literal_rule(
    decay: str, weight_decay: float, init: str, scope: str, scale: float
) -> None:
    """Both points after every step; lr and momentum are scheduled."""
    W, gradients, _ = draw(scale)
    common: dict[str, Any] = {"lr": falling(0.1), "momentum": falling(0.9), "momentum_init": init}
    common |= {"scope": scope, "weight_decay": weight_decay, "decay": decay}
    path = variance.nigt(W, gradients, **common)
    points, evaluated = iterates(r.nigt(**common), W, gradients)
    # Ten times the step: the extrapolation multiplies rounding by 1 / (1 - b).
    assert_paths(points, path.weights, 1e-12)
    assert_paths(evaluated, path.estimates, 1e-12)


def test_nigt_without_noise_is_normalised_sgd() -> None:
    """On a quadratic the average of gradients at the extrapolated points is the gradient at the iterate."""
    rng = np.random.default_rng(2)
    start = rng.standard_normal((4, 3))
    X, Y = start.copy(), start.copy()
    nigt, plain = st.NIGT(X, lr=0.05, momentum=0.8), st.NormalizedSGD(Y, lr=0.05, momentum=0.0)
    for _ in range(40):
        nigt.step(CURVATURE @ X)
        plain.step(CURVATURE @ Y)
        np.testing.assert_allclose(nigt.evaluation_params(), Y, rtol=0, atol=1e-12)


def test_steps_of_nigt() -> None:
    """Their length is lr; the scale of gradients and the start of the average do not matter; signs in one dimension."""
    W, gradients, _ = draw()
    _, evaluated = iterates(r.nigt(lr=0.1), W, gradients)
    for before, after in zip([W, *evaluated], evaluated, strict=False):
        length = np.sqrt(sum(((after[i] - before[i]) ** 2).sum() for i in W))
        assert length == pytest.approx(0.1, rel=1e-12)
    scaled = [{i: 1e5 * g for i, g in G.items()} for G in gradients]
    assert_paths(iterates(r.nigt(lr=0.1), W, scaled)[1], evaluated, 1e-12)
    first, zero = (r.nigt(lr=0.1, momentum_init=init) for init in ("first", "zero"))
    assert_paths(iterates(first, W, gradients[:1])[1], iterates(zero, W, gradients[:1])[1])
    one = st.NIGT(np.zeros(()), lr=0.25, momentum=0.0)
    for g in (3.0, -0.1, 7.0):
        one.step(np.array(g))
    assert one.evaluation_params() == -0.25


def test_nigt_without_momentum() -> None:
    """The parameters are the point to evaluate."""
    W, gradients, _ = draw()
    points, evaluated = iterates(r.nigt(lr=0.1, momentum=0.0), W, gradients)
    assert_paths(points, evaluated)
    assert_paths(points, weights(r.normalized_sgd(lr=0.1, momentum=0.0), W, gradients, gradients))


def test_extrapolation_takes_additive_updates() -> None:
    """Schedule-free averaging keeps points of its own."""
    with pytest.raises(ValueError, match="Additive update further, got ScheduleFree"):
        parts.Extrapolated(r.schedule_free_sgd().update)


INVALID: list[tuple[Callable[..., Any], Mapping[str, Any]]] = [
    (r.storm, {"lr": 0.1, "momentum": 1.0}),
    (r.storm.adaptive, {"w": 0.0}),
    (r.storm.adaptive, {"c": -1.0}),
    (r.mars, {"gamma": -0.1}),
    (r.mars, {"reference": "both"}),
    (r.mars_m, {"momentum": 1.0}),
    (r.nigt, {"lr": 0.1, "scope": "all"}),
    (partial(parts.ClipNorm), {"limit": 0.0}),
]


@pytest.mark.parametrize(("make", "arguments"), INVALID)
def test_values_outside_their_ranges(make: Callable[..., Any], arguments: Mapping[str, Any]) -> None:
    """One clear error."""
    with pytest.raises(ValueError, match="must be"):
        make(**arguments)
