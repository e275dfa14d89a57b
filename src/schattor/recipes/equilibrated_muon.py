"""MuonEq and Aurora: Muon on equilibrated momentum."""

from __future__ import annotations

from collections.abc import Callable

from .._edge.backends import NewtonSchulz
from .._edge.values import Schedulable
from ..parts import Equilibration, LeverageEquilibration, NormScaling
from ..parts.estimators import EMA, HeavyBall
from ..parts.geometries import Spectral
from ..recipe.recipe import Recipe
from .registry import decay_parts, recipe

_ORDERS: dict[str, tuple[str, ...]] = {
    "none": (),
    "col": ("col",),
    "row": ("row",),
    "col_row": ("col", "row"),
    "row_col": ("row", "col"),
}


@recipe(
    family="composites",
    source="arXiv 2603.28254; github.com/MaeChd/muon-eq",
    deviations=(
        "Newton-Schulz runs in the dtype of the block, in the source in bfloat16, and without a constant in its norm.",
        "The source's phase, the step from which on rows alone are scaled, is a callable `mode`.",
        "The source's other iteration, which starts from the Schatten-4 norm, is left out.",
    ),
)
def muon_eq(
    *,
    lr: Schedulable = 1e-3,
    mode: str | Callable[[int], str] = "row",
    momentum: Schedulable = 0.95,
    nesterov: bool = True,
    weight_decay: Schedulable = 0.1,
    decay: str = "decoupled",
    scale: str | float = "match_rms_adamw",
    eps: float = 1e-8,
) -> Recipe:
    r"""MuonEq: rows or columns of the momentum brought to equal lengths before it is orthogonalised.

    .. math:: B \leftarrow \beta B + G, \quad U = G + \beta B, \quad
              U_{ij} \leftarrow U_{ij} \Bigl(\sum_k U_{ik}^2 + \epsilon\Bigr)^{-1/2}, \quad
              W \leftarrow (1-\eta\lambda) W - \eta\, s\, \mathrm{NS}(U)

    for rows, with the five Newton-Schulz steps of Muon and s = 0.2 sqrt(max(m, n)).

    Parameters
    ----------
    lr : float or callable
    mode : {"row", "col", "rowcol"} or callable
        Which lines are scaled; with ``"rowcol"`` both factors come from U as it is. A callable maps the global step to
        one of the names.
    momentum : float or callable
        Of a heavy ball that starts at zero.
    nesterov : bool
    weight_decay : float or callable
    decay : {"decoupled", "l2", "independent", "cautious"}
    scale : str or float
        Shape factor; see `schattor.parts.shape_factor`.
    eps : float
        Added to squared lengths, so in the unit of squared gradients; at 0 the scale of the gradients never matters.

    Returns
    -------
    Recipe

    Raises
    ------
    ValueError
        For values outside their ranges, and for blocks below two dimensions.

    Notes
    -----
    Where the scaled lines are orthogonal already, as are the rows of a scaled orthogonal matrix, this is Muon.

    Examples
    --------
    >>> opt = st.MuonEq({"W": np.zeros((2, 2))}, lr=1.0, mode="row", scale=1.0, backend="svd")
    >>> opt.step({"W": np.array([[0.0, 2.0], [1e-3, 0.0]])})
    >>> opt.params["W"].round(6) + 0.0
    array([[ 0., -1.],
           [-1.,  0.]])
    """
    return Recipe(
        name="muon_eq",
        lr=lr,
        estimator=HeavyBall(momentum, init="zero", nesterov=nesterov),
        preconditioner=Equilibration(mode, eps),
        geometry=Spectral(NewtonSchulz("muon")),
        scaling=NormScaling("ball", scale),
        matrices_only=True,
        **decay_parts(decay, weight_decay),
    )


@recipe(
    family="composites",
    source="Tilde Research, arXiv 2606.27715; github.com/tilde-research/aurora-release",
    deviations=(
        "Newton-Schulz runs in the dtype of the block, in the source in bfloat16, and without a constant in its norm.",
        "A row of length zero has leverage zero; the source divides it by at least 1e-7.",
        "The Riemannian variant, an ascent with early stopped conjugate gradients, is left out.",
    ),
)
def aurora(
    *,
    lr: Schedulable = 0.05,
    passes: int = 2,
    beta: float = 0.5,
    momentum: Schedulable = 0.95,
    nesterov: bool = True,
    weight_decay: Schedulable = 0.025,
    decay: str = "decoupled",
    scale: str | float = "original",
) -> Recipe:
    r"""Aurora: a polar factor whose rows have nearly equal lengths (leverages), for rectangular matrices.

    .. math:: M \leftarrow \mu M + (1-\mu) G, \quad U = (1-\mu) G + \mu M, \quad d_i = 1/\|U_i\|, \qquad
              d_i \leftarrow d_i \left(\frac{n/m}{\|P_i\|^2}\right)^\beta \text{ with }
              P = \mathrm{polar}(\mathrm{diag}(d)\,U), \qquad
              W \leftarrow (1-\eta\lambda) W - \eta\,s\,\mathrm{polar}(\mathrm{diag}(d)\,U)

    for m > n, where the middle assignment is made passes - 1 times; for m < n the same with columns, and for a square
    matrix this is Muon. s = sqrt(max(1, m/n)).

    Parameters
    ----------
    lr : float or callable
    passes : int
        Polar factors for each step, at least 1. One pass is `muon_eq` with eps = 0, along the longer side.
    beta : float
        Power of the correction.
    momentum : float or callable
        :math:`\mu`; the average starts at zero.
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
    TypeError, ValueError
        For values outside their ranges, and for blocks below two dimensions.

    Notes
    -----
    The polar factors are twelve steps of the iteration (2, -1.5, 0.5), which leaves nothing of the singular values that
    are not tiny; ``backend="svd"`` is exact. With more passes the squared lengths of the rows tend to n/m.

    Examples
    --------
    >>> opt = st.Aurora({"W": np.zeros((3, 1))}, lr=1.0, weight_decay=0.0, scale=1.0)
    >>> opt.step({"W": np.array([[5.0], [-1.0], [0.1]])})
    >>> opt.params["W"].round(4).T
    array([[-0.5774,  0.5774, -0.5774]])
    """
    spectral = Spectral(NewtonSchulz("simple_quintic"))
    return Recipe(
        name="aurora",
        lr=lr,
        estimator=EMA(momentum, "zero", nesterov),
        preconditioner=LeverageEquilibration(spectral, passes, beta),
        geometry=spectral,
        scaling=NormScaling("ball", scale),
        matrices_only=True,
        **decay_parts(decay, weight_decay),
    )
