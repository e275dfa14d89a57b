"""Parts that act on rows, on whole layers, or on the shape of the weights themselves."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .. import _core
from .._arrays import FloatArray
from ..estimators import Estimator
from ..part import Lowering, common_group
from ..values import MOMENTUM, NON_NEGATIVE, POSITIVE, Schedulable, position, show
from .adjustments import Adjustment
from .preconditioners import Preconditioner
from .updates import Update

LINES = ("rows", "columns")


def _is_columns(lines: str, into: Lowering) -> bool:
    """Return whether these lines of the (out, in) matrix are columns of the array as it is stored."""
    return (lines == "columns") != into.transposed


@dataclass(frozen=True)
class RowMoment(Adjustment):
    r"""NorMuon's second moment of each row, of directions by the ball rule.

    .. math:: v_i \leftarrow \beta v_i + (1-\beta)\,\tfrac1n\textstyle\sum_j D_{ij}^2, \qquad
              D_{ij} \leftarrow D_{ij} / (\sqrt{v_i} + \epsilon)

    with v = 0 at first, and zero over zero as zero. Source: arXiv 2510.05491.
    """

    beta: Schedulable = 0.95
    eps: float = 1e-10

    def __post_init__(self) -> None:
        MOMENTUM.check_schedulable("beta", self.beta)
        NON_NEGATIVE.check("eps", self.eps)

    @property
    def has_unit(self) -> bool:
        """False: eps has that of the directions."""
        return False

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
        return _core.LineMoment(columns=_is_columns("rows", into), beta=beta, eps=self.eps)


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

    @property
    def has_unit(self) -> bool:
        """False: eps has that of the directions."""
        return False

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


class _Rescaled(Adjustment):
    """Changes the length of the direction alone."""

    @property
    def equivariance(self) -> str:
        """All rotations."""
        return "rotations"


@dataclass(frozen=True)
class OracleLength(_Rescaled):
    """Give the direction the Frobenius norm that the oracle's had, before the adjustments in front of this one."""

    def degree(self, incoming: float | None) -> float | None:
        """Return that of the direction: the ball rule's has degree zero before and after."""
        return incoming

    def lower(self, into: Lowering) -> _core.Adjustment:
        """Return the core's part."""
        return _core.OracleLength()


@dataclass(frozen=True)
class RootMeanSquare(_Rescaled):
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


@dataclass(frozen=True)
class TrustRatio(_Rescaled):
    r"""Give the direction the length :math:`c \min(\|W\|_F, \text{limit})`, c being `coefficient`.

    Where W or the direction is zero, the direction stays. Source: arXiv 1708.03888 (LARS), 1904.00962 (LAMB).
    """

    coefficient: Schedulable = 1.0
    limit: float = math.inf

    def __post_init__(self) -> None:
        NON_NEGATIVE.check_schedulable("coefficient", self.coefficient)
        if self.limit != math.inf:
            POSITIVE.check("limit", self.limit)

    @property
    def reads_weights(self) -> bool:
        """True: their norm."""
        return True

    def degree(self, incoming: float | None) -> float | None:
        """Return zero."""
        return 0

    def lower(self, into: Lowering) -> _core.Adjustment:
        """Return the core's part."""
        return _core.TrustRatio(
            coefficient=into.value("coefficient", NON_NEGATIVE, self.coefficient), limit=self.limit
        )


@dataclass(frozen=True)
class DecayInDirection(Adjustment):
    """Add weight decay to the direction, ``D - weight_decay * W``, so that adjustments after it see both (LAMB)."""

    weight_decay: Schedulable

    def __post_init__(self) -> None:
        NON_NEGATIVE.check_schedulable("weight_decay", self.weight_decay)

    @property
    def reads_weights(self) -> bool:
        """True."""
        return True

    def degree(self, incoming: float | None) -> float | None:
        """Return that of the direction, decay aside."""
        return incoming

    @property
    def equivariance(self) -> str:
        """All rotations."""
        return "rotations"

    def lower(self, into: Lowering) -> _core.Adjustment:
        """Return the core's part."""
        return _core.DecayInDirection(into.value("weight_decay", NON_NEGATIVE, self.weight_decay))


@dataclass(frozen=True)
class Signs(Preconditioner):
    """The sign of every entry of the estimate, zero at zero."""

    @property
    def has_unit(self) -> bool:
        """False."""
        return False

    def lower(self, into: Lowering) -> _core.Preconditioner:
        """Return the core's part."""
        return _core.Signs()


