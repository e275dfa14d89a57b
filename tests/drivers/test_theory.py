"""lr="theory": what it measures, what it chooses, what it refuses, and that nothing happens but in a step."""

from __future__ import annotations

import copy
import io
import math
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import schattor as st

SHAPES = {"a": (4, 6), "b": (5, 3)}
EXPONENTS = {"a": 4.0, "b": np.inf}
WEIGHTS = {"a": 2.0, "b": 0.5}
RUN = st.theory.Run(delta=3.0, steps=50, batch=4, first_batch=8, every=1)


def norm(outer: float = np.inf) -> st.MixedNorm:
    """Two blocks with exponents and weights of their own."""
    return st.MixedNorm({k: st.Schatten(p) for k, p in EXPONENTS.items()}, weights=WEIGHTS, outer=outer)


def by_theory(params: Any, run: st.theory.Run = RUN, **options: Any) -> st.Schattor:
    """Schattor with the lr of the theorems."""
    options = options or {"norm": norm()}
    return st.Schattor(params, lr="theory", momentum="theory", theory=run, **options)


class Noisy:
    """Two quadratics with noise, and the batches of a run: the same at every point."""

    def __init__(self, noise: float = 0.3) -> None:
        rng = np.random.default_rng(0)
        self.noise = noise
        self.start = {k: rng.standard_normal(shape) for k, shape in SHAPES.items()}
        self.curvature = {k: np.diag(rng.uniform(0.2, 2, shape[0])) for k, shape in SHAPES.items()}

    def micro_batches(self, params: Any, step: int) -> dict[str, np.ndarray]:
        """Four mean gradients, each of one sample (two in the first step)."""
        rng = np.random.default_rng([step, 7])
        size = 8 if step == 0 else 4
        return {
            k: self.curvature[k] @ params[k]
            + self.noise * rng.standard_normal((4, size // 4, *W.shape)).mean(axis=1)
            for k, W in params.items()
        }

    def gradient(self, params: Any, step: int) -> dict[str, np.ndarray]:
        return {k: x.mean(axis=0) for k, x in self.micro_batches(params, step).items()}

    def given(self, source: str, params: Any, previous: Any, step: int) -> dict[str, Any]:
        if source == "closure":
            return {"closure": lambda point: self.gradient(point, step)}
        if source == "gradient_at_previous":
            return {} if previous is None else {source: self.gradient(previous, step)}
        return {"per_example": self.micro_batches(params, step)}

    def run(self, opt: st.Schattor, source: str, steps: range) -> None:
        previous = None
        for step in steps:
            params = opt.params
            before = {k: W.copy() for k, W in params.items()}
            opt.step(self.gradient(params, step), **self.given(source, params, previous, step))
            previous = before


def dual(blocks: dict[str, np.ndarray]) -> float:
    """The dual norm of `norm()`, from singular values."""
    total = 0.0
    for k, G in blocks.items():
        q = 1 if np.isinf(EXPONENTS[k]) else EXPONENTS[k] / (EXPONENTS[k] - 1)
        total += (np.linalg.svd(G, compute_uv=False) ** q).sum() ** (1 / q) / WEIGHTS[k]
    return total


def primal(blocks: dict[str, np.ndarray]) -> float:
    """The norm of `norm()`, from singular values."""
    return max(
        WEIGHTS[k] * np.linalg.norm(np.linalg.svd(X, compute_uv=False), EXPONENTS[k])
        for k, X in blocks.items()
    )


def minus(x: Any, y: Any) -> dict[str, np.ndarray]:
    """x - y, block by block."""
    return {k: x[k] - y[k] for k in x}


def small_side(X: np.ndarray) -> np.ndarray:
    """The second moment on the smaller side."""
    return X @ X.T if X.shape[0] <= X.shape[1] else X.T @ X


def of_covariances(covariances: dict[str, np.ndarray]) -> float:
    """sigma from its definition: V is the root of the covariance."""
    return dual({k: np.diag(np.sqrt(np.linalg.eigvalsh(C))) for k, C in covariances.items()})


def snapshot(opt: st.Schattor) -> dict[str, bytes]:
    """State and parameters, bit by bit."""
    return {k: v.tobytes() for k, v in {**opt.state_dict(), **opt.params}.items()}


@pytest.mark.parametrize("source", ["closure", "gradient_at_previous"])
def test_measures_from_one_batch_at_two_points(source: str) -> None:
    """L is the largest ratio so far; the noise is that of two batches at one point: this one and the last."""
    problem = Noisy()
    opt = by_theory({k: W.copy() for k, W in problem.start.items()})
    ratios, sums = [], dict.fromkeys(SHAPES, 0.0)
    last: Any = None
    for step in range(6):
        params = {k: W.copy() for k, W in opt.params.items()}
        G = problem.gradient(params, step)
        if step:
            at_last = problem.gradient(last, step)
            ratios.append(dual(minus(G, at_last)) / primal(minus(params, last)))
            pair = minus(problem.gradient(last, step - 1), at_last)
            weight = 1 / (1 / 4 + 1 / (8 if step == 1 else 4))
            sums = {k: sums[k] + weight * small_side(D) for k, D in pair.items()}
        opt.step(G, **problem.given(source, params, last, step))
        choice = opt.report.choices[0]
        if step:
            assert max(ratios) == pytest.approx(choice.L)
            assert choice.sigma == pytest.approx(of_covariances({k: S / step for k, S in sums.items()}))
        assert (choice.differences, choice.covariances) == (step, step)
        last = params


def test_micro_batches_give_sigma() -> None:
    """The mean of the unbiased covariances, whatever the size of a micro-batch."""
    problem = Noisy()
    opt = by_theory({k: W.copy() for k, W in problem.start.items()})
    sums = dict.fromkeys(SHAPES, 0.0)
    for step in range(4):
        stacks = problem.micro_batches(opt.params, step)
        size = 2 if step == 0 else 1
        sums = {k: sums[k] + st.noise.covariance(x, batch_size=size).covariance for k, x in stacks.items()}
        opt.step(None, per_example=stacks)
        expected = of_covariances({k: S / (step + 1) for k, S in sums.items()})
        assert opt.report.choices[0].sigma == pytest.approx(expected)


def test_micro_batches_give_L_above_the_noise() -> None:
    """Without noise the ratio to the last step; with much, the kept point waits, and L is the least possible."""
    quiet = Noisy(noise=0.0)
    opt = by_theory({k: W.copy() for k, W in quiet.start.items()})
    quiet.run(opt, "per_example", range(1))
    last = {k: W.copy() for k, W in opt.params.items()}
    G = quiet.gradient(opt.params, 0)
    quiet.run(opt, "per_example", range(1, 2))
    # opt.params moved after the measurement, which was at `last` against the start.
    ratio = dual(minus(G, quiet.gradient(quiet.start, 0))) / primal(minus(last, quiet.start))
    assert ratio == pytest.approx(opt.report.choices[0].L)
    loud = Noisy(noise=30.0)
    opt = by_theory({k: W.copy() for k, W in loud.start.items()})
    loud.run(opt, "per_example", range(1))
    least = opt.report.choices[0].L
    loud.run(opt, "per_example", range(1, 6))
    assert opt.report.choices[0].differences == 0
    assert opt.report.choices[0].L == least > 0
    assert int(opt.state_dict()["driver/0/kept"]) == 1


def test_least_L_subtracts_the_noise() -> None:
    """Over many draws the square of the first gradient's norm without its noise is that of the gradient, for p = 2."""
    rng = np.random.default_rng(0)
    G = rng.standard_normal((6, 8))
    run = st.theory.Run(delta=1.0, steps=10, batch=16)
    values = []
    for _ in range(200):
        opt = by_theory([np.zeros((6, 8))], run, p=2)
        opt.step(None, per_example=[G + rng.standard_normal((16, 6, 8))])
        values.append(2 * opt.report.choices[0].L)
    error = np.std(values) / math.sqrt(len(values))
    # Eigenvalues that came out negative count as zero; at this noise there are hardly any.
    assert abs(np.mean(values) - (G * G).sum()) < 4 * error


@pytest.mark.parametrize("rule", ["ball", "regularization"])
def test_first_step_is_short(rule: str) -> None:
    """While L is only known from below, the step is no longer than sqrt(2 delta / (L T)): f cannot rise far."""
    problem = Noisy(noise=0.0)
    outer = np.inf if rule == "ball" else 2.0
    opt = by_theory({k: W.copy() for k, W in problem.start.items()}, norm=norm(outer), rule=rule)
    problem.run(opt, "closure", range(1))
    choice = opt.report.choices[0]
    G = problem.gradient(problem.start, 0)
    assert norm(outer).dual_norm(G) ** 2 / (2 * RUN.delta) == pytest.approx(choice.L)
    moved = norm(outer).norm(minus(opt.params, problem.start))
    assert moved == pytest.approx(math.sqrt(2 * RUN.delta / (choice.L * RUN.steps)))


@pytest.mark.parametrize("rule", ["ball", "regularization"])
def test_known_constants(rule: str) -> None:
    """With L and sigma given it is the run with the parameters of the bound, needs nothing, and says so at once."""
    run = st.theory.Run(delta=2.0, steps=20, batch=4, L=3.0, sigma=0.7)
    chosen = st.theory.parameters(2.0, 3.0, 0.7, 20, 4, rule, first_batch=4)
    problem = Noisy()
    params, other = ({k: W.copy() for k, W in problem.start.items()} for _ in range(2))
    opt = by_theory(params, run, p=4, rule=rule)
    plain = st.Schattor(other, p=4, rule=rule, lr=chosen.lr, momentum=1 - chosen.theta)
    assert opt.report.choices[0].parameters == chosen
    for step in range(5):
        opt.step(problem.gradient(params, step))
        plain.step(problem.gradient(other, step))
    assert all(np.array_equal(params[k], other[k]) for k in params)
    text = io.StringIO()
    opt.explain(text)
    assert f"theta = {chosen.theta:.4g}, lr = {chosen.lr:.4g}" in text.getvalue()
    assert chosen.dominant in repr(opt.report)


def test_streaming_sigma_with_known_L() -> None:
    """With L given one gradient a step is enough: half the second moment of differences, drift included."""
    run = st.theory.Run(delta=2.0, steps=20, batch=4, L=3.0, every=1)
    rng = np.random.default_rng(0)
    gradients = rng.standard_normal((4, 3, 5))
    opt = by_theory([np.zeros((3, 5))], run, p=np.inf)
    for G in gradients:
        opt.step([G])
    D = np.diff(gradients, axis=0)
    C = np.mean([2 * d @ d.T for d in D], axis=0)
    assert opt.report.choices[0].sigma == pytest.approx(np.sqrt(np.linalg.eigvalsh(C)).sum())


def test_choice_minimises_the_bound() -> None:
    """lr, momentum and bound are those of `parameters` for what was measured; the step has that length."""
    problem = Noisy()
    opt = by_theory({k: W.copy() for k, W in problem.start.items()})
    problem.run(opt, "closure", range(4))
    choice = opt.report.choices[0]
    assert choice.parameters == st.theory.parameters(
        3.0, choice.L, choice.sigma, 50, 4, "ball", first_batch=8
    )
    assert opt.report["a"].step_size == pytest.approx(choice.parameters.lr / WEIGHTS["a"])


def test_intervals_double_and_begin_anew() -> None:
    """A closure is called where something is measured only: after 1, 2, 4, .. steps up to `every`, until L rises."""
    W, scale, calls = np.zeros((3, 3)), [1.0], []
    opt = by_theory([W], st.theory.Run(delta=1.0, steps=100, batch=1, every=4), p=2)

    def gradient(point: Any) -> Any:
        return [scale[0] * (point[0] - np.eye(3))]

    def counted(point: Any) -> Any:
        calls.append(opt.step_count)
        return gradient(point)

    for step in range(30):
        scale[0] = 1.0 if step < 15 else 5.0
        opt.step(gradient([W]), closure=counted)
    assert calls == [1, 3, 7, 11, 15, 16, 18, 22, 26]


def test_lacking_input_raises_and_changes_nothing() -> None:
    """The second step needs a source; the first does not."""
    problem = Noisy()
    opt = by_theory({k: W.copy() for k, W in problem.start.items()})
    opt.step(problem.gradient(opt.params, 0))
    before = snapshot(opt)
    with pytest.raises(KeyError, match="closure or gradient_at_previous"):
        opt.step(problem.gradient(opt.params, 1))
    assert snapshot(opt) == before
    problem.run(opt, "closure", range(1, 3))
    assert opt.report.choices[0].differences == 2


@pytest.mark.parametrize("source", ["closure", "per_example"])
def test_peek_and_update(source: str) -> None:
    """peek advances nothing and shows the next step; update advances the state alone."""
    problem = Noisy()
    opt = by_theory({k: W.copy() for k, W in problem.start.items()})
    problem.run(opt, source, range(3))
    G, extras = problem.gradient(opt.params, 3), problem.given(source, opt.params, None, 3)
    before, twin = snapshot(opt), copy.deepcopy(opt)
    shown = opt.peek(G, **extras)
    assert snapshot(opt) == before
    twin.step(G, **extras)
    for k, moved in opt.update(G, **extras).items():
        assert np.array_equal(moved, shown[k])
        opt.params[k][...] += moved
        assert np.allclose(opt.params[k], twin.params[k], rtol=1e-12)
    assert {k: v.tobytes() for k, v in opt.state_dict().items()} == {
        k: v.tobytes() for k, v in twin.state_dict().items()
    }


@pytest.mark.parametrize("source", ["closure", "gradient_at_previous", "per_example"])
@pytest.mark.parametrize("every", [1, 3])
def test_resume_is_bit_exact(source: str, every: int) -> None:
    """From npz, pickle and deepcopy, in the middle of a run."""
    problem = Noisy()
    run = st.theory.Run(delta=3.0, steps=50, batch=4, first_batch=8, every=every)
    opt = by_theory({k: W.copy() for k, W in problem.start.items()}, run)
    problem.run(opt, source, range(5))
    file = io.BytesIO()
    np.savez(file, **opt.state_dict())
    file.seek(0)
    loaded = by_theory({k: W.copy() for k, W in opt.params.items()}, run)
    loaded.load_state_dict(np.load(file))
    copies = [loaded, copy.deepcopy(opt), pickle.loads(pickle.dumps(opt))]
    source = "closure" if source == "gradient_at_previous" else source  # its first step has no previous point
    for x in (opt, *copies):
        problem.run(x, source, range(5, 12))
    assert all(snapshot(x) == snapshot(opt) for x in copies)


def test_non_finite_input_is_refused() -> None:
    """Gradients as ever; extras by the same policy, with the state as it was."""
    problem = Noisy()
    opt = by_theory({k: W.copy() for k, W in problem.start.items()})
    problem.run(opt, "closure", range(2))
    before = snapshot(opt)
    good, bad = problem.gradient(opt.params, 2), problem.gradient(opt.params, 2)
    bad["a"][0, 0] = np.nan
    closure = problem.given("closure", None, None, 2)
    with pytest.raises(ValueError, match="gradient of block 'a': 1 of 24"):
        opt.step(bad, **closure)
    with pytest.raises(ValueError, match="gradient_at_previous of block 'a': 1 entries"):
        opt.step(good, gradient_at_previous=bad)
    with pytest.raises(ValueError, match="closure must return a finite gradient of block 'a'"):
        opt.step(good, closure=lambda point: bad)
    assert snapshot(opt) == before
    skipping = by_theory({k: W.copy() for k, W in problem.start.items()}, norm=norm(), on_nonfinite="skip")
    problem.run(skipping, "closure", range(2))
    state = skipping.state_dict()
    skipping.step(good, gradient_at_previous=bad)
    assert skipping.skipped_steps == 1
    assert all(np.array_equal(v, state[k]) for k, v in skipping.state_dict().items() if k != "skipped_steps")


def test_blocks_without_gradient_are_not_measured() -> None:
    """Such a step keeps lr and momentum, and the next has nothing to compare with."""
    problem = Noisy()
    opt = by_theory({k: W.copy() for k, W in problem.start.items()})
    problem.run(opt, "closure", range(3))
    before = opt.report.choices[0]
    opt.step({**problem.gradient(opt.params, 3), "b": None})
    assert opt.report.choices[0] == before
    problem.run(opt, "closure", range(4, 5))
    assert opt.report.choices[0].differences == before.differences
    problem.run(opt, "closure", range(5, 6))
    assert opt.report.choices[0].differences == before.differences + 1


@pytest.mark.parametrize("source", ["closure", "per_example"])
def test_all_kinds_of_blocks(source: str) -> None:
    """Vectors, scalars, stacks of matrices, float32 beside float64, and other recipes beside it."""
    rng = np.random.default_rng(0)
    params = {
        "vector": rng.standard_normal(5).astype(np.float32),
        "scalar": np.array(2.0),
        "stack": rng.standard_normal((3, 4, 2)).astype(np.float32),
        "bias": rng.standard_normal(4),
    }
    recipe = st.recipes.schattor(p=4, lr="theory", momentum="theory", theory=st.theory.Run(5.0, 50, 4))
    routes = {"bias": st.recipes.adamw(lr=1e-3), "*": recipe}
    opt = st.Optimizer(params, routes, views={"stack": st.views.batch()})
    for _ in range(8):
        N = {
            k: rng.standard_normal((4, *W.shape)).astype(W.dtype) * W.dtype.type(0.1)
            for k, W in params.items()
        }
        per_example = {k: params[k] + x for k, x in N.items()}
        G = {k: np.asarray(x.mean(axis=0), dtype=x.dtype) for k, x in per_example.items()}
        if source == "closure":
            opt.step(
                G, closure=lambda at, N=N: {k: np.asarray(at[k] + N[k].mean(axis=0), N[k].dtype) for k in N}
            )
        else:
            opt.step(G, per_example={k: x for k, x in per_example.items() if k != "bias"})
    choice = opt.report.choices[0]
    # f = |X|^2 / 2: the differences of gradients are those of the points, and no ||X||_q exceeds d ||X||_p.
    assert choice.parameters is not None
    assert 0 < choice.L < 20
    assert choice.sigma > 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"p": 4, "nesterov": True}, "no Nesterov"),
        ({"p": 4, "momentum_kind": "heavy_ball"}, "momentum_kind"),
        ({"p": 4, "momentum_init": "zero"}, "momentum_init"),
        ({"p": 4, "weight_decay": 0.1}, "no weight decay"),
        ({"p": 4, "weight_decay": 0.1, "decay": "l2"}, "no weight decay"),
        ({"p": 4, "scale": "spectral"}, 'scale="none"'),
        ({"p": 1.5}, "p must be in"),
        ({"p": lambda step: 4}, "constant exponent"),
        ({"p": 4, "outer": 1.5}, "outer must be in"),
        ({"norm": norm(1.0)}, "outer must be in"),
        ({"norm": st.MixedNorm({"a": st.Schatten(4), "b": st.Lp(2)}, outer=2)}, "must be Schatten"),
        ({"p": 4, "weights": lambda step: 1.0}, "scheduled"),
        ({"p": 4, "schedule": lambda step: 1.0}, "schedule"),
    ],
)
def test_refusals(options: dict[str, Any], message: str) -> None:
    """Everything that the theorems do not cover, at construction."""
    with pytest.raises(ValueError, match=message):
        by_theory({k: np.zeros(shape) for k, shape in SHAPES.items()}, **options)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: st.recipes.schattor(p=4, lr="theory", theory=RUN), "go together"),
        (lambda: st.recipes.schattor(p=4, lr=0.1, momentum="theory", theory=RUN), "go together"),
        (lambda: st.recipes.schattor(p=4, lr="theory", momentum="theory"), "go together"),
        (lambda: st.recipes.schattor(p=4, lr=0.1, theory=RUN), "go together"),
        (lambda: st.theory.Run(delta=0.0, steps=10), "delta"),
        (lambda: st.theory.Run(delta=1.0, steps=0), "steps"),
        (lambda: st.theory.Run(delta=1.0, steps=10, first_batch=0), "first_batch"),
        (lambda: st.theory.Run(delta=1.0, steps=10, L=0.0), "L must"),
        (lambda: st.theory.Run(delta=1.0, steps=10, sigma=-1.0), "sigma"),
        (lambda: st.theory.Run(delta=1.0, steps=10, every=0), "every"),
        (
            lambda: st.recipes.hyperball(
                st.recipes.schattor(p=4, lr="theory", momentum="theory", theory=RUN)
            ),
            "theorems that hold for",
        ),
    ],
)
def test_wrong_arguments(call: Callable[[], object], message: str) -> None:
    """What does not fit together raises, naming it."""
    with pytest.raises(ValueError, match=message):
        call()


def test_micro_batches_must_fit_the_batch() -> None:
    """At least two, at most one for each sample."""
    for count in (1, 5):
        opt = by_theory([np.zeros((2, 2))], st.theory.Run(delta=1.0, steps=10, batch=4), p=2)
        with pytest.raises(ValueError, match=f"holds {count} gradients; expected from 2 to the 4"):
            opt.step(None, per_example=[np.ones((count, 2, 2))])
    other = st.Schattor([np.zeros((2, 2))], p=2, lr=0.1)
    with pytest.raises(TypeError, match="no recipe of this optimizer reads closure"):
        other.step([np.ones((2, 2))], closure=lambda point: point)
