"""The driver that chooses exponents at work: what it measures, remembers, chooses and reports."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from .._edge.arrays import FloatArray
from .._edge.values import Schedulable, at_step
from ..diagnostics.curvature import curvature_profile, inner
from ..parts.geometries import Schatten
from ..parts.part import Lowering
from ..recipe.driver import Given, Members, RunningDriver, State
from ..recipe.recipe import Recipe

if TYPE_CHECKING:
    from .exponent import AdaptiveExponent

Arrays: TypeAlias = dict[str, np.ndarray[Any, Any]]


@dataclass(frozen=True)
class BlockExponent:
    r"""The exponent of a block and the numbers that it was chosen by; see `AdaptiveExponent`.

    Attributes
    ----------
    p : float
        Exponent of the last step.
    chosen : float
        Exponent of the last choice: the same, but in a step that tries another.
    curvatures : mapping of float to float
        :math:`J_p` at the last choice, by exponent; those that were not known are absent.
    scores : mapping of float to float
        Predicted decreases of the loss at the last choice.
    shortened : float
        Factor on the step's length in the last step, at most 1.
    """

    p: float
    chosen: float
    curvatures: Mapping[float, float]
    scores: Mapping[float, float]
    shortened: float


class ExponentChoices(dict[str, BlockExponent]):
    """`BlockExponent` by the blocks' names; in ``opt.report.choices``."""

    products: int = 0
    """Hessian-vector products so far."""

    def __str__(self) -> str:
        blocks = ", ".join(f"{name} {choice.p:g}" for name, choice in self.items())
        return f"exponents: {blocks}; {self.products} Hessian-vector products"


@dataclass(frozen=True)
class _OfBlock(Schatten):
    """The Schatten norm whose exponent is a function of the step and of the block."""

    p: Schedulable = 2.0
    exponents: Mapping[str, Callable[[int], float]] | None = None

    def lower(self, into: Lowering) -> Any:
        """Return the core's part for this block."""
        return Schatten((self.exponents or {}).get(into.block, self.p)).lower(into)

    def __str__(self) -> str:
        return "Schatten(auto)"


