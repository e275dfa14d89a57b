"""What to write instead of a call that cannot be meant."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .._edge.values import list_names, show
from ..blocks.block import Block
from ..blocks.views import batch, flatten
from ..parts.kronecker import LARGEST_SIDE_BYTES
from ..parts.mixed_norm import MixedNorm
from ..recipe.recipe import Recipe


def check_params(params: Any) -> None:
    """Raise TypeError for what holds parameters but is no structure of arrays."""
    if callable(getattr(params, "parameters", None)):
        raise TypeError(
            f"params must be an array, a list or a dict of NumPy arrays, got the module {type(params).__name__}; write "
            "{name: p.detach().numpy() for name, p in model.named_parameters()}, which shares its memory"
        )


def check_routes(routes: Any) -> dict[str, Recipe]:
    """Return routes as a mapping, or raise TypeError naming what came."""
    if isinstance(routes, Recipe):
        return {"*": routes}
    if isinstance(routes, Mapping):
        for key, value in routes.items():
            if not isinstance(key, str):
                raise TypeError(f"routes must have names or globs of blocks as keys, got {key!r}")
            if not isinstance(value, Recipe):
                raise TypeError(
                    f"routes[{key!r}] must be a recipe such as st.recipes.muon(), got {value!r}{_recipe_hint(value)}"
                )
        return dict(routes)
    raise TypeError(
        f"routes must be a recipe such as st.recipes.muon(), or a mapping of block names or globs to recipes, got "
        f"{routes!r}{_recipe_hint(routes)}{_group_hint(routes)}"
    )


def _recipe_hint(value: object) -> str:
    if isinstance(value, str) and value.isidentifier():
        return f"; write st.recipes.{value}(lr=...)"
    if isinstance(value, type):
        value = getattr(value, "recipe", None)
    if callable(value) and isinstance(name := getattr(value, "name", None), str):
        return f"; call it: st.recipes.{name}(...)"
    return ""


def _group_hint(value: object) -> str:
    """Return what stands for the parameter groups of torch."""
    if (
        isinstance(value, Sequence)
        and not isinstance(value, str)
        and any(isinstance(x, Mapping) for x in value)
    ):
        return "; instead of parameter groups write {'*bias': st.recipes.adamw(lr=1e-3), '*': st.recipes.muon(lr=0.02)}"
    return ""


def check_gradients(given: Any, names: Sequence[str], what: str) -> None:
    """Raise TypeError where no structure of arrays can be meant."""
    if given is None:
        raise TypeError(
            f"{what} must hold an array for every block, got None; give step(grads), or None for single blocks: "
            f"{{{names[0]!r}: None, ...}}"
        )
    if callable(given):
        raise TypeError(
            f"{what} must be arrays, not a function, got {given!r}; compute the gradients first: step(f(params)); "
            "recipes that need a closure take it by name, step(grads, closure=f)"
        )
    named = not all(name.partition("/")[0].isdigit() for name in names)
    if named and isinstance(given, list | tuple):
        raise TypeError(
            f"{what} must be a dict, as the parameters, got a {type(given).__name__} of {len(given)}; write "
            f"dict(zip(params, {what})), with the blocks {list_names(names)}"
        )
    if (
        not named
        and isinstance(given, Mapping)
        and not any(name.partition("/")[0] in given for name in names)
    ):
        form = "one array" if len(names) == 1 else "a list of arrays"
        raise TypeError(
            f"{what} must be {form}, as the parameters, got a dict of {list_names(given)}; write "
            f"list({what}.values()) in the order of the parameters"
        )


def check_fit(chosen: Sequence[tuple[Block, Recipe]], recipes: Mapping[str, Recipe]) -> None:
    """Raise ValueError that names every block whose shape its recipe does not take, with a call that would do."""
    faults = [(block, fault) for block, recipe in chosen if (fault := _misfit(block, recipe))]
    if not faults:
        return
    capped = {id(recipe) for block, recipe in chosen if _long_side(block, recipe)}
    low = [block.name for block, _ in faults if block.array.ndim < 2]
    views = {block.name: repr(block.view) for block, _ in chosen if block.view is not None}
    views |= {block.name: repr(flatten()) for block, _ in faults if block.array.ndim > 2}
    routes = dict.fromkeys(low, "st.recipes.adamw(lr=3e-4)")
    routes |= {
        key: _as_made(recipe, id(recipe) in capped) for key, recipe in recipes.items() if key not in low
    }
    call = f"st.Optimizer(params, routes={_mapping(routes)}"
    if views:
        call += f", views={_mapping(views)}"
    lines = [f"block {block.name!r} has shape {block.array.shape}: {fault}" for block, fault in faults]
    raise ValueError("\n".join([*lines, f"for example, with the arguments that you gave: {call})"]))


def _as_made(recipe: Recipe, capped: bool) -> str:
    lr = "schedule" if callable(recipe.lr) else show(recipe.lr)
    return f"st.recipes.{recipe.name}(lr={lr}{', max_precond_dim=10000' if capped else ''})"


def _mapping(entries: Mapping[str, str]) -> str:
    return "{" + ", ".join(f"{key!r}: {value}" for key, value in entries.items()) + "}"


def _misfit(block: Block, recipe: Recipe) -> str | None:
    """Return why a recipe cannot serve a block of this shape."""
    if block.array.ndim > 2 and block.view is None and recipe.matrix_of(block.name):
        count = block.array.shape[0]
        return (
            f"{recipe.name} needs a matrix; give a view: views={{{block.name!r}: {flatten()!r}}} for one matrix of "
            f"{count} rows, or views={{{block.name!r}: {batch()!r}}} for {count} matrices"
        )
    if block.array.ndim < 2 and recipe.matrices_only:
        return f"{recipe.name} takes matrices only; route it elsewhere"
    if long := _long_side(block, recipe):
        side, k, size = long
        return (
            f"{recipe.name} would keep {k} x {k} matrices for its {side} side, {size / 2**30:.3g} GiB each; expected "
            f"at most {LARGEST_SIDE_BYTES / 2**30:.3g} GiB; leave out long sides by max_precond_dim=10000, or route "
            "it elsewhere"
        )
    return None


def _long_side(block: Block, recipe: Recipe) -> tuple[str, int, int] | None:
    """Return the side of a piece of the block of which no square matrix can be kept; see `Recipe.long_side`."""
    if isinstance(recipe.geometry, MixedNorm) and block.name not in recipe.geometry.geometries:
        return None  # refused for its name
    return next((long for piece in block.pieces() if (long := recipe.long_side(piece))), None)
