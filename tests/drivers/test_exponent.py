"""The exponent chosen along the run: its scores, its limits, and the contracts of every optimizer."""

from __future__ import annotations

import math
import pickle
from typing import Any

import numpy as np
import pytest

import schattor as st

RNG = np.random.default_rng


def quadratic(seed: int = 0, size: int = 6) -> st.problems.MatrixQuadratic:
    """A quadratic with a decaying spectrum."""
    return st.problems.MatrixQuadratic.random(np.geomspace(1, 1e-2, size), size, rng=seed)


def auto(params: Any, options: Any = "auto", lr: float = 0.1, **more: Any) -> st.Schattor:
    """An optimizer that chooses its exponents, by the regularization rule and without momentum unless told."""
    return st.Schattor(params, **{"p": options, "lr": lr, "rule": "regularization", "momentum": 0.0, **more})


def completion(seed: int = 0) -> st.problems.MatrixCompletion:
    """A problem of two blocks that see each other."""
    return st.problems.MatrixCompletion.random((6, 5), 2, rng=seed)


def literal_score(G: np.ndarray, H: Any, p: float, step: float, rule: str) -> tuple[float, float]:
    """J_p and the largest predicted decrease, by a search over lengths of the step."""
    D = st.ball_oracle(G, p)
    norm, J = -float((G * D).sum()), float((D * H(D)).sum())
    longest = step if rule == "ball" else step * norm
    lengths = np.linspace(0, longest, 20001)
    return J, float((lengths * norm - lengths**2 * J / 2).max())


@pytest.mark.parametrize("rule", ["ball", "regularization"])
@pytest.mark.parametrize("lr", [0.02, 0.5, 5.0])
def test_scores_are_the_largest_predicted_decreases(lr: float, rule: str) -> None:
    """J_p and the score of each exponent against the definition; the best is taken at once."""
    problem = quadratic()
    params = problem.start()
    G = problem.gradient(params)
    opt = auto(params, lr=lr, rule=rule)
    opt.step(G, hvp=problem.hvp)
    choice = opt.report.choices[0]["W"]
    for p in (2.0, 3.0, 4.0, 8.0, math.inf):
        J, score = literal_score(G["W"], lambda D: problem.hvp(params, {"W": D})["W"], p, lr, rule)
        assert choice.curvatures[p] == pytest.approx(J, rel=1e-10)
        # A parabola's maximum on a grid of spacing h is low by at most J h^2 / 8.
        assert choice.scores[p] == pytest.approx(score, rel=1e-6)
    assert choice.p == max(choice.scores, key=choice.scores.__getitem__)


def test_score_without_a_bound_is_that_of_the_papers() -> None:
    """Where lr allows the best step of every exponent, the score is ||g||_q^2 / (2 J_p)."""
    problem = quadratic()
    params = problem.start()
    G = problem.gradient(params)
    opt = auto(params, lr=100.0)
    opt.step(G, hvp=problem.hvp)
    H = st.diagnostics.block_hessian(problem.hvp, problem.start(), "W")
    profile = st.diagnostics.curvature_profile(H, G["W"])
    scores = list(opt.report.choices[0]["W"].scores.values())
    np.testing.assert_allclose(scores, profile.predicted_decreases, rtol=1e-12)


def test_steps_are_shortened_to_the_limit() -> None:
    """At a much too large lr, the step's quadratic term is limit times its linear one, also over several blocks."""
    problem = completion()
    params = problem.start()
    G = problem.gradient(params)
    opt = auto(params, st.AdaptiveExponent(limit=1.25), lr=50.0)
    S = opt.peek(G, hvp=problem.hvp)
    slope = -sum((G[k] * S[k]).sum() for k in G)
    HS = problem.hvp(params, S)
    assert sum((S[k] * HS[k]).sum() for k in G) <= 1.25 * slope * (1 + 1e-10)
    single = quadratic()
    W = single.start()
    g = single.gradient(W)
    s = auto(W, st.AdaptiveExponent(limit=1.25), lr=50.0).peek(g, hvp=single.hvp)
    assert (s["W"] * single.hvp(W, s)["W"]).sum() == pytest.approx(-1.25 * (g["W"] * s["W"]).sum(), rel=1e-10)


@pytest.mark.parametrize("p", [2.0, 4.0, math.inf])
def test_a_grid_of_one_is_the_fixed_exponent(p: float) -> None:
    """With one exponent and no limit there is nothing to choose: bit-identical runs."""
    problem = completion()
    first, second = problem.start(), problem.start()
    chosen = auto(first, st.AdaptiveExponent(grid=(p,), limit=math.inf), lr=0.01)
    fixed = st.Schattor(second, p=p, lr=0.01, rule="regularization", momentum=0)
    for _ in range(12):
        chosen.step(problem.gradient(first), hvp=problem.hvp)
        fixed.step(problem.gradient(second))
    for name in first:
        np.testing.assert_array_equal(first[name], second[name])


