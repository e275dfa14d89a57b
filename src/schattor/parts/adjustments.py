"""What acts on the direction after the oracle."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from .._edge import _core
from .._edge.arguments import checked
from .._edge.values import MOMENTUM, NON_NEGATIVE, POSITIVE, Schedulable
from .lines import GROUP_OF, is_columns
from .part import Lowering, Part, common_group


class Adjustment(Part, ABC):
    """Maps the direction after the oracle, at its length by the rule of the scaling."""

    of_oracle: ClassVar[bool] = False
    """Whether the result has the length of the oracle's direction, whatever stood in between."""

    @abstractmethod
    def degree(self, incoming: float | None) -> float | None:
        """Return the degree of the result in the scale of all gradients, given that of the direction."""

    @abstractmethod
    def lower(self, into: Lowering) -> _core.Adjustment:
        """Return the core's part."""


@checked
@dataclass(frozen=True)
class LineNormalization(Adjustment):
    r"""Lines of the direction divided by :math:`\sqrt{\|\cdot\|^2 + \epsilon}`, for one kind of line after the other.

    `order` holds ``"row"`` and ``"col"`` in the order in which they are normalised. Source: Muon+, arXiv 2602.21545.
    """

    matrix = True

    order: tuple[str, ...] = ("col",)
    eps: float = 1e-7

    def __post_init__(self) -> None:
        if not set(self.order) <= {"row", "col"}:
            raise ValueError(f"order must hold 'row' and 'col' only, got {self.order!r}")
        NON_NEGATIVE.check("eps", self.eps)

    def degree(self, incoming: float | None) -> float | None:
        """Return zero, unless nothing is normalised."""
        return 0 if self.order else incoming

    @property
    def equivariance(self) -> str:
        """Rotations along the lines that keep their lengths, and signed permutations of the lines."""
        return common_group("orthogonal", *(GROUP_OF[name] for name in self.order))

    def lower(self, into: Lowering) -> _core.Adjustment:
        """Return the core's part."""
        columns = [(name == "col") != into.transposed for name in self.order]
        return _core.LineNormalization(columns=columns, eps=self.eps)


@checked
@dataclass(frozen=True)
class RowMoment(Adjustment):
    r"""NorMuon's second moment of each row, of directions by the ball rule.

    .. math:: v_i \leftarrow \beta v_i + (1-\beta)\,\tfrac1n\textstyle\sum_j D_{ij}^2, \qquad
              D_{ij} \leftarrow D_{ij} / (\sqrt{v_i} + \epsilon)

    with v = 0 at first, and zero over zero as zero. Source: arXiv 2510.05491.
    """

    matrix = True

    beta: Schedulable = 0.95
    eps: float = 1e-10

    def __post_init__(self) -> None:
        MOMENTUM.check_schedulable("beta", self.beta)
        NON_NEGATIVE.check("eps", self.eps)

    def degree(self, incoming: float | None) -> float | None:
        """Return zero: the moment has the scale of the directions."""
        return 0

    @property
    def equivariance(self) -> str:
        """Signed permutations of rows, rotations of columns."""
        return "right"

    def lower(self, into: Lowering) -> _core.Adjustment:
        """Return the core's part."""
        beta = into.value("beta", MOMENTUM, self.beta)
        return _core.LineMoment(columns=is_columns("rows", into), beta=beta, eps=self.eps)


@checked
@dataclass(frozen=True)
class EntryMoment(Adjustment):
    r"""AdaMuon's second moment of each entry, of directions by the ball rule.

    .. math:: V \leftarrow \beta V + (1-\beta) D^2, \qquad D \leftarrow D / (\sqrt V + \epsilon)

    with V = 0 at first, and zero over zero as zero. Source: arXiv 2507.11005.
    """

    beta: Schedulable = 0.95
    eps: Schedulable = 1e-8

    def __post_init__(self) -> None:
        MOMENTUM.check_schedulable("beta", self.beta)
        NON_NEGATIVE.check_schedulable("eps", self.eps)

    def degree(self, incoming: float | None) -> float | None:
        """Return zero: the moment has the scale of the directions."""
        return 0

    @property
    def equivariance(self) -> str:
        """Signed permutations of the entries."""
        return "entries"

    def lower(self, into: Lowering) -> _core.Adjustment:
        """Return the core's part."""
        beta, eps = into.value("beta", MOMENTUM, self.beta), into.value("eps", NON_NEGATIVE, self.eps)
        return _core.EntryMoment(beta=beta, eps=eps)


@dataclass(frozen=True)
class OracleLength(Adjustment):
    """Give the direction the Frobenius norm that the oracle's had, before the adjustments in front of this one."""

    of_oracle: ClassVar[bool] = True

    def degree(self, incoming: float | None) -> float | None:
        """Return that of the oracle's direction."""
        return incoming

    def lower(self, into: Lowering) -> _core.Adjustment:
        """Return the core's part."""
        return _core.OracleLength()


@checked
@dataclass(frozen=True)
class RootMeanSquare(Adjustment):
    """Give the entries of the direction this root mean square."""

    value: float = 0.2

    def __post_init__(self) -> None:
        POSITIVE.check("value", self.value)

    def degree(self, incoming: float | None) -> float | None:
        """Return zero."""
        return 0

    def lower(self, into: Lowering) -> _core.Adjustment:
        """Return the core's part."""
        return _core.RootMeanSquare(self.value)


@checked
@dataclass(frozen=True)
class TrustRatio(Adjustment):
    r"""Give the direction the length :math:`c \min(\|W\|_F, \text{limit})`, c being `coefficient`.

    Where W or the direction is zero, the direction stays. Source: arXiv 1708.03888 (LARS), 1904.00962 (LAMB).
    """

    coefficient: Schedulable = 1.0
    limit: float = math.inf

    def __post_init__(self) -> None:
        NON_NEGATIVE.check_schedulable("coefficient", self.coefficient)
        if self.limit != math.inf:
            POSITIVE.check("limit", self.limit)

    def degree(self, incoming: float | None) -> float | None:
        """Return zero."""
        return 0

    def lower(self, into: Lowering) -> _core.Adjustment:
        """Return the core's part."""
        return _core.TrustRatio(
            coefficient=into.value("coefficient", NON_NEGATIVE, self.coefficient), limit=self.limit
        )


@checked
@dataclass(frozen=True)
class DecayInDirection(Adjustment):
    """Add weight decay to the direction, ``D - weight_decay * W``, so that adjustments after it see both (LAMB)."""

    weight_decay: Schedulable

    def __post_init__(self) -> None:
        NON_NEGATIVE.check_schedulable("weight_decay", self.weight_decay)

    def degree(self, incoming: float | None) -> float | None:
        """Return that of the direction, decay aside."""
        return incoming

    def lower(self, into: Lowering) -> _core.Adjustment:
        """Return the core's part."""
        return _core.DecayInDirection(into.value("weight_decay", NON_NEGATIVE, self.weight_decay))
