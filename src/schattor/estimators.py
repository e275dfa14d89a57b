"""What stands for the gradient: momentum in its two kinds, with their starts and Nesterov forms."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from . import _core
from ._arrays import FLOATS, FloatArray, matrix_shape, prepare
from .part import Lowering, Part
from .values import FRACTION, MOMENTUM, NON_NEGATIVE, POSITIVE, Schedulable, show

__all__ = [
    "EMA",
    "AdaptiveRecursive",
    "Dion",
    "DoubleEMA",
    "Estimator",
    "HeavyBall",
    "NoMomentum",
    "Recursive",
    "RunningEstimator",
    "minibatch_mean",
]


class Estimator(Part, ABC):
    """A rule that turns a sequence of gradients into estimates. See `EMA`, `DoubleEMA`, `HeavyBall`, `NoMomentum`."""

    @abstractmethod
    def lower(self, into: Lowering) -> _core.Estimator:
        """Return the core's part."""

    def degree(self, incoming: float | None) -> float | None:
        """Return the degree of the estimate in the scale of all gradients, given that of the gradient."""
        return incoming

    @property
    def equivariance(self) -> str:
        """The group that commutes with it; see `schattor.Geometry`."""
        return "rotations"

    def start(self, like: npt.ArrayLike) -> RunningEstimator:
        """Return the estimator at work, for arrays of the shape and dtype of `like`.

        Parameters
        ----------
        like : array_like
            An array of float32 or float64, such as the first gradient; only its shape and dtype are used.

        Returns
        -------
        RunningEstimator

        Raises
        ------
        TypeError
            For arrays of another dtype, or an estimator that needs more than gradients.
        """
        if self.requires:
            raise TypeError(
                f"{self} needs {', '.join(sorted(self.requires))}: it works inside an optimizer only"
            )
        return RunningEstimator(self, like)


class RunningEstimator:
    """An estimator with its state, outside of an optimizer. Made by ``estimator.start(like)``."""

    def __init__(self, estimator: Estimator, like: npt.ArrayLike) -> None:
        array = np.asarray(like)
        if array.dtype not in FLOATS:
            raise TypeError(f"like must be float32 or float64, got {array.dtype}")
        self._shape, self._dtype = array.shape, array.dtype
        lowering = Lowering(fans=matrix_shape(array.shape))
        self._schedules = lowering.schedules
        part = estimator.lower(lowering)
        runner = _core.RunningEstimatorFloat32 if self._dtype == np.float32 else _core.RunningEstimatorFloat64
        rows, cols = lowering.fans
        self._runner = runner(estimator=part, rows=rows, cols=cols)

    @property
    def count(self) -> int:
        """Number of updates so far."""
        return self._runner.count

    @property
    def state(self) -> dict[str, FloatArray]:
        """Copies of the state arrays by name."""
        size = math.prod(self._shape)
        return {
            name: (array.reshape(self._shape) if array.size == size else array).copy()
            for name, array in self._runner.state().items()
        }

    def update(self, G: npt.ArrayLike) -> FloatArray:
        """Advance by one gradient and return the estimate in a fresh array.

        Parameters
        ----------
        G : array_like
            Shape and dtype as at the start.

        Returns
        -------
        ndarray

        Raises
        ------
        TypeError, ValueError
            For another dtype or shape, NaN or Inf; the state is unchanged then.
        """
        given = np.asarray(G)
        if given.dtype != self._dtype:
            raise TypeError(f"G must have dtype {self._dtype}, got {given.dtype}")
        if given.shape != self._shape:
            raise ValueError(f"G must have shape {self._shape}, got {given.shape}")
        gradient = np.require(given, requirements=["C", "A"])
        estimate = np.empty(self._shape, dtype=self._dtype)
        slots = self._schedules.evaluate(self.count)
        try:
            self._runner.update(slots, gradient, estimate)
        except ValueError as error:
            raise ValueError(f"G: {error}") from None
        return estimate


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
        self.lower(Lowering())

    def lower(self, into: Lowering) -> _core.Estimator:
        """Return the core's part."""
        return _core.Ema(
            momentum=into.value("momentum", MOMENTUM, self.momentum), init=self.init, nesterov=self.nesterov
        )

    def __str__(self) -> str:
        return f"EMA({show(self.momentum)}, {self.init}{', nesterov' if self.nesterov else ''})"


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

    def lower(self, into: Lowering) -> _core.Estimator:
        """Return the core's part."""
        return _core.DoubleEma(
            near=into.value("near", MOMENTUM, self.near), far=into.value("far", MOMENTUM, self.far)
        )

    def __str__(self) -> str:
        return f"DoubleEMA({show(self.near)}, {show(self.far)})"


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

    momentum: Schedulable = 0.95
    rank_fraction: float = 1.0
    eps: Schedulable = 1e-8
    seed: int = 0

    def __post_init__(self) -> None:
        MOMENTUM.check_schedulable("momentum", self.momentum)
        FRACTION.check("rank_fraction", self.rank_fraction)
        NON_NEGATIVE.check_schedulable("eps", self.eps)

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

    def products(self, rows: int, cols: int) -> tuple[tuple[int, int, int], ...]:
        """Return X Q, P'X, P R' and P Q'."""
        k, n, r = self._sides(rows, cols)
        return (n, k, r), (r, n, k), (n, r, k), (n, r, k)

    def factorizations(self, rows: int, cols: int) -> tuple[tuple[int, int], ...]:
        """Return that of X Q, whose columns are orthonormalised."""
        _, n, r = self._sides(rows, cols)
        return ((n, r),)

    def _sides(self, rows: int, cols: int) -> tuple[int, int, int]:
        """Return the smaller side, the larger side and the rank."""
        k = min(rows, cols)
        return k, max(rows, cols), max(1, math.ceil(self.rank_fraction * k))

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


