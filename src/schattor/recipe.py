"""Recipes: a published optimizer as the parts that it puts into the slots of the pipeline."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, ParamSpec, TypeAlias

from .drivers.driver import Driver
from .estimators import EMA, Estimator, HeavyBall, NoMomentum
from .geometries import Geometry
from .mixed_norm import Coupling, MixedNorm
from .part import Part, common_group
from .parts import (
    Additive,
    Adjustment,
    Frame,
    L2Decay,
    NormScaling,
    Pairing,
    Preconditioner,
    Scaling,
    Transform,
    Turns,
    Update,
)
from .values import NON_NEGATIVE, Schedulable

P = ParamSpec("P")
Pair: TypeAlias = tuple[Schedulable, Schedulable]


_SLOTS: dict[str, tuple[type, ...]] = {
    "geometry": (Geometry, MixedNorm),
    "estimator": (Estimator,),
    "frame": (Frame, type(None)),
    "preconditioner": (Preconditioner, type(None)),
    "scaling": (Scaling,),
    "output": (EMA, HeavyBall, type(None)),
    "update": (Update,),
}


def _check_part(slot: str, part: object, kinds: tuple[type, ...]) -> None:
    if not isinstance(part, kinds):
        names = " or ".join("None" if kind is type(None) else kind.__name__ for kind in kinds)
        hint = f"; call it: {part.__name__}(...)" if isinstance(part, type) else ""
        raise TypeError(f"{slot} must be {names}, got {part!r}{hint}")


@dataclass(frozen=True)
class Recipe:
    """The parts of one optimizer, slot by slot; made by the functions of `schattor.recipes`.

    Attributes
    ----------
    name : str
    lr : float or callable
    geometry : Geometry or MixedNorm
        A mixed norm brings a geometry for each block and their coupling.
    estimator, preconditioner, scaling, update : parts
    transforms : tuple of Transform
    frame : Frame or None
        Coordinates in which preconditioner and geometry work.
    adjustments : tuple of Adjustment
        Act on the direction after the oracle.
    output : EMA, HeavyBall or None
        Momentum of the direction at its length, after the scaling; not debiased.
    output_takes_lr : bool
        Whether the buffer of `output` holds displacements, the lr of their step included.
    coupling : Coupling or None
        Outer exponent and weights over the blocks that the recipe serves; None leaves the blocks alone.
    matrices_only : bool
        Refuse blocks below two dimensions.
    turns : Turns or None
        Which of the blocks moves in a step; None: all.
    pairing : Pairing or None
        Which blocks read each other's weights.
    driver : Driver or None
        What sets hyperparameters before every step.

    `degree`, `equivariance`, `requires` and `reads_weights` follow from the parts.

    Raises
    ------
    TypeError, ValueError
        For a slot that holds no part of its kind, or an lr that is negative.
    """

    name: str
    lr: Schedulable
    geometry: Geometry | MixedNorm
    estimator: Estimator = field(default_factory=NoMomentum)
    transforms: tuple[Transform, ...] = ()
    frame: Frame | None = None
    preconditioner: Preconditioner | None = None
    adjustments: tuple[Adjustment, ...] = ()
    scaling: Scaling = field(default_factory=NormScaling)
    output: EMA | HeavyBall | None = None
    output_takes_lr: bool = False
    update: Update = field(default_factory=Additive)
    coupling: Coupling | None = None
    matrices_only: bool = False
    turns: Turns | None = None
    pairing: Pairing | None = None
    driver: Driver | None = None

    def __post_init__(self) -> None:
        NON_NEGATIVE.check_schedulable("lr", self.lr)
        for slot, kinds in _SLOTS.items():
            _check_part(slot, getattr(self, slot), kinds)
        for slot, kind in (("transforms", Transform), ("adjustments", Adjustment)):
            parts = getattr(self, slot)
            if not isinstance(parts, tuple | list):
                raise TypeError(f"{slot} must be a tuple of parts, got {parts!r}; of one part: (part,)")
            for i, part in enumerate(parts):
                _check_part(f"{slot}[{i}]", part, (kind,))
        if self.output is not None and self.output.init == "debiased":
            raise ValueError(f"output must not be debiased, got {self.output}")
        if self.driver is not None:
            self.driver.check(self)

    def geometry_of(self, block: str) -> Geometry:
        """Return the geometry of the block of this name."""
        return self.geometry.geometries[block] if isinstance(self.geometry, MixedNorm) else self.geometry

    @property
    def _geometries(self) -> tuple[Geometry, ...]:
        if isinstance(self.geometry, MixedNorm):
            return tuple(self.geometry.geometries.values())
        return (self.geometry,)

    @property
    def parts(self) -> tuple[Part, ...]:
        """All parts, in the order in which a step passes through them."""
        slots = [
            *self.transforms,
            self.estimator,
            self.frame,
            self.preconditioner,
            *self._geometries,
            *self.adjustments,
            self.scaling,
            self.output,
            self.update,
        ]
        return tuple(part for part in slots if part is not None)

    @property
    def requires(self) -> frozenset[str]:
        """Names of what `Optimizer.step` must be given beside the gradients."""
        return frozenset().union(*(part.requires for part in self.parts))

    @property
    def draws(self) -> bool:
        """Whether the steps depend on random numbers, which the names of the blocks tell apart."""
        return any(part.draws for part in self.parts)

    @property
    def shares(self) -> tuple[str, ...]:
        """Names of the numbers in the state that all blocks share: a step changes them for absent blocks, too."""
        return tuple(name for part in self.parts for name in part.shares)

    @property
    def degree(self) -> float | None:
        """Degree of the step in the scale of all gradients, weight decay and eps aside; None where it has none."""
        if not all(part.homogeneous for part in self.parts):
            return None
        degree: float | None = 1
        for transform in self.transforms:
            degree = transform.degree(degree)
        degree = self.estimator.degree(degree)
        if self.preconditioner is not None and degree is not None:
            degree = self.preconditioner.degree
        degree = self.scaling.degree(degree)
        for adjustment in self.adjustments:
            degree = adjustment.degree(degree)
        return self.update.degree(degree)

    @property
    def reads_weights(self) -> bool:
        """Whether steps depend on the weights, beside weight decay that is added to the step."""
        return any(part.reads_weights for part in self.parts)

    @property
    def equivariance(self) -> str:
        """The group that commutes with the steps; see `schattor.Geometry`. A mixed norm has that of its blocks."""
        groups = {geometry.equivariance for geometry in self._geometries}
        if len(groups) > 1:
            return "mixed"
        if self.preconditioner is not None:
            groups.add(self.preconditioner.equivariance)
        groups.add(self.estimator.equivariance)
        inside = common_group(*groups)
        whole = inside if self.frame is None else self.frame.equivariance(inside)
        around = [transform.equivariance for transform in self.transforms]
        around += [adjustment.equivariance for adjustment in self.adjustments]
        return common_group(whole, *around, self.update.equivariance)

    def signature(self) -> str:
        """Return the kinds of the parts that keep state: what a saved state must agree with."""
        kept = [part for part in self.parts if not isinstance(part, Geometry | Scaling)]
        if not self.update.keeps_state:
            kept.remove(self.update)
        return " > ".join([self.name, *(type(part).__name__ for part in kept)])


class RecipeFunction(Generic[P]):
    """A recipe under its name: call it for a `Recipe`; presets are its attributes (``muon.torch``)."""

    def __init__(
        self,
        function: Callable[P, Recipe],
        family: str,
        source: str,
        deviations: tuple[str, ...] = (),
        example: Mapping[str, Any] | None = None,
    ) -> None:
        functools.update_wrapper(self, function)
        self.__doc__ = _with_source(function.__doc__ or "", source, deviations)
        self.name = function.__name__
        self.family = family
        self.source = source
        self.deviations = deviations
        self.presets: dict[str, Callable[..., Recipe]] = {}
        self._function = function
        self._example = example or {}

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Recipe:
        """Return the recipe with these hyperparameters."""
        return self._function(*args, **kwargs)

    def example(self, **changed: Any) -> Recipe:
        """Return the recipe at its defaults and, where there is none, at typical values."""
        return self._function(**{"lr": 1e-3, **self._example, **changed})  # type: ignore[call-arg]

    def preset(self, function: Callable[..., Recipe]) -> Callable[..., Recipe]:
        """Register a variant of the recipe under the function's name."""
        self.presets[function.__name__] = function
        return function

    def __getattr__(self, name: str) -> Callable[..., Recipe]:
        try:
            return self.__dict__["presets"][name]  # type: ignore[no-any-return]
        except KeyError:
            raise AttributeError(f"recipe {self.__dict__.get('name')!r} has no preset {name!r}") from None

    def __repr__(self) -> str:
        return f"<recipe {self.name}{inspect.signature(self._function)}>"

    def signature(self) -> inspect.Signature:
        """Return the signature of the function."""
        return inspect.signature(self._function)


