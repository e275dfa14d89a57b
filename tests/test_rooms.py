"""The plan of the house (docs/dev/architecture.md): imports run downwards, and never in a circle."""

import ast
import re
from graphlib import TopologicalSorter
from itertools import chain
from pathlib import Path

import schattor

ROOT = Path(schattor.__file__).parent
NAME = "schattor"
CORE = "_edge._core"

ROOMS = (
    ("__main__",),
    ("cli",),
    ("demo", "experiments"),
    ("optimizers",),
    ("recipes",),
    ("drivers", "recording", "testing", "plotting"),
    ("optimizer",),
    ("recipe",),
    ("theory", "noise", "problems", "diagnostics", "oracles", "linalg"),
    ("parts",),
    ("blocks",),
    ("_edge",),
    ("_provenance", "_tables", "_version", "config"),
)
"""From top to bottom; rooms of one floor may import each other, as long as no circle arises."""

ASIDE = {"__init__", "config"}
"""The face of the package, and what prints facts of all floors."""


def module_of(path: Path) -> str:
    """Return the dotted name of a file inside the package."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)


MODULES = {module_of(path): path for path in ROOT.rglob("*.py")}


def statements(body: list[ast.stmt]) -> list[ast.ImportFrom]:
    """Return the imports that run when the module does; those for type checkers and inside functions do not."""
    found = [node for node in body if isinstance(node, ast.ImportFrom)]
    for node in body:
        if isinstance(node, ast.Try):
            found += statements(node.body)
    return found


def imports_of(module: str) -> set[str]:
    """Return the modules of the package that a module imports."""
    path = MODULES[module]
    inside = path.name == "__init__.py"
    result = set()
    for node in statements(ast.parse(path.read_text()).body):
        if node.level == 0:
            base = (node.module or "").split(".")
            if base[0] != NAME:
                continue
            base = base[1:]
        else:
            here = [] if module == "__init__" else module.split(".")
            here = here if inside else here[:-1]
            base = here[: len(here) - node.level + 1] + (node.module.split(".") if node.module else [])
        for alias in node.names:
            longer = ".".join([*base, alias.name])
            if longer != CORE:
                result.add(longer if longer in MODULES else ".".join(base))
    return {name for name in result if name in MODULES} - {module}


def test_every_room_has_its_floor() -> None:
    """A new room must be given its place."""
    assert {name.split(".")[0] for name in MODULES} - ASIDE <= set(chain.from_iterable(ROOMS))


def test_imports_run_downwards() -> None:
    """Who stands below knows nothing of who stands above."""
    floor = {room: i for i, rooms in enumerate(ROOMS) for room in rooms}
    upwards = [
        f"{module} imports {other}"
        for module in MODULES
        if module.split(".")[0] not in ASIDE
        for other in imports_of(module)
        if floor[other.split(".")[0]] < floor[module.split(".")[0]]
    ]
    assert not upwards


def test_no_circle() -> None:
    """A module can be read, tested and imported after those that it needs."""
    list(TopologicalSorter({module: imports_of(module) for module in MODULES}).static_order())


def test_the_core_is_imported_in_one_place() -> None:
    """Everything else takes it from the edge, where its BLAS has been set up."""
    pattern = re.compile(r"from (\.|\.\.) import .*\b_core\b|import schattor\._edge\._core")
    direct = [
        m for m, path in MODULES.items() if pattern.search(path.read_text()) and not m.startswith("_edge")
    ]
    assert direct == []