def test_differences_measure_the_curvature_of_the_quadratic() -> None:
    """On a quadratic the secant's curvature along each exponent's own direction is exact: J_p after the first tries."""
    problem = st.problems.MatrixQuadratic(np.eye(5), RNG(0).standard_normal((5, 5)))  # H = 2 I
    params = problem.start()
    opt = auto(params, lr=0.01)
    for _ in range(6):
        G = problem.gradient(params)
        opt.step(G)
    for p, J in opt.report.choices[0]["W"].curvatures.items():
        D = st.ball_oracle(G["W"], p)
        np.testing.assert_allclose(J, 2 * (D * D).sum(), rtol=1e-6)


def test_same_batch_gradients_hide_the_noise() -> None:
    """With gradients of the same samples a random offset of each batch does not matter; with secants it does."""
    problem = quadratic()
    found = []
    for same in (True, False):
        params, rng = problem.start(), RNG(1)
        opt = auto(params, lr=0.05)
        last = problem.start()
        for _ in range(6):
            offset = rng.standard_normal(params["W"].shape)
            G = {"W": problem.gradient(params)["W"] + offset}
            again = {"W": problem.gradient(last)["W"] + offset}
            last = {"W": params["W"].copy()}
            opt.step(G, **({"gradient_at_previous": again} if same else {}))
        found.append(opt.report.choices[0]["W"].curvatures)
    assert all(0 < J <= problem.lipschitz(p) * (1 + 1e-9) for p, J in found[0].items())
    assert not all(0 < J <= problem.lipschitz(p) for p, J in found[1].items())


def test_hysteresis_keeps_an_exponent() -> None:
    """With H = I the best exponent is 2, with H[D] = QD along G = Q it is inf; a large factor keeps the first."""
    Q = np.diag([1.0, 1e-2, 1e-2])
    seen = []
    for hysteresis in (1.0, 1e9):
        opt = auto({"W": np.eye(3)}, st.AdaptiveExponent(hysteresis=hysteresis, every=1), lr=1e3)
        for t in range(4):
            H = (np.eye(3), Q)[t % 2]
            opt.step({"W": Q}, hvp=lambda x, d, H=H: {"W": H @ d["W"]})
            seen.append(opt.report.choices[0]["W"].chosen)
    assert seen == [2, math.inf, 2, math.inf, 2, 2, 2, 2]


def test_no_curvature_falls_back_to_the_secant_or_keeps() -> None:
    """J_p at the floor: without a secant the exponent is kept; with one, L_p = ||y||_q / ||s||_p stands for it."""
    rng = RNG(0)
    params, gradients = (
        {"W": rng.standard_normal((4, 4))},
        [{"W": rng.standard_normal((4, 4))} for _ in range(2)],
    )
    flat = lambda params, direction: {"W": -direction["W"]}  # noqa: E731
    opt = auto(params, st.AdaptiveExponent(grid=(3.0, math.inf), every=1), lr=0.1)
    before = params["W"].copy()
    opt.step(gradients[0], hvp=flat)
    assert opt.report.choices[0]["W"].p == 3 and not opt.report.choices[0]["W"].scores
    s, y = params["W"] - before, gradients[1]["W"] - gradients[0]["W"]
    opt.step(gradients[1], hvp=flat)
    for p, q in ((3.0, 1.5), (math.inf, 1.0)):
        expected = st.schatten_norm(y, q) / st.schatten_norm(s, p)
        assert opt.report.choices[0]["W"].curvatures[p] == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("source", ["hvp", "gradients", "secant"])
def test_resume_is_exact_and_peek_advances_nothing(source: str) -> None:
    """Saved and loaded, pickled, or looked at in between: the same bits, choices included. None leaves a block out."""
    problem = completion()
    params = problem.start()
    opt = auto(params, lr=0.01, momentum=0.5)
    last = params

    def step(x: Any, opt: st.Schattor, t: int, peek: bool) -> None:
        G: dict[str, Any] = problem.gradient(x)
        extras: dict[str, Any] = {"hvp": problem.hvp} if source == "hvp" else {}
        if source == "gradients":
            extras = {"gradient_at_previous": problem.gradient(last)}
        if t % 7 == 5:
            G["U"] = None
        if peek:
            before = {k: v.copy() for k, v in opt.state_dict().items()}
            opt.peek(G, **extras)
            assert all(np.array_equal(v, before[k]) for k, v in opt.state_dict().items())
        opt.step(G, **extras)

    for t in range(25):
        if t == 13:
            other = {k: v.copy() for k, v in params.items()}
            loaded = auto(other, lr=0.01, momentum=0.5)
            loaded.load_state_dict(opt.state_dict())
            copied = pickle.loads(pickle.dumps(opt))
        kept = {k: v.copy() for k, v in params.items()}
        step(params, opt, t, peek=False)
        if t >= 13:
            step(other, loaded, t, peek=True)
            step(copied.params, copied, t, peek=False)
            for name in params:
                np.testing.assert_array_equal(params[name], other[name])
                np.testing.assert_array_equal(params[name], copied.params[name])
        last = kept
    assert opt.report.choices == loaded.report.choices == copied.report.choices


