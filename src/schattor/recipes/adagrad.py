"""Adagrad, RMSprop and Adadelta: gradients over roots of accumulated squares."""

from __future__ import annotations

from .._edge.values import NON_NEGATIVE, Schedulable
from ..parts import (
    CentredSquares,
    Diagonal,
    Plain,
    RatioOfMoments,
    Squares,
    SumOfSquares,
)
from ..parts.estimators import HeavyBall
from ..recipe.recipe import Recipe
from .adam import InverseTime, metric
from .registry import decay_parts, recipe


@recipe(
    family="diagonal",
    source="Duchi, Hazan, Singer, JMLR 2011; torch.optim.Adagrad",
    names={"initial": "initial_accumulator_value"},
)
def adagrad(
    *,
    lr: Schedulable = 1e-2,
    lr_decay: float = 0.0,
    initial_accumulator_value: float = 0.0,
    eps: Schedulable = 1e-10,
    weight_decay: Schedulable = 0.0,
    decay: str = "l2",
) -> Recipe:
    r"""AdaGrad with torch's conventions.

    .. math:: V \leftarrow V + G^2, \qquad
       W \leftarrow W - \frac{\eta}{1+(t-1)\,\text{lr\_decay}}\,\frac{G}{\sqrt V+\epsilon}.

    Parameters
    ----------
    lr : float or callable
    lr_decay : float
        By the global step.
    initial_accumulator_value : float
        V at the start. At zero the first step is a sign step.
    eps : float or callable
        Added to the root.
    weight_decay : float or callable
    decay : {"decoupled", "l2", "independent", "cautious"}

    Returns
    -------
    Recipe

    Raises
    ------
    ValueError
        For values outside their ranges.

    Examples
    --------
    >>> opt = st.Adagrad([np.array([1.0])], lr=0.1)
    >>> opt.step([np.array([3.0])])
    >>> opt.params["0"].round(6)
    array([0.9])
    """
    NON_NEGATIVE.check("lr_decay", lr_decay)
    NON_NEGATIVE.check_schedulable("lr", lr)
    return Recipe(
        name="adagrad",
        lr=lr if lr_decay == 0 else InverseTime(lr, lr_decay),
        **metric(preconditioner=Diagonal(SumOfSquares(initial_accumulator_value), Plain(eps))),
        **decay_parts(decay, weight_decay),
    )


@recipe(
    family="diagonal",
    source="Tieleman and Hinton, Coursera lecture 6.5, 2012; torch.optim.RMSprop",
    deviations=("Where rounding makes the centred V negative it counts as zero; torch returns NaN.",),
    names={"beta": "alpha"},
)
def rmsprop(
    *,
    lr: Schedulable = 1e-2,
    alpha: Schedulable = 0.99,
    eps: Schedulable = 1e-8,
    momentum: Schedulable = 0.0,
    centered: bool = False,
    weight_decay: Schedulable = 0.0,
    decay: str = "l2",
) -> Recipe:
    r"""RMSprop with torch's conventions.

    .. math:: V \leftarrow \alpha V + (1-\alpha) G^2, \qquad B \leftarrow \mu B + \frac{G}{\sqrt V+\epsilon}, \qquad
       W \leftarrow W - \eta B,

    with the average of the gradients squared and taken off V if `centered`.

    Parameters
    ----------
    lr : float or callable
    alpha : float or callable
        In [0, 1).
    eps : float or callable
        Added to the root.
    momentum : float or callable
        :math:`\mu` in [0, 1); 0 keeps no buffer.
    centered : bool
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
    There is no bias correction: the first step is :math:`1/\sqrt{1-\alpha}` times a sign step.

    Examples
    --------
    >>> opt = st.RMSprop([np.array([1.0])], lr=0.1)
    >>> opt.step([np.array([3.0])])
    >>> opt.params["0"].round(6)
    array([0.])
    """
    moment = (CentredSquares if centered else Squares)(alpha)
    return Recipe(
        name="rmsprop",
        lr=lr,
        **metric(preconditioner=Diagonal(moment, Plain(eps))),
        output=None if momentum == 0 else HeavyBall(momentum),
        **decay_parts(decay, weight_decay),
    )


@recipe(
    family="diagonal",
    source="Zeiler, arXiv 1212.5701; torch.optim.Adadelta",
    names={"beta": "rho"},
)
def adadelta(
    *,
    lr: Schedulable = 1.0,
    rho: Schedulable = 0.9,
    eps: Schedulable = 1e-6,
    weight_decay: Schedulable = 0.0,
    decay: str = "l2",
) -> Recipe:
    r"""AdaDelta: steps in the units of earlier steps.

    .. math:: V \leftarrow \rho V + (1-\rho) G^2, \quad \Delta = \frac{\sqrt{X+\epsilon}}{\sqrt{V+\epsilon}}\,G, \quad
       X \leftarrow \rho X + (1-\rho)\Delta^2, \quad W \leftarrow W - \eta\Delta.

    Parameters
    ----------
    lr : float or callable
        Scales the step, never the state.
    rho : float or callable
        In [0, 1).
    eps : float or callable
        Inside both roots.
    weight_decay : float or callable
    decay : {"decoupled", "l2", "independent", "cautious"}

    Returns
    -------
    Recipe

    Raises
    ------
    ValueError
        For values outside their ranges.

    Examples
    --------
    >>> opt = st.Adadelta([np.array([1.0])], lr=0.1)
    >>> opt.step([np.array([3.0])])
    >>> opt.params["0"].round(6)
    array([0.999684])
    """
    return Recipe(
        name="adadelta",
        lr=lr,
        **metric(preconditioner=RatioOfMoments(rho, eps)),
        **decay_parts(decay, weight_decay),
    )
