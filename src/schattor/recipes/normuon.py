"""Muon with normalised rows, columns or entries after, or in place of, the oracle."""

from __future__ import annotations

import math
from dataclasses import replace

from .._edge.backends import Coefficients, NewtonSchulz
from .._edge.values import (
    Schedulable,
    check_choice,
)
from ..parts import (
    EntryMoment,
    LineNormalization,
    NormScaling,
    OracleLength,
    RootMeanSquare,
    RowMoment,
    Signs,
)
from ..parts.estimators import EMA, HeavyBall
from ..parts.geometries import RowNorm, Spectral
from ..recipe.recipe import Recipe
from .equilibrated_muon import _ORDERS
from .registry import decay_parts, recipe
from .schedule_free import schedule_free


@recipe(
    family="composites",
    source="arXiv 2602.21545; github.com/K1seki221/MuonPlus",
    deviations=(
        "Newton-Schulz runs without a constant in its norm.",
        "The default is `mode` 'col_row'; the source's class normalises nothing unless told.",
        "The source's eps argument has no effect; here it is the constant that the source has in its place.",
        "The source's option of a nuclear length, from the normalised direction and the momentum, is left out.",
    ),
)
def muon_plus(
    *,
    lr: Schedulable = 1e-3,
    mode: str = "col_row",
    momentum: Schedulable = 0.95,
    nesterov: bool = True,
    weight_decay: Schedulable = 0.1,
    decay: str = "decoupled",
    scale: str | float = "spectral",
    eps: float = 1e-7,
) -> Recipe:
    r"""Muon+: rows or columns of the orthogonalised momentum normalised once more.

    .. math:: B \leftarrow \beta B + G, \quad O = \mathrm{NS}(G + \beta B), \quad
              O_{ij} \leftarrow O_{ij} \Bigl(\sum_k O_{kj}^2 + \epsilon\Bigr)^{-1/2}, \quad
              W \leftarrow (1-\eta\lambda) W - \eta\,\sqrt{m/n}\; O

    for columns, with the five Newton-Schulz steps of Muon.

    Parameters
    ----------
    lr : float or callable
    mode : {"none", "col", "row", "col_row", "row_col"}
        Which lines are normalised, in this order.
    momentum : float or callable
        Of a heavy ball that starts at zero.
    nesterov : bool
    weight_decay : float or callable
    decay : {"decoupled", "l2", "independent", "cautious"}
    scale : str or float
        Shape factor; see `schattor.parts.shape_factor`.
    eps : float
        Added to squared lengths.

    Returns
    -------
    Recipe

    Raises
    ------
    ValueError
        For values outside their ranges, and for blocks below two dimensions.

    Notes
    -----
    The columns of an exact polar factor of a tall matrix of full rank have length one already, as do the rows of a wide
    one's: there the step is Muon's, but for eps.

    Examples
    --------
    >>> opt = st.MuonPlus({"W": np.zeros((2, 2))}, lr=1.0, weight_decay=0.0)
    >>> opt.step({"W": np.diag([3.0, 1.0])})
    >>> opt.params["W"].round(6) + 0.0
    array([[-1.,  0.],
           [ 0., -1.]])
    """
    check_choice("mode", mode, _ORDERS)
    return Recipe(
        name="muon_plus",
        lr=lr,
        estimator=HeavyBall(momentum, init="zero", nesterov=nesterov),
        geometry=Spectral(NewtonSchulz("muon")),
        adjustments=(LineNormalization(_ORDERS[mode], eps),),
        scaling=NormScaling("ball", scale),
        matrices_only=True,
        **decay_parts(decay, weight_decay),
    )


@recipe(
    family="composites",
    source="arXiv 2603.20527; github.com/Dominator-Index/RMNP",
    deviations=(
        "No length is bounded from below; a zero row gives zero.",
        "Without Nesterov the source drops the momentum altogether; here the buffer itself is normalised.",
    ),
)
def rmnp(
    *,
    lr: Schedulable = 0.02,
    momentum: Schedulable = 0.95,
    nesterov: bool = True,
    weight_decay: Schedulable = 0.0,
    decay: str = "decoupled",
    scale: str | float = "original",
) -> Recipe:
    r"""RMNP: the rows of the momentum normalised, in the place of Muon's polar factor.

    .. math:: B \leftarrow \beta B + G, \quad U = G + \beta B, \quad
              W_i \leftarrow (1-\eta\lambda) W_i - \eta\,s\,U_i / \|U_i\|

    with s = sqrt(max(1, m/n)). It is the ball oracle of `schattor.RowNorm`, and costs no matrix product.

    Parameters
    ----------
    lr : float or callable
    momentum : float or callable
        Of a heavy ball that starts at zero.
    nesterov : bool
    weight_decay : float or callable
    decay : {"decoupled", "l2", "independent", "cautious"}
    scale : str or float
        Shape factor; see `schattor.parts.shape_factor`.

    Returns
    -------
    Recipe

    Raises
    ------
    ValueError
        For values outside their ranges, and for blocks below two dimensions.

    Notes
    -----
    Where the rows of U are orthogonal, this is Muon with the exact polar factor.

    Examples
    --------
    >>> opt = st.RMNP({"W": np.zeros((2, 2))}, lr=1.0)
    >>> opt.step({"W": np.array([[3.0, 4.0], [0.0, 0.0]])})
    >>> opt.params["W"] + 0.0
    array([[-0.6, -0.8],
           [ 0. ,  0. ]])
    """
    return Recipe(
        name="rmnp",
        lr=lr,
        estimator=HeavyBall(momentum, init="zero", nesterov=nesterov),
        geometry=RowNorm(),
        scaling=NormScaling("ball", scale),
        matrices_only=True,
        **decay_parts(decay, weight_decay),
    )


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
    names={"beta": "beta2"},
)
def normuon(
    *,
    lr: Schedulable = 0.02,
    momentum: Schedulable = 0.95,
    nesterov: bool = True,
    beta2: Schedulable = 0.95,
    weight_decay: Schedulable = 0.0,
    decay: str = "decoupled",
    coefficients: Coefficients = "muon",
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
    coefficients: Coefficients = "muon",
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


def _parity(step: int) -> int:
    return step % 2


def _root_of_columns(m: int, n: int) -> float:
    return math.sqrt(n)
