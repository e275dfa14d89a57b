"""Methods that estimate their step length."""

from __future__ import annotations

import math

from .._edge.values import Schedulable
from ..parts import DistanceEstimate
from ..recipe.recipe import Recipe
from .adam import metric
from .registry import Pair, check_pair, decay_parts, recipe


@recipe(
    family="distance estimate",
    source="Mishchenko and Defazio, arXiv 2306.06101; github.com/konstmish/prodigy",
    deviations=(
        "beta3, the bias correction, the safeguard of warm-ups and slices are arguments of the part: "
        "``dataclasses.replace(recipe, preconditioner=st.parts.DistanceEstimate(...))``.",
        "Bias corrections count the steps of each block; the code counts those of all.",
        "While all gradients have been zero the code takes no step; here decay acts.",
    ),
    names={"start": "d0", "coefficient": "d_coef", "growth": "growth_rate"},
)
def prodigy(
    *,
    lr: Schedulable = 1.0,
    betas: Pair = (0.9, 0.999),
    eps: float = 1e-8,
    d0: float = 1e-6,
    d_coef: float = 1.0,
    growth_rate: float = math.inf,
    weight_decay: Schedulable = 0.0,
    decay: str = "decoupled",
) -> Recipe:
    r"""Prodigy: Adam whose step length is estimated from the distance travelled.

    .. math::
       r \leftarrow \beta_3 r + \tfrac{d}{d_0}\gamma\langle G, W_0 - W\rangle, \quad
       s \leftarrow \beta_3 s + \tfrac{d}{d_0}\gamma G, \quad
       \hat d = \text{d\_coef}\cdot\frac{r}{\|s\|_1}, \quad
       d \leftarrow \max(d, \hat d), \\
       M \leftarrow \beta_1 M + (1-\beta_1)dG, \quad V \leftarrow \beta_2 V + (1-\beta_2)d^2G^2, \quad
       W \leftarrow (1-\gamma\lambda)W - \gamma\,\frac{M}{\sqrt V + d\,\epsilon}

    with :math:`\gamma = d\,\eta`, :math:`\beta_3 = \sqrt{\beta_2}` and the d of the step before everywhere but beside
    :math:`\epsilon`. d, r and the norm of s run over all blocks of the recipe.

    Parameters
    ----------
    lr : float or callable
        A factor, with the shape of a schedule; 1 unless the estimate errs.
    betas : pair of float
    eps : float
    d0 : float
        The first estimate.
    d_coef : float
        Factor on the estimate; 0 is AdamW at the lr ``d0 * lr``.
    growth_rate : float
        Largest factor by which d grows in one step.
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
    The state has d for every block, the same in all of them. There is no bias correction by default.

    Examples
    --------
    >>> opt = st.Prodigy([np.array([1.0])], d0=1e-3)
    >>> for _ in range(6):
    ...     opt.step([np.array([1.0])])
    >>> opt.state_dict()["state/0/d"].round(6), opt.params["0"].round(6)
    (array([0.088585]), array([0.747453]))
    """
    beta1, beta2 = check_pair(betas)
    estimate = DistanceEstimate(
        beta1,  # type: ignore[arg-type]
        beta2,  # type: ignore[arg-type]
        eps=eps,
        start=d0,
        coefficient=d_coef,
        growth=growth_rate,
    )
    return Recipe(
        name="prodigy", lr=lr, **metric(preconditioner=estimate), **decay_parts(decay, weight_decay)
    )
