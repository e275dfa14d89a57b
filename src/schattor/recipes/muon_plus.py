"""Muon+: rows or columns normalised after the oracle."""

from __future__ import annotations

from .._edge.backends import NewtonSchulz
from .._edge.values import Schedulable, check_choice
from ..parts import (
    LineNormalization,
    NormScaling,
)
from ..parts.estimators import HeavyBall
from ..parts.geometries import Spectral
from ..recipe.recipe import Recipe
from .equilibrated_muon import _ORDERS
from .registry import decay_parts, recipe


@recipe(
    family="composites",
    source="arXiv 2602.21545; github.com/K1seki221/MuonPlus",
    deviations=(
        "Newton-Schulz runs without a constant in its norm.",
        "The default is `mode` 'col_row'; the source's class normalises nothing unless told.",
        "The source's eps argument has no effect; here it is the constant that the source has in its place.",
        "The source's option of a nuclear length, from the normalised direction and the momentum, is left out.",
    ),
)
def muon_plus(
    *,
    lr: Schedulable = 1e-3,
    mode: str = "col_row",
    momentum: Schedulable = 0.95,
    nesterov: bool = True,
    weight_decay: Schedulable = 0.1,
    decay: str = "decoupled",
    scale: str | float = "spectral",
    eps: float = 1e-7,
) -> Recipe:
    r"""Muon+: rows or columns of the orthogonalised momentum normalised once more.

    .. math:: B \leftarrow \beta B + G, \quad O = \mathrm{NS}(G + \beta B), \quad
              O_{ij} \leftarrow O_{ij} \Bigl(\sum_k O_{kj}^2 + \epsilon\Bigr)^{-1/2}, \quad
              W \leftarrow (1-\eta\lambda) W - \eta\,\sqrt{m/n}\; O

    for columns, with the five Newton-Schulz steps of Muon.

    Parameters
    ----------
    lr : float or callable
    mode : {"none", "col", "row", "col_row", "row_col"}
        Which lines are normalised, in this order.
    momentum : float or callable
        Of a heavy ball that starts at zero.
    nesterov : bool
    weight_decay : float or callable
    decay : {"decoupled", "l2", "independent", "cautious"}
    scale : str or float
        Shape factor; see `schattor.parts.shape_factor`.
    eps : float
        Added to squared lengths.

    Returns
    -------
    Recipe

    Raises
    ------
    ValueError
        For values outside their ranges, and for blocks below two dimensions.

    Notes
    -----
    The columns of an exact polar factor of a tall matrix of full rank have length one already, as do the rows of a wide
    one's: there the step is Muon's, but for eps.

    Examples
    --------
    >>> opt = st.MuonPlus({"W": np.zeros((2, 2))}, lr=1.0, weight_decay=0.0)
    >>> opt.step({"W": np.diag([3.0, 1.0])})
    >>> opt.params["W"].round(6) + 0.0
    array([[-1.,  0.],
           [ 0., -1.]])
    """
    check_choice("mode", mode, _ORDERS)
    return Recipe(
        name="muon_plus",
        lr=lr,
        estimator=HeavyBall(momentum, init="zero", nesterov=nesterov),
        geometry=Spectral(NewtonSchulz("muon")),
        adjustments=(LineNormalization(_ORDERS[mode], eps),),
        scaling=NormScaling("ball", scale),
        matrices_only=True,
        **decay_parts(decay, weight_decay),
    )
