"""Write the table of recipes, read off the recipes, to ``docs/_recipes/table.md`` (ignored by git)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.config import Config

    from schattor.recipes import RecipeRow

HEADER = "| Recipe | Family | State beside the weights | Degree | Commutes with | Source |\n|---|---|---|---|---|---|\n"
GROUPS = {
    "orthogonal": "rotations of both sides",
    "left": "rotations of the rows",
    "right": "rotations of the columns",
    "rotations": "all rotations",
    "entries": "signed permutations",
}


def line(row: RecipeRow) -> str:
    """Return the line of one recipe."""
    state = f"{row.memory:g} ({', '.join(row.state)})" if row.state else "0"
    degree = "-" if row.degree is None else str(row.degree)
    cells = (f"`{row.name}`", row.family, state, degree, GROUPS[row.equivariance], row.source)
    return f"| {' | '.join(cells)} |\n"


def write_table(app: Sphinx, _config: Config) -> None:
    """Write the file before the sources are listed."""
    from schattor import recipes

    target = Path(app.srcdir) / "_recipes"
    target.mkdir(exist_ok=True)
    text = HEADER + "".join(map(line, recipes.table()))
    path = target / "table.md"
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")


def setup(app: Sphinx) -> dict[str, Any]:
    """Register with Sphinx."""
    app.connect("config-inited", write_table)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
