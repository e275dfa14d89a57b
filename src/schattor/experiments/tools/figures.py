"""What the figures of the experiments share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["COLOURS", "new_figure", "style"]

# Colours that stay apart for colour-blind readers (Okabe and Ito).
COLOURS = {
    "black": "#000000",
    "grey": "#999999",
    "orange": "#E69F00",
    "red": "#D55E00",
    "sky": "#56B4E9",
    "blue": "#0072B2",
    "green": "#009E73",
    "pink": "#CC79A7",
}


def new_figure(
    columns: int, rows: int = 1, width: float = 5.2, height: float = 3.9, **options: Any
) -> tuple[Figure, Any]:
    """Return a figure that needs no display, and its axes in an array of `rows` x `columns`."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width * columns, height * rows), layout="constrained")
    return figure, figure.subplots(rows, columns, squeeze=False, **options)


def style(colour: str, **others: Any) -> dict[str, Any]:
    """Return the style of a line."""
    return {"color": COLOURS[colour], **others}
