"""Parts written in Python: as good as the built-in ones, checked, saved, and without effect where they fail."""

from __future__ import annotations

import copy
import pickle
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytest
from contract.case import ANY, DTYPES, Blocks, copied, draw, snapshot

import schattor as st

SHAPES = {"first": (4, 3), **ANY, "last": (3, 5)}


# Copies of built-in parts


@dataclass(frozen=True)
class OwnEMA(st.parts.PythonEstimator):
    """`EMA` from the first gradient."""

    momentum: float = 0.9

    equivariance = "rotations"
    homogeneous = True

    def state(self, shape: tuple[int, int]) -> Mapping[str, Any]:
        """The average."""
        return {"average": np.zeros(shape)}

    def estimate(self, context: st.parts.Context, G: np.ndarray) -> np.ndarray:
        """Advance it."""
        b = self.momentum if context.count else 0.0
        context.state["average"] = b * context.state["average"] + (1 - b) * G
        return context.state["average"]


@dataclass(frozen=True)
class OwnDecay(st.parts.PythonTransform):
    """`L2Decay`."""

    weight_decay: float = 0.1

    equivariance = "rotations"
    homogeneous = True

    def apply(self, context: st.parts.Context, G: np.ndarray) -> np.ndarray:
        """Add the gradient of the penalty."""
        return G + self.weight_decay * context.W


@dataclass(frozen=True)
class OwnScaling(st.parts.PythonScaling):
    """`NormScaling` with its shape factor "spectral"."""

    rule: str = "ball"

    def length(self, context: st.parts.Context, dual_norm: float) -> float:
        """A length that is the shape factor alone, times the norm where the rule says so."""
        m, n = context.shape
        return float(np.sqrt(m / n))


@dataclass(frozen=True)
class DualNormLength(st.parts.PythonScaling):
    """The regularization rule, built on the ball direction."""

    def length(self, context: st.parts.Context, dual_norm: float) -> float:
        """The dual norm."""
        return dual_norm


@dataclass(frozen=True)
class OwnFrobenius(st.parts.PythonGeometry):
    """`Schatten` with p = 2."""

    equivariance = "rotations"

    def norm(self, X: Any) -> float:
        """Frobenius."""
        return float(np.linalg.norm(X))

    dual_norm = norm

    def ball(self, G: Any) -> np.ndarray:
        """Minus the normalised array."""
        size = self.norm(G)
        return -G / size if size else np.zeros_like(G)


@dataclass(frozen=True)
class OwnSign(st.parts.PythonGeometry):
    """`Sign`."""

    equivariance = "entries"

    def norm(self, X: Any) -> float:
        """Largest entry."""
        return float(np.abs(X).max())

    def dual_norm(self, G: Any) -> float:
        """Sum of the entries."""
        return float(np.abs(G).sum())

    def ball(self, G: Any) -> np.ndarray:
        """Minus the sign."""
        return -np.sign(G)


@dataclass(frozen=True)
class OwnRows(st.parts.PythonGeometry):
    """`RowNorm`: tells rows from columns."""

    equivariance = "right"

    def norm(self, X: Any) -> float:
        """Longest row."""
        return float(np.linalg.norm(X, axis=1).max())

    def dual_norm(self, G: Any) -> float:
        """Sum of the lengths."""
        return float(np.linalg.norm(G, axis=1).sum())

    def ball(self, G: Any) -> np.ndarray:
        """Every row at length one."""
        lengths = np.linalg.norm(G, axis=1, keepdims=True)
        return -np.divide(G, lengths, out=np.zeros_like(G), where=lengths > 0)


@dataclass(frozen=True)
class OwnUpdate(st.parts.PythonUpdate):
    """`Additive` with decoupled decay."""

    weight_decay: float = 0.1

    equivariance = "rotations"
    homogeneous = True

    def apply(self, context: st.parts.Context, D: np.ndarray) -> np.ndarray:
        """Shrink, then move."""
        return (1 - context.lr * self.weight_decay) * context.W + D


@dataclass(frozen=True)
class Halved(st.parts.PythonAdjustment):
    """Half of the direction."""

    equivariance = "rotations"
    homogeneous = True

    def apply(self, context: st.parts.Context, D: np.ndarray) -> np.ndarray:
        """Halve it."""
        return 0.5 * D


@dataclass(frozen=True)
class Counting(st.parts.PythonTransform):
    """The gradient, times the number of steps, which it counts itself."""

    def state(self, shape: tuple[int, int]) -> Mapping[str, Any]:
        """A number, an array of another shape, and one that does not start at zero."""
        return {"steps": 0, "rows": np.zeros(shape[0]), "basis": np.eye(shape[1])}

    def apply(self, context: st.parts.Context, G: np.ndarray) -> np.ndarray:
        """Count, by assignment and in place."""
        assert context.state["steps"] == context.count
        context.state["steps"] += 1
        context.state["rows"] += 1.0
        assert np.all(context.state["rows"] == context.count + 1)
        return G @ context.state["basis"] * context.state["steps"]