@dataclass(frozen=True)
class Recursive(Estimator):
    r"""Recursive momentum, STORM's variance reduction by gradients of the same samples at two points.

    .. math:: d_t = \nabla f(x_t;\xi_t) + \beta\,\bigl(d_{t-1} - \nabla f(x_{t-1};\xi_t)\bigr), \qquad
       d_1 = \nabla f(x_1;\xi_1).

    It requires ``gradient_at_previous``. Without noise it is the gradient itself, whatever :math:`\beta`.

    Parameters
    ----------
    momentum : float or callable
        :math:`\beta` in [0, 1], one minus the source's a. 1 is SARAH and SPIDER.

    Raises
    ------
    ValueError
        For a momentum outside its range.

    Notes
    -----
    Cutkosky and Orabona, arXiv 1905.10018; :math:`\beta = 1`: Nguyen et al., arXiv 1703.00102. With a momentum below
    one it is an `EMA` that starts at the first gradient, after `schattor.parts.VarianceReduction` with gamma = 1.

    Examples
    --------
    >>> from dataclasses import replace
    >>> muon = replace(st.recipes.muon(lr=1.0), estimator=st.estimators.Recursive(0.9))
    >>> sorted(muon.requires)
    ['gradient_at_previous']
    """

    momentum: Schedulable = 0.9

    def __post_init__(self) -> None:
        FRACTION.check_schedulable("momentum", self.momentum)

    @property
    def requires(self) -> frozenset[str]:
        """The gradient at the previous point."""
        return frozenset({"gradient_at_previous"})

    def lower(self, into: Lowering) -> _core.Estimator:
        """Return the core's part."""
        return _core.Recursive(into.value("momentum", FRACTION, self.momentum))

    def __str__(self) -> str:
        return f"Recursive({show(self.momentum)})"


@dataclass(frozen=True)
class AdaptiveRecursive(Estimator):
    r"""`Recursive` momentum with STORM's own lr and momentum, which follow from the gradients so far.

    .. math:: \eta_t = \frac{k}{\bigl(w + \sum_{s\le t}\|G_s\|_F^2\bigr)^{1/3}}, \qquad
       1 - \beta_{t+1} = \min(1, c\,\eta_t^2),

    with the norms over all blocks of the recipe and its lr for k.

    Parameters
    ----------
    w : float
        Positive.
    c : float

    Raises
    ------
    ValueError
        For values outside their ranges.

    Notes
    -----
    Cutkosky and Orabona, arXiv 1905.10018, Algorithm 1.

    Examples
    --------
    >>> st.estimators.AdaptiveRecursive()
    AdaptiveRecursive(w=10.0, c=100.0)
    """

    w: float = 10.0
    c: float = 100.0

    def __post_init__(self) -> None:
        POSITIVE.check("w", self.w)
        NON_NEGATIVE.check("c", self.c)

    @property
    def requires(self) -> frozenset[str]:
        """The gradient at the previous point."""
        return frozenset({"gradient_at_previous"})

    @property
    def shares(self) -> tuple[str, ...]:
        """The sum of the squared norms and what follows from it."""
        return "squared_norms", "momentum", "next_momentum"

    @property
    def homogeneous(self) -> bool:
        """False: w and c have units."""
        return False

    def lower(self, into: Lowering) -> _core.Estimator:
        """Return the core's part."""
        return _core.AdaptiveRecursive(w=float(self.w), c=float(self.c))


@dataclass(frozen=True)
class NoMomentum(Estimator):
    r"""The gradient stands for itself: :math:`\theta = 1`.

    Examples
    --------
    >>> run = st.estimators.NoMomentum().start(like=np.zeros(1))
    >>> run.update(np.array([4.0]))
    array([4.])
    """

    def lower(self, into: Lowering) -> _core.Estimator:
        """Return the core's part."""
        return _core.NoMomentum()

    def __str__(self) -> str:
        return "NoMomentum"


def minibatch_mean(samples: npt.ArrayLike) -> FloatArray:
    r"""Return the mini-batch gradient :math:`\frac1B\sum_{j\le B}\nabla F(X;\xi_j)`.

    Parameters
    ----------
    samples : array_like, shape (B, ...)
        One gradient per sample along the first axis; float32 is averaged in double and rounded once.

    Returns
    -------
    ndarray, shape (...)

    Raises
    ------
    ValueError
        Without samples, or without a first axis.
    TypeError
        For a dtype other than float32, float64, integer or bool.

    Examples
    --------
    >>> st.estimators.minibatch_mean([[1.0, 2.0], [3.0, 6.0]])
    array([2., 4.])
    """
    array = np.asarray(samples)
    if array.ndim == 0 or array.shape[0] == 0:
        raise ValueError(
            f"samples must hold at least one gradient along the first axis, got shape {array.shape}"
        )
    flat, _ = prepare(array.reshape(array.shape[0], -1), "samples")
    mean: FloatArray = flat.mean(axis=0, dtype=np.float64).astype(flat.dtype)
    return mean.reshape(array.shape[1:])
