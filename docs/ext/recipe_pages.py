"""Write a page for each recipe, and the table that links them, from the registry.

They go to ``docs/_recipes`` (ignored by git) before the sources are listed: ``NAME.md`` with the figure ``NAME.svg``,
and ``table.md``, which the page of recipes includes. The formula and the arguments of a recipe come from its docstring,
everything else from `schattor.recipes.table` and from the parts.
"""

from __future__ import annotations

import dataclasses
import inspect
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import schattor as st
from schattor.recipes import RecipeRow
from schattor.recipes.registry import RecipeFunction

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.config import Config

GROUPS = {
    "orthogonal": "rotations of both sides",
    "left": "rotations of the rows",
    "right": "rotations of the columns",
    "rotations": "all rotations",
    "entries": "signed permutations",
    "lines": "signed permutations of rows and of columns",
    "mixed": "that of each block's norm",
}
DEGREES = {0: "ignored (degree 0)", 1: "followed (degree 1)", None: "of no degree"}
TABLE_HEAD = "| Recipe | What it is | Memory | Degree | Commutes with |\n|---|---|---|---|---|"
CLASSES = {
    cls.recipe.name: name
    for name, cls in vars(st).items()
    if inspect.isclass(cls) and issubclass(cls, st.Optimizer) and cls is not st.Optimizer
}

STEPS = 40
START = np.array([[-1.5, 0.4], [0.2, 1.0]])
CURVATURE = np.array([[4.0, 1.0], [1.0, 1.0]])  # f(W) = tr(W' Q W) / 2
GRID = [m * 10.0**k for k in range(-3, 1) for m in (1, 2, 5)]


# ------------------------------------------------------------------------------------------------- text


def title(row: RecipeRow) -> str:
    """Return the name of the recipe's class, under which people know it."""
    return CLASSES.get(row.name, row.name)


def linked(source: str) -> str:
    """Return the source in Markdown, with links to papers and code."""
    source = re.sub(r"arXiv (\d{4}\.\d{4,5})", r"[arXiv \1](https://arxiv.org/abs/\1)", source)
    return re.sub(r"\b(github\.com/([\w.-]+/[\w.-]+))", r"[\2](https://\1)", source)


def state(row: RecipeRow) -> str:
    """Return the state arrays with their shapes."""
    arrays = [f"`{name}` {shape.replace(' x ', ' × ')}" for name, shape in row.state]
    return ", ".join(arrays) or "none"


def requirements(row: RecipeRow) -> str:
    """Return what a step needs beside gradients."""
    return ", ".join(f"`{name}`" for name in row.requires)


def blocks(row: RecipeRow) -> str:
    """Return which blocks it takes, where that is not all."""
    least = "of two dimensions or more" if row.matrices_only else ""
    return ", ".join(filter(None, [least, "of more than two by a view" if row.matrix else ""]))


def compared(row: RecipeRow) -> str:
    """Return what the tests compare it with."""
    sets = ", ".join(f"`{name}`" for name in row.compared)
    return f"[public code](../published.md): {sets}" if sets else "a literal loop of its formula"


def call(value: Any) -> str:
    """Return a part as the call that makes it, without the arguments that are at their defaults."""
    if isinstance(value, tuple):
        return f"({', '.join(map(call, value))},)"
    if not dataclasses.is_dataclass(value):
        return str(getattr(value, "__name__", repr(value)))  # a schedule
    changed = (f for f in dataclasses.fields(value) if getattr(value, f.name) != f.default)
    arguments = (f"{f.name}={call(getattr(value, f.name))}" for f in changed)
    return f"{type(value).__name__}({', '.join(arguments)})"


def part(value: Any) -> str:
    """Return a part in Markdown, with a link to what it is."""
    name = type(value).__name__
    home = next((module.__name__ for module in (st, st.parts, st.estimators) if hasattr(module, name)), None)
    return f"{{py:obj}}`{call(value)} <{home}.{name}>`" if home else f"`{call(value)}`"


def slots(recipe: st.Recipe) -> list[tuple[str, list[Any]]]:
    """Return each slot that the recipe fills, with its parts, in the order of a step."""
    order = {id(part): place for place, part in enumerate(recipe.parts)}
    found = []
    for field in dataclasses.fields(recipe):
        value = getattr(recipe, field.name)
        filled = [x for x in (value if isinstance(value, tuple) else (value,)) if dataclasses.is_dataclass(x)]
        if filled:
            found.append((field.name, filled))
    return sorted(found, key=lambda slot: order.get(id(slot[1][0]), len(order)))


