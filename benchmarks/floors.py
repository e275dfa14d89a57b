"""What a step of a recipe cannot do without, read off the recipe and its parts.

That is the oracle of its geometry, the oracles, products and factorisations of its parts (``work.py``), and its
traffic: gradient and extras are read twice (by the check before the step and by the step), weights and state are read
and written. A block that is worked through in pieces has its oracle in the same pass; else the estimate is written
before the oracle, and the direction read after it. Where blocks share numbers, gradient and state are read once more.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np

import schattor as st
from schattor.parts.geometries import Geometry, Switched
from schattor.recipes._table import example_shapes

from .harness import Side
from .matrices import Array, Shape, gaussian
from .work import Work, work_of

LR = 1e-6
FEW = 2  # blocks, where kernels are most of the work


@dataclass(frozen=True)
class Problem:
    """Blocks under a recipe, with the gradients of a step."""

    recipe: st.Recipe
    weights: dict[str, Array]
    gradients: dict[str, Array]

    def extras(self) -> dict[str, dict[str, Array]]:
        """Return what the recipe requires beside gradients."""
        return st.testing.extras_for(self.recipe, self.gradients)

    def optimizer(self) -> st.Optimizer:
        """Return an optimizer for the blocks."""
        return st.Optimizer(self.weights, self.recipe)


@dataclass(frozen=True)
class Floor:
    """The least work of a step on one block, or on one pair."""

    traffic: int  # bytes read and written
    memory: int  # bytes of the arrays behind them
    oracle: bool
    work: Work  # of the parts
    kernels: bool  # whether these are most of the work

    def copies(self, memory: int) -> int:
        """Return how many blocks to measure: as many as take this memory, few where kernels are most of the work."""
        return FEW if self.kernels else -(-memory // self.memory)


def problem(name: str, shape: Shape, copies: int = 1) -> Problem:
    """Return a problem of `copies` blocks, or pairs, in float32; the weights have orthonormal rows or columns."""
    recipe = getattr(st.recipes, name).example(lr=LR)
    weights, gradients = {}, {}
    for block, sides in example_shapes(recipe, shape).items():
        G = gaussian(sides, "float32")[0]
        Q = np.linalg.qr(G if sides[0] >= sides[1] else G.T)[0]
        W = np.ascontiguousarray(Q if sides[0] >= sides[1] else Q.T)
        for i in range(copies):
            weights[f"{i}/{block}"], gradients[f"{i}/{block}"] = W.copy(), G.copy()
    return Problem(recipe, weights, gradients)


def geometry_of(recipe: st.Recipe) -> Geometry:
    """Return the geometry of a block; of several that take turns, the one of the second step."""
    geometry = recipe.geometry_of("0/W")
    return geometry.geometries[geometry.choice(1)] if isinstance(geometry, Switched) else geometry


def floor_of(name: str, shape: Shape) -> Floor:
    """Return the least work of a step."""
    one = problem(name, shape)
    opt = one.optimizer()
    whole = not opt._plan.divided(0)
    weights = sum(w.nbytes for w in one.weights.values())
    extras = sum(x.nbytes for given in one.extras().values() for x in given.values())
    state = sum(
        x.nbytes for key, x in opt.state_dict().items() if key.startswith("state/") and x.dtype.kind == "f"
    )
    gradients = sum(g.nbytes for g in one.gradients.values())
    memory = weights + gradients + extras + state
    # What the blocks share is known after one pass over all of them; a second one follows.
    again = gradients + state if one.recipe.shares else 0

    work = sum(
        (work_of(part, *w.shape) for part in one.recipe.parts for w in one.weights.values()), start=Work()
    )
    kernels = bool(work.products or work.oracles or one.recipe.frame) or geometry_of(one.recipe).matrix
    traffic = 2 * memory + (2 * weights if whole else 0) + again
    return Floor(traffic, memory, whole, work, kernels)


def sides_of(name: str, shape: Shape, memory: int) -> tuple[Side, ...]:
    """Return the step and, apart from each other, what it cannot do without."""
    floor = floor_of(name, shape)
    copies = floor.copies(memory)
    task: dict[str, Any] = {"name": name, "shape": shape, "copies": copies}
    traffic = {
        "kind": "traffic",
        "shape": shape,
        "bytes": copies * floor.traffic,
        "memory": copies * floor.memory,
    }
    sides = [
        Side("schattor", "step", {"kind": "recipe", **task}, "one"),
        Side("schattor", "traffic", traffic, "one"),
    ]
    if floor.oracle:
        sides.append(Side("schattor", "oracle", {"kind": "recipe oracle", **task}, "one"))
    for i, (_, p, q, times) in enumerate(floor.work.oracles):
        inner = {"kind": "part oracle", **task, "call": i}
        sides.append(Side("schattor", f"oracle {i} of a part, {p}x{q}", inner, "one", times * copies))
    for (p, q, r), times in Counter(floor.work.products).items():
        product = {"kind": "product", "rows": p, "shape": (q, r), "dtype": "float32"}
        sides.append(Side("schattor", f"product {p}x{q}x{r}", product, "one", times * copies))
    for (p, q), times in Counter(floor.work.factorizations).items():
        task = {"kind": "qr", "shape": (p, q), "dtype": "float32"}
        sides.append(Side("schattor", f"QR {p}x{q}", task, "one", times * copies))
    for k, times in Counter(floor.work.eigendecompositions).items():
        task = {"kind": "eigh", "shape": (k, k), "dtype": "float64"}
        sides.append(Side("schattor", f"eigendecomposition {k}x{k}", task, "one", times * copies))
    return tuple(sides)
