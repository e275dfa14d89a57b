"""The optimizer: named blocks, a recipe for each, and one call into the core per step."""

from __future__ import annotations

import functools
import sys
import threading
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TextIO, TypedDict

import numpy as np

from .._edge import _core
from .._edge.arrays import FloatArray
from .._edge.backends import Backend, check_backend, check_rtol
from .._edge.threads import check_threads
from .._edge.values import NON_NEGATIVE, POSITIVE, Schedulable, Schedules, at_step, position
from .._tables import html_table, table
from ..blocks.block import Block, make_blocks
from ..blocks.extras import CALLABLES, EXTRAS, Row, extras_of, flatten_extras, with_means
from ..blocks.matching import match
from ..blocks.structure import Params, flatten, rebuild
from ..blocks.views import View
from ..parts import L2Decay, Turns
from ..parts.mixed_norm import MixedNorm
from ..parts.part import Lowering
from ..recipe.driver import Refusal, by_driver
from ..recipe.recipe import Recipe
from . import state
from .drivers import Drivers
from .report import BlockReport, Report

POLICIES = ("raise", "skip", "warn")


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
class _Route:
    """A block with the recipe that serves it."""

    block: Block
    recipe: Recipe
    signature: str
    lr: Callable[[int], float]


class Optimizer:
    """Blocks of parameters, each routed to a recipe.

    Parameters
    ----------
    params : array, list or dict of arrays
        float32 or float64, C-contiguous, writable; changed in place. Nested names are joined by "/". The optimizer
        keeps the arrays themselves: rebinding ``params["W"] = other`` is not seen.
    routes : Recipe, or mapping of str to Recipe
        Keys are names or globs ("*" also matches "/"): the exact name wins, else the first glob that fits. Every block
        must be matched and every key must match. The blocks that one recipe object serves share its coupling.
    schedule : callable, optional
        Maps the global step (from 0) to a factor on every recipe's lr.
    views : mapping of str to View, optional
        How blocks of more than two dimensions are seen as matrices.
    backend : {"auto", "svd", "gram", "band", "chebyshev", "newton_schulz", "qdwh"} or NewtonSchulz
        Oracle of the Schatten geometries; see `ball_oracle`. ``"auto"`` leaves the choice to the recipe.
    rtol : float, optional
        Accuracy of the oracles of the Schatten geometries; see `ball_oracle`. Default: strict, or the recipe's.
    deterministic : bool
        Bit-identical results whatever the number of threads: each block is the work of one thread, with one BLAS
        thread. False allows BLAS threads inside a block that is too large a part of the step for one thread.
    n_threads : int, optional
        Threads that a step uses at most, at least 1. Default: the number of processors that the process may run on, or
        of BLAS threads if that is smaller, as by ``OPENBLAS_NUM_THREADS=1``.
    on_nonfinite : {"raise", "skip", "warn"}
        A gradient that is not finite, or too large for the recipe's state, raises, or drops the whole step (counted in
        ``report.skipped_steps``), silently or with a warning. Nothing has been changed then.

    Raises
    ------
    TypeError, ValueError, KeyError
        Naming the block, what was expected and what came.

    Examples
    --------
    >>> params = {"W": np.zeros((4, 3)), "bias": np.zeros(4)}
    >>> routes = {"bias": st.recipes.adamw(lr=1e-3), "*": st.recipes.muon(lr=0.02)}
    >>> opt = st.Optimizer(params, routes)
    >>> opt.step({"W": np.ones((4, 3)), "bias": np.ones(4)})
    >>> opt
    Optimizer(2 blocks, 16 parameters, float64, step 1)
    """

    def __init__(
        self,
        params: Params,
        routes: Recipe | Mapping[str, Recipe],
        *,
        schedule: Callable[[int], float] | None = None,
        views: Mapping[str, View] | None = None,
        backend: Backend = "auto",
        rtol: float | None = None,
        deterministic: bool = True,
        n_threads: int | None = None,
        on_nonfinite: str = "raise",
    ) -> None:
        check_rtol(rtol)
        if on_nonfinite not in POLICIES:
            raise ValueError(
                f"on_nonfinite must be one of {', '.join(map(repr, POLICIES))}, got {on_nonfinite!r}"
            )
        if schedule is not None and not callable(schedule):
            raise TypeError(f"schedule must be a callable of the step, got {schedule!r}")
        self._structure = params
        self._recipes = {"*": routes} if isinstance(routes, Recipe) else dict(routes)
        self._execution = Execution(
            schedule=schedule,
            views=views,
            backend=check_backend(backend, rtol),
            rtol=rtol,
            deterministic=deterministic,
            n_threads=n_threads,
            on_nonfinite=on_nonfinite,
        )
        self._lock = threading.Lock()
        self._schedules = Schedules()
        self._plan = _core.Plan(deterministic, check_threads(n_threads))
        blocks = make_blocks(params, views)
        self._blocks = {block.name: block for block in blocks}
        self._arrays = {name: block.array for block in blocks for name in block.names}
        self._drivers = Drivers()
        self._tied = any(len(block.names) > 1 for block in blocks)
        self._routes = self._route(blocks)
        self._owners = [route.block.owner for route in self._routes]
        self._split = any(route.block.index is not ... for route in self._routes)
        place = {name: i for i, name in enumerate(self._blocks)}
        self._listed = sorted(self._routes, key=lambda route: place[route.block.owner])  # as the parameters
        self._requires = frozenset().union(*(route.recipe.requires for route in self._routes))
        self._reads = self._requires.union(*(r.driver.reads for r in self._recipes.values() if r.driver))
        self._pair()
        self._plan.finish()

    # Construction

    def _route(self, blocks: list[Block]) -> list[_Route]:
        """Add every block to the plan, group by group in the order of the recipes' first blocks."""
        for key, value in self._recipes.items():
            if not isinstance(value, Recipe):
                raise TypeError(f"routes[{key!r}] must be a recipe such as st.recipes.muon(), got {value!r}")
        for block in blocks:
            self._check_tied_keys(block)
        chosen = match(self._recipes, [block.name for block in blocks], "routes")
        routes: list[_Route] = []
        for recipe in {id(recipe): recipe for recipe in chosen.values()}.values():
            members = [block for block in blocks if chosen[block.name] is recipe]
            routes.extend(self._add_group(recipe, members, len(routes)))
        return routes

    def _check_tied_keys(self, block: Block) -> None:
        named = [name for name in block.names if name in self._recipes]
        if len(named) > 1:
            raise ValueError(f"routes name one tied array twice, as {' and '.join(map(repr, named))}")

    def _add_group(self, recipe: Recipe, members: list[Block], place: int) -> list[_Route]:
        names = [block.name for block in members]
        coupling = recipe.block_coupling
        if isinstance(recipe.geometry, MixedNorm):
            recipe.geometry._check_names(dict.fromkeys(names), "the optimizer")
        weights = coupling.weights_of(names) if coupling else dict.fromkeys(names, 1.0)
        pieces = [(piece, weights[block.name]) for block in members for piece in block.pieces()]
        if recipe.lr is by_driver and self._execution["schedule"] is not None:
            raise ValueError(f"{recipe.name} chooses its own lr here, which schedule= would change")
        recipe, weighted = self._drivers.start(recipe, pieces, place)
        lr = self._scheduled_lr(recipe)
        slot = self._schedules.value(f"lr of {recipe.name}", NON_NEGATIVE, lr)
        turns = self._scheduled_turns(recipe.turns, len(pieces)) if recipe.turns else None
        group = self._plan.add_group(slot, coupling.outer if coupling else None, turns)
        return [self._add_block(recipe, piece, group, weight, lr) for piece, weight in weighted]

    def _scheduled_turns(self, turns: Turns, blocks: int) -> tuple[_core.Value, _core.Value]:
        """Return the core's values for the number of the turn and for the block that moves."""
        return (
            self._schedules.value("turn", NON_NEGATIVE, lambda step: turns.at(step, blocks)[0]),
            self._schedules.value("active block", position(blocks), lambda step: turns.at(step, blocks)[1]),
        )

    def _pair(self) -> None:
        """Tell the plan which blocks read which others' weights."""
        places = {route.block.name: i for i, route in enumerate(self._routes)}
        for i, route in enumerate(self._routes):
            if route.recipe.pairing is None:
                continue
            partner = route.recipe.pairing.partner(route.block.name)
            if partner not in places:
                raise ValueError(f"block {route.block.name!r} is paired with {partner!r}, which is no block")
            self._check_pair(route, self._routes[places[partner]])
            self._plan.pair(i, places[partner])

    def _check_pair(self, route: _Route, other: _Route) -> None:
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

    def _scheduled_lr(self, recipe: Recipe) -> Callable[[int], float]:
        """Return the recipe's lr times the optimizer's schedule, as a function of the step."""
        schedule = self._execution["schedule"]

        def lr(step: int) -> float:
            value = NON_NEGATIVE.check(f"lr of {recipe.name} at step {step}", at_step(recipe.lr, step))
            if schedule is None:
                return value
            return value * NON_NEGATIVE.check(f"schedule of lr at step {step}", schedule(step))

        return lr

    def _add_block(
        self, recipe: Recipe, block: Block, group: int, weight: Schedulable, lr: Callable[[int], float]
    ) -> _Route:
        geometry = recipe.geometry_of(block.owner)
        recipe.check_block(block)
        if recipe.matrices_only and block.array.ndim < 2:
            raise ValueError(
                f"block {block.name!r} has shape {block.array.shape}, and {recipe.name} takes matrices only; route it "
                f"elsewhere, for example st.Optimizer(params, {{{block.name!r}: st.recipes.adamw(lr=3e-4), "
                f"'*': st.recipes.{recipe.name}(...)}})"
            )
        recipe.update.check_weights(block.name, block.array)
        rows, cols = block.shape
        execution = self._execution
        into = Lowering(
            self._schedules,
            block.fans,
            block.transposed,
            recipe.pairing.is_left(block.name) if recipe.pairing else None,
            execution["backend"],
            execution["rtol"],
            block.name,
            self._plan.failure,
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
            value = into.value(f"weight of {block.name!r}", POSITIVE, weight)
            self._plan.add_block(block.name, block.array, rows, cols, parts, group, value)
        except ValueError as error:
            raise ValueError(f"block {block.name!r}: {error}") from None
        return _Route(block, recipe, recipe.signature(), lr)

    # Steps

    def step(self, grads: Any, **extras: Any) -> None:
        """Take one step: parameters and state advance in place.

        Parameters
        ----------
        grads : structure of arrays
            The names of the parameters, nested or flat; each gradient has the parameter's shape and dtype, any strides.
            None leaves a block wholly untouched.
        **extras : structures of arrays
            What recipes require beside the gradients (``Recipe.requires``), by the names of the blocks that need it,
            in the dtype of the parameter; N is the number of samples of the mini-batch:

            - ``gradient_at_previous``: the gradient of the same samples at the parameters before the last step, in the
              parameter's shape; not needed in a block's first step;
            - ``activations``: inputs of the layer, (N, fan-in);
            - ``deltas``: gradients of the samples' losses by the outputs of the layer, (N, fan-out);
            - ``per_example``: the samples' gradients, (N, *shape*). Where it is given, `grads` may leave the block out:
              their mean stands for the gradient;
            - ``closure``: a function that takes parameters, in the structure of the optimizer's, and returns the
              gradient of this step's samples there;
            - ``hvp``: a function that takes parameters and a direction, both in that structure, and returns the product
              of the Hessian with the direction.

        Raises
        ------
        KeyError, TypeError, ValueError
            For a missing or unknown name, a wrong dtype or shape, or values that are not finite; nothing has changed
            then.
        """
        self._run("step", grads, None, extras)

    def update(self, grads: Any, **extras: Any) -> Any:
        """Advance the state as `step` does and return new minus old parameters; the parameters stay.

        Parameters
        ----------
        grads, **extras : structures of arrays
            As in `step`.

        Returns
        -------
        structure of fresh arrays
            In the form of the parameters; zero for untouched blocks.
        """
        return self._displacement("update", grads, extras)

    def peek(self, grads: Any, **extras: Any) -> Any:
        """Return what `update` would, and advance nothing.

        Parameters
        ----------
        grads, **extras : structures of arrays
            As in `step`.

        Returns
        -------
        structure of fresh arrays
            In the form of the parameters; zero for untouched blocks.
        """
        return self._displacement("peek", grads, extras)

    def _displacement(self, mode: str, grads: Any, extras: Mapping[str, Any]) -> Any:
        moved = {name: np.zeros_like(block.array) for name, block in self._blocks.items()}
        targets = [moved[route.block.owner][route.block.index] for route in self._routes]
        self._run(mode, grads, targets, extras)
        return self._in_structure(moved.__getitem__)

    def _in_structure(self, of_block: Callable[[str], FloatArray]) -> Any:
        """Return ``of_block(name)`` in the structure of the parameters; tied names ask for the same block."""
        owner = {name: block.name for block in self._blocks.values() for name in block.names}
        return rebuild(self._structure, lambda name: of_block(owner[name]))

    def _run(
        self, mode: str, grads: Any, targets: list[FloatArray] | None, extras: Mapping[str, Any]
    ) -> None:
        given = flatten_extras(extras, self._reads) if extras else {}
        gradients = self._gradients(
            with_means(grads, given["per_example"]) if "per_example" in given else grads
        )
        with self._lock:  # the plan takes one call at a time, and schedules belong to its step
            rows = self._extras(gradients, given) if self._reads else None
            before = self._drivers.states
            done = False
            try:
                refusal = self._drive(gradients, given)
                if refusal is None:
                    slots = self._schedules.evaluate(self._plan.step)
                    refusal = self._plan.run(mode, gradients, slots, targets, rows)
                done = refusal is None and mode != "peek"
            finally:
                if not done:
                    self._drivers.states = before
            if refusal and mode != "peek" and self._execution["on_nonfinite"] != "raise":
                self._plan.skip()
        if refusal is None:
            return
        message = self._refusal(*refusal)
        if self._execution["on_nonfinite"] == "raise":
            raise ValueError(message)
        for target in targets or []:
            target[...] = 0.0
        if self._execution["on_nonfinite"] == "warn":
            warnings.warn(f"step {self._plan.step} skipped: {message}", RuntimeWarning, stacklevel=3)

    def _drive(self, gradients: list[Any], given: Mapping[str, Any]) -> Refusal | None:
        """Let the drivers set what they set."""
        if not self._drivers:
            return None
        step, schedule = self._plan.step, self._execution["schedule"]
        factor = 1.0 if schedule is None else schedule(step)
        blocks = [route.block for route in self._routes]
        return self._drivers.observe(step, factor, blocks, gradients, given, self._over)

    def _over(self, kind: str, function: Callable[..., Any], places: slice) -> Callable[..., list[Any]]:
        """Return a user's function as one of some blocks, the others being as they are (hvp: not moved)."""

        def of_blocks(points: list[FloatArray]) -> list[Any]:
            fresh = np.zeros_like if kind == "hvp" else np.array
            arrays = {name: fresh(block.array) for name, block in self._blocks.items()}
            for route, point in zip(self._routes[places], points, strict=True):
                arrays[route.block.owner][route.block.index] = point
            before = (self._structure,) if kind == "hvp" else ()
            given = flatten(function(*before, self._in_structure(arrays.__getitem__)))
            return self._gradients(given)[places]

        return of_blocks

    def _extras(self, gradients: list[Any], given: Mapping[str, Any]) -> list[Row]:
        """Return what each block of the plan reads beside its gradient."""
        for kind, arrays in given.items():
            for name in () if kind in CALLABLES else arrays:
                if name not in self._blocks:
                    raise KeyError(
                        f"{kind} has {name!r}; the blocks are {', '.join(map(repr, self._blocks))}"
                    )
        absent: frozenset[str] = frozenset()
        return [
            extras_of(
                route.block,
                absent if gradient is None else route.recipe.requires,
                given,
                first=self._plan.count(i) == 0,
            )
            for i, (route, gradient) in enumerate(zip(self._routes, gradients, strict=True))
        ]

    def _gradients(self, grads: Any) -> list[Any]:
        """Return the gradients in the order of the plan's blocks."""
        given = grads if type(grads) is dict and grads.keys() == self._arrays.keys() else flatten(grads)
        if given.keys() != self._arrays.keys():
            for name in given:
                if name not in self._arrays:
                    raise KeyError(
                        f"grads has {name!r}, which is no block; the blocks are {', '.join(map(repr, self._arrays))}"
                    )
            for name in self._arrays:
                if name not in given:
                    raise KeyError(f"grads lacks block {name!r}; give None to leave a block untouched")
        if self._tied:
            given = {name: self._add_tied(block, given) for name, block in self._blocks.items()}
        if not self._split:
            return [given[owner] for owner in self._owners]
        return [self._take(route.block, given[route.block.owner]) for route in self._routes]

    def _take(self, piece: Block, gradient: Any) -> Any:
        """Return the piece's part of its array's gradient."""
        if gradient is None or piece.index is ...:
            return gradient
        wanted = self._blocks[piece.owner].array.shape
        if np.shape(gradient) != wanted:
            raise ValueError(
                f"gradient of block {piece.owner!r} has shape {np.shape(gradient)}, expected {wanted}"
            )
        return gradient[piece.index]

    def _add_tied(self, block: Block, given: Mapping[str, Any]) -> Any:
        """Return the sum of the gradients given under the several names of one array."""
        parts = [given[name] for name in block.names if given[name] is not None]
        for part in parts:
            if (
                not isinstance(part, np.ndarray)
                or part.shape != block.array.shape
                or part.dtype != block.array.dtype
            ):
                return part  # the core says what is wrong with it
        return functools.reduce(np.add, parts) if parts else None

    def _refusal(self, kind: str, index: int, count: int, largest: float, limit: float, extra: int) -> str:
        """Return the sentence for a gradient that the core refused."""
        route = self._routes[index]
        block = route.block
        if kind == "extra":
            return f"{EXTRAS[extra]} of block {block.name!r}: {count} entries are not finite; expected finite values"
        if kind == "step":
            return f"step of block {block.name!r}: {count} entries of weights and state would not be finite"
        if kind == "extra magnitude":
            found = f"{EXTRAS[extra]} of block {block.name!r} reaches {largest:.3g}"
        elif kind == "magnitude":
            found = f"gradient of block {block.name!r} reaches {largest:.3g}"
        elif kind == "estimate":
            found = f"momentum of block {block.name!r} would reach {largest:.3g}"
        else:
            what = "gradient of block" if kind == "gradient" else "block"
            size = block.array.size
            return f"{what} {block.name!r}: {count} of {size} entries are not finite; expected finite values"
        return f"{found}; expected at most {limit:.3g} ({route.recipe.name} in {block.array.dtype})"

    # Reading

    @property
    def params(self) -> dict[str, FloatArray]:
        """The parameter arrays themselves, by flat name."""
        return dict(self._arrays)

    @property
    def step_count(self) -> int:
        """Steps taken so far: the step that schedules see next."""
        return self._plan.step

    @property
    def skipped_steps(self) -> int:
        """Steps dropped so far because of their gradients."""
        return self._plan.skipped_steps

    @property
    def report(self) -> Report:
        """What the last step did."""
        rows = {row[0]: BlockReport(*row[1:]) for row in self._plan.report()}
        names = [route.block.name for route in self._listed]
        blocks = {name: rows[name] for name in names if name in rows}
        step = self._plan.report_step
        step_made = None if step < 0 else step
        return Report(blocks, step_made, self._plan.skipped_steps, self._drivers.choices())

    def evaluation_params(self) -> Any:
        """Return the point to evaluate and save, in fresh arrays and in the structure of the parameters.

        It is the parameters themselves, but for recipes that average, such as `schattor.recipes.schedule_free`: there
        the parameters hold the point at which the next gradient is wanted.

        Returns
        -------
        structure of fresh arrays
        """
        points = {name: np.empty_like(block.array) for name, block in self._blocks.items()}
        for route, kept in zip(self._routes, self._block_states(), strict=True):
            point = route.recipe.update.evaluation_point(route.block.array, kept.arrays, kept.count)
            points[route.block.owner][route.block.index] = point
        return self._in_structure(lambda name: points[name].copy())

    _HEADER = ("block", "shape", "view", "recipe", "geometry", "scale", "decay", "effective lr")

    def _rows(self) -> list[list[str]]:
        step = self._plan.step
        place = {id(route): i for i, route in enumerate(self._routes)}
        rows = []
        for route in self._listed:
            block, recipe = route.block, route.recipe
            geometry = recipe.geometry_of(block.owner)
            label = " = ".join(block.names) if block.name == block.owner else block.name
            view = str(block.view) if block.view else "-"
            decay = next((str(t) for t in recipe.transforms if isinstance(t, L2Decay)), str(recipe.update))
            lr = route.lr(step) * recipe.scaling.factor(block.fans, step) * self._plan.pace(place[id(route)])
            shape = " x ".join(map(str, block.array.shape)) or "scalar"
            rows.append(
                [label, shape, view, recipe.name, str(geometry), str(recipe.scaling), decay, f"{lr:.4g}"]
            )
        return rows

    def explain(self, file: TextIO | None = None) -> None:
        """Print how every block is treated: shape, view, recipe, geometry, scale, decay and effective lr.

        The effective lr is the scheduled lr of the next step times the shape factor and, for recipes that estimate a
        factor of their own, times the last one.

        Parameters
        ----------
        file : text stream, optional
            Default: standard output.
        """
        lines = [table(self._HEADER, self._rows()), *map(str, self._drivers.choices())]
        print("\n".join(lines), file=file or sys.stdout)

    def __repr__(self) -> str:
        arrays = [block.array for block in self._blocks.values()]
        dtypes = "/".join(sorted({str(array.dtype) for array in arrays}))
        blocks = f"{len(arrays)} block{'s' if len(arrays) > 1 else ''}"
        total = sum(array.size for array in arrays)
        return f"{type(self).__name__}({blocks}, {total:,} parameters, {dtypes}, step {self._plan.step})"

    def _repr_html_(self) -> str:
        return html_table(repr(self), self._HEADER, self._rows())

    # State

    def _block_states(self) -> list[state.BlockState]:
        result = []
        for i, route in enumerate(self._routes):
            shape = route.block.array.shape
            arrays = {
                name: array.reshape(shape if array.size == route.block.array.size else ())
                if array.size in (route.block.array.size, 1)
                else array
                for name, array in self._plan.state(i).items()
            }
            result.append(state.BlockState(route.block.name, route.signature, arrays, self._plan.count(i)))
        return result

    def state_dict(self) -> dict[str, np.ndarray[Any, Any]]:
        """Return the state as a flat dict of arrays, fit for ``np.savez(file, **opt.state_dict())``.

        It holds no parameters, hyperparameters or schedules. A run that goes on from the same parameters and state
        is bit-identical.

        Returns
        -------
        dict of str to ndarray
            "version", "step", "skipped_steps", "state/<block>/<name>", and "driver/<number>/<name>".
        """
        counts = (self._plan.step, self._plan.skipped_steps)
        return state.pack(self._block_states(), *counts, self._drivers.entries())

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Take over a saved state; also from ``np.load``.

        Parameters
        ----------
        state_dict : mapping of str to array

        Raises
        ------
        KeyError, ValueError
            For other blocks, recipes, shapes or dtypes than this optimizer has; nothing has changed then.
        """
        blocks = self._block_states()
        arrays = state.check(state_dict, blocks, self._drivers.entries())
        for i, block in enumerate(blocks):
            for name, live in block.arrays.items():
                live[...] = arrays[f"state/{block.name}/{name}"]
            self._plan.state_written(i, int(arrays[f"state/{block.name}/count"]))
        self._drivers.load(arrays)
        self._plan.step = int(arrays["step"])
        self._plan.skipped_steps = int(arrays["skipped_steps"])

    def add_block(self, name: str, array: FloatArray, recipe: Recipe | None = None) -> None:
        """Add a block to a running optimizer: the others keep their state, the new one starts at its first step.

        Parameters
        ----------
        name : str
            Not the name of a block yet. From now on gradients name it too.
        array : ndarray
            As in the construction; changed in place.
        recipe : Recipe, optional
            Default: what the routes say for the name.

        Raises
        ------
        TypeError, ValueError, KeyError
            As at construction, for a name in use, or for parameters that are not a dict; nothing has changed then.

        Examples
        --------
        >>> opt = st.SGD({"a": np.ones(1)}, lr=0.5)
        >>> opt.add_block("b", np.ones(1))
        >>> opt.step({"a": np.ones(1), "b": np.ones(1)})
        >>> opt.params
        {'a': array([0.5]), 'b': array([0.5])}
        """
        if not isinstance(self._structure, Mapping):
            raise TypeError(f"add_block needs parameters in a dict, got {type(self._structure).__name__}")
        if name in self._arrays:
            raise ValueError(f"there is a block {name!r} already")
        with self._lock:
            saved = self.state_dict()
            routes = self._recipes if recipe is None else {name: recipe, **self._recipes}
            grown = type(self).__new__(type(self))
            Optimizer.__init__(grown, {**self._structure, name: array}, routes, **self._execution)
            grown.load_state_dict({**grown.state_dict(), **saved})
        self.__dict__.update(grown.__dict__)

    def __reduce__(self) -> tuple[Any, ...]:
        return _restore, (type(self), self._structure, self._recipes, self._execution, self.state_dict())


def _restore(
    cls: type[Optimizer],
    params: Params,
    recipes: Mapping[str, Recipe],
    execution: Execution,
    state_dict: Mapping[str, Any],
) -> Optimizer:
    """Rebuild an optimizer from its parameters, recipes and state: pickle and deepcopy."""
    optimizer = cls.__new__(cls)
    Optimizer.__init__(optimizer, params, recipes, **execution)
    optimizer.load_state_dict(state_dict)
    return optimizer
