"""Metrics with a matrix for a side."""

from __future__ import annotations

from dataclasses import dataclass

from ..._edge import _core
from ..._edge.arguments import checked
from ..._edge.values import FRACTION, MOMENTUM, NON_NEGATIVE, Schedulable, check_count
from ..kronecker import check_largest, named_sides
from ..part import Lowering
from .metric import Preconditioner, quotient


@checked
@dataclass(frozen=True)
class KroneckerRoots(Preconditioner):
    r"""Shampoo's metric, :math:`P(M) = L^{-1/4} M R^{-1/4}`, and :math:`L^{-1/2} m` for a vector.

    :math:`L \leftarrow \beta L + (1-\beta) GG^\top`, R likewise with :math:`G^\top G`, from zero; sums at
    :math:`\beta = 1`. The roots are those of the debiased averages plus `eps` I, by eigenvalues in double precision.
    Eigenvalues below the rounding errors of the block's dtype count as that large, and at `eps` 0 as zero.

    Attributes
    ----------
    beta : float or callable
        In [0, 1].
    eps : float or callable
    frequency : int
        The roots are computed in step `start`, counted from 1, and then in every step that is a multiple of this.
    start : int
        Before it, P(M) = M.
    largest : int, optional
        A side of more rows or columns has the identity; the power of the other one is -1/2 then.
    """

    beta: Schedulable = 1.0
    eps: Schedulable = 1e-12
    frequency: int = 1
    start: int = 1
    largest: int | None = None

    def __post_init__(self) -> None:
        FRACTION.check_schedulable("beta", self.beta)
        NON_NEGATIVE.check_schedulable("eps", self.eps)
        check_count("frequency", self.frequency, least=1)
        check_count("start", self.start, least=1)
        check_largest(self.largest)

    def sides(self, rows: int, cols: int) -> tuple[bool, bool]:
        """Return whether the left and the right side of a block of this shape have a matrix."""
        left, right = (rows >= cols, rows < cols) if 1 in (rows, cols) else (True, True)
        largest = max(rows, cols) if self.largest is None else self.largest
        return left and rows <= largest, right and cols <= largest

    def uncapped_sides(self, rows: int, cols: int) -> tuple[tuple[str, int], ...]:
        """Return those that have a matrix."""
        return named_sides(rows, cols, *self.sides(rows, cols)) if self.largest is None else ()

    def degree(self, incoming: float | None, gradient: float | None) -> float | None:
        """Return the difference of the two; none where the first steps have no roots, or a block may have none."""
        return None if self.start > 1 or self.largest is not None else quotient(incoming, gradient)

    @property
    def equivariance(self) -> str:
        """``"orthogonal"``."""
        return "orthogonal"

    def lower(self, into: Lowering) -> _core.Preconditioner:
        """Return the core's part."""
        beta, eps = into.value("beta", FRACTION, self.beta), into.value("eps", NON_NEGATIVE, self.eps)
        return _core.KroneckerRoots(
            beta=beta, eps=eps, start=self.start, frequency=self.frequency, largest=self.largest
        )


@checked
@dataclass(frozen=True)
class KroneckerInverses(Preconditioner):
    r"""K-FAC's metric, :math:`P(M) = (C + \sqrt\lambda/\pi\, I)^{-1} M (A + \pi\sqrt\lambda\, I)^{-1}`.

    A is the debiased average of :math:`aa^\top` over the activations, C that of :math:`\delta\delta^\top` over the
    deltas, :math:`\lambda` the damping and :math:`\pi^2 = (\mathrm{tr}A/n)/(\mathrm{tr}\,C/m)`, one where a trace is
    zero.

    Attributes
    ----------
    beta : float or callable
        Rate of the averages.
    damping : float or callable
        At zero the inverses are pseudo-inverses.
    frequency : int
        The inverses are computed in the first step and in steps that are multiples of this.
    largest : int, optional
        A side of more rows or columns has the identity, and :math:`\pi = 1`.
    """

    beta: Schedulable = 0.95
    damping: Schedulable = 1e-3
    frequency: int = 5
    largest: int | None = None

    def __post_init__(self) -> None:
        MOMENTUM.check_schedulable("beta", self.beta)
        NON_NEGATIVE.check_schedulable("damping", self.damping)
        check_count("frequency", self.frequency, least=1)
        check_largest(self.largest)

    def uncapped_sides(self, rows: int, cols: int) -> tuple[tuple[str, int], ...]:
        """Return both."""
        return named_sides(rows, cols, True, True) if self.largest is None else ()

    def degree(self, incoming: float | None, gradient: float | None) -> float | None:
        """Return two less than that of the estimate: deltas follow the scale of the loss, activations do not.

        None with a cap.
        """
        return None if incoming is None or self.largest is not None else incoming - 2

    @property
    def equivariance(self) -> str:
        """``"orthogonal"``."""
        return "orthogonal"

    def lower(self, into: Lowering) -> _core.Preconditioner:
        """Return the core's part."""
        beta = into.value("beta", MOMENTUM, self.beta)
        return _core.KroneckerInverses(
            beta=beta,
            damping=into.value("damping", NON_NEGATIVE, self.damping),
            frequency=self.frequency,
            largest=self.largest,
        )
