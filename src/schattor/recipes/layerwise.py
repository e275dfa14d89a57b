"""Methods that act on rows, on whole layers, or on the shape of the weights themselves."""

from __future__ import annotations

import math
from dataclasses import replace

from ..backends import NewtonSchulz
from ..estimators import EMA, HeavyBall
from ..geometries import ColumnNorm, Lp, RowNorm, Spectral, Switched
from ..parts import (
    Additive,
    DecayInDirection,
    EntryMoment,
    Hyperball,
    NormScaling,
    OracleLength,
    RootMeanSquare,
    RowMoment,
    SecondMoment,
    Signs,
    SwitchedScaling,
    TangentProjection,
    TrustRatio,
    WeightNormalized,
)
from ..recipe import Pair, Recipe, check_pair, decay_parts, recipe
from ..values import Schedulable
from .averaging import schedule_free
from .spectral import muon

_NO_CONSTANT = "No constant is added to the norms before Newton-Schulz and after it."
_IN_DTYPE = "Newton-Schulz runs in the dtype of the block, in the source in bfloat16."


@recipe(
    family="layerwise",
    source="Li et al., arXiv 2510.05491; github.com/zichongli5/NorMuon",
    deviations=(
        _IN_DTYPE,
        _NO_CONSTANT,
        "A convolution is one matrix, whose rows are its output channels; the source averages over its last axis.",
        "A missing gradient (None) leaves the block alone; the source takes it as zero.",
    ),
)
def normuon(
    *,
    lr: Schedulable = 0.02,
    momentum: Schedulable = 0.95,
    nesterov: bool = True,
    beta2: Schedulable = 0.95,
    weight_decay: Schedulable = 0.0,
    decay: str = "decoupled",
    coefficients: str = "muon",
    steps: int | None = None,
) -> Recipe:
    r"""NorMuon: Muon whose rows share a second moment each.

    .. math:: O = \mathrm{NS}(U), \quad
              v_i \leftarrow \beta_2 v_i + (1-\beta_2)\,\tfrac1n\textstyle\sum_j O_{ij}^2, \quad
              \hat O_{ij} = \frac{O_{ij}}{\sqrt{v_i} + 10^{-10}}, \quad
              W \leftarrow (1-\eta\lambda) W - \eta\, s\, \frac{\|O\|_F}{\|\hat O\|_F}\,\hat O

    with Muon's estimate U and shape factor s = sqrt(max(1, rows/cols)).

    Parameters
    ----------
    lr : float or callable
    momentum : float or callable
        The buffer starts at zero.
    nesterov : bool
    beta2 : float or callable
        Rate of the second moment of the rows; it starts at zero and is not debiased, which the last quotient undoes.
    weight_decay : float or callable
    decay : {"decoupled", "l2", "independent", "cautious"}
    coefficients : str
        A name from `schattor.linalg.coefficient_sets`.
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
    The rows of an exact polar factor of a wide matrix of full rank have length one: NorMuon is Muon there.

    Examples
    --------
    >>> opt = st.NorMuon({"W": np.zeros((3, 2))}, lr=1.0, backend="svd")
    >>> opt.step({"W": np.array([[2.0, 0.0], [0.0, 1.0], [0.0, 1.0]])})
    >>> np.linalg.norm(opt.params["W"], axis=1).round(6)  # of rows with one gradient so far
    array([1., 1., 1.])
    """
    return Recipe(
        name="normuon",
        lr=lr,
        estimator=EMA(momentum, "zero", nesterov),
        geometry=Spectral(NewtonSchulz(coefficients, steps)),
        adjustments=(RowMoment(beta2), OracleLength()),
        scaling=NormScaling("ball", "original"),
        matrices_only=True,
        **decay_parts(decay, weight_decay),
    )