def base(**parts: Any) -> st.Recipe:
    """A recipe with every slot of the copies filled by a built-in part."""
    slots: dict[str, Any] = {
        "transforms": (st.parts.L2Decay(0.1),),
        "estimator": st.estimators.EMA(0.9),
        "scaling": st.parts.NormScaling("ball", "spectral"),
        "update": st.parts.Additive("decoupled", 0.1),
    }
    return st.Recipe("mine", lambda t: 0.1 / (1 + t), parts.pop("geometry", st.Lp(2)), **{**slots, **parts})


COPIES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "estimator": ({}, {"estimator": OwnEMA()}),
    "transform": ({}, {"transforms": (OwnDecay(),)}),
    "scaling": ({}, {"scaling": OwnScaling()}),
    "regularization": (
        {"scaling": st.parts.NormScaling("regularization", "spectral")},
        {"scaling": OwnScaling("regularization")},
    ),
    "dual norm": ({"scaling": st.parts.NormScaling("regularization")}, {"scaling": DualNormLength()}),
    "frobenius": ({}, {"geometry": OwnFrobenius()}),
    "frobenius, regularization": (
        {"scaling": st.parts.NormScaling("regularization")},
        {"scaling": st.parts.NormScaling("regularization"), "geometry": OwnFrobenius()},
    ),
    "sign": ({"geometry": st.Sign()}, {"geometry": OwnSign()}),
    "rows": ({"geometry": st.RowNorm()}, {"geometry": OwnRows()}),
    "rows, coupled": (
        {"geometry": st.RowNorm(), "coupling": st.parts.Coupling(2.0)},
        {"geometry": OwnRows(), "coupling": st.parts.Coupling(2.0)},
    ),
    "switched": (
        {"geometry": st.Switched(lambda t: t % 2, (st.Sign(), st.Lp(2)))},
        {"geometry": st.Switched(lambda t: t % 2, (OwnSign(), OwnFrobenius()))},
    ),
    "update": ({}, {"update": OwnUpdate()}),
    "all": (
        {"geometry": st.Sign()},
        {
            "transforms": (OwnDecay(),),
            "estimator": OwnEMA(),
            "geometry": OwnSign(),
            "scaling": OwnScaling(),
            "update": OwnUpdate(),
        },
    ),
}


def walk(opt: st.Optimizer, gradients: list[Blocks]) -> list[Blocks]:
    """The weights after each step."""
    result = []
    for G in gradients:
        opt.step(G)
        result.append(copied(opt.params))
    return result


def problem(dtype: type = np.float64, steps: int = 6) -> tuple[Blocks, list[Blocks]]:
    """Weights and gradients."""
    rng = np.random.default_rng(3)
    return draw(SHAPES, rng, dtype), [draw(SHAPES, rng, dtype) for _ in range(steps)]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", COPIES)
def test_copies_walk_as_the_built_in_parts(name: str, dtype: type) -> None:
    """Same weights and reports; each step rounds a few times, so 50 eps of the weights' size over six steps."""
    ours, own = COPIES[name]
    W, gradients = problem(dtype)
    built_in = st.Optimizer(copied(W), base(**ours))
    mine = st.Optimizer(copied(W), base(**own))
    for wanted, found in zip(walk(built_in, gradients), walk(mine, gradients), strict=True):
        for i in W:
            assert found[i].dtype == dtype
            np.testing.assert_allclose(found[i], wanted[i], rtol=0, atol=50 * np.finfo(dtype).eps * 3)
    for i, report in built_in.report.items():
        assert mine.report[i].dual_norm == pytest.approx(report.dual_norm, rel=1e-5)
        assert mine.report[i].step_size == pytest.approx(report.step_size, rel=1e-5)
        assert mine.report[i].update_rms == pytest.approx(report.update_rms, rel=1e-5)


def test_adjustment_takes_the_direction_at_its_length() -> None:
    """Half of the steps of the recipe without it."""
    W, (G, *_) = problem()
    plain = base(transforms=(), update=st.parts.Additive())
    whole = st.Optimizer(copied(W), plain).update(G)
    half = st.Optimizer(copied(W), replace(plain, adjustments=(Halved(),))).update(G)
    for i in W:  # new minus old weights: rounded as they are
        np.testing.assert_allclose(half[i], 0.5 * whole[i], rtol=0, atol=1e-15 * max(1, np.abs(W[i]).max()))