def facts(row: RecipeRow) -> list[tuple[str, str]]:
    """Return the lines of the table of facts."""
    lines = [
        ("Family", row.family),
        ("Source", linked(row.source)),
        ("State", state(row)),
        ("Memory", f"{row.memory:g} × the block"),
        ("Scale of gradients", DEGREES.get(row.degree, f"degree {row.degree}")),
        ("Commutes with", GROUPS[row.equivariance]),
        ("Needs beside gradients", requirements(row)),
        ("Blocks", blocks(row)),
        ("Compared with", compared(row)),
        ("Presets", ", ".join(f"`{row.name}.{name}`" for name in row.presets)),
    ]
    return [(head, text) for head, text in lines if text]


def list_table(lines: list[tuple[str, str]]) -> str:
    """Return a table of two columns."""
    rows = "\n".join(f"* - {head}\n  - {text}" for head, text in lines)
    return f"```{{list-table}}\n:stub-columns: 1\n:align: left\n\n{rows}\n```"


def class_entry(row: RecipeRow) -> str:
    """Return the entry of the recipe's class: the recipe's page says what it does."""
    cls = getattr(st, CLASSES[row.name])
    parameters = inspect.signature(cls).parameters.values()
    plain = inspect.Signature([p.replace(annotation=inspect.Parameter.empty) for p in parameters])
    return (
        f".. py:class:: schattor.{cls.__name__}{plain}\n\n"
        "   The :class:`~schattor.Optimizer` that follows this recipe in all blocks; it takes the arguments of both."
    )


def head(row: RecipeRow, caption: str | None) -> str:
    """Return the facts and, where there is a figure, the path beside them."""
    table = list_table(facts(row))
    if caption is None:
        return table
    figure = f"```{{figure}} {row.name}.svg\n:alt: Path over the contours\n\n{caption}\n```"
    items = "\n".join(f":::{{grid-item}}\n{item}\n:::" for item in (table, figure))
    return f"::::{{grid}} 1 1 2 2\n:gutter: 3\n:padding: 0\n\n{items}\n::::"


def entries(*lines: str) -> str:
    """Return reStructuredText inside Markdown."""
    return "```{eval-rst}\n" + "\n\n".join(lines) + "\n```"


def page(row: RecipeRow, function: RecipeFunction[Any], caption: str | None) -> str:
    """Return the page of one recipe."""
    name = f"schattor.recipes.{row.name}"
    described = [f".. autofunction:: {name}", *([class_entry(row)] if row.name in CLASSES else [])]
    sections = [f"# {title(row)}", head(row, caption), entries(*described)]
    if row.deviations:
        sections += ["## Deviations from the source", "\n".join(f"- {text}" for text in row.deviations)]
    if row.presets:
        sections += ["## Presets", entries(*(f".. autofunction:: {name}.{preset}" for preset in row.presets))]
    filled = [(name, ", ".join(map(part, values))) for name, values in slots(function.example())]
    sections += ["## Parts", list_table(filled)]
    return "\n\n".join(sections) + "\n"


def summary(row: RecipeRow) -> str:
    """Return the first sentence of the docstring, without the name, and what a step needs, in Markdown."""
    text = inspect.cleandoc(getattr(st.recipes, row.name).__doc__ or "").split("\n\n")[0].rstrip(".")
    text = re.sub(":math:`(.*?)`", r"$\1$", " ".join(text.split()))
    text = re.sub(rf"^{title(row)}: ", "", text, flags=re.IGNORECASE)
    return text[:1].upper() + text[1:] + (f"; needs {requirements(row)}" if row.requires else "")


def table(rows: list[RecipeRow]) -> str:
    """Return a table of the recipes of each family, with links to their pages, and the pages' table of contents."""
    rows = sorted(rows, key=lambda row: title(row).lower())
    lines = []
    for family in sorted({row.family for row in rows}, key=str.lower):
        lines += [f"## {family[:1].upper()}{family[1:]}", "", TABLE_HEAD]
        for row in (row for row in rows if row.family == family):
            link, degree = (
                f"[{title(row)}](_recipes/{row.name}.md)",
                "–" if row.degree is None else f"{row.degree:g}",
            )
            cells = (link, summary(row), f"{row.memory:g}", degree, GROUPS[row.equivariance])
            lines.append(f"| {' | '.join(cells)} |")
        lines.append("")
    names = "\n".join(f"_recipes/{row.name}" for row in rows)
    return "\n".join(lines) + f"\n```{{toctree}}\n:hidden:\n\n{names}\n```\n"


