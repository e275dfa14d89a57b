"""Matrices for the two sides of a block, as parts name them."""

from __future__ import annotations

from .._edge.values import check_count

LARGEST_SIDE_BYTES = 2**30
"""A square matrix for a side that takes more is refused, unless the side is left out or a cap lets it in."""

SIDES = ("both", "smaller", "left", "right")
FOLLOWING = ("power_step", "eigenvectors")


def check_largest(largest: int | None) -> None:
    """Raise unless this is None or a length of sides."""
    if largest is not None:
        check_count("largest", largest, least=0)


def named_sides(rows: int, cols: int, left: bool, right: bool) -> tuple[tuple[str, int], ...]:
    """Return the chosen sides of a block by name, with their lengths."""
    return (("left", rows),) * left + (("right", cols),) * right
