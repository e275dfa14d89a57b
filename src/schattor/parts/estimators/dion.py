"""Momentum of low rank with error feedback."""

from __future__ import annotations

from dataclasses import dataclass

from ..._edge import _core
from ..._edge.arguments import checked
from ..._edge.values import FRACTION, MOMENTUM, NON_NEGATIVE, Schedulable, check_seed, show
from ..part import Lowering
from .estimator import Estimator


@checked
@dataclass(frozen=True)
class Dion(Estimator):
    r"""Low rank with error feedback: one warm-started power step on the momentum of Dion.

    .. math:: X = M_{t-1} + G_t, \quad P = \mathrm{orth}(X Q_{t-1}), \quad R = X^\top P, \quad
       M_t = X - (1-\mu) P R^\top, \quad Q_t = R\,\mathrm{diag}(\|R_j\| + \epsilon)^{-1},

    and the estimate is :math:`P Q_t^\top`: an approximate polar factor of rank r. A wide block is transposed first, so
    that Q has min(m, n) rows. What P does not see stays in M for later steps: :math:`M_T + (1-\mu)\sum_t P_t R_t^\top`
    is the sum of all gradients. At full rank :math:`P R^\top = X`.

    Parameters
    ----------
    momentum : float or callable
        :math:`\mu` in [0, 1).
    rank_fraction : float
        r is this share of min(m, n), rounded up, at least 1.
    eps : float or callable
    seed : int
        Of the Gaussian matrix that Q starts as; each block draws its own.

    Raises
    ------
    ValueError
        For values outside their ranges.

    Notes
    -----
    arXiv 2504.05295, Algorithm 1.

    Examples
    --------
    >>> run = st.estimators.Dion(0.95).start(like=np.zeros((2, 2)))
    >>> for _ in range(40):
    ...     estimate = run.update(np.diag([3.0, 1.0]))
    >>> estimate.round(6) + 0.0
    array([[1., 0.],
           [0., 1.]])
    """

    matrix = True

    momentum: Schedulable = 0.95
    rank_fraction: float = 1.0
    eps: Schedulable = 1e-8
    seed: int = 0

    def __post_init__(self) -> None:
        MOMENTUM.check_schedulable("momentum", self.momentum)
        FRACTION.check("rank_fraction", self.rank_fraction)
        NON_NEGATIVE.check_schedulable("eps", self.eps)
        check_seed("seed", self.seed)

    def lower(self, into: Lowering) -> _core.Estimator:
        """Return the core's part."""
        momentum = into.value("momentum", MOMENTUM, self.momentum)
        return _core.Dion(
            momentum=momentum,
            rank_fraction=self.rank_fraction,
            eps=into.value("eps", NON_NEGATIVE, self.eps),
            seed=self.seed,
        )

    def degree(self, incoming: float | None) -> float | None:
        """Return 0: the columns of P and Q have length one."""
        return 0

    @property
    def equivariance(self) -> str:
        """Return "mixed": rotations would have to turn the first Q as well."""
        return "mixed"

    @property
    def draws(self) -> bool:
        """Return True: the first Q."""
        return True

    def __str__(self) -> str:
        return f"Dion({show(self.momentum)}, {self.rank_fraction:g})"