def pages(figures: dict[str, str] | None = None) -> dict[str, str]:
    """Return the text of each file, given the captions of the figures that there are."""
    rows = st.recipes.table()
    texts = {
        row.name: page(row, getattr(st.recipes, row.name), (figures or {}).get(row.name)) for row in rows
    }
    return {**texts, "table": table(rows)}


# ---------------------------------------------------------------------------------------------- figures


def loss(W: np.ndarray) -> float:
    """Return the loss of the test problem."""
    return float((W * (CURVATURE @ W)).sum()) / 2


def extras(requires: tuple[str, ...], before: np.ndarray) -> dict[str, Any] | None:
    """Return what a step needs beside the gradient; None where the test problem has no such thing."""
    known = {"gradient_at_previous": CURVATURE @ before}
    return {name: known[name] for name in requires} if known.keys() >= set(requires) else None


def walk(function: RecipeFunction[Any], requires: tuple[str, ...], lr: float) -> list[np.ndarray]:
    """Return the weights at the start and after each step; none where the test problem lacks what they need."""
    W, recipe = START.copy(), function.example(lr=lr)
    if recipe.pairing:
        return []
    opt = st.Optimizer(W, recipe)
    path = [W.copy()]
    for _ in range(STEPS):
        given = extras(requires, path[-2] if len(path) > 1 else W)
        if given is None:
            return []
        opt.step(CURVATURE @ W, **given)
        path.append(W.copy())
    return path


def draw_path(row: RecipeRow, target: Path) -> str | None:
    """Draw the path of a recipe over the contours, in the first column of W; return the caption, None without path."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    function = getattr(st.recipes, row.name)
    paths = {lr: walk(function, row.requires, lr) for lr in GRID}
    lr = min(GRID, key=lambda lr: sum(map(loss, paths[lr])))
    if not paths[lr]:
        return None
    x, y = np.meshgrid(np.linspace(-1.8, 1.5, 80), np.linspace(-1.45, 1.45, 80))
    a, b, c = CURVATURE[0, 0], CURVATURE[0, 1], CURVATURE[1, 1]
    with rc_context({"svg.hashsalt": row.name, "svg.fonttype": "none"}):
        figure = Figure(figsize=(4, 3.4), layout="constrained")
        axis = figure.subplots()
        axis.contour(x, y, (a * x**2 + 2 * b * x * y + c * y**2) / 2, 12, colors="0.8", linewidths=0.6)
        steps = np.array(paths[lr])[:, :, 0]
        axis.plot(steps[:, 0], steps[:, 1], "o-", markersize=2.5, linewidth=1.0, color="#1f5fa8")
        axis.plot(*START[:, 0], "o", color="#1f5fa8")
        axis.plot(0, 0, "+", markersize=10, markeredgewidth=2, color="#b03030")
        axis.set(xlim=(-1.8, 1.5), ylim=(-1.45, 1.45), xlabel="$W_{11}$", ylabel="$W_{21}$")
        figure.savefig(target / f"{row.name}.svg", metadata={"Date": None})
    return f"{STEPS} steps with `lr` = {lr:g} on the [test problem](../recipes.md#the-test-problem)."


# ---------------------------------------------------------------------------------------------- Sphinx


def without_source(_app: Sphinx, _what: str, _name: str, value: Any, _options: Any, lines: list[str]) -> None:
    """Leave source and deviations to the table of facts on the page of a recipe."""
    if isinstance(value, RecipeFunction):
        lines[:] = inspect.cleandoc(value.__wrapped__.__doc__ or "").splitlines()


def write(app: Sphinx, _config: Config) -> None:
    """Write the files before the sources are listed, and remove those of recipes that are gone."""
    target = Path(app.srcdir) / "_recipes"
    target.mkdir(exist_ok=True)
    drawn = {row.name: draw_path(row, target) for row in st.recipes.table()}
    texts = pages({name: caption for name, caption in drawn.items() if caption})
    for path in target.iterdir():
        if path.stem not in texts:
            path.unlink()
    for name, text in texts.items():
        (target / f"{name}.md").write_text(text, encoding="utf-8")


def setup(app: Sphinx) -> dict[str, Any]:
    """Register with Sphinx."""
    app.connect("config-inited", write)
    app.connect(
        "autodoc-process-docstring", without_source, priority=400
    )  # before numpydoc reads the sections
    return {"parallel_read_safe": True, "parallel_write_safe": True}