def test_transposed_blocks_are_seen_the_right_way_round() -> None:
    """Rows are the fan-out in weights, gradients, results and state, and saved state lies as the array does."""
    rng = np.random.default_rng(0)
    W, G = rng.standard_normal((3, 5)), [rng.standard_normal((3, 5)) for _ in range(3)]
    recipe = base(geometry=OwnRows(), estimator=OwnEMA(), transforms=(OwnDecay(),), update=OwnUpdate())
    plain, turned = W.copy(), np.array(W.T, order="C")
    upright = st.Optimizer({"W": plain}, recipe)
    lying = st.Optimizer({"W": turned}, recipe, views={"W": st.views.transposed()})
    for g in G:
        upright.step({"W": g})
        lying.step({"W": np.array(g.T, order="C")})
    np.testing.assert_allclose(turned.T, plain, rtol=1e-14)
    average = lying.state_dict()["state/W/average"]
    np.testing.assert_array_equal(average.T, upright.state_dict()["state/W/average"])


@dataclass(frozen=True)
class Watching(st.parts.PythonTransform):
    """Keeps what it was told."""

    seen: list[Any] = field(default_factory=list)
    requires = frozenset({"gradient_at_previous", "activations", "deltas", "per_example"})

    def apply(self, context: st.parts.Context, G: np.ndarray) -> np.ndarray:
        """Copy the context, as its arrays live for the call only."""
        read_only = [context.W, G, context.activations, context.deltas, context.per_example]
        assert all(not x.flags.writeable for x in read_only if x is not None)
        self.seen.append(copy.deepcopy(context))
        return G


@pytest.mark.parametrize("transposed", [False, True])
def test_context(transposed: bool) -> None:
    """Weights, counters, lr, extras and random numbers; all read-only but the state."""
    rng = np.random.default_rng(0)
    W = rng.standard_normal((3, 5))
    part = Watching()
    stored = np.array(W.T if transposed else W, order="C")
    opt = st.Optimizer(
        {"W": stored, "b": np.zeros(2)},
        {"W": base(transforms=(part,)), "b": st.recipes.sgd(lr=0.1)},
        views={"W": st.views.transposed()} if transposed else None,
    )

    def lay(x: np.ndarray) -> np.ndarray:
        return np.array(np.swapaxes(x, -1, -2) if transposed else x, order="C")

    a, d = rng.standard_normal((4, 5)), rng.standard_normal((4, 3))
    samples = rng.standard_normal((4, 3, 5))
    for t in range(3):
        previous = {} if t == 0 else {"gradient_at_previous": {"W": lay(W)}}
        grads = {"W": None if t == 1 else lay(samples.mean(axis=0)), "b": np.zeros(2)}
        extras = {"activations": {"W": a}, "deltas": {"W": d}, "per_example": {"W": lay(samples)}}
        if t == 1:
            opt.step(grads)
        else:
            opt.step(grads, **previous, **extras)
    first, second = part.seen
    np.testing.assert_array_equal(first.W, W)
    assert (first.step, first.count, first.lr, first.shape) == (0, 0, 0.1, (3, 5))
    assert (second.step, second.count, second.lr) == (2, 1, 0.1 / 3)
    assert first.gradient_at_previous is None
    np.testing.assert_array_equal(second.gradient_at_previous, W)
    for context in part.seen:
        np.testing.assert_array_equal(context.activations, a)
        np.testing.assert_array_equal(context.deltas, d)
        np.testing.assert_array_equal(context.per_example, samples)
    draws = [context.rng(7).random() for context in (first, first, second)]
    assert draws[0] == draws[1] != draws[2]
    assert first.rng(8).random() != draws[0]


# State


def test_state_is_saved_and_resumed_bit_for_bit() -> None:
    """Arrays of any shape in the block's dtype, numbers in double; through state_dict, pickle and deepcopy."""
    recipe = base(transforms=(Counting(), OwnDecay()), estimator=OwnEMA(), geometry=OwnSign())
    for dtype in DTYPES:
        W, gradients = problem(dtype, 6)
        # Schedules must be picklable too.
        opt = st.Optimizer(copied(W), replace(recipe, lr=0.1))
        walk(opt, gradients[:3])
        state = opt.state_dict()
        assert state["state/first/average"].dtype == state["state/first/basis"].dtype == dtype
        assert state["state/first/steps"].dtype == np.float64 and state["state/first/steps"] == 3
        assert state["state/first/basis"].shape == (3, 3) and state["state/first/rows"].size == 4
        np.testing.assert_array_equal(state["state/first/basis"], np.eye(3))
        loaded = st.Optimizer(copied(opt.params), replace(recipe, lr=0.1))
        loaded.load_state_dict(state)
        others = [loaded, copy.deepcopy(opt), pickle.loads(pickle.dumps(opt))]
        wanted = snapshot_after(opt, gradients[3:])
        assert all(snapshot_after(other, gradients[3:]) == wanted for other in others)


def snapshot_after(opt: st.Optimizer, gradients: list[Blocks]) -> Any:
    """What is there after more steps."""
    walk(opt, gradients)
    return snapshot(opt)


