"""Length and direction of each line as parameters of their own."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ..._edge import _core
from ..._edge.arguments import checked
from ..._edge.values import NON_NEGATIVE, Schedulable, show
from ..estimators import Estimator
from ..hosting import check_estimate, needs_extras, refuse, shares_sums
from ..lines import is_columns
from ..metrics import Preconditioner
from ..part import Lowering
from .update import Update


@checked
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
        for part in self.children():
            refuse("WeightNormalized cannot hold", part, shares_sums)
            why = "for lengths of rows it is not given"
            refuse("WeightNormalized cannot hold", part, needs_extras, because=why)
        check_estimate(self.preconditioner, self.estimator)
        NON_NEGATIVE.check_schedulable("weight_decay", self.weight_decay)

    @property
    def pulls_back(self) -> bool:
        """True: to v."""
        return True

    def degree(self, incoming: float | None) -> float | None:
        """Return zero if both steps have that, else none."""
        of_lengths = self.preconditioner.degree(self.estimator.degree(1), 1)
        return 0 if incoming == 0 and of_lengths == 0 else None

    @property
    def equivariance(self) -> str:
        """Signed permutations of rows, rotations of columns."""
        return "right"

    def lower(self, into: Lowering) -> _core.Update:
        """Return the core's part."""
        of_lengths = replace(into, fans=(into.fans[0], 1), transposed=False, left=None)
        return _core.WeightNormalized(
            columns=is_columns("rows", into),
            estimator=self.estimator.lower(of_lengths),
            preconditioner=self.preconditioner.lower(of_lengths),
            weight_decay=into.value("weight_decay", NON_NEGATIVE, self.weight_decay),
        )

    def __str__(self) -> str:
        return f"weight-normalized, {show(self.weight_decay)}"
