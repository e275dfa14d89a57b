"""How every block is treated, as the rows of a table."""

from __future__ import annotations

from ..parts import L2Decay
from .assembly import Route

HEADER = (
    "block",
    "shape",
    "view",
    "recipe",
    "preconditioner",
    "geometry",
    "scale",
    "decay",
    "lr",
    "effective lr",
)


def row(route: Route, lr: float, step: int) -> list[str]:
    """Return the cells for a block at this lr and step."""
    block, recipe = route.block, route.recipe
    metric = [type(part).__name__ for part in (recipe.frame, recipe.preconditioner) if part]
    decay = next((str(t) for t in recipe.transforms if isinstance(t, L2Decay)), str(recipe.update))
    return [
        " = ".join(block.names) if block.name == block.owner else block.name,
        " x ".join(map(str, block.array.shape)) or "scalar",
        str(block.view) if block.view else "-",
        recipe.name,
        " > ".join(metric) or "-",
        str(recipe.geometry_of(block.owner)),
        str(recipe.scaling),
        decay,
        f"{lr:.4g}",
        f"{lr * recipe.scaling.factor(block.fans, step):.4g}",
    ]
