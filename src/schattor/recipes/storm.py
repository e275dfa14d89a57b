"""STORM: recursive momentum, by gradients of the same samples at two points."""

from __future__ import annotations

from typing import Any

from .._edge.values import MOMENTUM, Schedulable
from ..parts import NormScaling
from ..parts.estimators import AdaptiveRecursive, Estimator, Recursive
from ..parts.geometries import Lp
from ..recipe.recipe import Recipe
from .registry import TWO_POINTS, decay_parts, recipe


def _recursive(estimator: Estimator, lr: Schedulable, weight_decay: Schedulable, decay: str) -> Recipe:
    """Return SGD on the estimate."""
    if decay == "l2":
        raise ValueError(TWO_POINTS)
    slots: dict[str, Any] = decay_parts(decay, weight_decay)
    return Recipe(
        name="storm",
        lr=lr,
        estimator=estimator,
        geometry=Lp(2.0),
        scaling=NormScaling("regularization"),
        **slots,
    )


@recipe(
    family="variance reduction",
    source="Cutkosky and Orabona, arXiv 1905.10018",
    deviations=(
        "lr and momentum are hyperparameters, numbers or schedules; the preset ``storm.adaptive`` has the source's.",
        "The authors' code adapts lr and momentum entry by entry, takes the momentum of the present step instead of "
        "the next, and cuts the estimate at the largest norm of a gradient so far: none of it is in the paper.",
    ),
)
def storm(
    *,
    lr: Schedulable,
    momentum: Schedulable = 0.9,
    weight_decay: Schedulable = 0.0,
    decay: str = "decoupled",
) -> Recipe:
    r"""STORM: SGD on a momentum that gradients of the same samples at two points keep up to date.

    .. math:: d_t = \nabla f(W_t;\xi_t) + \beta\,\bigl(d_{t-1} - \nabla f(W_{t-1};\xi_t)\bigr), \qquad
       W_{t+1} = W_t - \eta\,d_t, \qquad d_1 = \nabla f(W_1;\xi_1).

    Parameters
    ----------
    lr : float or callable
    momentum : float or callable
        :math:`\beta = 1 - a` in [0, 1). 0 is SGD; for 1, SARAH, exchange the estimator for ``Recursive(1.0)``.
    weight_decay : float or callable
    decay : {"decoupled", "independent", "cautious"}

    Returns
    -------
    Recipe

    Raises
    ------
    ValueError
        For values outside their ranges, and for L2 decay: the penalty belongs to both gradients.

    Notes
    -----
    ``step(grads, gradient_at_previous=...)`` takes the gradient of the step's samples at the parameters before the last
    step. Without noise d is the gradient itself, whatever :math:`\beta`. It is `mars` with gamma = 1 without clipping
    and metric.

    Examples
    --------
    >>> W = np.array([1.0])
    >>> opt, before = st.STORM(W, lr=0.25), W.copy()
    >>> for _ in range(2):  # the gradient of (W - 3)^2 / 2
    ...     G, at_previous, before = W - 3, before - 3, W.copy()
    ...     opt.step(G, gradient_at_previous=at_previous)
    >>> W
    array([1.875])
    """
    MOMENTUM.check_schedulable("momentum", momentum)
    return _recursive(Recursive(momentum), lr, weight_decay, decay)


@storm.preset
def adaptive(
    *,
    lr: Schedulable = 1.0,
    w: float = 10.0,
    c: float = 100.0,
    weight_decay: Schedulable = 0.0,
    decay: str = "decoupled",
) -> Recipe:
    r"""Return STORM with the source's own lr and momentum: see `schattor.estimators.AdaptiveRecursive`.

    `lr` is its k. The defaults are those of the authors' code.
    """
    return _recursive(AdaptiveRecursive(w, c), lr, weight_decay, decay)