def test_peek_update_and_absent_gradients() -> None:
    """`peek` leaves everything, `update` moves as `step`, None leaves a block and its part alone."""
    recipe = base(transforms=(Counting(),), estimator=OwnEMA(), update=OwnUpdate())
    W, gradients = problem()
    opt = st.Optimizer(copied(W), recipe)
    walk(opt, gradients[:2])
    before = snapshot(opt)
    G = {**gradients[2], "last": None}
    tentative = opt.peek(G)
    assert snapshot(opt) == before
    twin = copy.deepcopy(opt.params)
    moved = opt.update(G)
    assert not moved["last"].any() and opt.state_dict()["state/last/steps"] == 2
    assert opt.state_dict()["state/first/steps"] == 3
    for i in W:
        np.testing.assert_array_equal(tentative[i], moved[i])
        np.testing.assert_array_equal(opt.params[i], twin[i])


@pytest.mark.parametrize("deterministic", [True, False])
def test_threads_change_nothing(deterministic: bool) -> None:
    """One thread works whatever is asked for; built-in blocks beside are the same as without Python parts."""
    rng = np.random.default_rng(0)
    W = {f"W{i}": rng.standard_normal((300, 250)) for i in range(3)}
    gradients = [{i: rng.standard_normal(x.shape) for i, x in W.items()} for _ in range(2)]
    routes = {"W0": base(estimator=OwnEMA()), "W1": st.recipes.muon(lr=0.1), "W2": st.recipes.adamw(lr=0.1)}
    runs = [st.Optimizer(copied(W), routes, n_threads=n, deterministic=deterministic) for n in (1, 4, None)]
    paths = [walk(opt, gradients)[-1] for opt in runs]
    plain = {**routes, "W0": st.recipes.sgd(lr=0.1)}
    paths.append(walk(st.Optimizer(copied(W), plain, n_threads=2), gradients)[-1])
    for path in paths[1:]:
        np.testing.assert_array_equal(path["W2"], paths[0]["W2"])
        if deterministic:
            np.testing.assert_array_equal(path["W1"], paths[0]["W1"])
    for path in paths[1:3]:
        np.testing.assert_array_equal(path["W0"], paths[0]["W0"])


def test_state_names_are_checked() -> None:
    """A name that is taken, reserved or none."""

    @dataclass(frozen=True)
    class Named(st.parts.PythonTransform):
        kept: Any = "x"
        value: Any = 0.0

        def state(self, shape: tuple[int, int]) -> Mapping[str, Any]:
            return {self.kept: self.value}

        def apply(self, context: st.parts.Context, G: np.ndarray) -> np.ndarray:
            return G

    def build(part: Named) -> st.Optimizer:
        return st.Optimizer({"W": np.zeros((2, 2))}, base(transforms=(part,)))

    build(Named("x"))
    for part, text in (
        (Named("count"), "'W'.*count"),
        (Named("a/b"), "'W'.*a/b"),
        (Named(3), "'W'.*3"),
        (Named("x", np.array([np.inf])), "'W'.*'x'.*finite"),
    ):
        with pytest.raises(ValueError, match=text):
            build(part)


def test_writing_state() -> None:
    """Only what is declared, in its shape."""

    @dataclass(frozen=True)
    class Writing(st.parts.PythonTransform):
        name: str = "M"
        value: Any = 0.0

        def state(self, shape: tuple[int, int]) -> Mapping[str, Any]:
            return {"M": np.zeros(shape), "n": 1.0}

        def apply(self, context: st.parts.Context, G: np.ndarray) -> np.ndarray:
            assert sorted(context.state) == ["M", "n"] and len(context.state) == 2
            context.state[self.name] = self.value
            return G

    opt = st.Optimizer({"W": np.zeros((2, 3))}, base(transforms=(Writing("M", np.ones((2, 3))),)))
    opt.step({"W": np.zeros((2, 3))})
    assert opt.state_dict()["state/W/M"].all()
    for part, error, text in (
        (Writing("N"), KeyError, "'N'.*'M', 'n'"),
        (Writing("M", np.ones(3)), ValueError, re.escape("(2, 3), got (3,)")),
        (Writing("n", np.inf), ValueError, "'n' is not finite"),
    ):
        with pytest.raises(error, match=text):
            st.Optimizer({"W": np.zeros((2, 3))}, base(transforms=(part,))).step({"W": np.zeros((2, 3))})
    with pytest.raises(TypeError, match="deleted"):
        del st.parts.bridge.State({}, {})["M"]


# Failures


class SpoiltError(Exception):
    """What a user's part raises."""


@dataclass(frozen=True)
class Answer:
    """What a spoilt part gives for the block that is 3 x 5, from the third step on."""

    value: Any = None

    def __call__(self, context: st.parts.Context, otherwise: Any) -> Any:
        """Raise, or give the value."""
        if context.shape != (3, 5) or context.step < 2:
            return otherwise
        if self.value is SpoiltError:
            raise SpoiltError("spoilt")
        return self.value(otherwise) if callable(self.value) else self.value


