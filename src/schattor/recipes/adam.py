"""Adam and its descendants (arXiv 1412.6980): averages over roots of second moments."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from .._edge.values import Schedulable, at_step
from ..parts import (
    Debiased,
    Deviations,
    Diagonal,
    Largest,
    NormScaling,
    Rectified,
    SecondMoment,
    Squares,
)
from ..parts.estimators import EMA
from ..parts.geometries import Lp
from ..recipe.recipe import Recipe
from .registry import Pair, check_pair, decay_parts, recipe


@dataclass(frozen=True)
class InverseTime:
    """The schedule lr / (1 + rate step)."""

    lr: Schedulable
    rate: float

    def __call__(self, step: int) -> float:
        """Return the value at this step."""
        return at_step(self.lr, step) / (1.0 + self.rate * step)


def metric(**slots: Any) -> dict[str, Any]:
    """Return the slots of a method whose step is the mapped estimate itself."""
    return {"geometry": Lp(2.0), "scaling": NormScaling("regularization"), **slots}


@recipe(family="diagonal", source="Loshchilov and Hutter, arXiv 1711.05101; torch.optim.AdamW")
def adamw(
    *,
    lr: Schedulable = 1e-3,
    betas: Pair = (0.9, 0.999),
    eps: Schedulable = 1e-8,
    weight_decay: Schedulable = 1e-2,
    decay: str = "decoupled",
) -> Recipe:
    r"""AdamW with torch's conventions.

    .. math:: M \leftarrow \beta_1 M + (1-\beta_1) G, \quad V \leftarrow \beta_2 V + (1-\beta_2) G^2, \quad
       W \leftarrow (1-\eta\lambda) W - \eta\,\frac{M/(1-\beta_1^t)}{\sqrt{V/(1-\beta_2^t)}+\epsilon}.

    Parameters
    ----------
    lr : float or callable
    betas : pair of float or callable
        In [0, 1).
    eps : float or callable
        Added to the root. At 0 entries that never had a gradient stay where they are.
    weight_decay : float or callable
    decay : {"decoupled", "l2", "independent", "cautious"}
        ``"l2"`` is Adam.

    Returns
    -------
    Recipe

    Raises
    ------
    ValueError
        For values outside their ranges.

    Examples
    --------
    >>> opt = st.AdamW([np.array([1.0])], lr=0.1, weight_decay=0.0)
    >>> opt.step([np.array([3.0])])
    >>> opt.params["0"].round(6)
    array([0.9])
    """
    beta1, beta2 = check_pair(betas)
    return Recipe(
        name="adamw",
        lr=lr,
        **metric(estimator=EMA(beta1, "debiased"), preconditioner=SecondMoment(beta2, eps)),
        **decay_parts(decay, weight_decay),
    )


@recipe(family="diagonal", source="Kingma and Ba, arXiv 1412.6980; torch.optim.Adam")
def adam(
    *,
    lr: Schedulable = 1e-3,
    betas: Pair = (0.9, 0.999),
    eps: Schedulable = 1e-8,
    weight_decay: Schedulable = 0.0,
    decay: str = "l2",
) -> Recipe:
    r"""Adam: AdamW with the decay in the gradient.

    .. math:: M \leftarrow \beta_1 M + (1-\beta_1) G, \quad V \leftarrow \beta_2 V + (1-\beta_2) G^2, \quad
       W \leftarrow W - \eta\,\frac{M/(1-\beta_1^t)}{\sqrt{V/(1-\beta_2^t)}+\epsilon}, \qquad G = \nabla + \lambda W.

    Parameters
    ----------
    lr : float or callable
    betas : pair of float or callable
        In [0, 1).
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
    >>> opt = st.Adam([np.array([1.0])], lr=0.1)
    >>> opt.step([np.array([3.0])])
    >>> opt.params["0"].round(6)
    array([0.9])
    """
    return replace(adamw(lr=lr, betas=betas, eps=eps, weight_decay=weight_decay, decay=decay), name="adam")


@recipe(family="diagonal", source="Reddi, Kale, Kumar, ICLR 2018; torch.optim.Adam(amsgrad=True)")
def amsgrad(
    *,
    lr: Schedulable = 1e-3,
    betas: Pair = (0.9, 0.999),
    eps: Schedulable = 1e-8,
    weight_decay: Schedulable = 0.0,
    decay: str = "l2",
) -> Recipe:
    r"""Adam with the largest second moment so far, with torch's conventions.

    .. math:: \hat V \leftarrow \max(\hat V, V), \qquad
       W \leftarrow W - \eta\,\frac{M/(1-\beta_1^t)}{\sqrt{\hat V/(1-\beta_2^t)}+\epsilon}

    with M and V as in `adam`.

    Parameters
    ----------
    lr : float or callable
    betas : pair of float or callable
        In [0, 1).
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

    Notes
    -----
    With ``decay="decoupled"`` it is torch.optim.AdamW(amsgrad=True). The maximum is taken before the bias correction,
    as torch does; the paper corrects nothing, optax corrects first. After a gradient of 1 and eight of 0.1 another 0.1
    moves by 0.466 lr here and by 0.1535 lr in optax.

    Examples
    --------
    >>> opt = st.AMSGrad([np.array([1.0])], lr=0.1)
    >>> opt.step([np.array([3.0])])
    >>> opt.params["0"].round(6)
    array([0.9])
    """
    beta1, beta2 = check_pair(betas)
    largest = Diagonal(Largest(Squares(beta2)), Debiased(beta2, eps))
    return Recipe(
        name="amsgrad",
        lr=lr,
        **metric(estimator=EMA(beta1, "debiased"), preconditioner=largest),
        **decay_parts(decay, weight_decay),
    )


@recipe(family="diagonal", source="Liu et al., arXiv 1908.03265; torch.optim.RAdam")
def radam(
    *,
    lr: Schedulable = 1e-3,
    betas: Pair = (0.9, 0.999),
    eps: Schedulable = 1e-8,
    weight_decay: Schedulable = 0.0,
    decay: str = "l2",
) -> Recipe:
    r"""Rectified Adam, with torch's conventions: plain momentum until the second moment has settled.

    .. math:: W \leftarrow W - \eta\,\frac{r_t\sqrt{1-\beta_2^t}}{1-\beta_1^t}\,\frac{M}{\sqrt V+\epsilon}
       \ \text{ where } \rho_t > 5, \qquad W \leftarrow W - \eta\,\frac{M}{1-\beta_1^t} \ \text{ else},

    with M and V as in `adam`, and :math:`r_t, \rho_t` as in `schattor.parts.Rectified`.

    Parameters
    ----------
    lr : float or callable
    betas : pair of float or callable
        In [0, 1).
    eps : float or callable
        Added to the root before the bias correction.
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
    :math:`\rho_t` follows from :math:`\beta_2` alone: at 0.999 the first five steps are plain momentum, at 2/3 and
    below all are. The authors' class takes no step at all in that time, and does not decay, unless
    ``degenerated_to_sgd=True``.

    Examples
    --------
    >>> opt = st.RAdam([np.array([1.0])], lr=0.1)
    >>> opt.step([np.array([3.0])])
    >>> opt.params["0"].round(6)
    array([0.7])
    """
    beta1, beta2 = check_pair(betas)
    rectified = Diagonal(Squares(beta2), Rectified(beta2, eps))
    return Recipe(
        name="radam",
        lr=lr,
        **metric(estimator=EMA(beta1, "debiased"), preconditioner=rectified),
        **decay_parts(decay, weight_decay),
    )


@recipe(
    family="diagonal", source="Zhuang et al., arXiv 2010.07468; github.com/juntang-zhuang/Adabelief-Optimizer"
)
def adabelief(
    *,
    lr: Schedulable = 1e-3,
    betas: Pair = (0.9, 0.999),
    eps: Schedulable = 1e-16,
    rectify: bool = True,
    weight_decay: Schedulable = 0.0,
    decay: str = "decoupled",
) -> Recipe:
    r"""AdaBelief: the metric of the gradient's distance from its average.

    .. math:: M \leftarrow \beta_1 M + (1-\beta_1) G, \qquad S \leftarrow \beta_2 S + (1-\beta_2)(G - M)^2 + \epsilon,
       \qquad W \leftarrow W - \eta\,\frac{M/(1-\beta_1^t)}{\sqrt{S/(1-\beta_2^t)}+\epsilon},

    or, by default, the rectified form of `radam` with S in the place of V.

    Parameters
    ----------
    lr : float or callable
    betas : pair of float or callable
        In [0, 1).
    eps : float or callable
        Added to S in every step, and to the root.
    rectify : bool
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
    As :math:`\epsilon` is added to the stored S, the corrected S never falls below :math:`\epsilon/(1-\beta_2)`.

    Examples
    --------
    >>> opt = st.AdaBelief([np.array([1.0])], lr=0.1)
    >>> opt.step([np.array([3.0])])
    >>> opt.params["0"].round(6)
    array([0.7])
    """
    beta1, beta2 = check_pair(betas)
    division = (Rectified if rectify else Debiased)(beta2, eps, beta1)
    return Recipe(
        name="adabelief",
        lr=lr,
        **metric(estimator=EMA(beta1, "zero"), preconditioner=Diagonal(Deviations(beta2, eps), division)),
        **decay_parts(decay, weight_decay),
    )
