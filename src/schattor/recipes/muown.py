"""Muown: Muon on weight-normalised rows."""

from __future__ import annotations

from .._edge.backends import Coefficients, NewtonSchulz
from .._edge.values import Schedulable
from ..parts import (
    NormScaling,
    SecondMoment,
    WeightNormalized,
)
from ..parts.estimators import EMA
from ..parts.geometries import Spectral
from ..recipe.recipe import Recipe
from .registry import IN_DTYPE, NO_CONSTANT, Pair, check_pair, recipe


@recipe(
    family="layerwise",
    source="arXiv 2605.10797, in the form of NVIDIA-NeMo/Emerging-Optimizers, contrib/muown.py",
    deviations=(
        IN_DTYPE,
        NO_CONSTANT,
        "The length of v is its own; the authors' script has a schedule from its first value to a target instead.",
        "The authors' script has Nesterov momentum, twelve steps of Polar Express and no decay.",
        "A zero row stays in its place until its first gradient; the authors' script gives it the length sqrt(0.33).",
        "A magnitude does not come closer to zero than 1e-12, where its row would lose its direction.",
    ),
)
def muown(
    *,
    lr: Schedulable = 3e-4,
    momentum: Schedulable = 0.95,
    nesterov: bool = False,
    betas: Pair = (0.9, 0.95),
    eps: Schedulable = 1e-8,
    weight_decay: Schedulable = 0.0,
    coefficients: Coefficients = "you_jiacheng_5",
    steps: int | None = None,
) -> Recipe:
    r"""Muown: rows as magnitude times direction; Muon moves the directions, Adam the magnitudes.

    .. math:: W_i = g_i\,v_i/\|v_i\|, \qquad v \leftarrow v - 0.2\,\eta\sqrt{\max(m, n)}\;\mathrm{NS}(M), \qquad
              g \leftarrow (1-\eta\lambda)(g - \eta\,\mathrm{Adam}(\nabla g)),

    with the average M of :math:`\nabla v_i = (g_i/\|v_i\|)(G_i - \nabla g_i\,u_i)`, where
    :math:`u_i = v_i/\|v_i\|` and :math:`\nabla g_i = \langle G_i, u_i\rangle`.

    Parameters
    ----------
    lr : float or callable
        Of both.
    momentum : float or callable
        Of the directions; the buffer starts at zero.
    nesterov : bool
    betas : pair of float or callable
        Rates of the averages for the magnitudes.
    eps : float or callable
        Added to the root for the magnitudes.
    weight_decay : float or callable
        Of the magnitudes, after their step.
    coefficients : str or triples of float
        A name from `schattor.linalg.coefficient_sets`, or your own as in `schattor.linalg.NewtonSchulz`.
    steps : int, optional
        Default: the number that the set was made for.

    Returns
    -------
    Recipe

    Raises
    ------
    ValueError
        For values outside their ranges, and for blocks below two dimensions.

    Notes
    -----
    The parameters must not be changed between steps: v is made of them again.

    Examples
    --------
    >>> opt = st.Muown({"W": np.diag([3.0, 4.0])}, lr=0.1)
    >>> opt.step({"W": np.array([[1.0, 2.0], [2.0, -1.0]])})
    >>> np.linalg.norm(opt.params["W"], axis=1).round(4)  # 3 - lr and 4 + lr: Adam's first step
    array([2.9, 4.1])
    """
    beta1, beta2 = check_pair(betas)
    return Recipe(
        name="muown",
        lr=lr,
        estimator=EMA(momentum, "zero", nesterov),
        geometry=Spectral(NewtonSchulz(coefficients, steps)),
        scaling=NormScaling("ball", "match_rms_adamw"),
        update=WeightNormalized(EMA(beta1, "debiased"), SecondMoment(beta2, eps), weight_decay),
        matrices_only=True,
    )
