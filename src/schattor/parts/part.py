"""What all parts of the pipeline have in common, and what they may know of the block that they are made for."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from .._edge import _core
from .._edge.values import Domain, Schedules

if TYPE_CHECKING:
    from .._edge.backends import Backend

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


def common_degree(*degrees: float | None) -> float | None:
    """Return the degree that all of these are; None where they differ."""
    return degrees[0] if len(set(degrees)) == 1 else None


class _Facts(NamedTuple):
    requires: frozenset[str]
    reads_weights: bool
    keeps_state: bool
    shares: tuple[str, ...]


class Part(ABC):
    """A step of the pipeline, as a frozen specification.

    A part may hold parts. What is asked of a part here is asked of those, too; it says something else only where that
    is not the whole answer.
    """

    def __repr__(self) -> str:  # of one that is no dataclass
        return f"{type(self).__name__}()"

    per_block: ClassVar[bool] = False
    """Whether each block needs one of its own in the core."""

    def children(self) -> tuple[Part, ...]:
        """Return the parts that it holds: those among its fields, alone or in tuples."""
        values = [getattr(self, name) for name in getattr(self, "__dataclass_fields__", ())]
        held = [x for value in values for x in (value if isinstance(value, tuple) else (value,))]
        return tuple(x for x in held if isinstance(x, Part))

    def tree(self) -> Iterator[Part]:
        """Yield the part and all that it holds, at any depth."""
        yield self
        for child in self.children():
            yield from child.tree()

    @abstractmethod
    def lower(self, into: Lowering) -> _core._Part | _core.Division:
        """Return the core's part."""

    @cached_property
    def _facts(self) -> _Facts:
        """What the core says of it and of all that it holds."""
        part = self.lower(Lowering(fans=self.smallest))
        if isinstance(part, _core.Division):  # a formula
            return _Facts(frozenset(), False, False, ())
        return _Facts(part.requires, part.reads_weights, part.keeps_state, part.shares)

    @property
    def smallest(self) -> tuple[int, int]:
        """Fan-out and fan-in of the smallest block that it takes."""
        return 1, 1

    @property
    def requires(self) -> frozenset[str]:
        """Names of what `Optimizer.step` must be given beside the gradients."""
        # The core does not know what parts written in Python need.
        return self._facts.requires.union(*(child.requires for child in self.children()))

    @property
    def reads_weights(self) -> bool:
        """Whether what it does depends on the weights, weight decay beside the step aside."""
        return self._facts.reads_weights

    @property
    def matrix(self) -> bool:
        """Whether it sees the block as a matrix, so that a block of more than two dimensions needs a view.

        What commutes with signed permutations of all entries sees no rows and columns.
        """
        seen = self.equivariance not in ("rotations", "entries")
        return seen or any(child.matrix for child in self.children())

    def uncapped_sides(self, rows: int, cols: int) -> tuple[tuple[str, int], ...]:
        """Return the sides of a block of this shape of which it keeps square matrices, with their lengths.

        Without those that a cap decides on.
        """
        return tuple(side for child in self.children() for side in child.uncapped_sides(rows, cols))

    @property
    def keeps_state(self) -> bool:
        """Whether the core keeps arrays or numbers for it."""
        return self._facts.keeps_state

    @property
    def shares(self) -> tuple[str, ...]:
        """Names of the numbers in the state that are the same for all blocks of the recipe."""
        return self._facts.shares

    @property
    def draws(self) -> bool:
        """Whether it draws random numbers, which the names of the blocks tell apart."""
        return any(child.draws for child in self.children())

    @property
    def needs_average(self) -> bool:
        """Whether the estimate must be an average that starts at zero."""
        return any(child.needs_average for child in self.children())

    @property
    def equivariance(self) -> str:
        """The group that commutes with it, jointly with the weights, decay aside; see `schattor.Geometry`."""
        return common_group("rotations", *(child.equivariance for child in self.children()))

    @property
    def homogeneous(self) -> bool:
        """Whether it has no unit of its own, such as a threshold, in which gradients are measured.

        An eps is none: it is there for gradients that are nearly zero.
        """
        return all(child.homogeneous for child in self.children())


@dataclass(frozen=True)
class Lowering:
    """What a part may know when it is handed to the core for one block.

    Attributes
    ----------
    schedules : Schedules
        Takes in hyperparameters that are callables.
    recipe : str
        Name of the recipe, for errors; empty outside of an optimizer.
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
    recipe: str = ""
    fans: tuple[int, int] = (1, 1)
    transposed: bool = False
    left: bool | None = None
    backend: Backend = "auto"
    rtol: float | None = None
    block: str = ""
    failure: _core.Failure | None = None

    def value(
        self,
        what: str,
        domain: Domain,
        value: Any,
        convert: Callable[[str, Any], float] | None = None,
    ) -> _core.Value:
        """Return the core's value of a number or callable, checked against `domain`.

        `convert` makes a number of what a callable returns, as of a name; it is given a text for its errors, too.
        """
        return self.schedules.value(
            f"{what} of {self.recipe}" if self.recipe and callable(value) else what,
            domain,
            value,
            convert,
        )
