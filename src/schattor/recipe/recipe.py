"""What a recipe is: an optimizer as the parts that it puts into the slots of the pipeline."""

from __future__ import annotations

from dataclasses import dataclass, field

from .._edge.values import NON_NEGATIVE, Schedulable
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
from ..parts.kronecker import LARGEST_SIDE_BYTES
from ..parts.mixed_norm import MixedNorm
from ..parts.part import Part, common_group
from .driver import Driver

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

    def check_block(self, block: Block) -> None:
        """Raise ValueError, which says what to write instead, for a block of a shape that it does not serve."""
        parts = self._with(self.geometry_of(block.owner))
        if any(part.matrix for part in parts):
            block.require_matrix(self.name)
        itemsize = block.array.dtype.itemsize
        for side, k in (side for part in parts for side in part.uncapped_sides(*block.fans)):
            size = k * k * itemsize
            if size > LARGEST_SIDE_BYTES:
                raise ValueError(
                    f"block {block.name!r} has shape {block.array.shape}: {self.name} would keep {k} x {k} matrices "
                    f"for its {side} side, {size / 2**30:.3g} GiB each; expected at most "
                    f"{LARGEST_SIDE_BYTES / 2**30:.3g} GiB. Leave out long sides, for example "
                    f"st.recipes.{self.name}(max_precond_dim=10000, ...), or route the block elsewhere"
                )

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
