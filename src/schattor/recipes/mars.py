"""MARS: variance reduction before an average."""

from __future__ import annotations

from dataclasses import replace

from .._edge.values import Schedulable
from ..parts import ClipNorm, VarianceReduction
from ..recipe.recipe import Recipe
from .adam import adamw
from .muon import muon
from .registry import TWO_POINTS, Pair, check_pair, recipe
from .sign import signum


def _corrected(inner: Recipe, name: str, gamma: Schedulable, momentum: Schedulable, reference: str) -> Recipe:
    """Return a recipe whose average takes in corrected and clipped gradients."""
    if reference == "same_samples" and inner.transforms:
        raise ValueError(TWO_POINTS)
    correction = (VarianceReduction(gamma, momentum, reference), ClipNorm(1.0))
    return replace(inner, name=name, transforms=(*inner.transforms, *correction))


_MARS = (
    "The last gradient is copied; the code keeps a reference to it, so that zeroing gradients in place switches the "
    "correction off.",
    "With gradients of the same samples nothing is added in the first step, as in the paper; the code compares the "
    "first gradient with zero there, too.",
)


@recipe(
    family="variance reduction",
    source="Yuan et al., arXiv 2411.10438; github.com/AGI-Arena/MARS",
    deviations=(
        *_MARS,
        "Vectors are blocks like others, as under the code's ``optimize_1d=True``. By default the code gives them "
        "AdamW with lr 3e-3, betas (0.9, 0.95) and decay 0.1: route them to `adamw`.",
        "``mars.shampoo``: no constant is added to the norm before Newton-Schulz; vectors are refused.",
    ),
)
def mars(
    *,
    lr: Schedulable = 3e-3,
    betas: Pair = (0.95, 0.99),
    eps: Schedulable = 1e-8,
    gamma: Schedulable = 0.025,
    reference: str = "last",
    weight_decay: Schedulable = 0.0,
    decay: str = "decoupled",
) -> Recipe:
    r"""MARS: AdamW on gradients whose change is scaled up, clipped to length one.

    .. math:: C = G + \gamma\frac{\beta_1}{1-\beta_1}(G - R), \quad C \leftarrow C/\max(1,\|C\|_F), \quad
       M \leftarrow \beta_1 M + (1-\beta_1)C, \quad V \leftarrow \beta_2 V + (1-\beta_2)C^2, \\
       W \leftarrow (1-\eta\lambda)W - \eta\,\frac{M/(1-\beta_1^t)}{\sqrt{V/(1-\beta_2^t)}+\epsilon}.

    Parameters
    ----------
    lr : float or callable
    betas : pair of float or callable
    eps : float or callable
    gamma : float or callable
        :math:`\gamma`; 0 is AdamW on clipped gradients.
    reference : {"last", "same_samples"}
        R: the gradient of the step before, zero at first (the approximate form), or that of the same samples at the
        previous point (the exact form, which needs ``gradient_at_previous``).
    weight_decay : float or callable
    decay : {"decoupled", "l2", "independent", "cautious"}

    Returns
    -------
    Recipe

    Raises
    ------
    ValueError
        For values outside their ranges, and for L2 decay with gradients of the same samples.

    Examples
    --------
    >>> opt = st.MARS([np.array([1.0])], lr=0.1)
    >>> opt.step([np.array([3.0])])
    >>> opt.params["0"].round(6)
    array([0.9])
    """
    mean, _ = check_pair(betas)
    inner = adamw(lr=lr, betas=betas, eps=eps, weight_decay=weight_decay, decay=decay)
    return _corrected(inner, "mars", gamma, mean, reference)


@mars.preset
def lion(
    *,
    lr: Schedulable = 3e-3,
    momentum: Schedulable = 0.95,
    gamma: Schedulable = 0.025,
    reference: str = "last",
    weight_decay: Schedulable = 0.0,
) -> Recipe:
    r"""Return MARS with the sign of the average, :math:`W \leftarrow (1-\eta\lambda)W - \eta\,\mathrm{sign}(M)`.

    Without clipping it is `lion` with :math:`\beta_2` = `momentum` and :math:`\beta_1 = (1-\gamma)\beta_2`.
    """
    inner = signum(lr=lr, momentum=momentum, weight_decay=weight_decay)
    return _corrected(inner, "mars", gamma, momentum, reference)


@mars.preset
def shampoo(
    *,
    lr: Schedulable = 3e-3,
    momentum: Schedulable = 0.95,
    gamma: Schedulable = 0.025,
    reference: str = "last",
    weight_decay: Schedulable = 0.0,
) -> Recipe:
    r"""Return MARS with the polar factor of the average, by Muon's five steps, times sqrt(max(1, rows/cols)).

    The source calls it after Shampoo without statistics; it is `muon` without Nesterov on corrected gradients.
    """
    inner = muon(lr=lr, momentum=momentum, nesterov=False, weight_decay=weight_decay)
    return _corrected(inner, "mars", gamma, momentum, reference)


@recipe(
    family="variance reduction",
    source="Liu et al., arXiv 2510.21800; github.com/AGI-Arena/MARS, MARS_M",
    deviations=(
        *_MARS,
        "No constant is added to the norm before Newton-Schulz, which runs in the dtype of the block.",
    ),
)
def mars_m(
    *,
    lr: Schedulable = 1e-3,
    momentum: Schedulable = 0.95,
    gamma: Schedulable = 0.025,
    reference: str = "last",
    weight_decay: Schedulable = 0.1,
    decay: str = "decoupled",
) -> Recipe:
    r"""MARS-M: Muon without Nesterov on gradients whose change is scaled up, clipped to length one.

    .. math:: C = G + \gamma\frac{\beta}{1-\beta}(G - R), \quad C \leftarrow C/\max(1,\|C\|_F), \quad
       M \leftarrow \beta M + (1-\beta)C, \\
       W \leftarrow (1-\eta\lambda)W - 0.2\,\eta\sqrt{\max(m, n)}\;\mathrm{NS}(M).

    Parameters
    ----------
    lr : float or callable
    momentum : float or callable
    gamma : float or callable
        :math:`\gamma`.
    reference : {"last", "same_samples"}
        R: the gradient of the step before, zero at first, or that of the same samples at the previous point
        (``gradient_at_previous``).
    weight_decay : float or callable
    decay : {"decoupled", "l2", "independent", "cautious"}

    Returns
    -------
    Recipe

    Raises
    ------
    ValueError
        For values outside their ranges, for L2 decay with gradients of the same samples, and for blocks below two
        dimensions.

    Notes
    -----
    Without clipping the average is that of Muon-MVR1 (arXiv 2509.15816), :math:`\gamma G` plus :math:`1-\gamma` times
    the plain average: quasi-hyperbolic momentum. With gradients of the same samples it is MVR2, and at
    :math:`\gamma = 1` STORM's.

    Examples
    --------
    >>> opt = st.MARSM({"W": np.zeros((2, 2))}, lr=0.5, backend="svd")
    >>> opt.step({"W": np.diag([3.0, 1.0])})
    >>> (opt.params["W"] / 2**0.5).round(6) + 0.0
    array([[-0.1,  0. ],
           [ 0. , -0.1]])
    """
    inner = muon(
        lr=lr,
        momentum=momentum,
        nesterov=False,
        weight_decay=weight_decay,
        decay=decay,
        scale="match_rms_adamw",
    )
    return _corrected(inner, "mars_m", gamma, momentum, reference)
