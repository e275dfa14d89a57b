"""Newton-Muon: Muon after the inverse second moment of the inputs."""

from __future__ import annotations

from .._edge.backends import NewtonSchulz
from .._edge.values import Schedulable
from ..parts import (
    InverseInputMoment,
    NormScaling,
)
from ..parts.estimators import HeavyBall
from ..parts.geometries import Spectral
from ..recipe.recipe import Recipe
from .registry import decay_parts, recipe


@recipe(
    family="Kronecker",
    source="arXiv 2604.01472; github.com/zhehangdu/Newton-Muon",
    deviations=(
        "Computed in the dtype of the parameters; the inverse is by eigenvalues in double precision. Where a Cholesky "
        "factorisation fails, the code takes the identity, which cannot happen here.",
        "nesterov=False there leaves out the momentum; here it leaves out the step ahead.",
        "Every step must be given activations, though only those of the steps that renew K are read.",
    ),
    names={"frequency": "precondition_frequency", "largest": "max_precond_dim"},
)
def newton_muon(
    *,
    lr: Schedulable = 3e-4,
    momentum: Schedulable = 0.95,
    nesterov: bool = True,
    beta: float = 0.95,
    ridge: float = 0.2,
    precondition_frequency: int = 32,
    max_precond_dim: int | None = None,
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
    max_precond_dim : int, optional
        With more inputs :math:`G' = G`. Default: no cap; but a K that would take more than 1 GiB is refused.
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
    inverse = InverseInputMoment(beta, ridge, frequency=precondition_frequency, largest=max_precond_dim)
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
