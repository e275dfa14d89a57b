"""What an optimizer refuses when it is made, with errors that name the block, the expectation and the value."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from contract.cases import CASES, SINGLE, Case

import schattor as st

CLASSES = {
    value
    for value in vars(st).values()
    if inspect.isclass(value) and issubclass(value, st.Optimizer) and value is not st.Optimizer
}
ALL = pytest.mark.parametrize("case", CASES, ids=str)


def read_only() -> np.ndarray:
    """A matrix that cannot be written."""
    x = np.ones((4, 3))
    x.flags.writeable = False
    return x


def overlapping() -> dict[str, np.ndarray]:
    """Two arrays that share some of their memory."""
    raw = np.ones(20)
    return {"left": raw[:12].reshape(4, 3), "right": raw[8:].reshape(4, 3)}


def unaligned() -> np.ndarray:
    """A matrix of doubles at an odd address."""
    return np.zeros(12 * 8 + 1, dtype=np.uint8)[1:].view(np.float64).reshape(4, 3)


BAD_PARAMS: dict[str, tuple[Callable[[], Any], type[Exception], str]] = {
    "int": (lambda: {"bad": np.ones((4, 3), dtype=int)}, TypeError, r"bad.*int"),
    "bool": (lambda: {"bad": np.ones((4, 3), dtype=bool)}, TypeError, r"bad.*bool"),
    "half": (lambda: {"bad": np.ones((4, 3), dtype=np.float16)}, TypeError, r"bad.*float16"),
    "long double": (lambda: {"bad": np.ones((4, 3), dtype=np.longdouble)}, TypeError, "bad"),
    "complex": (lambda: {"bad": np.ones((4, 3), dtype=complex)}, TypeError, r"bad.*complex"),
    "object": (lambda: {"bad": np.ones((4, 3), dtype=object)}, TypeError, r"bad.*object"),
    "big-endian": (lambda: {"bad": np.ones((4, 3), dtype=">f8")}, TypeError, "bad"),
    "nested list": (lambda: {"fine": np.ones((4, 3)), "bad": 1.0}, TypeError, r"bad.*float"),
    "numpy scalar": (lambda: {"bad": np.float64(1.0)}, TypeError, "bad"),
    "nothing": (lambda: {"bad": None}, TypeError, "bad"),
    "read-only": (lambda: {"bad": read_only()}, ValueError, r"bad.*(writ|read-only)"),
    "transposed": (lambda: {"bad": np.ones((4, 3)).T}, ValueError, r"bad.*contiguous"),
    "strided": (lambda: {"bad": np.ones((4, 6))[:, ::2]}, ValueError, r"bad.*contiguous"),
    "reversed": (lambda: {"bad": np.ones((4, 3))[::-1]}, ValueError, r"bad.*contiguous"),
    "broadcast": (lambda: {"bad": np.broadcast_to(np.ones(3), (4, 3))}, ValueError, "bad"),
    "unaligned": (lambda: {"bad": unaligned()}, ValueError, "bad"),
    "overlapping": (overlapping, ValueError, r"left.*right|right.*left"),
    "same memory, other shape": (
        lambda: (lambda x: {"left": x, "right": x.reshape(3, 4)})(np.ones((4, 3))),
        ValueError,
        r"left.*right|right.*left",
    ),
    "same memory, other dtype": (
        lambda: (lambda x: {"left": x, "right": x.view(np.float32)})(np.ones((4, 3))),
        ValueError,
        r"left.*right|right.*left",
    ),
    "same name twice": (
        lambda: {"a": {"b": np.ones((4, 3))}, "a/b": np.ones((4, 3))},
        ValueError,
        "a/b",
    ),
    "number as name": (lambda: {3: np.ones((4, 3))}, TypeError, "3"),
    "empty dict": (dict, ValueError, "params"),
    "empty list": (list, ValueError, "params"),
    "string": (lambda: "params", TypeError, "str"),
    "none": (lambda: None, TypeError, "None"),
}


@pytest.mark.parametrize("kind", BAD_PARAMS)
@ALL
def test_bad_parameters(case: Case, kind: str) -> None:
    """Whatever cannot be changed in place is refused, under every recipe."""
    make, error, match = BAD_PARAMS[kind]
    with pytest.raises(error, match=match):
        case.optimizer(make())


def test_matrix_subclasses_and_views_are_fine() -> None:
    """Contiguous slices of one array are legal blocks, as long as they do not overlap."""
    raw = np.zeros(24)
    opt = st.SGD({"left": raw[:12].reshape(4, 3), "right": raw[12:]}, lr=1.0)
    opt.step({"left": np.ones((4, 3)), "right": np.full(12, 2.0)})
    np.testing.assert_array_equal(raw, [-1.0] * 12 + [-2.0] * 12)


R = st.recipes
BAD_VALUES: list[tuple[str, Callable[[], Any], str]] = [
    ("p below 1", lambda: R.schattor(p=0.99, lr=0.1), "p"),
    ("p negative", lambda: R.schattor(p=-2, lr=0.1), "p"),
    ("p NaN", lambda: R.schattor(p=np.nan, lr=0.1), "p"),
    ("p zero", lambda: R.schattor(p=0, lr=0.1), "p"),
    ("outer below 1", lambda: R.schattor(p=3, lr=0.1, outer=0.5), "outer"),
    ("outer NaN", lambda: R.schattor(p=3, lr=0.1, outer=np.nan), "outer"),
    ("weight zero", lambda: R.schattor(p=3, lr=0.1, weights=0.0), "weight"),
    ("weight negative", lambda: R.schattor(p=3, lr=0.1, weights={"*": -1.0}), "weight"),
    ("weight NaN", lambda: R.schattor(p=3, lr=0.1, weights={"*": np.nan}), "weight"),
    ("weight infinite", lambda: R.schattor(p=3, lr=0.1, weights=np.inf), "weight"),
    ("norm outer", lambda: st.MixedNorm({"W": st.Schatten(3)}, outer=0.0), "outer"),
    ("norm weight", lambda: st.MixedNorm({"W": st.Schatten(3)}, weights={"W": 0.0}, outer=2), "weight"),
    ("rule", lambda: R.schattor(p=3, lr=0.1, rule="lmo"), "rule"),
    ("momentum kind", lambda: R.schattor(p=3, lr=0.1, momentum_kind="nag"), "momentum_kind"),
    ("momentum init", lambda: R.schattor(p=3, lr=0.1, momentum_init="last"), "momentum_init"),
    ("scale name", lambda: R.schattor(p=3, lr=0.1, scale="rms"), "scale"),
    ("scale zero", lambda: R.schattor(p=3, lr=0.1, scale=0.0), "scale"),
    ("scale NaN", lambda: R.schattor(p=3, lr=0.1, scale=np.nan), "scale"),
    ("scope", lambda: R.normalized_sgd(lr=0.1, scope="layer"), "scope"),
    ("normalized init", lambda: R.normalized_sgd(lr=0.1, momentum_init="debiased"), "momentum_init"),
    ("dampening", lambda: R.sgd(momentum=0.9, dampening=1.5), "dampening"),
    ("dampening NaN", lambda: R.sgd(momentum=0.9, dampening=np.nan), "dampening"),
    ("nesterov without momentum", lambda: R.sgd(nesterov=True), "nesterov"),
    ("nesterov with dampening", lambda: R.sgd(momentum=0.9, dampening=0.1, nesterov=True), "nesterov"),
    ("beta1", lambda: R.adamw(betas=(1.0, 0.9)), "momentum|beta"),
    ("beta2", lambda: R.adamw(betas=(0.9, 1.0)), "beta"),
    ("beta NaN", lambda: R.adamw(betas=(np.nan, 0.9)), "momentum|beta"),
    ("eps negative", lambda: R.adamw(eps=-1e-8), "eps"),
    ("eps NaN", lambda: R.adamw(eps=np.nan), "eps"),
    ("coefficients", lambda: R.muon(coefficients="unknown"), "unknown"),
    ("steps zero", lambda: R.muon(steps=0), "steps"),
    ("steps beyond the set", lambda: R.muon(coefficients="you_jiacheng_5", steps=6), "steps"),
]


@pytest.mark.parametrize(
    ("make", "match"), [row[1:] for row in BAD_VALUES], ids=[row[0] for row in BAD_VALUES]
)
def test_bad_values(make: Callable[[], Any], match: str) -> None:
    """ValueError that names the hyperparameter, at once: before any optimizer exists."""
    with pytest.raises(ValueError, match=match):
        make()


@pytest.mark.parametrize("value", [np.nan, np.inf, -1.0, -1e-300])
@pytest.mark.parametrize(
    ("case", "name"),
    [(case, name) for case in CASES for name in ("lr", "weight_decay") if case.takes(name)],
    ids=str,
)
def test_rates_are_finite_and_not_negative(case: Case, name: str, value: float) -> None:
    """lr and weight decay of every recipe."""
    with pytest.raises(ValueError, match=name):
        case.make(**{name: value})


@ALL
@pytest.mark.parametrize("value", [-0.1, 1.0, 1.5, np.nan, np.inf])
def test_momentum_range(case: Case, value: float) -> None:
    """momentum lies in [0, 1) wherever a recipe has one."""
    has_momentum = "momentum" in inspect.signature(case.function).parameters
    arguments = {"momentum": value} if has_momentum else {"lr": -1.0}
    with pytest.raises(ValueError, match="momentum" if has_momentum else "lr"):
        case.make(**arguments)


@ALL
@pytest.mark.parametrize("value", ["fast", None, True, [0.1], 1j])
def test_lr_is_a_number_or_a_callable(case: Case, value: object) -> None:
    """Other types raise TypeError naming lr."""
    with pytest.raises(TypeError, match="lr"):
        case.make(lr=value)


@ALL
def test_unknown_arguments(case: Case) -> None:
    """Unknown keywords of recipes and of optimizer classes raise TypeError naming them."""
    with pytest.raises(TypeError, match="learning_rate"):
        case.make(learning_rate=0.1)
    with pytest.raises(TypeError, match="n_workers"):
        case.optimizer([np.ones((2, 2))], n_workers=2)
    if case.preset is None:
        cls = next(cls for cls in CLASSES if cls.recipe.name == case.recipe)
        for unknown in ("learning_rate", "gradients"):
            with pytest.raises(TypeError, match=unknown):
                cls([np.ones((2, 2))], **case.arguments, **{unknown: 1})
        with pytest.raises(TypeError):
            cls([np.ones((2, 2))], 0.1, 0.9)


@pytest.mark.parametrize("decay", ["l1", "", "Decoupled"])
@pytest.mark.parametrize("case", [case for case in CASES if case.takes("decay")], ids=str)
def test_decay_names(case: Case, decay: object) -> None:
    """Four kinds of decay, by name; others raise ValueError listing them, also without a decay."""
    for weight_decay in (0.0, 0.1):
        with pytest.raises(ValueError, match="decoupled") as caught:
            case.make(decay=decay, weight_decay=weight_decay)
        for kind in ("l2", "independent", "cautious"):
            assert kind in str(caught.value)


@pytest.mark.parametrize("betas", [(0.9,), 0.9, (0.9, 0.99, 0.999), (0.9, "0.99")])
def test_pairs_are_pairs(betas: object) -> None:
    """TypeError that names the pair."""
    with pytest.raises(TypeError, match="betas must be a tuple of 2, each a real number or a callable"):
        st.recipes.adamw(betas=betas)


def test_required_arguments() -> None:
    """lr and p of Schattor are required; norm= excludes p=, outer= and weights=."""
    W = {"W": np.ones((2, 2))}
    norm = st.MixedNorm({"W": st.Schatten(3)}, outer=2)
    for arguments in ({"p": 3}, {"norm": norm}):
        with pytest.raises(TypeError, match="lr"):
            st.Schattor(W, **arguments)
    with pytest.raises(TypeError, match="p"):
        st.Schattor(W, lr=0.1)
    for extra in ({"p": 3}, {"outer": 2}, {"weights": 1.0}, {"weights": {"W": 1.0}}, {"outer": np.inf}):
        with pytest.raises((TypeError, ValueError), match="norm"):
            st.Schattor(W, lr=0.1, norm=norm, **extra)
    for required in (st.SignSGD, st.Signum, st.NormalizedSGD, st.PolarGrad):
        with pytest.raises(TypeError, match="lr"):
            required(W)
    with pytest.raises(TypeError, match="outer"):
        st.MixedNorm({"W": st.Schatten(3)})


EXECUTION: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"on_nonfinite": "ignore"}, ValueError, "on_nonfinite"),
    ({"on_nonfinite": None}, TypeError, "on_nonfinite"),
    ({"backend": "cuda"}, ValueError, "backend"),
    ({"backend": "Gram"}, ValueError, "backend"),
    ({"rtol": 0.0}, ValueError, "rtol"),
    ({"rtol": 1.0}, ValueError, "rtol"),
    ({"rtol": np.nan}, ValueError, "rtol"),
    ({"rtol": "tight"}, TypeError, "rtol"),
    ({"schedule": 0.5}, TypeError, "schedule"),
    ({"views": {"W": "flatten"}}, TypeError, "view"),
    ({"views": {"X": st.views.flatten()}}, KeyError, "X"),
]


@ALL
@pytest.mark.parametrize(("options", "error", "match"), EXECUTION)
def test_bad_options(case: Case, options: dict[str, Any], error: type[Exception], match: str) -> None:
    """Options of the optimizer are checked under every recipe."""
    with pytest.raises(error, match=match):
        case.optimizer({"W": np.ones((2, 2))}, **options)


def test_newton_schulz_needs_the_spectral_norm() -> None:
    """The iteration computes the polar factor; another exponent raises and names the block."""
    for backend in ("newton_schulz", st.linalg.NewtonSchulz("muon")):
        with pytest.raises(ValueError, match="inf"):
            st.Schattor({"W": np.ones((2, 2))}, p=4, lr=0.1, backend=backend)
        with pytest.raises(ValueError, match="inf"):
            st.Schattor({"W": np.ones((2, 2))}, p=lambda t: 4, lr=0.1, backend=backend)
        st.Schattor({"W": np.ones((2, 2))}, p=np.inf, lr=0.1, backend=backend)


PARAMS = {"layer/W": (4, 3), "layer/b": (4,), "head/W": (3, 4)}


def params() -> dict[str, np.ndarray]:
    """Two matrices and a bias."""
    return {name: np.ones(shape) for name, shape in PARAMS.items()}


@pytest.mark.parametrize(
    ("slots", "match"),
    [
        ({"geometry": "spectral"}, "geometry must be Geometry or MixedNorm, got 'spectral'"),
        ({"geometry": st.Schatten}, r"geometry must be .*; call it: Schatten\(\.\.\.\)"),
        ({"estimator": st.estimators.EMA}, r"estimator must be Estimator, .*; call it: EMA\(\.\.\.\)"),
        ({"scaling": "ball"}, "scaling must be Scaling, got 'ball'"),
        ({"frame": st.Sign()}, "frame must be Frame or None"),
        ({"output": st.estimators.NoMomentum()}, "output must be EMA or HeavyBall or None"),
        ({"update": None}, "update must be Update, got None"),
        ({"transforms": st.parts.L2Decay(0.1)}, r"transforms must be a tuple .*\(part,\)"),
        ({"adjustments": (st.Sign(),)}, r"adjustments\[0\] must be Adjustment"),
    ],
)
def test_recipes_check_what_fills_their_slots(slots: dict[str, Any], match: str) -> None:
    """A class instead of a part, a name, a part of another slot, one part instead of a tuple."""
    with pytest.raises(TypeError, match=match):
        st.Recipe(**{"name": "mine", "lr": 0.1, "geometry": st.Sign(), **slots})


def test_keys_that_match_nothing() -> None:
    """Routes, views and weights: a key without a block raises KeyError with the key and the blocks."""
    flatten = st.views.flatten()
    for make in (
        lambda: st.Optimizer(params(), {"typo*": R.sgd(), "*": R.sgd()}),
        lambda: st.SGD(params(), views={"typo*": flatten}),
        lambda: st.SGD(params(), views={"*/W": flatten, "typo*": flatten}),
        lambda: st.Schattor(params(), p=3, lr=0.1, weights={"typo*": 2.0, "*": 1.0}),
        lambda: st.MixedNorm.from_patterns(params(), {"typo*": st.Schatten(3), "*": st.Schatten(3)}, outer=2),
    ):
        with pytest.raises(KeyError, match=r"typo\*"):
            make()


def test_blocks_that_nothing_matches() -> None:
    """Routes and weights must cover every block: nothing is routed silently."""
    for make in (
        lambda: st.Optimizer(params(), {"*/W": R.sgd()}),
        lambda: st.Optimizer(params(), {"layer/W": R.sgd(), "head/W": R.muon()}),
        lambda: st.Schattor(params(), p=3, lr=0.1, weights={"*/W": 2.0}),
        lambda: st.MixedNorm.from_patterns(params(), {"*/W": st.Schatten(3)}, outer=2),
    ):
        with pytest.raises(KeyError, match="layer/b"):
            make()


def test_mixed_norm_names_exactly_the_blocks() -> None:
    """A block that the norm lacks, and one that the optimizer lacks."""
    norm = st.MixedNorm.uniform(params(), 3, outer=2)
    fewer = {name: x for name, x in params().items() if name != "layer/b"}
    with pytest.raises((KeyError, ValueError), match="layer/b"):
        st.Schattor(fewer, norm=norm, lr=0.1)
    with pytest.raises((KeyError, ValueError), match="extra"):
        st.Schattor({**params(), "extra": np.ones(2)}, norm=norm, lr=0.1)


def test_routes_hold_recipes() -> None:
    """Anything else raises TypeError with the key; so does a route that is no mapping."""
    with pytest.raises(TypeError, match="layer"):
        st.Optimizer(params(), {"layer/*": st.Muon, "*": R.sgd()})
    with pytest.raises(TypeError, match=r"\*"):
        st.Optimizer(params(), {"*": R.sgd})
    for routes in ([R.sgd()], "sgd", 3):
        with pytest.raises((TypeError, ValueError)):
            st.Optimizer(params(), routes)
    with pytest.raises((KeyError, ValueError)):
        st.Optimizer(params(), {})


@pytest.mark.parametrize("optimizer", [st.Muon, st.PolarGrad])
def test_vectors_under_matrix_recipes(optimizer: type[st.Optimizer]) -> None:
    """Muon refuses vectors and scalars, and its message is the routing line to write: it works when it is written."""
    for bias in (np.ones(4), np.array(1.0)):
        blocks = {"W": np.ones((4, 3)), "bias": bias}
        with pytest.raises(ValueError, match="bias") as caught:
            optimizer(blocks, lr=0.02)
        text = str(caught.value)
        start = text.index("st.Optimizer(")
        line = text[start:].replace("...", "lr=0.02")
        opt = eval(line, {"st": st, "params": blocks})
        opt.step({"W": np.ones((4, 3)), "bias": np.ones_like(bias)})


@pytest.mark.parametrize("case", SINGLE, ids=str)
def test_more_than_two_dimensions(case: Case) -> None:
    """Matrix geometries ask for a view, and the message shows it; entrywise ones take any shape."""
    blocks = {"kernel": np.ones((4, 3, 2))}
    matrix = case.make().geometry.matrix
    if matrix:
        with pytest.raises(ValueError, match="kernel") as caught:
            case.optimizer(blocks)
        assert "st.views.flatten()" in str(caught.value)
    else:
        case.optimizer(blocks).step({"kernel": np.ones((4, 3, 2))})
    opt = case.optimizer(blocks, views={"kernel": st.views.flatten()})
    opt.step({"kernel": np.ones((4, 3, 2))})


def test_failed_construction_leaves_the_parameters() -> None:
    """Nothing is written before the first step."""
    blocks = {"W": np.arange(12.0).reshape(4, 3), "bad": np.ones(2, dtype=int)}
    with pytest.raises(TypeError):
        st.SGD(blocks)
    np.testing.assert_array_equal(blocks["W"], np.arange(12.0).reshape(4, 3))
    st.SGD({"W": blocks["W"]})
    np.testing.assert_array_equal(blocks["W"], np.arange(12.0).reshape(4, 3))
