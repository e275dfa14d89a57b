"""The Schatten family itself."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Literal

from .._edge.values import Schedulable, check_choice
from ..drivers.exponent import AdaptiveExponent
from ..drivers.theory import from_theory
from ..parts import NormScaling
from ..parts.estimators import EMA, Estimator, HeavyBall
from ..parts.geometries import Schatten
from ..parts.mixed_norm import Coupling, MixedNorm
from ..recipe.driver import Driver, by_driver
from ..recipe.recipe import Recipe
from ..theory import Run
from .registry import decay_parts, recipe

KINDS: dict[str, type[EMA] | type[HeavyBall]] = {"ema": EMA, "heavy_ball": HeavyBall}


def momentum_of(kind: str, momentum: Schedulable, init: str, nesterov: bool) -> Estimator:
    """Return the estimator of this kind."""
    check_choice("momentum_kind", kind, KINDS)
    check_choice("momentum_init", init, ("first", "zero"))
    return KINDS[kind](momentum=momentum, init=init, nesterov=nesterov)


# More arguments than other recipes have: it is the whole family, and each names a choice of the paper.
@recipe(family="Schatten", source="Ma, Zhang, He, arXiv 2606.15702, Algorithms 1-4", example={"p": 4.0})
def schattor(
    *,
    p: Schedulable | Literal["auto"] | AdaptiveExponent | None = None,
    lr: Schedulable | Literal["theory"],
    rule: str = "ball",
    momentum: Schedulable | Literal["theory"] = 0.9,
    momentum_kind: str = "ema",
    momentum_init: str = "first",
    nesterov: bool = False,
    weight_decay: Schedulable = 0.0,
    decay: str = "decoupled",
    scale: str | float = "none",
    outer: float | None = None,
    weights: Schedulable | Mapping[str, Schedulable] | None = None,
    norm: MixedNorm | None = None,
    theory: Run | None = None,
) -> Recipe:
    r"""Schatten-family methods: ball or regularization oracle of a momentum estimate.

    .. math:: M_t = (1-\theta) M_{t-1} + \theta G_t, \qquad X_{t+1} = X_t + \eta D(M_t)

    with the ball oracle D (Algorithms 1 and 3) or the regularization oracle (Algorithms 2 and 4) of a Schatten norm,
    or of a mixed norm over the blocks, and :math:`\theta = 1 - \text{momentum}`.

    Parameters
    ----------
    p : float, callable, "auto" or AdaptiveExponent
        Schatten exponent of every block, in [1, inf]. Required unless `norm` is given. ``"auto"``: chosen for each
        block along the run, by the defaults of `schattor.AdaptiveExponent`.
    lr : float, callable or "theory"
        Step size :math:`\eta`. For the ball rule the primal norm of the step; for the regularization rule the factor
        on a step as long as the dual norm of the estimate. ``"theory"``, together with momentum: what minimises the
        bound of Theorems 1 to 4, with constants measured along the run; see the guide on it.
    rule : {"ball", "regularization"}
    momentum : float, callable or "theory"
        :math:`1-\theta` in [0, 1).
    momentum_kind : {"ema", "heavy_ball"}
    momentum_init : {"first", "zero"}
        ``"first"``: :math:`M_0` is the first gradient, and the first step uses it. ``"zero"``: :math:`M_0 = 0`.
    nesterov : bool
    weight_decay : float or callable
    decay : {"decoupled", "l2", "independent", "cautious"}
    scale : str or float
        Shape factor of each block; see `schattor.parts.shape_factor`.
    outer : float, optional
        Outer exponent r. Default inf for the ball rule and 2 for the regularization rule: those with which the blocks
        separate.
    weights : float, callable or mapping, optional
        Block weights :math:`w_i`, by name or glob. Default 1.
    norm : MixedNorm, optional
        Names every block; instead of `p`, `outer` and `weights`.
    theory : schattor.theory.Run, optional
        What ``lr="theory"`` must be told about the run.

    Returns
    -------
    Recipe

    Raises
    ------
    TypeError
        Without p and norm, or with norm beside p, outer or weights.
    ValueError
        For values outside their ranges; with ``lr="theory"`` for p < 2, r < 2, Nesterov, heavy ball, weight decay and
        shape factors.

    Notes
    -----
    p = 2 is normalised SGD (ball) and SGD (regularization); p = inf is Muon with the exact polar factor (ball) and
    PolarGrad (regularization). The paper's :math:`\theta` is one minus `momentum`.

    Examples
    --------
    >>> opt = st.Schattor({"W": np.eye(2)}, p=4, lr=0.1)
    >>> opt.step({"W": np.diag([8.0, 1.0])})
    >>> opt.params["W"].round(3)
    array([[0.902, 0.   ],
           [0.   , 0.951]])
    """
    if norm is None and p is None:
        raise TypeError("schattor needs p= (a Schatten exponent) or norm= (a MixedNorm), got None for both")
    if norm is not None and not (p is None and outer is None and weights is None):
        raise TypeError("norm= brings its own exponents, outer= and weights=; give it alone")
    driver: Driver | None = from_theory(lr, momentum, theory)
    if p == "auto" or isinstance(p, AdaptiveExponent):
        if driver is not None:
            raise ValueError('p="auto" and lr="theory" do not go together: the theorems hold for one norm')
        driver, p = AdaptiveExponent() if p == "auto" else p, by_driver
    default_outer = math.inf if rule == "ball" else 2.0
    return Recipe(
        name="schattor",
        lr=by_driver if lr == "theory" else lr,
        estimator=momentum_of(
            momentum_kind, by_driver if momentum == "theory" else momentum, momentum_init, nesterov
        ),
        geometry=norm if norm is not None else Schatten(p),  # type: ignore[arg-type]
        coupling=None
        if norm
        else Coupling(default_outer if outer is None else outer, 1.0 if weights is None else weights),
        scaling=NormScaling(rule, scale),
        driver=driver,
        **decay_parts(decay, weight_decay),
    )