@recipe(
    family="layerwise",
    source="Si et al., arXiv 2507.11005; github.com/Chongjie-Si/AdaMuon",
    deviations=(_IN_DTYPE, _NO_CONSTANT),
)
def adamuon(
    *,
    lr: Schedulable = 0.02,
    momentum: Schedulable = 0.95,
    nesterov: bool = True,
    eps: Schedulable = 1e-8,
    weight_decay: Schedulable = 0.01,
    decay: str = "decoupled",
    coefficients: str = "muon",
    steps: int | None = None,
) -> Recipe:
    r"""AdaMuon: the polar factor of signs, divided by the root of its own second moment.

    .. math:: O = \mathrm{NS}(\mathrm{sign}\,U), \quad V \leftarrow \beta V + (1-\beta) O^2, \quad
              \hat O = \frac{O}{\sqrt V + \epsilon}, \quad
              W \leftarrow (1-\eta\lambda) W - 0.2\,\eta\,\frac{\sqrt{mn}}{\|\hat O\|_F}\,\hat O

    with Muon's estimate U and the rate :math:`\beta` of its momentum.

    Parameters
    ----------
    lr : float or callable
        The root mean square of a step is 0.2 lr.
    momentum : float or callable
        The buffers start at zero.
    nesterov : bool
    eps : float or callable
        Added to the root.
    weight_decay : float or callable
    decay : {"decoupled", "l2", "independent", "cautious"}
    coefficients : str
        A name from `schattor.linalg.coefficient_sets`.
    steps : int, optional
        Default: the number that the set was made for.

    Returns
    -------
    Recipe

    Raises
    ------
    ValueError
        For values outside their ranges, and for blocks below two dimensions.

    Examples
    --------
    >>> opt = st.AdaMuon({"W": np.zeros((2, 2))}, lr=1.0, weight_decay=0.0, backend="svd")
    >>> opt.step({"W": np.array([[3.0, -1.0], [2.0, 1.0]])})
    >>> opt.params["W"].round(6)  # signs in the first step
    array([[-0.2,  0.2],
           [-0.2, -0.2]])
    """
    return Recipe(
        name="adamuon",
        lr=lr,
        estimator=EMA(momentum, "zero", nesterov),
        preconditioner=Signs(),
        geometry=Spectral(NewtonSchulz(coefficients, steps)),
        adjustments=(EntryMoment(momentum, eps), RootMeanSquare(0.2)),
        matrices_only=True,
        **decay_parts(decay, weight_decay),
    )


@recipe(
    family="layerwise",
    source="arXiv 2605.23061, Algorithm SF-NorMuon",
    deviations=(
        "Weight decay acts at y, as in schedule-free AdamW; in the source at z.",
        "An iterate weighs by the largest lr so far, in the source by its own: the same where the lr does not fall.",
        "The polar factor is Muon's five Newton-Schulz steps unless ``backend`` says otherwise.",
    ),
)
def schedule_free_normuon(
    *,
    lr: Schedulable = 0.02,
    beta: float = 0.9,
    momentum: Schedulable = 0.95,
    beta2: Schedulable = 0.95,
    r: float = 0.0,
    weight_lr_power: float = 2.0,
    weight_decay: Schedulable = 0.0,
) -> Recipe:
    r"""NorMuon with schedule-free averaging of its iterates.

    .. math:: z \leftarrow z - \eta\lambda y - 0.2\,\eta\,\frac{\sqrt{mn}}{\|\hat O\|_F}\,\hat O, \quad
              x \leftarrow (1-c_t)\,x + c_t z, \quad y \leftarrow \beta x + (1-\beta) z

    with the rows :math:`\hat O` of `normuon`, from the average of the gradients at y without Nesterov, and the shares
    :math:`c_t` of `schedule_free`.

    Parameters
    ----------
    lr : float or callable
        A callable for the warm-up: the source takes ``lr * min(1, (step + 1) / warmup_steps)``. The root mean square
        of a step of z is 0.2 lr.
    beta : float
        In (0, 1].
    momentum, beta2 : float or callable
    r, weight_lr_power : float
        See `schedule_free`.
    weight_decay : float or callable

    Returns
    -------
    Recipe

    Raises
    ------
    ValueError
        For values outside their ranges, and for blocks below two dimensions.

    Examples
    --------
    >>> opt = st.ScheduleFreeNorMuon({"W": np.zeros((2, 2))}, lr=1.0, backend="svd")
    >>> opt.step({"W": np.eye(2)})
    >>> np.abs(opt.evaluation_params()["W"]).max().round(6)  # 0.2 sqrt(4) / sqrt(2)
    np.float64(0.282843)
    """
    inner = normuon(lr=lr, momentum=momentum, nesterov=False, beta2=beta2, weight_decay=weight_decay)
    inner = replace(
        inner, adjustments=(RowMoment(beta2), RootMeanSquare(0.2)), scaling=NormScaling("ball", "none")
    )
    averaged = schedule_free(inner, beta=beta, r=r, weight_lr_power=weight_lr_power)
    return replace(averaged, name="schedule_free_normuon")


