"""NorMuon: a second moment of every row after the oracle."""

from __future__ import annotations

from dataclasses import replace

from .._edge.backends import Coefficients, NewtonSchulz
from .._edge.values import Schedulable
from ..parts import (
    NormScaling,
    OracleLength,
    RootMeanSquare,
    RowMoment,
)
from ..parts.estimators import EMA
from ..parts.geometries import Spectral
from ..recipe.recipe import Recipe
from .registry import IN_DTYPE, NO_CONSTANT, decay_parts, recipe
from .schedule_free import schedule_free


@recipe(
    family="layerwise",
    source="Li et al., arXiv 2510.05491; github.com/zichongli5/NorMuon",
    deviations=(
        IN_DTYPE,
        NO_CONSTANT,
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
