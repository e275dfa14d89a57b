"""Scion and its kin: norms by kind of layer, clipped and with measured smoothness."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from .._edge.backends import NewtonSchulz
from .._edge.values import (
    Schedulable,
    check_choice,
)
from ..parts import (
    Additive,
    ClippedNorm,
    NormScaling,
    SmoothnessStep,
)
from ..parts.estimators import EMA
from ..parts.geometries import ColumnNorm, Geometry, Lp, RowNorm, Sign, Spectral
from ..recipe.recipe import Recipe
from .registry import recipe

SCION_NORMS: dict[str, tuple[Callable[[], Geometry], str]] = {
    "spectral": (lambda: Spectral(NewtonSchulz("muon")), "spectral"),
    "sign": (Sign, "inverse_cols"),
    "column": (ColumnNorm, "rows"),
    "row": (RowNorm, "inverse_root_cols"),
    "bias_rms": (lambda: Lp(2.0), "rows"),
}
"""Scion's norms by name: geometry and shape factor, with which every norm is one of operators between RMS norms."""


@recipe(
    family="spectral",
    source="Pethick et al., arXiv 2502.07529; github.com/LIONS-EPFL/scion",
    deviations=(
        "No constant is added to norms.",
        "The source chooses the norm by the number of dimensions unless told; here the routes say it.",
        "The source's norm of convolutions also divides by the size of the kernel: give that as the radius.",
    ),
)
def scion(
    *,
    lr: Schedulable = 1e-3,
    norm: str = "spectral",
    radius: float = 1.0,
    momentum: Schedulable = 0.9,
    constrained: bool = False,
) -> Recipe:
    r"""Scion: one norm ball for each kind of layer, and steps to or along its boundary.

    .. math:: M \leftarrow \beta M + (1-\beta) G, \qquad W \leftarrow (1-\eta) W + \eta\,\rho\,s\,D(M)

    with the ball oracle D of the layer's norm, its shape factor s and :math:`\rho` = radius. Constrained, this is a
    conditional gradient (Frank-Wolfe) step, which keeps W in the ball; unconstrained, W keeps its share one.

    ============== ======================= ============ ====================================================
    norm           geometry                s            for
    ============== ======================= ============ ====================================================
    ``"spectral"`` spectral, five steps    sqrt(m/n)    hidden layers; convolutions through views.flatten()
    ``"sign"``     largest entry           1/n          the output layer, or input layers that are shared
    ``"column"``   largest column          sqrt(m)      embeddings and input layers
    ``"row"``      largest row             1/sqrt(n)    the output layer
    ``"bias_rms"`` Euclidean               sqrt(m)      vectors
    ============== ======================= ============ ====================================================

    Parameters
    ----------
    lr : float or callable
        In [0, 1] if constrained.
    norm : {"spectral", "sign", "column", "row", "bias_rms"}
    radius : float
        :math:`\rho`; the source calls it scale, and takes 50 for hidden layers and 3000 for the output of NanoGPT.
    momentum : float or callable
        :math:`\beta`, one minus the source's momentum. The buffer starts at zero.
    constrained : bool

    Returns
    -------
    Recipe

    Raises
    ------
    ValueError
        For values outside their ranges.

    Notes
    -----
    The conditional gradient step is decoupled decay with weight_decay = 1. With ``backend="svd"`` the spectral oracle
    is exact; Newton-Schulz may leave the ball by some 20 percent.

    Examples
    --------
    >>> params = {"embed": np.zeros((2, 3)), "W": np.zeros((2, 2))}
    >>> routes = {"embed": st.recipes.scion(norm="column"), "*": st.recipes.scion(radius=50.0)}
    >>> opt = st.Optimizer(params, routes, backend="svd")
    >>> opt.step({"embed": np.ones((2, 3)), "W": np.diag([2.0, 1.0])})
    >>> opt.params["W"] + 0.0
    array([[-0.05,  0.  ],
           [ 0.  , -0.05]])
    """
    check_choice("norm", norm, SCION_NORMS)
    geometry, scale = SCION_NORMS[norm]
    return Recipe(
        name="scion",
        lr=lr,
        estimator=EMA(momentum, "zero"),
        geometry=geometry(),
        scaling=NormScaling("ball", scale, radius),
        update=Additive("decoupled", 1.0) if constrained else Additive(),
    )


@recipe(
    family="spectral",
    source="arXiv 2506.01913; github.com/Hojan-Ye/ClippedScion",
    deviations=(
        "The lr is that of the paper; the code's is this one times rho.",
        "A constrained step is none where the gap is negative, as it may be outside of the ball: the source goes "
        "uphill there. Its lr, clipping included, is at most one.",
        "No constant is added to norms.",
        "The source chooses the norm by the number of dimensions unless told; here the routes say it.",
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
    per_block: bool = False,
) -> Recipe:
    r"""Clipped Scion: steepest descent in the norms of the layers, with steps no longer than a threshold.

    .. math:: M_i \leftarrow \beta M_i + (1-\beta)G_i, \qquad
       W_i \leftarrow W_i + \eta\min\Bigl(\rho, \sum_j \|M_j\|_*\Bigr)\,D(M_i)

    with ball oracle D and dual norm of one of Scion's norms for each block; see `scion`. The sum is over all blocks of
    the optimizer that follow a clipped Scion and have a gradient, also those of other norms, radii or :math:`\rho`.
    Constrained, with the gap of the conditional gradient method,

    .. math:: W_i \leftarrow (1-\gamma) W_i + \gamma D(M_i), \qquad
       \gamma = \eta\min\Bigl(\rho, \sum_j \bigl(\|M_j\|_* + \langle W_j, M_j\rangle\bigr)\Bigr),

    held to [0, 1], which keeps the weights in the ball.

    Parameters
    ----------
    lr : float or callable
    rho : float or callable
        Far above the dual norms this is steepest descent, below them `scion` with lr times rho.
    norm : {"spectral", "sign", "column", "row", "bias_rms"}
    radius : float
        Of the ball, as in `scion`.
    momentum : float or callable
        The buffer starts at zero.
    constrained : bool
    per_block : bool
        Each block has its own dual norm or gap in the place of the sum.

    Returns
    -------
    Recipe

    Raises
    ------
    ValueError
        For values outside their ranges.

    Notes
    -----
    The norm of several blocks is the largest of theirs, whose dual norm is the sum.

    Examples
    --------
    >>> opt = st.ClippedScion([np.zeros(1), np.zeros(1)], lr=1.0, rho=2.0, norm="bias_rms", momentum=0.0)
    >>> opt.step([np.array([0.5]), np.array([-1.0])])
    >>> opt.params
    {'0': array([-1.5]), '1': array([1.5])}
    >>> opt.step([np.array([5.0]), np.array([0.0])])
    >>> opt.params
    {'0': array([-3.5]), '1': array([1.5])}
    """
    base = scion(lr=lr, norm=norm, radius=radius, momentum=momentum, constrained=constrained)
    scaling = ClippedNorm(rho, not per_block, constrained, scale=SCION_NORMS[norm][1], radius=radius)
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
