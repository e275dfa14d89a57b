"""AdaMuon: a second moment of every entry after the oracle."""

from __future__ import annotations

from .._edge.backends import Coefficients, NewtonSchulz
from .._edge.values import Schedulable
from ..parts import (
    EntryMoment,
    RootMeanSquare,
    Signs,
)
from ..parts.estimators import EMA
from ..parts.geometries import Spectral
from ..recipe.recipe import Recipe
from .registry import IN_DTYPE, NO_CONSTANT, decay_parts, recipe


@recipe(
    family="layerwise",
    source="Si et al., arXiv 2507.11005; github.com/Chongjie-Si/AdaMuon",
    deviations=(IN_DTYPE, NO_CONSTANT),
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
