"""Methods of the Euclidean geometry."""

from __future__ import annotations

import math

from .._edge.values import FRACTION, Schedulable, check_choice
from ..parts import NormScaling
from ..parts.estimators import EMA, HeavyBall, NoMomentum
from ..parts.geometries import Lp
from ..parts.mixed_norm import Coupling
from ..recipe.recipe import Recipe
from .registry import decay_parts, recipe


@recipe(family="Euclidean", source="torch.optim.SGD")
def sgd(
    *,
    lr: Schedulable = 1e-3,
    momentum: Schedulable = 0.0,
    dampening: Schedulable = 0.0,
    nesterov: bool = False,
    weight_decay: Schedulable = 0.0,
    decay: str = "l2",
) -> Recipe:
    r"""Stochastic gradient descent with torch's conventions.

    .. math:: G \leftarrow G + \lambda W, \quad B \leftarrow \beta B + (1-\text{dampening}) G, \quad
              W \leftarrow W - \eta B,

    where the first buffer is the first gradient. The Nesterov form moves along :math:`G + \beta B`. It is the
    regularization oracle of the Euclidean norm.

    Parameters
    ----------
    lr : float or callable
    momentum : float or callable
        0 keeps no buffer.
    dampening : float or callable
        In [0, 1]; 0 with Nesterov.
    nesterov : bool
        Needs a momentum.
    weight_decay : float or callable
    decay : {"l2", "decoupled", "independent", "cautious"}

    Returns
    -------
    Recipe

    Raises
    ------
    ValueError
        For values outside their ranges, or Nesterov without momentum or with dampening.

    Examples
    --------
    >>> opt = st.SGD([np.array([1.0])], lr=0.1)
    >>> opt.step([np.array([2.0])])
    >>> opt.params["0"]
    array([0.8])
    """
    FRACTION.check_schedulable("dampening", dampening)
    if nesterov and (momentum == 0 or dampening != 0):
        raise ValueError(
            f"nesterov=True needs a momentum and no dampening, got momentum={momentum!r}, dampening={dampening!r}"
        )
    return Recipe(
        name="sgd",
        lr=lr,
        estimator=NoMomentum() if momentum == 0 else HeavyBall(momentum, dampening, nesterov=nesterov),
        geometry=Lp(2.0),
        scaling=NormScaling("regularization"),
        **decay_parts(decay, weight_decay),
    )


@recipe(
    family="Euclidean",
    source="Cutkosky and Mehta, arXiv 2002.03305",
    deviations=(
        "The published code scales each layer by ``||W|| / ||M||``, which is another rule; this is the paper's.",
    ),
)
def normalized_sgd(
    *,
    lr: Schedulable,
    momentum: Schedulable = 0.9,
    momentum_init: str = "first",
    scope: str = "joint",
    weight_decay: Schedulable = 0.0,
    decay: str = "decoupled",
) -> Recipe:
    r"""Normalised SGD with momentum: steps of fixed Euclidean length.

    .. math:: M_t = \beta M_{t-1} + (1-\beta) G_t, \qquad W \leftarrow W - \eta M_t / \|M_t\|_F.

    Parameters
    ----------
    lr : float or callable
        Length of the step.
    momentum : float or callable
    momentum_init : {"first", "zero"}
    scope : {"joint", "block"}
        One norm over all blocks, as in the theory, or one per block.
    weight_decay : float or callable
    decay : {"decoupled", "l2", "independent", "cautious"}

    Returns
    -------
    Recipe

    Raises
    ------
    ValueError
        For values outside their ranges.

    Notes
    -----
    In the joint scope it is the ball oracle of the mixed norm with p = 2 and r = 2.

    Examples
    --------
    >>> opt = st.NormalizedSGD({"a": np.zeros(1), "b": np.zeros(1)}, lr=1.0)
    >>> opt.step({"a": np.array([3.0]), "b": np.array([4.0])})
    >>> opt.params
    {'a': array([-0.6]), 'b': array([-0.8])}
    """
    check_choice("scope", scope, ("joint", "block"))
    check_choice("momentum_init", momentum_init, ("first", "zero"))
    return Recipe(
        name="normalized_sgd",
        lr=lr,
        estimator=EMA(momentum, momentum_init),
        geometry=Lp(2.0),
        coupling=Coupling(2.0 if scope == "joint" else math.inf),
        scaling=NormScaling("ball"),
        **decay_parts(decay, weight_decay),
    )
