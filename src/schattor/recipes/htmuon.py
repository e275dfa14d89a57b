"""HTMuon: powers of the singular values."""

from __future__ import annotations

import math
from dataclasses import replace

from .._edge.values import NON_NEGATIVE, Schedulable
from ..parts import (
    NormPower,
    NormScaling,
    SpectralMap,
)
from ..parts.estimators import EMA
from ..parts.geometries import Lp, Schatten
from ..recipe.recipe import Recipe
from .registry import decay_parts, recipe


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
