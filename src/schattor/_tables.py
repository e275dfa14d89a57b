"""Small text and HTML tables."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape


def table(header: Sequence[str], rows: Sequence[Sequence[str]], right_from: int | None = None) -> str:
    """Return columns under a header, to the left; those from number `right_from` on to the right."""
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    right_from = len(header) if right_from is None else right_from

    def line(cells: Sequence[str]) -> str:
        padded = (
            cell.rjust(width) if i >= right_from else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(cells, widths, strict=True))
        )
        return "  ".join(padded).rstrip()

    return "\n".join([line(header), "  ".join("-" * width for width in widths), *map(line, rows)])


def html_table(title: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return the same as HTML, folded under its title."""
    head = "".join(f"<th>{escape(cell)}</th>" for cell in header)
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<details open><summary>{escape(title)}</summary><table><tr>{head}</tr>{body}</table></details>"