def recipe(
    *, family: str, source: str, deviations: tuple[str, ...] = (), example: Mapping[str, Any] | None = None
) -> Callable[[Callable[P, Recipe]], RecipeFunction[P]]:
    """Make a function that returns a `Recipe` one of the package's recipes.

    `deviations` are sentences that name each difference from the source; they and the source become the first of the
    docstring's notes. `example` holds typical values of arguments, besides lr, that must be given or whose defaults
    show too little of the method.
    """
    return lambda function: RecipeFunction(function, family, source, deviations, example)


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


def check_pair(betas: Pair) -> Pair:
    """Return the rates of two averages, or raise."""
    try:
        first, second = betas
    except (TypeError, ValueError):
        raise ValueError(f"betas must be a pair of numbers in [0, 1), got {betas!r}") from None
    return first, second


def decay_parts(decay: str, weight_decay: Schedulable) -> dict[str, Any]:
    """Return the slots that weight decay of this kind fills: a transform for "l2", else the update."""
    if decay == "l2":
        NON_NEGATIVE.check_schedulable("weight_decay", weight_decay)
        transforms = () if weight_decay == 0 else (L2Decay(weight_decay),)
        return {"transforms": transforms, "update": Additive()}
    if decay not in ("decoupled", "independent", "cautious", "after"):
        raise ValueError(
            f"decay must be 'decoupled', 'l2', 'independent', 'cautious' or 'after', got {decay!r}"
        )
    return {"update": Additive("none" if weight_decay == 0 else decay, weight_decay)}
