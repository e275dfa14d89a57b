"""Dion and low-rank Muon: a few columns instead of the whole spectrum."""

from __future__ import annotations

import numpy as np

from .._edge.backends import NewtonSchulz
from .._edge.values import Schedulable
from ..parts import (
    NormScaling,
    RandomRange,
)
from ..parts.estimators import EMA, Dion
from ..parts.geometries import Lp, Spectral
from ..recipe.recipe import Recipe
from .registry import decay_parts, recipe, seed_of


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
