"""LionMuon: Lion and Muon in turn."""

from __future__ import annotations

from dataclasses import dataclass

from .._edge.backends import NewtonSchulz
from .._edge.values import NON_NEGATIVE, Schedulable, at_step
from ..parts import (
    NormScaling,
    SwitchedScaling,
)
from ..parts.estimators import DoubleEMA
from ..parts.geometries import Sign, Spectral, Switched
from ..recipe.recipe import Recipe
from .registry import Pair, check_pair, decay_parts, recipe


@dataclass(frozen=True)
class Every:
    """0 at every k-th step, from the first on, and 1 between."""

    k: int

    def __post_init__(self) -> None:
        if self.k < 1:
            raise ValueError(f"every must be at least 1, got {self.k}")

    def __call__(self, step: int) -> int:
        """Return the position."""
        return 0 if step % self.k == 0 else 1


@dataclass(frozen=True)
class ShortBetween:
    """A learning rate, times a ratio in the steps that are not chosen."""

    lr: Schedulable
    ratio: float
    choice: Every

    def __post_init__(self) -> None:
        NON_NEGATIVE.check_schedulable("lr", self.lr)
        NON_NEGATIVE.check("sign_ratio", self.ratio)

    def __call__(self, step: int) -> float:
        """Return the value at this step."""
        return at_step(self.lr, step) * (self.ratio if self.choice(step) else 1.0)


@recipe(
    family="sign and spectral",
    source="arXiv 2605.19811; github.com/brain-lab-research/lion-muon",
    deviations=("The adaptive choice by the stable rank is not offered.",),
)
def lion_muon(
    *,
    lr: Schedulable = 2e-3,
    sign_ratio: float = 0.01,
    betas: Pair = (0.95, 0.99),
    every: int = 5,
    weight_decay: Schedulable = 0.0,
    decay: str = "decoupled",
    steps: int = 6,
) -> Recipe:
    r"""LionMuon: Lion's steps, with one of Muon's at every k-th.

    .. math:: C = \beta_1 M + (1-\beta_1) G, \quad
       W \leftarrow (1-\eta_t\lambda)W - \begin{cases} \eta_t\,0.2\sqrt{\max(m, n)}\,\mathrm{NS}(C) & k \mid t-1,\\
       \eta_t\,\mathrm{sign}(C) & \text{else,} \end{cases} \quad M \leftarrow \beta_2 M + (1-\beta_2) G,

    where :math:`\eta_t` is `lr` in the first case and `sign_ratio` times that in the second.

    Parameters
    ----------
    lr : float or callable
    sign_ratio : float
        What lr is multiplied by in Lion's steps, for the decay too.
    betas : pair of float or callable
        In [0, 1).
    every : int
        k; 1 gives Muon with Lion's two averages. The first step is Muon's. By the global step.
    weight_decay : float or callable
    decay : {"decoupled", "l2", "independent", "cautious"}
    steps : int
        Newton-Schulz steps with Muon's coefficients.

    Returns
    -------
    Recipe

    Raises
    ------
    ValueError
        For values outside their ranges, and for blocks below two dimensions.

    Examples
    --------
    >>> opt = st.LionMuon({"W": np.zeros((2, 2))}, lr=0.1, sign_ratio=0.1, every=2, backend="svd")
    >>> for _ in range(2):
    ...     opt.step({"W": np.diag([3.0, 1.0])})
    >>> opt.params["W"].round(6) + 0.0
    array([[-0.038284,  0.      ],
           [ 0.      , -0.038284]])
    """
    choice = Every(every)
    return Recipe(
        name="lion_muon",
        lr=ShortBetween(lr, sign_ratio, choice),
        estimator=DoubleEMA(*check_pair(betas)),
        geometry=Switched(choice, (Spectral(NewtonSchulz("muon", steps)), Sign())),
        scaling=SwitchedScaling(choice, (NormScaling("ball", "match_rms_adamw"), NormScaling("ball"))),
        matrices_only=True,
        **decay_parts(decay, weight_decay),
    )
