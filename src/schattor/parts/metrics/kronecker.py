"""Metrics with a matrix for a side."""

from __future__ import annotations

from dataclasses import dataclass

from ..._edge import _core
from ..._edge.arguments import checked
from ..._edge.values import FRACTION, MOMENTUM, NON_NEGATIVE, Schedulable, check_count
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
    """

    matrix = True

    beta: Schedulable = 1.0
    eps: Schedulable = 1e-12
    frequency: int = 1
    start: int = 1

    def __post_init__(self) -> None:
        FRACTION.check_schedulable("beta", self.beta)
        NON_NEGATIVE.check_schedulable("eps", self.eps)
        check_count("frequency", self.frequency, least=1)
        check_count("start", self.start, least=1)

    def degree(self, incoming: float | None, gradient: float | None) -> float | None:
        """Return the difference of the two, but none where the first steps have no roots."""
        return None if self.start > 1 else quotient(incoming, gradient)

    @property
    def equivariance(self) -> str:
        """``"orthogonal"``."""
        return "orthogonal"

    def lower(self, into: Lowering) -> _core.Preconditioner:
        """Return the core's part."""
        beta, eps = into.value("beta", FRACTION, self.beta), into.value("eps", NON_NEGATIVE, self.eps)
        return _core.KroneckerRoots(beta=beta, eps=eps, start=self.start, frequency=self.frequency)


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
    """

    matrix = True

    beta: Schedulable = 0.95
    damping: Schedulable = 1e-3
    frequency: int = 5

    def __post_init__(self) -> None:
        MOMENTUM.check_schedulable("beta", self.beta)
        NON_NEGATIVE.check_schedulable("damping", self.damping)
        check_count("frequency", self.frequency, least=1)

    def degree(self, incoming: float | None, gradient: float | None) -> float | None:
        """Return two less than that of the estimate: deltas follow the scale of the loss, activations do not."""
        return None if incoming is None else incoming - 2

    @property
    def equivariance(self) -> str:
        """``"orthogonal"``."""
        return "orthogonal"

    def lower(self, into: Lowering) -> _core.Preconditioner:
        """Return the core's part."""
        beta = into.value("beta", MOMENTUM, self.beta)
        return _core.KroneckerInverses(
            beta=beta, damping=into.value("damping", NON_NEGATIVE, self.damping), frequency=self.frequency
        )
