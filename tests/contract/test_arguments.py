"""Every argument of every signature refuses what it does not document, in one sentence that helps."""

from __future__ import annotations

import builtins
import collections.abc
import dataclasses
import functools
import inspect
import math
import numbers
import re
import sys
import types
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import numpy as np
import pytest

import schattor as st
from schattor import parts
from schattor.optimizer.optimizer import Execution
from schattor.recipes.registry import RecipeFunction

mpl.use("Agg")

import matplotlib.pyplot as plt

G = np.array([[3.0, 1.0], [0.0, 2.0], [1.0, 0.0]])
W = np.array([[0.5, -1.0], [2.0, 0.0], [0.0, 1.0]])
SAMPLES = np.random.default_rng(0).standard_normal((8, 3, 2))

WRONG: dict[str, Any] = {
    "text": "no such name",
    "None": None,
    "list": [1.5, 2.5],
    "complex": 1 + 2j,
    "object": object(),
    "nan": math.nan,
    "array": np.ones(3),
    "True": True,
    "two": 2,
    "fraction": 2.5,
    "negative": -1,
    "huge": 2**70,
    "numpy bool": np.True_,
    "dict": {"W": 4},
    "class": st.estimators.EMA,
}
BANNED = (
    "incompatible function arguments",
    "Invoked with",
    "Unable to cast",
    "_core.",
    "std::",
    "__init__()",
    "cannot be interpreted",
    "unsupported operand",
    "not supported between",
    "has no attribute",
    "not callable",
    "not iterable",
    "object is not",
    "subscriptable",
    "unhashable",
    "could not convert",
)
EXPECTED = re.compile(
    r"\b(must|expected|takes|needs|goes with|have|not both|at most|at least|there are|the (blocks|keys|metrics) are)\b"
)


@dataclass(frozen=True)
class Signature:
    """A callable, arguments that it takes, and the types that it documents."""

    name: str
    call: Callable[..., Any]
    hints: dict[str, Any]
    good: dict[str, Any]
    computes: bool = False

    def __str__(self) -> str:
        return self.name


# What is documented


