"""From blocks and recipes to a plan of the core."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
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
        self._groups: dict[int, _Group] = {}  # in the plan's order, by the id of the recipe that was given
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

    def join(self, block: Block, recipe: Recipe, recipes: Mapping[str, Recipe]) -> bool:
        """Add a block behind the others, in a time that does not grow as theirs; return whether that was possible.

        It is where the plan becomes the one that a construction with this block would make, and where nothing has to
        be asked of the others: no driver, no turns or pairs, no weights by name, no view. Raises as the construction.
        """
        group, last = self._groups.get(id(recipe)), self.routes[-1].group
        coupling = recipe.block_coupling
        alone = recipe.driver is None and recipe.turns is None and recipe.pairing is None
        by_name = isinstance(recipe.geometry, MixedNorm) or (
            coupling is not None and isinstance(coupling.weights, Mapping)
        )
        if not alone or by_name or block.view is not None or (group is not None and group.number != last):
            return False
        if self.plan.overlaps(block.array):
            return False
        check_fit([(block, recipe)], recipes)
        if group is None:
            self._add_group(recipe, [block])
        else:
            self._claim([block.name])
            weight = coupling.weights if coupling else 1.0
            assert not isinstance(weight, Mapping)
            self.routes.append(self._add_block(group, block, weight))
        self.plan.finish()
        return True

    def lrs(self, step: int) -> list[float]:
        """Return the lr of each group's recipe at a step, schedule included."""
        return at_once([group.lr for group in self._groups.values()], step)

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
        given = recipe
        recipe, weighted = self.drivers.start(recipe, pieces, len(self.routes))
        lr = Scheduled(f"lr of {recipe.name}", NON_NEGATIVE, recipe.lr, factor=schedule)
        number = self.plan.add_group(
            lr=self.schedules.take(lr),
            outer=coupling.outer if coupling else None,
            turns=self._scheduled_turns(recipe, recipe.turns, len(pieces)) if recipe.turns else None,
        )
        group = self._groups[id(given)] = _Group(recipe, number, lr)
        self.routes += [self._add_block(group, piece, weight) for piece, weight in weighted]

    def _claim(self, names: Iterable[str]) -> None:
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

    def _add_block(self, group: _Group, block: Block, weight: Schedulable) -> Route:
        recipe = group.recipe
        recipe.update.check_weights(block.name, block.array)
        rows, cols = block.shape
        try:
            self.plan.add_block(
                name=block.name,
                weights=block.array,
                rows=rows,
                cols=cols,
                parts=self._parts_of(group, block),
                group=group.number,
                weight=self.schedules.value(f"weight of {block.name!r}", POSITIVE, weight),
            )
        except ValueError as error:
            raise ValueError(f"block {block.name!r}: {error}") from None
        return Route(block, recipe, group.signature, group.number)

    def _parts_of(self, group: _Group, block: Block) -> dict[str, Any]:
        """Return the core's parts for a block; blocks of one shape share them, since parts hold no state."""
        recipe, geometry = group.recipe, group.recipe.geometry_of(block.owner)
        left = recipe.pairing.is_left(block.name) if recipe.pairing else None
        key = (block.fans, block.transposed, left, id(geometry))
        if key in group.lowered:
            return group.lowered[key]
        into = Lowering(
            schedules=self.schedules,
            recipe=recipe.name,
            fans=block.fans,
            transposed=block.transposed,
            left=left,
            backend=self._execution["backend"],
            rtol=self._execution["rtol"],
            block=block.name,
            failure=self.plan.failure,
        )
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
        if not group.per_block:
            group.lowered[key] = parts
        return parts


class _Group:
    """The blocks that one recipe serves, on the way into the plan."""

    def __init__(self, recipe: Recipe, number: int, lr: Scheduled) -> None:
        self.recipe, self.number, self.lr = recipe, number, lr
        self.signature = recipe.signature()
        self.per_block = any(held.per_block for part in recipe.parts for held in part.tree())
        self.lowered: dict[tuple[object, ...], dict[str, Any]] = {}


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
