"""Step lengths that follow from the distance travelled."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ..._edge import _core
from ..._edge.arguments import checked
from ..._edge.values import MOMENTUM, NON_NEGATIVE, POSITIVE, Domain, check_count
from ..part import Lowering
from .metric import Preconditioner, quotient

GROWTH = Domain("at least 1", lambda x: x >= 1)


@checked
@dataclass(frozen=True)
class DistanceEstimate(Preconditioner):
    r"""Adam's metric with an estimate d of the distance to a solution in the place of the lr (Prodigy).

    One d for all blocks of the recipe. With :math:`\gamma = d\,\eta`, the old d in all but the last line, and the inner
    product and the norm over all blocks,

    .. math::
       r &\leftarrow \beta_3 r + \tfrac{d}{d_0}\gamma\langle G, W_0 - W\rangle, \qquad
       s \leftarrow \beta_3 s + \tfrac{d}{d_0}\gamma G, \\
       M &\leftarrow \beta_1 M + (1-\beta_1)\,d\,G, \qquad V \leftarrow \beta_2 V + (1-\beta_2)\,d^2 G^2, \\
       \hat d &= \text{coefficient}\cdot r / \|s\|_1, \qquad
       d \leftarrow \min(\max(d, \hat d_1, \dots, \hat d_t), \text{growth}\cdot d), \\
       W &\leftarrow W - \gamma M/(\sqrt V + d\,\epsilon).

    It keeps the average M itself, so that it stands behind `schattor.estimators.NoMomentum`. At :math:`\beta_1 = 0`
    there is none, and :math:`d\,G` with the new d takes its place. Decay follows :math:`\gamma`.

    Parameters
    ----------
    beta1, beta2 : float
    beta3 : float, optional
        Default: the root of `beta2`.
    eps : float
    start : float
        :math:`d_0`.
    coefficient : float
        0 keeps d at :math:`d_0`.
    growth : float
        At least 1.
    debias : bool
        :math:`\gamma` times :math:`\sqrt{1-\beta_2^t}/(1-\beta_1^t)`.
    warmup : bool
        s takes :math:`d\,G`, so that an lr that rises does not raise the estimate.
    every : int
        s and :math:`W_0` are kept for every so many entries of a block, in storage order.

    Raises
    ------
    ValueError
        For values outside their ranges.

    Notes
    -----
    Mishchenko and Defazio, arXiv 2306.06101. r and d are numbers of double precision.
    """

    beta1: float = 0.9
    beta2: float = 0.999
    beta3: float | None = None
    eps: float = 1e-8
    start: float = 1e-6
    coefficient: float = 1.0
    growth: float = math.inf
    debias: bool = False
    warmup: bool = False
    every: int = 1

    def __post_init__(self) -> None:
        for name in ("beta1", "beta2"):
            MOMENTUM.check(name, getattr(self, name))
        if self.beta3 is not None:
            MOMENTUM.check("beta3", self.beta3)
        NON_NEGATIVE.check("eps", self.eps)
        POSITIVE.check("start", self.start)
        NON_NEGATIVE.check("coefficient", self.coefficient)
        GROWTH.check("growth", self.growth)
        check_count("every", self.every, least=1)

    equivariance = "entries"

    def degree(self, incoming: float | None, gradient: float | None) -> float | None:
        """Return zero, and without an average of its own the difference of the two."""
        return 0 if self.beta1 > 0 else quotient(incoming, gradient)

    @property
    def reads_estimate(self) -> bool:
        """Whether it keeps no average itself."""
        return self.beta1 == 0

    def lower(self, into: Lowering) -> _core.Preconditioner:
        """Return the core's part."""
        beta3 = math.sqrt(self.beta2) if self.beta3 is None else self.beta3
        return _core.DistanceEstimate(
            beta1=float(self.beta1),
            beta2=float(self.beta2),
            beta3=float(beta3),
            eps=float(self.eps),
            start=float(self.start),
            coefficient=float(self.coefficient),
            growth=float(self.growth),
            debias=self.debias,
            warmup=self.warmup,
            every=self.every,
        )
