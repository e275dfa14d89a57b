"""Methods with a matrix for each side of a block: Shampoo, SOAP, Eigen-Adam, K-FAC, Newton-Muon."""

from __future__ import annotations

from ..backends import NewtonSchulz
from ..estimators import EMA, HeavyBall
from ..geometries import Spectral
from ..parts import (
    Debiased,
    DebiasedOutside,
    Diagonal,
    Eigenbasis,
    Grafted,
    InverseInputMoment,
    KroneckerInverses,
    KroneckerRoots,
    LaggedEigenbasis,
    NormScaling,
    Preconditioner,
    Squares,
)
from ..recipe import Pair, Recipe, check_pair, decay_parts, recipe
from ..values import Schedulable
from .adaptive import metric


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
    beta1, beta2 = check_pair(betas)
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
    beta1, beta2, beta3 = betas
    return Recipe(
        name="eigen_adam",
        lr=lr,
        estimator=EMA(beta1, "debiased"),
        frame=Eigenbasis(beta3, precondition_frequency, side, following="eigenvectors"),
        preconditioner=Diagonal(Squares(beta2), Debiased(beta2, eps)),
        **metric(**decay_parts(decay, weight_decay)),
    )


@recipe(
    family="Kronecker",
    source="Martens, Grosse, arXiv 1503.05671; github.com/google-deepmind/kfac-jax",
    deviations=(
        "There is no burn-in of the averages before the first step, no adaptive damping, no bound of the step's norm.",
        "An L2 penalty does not add to the damping.",
        "The inverses are by eigenvalues in double precision, in the first step and in every one that the frequency "
        "divides, counted from 1.",
    ),
)
def kfac(
    *,
    lr: Schedulable,
    momentum: Schedulable = 0.9,
    beta: Schedulable = 0.95,
    damping: Schedulable = 1e-3,
    precondition_frequency: int = 5,
    weight_decay: Schedulable = 0.0,
    decay: str = "l2",
) -> Recipe:
    r"""K-FAC: the natural gradient of a layer s = W a with a Kronecker-factored Fisher matrix.

    .. math:: P = \Bigl(C + \frac{\sqrt\lambda}{\pi} I\Bigr)^{-1} G \bigl(A + \pi\sqrt\lambda\, I\bigr)^{-1}, \quad
       \pi^2 = \frac{\mathrm{tr}(A)/n}{\mathrm{tr}(C)/m}, \quad
       \Delta \leftarrow \mu\Delta - \eta P, \quad W \leftarrow W + \Delta,

    A being the debiased average of :math:`aa^\top` over the layer's inputs, C that of :math:`\delta\delta^\top` over
    the gradients :math:`\delta` of the samples' losses by its outputs, and :math:`\lambda` the damping.

    Parameters
    ----------
    lr : float or callable
    momentum : float or callable
        :math:`\mu`; each displacement keeps the lr of its own step.
    beta : float or callable
        Rate of the averages.
    damping : float or callable
        At 0 the inverses are pseudo-inverses.
    precondition_frequency : int
        The inverses are computed in the first step and in every step that is a multiple of this.
    weight_decay : float or callable
    decay : {"l2", "decoupled", "independent", "cautious", "after"}

    Returns
    -------
    Recipe

    Raises
    ------
    ValueError
        For values outside their ranges, and for blocks below two dimensions: a bias is a column of W, with an input
        that is always one.

    Notes
    -----
    Each step reads ``activations`` (samples x fan-in) and ``deltas`` (samples x fan-out); see `Optimizer.step`. For the
    Fisher matrix the deltas must belong to labels drawn from the model; those of the data give the empirical one.

    Examples
    --------
    Linear least squares with as many outputs' gradients as the identity is solved in one step:

    >>> rng = np.random.default_rng(0)
    >>> inputs, wanted = rng.standard_normal((50, 3)), rng.standard_normal((2, 3))
    >>> errors = inputs @ -wanted.T
    >>> opt = st.KFAC({"W": np.zeros((2, 3))}, lr=1.0, damping=0.0)
    >>> unit = np.tile(np.sqrt(2) * np.eye(2), (25, 1))
    >>> opt.step({"W": errors.T @ inputs / 50}, activations={"W": inputs}, deltas={"W": unit})
    >>> bool(np.allclose(opt.params["W"], wanted))
    True
    """
    return Recipe(
        name="kfac",
        lr=lr,
        preconditioner=KroneckerInverses(beta, damping, precondition_frequency),
        output=HeavyBall(momentum, init="zero"),
        output_takes_lr=True,
        matrices_only=True,
        **metric(**decay_parts(decay, weight_decay)),
    )