def fits(value: Any, hint: Any) -> bool:
    """Return whether a value is of an annotated type; a bool is no number, and NaN none either."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if hint is Any or isinstance(hint, typing.TypeVar | typing.ForwardRef):
        return True
    if origin in (typing.Union, types.UnionType):
        return any(fits(value, each) for each in arguments)
    if origin is typing.Literal:
        return isinstance(value, str) and value in arguments
    if hint is float:
        return isinstance(value, numbers.Real) and not isinstance(value, bool) and not math.isnan(value)
    if hint is int:
        return isinstance(value, numbers.Integral) and not isinstance(value, bool)
    if hint is bool:
        return isinstance(value, bool | np.bool_)
    if hint is None or hint is type(None):
        return value is None
    if origin is np.ndarray:
        return isinstance(value, np.ndarray)
    if isinstance(origin, type) and issubclass(origin, Callable):  # type: ignore[arg-type]
        return callable(value) and not inspect.isclass(value)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return isinstance(value, Mapping) and all(fits(each, arguments[1]) for each in value.values())
    if isinstance(origin, type) and issubclass(origin, Sequence):
        return isinstance(value, list | tuple | np.ndarray) and all(
            fits(each, arguments[0]) for each in value
        )
    return isinstance(value, origin or hint)


def is_array(hint: Any) -> bool:
    """Return whether an annotation is of arrays, which have tests of their own."""
    return "ndarray" in str(hint) or "_SupportsArray" in str(hint)


FREE_TEXT = {("Pairing", "left"), ("Pairing", "right"), ("Recipe", "name")}
"""Arguments that take any string."""


class Known(dict[str, Any]):
    """The names that annotations of a function may use; what is imported for type checkers alone is looked up here."""

    def __init__(self, function: Any) -> None:
        self.scope = vars(sys.modules[function.__module__])

    def __missing__(self, name: str) -> Any:
        for scope in (self.scope, vars(builtins), vars(collections.abc), vars(typing)):
            if name in scope:
                return scope[name]
        return Any


def hints_of(function: Any) -> dict[str, Any]:
    """Return the annotations of a function or of the fields of a class, resolved."""
    if isinstance(function, functools.partial):
        function = function.func
    if isinstance(function, RecipeFunction):
        function = function._function
    if inspect.isclass(function) and not dataclasses.is_dataclass(function):
        function = function.__init__
    hints = typing.get_type_hints(function, localns=Known(function))
    names = inspect.signature(function).parameters
    return {name: hint for name, hint in hints.items() if name in names}


# The signatures


def follow(recipe: Any) -> None:
    """Make an optimizer of a recipe."""
    if recipe.pairing is not None:
        st.Optimizer({recipe.pairing.left: np.eye(3, 2), recipe.pairing.right: np.eye(2, 3)}, recipe)
    else:
        st.Optimizer(np.eye(3, 2), recipe)


def recipes() -> Iterator[Signature]:
    """Yield every recipe and every preset."""
    for name in st.recipes.__all__:
        function: RecipeFunction[Any] = getattr(st.recipes, name)
        for preset, call in {"": function, **function.presets}.items():
            takes = inspect.signature(call).parameters
            good = {"lr": 1e-3, **function._example} if not preset else {"lr": 1e-3}
            yield Signature(
                f"{name}.{preset}".rstrip("."),
                lambda call=call, **arguments: follow(call(**arguments)),
                hints_of(call),
                {k: v for k, v in good.items() if k in takes},
            )
    inner = st.recipes.muon()
    for function, good in (
        (st.recipes.block_coordinate, {"inner": st.recipes.adamw()}),
        (st.recipes.schedule_free, {"inner": st.recipes.sgd()}),
        (st.recipes.hyperball, {"inner": inner}),
    ):
        yield Signature(
            function.__name__,
            lambda function=function, **arguments: follow(function(**arguments)),
            hints_of(function),
            good,
        )


SPECTRAL = st.Spectral()
PARTS: dict[str, dict[str, Any]] = {
    "SpectralMap": {"power": 0.5},
    "TangentDual": {"geometry": SPECTRAL},
    "IntrinsicStiefel": {"geometry": SPECTRAL},
    "TangentProjection": {"choice": lambda step: 0},
    "Largest": {"moment": parts.Squares()},
    "Diagonal": {"moment": parts.Squares(), "division": parts.Plain()},
    "LeverageEquilibration": {"geometry": SPECTRAL},
    "Grafted": {"direction": parts.KroneckerRoots(), "length": parts.SecondMoment()},
    "L2Decay": {"weight_decay": 0.1},
    "PolarRetraction": {"geometry": SPECTRAL},
    "WeightNormalized": {"estimator": st.estimators.EMA(), "preconditioner": parts.SecondMoment()},
    "ScheduleFree": {"inner": parts.Additive()},
    "Extrapolated": {"inner": parts.Additive()},
    "DecayInDirection": {"weight_decay": 0.1},
    "RandomRange": {"rank": 1, "seed": 0},
    "SmallerSide": {"power": 0.5},
    "NormPower": {"power": 0.5},
    "SwitchedScaling": {
        "choice": lambda step: 0,
        "scalings": (parts.NormScaling(), parts.NormScaling("ball", 2.0)),
    },
    "Switched": {"choice": lambda step: 0, "geometries": (st.Sign(), st.Lp(2))},
    "Lp": {"p": 2.0},
    "KyFan": {"k": 1},
    "Schatten": {"p": 3.0},
    "Coupling": {"outer": 2.0},
    "Recipe": {"name": "mine", "lr": 0.1, "geometry": st.Sign()},
    "Run": {"delta": 1.0, "steps": 10},
}
"""Arguments of the parts that must be given."""


def specifications() -> Iterator[Signature]:
    """Yield the frozen dataclasses that users write: parts, geometries, estimators, drivers, backends, recipes."""
    found = {name: getattr(parts, name) for name in parts.__all__}
    found |= {name: getattr(st.estimators, name) for name in st.estimators.__all__}
    found |= {
        cls.__name__: cls
        for cls in (st.Lp, st.Schatten, st.KyFan, st.RowNorm, st.ColumnNorm, st.Switched, st.AdaptiveExponent)
    }
    found |= {"NewtonSchulz": st.linalg.NewtonSchulz, "Recipe": st.Recipe, "Run": st.theory.Run}
    for name, cls in sorted(found.items()):
        if (
            inspect.isclass(cls)
            and dataclasses.is_dataclass(cls)
            and not inspect.isabstract(cls)
            and name != "Context"
        ):
            fields = {field.name for field in dataclasses.fields(cls) if field.init}
            hints = {k: hint for k, hint in hints_of(cls).items() if k in fields}
            yield Signature(name, cls, hints, PARTS.get(name, {}))


def functions() -> Iterator[Signature]:
    """Yield the public functions with the scalars, strings and flags that they take."""
    run = {"delta": 1.0, "L": 2.0, "sigma": 0.5, "T": 10}
    bound = {"L": 2.0, "sigma": 0.5, "T": 10, "lr": 0.01, "theta": 0.5}
    mixed = st.MixedNorm({"W": st.Spectral()}, outer=2.0)
    square = {"hessian": lambda V: 2.0 * V, "shape": (3, 2)}
    classes = np.array([0, 1, 1])
    recorded = {"step": np.arange(2), "muon_ratio/W": np.ones(2)}
    calls: list[tuple[Any, dict[str, Any]]] = [
        (st.ball_oracle, {"G": G, "p": 3.0}),
        (st.regularization_oracle, {"G": G, "p": 3.0}),
        (st.batched_ball_oracle, {"G": np.stack([G, G]), "p": math.inf}),
        (st.schatten_norm, {"A": G, "p": 3.0}),
        (st.Spectral, {}),
        (st.linalg.newton_schulz, {"A": G}),
        (st.linalg.polar_factor, {"A": G}),
        (st.linalg.spectral_norm, {"A": G}),
        (st.linalg.top_singular, {"A": G, "k": 1}),
        (st.views.split, {"count": 2}),
        (st.noise.StreamingNoise, {"params": {"W": W}, "batch_size": 2}),
        (st.noise.covariance, {"micro_batches": SAMPLES}),
        (st.noise.covariance_of_pairs, {"first": SAMPLES, "second": SAMPLES + 1}),
        (st.noise.partial_sums, {"noise": SAMPLES, "coefficients": np.ones(3), "norm": 2.0, "rng": 0}),
        (st.noise.proxy, {"estimates": st.noise.covariance(SAMPLES), "norm": 2.0}),
        (st.noise.tail_index, {"norms": np.arange(1.0, 41.0)}),
        (st.theory.best_lr, {"delta": 1.0, "L": 2.0, "T": 10, "theta": 0.5}),
        (st.theory.closed_form, run),
        (st.theory.gradient_descent_nonconvex, {"delta": 1.0, "L": 2.0, "T": 10}),
        (st.theory.gradient_descent_star_convex, {"L": 2.0, "distance": 1.0, "T": 10}),
        (st.theory.largest_lr, {"L": 2.0, "theta": 0.5}),
        (st.theory.lemma_3, {"M": G.T @ G, "weight": np.eye(2), "p": 3.0}),
        (st.theory.lemma_4, {"covariances": [G.T @ G], "weight": np.eye(2), "p": 3.0}),
        (st.theory.lemma_7, bound),
        (st.theory.lemma_10, bound),
        (st.theory.martingale_bound, {"covariance": G.T @ G, "coefficients": np.ones(2), "norm": 2.0}),
        (st.theory.muon_nonconvex, {"delta": 1.0, "L": 2.0, "T": 10}),
        (st.theory.muon_star_convex, {"delta": 1.0, "L": 2.0, "diameter": 1.0, "T": 10}),
        (st.theory.optimal_weight, {"M": G.T @ G, "p": 3.0}),
        (st.theory.parameters, run),
        (st.theory.rate, run),
        (st.theory.theorem_1, {"delta": 1.0, **bound, "p": 3.0}),
        (st.theory.theorem_2, {"delta": 1.0, **bound, "p": 3.0}),
        (st.theory.theorem_3, {"delta": 1.0, **bound, "norm": mixed}),
        (st.theory.theorem_4, {"delta": 1.0, **bound, "norm": mixed}),
        (st.theory.variance_proxy, {"covariance": G.T @ G, "norm": 2.0}),
        (st.diagnostics.Recorder, {"opt": st.SGD({"W": W.copy()})}),
        (st.diagnostics.block_hessian, {"hvp": lambda p, v: v, "params": {"W": W}, "name": "W"}),
        (st.diagnostics.curvature, {"hessian": lambda V: 2.0 * V, "gradient": G, "norm": 2.0}),
        (st.diagnostics.curvature_profile, {"hessian": lambda V: 2.0 * V, "gradient": G}),
        (st.diagnostics.fisher_fit, {"samples": SAMPLES, "structure": "kronecker"}),
        (st.diagnostics.hessian_matrix, square),
        (st.diagnostics.hessian_summary, square),
        (st.diagnostics.muon_ratio, {"hessian": lambda V: 2.0 * V, "gradient": G}),
        (st.diagnostics.noise_scale, {"micro_batches": SAMPLES}),
        (st.diagnostics.norm_alignment, {"hvp": lambda p, v: v, "params": {"W": W}, "gradient": {"W": G}}),
        (st.diagnostics.smoothness, {"gradient_change": G, "step": W, "norm": 2.0}),
        (st.diagnostics.top_eigenvalues, square),
        (st.problems.gaussian_like, {"inputs": G}),
        (st.problems.documentation_features, {"classes": 2, "features": 16}),
        (st.problems.MLP.random, {"inputs": G, "targets": classes}),
        (st.problems.MatrixQuadratic.random, {"spectrum": [1.0, 2.0], "columns": 2}),
        (st.problems.MatrixLeastSquares.power_law, {"rows": 2, "columns": 2}),
        (st.problems.MatrixCompletion.random, {"shape": (4, 3), "rank": 1}),
        (st.problems.AssociativeMemory.random, {"pairs": 2, "dimension": 3}),
        (st.plotting.plot_history, {"history": np.ones(3)}),
        (st.plotting.plot_spectra, {"spectra": np.ones(3)}),
        (st.plotting.plot_recorded, {"history": recorded, "metric": "muon_ratio"}),
        (st.testing.check_geometry, {"geometry": st.Sign()}),
        (st.testing.check_recipe, {"recipe": st.recipes.sgd(), "steps": 1}),
        (st.MixedNorm, {"geometries": {"W": st.Sign()}, "outer": 2.0}),
        (st.MixedNorm.uniform, {"params": {"W": W}, "geometry": st.Sign(), "outer": 2.0}),
        (st.MixedNorm.from_patterns, {"params": {"W": W}, "patterns": {"*": st.Sign()}, "outer": 2.0}),
        (mixed.with_weights, {"weights": 1.0}),
        (mixed.with_lipschitz, {"constants": {"W": 1.0}}),
        (mixed.with_scale, {"params": {"W": W}, "scale": 2.0}),
    ]
    for function, good in calls:
        yield Signature(
            getattr(function, "__qualname__", str(function)), function, hints_of(function), good, True
        )


def executions() -> Iterator[Signature]:
    """Yield the options of every optimizer."""
    hints = hints_of(st.Optimizer)
    yield Signature(
        "Optimizer",
        lambda **options: st.Optimizer({"W": np.eye(3, 2)}, st.recipes.sgd(), **options),
        {name: hints[name] for name in Execution.__annotations__},
        {},
    )


SIGNATURES = [*recipes(), *specifications(), *functions(), *executions()]
SKIPPED = {"rng", "params", "ax", "styles", "x"}
"""Arrays, random states and axes: their types have tests of their own."""


def tell(value: Any) -> list[str]:
    """Return the ways in which a message may name a value."""
    names = [repr(value), str(value), type(value).__name__]
    if isinstance(value, numbers.Real):
        names.append(repr(float(value)))
    elif isinstance(value, dict):
        names += [repr(each) for pair in value.items() for each in pair]
    elif np.ndim(value):
        names += [f"shape {np.shape(value)}", repr(float(value[0]))]
    return names


def faults(signature: Signature, name: str, hint: Any) -> Iterator[str]:
    """Yield what is wrong with how one argument takes wrong values."""
    for label, value in WRONG.items():
        if label == "huge" and signature.computes:
            continue  # as much work as was asked for
        arguments = {**signature.good, name: value}
        what = f"{signature.name}({name}=<{label}>)"
        try:
            signature.call(**arguments)
        except (TypeError, ValueError, KeyError) as error:
            text = str(error)
            if not re.search(rf"\b{name}\b", text):
                yield f"{what} does not name the argument: {text}"
            elif any(banned in text for banned in BANNED):
                yield f"{what} speaks of internals: {text}"
            elif not EXPECTED.search(text):
                yield f"{what} does not say what is expected: {text}"
            elif not any(form in text for form in tell(value)):
                yield f"{what} does not say what came: {text}"
            elif label == "numpy bool" and "True or False" in text and hint is bool:
                yield f"{what} is refused: {text}"
        except Exception as error:
            yield f"{what} raises {type(error).__name__}: {error}"
        else:
            free = (signature.name, name) in FREE_TEXT
            if not fits(value, hint) or (label == "text" and not free):
                yield f"{what} is accepted"


@pytest.mark.parametrize("signature", SIGNATURES, ids=str)
def test_every_argument_refuses_what_it_does_not_document(signature: Signature) -> None:
    """Wrong types and names raise TypeError, ValueError or KeyError: which argument, what is expected, what came."""
    signature.call(**signature.good)
    found = [
        fault
        for name, hint in signature.hints.items()
        if name not in SKIPPED and not is_array(hint)
        for fault in faults(signature, name, hint)
    ]
    plt.close("all")
    assert not found, "\n".join(found)
