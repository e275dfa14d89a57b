"""Learning rate and momentum from the theorems, with constants measured along the run."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np

from ..parts import Additive, NormScaling
from ..parts.estimators import EMA
from ..parts.geometries import Schatten
from ..parts.mixed_norm import MixedNorm
from ..recipe.driver import Driver, Given, Members, RunningDriver, State
from ..recipe.recipe import Recipe
from ..theory.noise import BOUNDED, check_range
from ..theory.parameters import Rule, RunParameters, parameters
from ..theory.run import Run, TheoryChoice
from ..theory.theorems import ball_terms, regularization_terms
from ..theory.tracking import Bound
from .constants import Constants


@dataclass(frozen=True)
class TheoryDriver(Driver):
    """Sets lr and momentum of Algorithms 1 to 4 to those that minimise the bound of the theorem for a run."""

    run: Run

    reads = frozenset({"gradient_at_previous", "per_example", "closure"})

    def check(self, recipe: Recipe) -> None:
        """Raise ValueError unless the recipe is one of Algorithms 1 to 4, with exponents from 2."""
        estimator, scaling, update = recipe.estimator, recipe.scaling, recipe.update
        if not isinstance(estimator, EMA) or estimator.nesterov or estimator.init != "first":
            raise ValueError(
                f'{_TAKES} momentum_kind="ema", momentum_init="first" and no Nesterov, got {estimator}'
            )
        if type(scaling) is not NormScaling or scaling.scale != "none" or scaling.radius != 1:
            raise ValueError(f'{_TAKES} scale="none", got {scaling}')
        if update != Additive() or recipe.transforms:
            raise ValueError(f"{_TAKES} no weight decay, got {[*recipe.transforms, update]}")
        own = {id(part) for part in (estimator, scaling, update, *recipe._geometries)}
        if others := [part for part in recipe.parts if id(part) not in own]:
            raise ValueError(f"{_TAKES} no other parts, got {others}")
        if isinstance(recipe.geometry, MixedNorm):
            check_range(recipe.geometry)
            return
        p = recipe.geometry.p if isinstance(recipe.geometry, Schatten) else None
        if callable(p):
            raise ValueError(f"{_TAKES} a constant p, got {p!r}")
        BOUNDED.check("p", p)
        BOUNDED.check("outer", recipe.coupling.outer if recipe.coupling else math.inf)

    def start(self, recipe: Recipe, members: Members) -> RunningDriver:
        """Return the driver at work on these blocks."""
        coupling = recipe.block_coupling
        norm = MixedNorm(
            {block.name: recipe.geometry_of(block.owner) for block, _ in members},
            {block.name: weight for block, weight in members},
            outer=coupling.outer if coupling else math.inf,
        )
        rule = cast(NormScaling, recipe.scaling).rule
        constants = Constants(self.run, [block for block, _ in members], norm)
        return _Running(self.run, cast(Rule, rule), constants, recipe)


_TAKES = 'lr="theory" follows theorems that hold for'


def from_theory(lr: Any, momentum: Any, run: Run | None) -> TheoryDriver | None:
    """Return the driver if lr and momentum are "theory", None if neither is, or raise ValueError."""
    asked = [lr == "theory", momentum == "theory", run is not None]
    if not any(asked):
        return None
    if not all(asked) or not isinstance(run, Run):
        raise ValueError(
            'lr="theory", momentum="theory" and theory=st.theory.Run(delta=..., steps=..., batch=...) go together, got '
            f"lr={lr!r}, momentum={momentum!r}, theory={run!r}"
        )
    return TheoryDriver(run)


class _Running(RunningDriver):
    """Chooses anew whenever the constants have been measured."""

    def __init__(self, run: Run, rule: Rule, constants: Constants, recipe: Recipe) -> None:
        self._run, self._rule, self._constants = run, rule, constants
        self.recipe = replace(
            recipe,
            lr=lambda step: self.state["lr"].item(),
            estimator=EMA(lambda step: 1 - self.state["theta"].item()),
        )
        start = constants.start() | {"lr": np.array(0.0), "theta": np.array(1.0)}
        if constants.known:
            self._choose(start)
        self.state: State = start

    def observe(self, given: Given) -> None:
        """Measure, and choose."""
        state = dict(self.state)
        if self._constants.observe(state, given) and state["L"] > 0:
            self._choose(state)
        self.state = state

    def _choose(self, state: dict[str, np.ndarray[Any, Any]]) -> None:
        run, L = self._run, state["L"].item()
        chosen = parameters(
            run.delta, L, state["sigma"].item(), run.steps, run.batch, self._rule, first_batch=run.first_batch
        )
        lr = chosen.lr
        if run.L is None and not state["differences"]:
            lr = min(lr, self._first_lr(L))
        state["lr"], state["theta"] = np.array(lr), np.array(chosen.theta)

    def _first_lr(self, L: float) -> float:
        r"""Return the lr while L is only known from below, as :math:`\|G_0\|^2/(2\Delta)`.

        The step has length :math:`\sqrt{2\Delta/(LT)}`, so that the loss rises by no more than :math:`\Delta/T` times
        the ratio of the true L to this one.
        """
        run = self._run
        length = math.sqrt(2 * run.delta / (L * run.steps))
        return length if self._rule == "ball" else length / math.sqrt(2 * run.delta * L)

    def choice(self) -> TheoryChoice:
        """Return what was chosen last."""
        run, state = self._run, {k: v.item() for k, v in self.state.items() if v.ndim == 0}
        L, sigma, lr, theta = (state[k] for k in ("L", "sigma", "lr", "theta"))
        chosen = None
        if lr > 0:
            batches = (run.batch, run.first_batch)
            terms = (
                ball_terms(run.delta, L, sigma, run.steps, lr, theta, *batches)
                if self._rule == "ball"
                else regularization_terms(run.delta, sigma, run.steps, lr, theta, *batches)
            )
            chosen = RunParameters(self._rule, lr, theta, *batches, run.steps, Bound(terms))
        return TheoryChoice(L, sigma, state["differences"], state["covariances"], chosen)
