"""NIGT: implicit transport of gradients."""

from __future__ import annotations

from dataclasses import replace

from .._edge.values import Schedulable
from ..parts import Extrapolated
from ..recipe.recipe import Recipe
from .registry import recipe
from .sgd import normalized_sgd


@recipe(
    family="variance reduction",
    source="Cutkosky and Mehta, arXiv 2002.03305",
    deviations=(
        "The published code scales the step of each layer by ``||W|| / ||M||`` and starts at M = 0; this is the "
        "paper's rule.",
    ),
)
def nigt(
    *,
    lr: Schedulable,
    momentum: Schedulable = 0.9,
    momentum_init: str = "first",
    scope: str = "joint",
    weight_decay: Schedulable = 0.0,
    decay: str = "decoupled",
) -> Recipe:
    r"""NIGT: normalised SGD whose gradients are taken ahead of the iterate, by as much as the momentum lags behind.

    .. math:: M_t = \beta M_{t-1} + (1-\beta)\nabla f(X_t), \quad
       W_{t+1} = W_t - \eta\,\frac{M_t}{\|M_t\|_F}, \quad
       X_{t+1} = W_{t+1} + \frac{\beta}{1-\beta}(W_{t+1} - W_t).

    The parameters hold X, where the next gradient is wanted; ``Optimizer.evaluation_params()`` returns W, the point to
    evaluate and save.

    Parameters
    ----------
    lr : float or callable
        Length of the step of W.
    momentum : float or callable
        A scheduled one extrapolates with its present value.
    momentum_init : {"first", "zero"}
    scope : {"joint", "block"}
        One norm over all blocks, as in the theory, or one per block.
    weight_decay : float or callable
        Of W; with ``"l2"`` of the penalised loss at X.
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
    On a quadratic without noise M is the gradient at W: the steps are those of normalised SGD without momentum.

    Examples
    --------
    >>> opt = st.NIGT([np.array([1.0])], lr=0.1, momentum=0.5)
    >>> opt.step([np.array([3.0])])
    >>> opt.params["0"], opt.evaluation_params()[0]
    (array([0.8]), array([0.9]))
    """
    inner = normalized_sgd(
        lr=lr,
        momentum=momentum,
        momentum_init=momentum_init,
        scope=scope,
        weight_decay=weight_decay,
        decay=decay,
    )
    return replace(inner, name="nigt", update=Extrapolated(inner.update, momentum))
