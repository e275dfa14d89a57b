"""Matrices for the two sides of a block, as parts name them."""

from __future__ import annotations

Products = tuple[tuple[int, int, int], ...]


SIDES = ("both", "smaller", "left", "right")


FOLLOWING = ("power_step", "eigenvectors")


def on_sides(rows: int, cols: int, left: bool, right: bool, times: int) -> Products:
    """Return `times` products with a square matrix on each of these sides, and the Gram matrix that it follows.

    A Gram matrix takes half of a product.
    """
    of_left = ((rows, rows, cols),) * times + ((rows, cols, (rows + 1) // 2),)
    of_right = ((rows, cols, cols),) * times + ((cols, rows, (cols + 1) // 2),)
    return of_left * left + of_right * right