@recipe(
    family="layerwise",
    source="You, Gitman, Ginsburg, arXiv 1708.03888, in the form of optax.lars",
    deviations=(
        "The paper divides by the sum of the norms of gradient and decay, optax by the norm of their sum, as here.",
        "Biases are not left out by themselves: route them to `sgd`.",
    ),
)
def lars(
    *,
    lr: Schedulable,
    momentum: Schedulable = 0.9,
    nesterov: bool = False,
    trust_coefficient: Schedulable = 0.001,
    weight_decay: Schedulable = 0.0,
    decay: str = "l2",
) -> Recipe:
    r"""LARS: heavy-ball momentum of gradients that are scaled to the norm of their layer's weights.

    .. math:: G \leftarrow G + \lambda W, \quad
              B \leftarrow \mu B + \eta\,\frac{c\,\|W\|_F}{\|G\|_F}\,G, \quad W \leftarrow W - B

    The factor :math:`c\|W\|/\|G\|` is one where a norm is zero. With Nesterov W moves by the scaled gradient plus
    :math:`\mu B`.

    Parameters
    ----------
    lr : float or callable
        Each step's own goes into the buffer.
    momentum : float or callable
        :math:`\mu`; the buffer starts at zero.
    nesterov : bool
    trust_coefficient : float or callable
        c.
    weight_decay : float or callable
    decay : {"l2", "decoupled", "independent", "cautious"}

    Returns
    -------
    Recipe

    Raises
    ------
    ValueError
        For values outside their ranges.

    Examples
    --------
    >>> opt = st.LARS({"W": np.array([3.0, 4.0])}, lr=1.0, momentum=0.0, trust_coefficient=0.1)
    >>> opt.step({"W": np.array([100.0, 0.0])})
    >>> opt.params["W"]  # a step as long as a tenth of the weights
    array([2.5, 4. ])
    """
    return Recipe(
        name="lars",
        lr=lr,
        geometry=Lp(2.0),
        adjustments=(TrustRatio(trust_coefficient),),
        scaling=NormScaling("regularization"),
        output=HeavyBall(momentum, init="zero", nesterov=nesterov),
        output_takes_lr=True,
        **decay_parts(decay, weight_decay),
    )


@recipe(
    family="layerwise",
    source="You et al., arXiv 1904.00962, in the form of optax.lamb",
    deviations=("Biases and gains are not left out by themselves: route them to `adamw`.",),
)
def lamb(
    *,
    lr: Schedulable = 1e-3,
    betas: Pair = (0.9, 0.999),
    eps: Schedulable = 1e-6,
    largest_norm: float = math.inf,
    weight_decay: Schedulable = 0.0,
) -> Recipe:
    r"""LAMB: Adam's direction with its decay, scaled to the norm of its layer's weights.

    .. math:: R = \frac{M / (1-\beta_1^t)}{\sqrt{V / (1-\beta_2^t)} + \epsilon} + \lambda W, \qquad
              W \leftarrow W - \eta\,\frac{\min(\|W\|_F, \phi)}{\|R\|_F}\,R

    The factor before R, lr aside, is one where a norm is zero.

    Parameters
    ----------
    lr : float or callable
    betas : pair of float or callable
        Rates of the averages M of gradients and V of their squares.
    eps : float or callable
        Added to the root.
    largest_norm : float
        :math:`\phi`; some codes take 10.
    weight_decay : float or callable
        In the direction, before its norm is taken.

    Returns
    -------
    Recipe

    Raises
    ------
    ValueError
        For values outside their ranges.

    Examples
    --------
    >>> opt = st.LAMB({"W": np.array([3.0, 4.0])}, lr=0.1)
    >>> opt.step({"W": np.array([5.0, -2.0])})
    >>> (opt.params["W"] - np.array([3.0, 4.0])).round(4)  # signs, as long as a tenth of the weights
    array([-0.3536,  0.3536])
    """
    beta1, beta2 = check_pair(betas)
    return Recipe(
        name="lamb",
        lr=lr,
        estimator=EMA(beta1, "debiased"),
        preconditioner=SecondMoment(beta2, eps),
        geometry=Lp(2.0),
        adjustments=(DecayInDirection(weight_decay), TrustRatio(1.0, largest_norm)),
        scaling=NormScaling("regularization"),
    )


def _parity(step: int) -> int:
    return step % 2


def _root_of_columns(m: int, n: int) -> float:
    return math.sqrt(n)


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
    coefficients: str = "simple_quintic",
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
    coefficients : str
        A name from `schattor.linalg.coefficient_sets`.
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
    coefficients: str = "you_jiacheng_5",
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
    coefficients : str
        A name from `schattor.linalg.coefficient_sets`.
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