@recipe(
    family="Kronecker",
    source="arXiv 2604.01472; github.com/zhehangdu/Newton-Muon",
    deviations=(
        "Computed in the dtype of the parameters; the inverse is by eigenvalues in double precision. Where a Cholesky "
        "factorisation fails, the code takes the identity, which cannot happen here.",
        "nesterov=False there leaves out the momentum; here it leaves out the step ahead.",
        "Every step must be given activations, though only those of the steps that renew K are read.",
    ),
)
def newton_muon(
    *,
    lr: Schedulable = 3e-4,
    momentum: Schedulable = 0.95,
    nesterov: bool = True,
    beta: float = 0.95,
    ridge: float = 0.2,
    precondition_frequency: int = 32,
    weight_decay: Schedulable = 0.0,
    decay: str = "decoupled",
) -> Recipe:
    r"""Newton-Muon: Muon on the gradient times the inverse second moment of the layer's inputs.

    .. math:: G' = G (K + \rho I)^{-1}, \quad \rho = r\,\frac{\mathrm{tr}(K)}{n} + 10^{-8}, \quad
       B \leftarrow \mu B + G', \quad
       W \leftarrow (1-\eta\lambda) W - \eta\sqrt{\max(m, n)}\,\mathrm{NS}(G' + \mu B),

    with five Newton-Schulz steps. In every 32nd step :math:`K \leftarrow \beta K + (1-\beta)\, Z^\top Z/N` for the
    inputs Z of that step, from 0.001 I; before the first of them G' is G.

    Parameters
    ----------
    lr : float or callable
    momentum : float or callable
        :math:`\mu`; the buffer starts at zero.
    nesterov : bool
    beta : float
        Rate of the average K.
    ridge : float
        r.
    precondition_frequency : int
    weight_decay : float or callable
    decay : {"decoupled", "l2", "independent", "cautious", "after"}

    Returns
    -------
    Recipe

    Raises
    ------
    ValueError
        For values outside their ranges, and for blocks below two dimensions.

    Notes
    -----
    Each step is given ``activations`` (samples x fan-in); see `Optimizer.step`. The four diagonal blocks of K for the
    contracting matrix of an MLP are ``parts.InverseInputMoment(blocks=4)``; queries, keys and values are orthogonalised
    one by one with ``views.split(3)``.

    Examples
    --------
    >>> opt = st.NewtonMuon({"W": np.zeros((2, 2))}, lr=1.0, backend="svd")
    >>> gradient = np.array([[0.0, 2.0], [1.0, 0.0]])
    >>> opt.step({"W": gradient}, activations={"W": np.eye(2)})
    >>> opt.params["W"].round(6) + 0.0
    array([[ 0.      , -1.414214],
           [-1.414214,  0.      ]])
    """
    slots = decay_parts(decay, weight_decay)
    inverse = InverseInputMoment(beta, ridge, frequency=precondition_frequency)
    return Recipe(
        name="newton_muon",
        lr=lr,
        transforms=(*slots.pop("transforms", ()), inverse),
        estimator=HeavyBall(momentum, init="zero", nesterov=nesterov),
        geometry=Spectral(NewtonSchulz("muon")),
        scaling=NormScaling("ball", "max_dim"),
        matrices_only=True,
        **slots,
    )
