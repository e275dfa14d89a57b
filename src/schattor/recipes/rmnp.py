"""RMNP: rows normalised in the place of the oracle."""

from __future__ import annotations

from .._edge.values import Schedulable
from ..parts import (
    NormScaling,
)
from ..parts.estimators import HeavyBall
from ..parts.geometries import RowNorm
from ..recipe.recipe import Recipe
from .registry import decay_parts, recipe


@recipe(
    family="composites",
    source="arXiv 2603.20527; github.com/Dominator-Index/RMNP",
    deviations=(
        "No length is bounded from below; a zero row gives zero.",
        "Without Nesterov the source drops the momentum altogether; here the buffer itself is normalised.",
    ),
)
def rmnp(
    *,
    lr: Schedulable = 0.02,
    momentum: Schedulable = 0.95,
    nesterov: bool = True,
    weight_decay: Schedulable = 0.0,
    decay: str = "decoupled",
    scale: str | float = "original",
) -> Recipe:
    r"""RMNP: the rows of the momentum normalised, in the place of Muon's polar factor.

    .. math:: B \leftarrow \beta B + G, \quad U = G + \beta B, \quad
              W_i \leftarrow (1-\eta\lambda) W_i - \eta\,s\,U_i / \|U_i\|

    with s = sqrt(max(1, m/n)). It is the ball oracle of `schattor.RowNorm`, and costs no matrix product.

    Parameters
    ----------
    lr : float or callable
    momentum : float or callable
        Of a heavy ball that starts at zero.
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
    Where the rows of U are orthogonal, this is Muon with the exact polar factor.

    Examples
    --------
    >>> opt = st.RMNP({"W": np.zeros((2, 2))}, lr=1.0)
    >>> opt.step({"W": np.array([[3.0, 4.0], [0.0, 0.0]])})
    >>> opt.params["W"] + 0.0
    array([[-0.6, -0.8],
           [ 0. ,  0. ]])
    """
    return Recipe(
        name="rmnp",
        lr=lr,
        estimator=HeavyBall(momentum, init="zero", nesterov=nesterov),
        geometry=RowNorm(),
        scaling=NormScaling("ball", scale),
        matrices_only=True,
        **decay_parts(decay, weight_decay),
    )
