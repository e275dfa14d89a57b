"""HTMuon and Freon, powers of the spectrum, and LionMuon, which takes turns between two geometries."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from .._edge.backends import NewtonSchulz
from .._edge.values import FINITE, NON_NEGATIVE, Domain, Schedulable, at_step
from ..parts import (
    NormPower,
    NormScaling,
    SmallerSide,
    SpectralMap,
    SwitchedScaling,
)
from ..parts.estimators import EMA, DoubleEMA, HeavyBall
from ..parts.geometries import Lp, Schatten, Sign, Spectral, Switched
from ..recipe.recipe import Recipe
from .registry import Pair, check_pair, decay_parts, recipe
from .scion import gluon

SHARE = Domain("in [0, 1/2]", lambda x: 0 <= x <= 0.5)


def seed_of(rng: int | np.random.Generator | None) -> int:
    """Return a seed for the core's random numbers."""
    return int(np.random.default_rng(rng).integers(2**63))


@recipe(
    family="spectral",
    source="arXiv 2603.10067; github.com/TDCSZ327/HTmuon",
    deviations=(
        "The power is taken by the oracle of the Schatten norm with q - 1 = power, so that singular values which are "
        "zero up to rounding stay zero for powers below one; the code raises the noise in their place.",
    ),
)
def htmuon(
    *,
    lr: Schedulable = 0.02,
    power: float = 0.125,
    momentum: Schedulable = 0.95,
    nesterov: bool = True,
    weight_decay: Schedulable = 0.0,
    decay: str = "decoupled",
    scale: str | float = "original",
) -> Recipe:
    r"""HTMuon: a power of the momentum's singular values instead of ones, for heavy-tailed spectra.

    .. math:: M \leftarrow \beta M + (1-\beta) G, \quad N = (1-\beta) G + \beta M = U\Sigma V^\top, \quad
              W \leftarrow (1-\eta\lambda) W - \eta\, s\, U \Sigma^{\text{power}} V^\top

    with s = sqrt(max(1, rows/cols)). It is the Schatten ball oracle for p = 1 + 1/power times
    :math:`\|N\|_q^{\text{power}}`: power 0 is Muon with an exact polar factor, 1 moves along N itself.

    Parameters
    ----------
    lr : float or callable
        The step follows the gradient's scale to this power: lr does not carry over to another batch size or loss scale.
    power : float
        At least 0.
    momentum : float or callable
        The buffer starts at zero.
    nesterov : bool
    weight_decay : float or callable
    decay : {"decoupled", "l2", "independent", "cautious"}
    scale : str or float
        Shape factor; see `schattor.parts.shape_factor`.

    Returns
    -------
    Recipe

    Raises
    ------
    ValueError
        For values outside their ranges, and for blocks below two dimensions.

    Notes
    -----
    The class of the source takes power 0.25, its read-me 0.125. ``htmuon.rank`` is the rank-based variant.

    Examples
    --------
    >>> opt = st.HTMuon({"W": np.zeros((2, 2))}, lr=1.0, power=0.5, momentum=0.0, nesterov=False)
    >>> opt.step({"W": np.diag([9.0, 4.0])})
    >>> opt.params["W"].round(6) + 0.0
    array([[-3.,  0.],
           [ 0., -2.]])
    """
    NON_NEGATIVE.check("power", power)
    return Recipe(
        name="htmuon",
        lr=lr,
        estimator=EMA(momentum, "zero", nesterov),
        geometry=Schatten(1 + 1 / power if power > 0 else math.inf),
        scaling=NormPower(power, scale),
        matrices_only=True,
        **decay_parts(decay, weight_decay),
    )


@htmuon.preset
def rank(*, lr: Schedulable = 0.02, power: float = 0.25, weight_decay: Schedulable = 0.0) -> Recipe:
    r"""Return the variant that gives the i-th largest singular value the weight :math:`i^{-\text{power}}`."""
    return replace(
        htmuon(lr=lr, weight_decay=weight_decay),
        preconditioner=SpectralMap(power, "rank"),
        geometry=Lp(2.0),
        scaling=NormScaling("regularization", "original"),
    )


