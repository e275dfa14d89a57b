"""From blocks and recipes to a plan of the core."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypedDict

from .._edge import _core
from .._edge.backends import Backend
from .._edge.threads import check_threads
from .._edge.values import NON_NEGATIVE, POSITIVE, Schedulable, Scheduled, Schedules, at_once, position
from ..blocks.block import Block
from ..blocks.matching import match
from ..blocks.views import View
from ..parts import Turns
from ..parts.mixed_norm import MixedNorm
from ..parts.part import Lowering
from ..recipe.driver import by_driver
from ..recipe.recipe import Recipe
from .drivers import Drivers
from .hints import check_fit


class Execution(TypedDict, total=False):
    """Options of every optimizer that say how, not what, to compute; see `Optimizer`."""

    schedule: Callable[[int], float] | None
    views: Mapping[str, View] | None
    backend: Backend
    rtol: float | None
    deterministic: bool
    n_threads: int | None
    on_nonfinite: str


@dataclass(frozen=True)
class Route:
    """A block with the recipe that serves it, and the number of its group in the plan."""

    block: Block
    recipe: Recipe
    signature: str
    group: int


class Assembly:
    """A plan with what belongs to it in Python, put together from blocks and recipes.

    Attributes
    ----------
    plan : _core.Plan
    schedules : Schedules
        The hyperparameters that are callables.
    drivers : Drivers
    routes : list of Route
        The blocks in the order of the plan: group by group, in the order of the recipes' first blocks.
    """

    def __init__(self, blocks: Sequence[Block], recipes: Mapping[str, Recipe], execution: Execution) -> None:
        self.plan = _core.Plan(
            deterministic=execution["deterministic"], threads=check_threads(execution["n_threads"])
        )
        self.schedules = Schedules()
        self.drivers = Drivers()
        self.routes: list[Route] = []
        self._execution = execution
        self._names: set[str] = set()
        self._lrs: list[Scheduled] = []  # of the groups
        for block in blocks:
            _check_tied_keys(block, recipes)
        chosen = match(recipes, [block.name for block in blocks], "routes")
        check_fit([(block, chosen[block.name]) for block in blocks], recipes)
        members: dict[int, list[Block]] = {}
        for block in blocks:
            members.setdefault(id(chosen[block.name]), []).append(block)
        for served in members.values():
            self._add_group(chosen[served[0].name], served)
        self._pair()
        self.plan.finish()

    def lrs(self, step: int) -> list[float]:
        """Return the lr of each group's recipe at a step, schedule included."""
        return at_once(self._lrs, step)

    def _add_group(self, recipe: Recipe, members: list[Block]) -> None:
        names = [block.name for block in members]
        coupling = recipe.block_coupling
        if isinstance(recipe.geometry, MixedNorm):
            recipe.geometry._check_names(dict.fromkeys(names), "the optimizer")
        weights = coupling.weights_of(names) if coupling else dict.fromkeys(names, 1.0)
        pieces = [(piece, weights[block.name]) for block in members for piece in block.pieces()]
        self._claim(piece.name for piece, _ in pieces)
        schedule = self._execution["schedule"]
        if recipe.lr is by_driver and schedule is not None:
            raise ValueError(f"{recipe.name} chooses its own lr here, which schedule= would change")
        recipe, weighted = self.drivers.start(recipe, pieces, len(self.routes))
        value = self.schedules.value
        turns = self._scheduled_turns(recipe, recipe.turns, len(pieces)) if recipe.turns else None
        group = self.plan.add_group(
            lr=value(f"lr of {recipe.name}", NON_NEGATIVE, recipe.lr, factor=schedule),
            outer=coupling.outer if coupling else None,
            turns=turns,
        )
        self._lrs.append(Scheduled(f"lr of {recipe.name}", NON_NEGATIVE, recipe.lr, factor=schedule))
        self.routes += [self._add_block(recipe, piece, group, weight) for piece, weight in weighted]

    def _claim(self, names: Any) -> None:
        """Take names for blocks, or raise where a view gives a piece the name of another block."""
        for name in names:
            if name in self._names:
                raise ValueError(
                    f"two blocks would be called {name!r}: a view names the pieces of 'x' 'x[0]', 'x[1]', ...; rename "
                    "one of the arrays"
                )
            self._names.add(name)

    def _scheduled_turns(self, recipe: Recipe, turns: Turns, blocks: int) -> tuple[_core.Value, _core.Value]:
        """Return the core's values for the number of the turn and for the block that moves."""
        value = self.schedules.value
        return (
            value(f"turn of {recipe.name}", NON_NEGATIVE, lambda step: turns.at(step, blocks)[0]),
            value(f"active block of {recipe.name}", position(blocks), lambda step: turns.at(step, blocks)[1]),
        )

    def _pair(self) -> None:
        """Tell the plan which blocks read which others' weights."""
        places = {route.block.name: i for i, route in enumerate(self.routes)}
        for i, route in enumerate(self.routes):
            if route.recipe.pairing is None:
                continue
            partner = route.recipe.pairing.partner(route.block.name)
            if partner not in places:
                raise ValueError(f"block {route.block.name!r} is paired with {partner!r}, which is no block")
            _check_pair(route, self.routes[places[partner]])
            self.plan.pair(i, places[partner])

    def _add_block(self, recipe: Recipe, block: Block, group: int, weight: Schedulable) -> Route:
        geometry = recipe.geometry_of(block.owner)
        recipe.update.check_weights(block.name, block.array)
        rows, cols = block.shape
        into = Lowering(
            schedules=self.schedules,
            recipe=recipe.name,
            fans=block.fans,
            transposed=block.transposed,
            left=recipe.pairing.is_left(block.name) if recipe.pairing else None,
            backend=self._execution["backend"],
            rtol=self._execution["rtol"],
            block=block.name,
            failure=self.plan.failure,
        )
        try:
            parts = {
                "transforms": [transform.lower(into) for transform in recipe.transforms],
                "estimator": recipe.estimator.lower(into),
                "frame": recipe.frame.lower(into) if recipe.frame else None,
                "preconditioner": recipe.preconditioner.lower(into) if recipe.preconditioner else None,
                "geometry": geometry.lower(into),
                "adjustments": [adjustment.lower(into) for adjustment in recipe.adjustments],
                "scaling": recipe.scaling.lower(into),
                "output": recipe.output.lower(into) if recipe.output else None,
                "output_takes_lr": recipe.output_takes_lr,
                "update": recipe.update.lower(into),
            }
            self.plan.add_block(
                name=block.name,
                weights=block.array,
                rows=rows,
                cols=cols,
                parts=parts,
                group=group,
                weight=self.schedules.value(f"weight of {block.name!r}", POSITIVE, weight),
            )
        except ValueError as error:
            raise ValueError(f"block {block.name!r}: {error}") from None
        return Route(block, recipe, recipe.signature(), group)


def _check_tied_keys(block: Block, recipes: Mapping[str, Recipe]) -> None:
    named = [name for name in block.names if name in recipes] if len(block.names) > 1 else []
    if len(named) > 1:
        raise ValueError(f"routes name one tied array twice, as {' and '.join(map(repr, named))}")


def _check_pair(route: Route, other: Route) -> None:
    """Raise unless two paired blocks have one dtype and are factors of a product."""
    pairing = route.recipe.pairing
    assert pairing is not None
    pair = (route.block, other.block)
    left, right = pair if pairing.is_left(route.block.name) else pair[::-1]
    if left.transposed != right.transposed or left.fans[1] != right.fans[0]:
        raise ValueError(
            f"block {left.name!r} with shape {left.array.shape} is paired with {right.name!r} with shape "
            f"{right.array.shape}; expected factors of a product, stored alike"
        )
    if left.array.dtype != right.array.dtype:
        raise TypeError(
            f"block {left.name!r} is {left.array.dtype} and its partner {right.name!r} {right.array.dtype}; "
            "expected one dtype"
        )
