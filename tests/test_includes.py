"""The plan of the house in C++ (docs/dev/architecture.md): includes run downwards, and never in a circle."""

import re
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1] / "src" / "cpp"
FLOORS = (
    {"bindings"},
    {"plan"},
    {
        "adjustment",
        "coupler",
        "estimator",
        "frame",
        "geometry",
        "noise",
        "precond",
        "scaling",
        "transform",
        "update",
    },
    {"linalg"},
    {"base"},
)
"""From top to bottom; rooms of one floor may include each other, as long as no circle arises."""

FLOOR = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}
FILES = {path.relative_to(ROOT).as_posix(): path for path in ROOT.rglob("*") if path.suffix in (".h", ".cpp")}
INCLUDE = re.compile(r'^#include ["<]([^">]+)[">]', re.MULTILINE)

pytestmark = pytest.mark.skipif(not FILES, reason="the sources are not here")


def includes(file: str) -> list[str]:
    """Return what a file includes."""
    return INCLUDE.findall(FILES[file].read_text())


def test_every_file_stands_in_a_room():
    """A room that is not in the plan has no floor."""
    assert {file.split("/")[0] for file in FILES} == FLOOR.keys()
    assert all(file.count("/") == 1 for file in FILES)


def test_no_include_runs_upwards():
    """A file includes from its own floor and from those below."""
    upwards = [
        (file, target)
        for file in FILES
        for target in includes(file)
        if target in FILES and FLOOR[target.split("/")[0]] < FLOOR[file.split("/")[0]]
    ]
    assert not upwards


def test_no_include_is_broken_or_in_a_circle():
    """Own files are named from the root of the sources, and exist."""
    graph = {file: [target for target in includes(file) if "/" in target] for file in FILES}
    foreign = ("pybind11/", "sys/", "Eigen/", "sanitizer/")
    for file, targets in graph.items():
        missing = [target for target in targets if target not in FILES and not target.startswith(foreign)]
        assert not missing, file
    TopologicalSorter({file: [t for t in targets if t in FILES] for file, targets in graph.items()}).prepare()


def test_only_the_bindings_know_python():
    """The core works without Python."""
    knowing = {
        file.split("/")[0]
        for file in FILES
        if any("pybind11" in t or t == "Python.h" for t in includes(file))
    }
    assert knowing == {"bindings"}
