"""Shampoo: a matrix for each side."""

from __future__ import annotations

from .._edge.values import FRACTION, Schedulable
from ..parts import (
    Grafted,
    KroneckerRoots,
    Preconditioner,
)
from ..parts.estimators import EMA
from ..recipe.recipe import Recipe
from .adam import metric
from .registry import Pair, check_pair, decay_parts, recipe


@recipe(
    family="Kronecker",
    source="Gupta, Koren, Singer, arXiv 1802.09568; Shi et al., arXiv 2309.06497; "
    "github.com/facebookresearch/optimizers, distributed_shampoo",
    deviations=(
        "The roots are by eigenvalues in double precision; those below the rounding errors of the dtype count as that "
        "large. Where LAPACK finds none, Jacobi rotations do; the last roots are never kept instead.",
        "Large arrays are not divided into blocks, and small dimensions not merged, which turns a 4 x 6 matrix into a "
        "vector there; views do both.",
        "The lr is not rounded to float32.",
        "The length of grafting is divided by the norm itself, without 1e-16.",
    ),
    example={"precondition_frequency": 10, "start_preconditioning_step": 1},
    names={
        "frequency": "precondition_frequency",
        "start": "start_preconditioning_step",
        "largest": "max_precond_dim",
    },
)
def shampoo(
    *,
    lr: Schedulable = 1e-2,
    betas: Pair = (0.9, 1.0),
    eps: Schedulable = 1e-12,
    grafting: Preconditioner | None = None,
    precondition_frequency: int = 1,
    start_preconditioning_step: int | None = None,
    max_precond_dim: int | None = None,
    weight_decay: Schedulable = 0.0,
    decay: str = "decoupled",
) -> Recipe:
    r"""Shampoo, with the conventions of distributed Shampoo.

    .. math:: L \leftarrow \beta_2 L + (1-\beta_2) GG^\top, \quad R \leftarrow \beta_2 R + (1-\beta_2) G^\top G, \quad
       M \leftarrow \beta_1 M + (1-\beta_1) G, \quad
       W \leftarrow (1-\eta\lambda) W - \eta\, \hat L^{-1/4} \hat M \hat R^{-1/4},

    all averages from zero and debiased, :math:`\hat L = L/(1-\beta_2^t) + \epsilon I`; sums at :math:`\beta_2 = 1`. A
    vector has one factor and the power -1/2. ``betas=(0.0, 1.0)`` is the method of 2018.

    Parameters
    ----------
    lr : float or callable
    betas : pair of float or callable
        Rates of the averages of gradients and of their squares; the second one may be 1.
    eps : float or callable
        Added to the eigenvalues before the root. At 0 roots are pseudo-inverses.
    grafting : Preconditioner, optional
        The metric whose step gives the length: ``parts.Identity()`` SGD's,
        ``parts.Diagonal(parts.Squares(b), parts.Debiased(b, 1e-8))`` Adam's. Default: Shampoo's own length.
    precondition_frequency : int
        The roots are computed anew in every step that is a multiple of this.
    start_preconditioning_step : int, optional
        The step of the first roots, counted from 1; the steps before it are those of `grafting`, without it
        momentum's. Default: `precondition_frequency`.
    max_precond_dim : int, optional
        Sides of more rows or columns keep the identity, and the power of the other side is -1/2. Default: no cap; but a
        side whose square matrix would take more than 1 GiB is refused.
    weight_decay : float or callable
    decay : {"decoupled", "l2", "independent", "cautious", "after"}

    Returns
    -------
    Recipe

    Raises
    ------
    ValueError
        For values outside their ranges.

    Notes
    -----
    A side of k rows keeps 2 k^2 numbers. Roots that are used long after they were computed from few gradients take the
    rest of the space by `eps` alone, which means steps of the order of 1e3 at its default: a larger one, or grafting,
    prevents that.

    Examples
    --------
    >>> opt = st.Shampoo({"W": np.zeros((2, 2))}, lr=1.0)
    >>> opt.step({"W": np.array([[0.0, 2.0], [1.0, 0.0]])})
    >>> opt.params["W"].round(6) + 0.0
    array([[ 0., -1.],
           [-1.,  0.]])
    """
    beta1, beta2 = check_pair(betas, FRACTION)
    frequency = precondition_frequency
    start = frequency if start_preconditioning_step is None else start_preconditioning_step
    roots = KroneckerRoots(beta2, eps, frequency, start, max_precond_dim)
    return Recipe(
        name="shampoo",
        lr=lr,
        estimator=EMA(beta1, "debiased"),
        preconditioner=roots if grafting is None else Grafted(roots, grafting, start),
        **metric(**decay_parts(decay, weight_decay)),
    )