@dataclass(frozen=True)
class SpoiltTransform(Counting):
    """Its state has moved on when it fails."""

    answer: Answer = Answer()

    def apply(self, context: st.parts.Context, G: np.ndarray) -> np.ndarray:
        """Fail."""
        return self.answer(context, super().apply(context, G))


@dataclass(frozen=True)
class SpoiltEstimator(OwnEMA):
    """Its state has moved on when it fails."""

    answer: Answer = Answer()

    def estimate(self, context: st.parts.Context, G: np.ndarray) -> np.ndarray:
        """Fail."""
        return self.answer(context, super().estimate(context, G))


@dataclass(frozen=True)
class SpoiltAdjustment(Halved):
    """Fails."""

    answer: Answer = Answer()

    def apply(self, context: st.parts.Context, D: np.ndarray) -> np.ndarray:
        """Fail."""
        return self.answer(context, super().apply(context, D))


@dataclass(frozen=True)
class SpoiltScaling(OwnScaling):
    """Fails."""

    answer: Answer = Answer()

    def length(self, context: st.parts.Context, dual_norm: float) -> float:
        """Fail."""
        return self.answer(context, super().length(context, dual_norm))


@dataclass(frozen=True)
class SpoiltUpdate(OwnUpdate):
    """Fails."""

    answer: Answer = Answer()

    def apply(self, context: st.parts.Context, D: np.ndarray) -> np.ndarray:
        """Fail."""
        return self.answer(context, super().apply(context, D))


@dataclass(frozen=True)
class SpoiltGeometry(OwnSign):
    """Fails where the gradient is 3 x 5 and marked by a large entry: a geometry is not told the step."""

    answer: Answer = Answer()

    def ball(self, G: Any) -> np.ndarray:
        """Fail."""
        late = np.abs(G).max() > 1e3
        return self.answer(st.parts.Context(np.shape(G), 2 if late else 0, 0, 0.0, {}), super().ball(G))


MARK = 1e6  # makes the estimates of the third step large enough for `SpoiltGeometry`

SPOILT: dict[str, Any] = {
    "SpoiltTransform.apply": lambda answer: {"transforms": (SpoiltTransform(answer=answer),)},
    "SpoiltEstimator.estimate": lambda answer: {"estimator": SpoiltEstimator(answer=answer)},
    "SpoiltGeometry.ball": lambda answer: {"geometry": SpoiltGeometry(answer)},
    "SpoiltAdjustment.apply": lambda answer: {"adjustments": (SpoiltAdjustment(answer),)},
    "SpoiltScaling.length": lambda answer: {"scaling": SpoiltScaling(answer=answer)},
    "SpoiltUpdate.apply": lambda answer: {"update": SpoiltUpdate(answer=answer)},
}


def refused(
    where: str, value: Any, error: type[Exception], text: str, dtype: type = np.float64, **options: Any
) -> Exception:
    """Check that a spoilt part raises in its third step and that the step leaves nothing behind.

    The smallest block is spoilt: the others have gone through the whole step by then.
    """
    rng = np.random.default_rng(0)
    shapes = {"a": (6, 4), "b": (5, 5), "spoilt": (3, 5)}
    W = draw(shapes, rng, dtype)
    gradients = [draw(shapes, rng, dtype) for _ in range(3)]
    gradients[2]["spoilt"] *= MARK
    parts = {"estimator": OwnEMA(), "transforms": (Counting(),), **SPOILT[where](Answer(value))}
    opt = st.Optimizer(W, base(**parts), **options)
    walk(opt, gradients[:2])
    before = snapshot(opt)
    for call in (opt.step, opt.update, opt.peek):
        with pytest.raises(error, match=text) as caught:
            call(gradients[2])
        assert snapshot(opt) == before
    twin = st.Optimizer(copied(opt.params), base(**parts), **options)
    twin.load_state_dict(opt.state_dict())
    absent = {**gradients[2], "spoilt": None}
    assert snapshot_after(opt, [absent])[:2] == snapshot_after(twin, [absent])[:2], "the run goes on"
    return caught.value


@pytest.mark.parametrize("where", SPOILT)
def test_errors_leave_nothing_behind(where: str) -> None:
    """The user's own exception, with a note that names part and block."""
    error = refused(where, SpoiltError, SpoiltError, "spoilt")
    notes = getattr(error, "__notes__", None) or [str(error.__cause__)]
    assert notes == [f"in {where} of block 'spoilt'"]


