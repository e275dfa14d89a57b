"""K-FAC: second moments of the inputs and deltas of the layers."""

from __future__ import annotations

from .._edge.values import Schedulable
from ..parts import (
    KroneckerInverses,
)
from ..parts.estimators import HeavyBall
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
    names={"frequency": "precondition_frequency", "largest": "max_precond_dim"},
)
def kfac(
    *,
    lr: Schedulable,
    momentum: Schedulable = 0.9,
    beta: Schedulable = 0.95,
    damping: Schedulable = 1e-3,
    precondition_frequency: int = 5,
    max_precond_dim: int | None = None,
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
    max_precond_dim : int, optional
        Sides of more rows or columns keep the identity in the place of A or C, undamped, and :math:`\pi = 1`. Default:
        no cap; but a side whose square matrix would take more than 1 GiB is refused.
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
        preconditioner=KroneckerInverses(beta, damping, precondition_frequency, max_precond_dim),
        output=HeavyBall(momentum, init="zero"),
        output_takes_lr=True,
        matrices_only=True,
        **metric(**decay_parts(decay, weight_decay)),
    )
