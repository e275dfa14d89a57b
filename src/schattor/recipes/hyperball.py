"""Hyperball: steps on the sphere of the first weights."""

from __future__ import annotations

from dataclasses import replace

from .._edge.arguments import checked
from .._edge.backends import Coefficients
from .._edge.values import Schedulable
from ..parts import (
    Additive,
    Hyperball,
)
from ..recipe.recipe import Recipe
from .muon import muon
from .registry import IN_DTYPE, NO_CONSTANT, recipe


@checked
def hyperball(inner: Recipe) -> Recipe:
    r"""Return a recipe that moves on the sphere of its first weights, in the directions of another.

    .. math:: W \leftarrow R\,\frac{W'}{\|W'\|_F}, \qquad W' = W + \eta R\,\frac{D}{\|D\|_F}, \qquad R = \|W_0\|_F

    with the displacement D of `inner`, whose length and scale do not matter. The lr is about the angle of a step.

    Parameters
    ----------
    inner : Recipe
        Without decay beside the step, which the sphere would undo.

    Returns
    -------
    Recipe

    Raises
    ------
    ValueError
        For an `inner` with decay or with another update of its own; an optimizer refuses blocks that are zero.

    Notes
    -----
    Wen et al., arXiv 2606.16899.

    Examples
    --------
    >>> recipe = st.recipes.hyperball(st.recipes.adamw(lr=0.1, weight_decay=0.0))
    >>> opt = st.Optimizer({"W": np.array([3.0, 4.0])}, recipe)
    >>> for _ in range(5):
    ...     opt.step({"W": np.array([1.0, -1.0])})
    >>> float(np.linalg.norm(opt.params["W"]).round(12))
    5.0
    """
    if inner.update != Additive():
        raise ValueError(f"{inner.name} must have neither decay nor an update of its own, got {inner.update}")
    return replace(inner, name=f"hyperball({inner.name})", update=Hyperball())


@recipe(
    family="layerwise",
    source="Wen et al., arXiv 2606.16899; github.com/KellerJordan/modded-nanogpt, records/track_3_optimization, MuonH",
    deviations=(
        IN_DTYPE,
        NO_CONSTANT,
        "The radius is that of the first weights; the script reads the norm of the weights anew in each step.",
    ),
)
def muon_hyperball(
    *,
    lr: Schedulable = 0.014,
    momentum: Schedulable = 0.95,
    nesterov: bool = True,
    coefficients: Coefficients = "simple_quintic",
    steps: int | None = None,
) -> Recipe:
    r"""MuonH: Muon's directions on the sphere of the first weights' Frobenius norm R.

    .. math:: W' = W - \eta R\,\frac{\mathrm{NS}(U)}{\|\mathrm{NS}(U)\|_F}, \qquad W \leftarrow R\,\frac{W'}{\|W'\|_F}

    with Muon's estimate U. It is `hyperball` of `muon`. There is no weight decay.

    Parameters
    ----------
    lr : float or callable
    momentum : float or callable
        The buffer starts at zero.
    nesterov : bool
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
        For values outside their ranges, and for blocks that are zero or below two dimensions.

    Examples
    --------
    >>> opt = st.MuonHyperball({"W": np.diag([3.0, 4.0])}, lr=0.1)
    >>> opt.step({"W": np.ones((2, 2))})
    >>> float(np.linalg.norm(opt.params["W"]).round(12))
    5.0
    """
    inner = muon(lr=lr, momentum=momentum, nesterov=nesterov, coefficients=coefficients, steps=steps)
    return replace(hyperball(inner), name="muon_hyperball")
