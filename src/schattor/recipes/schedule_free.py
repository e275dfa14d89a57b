"""Averages of iterates round other methods."""

from __future__ import annotations

from dataclasses import replace

from .._edge.arguments import checked
from .._edge.values import FRACTION, Schedulable
from ..parts import Additive, ScheduleFree
from ..parts.estimators import NoMomentum
from ..recipe.recipe import Recipe
from .adam import adamw
from .registry import Pair, check_pair, recipe
from .sgd import sgd

_MODES = (
    'The source swaps y and x in one array by its modes "train" and "eval"; here the parameters always hold y, and '
    "``Optimizer.evaluation_params`` returns x.",
)


@checked
def schedule_free(
    inner: Recipe, *, beta: float = 0.9, r: float = 0.0, weight_lr_power: float = 2.0
) -> Recipe:
    r"""Return a recipe with schedule-free averaging of its iterates.

    .. math:: z \leftarrow z + D(y), \quad x \leftarrow (1-c_t)\,x + c_t z, \quad y \leftarrow \beta x + (1-\beta) z

    with the step D of `inner` at y and its gradient there. The parameters hold y, where the next gradient is wanted;
    ``Optimizer.evaluation_params()`` returns x, the point to evaluate and save. Iterate t weighs
    :math:`w_t = t^r(\max_{s\le t}\eta_s)^p` in the average: :math:`c_t = w_t / \sum_{s\le t} w_s`. At constant lr and
    r = 0, x is the mean of the z so far.

    Parameters
    ----------
    inner : Recipe
        As a rule without momentum: :math:`\beta` takes its place. Warm-up is its lr's affair: a callable, or the
        optimizer's `schedule`.
    beta : float
        In (0, 1]; 1 takes the gradients at the average itself.
    r, weight_lr_power : float
        :math:`p` is `weight_lr_power`.

    Returns
    -------
    Recipe

    Raises
    ------
    ValueError
        For values outside their ranges, or an `inner` with cautious decay.

    Notes
    -----
    Defazio et al., arXiv 2405.15682.

    Examples
    --------
    >>> recipe = st.recipes.schedule_free(st.recipes.muon(momentum=0.0, nesterov=False), beta=0.9)
    >>> opt = st.Optimizer({"W": np.zeros((2, 2))}, recipe)
    >>> opt.step({"W": np.eye(2)})
    >>> bool(np.allclose(opt.evaluation_params()["W"], opt.params["W"]))  # the first average is the first iterate
    True
    """
    if not isinstance(inner.update, Additive):
        raise ValueError(f"{inner.name} already averages: {inner.update}")
    update = ScheduleFree(inner.update, beta, r, weight_lr_power)
    return replace(inner, name=f"schedule_free({inner.name})", update=update)


@recipe(
    family="averaging",
    source="Defazio et al., arXiv 2405.15682; github.com/facebookresearch/schedule_free",
    deviations=_MODES,
)
def schedule_free_sgd(
    *,
    lr: Schedulable = 1.0,
    beta: float = 0.9,
    r: float = 0.0,
    weight_lr_power: float = 2.0,
    weight_decay: Schedulable = 0.0,
) -> Recipe:
    r"""Schedule-free SGD: gradients between the average and the iterate.

    .. math:: z \leftarrow z - \eta(\nabla f(y) + \lambda y), \quad x \leftarrow (1-c_t)\,x + c_t z, \quad
       y \leftarrow \beta x + (1-\beta) z

    with the shares :math:`c_t` of `schedule_free`.

    Parameters
    ----------
    lr : float or callable
        A callable for the warm-up: the source takes ``lr * min(1, (step + 1) / warmup_steps)``.
    beta : float
        In (0, 1]; the source calls it momentum.
    r, weight_lr_power : float
        See `schedule_free`.
    weight_decay : float or callable
        In the gradient, at y.

    Returns
    -------
    Recipe

    Raises
    ------
    ValueError
        For values outside their ranges.

    Examples
    --------
    >>> opt = st.ScheduleFreeSGD([np.array([1.0])], lr=0.5)
    >>> for _ in range(2):
    ...     opt.step([np.array([1.0])])
    >>> opt.params["0"], opt.evaluation_params()[0]  # z is 0.5, then 0; x is their mean
    (array([0.225]), array([0.25]))
    """
    inner = sgd(lr=lr, weight_decay=weight_decay)
    averaged = schedule_free(inner, beta=beta, r=r, weight_lr_power=weight_lr_power)
    return replace(averaged, name="schedule_free_sgd")


@recipe(
    family="averaging",
    source="Defazio et al., arXiv 2405.15682; github.com/facebookresearch/schedule_free",
    deviations=_MODES,
)
def schedule_free_adamw(
    *,
    lr: Schedulable = 2.5e-3,
    betas: Pair = (0.9, 0.999),
    eps: Schedulable = 1e-8,
    r: float = 0.0,
    weight_lr_power: float = 2.0,
    weight_decay: Schedulable = 0.0,
) -> Recipe:
    r"""Schedule-free AdamW: Adam's metric without its momentum.

    .. math:: z \leftarrow z - \eta\lambda y - \eta\frac{\nabla f(y)}{\sqrt{V/(1-\beta_2^t)}+\epsilon}, \quad
       x \leftarrow (1-c_t)\,x + c_t z, \quad y \leftarrow \beta_1 x + (1-\beta_1) z

    with the shares :math:`c_t` of `schedule_free`.

    Parameters
    ----------
    lr : float or callable
        A callable for the warm-up: the source takes ``lr * min(1, (step + 1) / warmup_steps)``.
    betas : pair of float
        The first, in (0, 1], is a number and takes the place of the momentum.
    eps : float or callable
        Added to the root.
    r, weight_lr_power : float
        See `schedule_free`.
    weight_decay : float or callable
        At y.

    Returns
    -------
    Recipe

    Raises
    ------
    ValueError
        For values outside their ranges.

    Notes
    -----
    The rule of the source from version 1.3 on; earlier ones put the bias correction into lr, and so into the average.

    Examples
    --------
    >>> opt = st.ScheduleFreeAdamW([np.array([1.0])], lr=0.5)
    >>> opt.step([np.array([3.0])])
    >>> opt.evaluation_params()[0].round(6)
    array([0.5])
    """
    beta, beta2 = check_pair(betas)
    adam = adamw(lr=lr, betas=(0.0, beta2), eps=eps, weight_decay=weight_decay)
    averaged = schedule_free(
        replace(adam, estimator=NoMomentum()),  # the mean at beta_1 = 0, without its buffer
        beta=FRACTION.check("beta", beta),
        r=r,
        weight_lr_power=weight_lr_power,
    )
    return replace(averaged, name="schedule_free_adamw")