class RunningExponent(RunningDriver):
    """Measures, chooses and tries exponents; entries of the state are replaced only.

    ``used`` and ``chosen`` are positions in the grid, ``factor`` and ``chosen factor`` what shortens the steps;
    ``rayleigh`` holds the curvatures along past steps by exponent, ``known`` which of them there are.
    """

    def __init__(self, options: AdaptiveExponent, recipe: Recipe, members: Members) -> None:
        self._options, self._scaling, self._lr = options, recipe.scaling, recipe.lr
        self._power = 1 if recipe.scaling.rule == "ball" else 2
        self._blocks, self._given_weights = [b for b, _ in members], [w for _, w in members]
        names = [block.name for block in self._blocks]
        exponents = {name: self._exponent(name) for name in names}
        self.recipe = replace(recipe, geometry=_OfBlock(exponents=exponents))
        self.members = [(b, self._weight(b.name, w)) for b, w in members]
        n = len(options.grid)
        state: Arrays = {k: np.array(0) for k in ("observed", "next", "tried", "products")}
        state["interval"] = np.array(1)
        for block in self._blocks:
            start = {"used": 0, "chosen": 0, "kept": 0, "factor": 1.0, "chosen factor": 1.0}
            own: dict[str, Any] = {k: np.array(v) for k, v in start.items()}
            own |= {k: np.zeros(n) for k in ("rayleigh", "curvatures", "scores")}
            own |= {k: np.zeros(n, dtype=np.int64) for k in ("known", "scored")}
            own |= {k: np.zeros_like(block.array) for k in ("point", "gradient")}
            state |= {f"{block.name}/{k}": v for k, v in own.items()}
        self.state: State = state

    def _exponent(self, name: str) -> Callable[[int], float]:
        return lambda step: self._options.grid[int(self.state[f"{name}/used"])]

    def _weight(self, name: str, weight: Schedulable) -> Callable[[int], float]:
        """Return the block's weight, larger where its step is shortened."""
        return lambda step: float(
            at_step(weight, step) * self.state[f"{name}/factor"].item() ** (-1 / self._power)
        )

    def observe(self, given: Given) -> None:
        """Take in the last step's curvature, and set the exponents of this step."""
        state, n = dict(self.state), len(self._options.grid)
        places = [i for i, G in enumerate(given.gradients) if G is not None]
        secants = {i: self._secant(state, given, i) for i in places}
        observed, hvp = int(state["observed"]), given.callables.get("hvp")
        due = observed >= state["next"]
        for i in places:
            name = self._blocks[i].name
            state[f"{name}/used"], state[f"{name}/factor"] = (
                state[f"{name}/chosen"],
                state[f"{name}/chosen factor"],
            )
        if due and (hvp or observed >= n):
            now = _Now(self, state, given, places)
            now.choose(secants)
            interval = int(state["interval"]) if hvp else self._options.every
            state["interval"] = np.array(min(2 * interval, self._options.every))
            state["next"] = np.array(observed + state["interval"])
        elif hvp is None and (due or observed + 1 == state["next"]):
            _Now(self, state, given, places).attempt(int(state["tried"]) % n)
            state["tried"] = np.array(state["tried"] + 1)
        state["observed"] = np.array(observed + 1)
        for i, block in enumerate(self._blocks):
            state[f"{block.name}/kept"] = np.array(int(i in secants))
            if i in secants:
                state[f"{block.name}/point"] = given.weights[i].copy()
                state[f"{block.name}/gradient"] = np.array(given.gradients[i])
        self.state = state

    def _secant(self, state: Arrays, given: Given, i: int) -> tuple[FloatArray, FloatArray] | None:
        """Return the last step of a block and the change of its gradient, and keep the curvature along it."""
        block, G = self._blocks[i], given.gradients[i]
        assert G is not None
        if not state[f"{block.name}/kept"]:
            return None
        before = given.extras[i].get("gradient_at_previous", state[f"{block.name}/gradient"])
        s, y = (given.weights[i] - state[f"{block.name}/point"]), np.asarray(G - before)
        s, y = (x.reshape(block.shape).astype(np.float64) for x in (s, y))
        square = inner(s, s)
        if square == 0:
            return None
        used = int(state[f"{block.name}/used"])
        for kind, value in (("rayleigh", inner(s, y) / square), ("known", 1)):
            state[f"{block.name}/{kind}"] = _with(state[f"{block.name}/{kind}"], used, value)
        return s, y

    def length(self, given: Given, i: int, dual_norms: FloatArray | float) -> Any:
        """Return the length of the step that lr means."""
        lr = (
            at_step(self._lr, given.step)
            * given.factor
            * self._scaling.factor(self._blocks[i].fans, given.step)
        )
        weight = at_step(self._given_weights[i], given.step)
        return lr / weight + 0 * dual_norms if self._power == 1 else lr / weight**2 * dual_norms

    def choice(self) -> ExponentChoices:
        """Return the exponent of every block."""
        grid, choices = self._options.grid, ExponentChoices()
        for block in self._blocks:
            own = {
                k.removeprefix(f"{block.name}/"): v
                for k, v in self.state.items()
                if k.startswith(f"{block.name}/")
            }
            scored = [i for i in range(len(grid)) if own["scored"][i]]
            choices[block.name] = BlockExponent(
                grid[int(own["used"])],
                grid[int(own["chosen"])],
                {grid[i]: float(own["curvatures"][i]) for i in scored},
                {grid[i]: float(own["scores"][i]) for i in scored},
                own["factor"].item(),
            )
        choices.products = int(self.state["products"])
        return choices