@dataclass(frozen=True)
class TangentProjection(Preconditioner):
    r"""Mano's projection onto the tangent space of lines of fixed length.

    .. math:: M_i \leftarrow M_i - \langle M_i, P_i\rangle P_i, \qquad P_i = W_i / \|W_i\|

    for each line i, a row or a column: `choice` maps the global step to a position in `lines`. A zero line of W leaves
    that of M. Source: arXiv 2601.23000.
    """

    choice: Callable[[int], int]
    lines: tuple[str, ...] = ("columns", "rows")

    def __post_init__(self) -> None:
        for lines in self.lines:
            if lines not in LINES:
                raise ValueError(f"lines must be 'rows' or 'columns', got {lines!r}")

    @property
    def reads_weights(self) -> bool:
        """True."""
        return True

    @property
    def has_unit(self) -> bool:
        """False."""
        return False

    @property
    def degree(self) -> int | None:
        """One."""
        return 1

    @property
    def equivariance(self) -> str:
        """Signed permutations of the lines, and rotations along them."""
        return common_group(*("right" if lines == "rows" else "left" for lines in self.lines))

    def lower(self, into: Lowering) -> _core.Preconditioner:
        """Return the core's part."""
        choice = into.value("choice of lines", position(len(self.lines)), self.choice)
        return _core.TangentProjection(
            choice=choice, columns=[_is_columns(lines, into) for lines in self.lines]
        )


@dataclass(frozen=True)
class Hyperball(Update):
    r"""Steps on the sphere of the first weights' Frobenius norm R.

    .. math:: W \leftarrow R\,\frac{W'}{\|W'\|_F}, \qquad W' = W + \eta R\,\frac{D}{\|D\|_F}

    with the lr :math:`\eta`; the length of the displacement D does not matter, and a zero one leaves W. Zero weights
    are refused. Source: arXiv 2606.16899.
    """

    @property
    def keeps_state(self) -> bool:
        """True: the radius."""
        return True

    @property
    def reads_weights(self) -> bool:
        """True."""
        return True

    @property
    def keeps_norm(self) -> bool:
        """True."""
        return True

    def degree(self, incoming: float | None) -> float | None:
        """Return zero."""
        return 0

    def check_weights(self, name: str, W: FloatArray) -> None:
        """Refuse zero weights."""
        if W.size and not np.any(W):
            raise ValueError(
                f"block {name!r} is zero: a step on the sphere of its norm needs weights that are not"
            )

    def lower(self, into: Lowering) -> _core.Update:
        """Return the core's part."""
        return _core.Hyperball()

    def __str__(self) -> str:
        return "hyperball"


@dataclass(frozen=True)
class WeightNormalized(Update):
    r"""Weight normalisation: rows :math:`W_i = g_i v_i / \|v_i\|`, of which the rest of the recipe moves v.

    .. math:: \nabla g_i = \langle G_i, u_i\rangle, \quad
              \nabla v_i = \frac{g_i}{\|v_i\|}(G_i - \nabla g_i\,u_i), \quad u_i = v_i / \|v_i\|

    The estimator of the recipe gets :math:`\nabla v` in the place of the gradient. Here, `estimator` and
    `preconditioner` make the step of g out of :math:`\nabla g`; g alone decays, after its step. At first g and
    :math:`\|v\|` are the lengths of the rows. Both stay at or above 1e-12 in magnitude: so a zero row can leave zero,
    and no row loses its direction. Source: arXiv 2605.10797; arXiv 1602.07868.
    """

    estimator: Estimator
    preconditioner: Preconditioner
    weight_decay: Schedulable = 0.0

    def __post_init__(self) -> None:
        NON_NEGATIVE.check_schedulable("weight_decay", self.weight_decay)

    @property
    def keeps_state(self) -> bool:
        """True: g, the lengths of v, and what its parts keep for g."""
        return True

    @property
    def reads_weights(self) -> bool:
        """True."""
        return True

    @property
    def has_unit(self) -> bool:
        """That of the step of g."""
        return self.estimator.has_unit or self.preconditioner.has_unit

    @property
    def equivariance(self) -> str:
        """Signed permutations of rows, rotations of columns."""
        return "right"

    def lower(self, into: Lowering) -> _core.Update:
        """Return the core's part."""
        return _core.WeightNormalized(
            columns=_is_columns("rows", into),
            estimator=self.estimator.lower(into),
            preconditioner=self.preconditioner.lower(into),
            weight_decay=into.value("weight_decay", NON_NEGATIVE, self.weight_decay),
        )

    def __str__(self) -> str:
        return f"weight-normalized, {show(self.weight_decay)}"