@recipe(
    family="spectral",
    source="arXiv 2605.11181",
    deviations=(
        "Exact powers by the oracle of the Schatten norm; the source offers coupled rational iterations as well.",
        "No shape factor: third-party code multiplies by sqrt(max(1, rows/cols)) and divides by the largest singular "
        "value of the direction instead of their power mean.",
    ),
    example={"lr": 0.02},
)
def freon(
    *,
    lr: Schedulable,
    c: float = 0.25,
    momentum: Schedulable = 0.95,
    nesterov: bool = False,
    weight_decay: Schedulable = 0.0,
    decay: str = "decoupled",
) -> Recipe:
    r"""Freon: steps along :math:`(BB^\top)^{-c}B`, between normalised momentum and Muon.

    .. math:: B \leftarrow \beta B + G = U\Sigma V^\top, \qquad
       W \leftarrow (1-\eta\lambda) W - \eta\, U \Bigl(\frac{\Sigma}{\mu}\Bigr)^{1-2c} V^\top, \qquad
       \mu = \Bigl(\frac1k\sum_{i\le k}\sigma_i^q\Bigr)^{1/q}, \quad q = 2(1-c), \quad k = \min(m, n).

    That is :math:`k^{1/p}` times the Schatten ball oracle with 1/p + 1/q = 1: :math:`\sqrt k\,B/\|B\|_F` at c = 0, the
    polar factor at c = 1/2.

    Parameters
    ----------
    lr : float or callable
    c : float
        In [0, 1/2]. ``freon.inverted`` takes larger ones, which favour small singular values and have no norm behind
        them.
    momentum : float or callable
        Heavy ball; only the direction of B matters.
    nesterov : bool
    weight_decay : float or callable
    decay : {"decoupled", "l2", "independent", "cautious"}

    Returns
    -------
    Recipe

    Raises
    ------
    ValueError
        For values outside their ranges, and for blocks below two dimensions.

    Examples
    --------
    >>> opt = st.Freon({"W": np.zeros((2, 2))}, lr=1.0, c=0.0, momentum=0.0)
    >>> opt.step({"W": np.diag([3.0, 4.0])})
    >>> opt.params["W"].round(6) + 0.0
    array([[-0.848528,  0.      ],
           [ 0.      , -1.131371]])
    """
    q = 2 * (1 - SHARE.check("c", c))
    return Recipe(
        name="freon",
        lr=lr,
        estimator=HeavyBall(momentum, init="zero", nesterov=nesterov),
        geometry=Schatten(q / (q - 1) if q > 1 else math.inf),
        scaling=NormScaling("ball", SmallerSide(1 - 1 / q)),
        matrices_only=True,
        **decay_parts(decay, weight_decay),
    )


@freon.preset
def inverted(*, lr: Schedulable, c: float = 0.75, momentum: Schedulable = 0.95) -> Recipe:
    """Return Freon for c above 1/2, by a full SVD; at c = 1 the mean is the geometric one."""
    return replace(
        freon(lr=lr, momentum=momentum),
        preconditioner=SpectralMap(1 - 2 * FINITE.check("c", c)),
        geometry=Lp(2.0),
        scaling=NormScaling("regularization"),
    )


@dataclass(frozen=True)
class Every:
    """0 at every k-th step, from the first on, and 1 between."""

    k: int

    def __post_init__(self) -> None:
        if self.k < 1:
            raise ValueError(f"every must be at least 1, got {self.k}")

    def __call__(self, step: int) -> int:
        """Return the position."""
        return 0 if step % self.k == 0 else 1


