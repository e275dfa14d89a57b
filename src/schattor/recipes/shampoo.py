"""Shampoo, SOAP and Eigen-Adam: matrices for both sides, or a moment in their eigenbases."""

from __future__ import annotations

from .._edge.values import FRACTION, MOMENTUM, Schedulable
from ..parts import (
    Debiased,
    DebiasedOutside,
    Diagonal,
    Eigenbasis,
    Grafted,
    KroneckerRoots,
    LaggedEigenbasis,
    Preconditioner,
    Squares,
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
    names={"frequency": "precondition_frequency", "start": "start_preconditioning_step"},
)
def shampoo(
    *,
    lr: Schedulable = 1e-2,
    betas: Pair = (0.9, 1.0),
    eps: Schedulable = 1e-12,
    grafting: Preconditioner | None = None,
    precondition_frequency: int = 1,
    start_preconditioning_step: int | None = None,
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
    roots = KroneckerRoots(beta2, eps, frequency, start)
    return Recipe(
        name="shampoo",
        lr=lr,
        estimator=EMA(beta1, "debiased"),
        preconditioner=roots if grafting is None else Grafted(roots, grafting, start),
        **metric(**decay_parts(decay, weight_decay)),
    )


@recipe(
    family="Kronecker",
    source="Vyas et al., arXiv 2409.11321; github.com/nikhilvyas/SOAP",
    deviations=(
        "The momentum is kept in the original coordinates, and the coordinates are not sorted: that changes rounding "
        "errors only.",
        "The first bases are computed in double precision.",
        "A block of one row or column counts as a vector, for which SOAP is Adam.",
        "The rate of the averages of GG' and G'G is that of the squares; ``parts.LaggedEigenbasis`` takes another.",
    ),
    names={"frequency": "precondition_frequency", "largest": "max_precond_dim"},
)
def soap(
    *,
    lr: Schedulable = 3e-3,
    betas: Pair = (0.95, 0.95),
    eps: Schedulable = 1e-8,
    precondition_frequency: int = 10,
    max_precond_dim: int = 10000,
    skip_first: bool = True,
    weight_decay: Schedulable = 0.01,
    decay: str = "after",
) -> Recipe:
    r"""SOAP: Adam in the eigenbases of Shampoo's averages.

    .. math:: M \leftarrow \beta_1 M + (1-\beta_1) G, \quad
       V \leftarrow \beta_2 V + (1-\beta_2) (Q_L^\top G Q_R)^2, \quad
       U = Q_L \frac{Q_L^\top M Q_R}{\sqrt V + \epsilon} Q_R^\top, \quad
       W \leftarrow (1-\eta\lambda)\Bigl(W - \eta\,\frac{\sqrt{1-\beta_2^t}}{1-\beta_1^t}\, U\Bigr),

    with orthogonal :math:`Q_L`, :math:`Q_R` that follow the eigenvectors of the averages of :math:`GG^\top` and
    :math:`G^\top G`, of rate :math:`\beta_2`.

    Parameters
    ----------
    lr : float or callable
    betas : pair of float or callable
    eps : float or callable
    precondition_frequency : int
        The bases follow in every step that is a multiple of this: one power iteration and a QR factorisation.
    max_precond_dim : int
        Sides of more rows or columns keep their coordinates.
    skip_first : bool
        True, the source's order: the first gradient only makes the bases, that step moves nothing and does not count,
        and each later gradient changes the bases after its step. False: averages and bases change before the step, from
        the first one on.
    weight_decay : float or callable
    decay : {"after", "decoupled", "l2", "independent", "cautious"}

    Returns
    -------
    Recipe

    Raises
    ------
    ValueError
        For values outside their ranges.

    Notes
    -----
    Without the skipped step the first direction is the polar factor of the gradient in exact arithmetic. But the
    rotated gradient is then zero off its diagonal up to rounding, which `eps` must outweigh: in float32 the default
    does not. A side of k rows keeps 2 k^2 numbers.

    Examples
    --------
    >>> opt = st.SOAP({"W": np.zeros((2, 2))}, lr=1.0, skip_first=False, weight_decay=0.0)
    >>> opt.step({"W": np.array([[0.0, 2.0], [1.0, 0.0]])})
    >>> opt.params["W"].round(6) + 0.0
    array([[ 0., -1.],
           [-1.,  0.]])
    """
    beta1, beta2 = check_pair(betas)
    frame = LaggedEigenbasis if skip_first else Eigenbasis
    return Recipe(
        name="soap",
        lr=lr,
        estimator=EMA(beta1, "zero"),
        frame=frame(beta2, precondition_frequency, largest=max_precond_dim),
        preconditioner=Diagonal(Squares(beta2), DebiasedOutside(beta2, eps, beta1)),
        **metric(**decay_parts(decay, weight_decay)),
    )


@recipe(
    family="Kronecker",
    source="Gong et al., arXiv 2502.07752, Algorithm 7",
    deviations=(
        "The paper debiases nothing and has no eps; here both are Adam's.",
        "It names no defaults for this method: the rates are Adam's, the frequency is that of its low-rank form.",
        "It is for matrices with no more rows than columns; here the smaller side turns, whichever it is.",
    ),
    names={"frequency": "precondition_frequency", "sides": "side"},
)
def eigen_adam(
    *,
    lr: Schedulable = 1e-3,
    betas: tuple[Schedulable, Schedulable, Schedulable] = (0.9, 0.999, 0.999),
    eps: Schedulable = 1e-8,
    precondition_frequency: int = 200,
    side: str = "smaller",
    weight_decay: Schedulable = 0.0,
    decay: str = "decoupled",
) -> Recipe:
    r"""Eigen-Adam: Adam in the eigenbasis of one side.

    .. math:: S \leftarrow \beta_3 S + (1-\beta_3) GG^\top = U\Lambda U^\top, \quad
       M \leftarrow \beta_1 M + (1-\beta_1) G, \quad V \leftarrow \beta_2 V + (1-\beta_2) (U^\top G)^2, \quad
       W \leftarrow (1-\eta\lambda) W - \eta\, U \frac{U^\top M/(1-\beta_1^t)}{\sqrt{V/(1-\beta_2^t)} + \epsilon}.

    Parameters
    ----------
    lr : float or callable
    betas : three floats or callables
        Rates of the averages of the gradient, of the squares, and of :math:`GG^\top`.
    eps : float or callable
    precondition_frequency : int
        U is computed in the first step and in every step that is a multiple of this.
    side : {"smaller", "left", "right"}
        The side that turns; the formula shows the left one. A vector keeps its coordinates: Adam.
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
    V stays as it is when U changes: its rows go by falling eigenvalue, as do the columns of U. Where the first gradient
    has not full rank on the side that turns, the first basis is arbitrary there.

    Examples
    --------
    >>> opt = st.EigenAdam({"W": np.zeros((2, 2))}, lr=1.0)
    >>> opt.step({"W": np.array([[0.0, 2.0], [1.0, 0.0]])})
    >>> opt.params["W"].round(6) + 0.0
    array([[ 0., -1.],
           [-1.,  0.]])
    """
    for i, beta in enumerate(betas):
        MOMENTUM.check_schedulable(f"betas[{i}]", beta)
    beta1, beta2, beta3 = betas
    return Recipe(
        name="eigen_adam",
        lr=lr,
        estimator=EMA(beta1, "debiased"),
        frame=Eigenbasis(beta3, precondition_frequency, side, following="eigenvectors"),
        preconditioner=Diagonal(Squares(beta2), Debiased(beta2, eps)),
        **metric(**decay_parts(decay, weight_decay)),
    )