@pytest.mark.parametrize("where", [name for name in SPOILT if "Scaling" not in name])
@pytest.mark.parametrize("dtype", DTYPES)
def test_wrong_results_are_refused(where: str, dtype: type) -> None:
    """Type, dtype, shape, and entries that are not finite."""
    other = np.float32 if dtype == np.float64 else np.float64
    of_block = re.escape(f"{where} of block 'spoilt'")

    def with_nan(x: np.ndarray) -> np.ndarray:
        x = x.copy()
        x[1, 2] = np.nan
        return x

    for value, error, text in (
        (None, TypeError, "array, got NoneType"),
        (lambda x: x.tolist(), TypeError, "array, got list"),
        (lambda x: x.astype(other), TypeError, f"{np.dtype(dtype)}, got {np.dtype(other)}"),
        (lambda x: x.astype(int), TypeError, f"{np.dtype(dtype)}, got int64"),
        (lambda x: x.T, ValueError, re.escape("(3, 5), got (5, 3)")),
        (lambda x: x[:1], ValueError, re.escape("(3, 5), got (1, 5)")),
        (lambda x: x.ravel(), ValueError, re.escape("(3, 5), got (15,)")),
        (with_nan, ValueError, "1 of 15 returned entries"),
        (lambda x: np.full_like(x, -np.inf), ValueError, "15 of 15 returned entries"),
    ):
        value = value if callable(value) else (lambda x, value=value: value)
        refused(where, value, error, f"{of_block}.*{text}", dtype)


@pytest.mark.parametrize("value", [np.nan, np.inf, -1.0, "long", None, np.ones(1)])
def test_wrong_lengths_are_refused(value: Any) -> None:
    """A scaling returns one number, finite and not negative."""
    error = TypeError if isinstance(value, str | np.ndarray) or value is None else ValueError
    refused("SpoiltScaling.length", lambda _: value, error, "SpoiltScaling.length of block 'spoilt'")


def test_uphill_directions_are_refused() -> None:
    """A geometry that forgot the sign."""
    refused("SpoiltGeometry.ball", lambda D: -D, ValueError, "SpoiltGeometry.ball of block 'spoilt'.*uphill")


def test_results_beyond_what_follows_are_refused() -> None:
    """A result is held to what the built-in parts behind it declare, here a second moment's root of the range."""
    parts = {"estimator": st.estimators.EMA(0.9, "debiased"), "preconditioner": st.parts.SecondMoment()}
    W = np.zeros((3, 5))
    recipe = base(transforms=(SpoiltTransform(answer=Answer(lambda x: 1e160 * x)),), **parts)
    opt = st.Optimizer({"W": W}, recipe)
    for _ in range(2):
        opt.step({"W": np.ones((3, 5))})
    before = snapshot(opt)
    with pytest.raises(ValueError, match=r"SpoiltTransform.apply of block 'W'.* at most"):
        opt.step({"W": np.ones((3, 5))})
    assert snapshot(opt) == before


@pytest.mark.parametrize("policy", ["raise", "skip"])
def test_steps_that_would_not_be_finite_are_taken_back(policy: str) -> None:
    """Large finite results whose step overflows: as a gradient that is too large, so that the policy decides."""
    recipe = base(transforms=(), adjustments=(SpoiltAdjustment(Answer(lambda x: 1e308 * np.sign(x))),))
    opt = st.Optimizer({"W": np.ones((3, 5))}, replace(recipe, lr=100.0), on_nonfinite=policy)
    G = {"W": np.ones((3, 5))}
    for _ in range(2):
        opt.step(G)
    before = snapshot(opt)
    if policy == "raise":
        with pytest.raises(ValueError, match=r"'W'.*15 entries"):
            opt.step(G)
        assert snapshot(opt) == before
    else:
        opt.step(G)
        assert opt.skipped_steps == 1 and opt.step_count == 2
        assert snapshot(opt)[0] == before[0]


def test_errors_of_python_parts_are_no_matter_of_the_policy() -> None:
    """`on_nonfinite` is about gradients, not about mistakes in a part."""
    refused("SpoiltTransform.apply", lambda x: x * np.nan, ValueError, "not finite", on_nonfinite="skip")


def test_interrupts_are_passed_on() -> None:
    """Ctrl-C inside of a part."""

    def interrupt(_: Any) -> Any:
        raise KeyboardInterrupt

    refused("SpoiltTransform.apply", interrupt, KeyboardInterrupt, "^$")  # type: ignore[arg-type]


def test_inputs_are_read_only() -> None:
    """A part that writes into the gradient or the weights is told so."""

    @dataclass(frozen=True)
    class Greedy(st.parts.PythonTransform):
        which: str = "G"

        def apply(self, context: st.parts.Context, G: np.ndarray) -> np.ndarray:
            (G if self.which == "G" else context.W)[...] = 0.0
            return G

    for which in ("G", "W"):
        W = np.ones((2, 2))
        opt = st.Optimizer({"W": W}, base(transforms=(Greedy(which),)))
        with pytest.raises(ValueError, match="read-only"):
            opt.step({"W": np.ones((2, 2))})
        assert W.all()


def test_views_of_the_inputs_may_be_returned() -> None:
    """Reversed, and in two transforms of one chain, which share their memory."""

    @dataclass(frozen=True)
    class Reversed(st.parts.PythonTransform):
        def apply(self, context: st.parts.Context, G: np.ndarray) -> np.ndarray:
            return G[::-1, ::-1]

    G = np.arange(6.0).reshape(2, 3)
    for count in (1, 2, 3):
        recipe = st.Recipe("r", 1.0, st.Lp(2), transforms=(Reversed(),) * count, scaling=DualNormLength())
        moved = st.Optimizer({"W": np.zeros((2, 3))}, recipe).update({"W": G})["W"]
        np.testing.assert_allclose(-moved, G[::-1, ::-1] if count % 2 else G, rtol=1e-14)


