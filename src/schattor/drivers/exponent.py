"""The Schatten exponent of each block, chosen along the run by the decrease of the loss that each exponent predicts."""

from __future__ import annotations

import math
from dataclasses import dataclass

from .._edge.arguments import checked
from .._edge.values import EXPONENT, NON_NEGATIVE, Domain, check_count
from ..diagnostics.curvature import EXPONENTS
from ..parts import NormScaling
from ..recipe.driver import Driver, Members, RunningDriver
from ..recipe.recipe import Recipe
from .running_exponent import RunningExponent

_AT_LEAST_ONE = Domain("at least 1 and finite", lambda x: 1 <= x < math.inf)


@checked
@dataclass(frozen=True)
class AdaptiveExponent(Driver):
    r"""Chooses p for every block from a grid, by the decrease of the loss that each exponent predicts.

    A step of length a along the ball oracle D of the gradient changes the loss by about
    :math:`-a\|g\|_q + a^2 J_p/2`, :math:`J_p = \langle D, H[D]\rangle`, H being the Hessian of the block. The score of
    p is the largest decrease that lr allows,

    .. math:: \max_{0 \le a \le a_p}\; a\|g\|_q - \tfrac12 a^2 J_p
              = \frac{\|g\|_q^2}{2J_p} \quad\text{where } \frac{\|g\|_q}{J_p} \le a_p,

    with the length :math:`a_p` of the step at this lr. Every interval the block takes the exponent with the largest
    score, if that exceeds the score of its own by the factor `hysteresis`. Steps are shortened to
    :math:`a \le \text{limit}\cdot\|g\|_q/J_p`; at 2 the predicted change would be zero. The bound holds for every block
    and for all blocks together.

    Where :math:`J_p` comes from follows from what the steps are given:

    - ``opt.step(grads, hvp=f)``: Hessian-vector products, ``f(params, direction)``; at every choice one for each block
      and exponent, and one along the step of all blocks if there are several. The interval doubles from one step to
      `every`.
    - ``opt.step(grads, gradient_at_previous=...)``: differences of gradients of the same samples along each step.
    - nothing else: differences of successive gradients (secants), which measure noise unless batches are large.

    A difference tells the curvature along the last step only, :math:`\langle s, y\rangle/\|s\|_F^2`, kept for the
    exponent of that step; :math:`J_p` is this times :math:`\|D\|_F^2`. So the first steps go through the grid, and
    before each choice one step tries an exponent, in turn.

    Parameters
    ----------
    grid : sequence of float
        Exponents in [1, inf], the first of which is that of the first step.
    every : int
        Steps between choices.
    hysteresis : float
        At least 1.
    floor : float
        Where :math:`J_p` is at most this, the secant's smoothness :math:`L_p = \|y\|_q/\|s\|_p` of the last step stands
        for it; where there is none, the block keeps its exponent.
    limit : float
        In (0, 2), or inf for steps that are as long as lr says.

    Raises
    ------
    TypeError, ValueError
        For values outside their ranges, and in a recipe with another outer exponent than the one with which its blocks
        separate.

    Notes
    -----
    The comparison of :math:`\|g\|_q^2/J_p` generalises the ratio of Shen et al., *On the convergence analysis of Muon*
    (arXiv 2505.23737). With all weights :math:`w_i = \sqrt{J_i}` the sum of the unbounded scores is half of the squared
    dual mixed norm of the gradient. Each block keeps a copy of its weights and of its gradient.

    Examples
    --------
    >>> problem = st.problems.MatrixQuadratic.random(np.geomspace(1, 1e-3, 8), columns=8, rng=0)
    >>> params = problem.start()
    >>> opt = st.Schattor(params, p="auto", lr=0.5, rule="regularization", momentum=0)
    >>> opt.step(problem.gradient(params), hvp=problem.hvp)
    >>> opt.report.choices[0]["W"].p > 2
    True
    """

    grid: tuple[float, ...] = EXPONENTS
    every: int = 10
    hysteresis: float = 1.1
    floor: float = 0.0
    limit: float = 1.75

    reads = frozenset({"gradient_at_previous", "hvp"})

    def __post_init__(self) -> None:
        grid = tuple(EXPONENT.check(f"grid[{i}]", p) for i, p in enumerate(self.grid))
        if not grid or len(set(grid)) < len(grid):
            raise ValueError(f"grid must hold different exponents, at least one, got {self.grid!r}")
        object.__setattr__(self, "grid", grid)
        check_count("every", self.every, least=1)
        _AT_LEAST_ONE.check("hysteresis", self.hysteresis)
        NON_NEGATIVE.check("floor", self.floor)
        Domain("in (0, 2), or inf", lambda x: 0 < x < 2 or x == math.inf).check("limit", self.limit)

    def check(self, recipe: Recipe) -> None:
        """Raise ValueError unless the blocks of the recipe separate."""
        rule, outer = recipe.scaling.rule, recipe.coupling.outer if recipe.coupling else None
        separate = math.inf if rule == "ball" else 2.0
        if outer != separate or not isinstance(recipe.scaling, NormScaling):
            raise ValueError(f'p="auto" needs outer={separate:g} with rule={rule!r}, got outer={outer!r}')

    def start(self, recipe: Recipe, members: Members) -> RunningDriver:
        """Return the driver at work on these blocks."""
        return RunningExponent(self, recipe, members)