@dataclass(frozen=True)
class ShortBetween:
    """A learning rate, times a ratio in the steps that are not chosen."""

    lr: Schedulable
    ratio: float
    choice: Every

    def __post_init__(self) -> None:
        NON_NEGATIVE.check_schedulable("lr", self.lr)
        NON_NEGATIVE.check("sign_ratio", self.ratio)

    def __call__(self, step: int) -> float:
        """Return the value at this step."""
        return at_step(self.lr, step) * (self.ratio if self.choice(step) else 1.0)


@recipe(
    family="sign and spectral",
    source="arXiv 2605.19811; github.com/brain-lab-research/lion-muon",
    deviations=("The adaptive choice by the stable rank is not offered.",),
)
def lion_muon(
    *,
    lr: Schedulable = 2e-3,
    sign_ratio: float = 0.01,
    betas: Pair = (0.95, 0.99),
    every: int = 5,
    weight_decay: Schedulable = 0.0,
    decay: str = "decoupled",
    steps: int = 6,
) -> Recipe:
    r"""LionMuon: Lion's steps, with one of Muon's at every k-th.

    .. math:: C = \beta_1 M + (1-\beta_1) G, \quad
       W \leftarrow (1-\eta_t\lambda)W - \begin{cases} \eta_t\,0.2\sqrt{\max(m, n)}\,\mathrm{NS}(C) & k \mid t-1,\\
       \eta_t\,\mathrm{sign}(C) & \text{else,} \end{cases} \quad M \leftarrow \beta_2 M + (1-\beta_2) G,

    where :math:`\eta_t` is `lr` in the first case and `sign_ratio` times that in the second.

    Parameters
    ----------
    lr : float or callable
    sign_ratio : float
        What lr is multiplied by in Lion's steps, for the decay too.
    betas : pair of float or callable
        In [0, 1).
    every : int
        k; 1 gives Muon with Lion's two averages. The first step is Muon's. By the global step.
    weight_decay : float or callable
    decay : {"decoupled", "l2", "independent", "cautious"}
    steps : int
        Newton-Schulz steps with Muon's coefficients.

    Returns
    -------
    Recipe

    Raises
    ------
    ValueError
        For values outside their ranges, and for blocks below two dimensions.

    Examples
    --------
    >>> opt = st.LionMuon({"W": np.zeros((2, 2))}, lr=0.1, sign_ratio=0.1, every=2, backend="svd")
    >>> for _ in range(2):
    ...     opt.step({"W": np.diag([3.0, 1.0])})
    >>> opt.params["W"].round(6) + 0.0
    array([[-0.038284,  0.      ],
           [ 0.      , -0.038284]])
    """
    choice = Every(every)
    return Recipe(
        name="lion_muon",
        lr=ShortBetween(lr, sign_ratio, choice),
        estimator=DoubleEMA(*check_pair(betas)),
        geometry=Switched(choice, (Spectral(NewtonSchulz("muon", steps)), Sign())),
        scaling=SwitchedScaling(choice, (NormScaling("ball", "match_rms_adamw"), NormScaling("ball"))),
        matrices_only=True,
        **decay_parts(decay, weight_decay),
    )


@dataclass(frozen=True)
class Decaying:
    """A value times (step + 1)^-power, or one minus that."""

    value: float
    power: float
    complement: bool = False

    def __post_init__(self) -> None:
        NON_NEGATIVE.check("lr", self.value)

    def __call__(self, step: int) -> float:
        """Return the value at this step."""
        decayed = self.value / math.pow(step + 1, self.power)
        return 1 - decayed if self.complement else decayed


@gluon.preset
def stochastic(*, lr: float, norm: str = "spectral", radius: float = 1.0) -> Recipe:
    r"""Return steps :math:`\eta(k+1)^{-3/4}` with momentum :math:`1-(k+1)^{-1/2}`, k = 0, 1, ... being the step."""
    return gluon(
        lr=Decaying(lr, 0.75), norm=norm, radius=radius, momentum=Decaying(1.0, 0.5, complement=True)
    )