@dataclass(frozen=True)
class Borrowed(st.parts.PythonGeometry):
    """Calls the package, whose own threads and locks are held by the step."""

    inner = st.Schatten(4)

    def norm(self, X: Any) -> float:
        """The inner one's."""
        return self.inner.norm(X)

    def dual_norm(self, G: Any) -> float:
        """The inner one's."""
        return self.inner.dual_norm(G)

    def ball(self, G: Any) -> np.ndarray:
        """The inner one's."""
        return self.inner.ball(G)


def test_parts_may_call_the_package() -> None:
    """Oracles inside of a step, on a block that lies transposed, too."""
    rng = np.random.default_rng(0)
    W = {"a": np.zeros((200, 210)), "b": np.zeros((5, 3))}
    G = {i: rng.standard_normal(x.shape) for i, x in W.items()}
    views = {"b": st.views.transposed()}
    plain = base(transforms=(), geometry=st.Schatten(4))
    wanted = st.Optimizer(copied(W), plain, views=views, n_threads=2).update(G)
    found = st.Optimizer(copied(W), replace(plain, geometry=Borrowed()), views=views, n_threads=2).update(G)
    for i in W:
        np.testing.assert_allclose(found[i], wanted[i], rtol=0, atol=1e-13 * np.abs(wanted[i]).max())
    st.testing.check_recipe(st.Recipe("borrowed", 0.1, Borrowed()))


# Outside of an optimizer


def test_geometries_alone() -> None:
    """In a mixed norm, whose core calls them, and by their own methods."""
    G = {"a": np.array([[3.0, -4.0]]), "b": np.array([[1.0], [2.0]])}
    mine = st.MixedNorm({"a": OwnFrobenius(), "b": OwnSign()}, outer=2)
    ours = st.MixedNorm({"a": st.Lp(2), "b": st.Sign()}, outer=2)
    assert mine.norm(G) == pytest.approx(ours.norm(G), rel=1e-14)
    assert mine.dual_norm(G) == pytest.approx(ours.dual_norm(G), rel=1e-14)
    for i in G:
        np.testing.assert_allclose(mine.ball(G)[i], ours.ball(G)[i], rtol=1e-14)
        np.testing.assert_allclose(mine.regularized(G)[i], ours.regularized(G)[i], rtol=1e-14)
    np.testing.assert_allclose(OwnSign().regularized(G["a"]), [[-7.0, 7.0]])

    @dataclass(frozen=True)
    class Broken(OwnSign):
        def norm(self, X: Any) -> float:
            raise SpoiltError("spoilt")

        def dual_norm(self, G: Any) -> float:
            return float("nan")

        ball = norm  # type: ignore[assignment]

    broken = st.MixedNorm({"a": st.Switched(lambda t: 0, (Broken(),)), "b": OwnSign()}, outer=2)
    alone = st.MixedNorm({"a": Broken(), "b": OwnSign()}, outer=2)
    with pytest.raises(SpoiltError):
        alone.norm(G)
    with pytest.raises(SpoiltError):
        alone.ball(G)
    with pytest.raises(ValueError, match=r"Broken\.dual_norm"):
        alone.dual_norm(G)
    with pytest.raises(ValueError, match="optimizer"):
        broken.norm(G)


@pytest.mark.parametrize("dtype", DTYPES)
def test_estimators_alone(dtype: type) -> None:
    """As the built-in one; an error leaves state and counter."""
    rng = np.random.default_rng(0)
    mine = SpoiltEstimator(answer=Answer(SpoiltError)).start(np.zeros((3, 5), dtype))
    ours = st.estimators.EMA().start(np.zeros((3, 5), dtype))
    for _ in range(2):
        G = np.asarray(rng.standard_normal((3, 5)), dtype)
        np.testing.assert_allclose(mine.update(G), ours.update(G), rtol=4 * np.finfo(dtype).eps)
    kept = mine.state["average"]
    with pytest.raises(SpoiltError):
        mine.update(G)
    np.testing.assert_array_equal(mine.state["average"], kept)
    assert mine.count == 2

    class Weighted(OwnEMA):
        def estimate(self, context: st.parts.Context, G: np.ndarray) -> np.ndarray:
            return context.W * G

    with pytest.raises(ValueError, match="outside of an optimizer"):
        Weighted().start(np.zeros(2)).update(np.ones(2))


# The checks


@pytest.mark.parametrize("geometry", [OwnFrobenius(), OwnSign(), OwnRows()], ids=str)
def test_geometries_pass_their_check(geometry: st.parts.PythonGeometry) -> None:
    """The copies."""
    st.testing.check_geometry(geometry)


