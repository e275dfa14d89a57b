"""What the package's recipes have in common: the decorator, presets, kinds of weight decay."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any, Generic, ParamSpec, TypeAlias

from .._edge.arguments import Arguments, renamed
from .._edge.values import MOMENTUM, NON_NEGATIVE, Domain, Schedulable, check_choice, nearest
from ..parts import (
    Additive,
    L2Decay,
)
from ..recipe.recipe import Recipe

P = ParamSpec("P")


Pair: TypeAlias = tuple[Schedulable, Schedulable]


class RecipeFunction(Generic[P]):
    """A recipe under its name: call it for a `Recipe`; presets are its attributes (``muon.torch``)."""

    def __init__(
        self,
        function: Callable[P, Recipe],
        family: str,
        source: str,
        deviations: tuple[str, ...] = (),
        example: Mapping[str, Any] | None = None,
        names: Mapping[str, str] | None = None,
    ) -> None:
        functools.update_wrapper(self, function)
        self.__doc__ = _with_source(function.__doc__ or "", source, deviations)
        self.name = function.__name__
        self.family = family
        self.source = source
        self.deviations = deviations
        self.presets: dict[str, Callable[..., Recipe]] = {}
        self._function = function
        self._arguments = Arguments(function)
        self._names = names or {}
        self._example = example or {}

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Recipe:
        """Return the recipe with these hyperparameters."""
        self._arguments.check(args, kwargs)
        with renamed(self._names):
            return self._function(*args, **kwargs)

    def example(self, **changed: Any) -> Recipe:
        """Return the recipe at its defaults and, where there is none, at typical values."""
        return self._function(**{"lr": 1e-3, **self._example, **changed})  # type: ignore[call-arg]

    def preset(self, function: Callable[..., Recipe]) -> Callable[..., Recipe]:
        """Register a variant of the recipe under the function's name."""
        arguments = Arguments(function, f"{self.name}.{function.__name__}")

        @functools.wraps(function)
        def made(*args: Any, **kwargs: Any) -> Recipe:
            arguments.check(args, kwargs)
            with renamed(self._names):
                return function(*args, **kwargs)

        self.presets[function.__name__] = made
        return made

    def __getattr__(self, name: str) -> Callable[..., Recipe]:
        presets: dict[str, Callable[..., Recipe]] = self.__dict__.get("presets", {})
        if name in presets:
            return presets[name]
        has = f"; it has {', '.join(presets)}{nearest(name, presets)}" if presets else ""
        raise AttributeError(f"recipe {self.__dict__.get('name')!r} has no preset {name!r}{has}")

    def __repr__(self) -> str:
        given = [
            p.name if p.default is p.empty else f"{p.name}={p.default!r}"
            for p in self.signature().parameters.values()
        ]
        return f"<recipe {self.name}({', '.join(given)})>"

    def signature(self) -> inspect.Signature:
        """Return the signature of the function."""
        return inspect.signature(self._function)


def recipe(
    *,
    family: str,
    source: str,
    deviations: tuple[str, ...] = (),
    example: Mapping[str, Any] | None = None,
    names: Mapping[str, str] | None = None,
) -> Callable[[Callable[P, Recipe]], RecipeFunction[P]]:
    """Make a function that returns a `Recipe` one of the package's recipes.

    `deviations` are sentences that name each difference from the source; they and the source become the first of the
    docstring's notes. `example` holds typical values of arguments, besides lr, that must be given or whose defaults
    show too little of the method. `names` says which of the recipe's arguments stands behind one of a part that is
    called otherwise, for messages.
    """
    return lambda function: RecipeFunction(function, family, source, deviations, example, names)


def _with_source(text: str, source: str, deviations: tuple[str, ...]) -> str:
    """Return a docstring whose notes begin with the source and the deviations from it."""
    notes = [f"Source: {source}."]
    if deviations:
        notes.append("Deviations from it:\n\n" + "\n".join(f"- {deviation}" for deviation in deviations))
    head = "Notes\n-----\n"
    before, found, after = inspect.cleandoc(text).partition(head)
    if not found:
        before, examples, after = before.partition("Examples\n--------\n")
        after = examples + after
    return "\n\n".join([before.rstrip(), head + notes[0], *notes[1:], after]).rstrip()


def check_pair(betas: Pair, second: Domain = MOMENTUM) -> Pair:
    """Return the rates of two averages, or raise."""
    MOMENTUM.check_schedulable("betas[0]", betas[0])
    second.check_schedulable("betas[1]", betas[1])
    return betas[0], betas[1]


def decay_parts(decay: str, weight_decay: Schedulable) -> dict[str, Any]:
    """Return the slots that weight decay of this kind fills: a transform for "l2", else the update."""
    if decay == "l2":
        NON_NEGATIVE.check_schedulable("weight_decay", weight_decay)
        transforms = () if weight_decay == 0 else (L2Decay(weight_decay),)
        return {"transforms": transforms, "update": Additive()}
    check_choice("decay", decay, ("decoupled", "l2", "independent", "cautious", "after"))
    return {"update": Additive("none" if weight_decay == 0 else decay, weight_decay)}