def test_pieces_of_a_view_choose_alone() -> None:
    """A split view makes blocks that choose exponents of their own, as separate arrays would."""
    rng = RNG(3)
    target = [np.outer(rng.standard_normal(4), rng.standard_normal(5)), rng.standard_normal((4, 5))]
    Q = [np.diag([1.0, 1e-3, 1e-3, 1e-3]), np.eye(4)]
    whole, parts = {"W": np.zeros((8, 5))}, {"a": np.zeros((4, 5)), "b": np.zeros((4, 5))}

    def halves(x: Any, d: Any) -> dict[str, Any]:
        return {k: Q[i] @ d[k] for i, k in enumerate(x)}

    first = auto(whole, lr=0.3, views={"W": st.views.split(2, axis=0)})
    second = auto(parts, lr=0.3)
    for _ in range(12):
        G = [q @ (x - t) for q, x, t in zip(Q, np.split(whole["W"], 2), target, strict=True)]
        stacked = np.concatenate(G)
        first.step(
            {"W": stacked},
            hvp=lambda x, d: {
                "W": np.concatenate([q @ h for q, h in zip(Q, np.split(d["W"], 2), strict=True)])
            },
        )
        second.step(dict(zip("ab", G, strict=True)), hvp=halves)
    np.testing.assert_allclose(whole["W"], np.concatenate([parts["a"], parts["b"]]), rtol=1e-12, atol=1e-14)
    ours, theirs = first.report.choices[0], second.report.choices[0]
    assert [c.p for c in ours.values()] == [c.p for c in theirs.values()]


def test_schedule_and_weights_set_the_length_that_is_scored() -> None:
    """An lr halved by the schedule, and weights sqrt(2), score like half the lr."""
    problem = quadratic()
    G = problem.gradient(problem.start())
    scores = []
    for more in (
        {"lr": 0.1},
        {"lr": 0.2, "schedule": lambda step: 0.5},
        {"lr": 0.2, "weights": math.sqrt(2)},
    ):
        opt = auto(problem.start(), **more)
        opt.step(G, hvp=problem.hvp)
        scores.append(list(opt.report.choices[0]["W"].scores.values()))
    np.testing.assert_allclose(scores[1], scores[0], rtol=1e-13)
    np.testing.assert_allclose(scores[2], scores[0], rtol=1e-13)


def test_zero_gradients_and_float32_are_safe() -> None:
    """A block without gradient stays; float32 stays float32."""
    params = {"W": RNG(0).standard_normal((3, 4)).astype(np.float32)}
    before = params["W"].copy()
    opt = auto(params)
    for _ in range(14):
        opt.step({"W": np.zeros((3, 4), dtype=np.float32)})
    np.testing.assert_array_equal(params["W"], before)
    opt.step({"W": before}, hvp=lambda x, d: d)
    assert params["W"].dtype == np.float32 and np.isfinite(params["W"]).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"grid": ()}, "grid must hold"),
        ({"grid": (2.0, 2.0)}, "grid must hold"),
        ({"grid": (0.5,)}, r"grid\[0\] must be in \[1, inf\]"),
        ({"every": 0}, "every must be at least 1"),
        ({"hysteresis": 0.9}, "hysteresis must be at least 1"),
        ({"floor": -1.0}, "floor must be"),
        ({"limit": 2.0}, "limit must be"),
    ],
)
def test_bad_options(options: dict[str, Any], message: str) -> None:
    """Every option says its range."""
    with pytest.raises(ValueError, match=message):
        st.AdaptiveExponent(**options)


def test_bad_combinations() -> None:
    """Blocks that do not separate, the theorems' lr, and products of a wrong shape."""
    with pytest.raises(ValueError, match="needs outer=2"):
        auto({"W": np.eye(2)}, outer=4.0)
    run = st.theory.Run(delta=1.0, steps=10, batch=1)
    with pytest.raises(ValueError, match="do not go together"):
        st.Schattor({"W": np.eye(2)}, p="auto", lr="theory", momentum="theory", theory=run)
    opt = auto({"W": np.eye(2)})
    with pytest.raises(ValueError, match=r"finite product for block 'W', an array of shape \(2, 2\)"):
        opt.step({"W": np.eye(2)}, hvp=lambda x, d: {"W": np.ones(3)})
    with pytest.raises(TypeError, match="hvp must be callable"):
        opt.step({"W": np.eye(2)}, hvp=3)