def spoilt_geometry(method: str, function: Any, **declared: Any) -> st.parts.PythonGeometry:
    """The copy of the sign geometry with one method replaced."""
    kind = type("Spoilt", (OwnSign,), {method: function, **declared})
    return kind()


class Straight(OwnSign):
    """Its direction has length one and attains what it says, but there are better ones."""

    def dual_norm(self, G: Any) -> float:
        """What `ball` attains."""
        return float((G**2).sum() / np.abs(G).max())

    def ball(self, G: Any) -> np.ndarray:
        """Along the gradient."""
        return -G / np.abs(G).max() if G.any() else np.zeros_like(G)


@pytest.mark.parametrize(
    ("identity", "geometry"),
    [
        ("<G, D> = -dual norm", spoilt_geometry("dual_norm", lambda self, G: float(np.linalg.norm(G)))),
        (r"\|\|D\|\| = 1", spoilt_geometry("norm", lambda self, X: float(np.abs(X).sum()))),
        ("a point of the ball", Straight()),
        (r"\|\|3 X\|\|", spoilt_geometry("norm", lambda self, X: float(np.abs(X).max() ** 2))),
        (
            "ball\\(0\\) = 0",
            spoilt_geometry("ball", lambda self, G: np.where(G >= 0, -1.0, 1.0).astype(G.dtype)),
        ),
        ("float32 is kept", spoilt_geometry("ball", lambda self, G: -np.sign(G).astype(float))),
        ("equivariance \\(orthogonal\\)", spoilt_geometry("norm", OwnSign.norm, equivariance="orthogonal")),
    ],
    ids=lambda x: x if isinstance(x, str) else "",
)
def test_spoilt_geometries_are_found(identity: str, geometry: st.parts.PythonGeometry) -> None:
    """By the identity that breaks."""
    with pytest.raises(AssertionError, match=identity):
        st.testing.check_geometry(geometry)


@pytest.mark.parametrize(
    "recipe",
    [
        base(estimator=OwnEMA(), transforms=(), update=st.parts.Additive()),
        base(estimator=OwnEMA(), geometry=OwnRows(), transforms=(), update=OwnUpdate(0.0)),
        base(geometry=OwnFrobenius(), scaling=DualNormLength(), transforms=(), update=st.parts.Additive()),
        base(transforms=(Counting(),), adjustments=(Halved(),), update=st.parts.Additive()),
    ],
    ids=lambda recipe: " ".join(type(part).__name__ for part in recipe.parts),
)
def test_recipes_pass_their_check(recipe: st.Recipe) -> None:
    """With parts in each slot."""
    st.testing.check_recipe(recipe)


@dataclass(frozen=True)
class Hidden(OwnEMA):
    """Keeps its average where nobody saves it."""

    kept: dict[Any, np.ndarray] = field(default_factory=dict)

    def estimate(self, context: st.parts.Context, G: np.ndarray) -> np.ndarray:
        """By shape."""
        old = self.kept.get(G.shape, np.zeros_like(G)).astype(G.dtype)
        self.kept[G.shape] = 0.9 * old + np.asarray(0.1, G.dtype) * G
        return self.kept[G.shape]


class Restless(st.parts.PythonTransform):
    """Moves without a gradient."""

    def apply(self, context: st.parts.Context, G: np.ndarray) -> np.ndarray:
        """Add noise."""
        return G + context.rng().standard_normal(G.shape).astype(G.dtype)


class Clipping(st.parts.PythonTransform):
    """Claims to have no unit, and to commute with rotations."""

    homogeneous = True
    equivariance = "rotations"

    def apply(self, context: st.parts.Context, G: np.ndarray) -> np.ndarray:
        """Clip entries."""
        return np.clip(G, -1.0, 1.0)


class Squared(Clipping):
    """Has no unit, but commutes with signed permutations only; of degree three."""

    def apply(self, context: st.parts.Context, G: np.ndarray) -> np.ndarray:
        """Cube the entries."""
        return G**3

    def degree(self, incoming: float | None) -> float | None:
        """Three times that."""
        return None if incoming is None else 3 * incoming


@pytest.mark.parametrize(
    ("contract", "parts"),
    [
        ("peek and update", {"estimator": Hidden()}),
        ("zero gradient moved", {"transforms": (Restless(),)}),
        ("degree", {"transforms": (Clipping(),), "scaling": st.parts.NormScaling("regularization")}),
        ("commutes with rotations", {"transforms": (Squared(),)}),
    ],
    ids=lambda x: x if isinstance(x, str) else "",
)
def test_spoilt_recipes_are_found(contract: str, parts: dict[str, Any]) -> None:
    """By the contract that breaks."""
    slots = {"transforms": (), "update": st.parts.Additive(), **parts}
    with pytest.raises(AssertionError, match=contract):
        st.testing.check_recipe(base(**slots))