class _Now:
    """One step at which exponents are chosen or tried."""

    def __init__(self, driver: RunningExponent, state: Arrays, given: Given, places: list[int]) -> None:
        self._driver, self._state, self._given, self._places = driver, state, given, places
        self._options = driver._options
        self._hvp = given.callables.get("hvp")

    def choose(self, secants: Mapping[int, tuple[FloatArray, FloatArray] | None]) -> None:
        """Choose for every block, then shorten all steps together."""
        for i in self._places:
            self._choose(i, secants[i])
        if self._hvp and len(self._places) > 1 and self._options.limit < math.inf:
            self._shorten_jointly()
        for i in self._places:
            name = self._driver._blocks[i].name
            self._state[f"{name}/chosen factor"] = self._state[f"{name}/factor"]

    def attempt(self, position: int) -> None:
        """Let every block try an exponent."""
        for i in self._places:
            block = self._driver._blocks[i]
            known = self._state[f"{block.name}/known"]
            D = Schatten(self._options.grid[position]).ball(self._gradient(i))
            rayleigh = self._state[f"{block.name}/rayleigh"]
            curvature = rayleigh[position] if known[position] else max(rayleigh[known > 0], default=0.0)
            self._set(i, position, curvature * inner(D, D))

    def _gradient(self, i: int) -> FloatArray:
        G = self._given.gradients[i]
        assert G is not None
        return G.reshape(self._driver._blocks[i].shape)

    def _choose(self, i: int, secant: tuple[FloatArray, FloatArray] | None) -> None:
        options, state, name = self._options, self._state, self._driver._blocks[i].name
        G = self._gradient(i)
        norms, curvatures, known = self._profile(i, G)
        chosen = int(state[f"{name}/chosen"])
        low = known & (curvatures <= options.floor)
        if low.any():
            if secant is None:
                return
            s, y = secant
            for j in np.flatnonzero(low):
                geometry = Schatten(options.grid[j])
                curvatures[j] = geometry.dual_norm(y) / geometry.norm(s)
        longest = self._driver.length(self._given, i, norms)
        best_lengths = np.divide(norms, curvatures, out=np.full(len(norms), np.inf), where=curvatures > 0)
        a = np.minimum(longest, best_lengths)
        scores = np.where(known, a * norms - a**2 * curvatures / 2, 0.0)
        state[f"{name}/scores"], state[f"{name}/scored"] = scores, known.astype(np.int64)
        state[f"{name}/curvatures"] = np.where(known, curvatures, 0.0)
        best = int(np.argmax(scores))
        if not state["next"] or not known[chosen] or scores[best] > options.hysteresis * scores[chosen]:
            chosen = best
        state[f"{name}/chosen"] = np.array(chosen)
        self._set(i, chosen, curvatures[chosen])

    def _profile(self, i: int, G: FloatArray) -> tuple[FloatArray, FloatArray, np.ndarray[Any, Any]]:
        """Return dual norms and curvatures over the grid, and which of these are known."""
        grid, block = self._options.grid, self._driver._blocks[i]
        if self._hvp:
            profile = curvature_profile(lambda D: self._product({i: D})[i], G, grid)
            return profile.dual_norms, profile.curvatures.copy(), np.ones(len(grid), dtype=bool)
        rayleigh, known = (self._state[f"{block.name}/{kind}"] for kind in ("rayleigh", "known"))
        directions = [Schatten(p).ball(G) for p in grid]
        norms = np.array([-inner(G, D) for D in directions])
        return norms, rayleigh * [inner(D, D) for D in directions], known > 0

    def _product(self, directions: Mapping[int, FloatArray]) -> dict[int, FloatArray]:
        """Return the Hessian's product with a direction, zero outside the given blocks, and count it."""
        assert self._hvp is not None
        blocks = self._driver._blocks
        arrays = [
            directions[i].reshape(b.array.shape) if i in directions else np.zeros_like(b.array)
            for i, b in enumerate(blocks)
        ]
        self._state["products"] = np.array(self._state["products"] + 1)
        returned = self._hvp(arrays)
        for i in directions:
            product = returned[i]
            if (
                product is None
                or np.shape(product) != blocks[i].array.shape
                or not np.isfinite(product).all()
            ):
                raise ValueError(
                    f"hvp must return a finite product for block {blocks[i].name!r}, an array of shape "
                    f"{blocks[i].array.shape}, got {product!r}"
                )
        return {i: np.asarray(returned[i]).reshape(blocks[i].shape) for i in directions}

    def _set(self, i: int, position: int, curvature: float) -> None:
        """Set a block's exponent for this step, and shorten the step to the limit."""
        name = self._driver._blocks[i].name
        norm = Schatten(self._options.grid[position]).dual_norm(self._gradient(i))
        ratio = self._driver.length(self._given, i, norm) * curvature / norm if norm else 0.0
        factor = min(1.0, self._options.limit / ratio) if ratio > 0 else 1.0
        self._state[f"{name}/used"], self._state[f"{name}/factor"] = np.array(position), np.array(factor)

    def _shorten_jointly(self) -> None:
        """Shorten the steps of all blocks by one factor, to the limit for the curvature along them together."""
        steps = {}
        for i in self._places:
            name, G = self._driver._blocks[i].name, self._gradient(i)
            geometry = Schatten(self._options.grid[int(self._state[f"{name}/used"])])
            length = self._driver.length(self._given, i, geometry.dual_norm(G))
            steps[i] = length * self._state[f"{name}/factor"].item() * geometry.ball(G)
        products = self._product(steps)
        slope = -sum(inner(self._gradient(i), S) for i, S in steps.items())
        curvature = sum(inner(S, products[i]) for i, S in steps.items())
        if curvature > self._options.limit * slope > 0:
            for i in self._places:
                key = f"{self._driver._blocks[i].name}/factor"
                self._state[key] = np.array(self._state[key] * self._options.limit * slope / curvature)


def _with(array: np.ndarray[Any, Any], position: int, value: float) -> np.ndarray[Any, Any]:
    """Return the array with another entry."""
    result = array.copy()
    result[position] = value
    return result
