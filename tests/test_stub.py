"""The hand-written stub of the compiled core."""

import ast
import enum
import re
from pathlib import Path

import schattor
from schattor._edge import _core

STUB = Path(schattor.__file__).parent / "_edge" / "_core.pyi"


def name_of(node):
    """Return the name that a statement of the stub declares."""
    return node.target.id if isinstance(node, ast.AnnAssign) else node.name


def stub():
    """Return the declarations of the stub: those at the top, and by class its own and the inherited ones."""
    top, classes = {}, {}
    for node in ast.parse(STUB.read_text()).body:
        if isinstance(node, ast.ClassDef):
            members = {}
            for base in node.bases:
                inherited = classes.get(ast.unparse(base), {})
                members |= {k: v for k, v in inherited.items() if k != "__init__" or base.id.startswith("_")}
            for member in node.body:
                if isinstance(member, ast.FunctionDef | ast.AnnAssign):
                    members[name_of(member)] = member
                elif isinstance(member, ast.Assign):  # of an enum
                    members[member.targets[0].id] = member
            classes[node.name] = members
        elif isinstance(node, ast.FunctionDef | ast.AnnAssign):
            top[name_of(node)] = node
    return top, {name: members for name, members in classes.items() if not name.startswith("_")}


TOP, CLASSES = stub()


def signature(node):
    """Return names, kinds and defaults of the arguments of a function."""
    a = node.args
    plain = [*a.posonlyargs, *a.args]
    unset = [None] * (len(plain) - len(a.defaults))
    defaults = [*unset, *map(ast.unparse, a.defaults)]
    kinds = (len(a.posonlyargs), a.vararg and a.vararg.arg, a.kwarg and a.kwarg.arg)
    keywords = [(k.arg, v and ast.unparse(v)) for k, v in zip(a.kwonlyargs, a.kw_defaults, strict=True)]
    return [(arg.arg, d) for arg, d in zip(plain, defaults, strict=True)], kinds, keywords


def bound_signatures(function):
    """Return the signatures of a bound function, one for each overload, as its documentation states them."""
    name = re.escape(function.__name__)
    found = re.findall(
        rf"^(?:\d+\. )?({name}\((?!\*args, \*\*kwargs\)$).*\) -> .*)$", function.__doc__, re.MULTILINE
    )
    return [signature(ast.parse(f"def {line}: ...").body[0]) for line in found]


def test_stub_has_the_names_of_the_module():
    """mypy believes the stub, so it must list what the module has: no more, no less."""
    assert {n for n in vars(_core) if not n.startswith("__")} == TOP.keys() | CLASSES.keys()
    for name, members in CLASSES.items():
        cls = getattr(_core, name)
        if issubclass(cls, enum.Enum):
            assert list(cls.__members__) == list(members), name
            continue
        actual = {m for m in dir(cls) if not m.startswith("_")}
        assert actual == {m for m in members if m != "__init__"}, name


def test_stub_has_the_signatures_of_the_module():
    """Callers write arguments by name, so the names, defaults and kinds must be those of the module."""
    functions = [(name, getattr(_core, name), node) for name, node in TOP.items()]
    functions += [
        (f"{name}.{member}", getattr(getattr(_core, name), member), node)
        for name, members in CLASSES.items()
        for member, node in members.items()
    ]
    compared = 0
    for where, bound, node in functions:
        if not isinstance(node, ast.FunctionDef) or isinstance(bound, property):
            continue
        signatures = bound_signatures(bound)
        assert signatures, where
        for found in signatures:
            assert found == signature(node), where
            compared += 1
    assert compared > 100


def test_no_constructor_is_bound_without_being_in_the_stub():
    """A class that can be made says so in the stub; the others refuse."""
    for name, members in CLASSES.items():
        cls = getattr(_core, name)
        if not issubclass(cls, enum.Enum):
            assert ("__init__" in members) == (
                "__init__" in vars(cls) and bool(bound_signatures(cls.__init__))
            ), name
