"""K-FAC and Newton-Muon: second moments of the layers' inputs and deltas."""

from __future__ import annotations

from .._edge.backends import NewtonSchulz
from .._edge.values import Schedulable
from ..parts import (
    InverseInputMoment,
    KroneckerInverses,
    NormScaling,
)
from ..parts.estimators import HeavyBall
from ..parts.geometries import Spectral
from ..recipe.recipe import Recipe
from .adam import metric
from .registry import decay_parts, recipe


@recipe(
    family="Kronecker",
    source="Martens, Grosse, arXiv 1503.05671; github.com/google-deepmind/kfac-jax",
    deviations=(
        "There is no burn-in of the averages before the first step, no adaptive damping, no bound of the step's norm.",
        "An L2 penalty does not add to the damping.",
        "The inverses are by eigenvalues in double precision, in the first step and in every one that the frequency "
        "divides, counted from 1.",
    ),
    names={"frequency": "precondition_frequency"},
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
    names={"frequency": "precondition_frequency"},
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
