"""The hand-written stub of the compiled core."""

import ast
from pathlib import Path

import schattor
from schattor._edge import _core


def stub_names():
    """Return the names in the stub: functions, attributes, and classes with their members."""
    tree = ast.parse((Path(schattor.__file__).parent / "_edge" / "_core.pyi").read_text())
    top, members, bases = set(), {}, {}
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            inner = [n for n in node.body if isinstance(n, ast.FunctionDef | ast.AnnAssign)]
            members[node.name] = {n.name if isinstance(n, ast.FunctionDef) else n.target.id for n in inner}
            bases[node.name] = [base.id for base in node.bases]
        elif isinstance(node, ast.FunctionDef):
            top.add(node.name)
        elif isinstance(node, ast.AnnAssign):
            top.add(node.target.id)
    for name, parents in bases.items():
        for parent in parents:
            members[name] |= {m for m in members[parent] if parent.startswith("_") or m != "__init__"}
    public = {name: names for name, names in members.items() if not name.startswith("_")}
    return top, public


def test_stub_has_the_names_of_the_module():
    """mypy believes the stub, so it must list what the module has: no more, no less."""
    top, classes = stub_names()
    assert {n for n in vars(_core) if not n.startswith("__")} == top | classes.keys()
    for name, members in classes.items():
        cls = getattr(_core, name)
        actual = {m for m in dir(cls) if not m.startswith("_")}
        assert actual == {m for m in members if m != "__init__"}, name
