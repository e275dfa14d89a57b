"""What all parts of the pipeline have in common, and what they may know of the block that they are made for."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .._edge.values import Domain, Schedulable, Schedules

if TYPE_CHECKING:
    from .._edge import _core
    from .._edge.backends import Backend
    from .geometries import Geometry

GROUPS = ("rotations", "orthogonal", "left", "right", "entries", "lines")


def common_group(*groups: str) -> str:
    """Return the largest named group inside all of these; see `schattor.Geometry.equivariance`.

    It is "mixed" where one of them is: no named group.
    """
    distinct = set(groups)
    if "mixed" in distinct:
        return "mixed"
    of_lines = distinct & {"orthogonal", "left", "right"}
    if {"left", "right"} <= distinct or ("entries" in distinct and of_lines):
        return "lines"
    return max(groups, key=GROUPS.index)


class Part:
    """A step of the pipeline, as a frozen specification."""

    def __repr__(self) -> str:  # of one that is no dataclass
        return f"{type(self).__name__}()"

    @property
    def requires(self) -> frozenset[str]:
        """Names of what `Optimizer.step` must be given beside the gradients."""
        return frozenset()

    @property
    def draws(self) -> bool:
        """Whether it draws random numbers, which the names of the blocks tell apart."""
        return False

    @property
    def has_unit(self) -> bool:
        """Whether a constant in it, such as an eps, has the unit of the gradients: it hides the degree of the steps."""
        return bool(getattr(self, "eps", 0))

    @property
    def reads_weights(self) -> bool:
        """Whether what it does depends on the weights, weight decay beside the step aside."""
        return False

    @property
    def matrix(self) -> bool:
        """Whether it sees the block as a matrix, so that a block of more than two dimensions needs a view.

        What commutes with signed permutations of all entries sees no rows and columns.
        """
        return getattr(self, "equivariance", "entries") not in ("rotations", "entries")

    def uncapped_sides(self, rows: int, cols: int) -> tuple[tuple[str, int], ...]:
        """Return the sides of a block of this shape of which it keeps square matrices, with their lengths.

        Without those that a cap decides on.
        """
        return ()

    @property
    def keeps_state(self) -> bool:
        """Whether the core keeps arrays or numbers for it."""
        return False

    def products(self, rows: int, cols: int) -> tuple[tuple[int, int, int], ...]:
        """Return the matrix products of every step on a block of this shape, as (p, q, r) for (p x q)(q x r).

        What the step of a recipe is measured against; an oracle counts by itself.
        """
        return ()

    def factorizations(self, rows: int, cols: int) -> tuple[tuple[int, int], ...]:
        """Return the QR factorisations of every step on a block of this shape, as (m, n) for m x n matrices."""
        return ()

    def eigendecompositions(self, rows: int, cols: int) -> tuple[int, ...]:
        """Return the orders of the symmetric matrices that a step on a block of this shape diagonalises, in double."""
        return ()

    @property
    def shares(self) -> tuple[str, ...]:
        """Names of the numbers in the state that are the same for all blocks of the recipe."""
        return ()

    @property
    def homogeneous(self) -> bool:
        """Whether it has no unit of its own, such as a threshold, in which gradients are measured."""
        return True

    def oracles(self, rows: int, cols: int) -> tuple[tuple[Geometry, int, int, int], ...]:
        """Return the oracles that it calls itself in a step on a block of this shape, as (geometry, p, q, times)."""
        return ()


@dataclass(frozen=True)
class Lowering:
    """What a part may know when it is handed to the core for one block.

    Attributes
    ----------
    schedules : Schedules
        Takes in hyperparameters that are callables.
    fans : pair of int
        Fan-out and fan-in of the block, seen the right way round.
    transposed : bool
        Whether the block is stored as the transpose of its (out, in) matrix.
    left : bool or None
        Whether the block is the left one of its pair; None where the recipe pairs no blocks.
    backend, rtol
        What the optimizer says for Schatten geometries; they override a geometry's own unless "auto" and None.
    block : str
        Its name, for errors; empty outside of an optimizer.
    failure : _core.Failure or None
        Takes the errors of parts written in Python during a step; None outside of an optimizer.
    """

    schedules: Schedules = field(default_factory=Schedules)
    fans: tuple[int, int] = (1, 1)
    transposed: bool = False
    left: bool | None = None
    backend: Backend = "auto"
    rtol: float | None = None
    block: str = ""
    failure: _core.Failure | None = None

    def value(self, what: str, domain: Domain, value: Schedulable) -> _core.Value:
        """Return the core's value of a number or callable, checked against `domain`."""
        return self.schedules.value(what, domain, value)
