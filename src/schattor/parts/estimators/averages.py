"""Momentum in its two kinds, average and heavy ball, with their starts and Nesterov forms."""

from __future__ import annotations

from dataclasses import dataclass

from ..._edge import _core
from ..._edge.arguments import checked
from ..._edge.values import FRACTION, MOMENTUM, Schedulable, check_choice, show
from ..part import Lowering
from .estimator import Estimator


@checked
@dataclass(frozen=True)
class EMA(Estimator):
    r"""Exponential moving average of the gradients, the paper's momentum with :math:`\theta = 1 - \beta`.

    .. math:: M_t = \beta M_{t-1} + (1-\beta) G_t.

    The Nesterov form uses :math:`(1-\beta) G_t + \beta M_t`. It is not the heavy ball (`HeavyBall`): from a buffer
    at zero the average is :math:`1-\beta` times that sum, which changes steps whose length follows the gradient.

    Parameters
    ----------
    momentum : float or callable
        :math:`\beta` in [0, 1).
    init : {"first", "zero", "debiased"}
        ``"first"``: :math:`M_0 = G_0`, used as it is in the first step. ``"zero"``: the buffer starts at zero and the
        first step uses :math:`(1-\beta) G_0`. ``"debiased"``: as zero, with the estimate divided by
        :math:`1-\beta^t` (Adam).
    nesterov : bool
        With ``"debiased"``: :math:`(1-\beta) G_t/(1-\beta^t) + \beta M_t/(1-\beta^{t+1})` (NAdam, optax).

    Raises
    ------
    ValueError
        For a momentum outside [0, 1) or an unknown start.

    Notes
    -----
    arXiv 2606.15702, momentum estimator of Algorithms 1-4.

    Examples
    --------
    >>> run = st.estimators.EMA(0.5).start(like=np.zeros(1))
    >>> [float(run.update(np.array([g]))[0]) for g in (4.0, 0.0, 0.0)]
    [4.0, 2.0, 1.0]
    """

    momentum: Schedulable = 0.9
    init: str = "first"
    nesterov: bool = False

    def __post_init__(self) -> None:
        MOMENTUM.check_schedulable("momentum", self.momentum)
        check_choice("init", self.init, ("first", "zero", "debiased"))
        self.lower(Lowering())

    @property
    def averages_from_zero(self) -> bool:
        """Whether the buffer starts at zero."""
        return self.init == "zero"

    def lower(self, into: Lowering) -> _core.Estimator:
        """Return the core's part."""
        return _core.Ema(
            momentum=into.value("momentum", MOMENTUM, self.momentum), init=self.init, nesterov=self.nesterov
        )

    def __str__(self) -> str:
        return f"EMA({show(self.momentum)}, {self.init}{', nesterov' if self.nesterov else ''})"


@checked
@dataclass(frozen=True)
class DoubleEMA(Estimator):
    r"""Two averages of the gradient over one buffer, the estimate of Lion.

    .. math:: \hat G_t = \beta_1 M_{t-1} + (1-\beta_1) G_t, \qquad M_t = \beta_2 M_{t-1} + (1-\beta_2) G_t, \qquad
       M_0 = 0.

    Parameters
    ----------
    near, far : float or callable
        :math:`\beta_1` of the estimate and :math:`\beta_2` of the buffer, in [0, 1). Equal ones give `EMA` from zero.

    Raises
    ------
    ValueError
        For values outside [0, 1).

    Notes
    -----
    arXiv 2302.06675.

    Examples
    --------
    >>> run = st.estimators.DoubleEMA(0.5, 0.75).start(like=np.zeros(1))
    >>> [float(run.update(np.array([g]))[0]) for g in (4.0, 4.0, 0.0)]
    [2.0, 2.5, 0.875]
    """

    near: Schedulable = 0.9
    far: Schedulable = 0.99

    def __post_init__(self) -> None:
        MOMENTUM.check_schedulable("near", self.near)
        MOMENTUM.check_schedulable("far", self.far)

    @property
    def averages_from_zero(self) -> bool:
        """True."""
        return True

    def lower(self, into: Lowering) -> _core.Estimator:
        """Return the core's part."""
        return _core.DoubleEma(
            near=into.value("near", MOMENTUM, self.near), far=into.value("far", MOMENTUM, self.far)
        )

    def __str__(self) -> str:
        return f"DoubleEMA({show(self.near)}, {show(self.far)})"


@checked
@dataclass(frozen=True)
class HeavyBall(Estimator):
    r"""Decaying sum of the gradients, the momentum of ``torch.optim.SGD``.

    .. math:: B_t = \beta B_{t-1} + (1-\text{dampening})\, G_t.

    The Nesterov form uses :math:`G_t + \beta B_t`.

    Parameters
    ----------
    momentum : float or callable
        :math:`\beta` in [0, 1).
    dampening : float or callable
        In [0, 1].
    init : {"first", "zero"}
        ``"first"``: the first buffer is :math:`G_0`, without dampening. ``"zero"``: the buffer starts at zero.
    nesterov : bool

    Raises
    ------
    ValueError
        For values outside their ranges or an unknown start.

    Notes
    -----
    Polyak (1964), in the form of ``torch.optim.SGD``.

    Examples
    --------
    >>> run = st.estimators.HeavyBall(0.5).start(like=np.zeros(1))
    >>> [float(run.update(np.array([g]))[0]) for g in (4.0, 4.0, 0.0)]
    [4.0, 6.0, 3.0]
    """

    momentum: Schedulable = 0.9
    dampening: Schedulable = 0.0
    init: str = "first"
    nesterov: bool = False

    def __post_init__(self) -> None:
        MOMENTUM.check_schedulable("momentum", self.momentum)
        FRACTION.check_schedulable("dampening", self.dampening)
        check_choice("init", self.init, ("first", "zero"))
        self.lower(Lowering())

    def lower(self, into: Lowering) -> _core.Estimator:
        """Return the core's part."""
        return _core.HeavyBall(
            momentum=into.value("momentum", MOMENTUM, self.momentum),
            dampening=into.value("dampening", FRACTION, self.dampening),
            init=self.init,
            nesterov=self.nesterov,
        )

    def __str__(self) -> str:
        return f"HeavyBall({show(self.momentum)}, {self.init}{', nesterov' if self.nesterov else ''})"
