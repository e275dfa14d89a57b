"""Relatives of Muon that change the spectrum of the step, its rank, or its length by the dual norm."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from ..backends import NewtonSchulz
from ..estimators import EMA, Dion, DoubleEMA, HeavyBall
from ..geometries import Lp, Schatten, Sign, Spectral, Switched
from ..parts import (
    ClippedNorm,
    NormPower,
    NormScaling,
    RandomRange,
    SmallerSide,
    SmoothnessStep,
    SpectralMap,
    SwitchedScaling,
)
from ..recipe import Pair, Recipe, check_pair, decay_parts, recipe
from ..values import NON_NEGATIVE, Domain, Schedulable, at_step
from .spectral import SCION_NORMS, scion

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
        preconditioner=SpectralMap(1 - 2 * c),
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


@recipe(
    family="spectral",
    source="arXiv 2504.05295; github.com/microsoft/dion",
    deviations=("The rank is not rounded up to a multiple, and the orthogonalisation is a Householder QR.",),
    example={"rng": 0},
)
def dion(
    *,
    lr: Schedulable = 0.01,
    momentum: Schedulable = 0.95,
    rank_fraction: float = 1.0,
    eps: Schedulable = 1e-8,
    weight_decay: Schedulable = 0.01,
    decay: str = "decoupled",
    rng: int | np.random.Generator | None = None,
) -> Recipe:
    r"""Dion: a low-rank approximation of the orthogonalised momentum, with error feedback.

    .. math:: X = M + G, \quad P = \mathrm{orth}(XQ), \quad R = X^\top P, \quad M \leftarrow X - (1-\mu)PR^\top, \quad
       Q_j \leftarrow \frac{R_j}{\|R_j\|+\epsilon}, \quad W \leftarrow (1-\eta\lambda) W - \eta\sqrt{m/n}\,PQ^\top

    with r columns in P and Q; see `schattor.estimators.Dion`. A wide block is transposed for it.

    Parameters
    ----------
    lr : float or callable
    momentum : float or callable
        :math:`\mu` in [0, 1).
    rank_fraction : float
        r as a share of min(m, n).
    eps : float or callable
    weight_decay : float or callable
    decay : {"decoupled", "l2", "independent", "cautious"}
    rng : int, Generator or None
        Of the first Q.

    Returns
    -------
    Recipe

    Raises
    ------
    ValueError
        For values outside their ranges, and for blocks below two dimensions.

    Notes
    -----
    Even at full rank :math:`PQ^\top` is the polar factor only once Q has turned into singular vectors.

    Examples
    --------
    >>> opt = st.Dion({"W": np.zeros((2, 2))}, lr=1.0, rank_fraction=0.5, weight_decay=0.0, rng=0)
    >>> for _ in range(30):
    ...     opt.step({"W": np.diag([3.0, 0.0])})
    >>> opt.params["W"].round(4) + 0.0
    array([[-30.,   0.],
           [  0.,   0.]])
    """
    return Recipe(
        name="dion",
        lr=lr,
        estimator=Dion(momentum, rank_fraction, eps, seed_of(rng)),
        geometry=Lp(2.0),
        scaling=NormScaling("regularization", "spectral"),
        matrices_only=True,
        **decay_parts(decay, weight_decay),
    )


@recipe(
    family="spectral",
    source="arXiv 2509.11983; github.com/dengzhanwang/Low-rank-Muon",
    deviations=(
        "Columns are drawn from all of them; the code draws the indices for a tall block from its smaller side.",
        "Small blocks are treated as large ones; the code orthogonalises them whole where min(m, n) <= 500.",
    ),
    example={"rng": 0},
)
def low_rank_muon(
    *,
    lr: Schedulable = 0.02,
    rank: int = 100,
    momentum: Schedulable = 0.95,
    nesterov: bool = True,
    weight_decay: Schedulable = 0.0,
    decay: str = "decoupled",
    scale: str | float = "original",
    rng: int | np.random.Generator | None = None,
) -> Recipe:
    r"""Muon on the range of a few randomly chosen columns of the momentum.

    .. math:: N = (1-\beta)G + \beta M \ \text{(transposed where tall)}, \quad Q = \mathrm{orth}(N_{:,J}), \ |J| = r,
       \quad W \leftarrow (1-\eta\lambda)W - \eta\,s\,Q\,\mathrm{NS}(Q^\top N)

    with Muon's momentum and shape factor s, and new columns J in every step.

    Parameters
    ----------
    lr : float or callable
    rank : int
        r; from the smaller side of the block on, the step is Muon's.
    momentum : float or callable
        The buffer starts at zero.
    nesterov : bool
    weight_decay : float or callable
    decay : {"decoupled", "l2", "independent", "cautious"}
    scale : str or float
        Shape factor; see `schattor.parts.shape_factor`.
    rng : int, Generator or None
        Of the columns.

    Returns
    -------
    Recipe

    Raises
    ------
    ValueError
        For values outside their ranges, and for blocks below two dimensions.

    Notes
    -----
    Columns of a sparse gradient may miss its range altogether.

    Examples
    --------
    >>> opt = st.LowRankMuon({"W": np.zeros((4, 5))}, lr=1.0, rank=2, backend="svd", rng=0)
    >>> opt.step({"W": np.random.default_rng(1).standard_normal((4, 5))})
    >>> np.linalg.svd(opt.params["W"], compute_uv=False).round(6) + 0.0
    array([1., 1., 0., 0.])
    """
    return Recipe(
        name="low_rank_muon",
        lr=lr,
        estimator=EMA(momentum, "zero", nesterov),
        frame=RandomRange(rank, seed_of(rng)),
        geometry=Spectral(NewtonSchulz("muon")),
        scaling=NormScaling("ball", scale),
        matrices_only=True,
        **decay_parts(decay, weight_decay),
    )


@recipe(
    family="spectral",
    source="arXiv 2506.01913",
    deviations=(
        "A second-hand account names Scion as the limit of large rho; by its own formula it is that of small ones.",
    ),
    example={"lr": 0.1, "rho": 1.0},
)
def clipped_scion(
    *,
    lr: Schedulable,
    rho: Schedulable,
    norm: str = "spectral",
    radius: float = 1.0,
    momentum: Schedulable = 0.9,
    constrained: bool = False,
) -> Recipe:
    r"""Clipped Scion: steepest descent in the norm of the layer, with steps no longer than a threshold.

    .. math:: M \leftarrow \beta M + (1-\beta)G, \qquad W \leftarrow W + \eta\min(\rho, \|M\|_*)\,D(M)

    with ball oracle D and dual norm of one of Scion's norms; see `scion`.

    Parameters
    ----------
    lr : float or callable
    rho : float or callable
        Far above the dual norms this is the regularization rule, below them `scion` with lr times rho.
    norm : {"spectral", "sign", "column", "row", "bias_rms"}
    radius : float
        Of the ball, as in `scion`.
    momentum : float or callable
        The buffer starts at zero.
    constrained : bool
        As in `scion`: the weights shrink by 1 - lr first.

    Returns
    -------
    Recipe

    Raises
    ------
    ValueError
        For values outside their ranges.

    Examples
    --------
    >>> opt = st.ClippedScion([np.zeros(1)], lr=1.0, rho=2.0, norm="bias_rms", momentum=0.0)
    >>> opt.step([np.array([0.5])])
    >>> opt.step([np.array([5.0])])
    >>> opt.params["0"]
    array([-2.5])
    """
    base = scion(lr=lr, norm=norm, radius=radius, momentum=momentum, constrained=constrained)
    scaling = ClippedNorm(rho, scale=SCION_NORMS[norm][1], radius=radius)
    return replace(base, name="clipped_scion", scaling=scaling)


@recipe(
    family="spectral",
    source="arXiv 2505.13416",
    deviations=("The constants are given, not estimated along the run.",),
)
def gluon(
    *,
    lr: Schedulable = 1.0,
    L0: Schedulable = 0.0,
    L1: Schedulable = 1.0,
    norm: str = "spectral",
    radius: float = 1.0,
    momentum: Schedulable = 0.0,
) -> Recipe:
    r"""Gluon: the step length that layer-wise :math:`(L_0, L_1)`-smoothness asks for.

    .. math:: M \leftarrow \beta M + (1-\beta)G, \quad M_1 = G_1, \qquad
       W \leftarrow W + \eta\,\frac{\|M\|_*}{L_0 + L_1\|M\|_*}\,D(M)

    with ball oracle D and dual norm of one of Scion's norms; see `scion`. Smoothness means
    :math:`\|\nabla f(X)-\nabla f(Y)\|_* \le (L_0 + L_1\|\nabla f(X)\|_*)\|X-Y\|`.

    Parameters
    ----------
    lr : float or callable
        1 is the step of the theory.
    L0, L1 : float or callable
        Not both zero. L1 = 0 is the regularization rule with lr / L0, L0 = 0 the ball rule with lr / L1.
    norm : {"spectral", "sign", "column", "row", "bias_rms"}
    radius : float
        Of the ball, as in `scion`.
    momentum : float or callable
        The buffer starts at the first gradient.

    Returns
    -------
    Recipe

    Raises
    ------
    ValueError
        For values outside their ranges.

    Notes
    -----
    ``gluon.stochastic`` is the schedule of the source's analysis with noise.

    Examples
    --------
    >>> opt = st.Gluon([np.zeros(1)], L0=1.0, L1=1.0, norm="bias_rms")
    >>> opt.step([np.array([3.0])])
    >>> opt.params["0"]
    array([-0.75])
    """
    base = scion(lr=lr, norm=norm, radius=radius)
    scaling = SmoothnessStep(L0, L1, scale=SCION_NORMS[norm][1], radius=radius)
    return replace(base, name="gluon", estimator=EMA(momentum, "first"), scaling=scaling)


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
