"""Rows and columns, as parts name them."""

from __future__ import annotations

from .._edge.values import check_choice
from .part import Lowering

LINES = ("rows", "columns")

MODES = ("row", "col", "rowcol")
LINES_OF = {"row": "rows", "col": "columns", "rowcol": "both"}
TURNED = {"row": "columns", "col": "rows", "rowcol": "both"}
GROUP_OF = {"row": "right", "col": "left", "rowcol": "lines"}


def place_of(what: str, mode: str) -> int:
    """Return the number of a mode in the core, or raise."""
    return MODES.index(check_choice(what, mode, MODES))


def is_columns(lines: str, into: Lowering) -> bool:
    """Return whether these lines of the (out, in) matrix are columns of the array as it is stored."""
    return (lines == "columns") != into.transposed
