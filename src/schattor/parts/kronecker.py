"""Matrices for the two sides of a block, as parts name them."""

from __future__ import annotations

SIDES = ("both", "smaller", "left", "right")
FOLLOWING = ("power_step", "eigenvectors")
