"""LARS and LAMB: trust ratios of layers."""

from __future__ import annotations

import math

from .._edge.values import Schedulable
from ..parts import (
    DecayInDirection,
    NormScaling,
    SecondMoment,
    TrustRatio,
)
from ..parts.estimators import EMA, HeavyBall
from ..parts.geometries import Lp
from ..recipe.recipe import Recipe
from .registry import Pair, check_pair, decay_parts, recipe


@recipe(
    family="layerwise",
    source="You, Gitman, Ginsburg, arXiv 1708.03888, in the form of optax.lars",
    deviations=(
        "The paper divides by the sum of the norms of gradient and decay, optax by the norm of their sum, as here.",
        "Biases are not left out by themselves: route them to `sgd`.",
    ),
    names={"coefficient": "trust_coefficient"},
)
def lars(
    *,
    lr: Schedulable,
    momentum: Schedulable = 0.9,
    nesterov: bool = False,
    trust_coefficient: Schedulable = 0.001,
    weight_decay: Schedulable = 0.0,
    decay: str = "l2",
) -> Recipe:
    r"""LARS: heavy-ball momentum of gradients that are scaled to the norm of their layer's weights.

    .. math:: G \leftarrow G + \lambda W, \quad
              B \leftarrow \mu B + \eta\,\frac{c\,\|W\|_F}{\|G\|_F}\,G, \quad W \leftarrow W - B

    The factor :math:`c\|W\|/\|G\|` is one where a norm is zero. With Nesterov W moves by the scaled gradient plus
    :math:`\mu B`.

    Parameters
    ----------
    lr : float or callable
        Each step's own goes into the buffer.
    momentum : float or callable
        :math:`\mu`; the buffer starts at zero.
    nesterov : bool
    trust_coefficient : float or callable
        c.
    weight_decay : float or callable
    decay : {"l2", "decoupled", "independent", "cautious"}

    Returns
    -------
    Recipe

    Raises
    ------
    ValueError
        For values outside their ranges.

    Examples
    --------
    >>> opt = st.LARS({"W": np.array([3.0, 4.0])}, lr=1.0, momentum=0.0, trust_coefficient=0.1)
    >>> opt.step({"W": np.array([100.0, 0.0])})
    >>> opt.params["W"]  # a step as long as a tenth of the weights
    array([2.5, 4. ])
    """
    return Recipe(
        name="lars",
        lr=lr,
        geometry=Lp(2.0),
        adjustments=(TrustRatio(trust_coefficient),),
        scaling=NormScaling("regularization"),
        output=HeavyBall(momentum, init="zero", nesterov=nesterov),
        output_takes_lr=True,
        **decay_parts(decay, weight_decay),
    )


@recipe(
    family="layerwise",
    source="You et al., arXiv 1904.00962, in the form of optax.lamb",
    deviations=("Biases and gains are not left out by themselves: route them to `adamw`.",),
    names={"limit": "largest_norm"},
)
def lamb(
    *,
    lr: Schedulable = 1e-3,
    betas: Pair = (0.9, 0.999),
    eps: Schedulable = 1e-6,
    largest_norm: float = math.inf,
    weight_decay: Schedulable = 0.0,
) -> Recipe:
    r"""LAMB: Adam's direction with its decay, scaled to the norm of its layer's weights.

    .. math:: R = \frac{M / (1-\beta_1^t)}{\sqrt{V / (1-\beta_2^t)} + \epsilon} + \lambda W, \qquad
              W \leftarrow W - \eta\,\frac{\min(\|W\|_F, \phi)}{\|R\|_F}\,R

    The factor before R, lr aside, is one where a norm is zero.

    Parameters
    ----------
    lr : float or callable
    betas : pair of float or callable
        Rates of the averages M of gradients and V of their squares.
    eps : float or callable
        Added to the root.
    largest_norm : float
        :math:`\phi`; some codes take 10.
    weight_decay : float or callable
        In the direction, before its norm is taken.

    Returns
    -------
    Recipe

    Raises
    ------
    ValueError
        For values outside their ranges.

    Examples
    --------
    >>> opt = st.LAMB({"W": np.array([3.0, 4.0])}, lr=0.1)
    >>> opt.step({"W": np.array([5.0, -2.0])})
    >>> (opt.params["W"] - np.array([3.0, 4.0])).round(4)  # signs, as long as a tenth of the weights
    array([-0.3536,  0.3536])
    """
    beta1, beta2 = check_pair(betas)
    return Recipe(
        name="lamb",
        lr=lr,
        estimator=EMA(beta1, "debiased"),
        preconditioner=SecondMoment(beta2, eps),
        geometry=Lp(2.0),
        adjustments=(DecayInDirection(weight_decay), TrustRatio(1.0, largest_norm)),
        scaling=NormScaling("regularization"),
    )
