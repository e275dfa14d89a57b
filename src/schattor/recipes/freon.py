"""Freon: a power of the spectrum between Muon and the gradient."""

from __future__ import annotations

import math
from dataclasses import replace

from .._edge.values import FINITE, Domain, Schedulable
from ..parts import (
    NormScaling,
    SmallerSide,
    SpectralMap,
)
from ..parts.estimators import HeavyBall
from ..parts.geometries import Lp, Schatten
from ..recipe.recipe import Recipe
from .registry import decay_parts, recipe

SHARE = Domain("in [0, 1/2]", lambda x: 0 <= x <= 0.5)


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
