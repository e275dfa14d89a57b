"""The optimizer: named blocks, a recipe for each, and one call into the core per step.

More than half of the file are docstrings of the one class that users hold.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Mapping
from typing import Any, TextIO

import numpy as np

from .._edge import _core
from .._edge.arrays import FloatArray, refuse_masked
from .._edge.backends import Backend, check_backend, check_rtol
from .._edge.values import check_choice, check_flag, check_schedule
from .._tables import html_table, table
from ..blocks.block import make_blocks
from ..blocks.caller import Caller
from ..blocks.extras import flatten_extras, with_means
from ..blocks.matching import key_of_new
from ..blocks.structure import Params, rebuild
from ..blocks.views import View
from ..recipe.recipe import Recipe
from . import state
from .assembly import Assembly, Execution, Route
from .explanation import HEADER, row
from .hints import check_params, check_routes
from .inputs import Inputs
from .lock import OwnedLock
from .refusals import sentence
from .report import BlockReport, Report
from .snapshot import Snapshot, restore

POLICIES = ("raise", "skip", "warn")


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
    backend : str or NewtonSchulz
        Oracle of the Schatten geometries, as in `ball_oracle`. ``"auto"`` leaves the choice to the recipe.
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

    _caller: Caller | None = None
    """The structure that the user passed; none where the optimizer was restored."""

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
        check_choice("on_nonfinite", on_nonfinite, POLICIES)
        check_schedule("schedule", schedule)
        check_flag("deterministic", deterministic)
        execution = Execution(
            schedule=schedule,
            views=views,
            backend=check_backend(backend, rtol),
            rtol=rtol,
            deterministic=deterministic,
            n_threads=n_threads,
            on_nonfinite=on_nonfinite,
        )
        self._lock = OwnedLock(type(self).__name__)
        check_params(params)
        self._assemble(params, check_routes(routes), execution)
        self._caller = Caller(params)

    def _assemble(self, params: Params, recipes: Mapping[str, Recipe], execution: Execution) -> None:
        """Make blocks and plan; nothing of the optimizer has changed where this raises."""
        blocks = make_blocks(params, execution["views"])
        by_name = {block.name: block for block in blocks}
        assembly = Assembly(blocks, recipes, execution)
        place = {name: i for i, name in enumerate(by_name)}
        self._recipes, self._execution = recipes, execution
        self._blocks = by_name
        self._arrays = {name: block.array for block in blocks for name in block.names}
        self._structure = rebuild(params, self._arrays.__getitem__)
        self._assembly = assembly
        self._plan, self._schedules, self._drivers = assembly.plan, assembly.schedules, assembly.drivers
        self._routes = assembly.routes
        self._listed = sorted(self._routes, key=lambda route: place[route.block.owner])  # as the parameters
        self._inputs = Inputs(by_name, self._routes)
        self._requires = frozenset().union(*(recipe.requires for recipe in recipes.values()))
        self._reads = self._requires.union(*(r.driver.reads for r in recipes.values() if r.driver))

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
        with self._lock:
            self._run("step", grads, None, extras)

    def update(self, grads: Any, *, params: Any = None, **extras: Any) -> Any:
        """Advance the state as `step` does and return new minus old parameters; the parameters stay.

        With `params` it reads nothing that the optimizer holds but its state. Without, it reads the parameters that the
        optimizer holds: where steps depend on them, as by weight decay, add what is returned before the next call.

        Parameters
        ----------
        grads, **extras : structures of arrays
            As in `step`.
        params : structure of arrays, optional
            The point of the gradients, in the shapes and dtypes of the parameters.

        Returns
        -------
        structure of fresh arrays
            In the form of the parameters; zero for untouched blocks.

        Raises
        ------
        ValueError
            For `params` with a recipe whose driver measures at the parameters that the optimizer holds; and as `step`.

        Examples
        --------
        >>> opt = st.SGD({"w": np.zeros(1)}, lr=0.5, weight_decay=0.1)
        >>> opt.update({"w": np.ones(1)}, params={"w": np.full(1, 10.0)})
        {'w': array([-1.])}
        """
        return self._displacement("update", grads, params, extras)

    def peek(self, grads: Any, *, params: Any = None, **extras: Any) -> Any:
        """Return what `update` would, and advance nothing.

        Parameters
        ----------
        grads, params, **extras : structures of arrays
            As in `update`.

        Returns
        -------
        structure of fresh arrays
            In the form of the parameters; zero for untouched blocks.
        """
        return self._displacement("peek", grads, params, extras)

    def _displacement(self, mode: str, grads: Any, params: Any, extras: Mapping[str, Any]) -> Any:
        with self._lock:
            if params is not None and self._drivers:
                raise ValueError(
                    f"{mode} takes no params with a recipe whose driver measures at the parameters that the optimizer "
                    "holds; write the point into them"
                )
            point = None if params is None else self._inputs.point(params)
            moved = {name: np.zeros_like(block.array) for name, block in self._blocks.items()}
            targets = [moved[route.block.owner][route.block.index] for route in self._routes]
            self._run(mode, grads, targets, extras, point)
            return self._in_structure(moved.__getitem__)

    def _in_structure(self, of_block: Callable[[str], FloatArray]) -> Any:
        """Return ``of_block(name)`` in the structure of the parameters; tied names ask for the same block."""
        owner = {name: block.name for block in self._blocks.values() for name in block.names}
        return rebuild(self._structure, lambda name: of_block(owner[name]))

    def _run(
        self,
        mode: str,
        grads: Any,
        targets: list[FloatArray] | None,
        extras: Mapping[str, Any],
        point: list[FloatArray] | None = None,
    ) -> None:
        if self._caller:
            self._caller.check(self._arrays)
        given = flatten_extras(extras, self._reads) if extras else {}
        gradients = self._inputs.arrays(
            with_means(grads, given["per_example"]) if "per_example" in given else grads, "grads"
        )
        rows = self._inputs.extras(gradients, given, self._plan.count) if self._reads else None
        before = self._drivers.states
        done = False
        try:
            refusal = self._drive(gradients, given)
            if refusal is None:
                slots = self._schedules.evaluate(self._plan.step)
                if point is not None:
                    self._plan.stand_at(point)
                refusal = self._plan.run(mode, gradients, slots, targets, rows)
            done = refusal is None and mode != "peek"
        finally:
            if not done:
                self._drivers.states = before
        if refusal is None:
            return
        policy = self._execution["on_nonfinite"]
        message = sentence(refusal, self._routes[refusal.block])
        if policy == "raise":
            raise ValueError(message)
        if mode != "peek":
            self._plan.skip()
        for target in targets or []:
            target[...] = 0.0
        if policy == "warn":
            warnings.warn(f"step {self._plan.step} skipped: {message}", RuntimeWarning, stacklevel=4)

    def _drive(self, gradients: list[Any], given: Mapping[str, Any]) -> _core.Refusal | None:
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
            given = function(*before, self._in_structure(arrays.__getitem__))
            returned = self._inputs.arrays(given, kind)[places]
            for route, array in zip(self._routes[places], returned, strict=True):
                refuse_masked(array, f"what {kind} returns for block {route.block.name!r}")
            return returned

        return of_blocks

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
        rows = {
            name: BlockReport(**{field: getattr(block, field) for field in BlockReport._fields})
            for name, block in self._plan.report().items()
        }
        names = [route.block.name for route in self._listed]
        blocks = {name: rows[name] for name in names if name in rows}
        return Report(blocks, self._plan.report_step, self._plan.skipped_steps, self._drivers.choices())

    def evaluation_params(self) -> Any:
        """Return the point to evaluate and save, in fresh arrays and in the structure of the parameters.

        It is the parameters themselves, but for recipes that average, such as `schattor.recipes.schedule_free`: there
        the parameters hold the point at which the next gradient is wanted.

        Returns
        -------
        structure of fresh arrays
        """
        with self._lock:
            points = {name: np.empty_like(block.array) for name, block in self._blocks.items()}
            for route, kept in zip(self._routes, self._block_states(), strict=True):
                point = route.recipe.update.evaluation_point(route.block.array, kept.arrays, kept.count)
                points[route.block.owner][route.block.index] = point
            return self._in_structure(lambda name: points[name].copy())

    @property
    def lr(self) -> dict[str, float]:
        """The learning rate of every block at the coming step, by the name of the block.

        It is the recipe's lr times the optimizer's schedule and, for recipes that estimate a factor of their own,
        such as `schattor.Prodigy`, times the last one. Shape factors are not in it; `explain` shows both. Schedules
        are called.
        """
        with self._lock:
            return self._lr()

    def _lr(self) -> dict[str, float]:
        lrs = self._assembly.lrs(self._plan.step)
        return {
            route.block.name: lrs[route.group] * self._plan.pace(place)
            for place, route in self._in_listed_order()
        }

    def _in_listed_order(self) -> list[tuple[int, Route]]:
        """Return places in the plan and routes, in the order of the parameters."""
        place = {id(route): i for i, route in enumerate(self._routes)}
        return [(place[id(route)], route) for route in self._listed]

    def explain(self, file: TextIO | None = None) -> None:
        """Print how every block is treated, and the values that schedules have at the coming step.

        The columns are shape, view, recipe, preconditioner (with its frame), geometry, scale, decay, `lr`, and the
        effective lr: that times the shape factor. Below stand the hyperparameters that are callables, and what drivers
        have chosen. Schedules are called.

        Parameters
        ----------
        file : text stream, optional
            Default: standard output.
        """
        with self._lock:
            lines = [table(HEADER, self._rows())]
            if scheduled := self._schedules.now(self._plan.step):
                values = ", ".join(f"{what} {value:.4g}" for what, value in scheduled.items())
                lines.append(f"at step {self._plan.step}: {values}")
            lines += map(str, self._drivers.choices())
        print("\n".join(lines), file=file or sys.stdout)

    def _rows(self) -> list[list[str]]:
        lrs = self._lr()
        return [row(route, lrs[route.block.name], self._plan.step) for route in self._listed]

    def __repr__(self) -> str:
        arrays = [block.array for block in self._blocks.values()]
        dtypes = "/".join(sorted({str(array.dtype) for array in arrays}))
        blocks = f"{len(arrays)} block{'s' if len(arrays) > 1 else ''}"
        total = sum(array.size for array in arrays)
        return f"{type(self).__name__}({blocks}, {total:,} parameters, {dtypes}, step {self._plan.step})"

    def _repr_html_(self) -> str:
        with self._lock:
            return html_table(repr(self), HEADER, self._rows())

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
        with self._lock:
            return self._state()

    def _state(self) -> dict[str, np.ndarray[Any, Any]]:
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
        with self._lock:
            self._load(state_dict)

    def _load(self, state_dict: Mapping[str, Any]) -> None:
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
            recipes = self._recipes if recipe is None else {name: recipe, **self._recipes}
            if not self._join(name, array, recipes):
                saved = self._state()
                grown = type(self).__new__(type(self))
                grown._assemble({**self._structure, name: array}, recipes, self._execution)
                grown._load({**grown._state(), **saved})
                self.__dict__.update(grown.__dict__)
            if self._caller:
                self._caller.joined.add(name)

    def _join(self, name: str, array: FloatArray, recipes: Mapping[str, Recipe]) -> bool:
        """Add a block where the others need not be made anew; return whether that was possible."""
        key = key_of_new(recipes, name, self._blocks)
        if key is None or self._execution["views"]:
            return False
        block = make_blocks({name: array}, None)[0]
        if not self._assembly.join(block, recipes[key], recipes):
            return False
        self._recipes = recipes
        self._blocks[name] = block
        self._arrays[name] = array
        self._structure[name] = array
        self._listed.append(self._routes[-1])
        self._inputs = Inputs(self._blocks, self._routes)
        self._requires = self._requires | recipes[key].requires
        self._reads = self._reads | self._requires
        return True

    def __reduce__(self) -> tuple[Any, ...]:
        return restore, (Snapshot(self),)
