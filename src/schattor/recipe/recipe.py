"""What a recipe is: an optimizer as the parts that it puts into the slots of the pipeline."""

from __future__ import annotations

from dataclasses import MISSING, dataclass, field, fields

from .._edge.values import NON_NEGATIVE, Schedulable, check_flag, show
from ..blocks.block import Block
from ..parts import (
    Additive,
    Adjustment,
    Frame,
    NormScaling,
    Pairing,
    Preconditioner,
    Scaling,
    Transform,
    Turns,
    Update,
)
from ..parts.coupling import Coupling
from ..parts.estimators import EMA, Estimator, HeavyBall, NoMomentum
from ..parts.geometries import Geometry
from ..parts.hosting import (
    check_estimate,
    keeps_state,
    name_of,
    needs_extras,
    reads_weights,
    refuse,
    shares_sums,
)
from ..parts.kronecker import LARGEST_SIDE_BYTES
from ..parts.mixed_norm import MixedNorm
from ..parts.part import Part, common_group
from .driver import Driver

_SLOTS: dict[str, tuple[type, ...]] = {
    "name": (str,),
    "geometry": (Geometry, MixedNorm),
    "estimator": (Estimator,),
    "frame": (Frame, type(None)),
    "preconditioner": (Preconditioner, type(None)),
    "scaling": (Scaling,),
    "output": (EMA, HeavyBall, type(None)),
    "update": (Update,),
    "coupling": (Coupling, type(None)),
    "turns": (Turns, type(None)),
    "pairing": (Pairing, type(None)),
    "driver": (Driver, type(None)),
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

    `degree`, `equivariance`, `matrix`, `requires` and `reads_weights` follow from the parts.

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
        if isinstance(self.lr, type):
            raise TypeError(
                f"lr must be a real number or a callable, got {self.lr!r}; call it: {self.lr.__name__}(...)"
            )
        NON_NEGATIVE.check_schedulable("lr", self.lr)
        for flag in ("output_takes_lr", "matrices_only"):
            check_flag(flag, getattr(self, flag))
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
        self._check_frame()
        self._check_sums()
        self._check_update()
        if self.driver is not None:
            self.driver.check(self)

    def _check_frame(self) -> None:
        """Raise if what is inside of the frame reads what it would see from outside."""
        if self.frame is None:
            return
        name = name_of(self.frame)
        if self.frame.needs_pairing and self.pairing is None:
            raise ValueError(f"{name} needs a recipe with a Pairing, which says whose weights it reads")
        for part in (self.preconditioner, *self._geometries):
            if part is not None:
                why = "inside it the coordinates are others"
                refuse(
                    f"{name} cannot stand round", part, reads_weights, needs_extras, shares_sums, because=why
                )
        if self.frame.withholds_first and getattr(self.turns, "every", None) == 1:
            raise ValueError(
                f"{name} withholds a block's first step, so that nothing moves where {name_of(self.turns)} gives each "
                "block turns of one step"
            )

    def _check_sums(self) -> None:
        """Raise if what shares sums over the blocks cannot have them."""
        sharing = [part for part in self.parts if part.shares]
        if not sharing:
            return
        first, *more = sharing
        for other in more:
            raise ValueError(
                f"{name_of(first)} and {name_of(other)} both share sums over the blocks; only one can"
            )
        if self.turns is not None:
            under = f"{name_of(self.turns)} cannot let blocks take turns under"
            refuse(under, first, shares_sums, because="they move alone")
        for transform in self.transforms:
            passes = f"gradients pass twice before {name_of(first)}, which shares sums over the blocks"
            refuse("there cannot be", transform, keeps_state, because=passes)

    def _check_update(self) -> None:
        """Raise if parts would ignore or miss what the estimator or the update does to the gradient."""
        if self.preconditioner is not None:
            check_estimate(self.preconditioner, self.estimator)
        if self.update.pulls_back:
            why = "it moves something else than the weights, by a gradient of its own"
            for part in (self.estimator, self.preconditioner):
                if part is not None:
                    refuse(
                        f"{name_of(self.update)} cannot serve", part, needs_extras, shares_sums, because=why
                    )
            if self.frame is not None:
                raise ValueError(f"{name_of(self.update)} cannot serve {name_of(self.frame)}: {why}")

    def __repr__(self) -> str:
        lines = [f"Recipe {self.name}, lr {show(self.lr)}"]
        for slot in fields(self)[2:]:
            value = getattr(self, slot.name)
            if value != (slot.default if slot.default_factory is MISSING else slot.default_factory()):
                text = ", ".join(map(str, value)) if isinstance(value, tuple | list) else str(value)
                lines.append(f"  {slot.name:<14} {text}")
        return "\n".join(lines)

    def geometry_of(self, block: str) -> Geometry:
        """Return the geometry of the block of this name."""
        return self.geometry.geometries[block] if isinstance(self.geometry, MixedNorm) else self.geometry

    def matrix_of(self, block: str) -> bool:
        """Return whether a part of the block of this name sees it as a matrix."""
        if isinstance(self.geometry, MixedNorm) and block not in self.geometry.geometries:
            return False  # refused for its name
        return any(part.matrix for part in self._with(self.geometry_of(block)))

    @property
    def block_coupling(self) -> Coupling | None:
        """The coupling of the blocks: its own, or that of its mixed norm; None where they are alone."""
        return self.geometry.coupling if isinstance(self.geometry, MixedNorm) else self.coupling

    @property
    def _geometries(self) -> tuple[Geometry, ...]:
        if isinstance(self.geometry, MixedNorm):
            return tuple(self.geometry.geometries.values())
        return (self.geometry,)

    @property
    def parts(self) -> tuple[Part, ...]:
        """All parts, in the order in which a step passes through them."""
        return self._with(*self._geometries)

    @property
    def matrix(self) -> bool:
        """Whether it sees blocks as matrices, so that those of more than two dimensions need a view."""
        return any(part.matrix for part in self.parts)

    def long_side(self, block: Block) -> tuple[str, int, int] | None:
        """Return the first side of a block whose square matrices take too much memory: name, length and bytes of one.

        None where there is none.
        """
        rows, cols = block.fans
        itemsize = block.array.dtype.itemsize
        if max(rows, cols) ** 2 * itemsize <= LARGEST_SIDE_BYTES:  # most blocks: no part need be asked
            return None
        for part in self._with(self.geometry_of(block.owner)):
            for side, k in part.uncapped_sides(rows, cols):
                size = k * k * itemsize
                if size > LARGEST_SIDE_BYTES:
                    return side, k, size
        return None

    def _with(self, *geometries: Geometry) -> tuple[Part, ...]:
        """Return the parts with these geometries."""
        slots = [
            *self.transforms,
            self.estimator,
            self.frame,
            self.preconditioner,
            *geometries,
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
        gradient = degree
        degree = self.estimator.degree(gradient)
        if self.preconditioner is not None:
            degree = self.preconditioner.degree(degree, gradient)
        # Adjustments act on the direction at its length by the rule; the scaling says what is left of the length.
        by_rule = 0 if self.scaling.rule == "ball" else degree
        adjusted = by_rule
        for adjustment in self.adjustments:
            adjusted = adjustment.degree(by_rule if adjustment.of_oracle else adjusted)
        scaled = self.scaling.degree(degree)
        if adjusted is None or scaled is None or by_rule is None:
            return None
        return self.update.degree(adjusted + scaled - by_rule)

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
        whole = inside if self.frame is None else self.frame.equivariance_round(inside)
        around = [transform.equivariance for transform in self.transforms]
        around += [adjustment.equivariance for adjustment in self.adjustments]
        return common_group(whole, *around, self.update.equivariance)

    def signature(self) -> str:
        """Return the kinds of the parts that keep state: what a saved state must agree with."""
        kept = [part for part in self.parts if not isinstance(part, Geometry | Scaling)]
        if not self.update.keeps_state:
            kept.remove(self.update)
        return " > ".join([self.name, *(type(part).__name__ for part in kept)])
