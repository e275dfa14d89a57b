"""Mano, hyperballs and Muown: lengths of weights held or moved on their own."""

from __future__ import annotations

from dataclasses import replace

from .._edge.arguments import checked
from .._edge.backends import Coefficients, NewtonSchulz
from .._edge.values import Schedulable
from ..parts import (
    Additive,
    Hyperball,
    NormScaling,
    SecondMoment,
    SwitchedScaling,
    TangentProjection,
    WeightNormalized,
)
from ..parts.estimators import EMA, HeavyBall
from ..parts.geometries import ColumnNorm, RowNorm, Spectral, Switched
from ..recipe.recipe import Recipe
from .muon import muon
from .normuon import _IN_DTYPE, _NO_CONSTANT, _parity, _root_of_columns
from .registry import Pair, check_pair, decay_parts, recipe


@recipe(
    family="layerwise",
    source="arXiv 2601.23000; github.com/xie-lab-ml/Mano-Restriking-Manifold-Optimization-for-LLM-Training, mano.py",
    deviations=(
        "No constant bounds the norms from below: zero over zero is zero.",
        "The second version, mano_v2.py, does not divide W by its norms; where a line of W is longer than one, it goes "
        "uphill along W. It is not reproduced.",
    ),
)
def mano(
    *,
    lr: Schedulable = 1e-3,
    momentum: Schedulable = 0.95,
    nesterov: bool = False,
    weight_decay: Schedulable = 0.1,
    decay: str = "decoupled",
) -> Recipe:
    r"""Mano: tangent steps on spheres of columns and of rows, in turn.

    .. math:: B \leftarrow \beta B + G, \quad T_j = B_j - \langle B_j, P_j\rangle P_j, \quad P_j = W_j/\|W_j\|, \quad
              W_j \leftarrow (1-\eta\lambda) W_j - 0.2\,\eta\,\sqrt{\ell}\;T_j/\|T_j\|

    for lines j of length :math:`\ell`: the columns in even steps, from 0, and the rows in odd ones.

    Parameters
    ----------
    lr : float or callable
        The root mean square of a step is 0.2 lr.
    momentum : float or callable
        The buffer starts at zero.
    nesterov : bool
    weight_decay : float or callable
    decay : {"decoupled", "l2", "independent", "cautious"}

    Returns
    -------
    Recipe

    Raises
    ------
    ValueError
        For values outside their ranges, and for blocks below two dimensions.

    Examples
    --------
    >>> opt = st.Mano({"W": np.eye(2)}, lr=1.0, weight_decay=0.0)
    >>> opt.step({"W": np.array([[7.0, 0.0], [1.0, 5.0]])})
    >>> (opt.params["W"] - np.eye(2)).round(6) + 0.0  # what lies along a column of W does not count
    array([[ 0.      ,  0.      ],
           [-0.282843,  0.      ]])
    """
    return Recipe(
        name="mano",
        lr=lr,
        estimator=HeavyBall(momentum, init="zero", nesterov=nesterov),
        preconditioner=TangentProjection(_parity, ("columns", "rows")),
        geometry=Switched(_parity, (ColumnNorm(), RowNorm())),
        scaling=SwitchedScaling(
            _parity, (NormScaling("ball", "rows", 0.2), NormScaling("ball", _root_of_columns, 0.2))
        ),
        matrices_only=True,
        **decay_parts(decay, weight_decay),
    )


@checked
def hyperball(inner: Recipe) -> Recipe:
    r"""Return a recipe that moves on the sphere of its first weights, in the directions of another.

    .. math:: W \leftarrow R\,\frac{W'}{\|W'\|_F}, \qquad W' = W + \eta R\,\frac{D}{\|D\|_F}, \qquad R = \|W_0\|_F

    with the displacement D of `inner`, whose length and scale do not matter. The lr is about the angle of a step.

    Parameters
    ----------
    inner : Recipe
        Without decay beside the step, which the sphere would undo.

    Returns
    -------
    Recipe

    Raises
    ------
    ValueError
        For an `inner` with decay or with another update of its own; an optimizer refuses blocks that are zero.

    Notes
    -----
    Wen et al., arXiv 2606.16899.

    Examples
    --------
    >>> recipe = st.recipes.hyperball(st.recipes.adamw(lr=0.1, weight_decay=0.0))
    >>> opt = st.Optimizer({"W": np.array([3.0, 4.0])}, recipe)
    >>> for _ in range(5):
    ...     opt.step({"W": np.array([1.0, -1.0])})
    >>> float(np.linalg.norm(opt.params["W"]).round(12))
    5.0
    """
    if inner.update != Additive():
        raise ValueError(f"{inner.name} must have neither decay nor an update of its own, got {inner.update}")
    return replace(inner, name=f"hyperball({inner.name})", update=Hyperball())


@recipe(
    family="layerwise",
    source="Wen et al., arXiv 2606.16899; github.com/KellerJordan/modded-nanogpt, records/track_3_optimization, MuonH",
    deviations=(
        _IN_DTYPE,
        _NO_CONSTANT,
        "The radius is that of the first weights; the script reads the norm of the weights anew in each step.",
    ),
)
def muon_hyperball(
    *,
    lr: Schedulable = 0.014,
    momentum: Schedulable = 0.95,
    nesterov: bool = True,
    coefficients: Coefficients = "simple_quintic",
    steps: int | None = None,
) -> Recipe:
    r"""MuonH: Muon's directions on the sphere of the first weights' Frobenius norm R.

    .. math:: W' = W - \eta R\,\frac{\mathrm{NS}(U)}{\|\mathrm{NS}(U)\|_F}, \qquad W \leftarrow R\,\frac{W'}{\|W'\|_F}

    with Muon's estimate U. It is `hyperball` of `muon`. There is no weight decay.

    Parameters
    ----------
    lr : float or callable
    momentum : float or callable
        The buffer starts at zero.
    nesterov : bool
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
        For values outside their ranges, and for blocks that are zero or below two dimensions.

    Examples
    --------
    >>> opt = st.MuonHyperball({"W": np.diag([3.0, 4.0])}, lr=0.1)
    >>> opt.step({"W": np.ones((2, 2))})
    >>> float(np.linalg.norm(opt.params["W"]).round(12))
    5.0
    """
    inner = muon(lr=lr, momentum=momentum, nesterov=nesterov, coefficients=coefficients, steps=steps)
    return replace(hyperball(inner), name="muon_hyperball")


@recipe(
    family="layerwise",
    source="arXiv 2605.10797, in the form of NVIDIA-NeMo/Emerging-Optimizers, contrib/muown.py",
    deviations=(
        _IN_DTYPE,
        _NO_CONSTANT,
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
