"""Methods with differential privacy."""

from __future__ import annotations

import numpy as np

from .._edge.backends import NewtonSchulz
from .._edge.values import Schedulable
from ..parts import PrivateMean
from ..parts.estimators import HeavyBall
from ..parts.geometries import Spectral
from ..recipe.recipe import Recipe
from .registry import decay_parts, recipe

_POLYNOMIALS = {1: "cubic", 2: "quintic"}


@recipe(
    family="private",
    source="Kim and Fan, arXiv 2605.12994",
    deviations=(
        "The degrees kappa = 1 and 2 are there, those of published Newton-Schulz iterations.",
        "The variant that corrects the bias of the noise behind the polar factor is not there.",
        "The random numbers are fast, repeatable and not made for cryptography, and floating-point noise can be "
        "attacked: this is for research, not for guarding data.",
        "The defaults are ours; no public code was found.",
    ),
    example={"rng": 0},
    names={"steps": "iterations"},
)
def dp_muon(
    *,
    lr: Schedulable = 0.02,
    clip: Schedulable = 1.0,
    noise_multiplier: Schedulable = 1.0,
    momentum: Schedulable = 0.95,
    kappa: int = 2,
    iterations: int = 5,
    weight_decay: Schedulable = 0.0,
    rng: int | np.random.Generator | None = None,
) -> Recipe:
    r"""DP-Muon: orthogonalised momentum of gradients that are clipped for each sample and blurred by noise.

    .. math::
       \tilde G = \frac1B\sum_i \frac{g_i}{\max(1, \|g_i\|_F/C)} + \frac{\sigma C}{B} Z, \quad
       M \leftarrow \beta M + \tilde G, \quad Y_0 = \frac{M}{\max(1, \|M\|_F)}, \\
       Y_{j+1} = \sum_{s\le\kappa}\frac{(2s)!}{4^s s!^2}(I - Y_jY_j^\top)^s\,Y_j, \qquad
       W \leftarrow (1-\eta\lambda)W - \eta\,Y_q

    with the samples' gradients g, their number B, Z of independent standard normal entries, C = `clip`,
    :math:`\sigma` = `noise_multiplier` and q = `iterations`.

    Parameters
    ----------
    lr : float or callable
    clip : float or callable
        Largest Frobenius norm of a sample's gradient, for each block.
    noise_multiplier : float or callable
    momentum : float or callable
        Of a decaying sum from zero.
    kappa : {1, 2}
        Degree of the polynomial in :math:`YY^\top`: the cubic or the quintic Newton-Schulz iteration.
    iterations : int
    weight_decay : float or callable
        Decoupled.
    rng : int, Generator or None
        Seed of the noise, drawn once. None draws a fresh one, so that two recipes differ.

    Returns
    -------
    Recipe

    Raises
    ------
    ValueError
        For values outside their ranges, and for blocks below two dimensions.

    Notes
    -----
    ``step(None, per_example={"W": ...})`` takes the samples' gradients, (B, rows, cols) for each block. Where one
    sample's gradient changes, the mean moves by at most 2 C / B; what follows the noise costs no privacy. The
    accounting is the user's. B is the number of samples given; an accountant of Poisson sampling wants the expected
    one.

    Examples
    --------
    >>> opt = st.DPMuon({"W": np.zeros((2, 2))}, lr=0.5, noise_multiplier=0.0, momentum=0.0, iterations=15)
    >>> opt.step(None, per_example={"W": np.array([np.diag([3.0, 0.0]), np.diag([0.0, 2.0])])})
    >>> opt.params["W"].round(6) + 0.0
    array([[-0.5,  0. ],
           [ 0. , -0.5]])
    """
    if kappa not in _POLYNOMIALS:
        raise ValueError(f"kappa must be 1 or 2, got {kappa!r}")
    seed = int(np.random.default_rng(rng).integers(2**63))
    return Recipe(
        name="dp_muon",
        lr=lr,
        transforms=(PrivateMean(clip, noise_multiplier, seed),),
        estimator=HeavyBall(momentum, init="zero"),
        geometry=Spectral(NewtonSchulz(_POLYNOMIALS[kappa], iterations, floor=1.0)),
        matrices_only=True,
        **decay_parts("decoupled", weight_decay),
    )
