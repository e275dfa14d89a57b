"""Mano: momentum in the tangent spaces of rows and columns in turn."""

from __future__ import annotations

import math

from .._edge.values import Schedulable
from ..parts import (
    NormScaling,
    SwitchedScaling,
    TangentProjection,
)
from ..parts.estimators import HeavyBall
from ..parts.geometries import ColumnNorm, RowNorm, Switched
from ..recipe.recipe import Recipe
from .registry import decay_parts, recipe


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


def _parity(step: int) -> int:
    return step % 2


def _root_of_columns(m: int, n: int) -> float:
    return math.sqrt(n)
