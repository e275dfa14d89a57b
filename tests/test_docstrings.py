"""The examples in the docstrings of the package."""

import doctest
import importlib
import inspect
import pkgutil

import numpy as np
import pytest

import schattor as st

# Compiled; runs the command line when imported; needs torch, and has no examples.
SKIPPED = ("schattor._edge._core", "schattor.__main__", "schattor.experiments.gpt")
MODULES = [
    "schattor",
    *sorted(m.name for m in pkgutil.walk_packages(st.__path__, "schattor.") if m.name not in SKIPPED),
]


@pytest.mark.parametrize("name", MODULES)
def test_examples_run_as_printed(name):
    """Every example gives what it shows, since users copy them before they read anything else."""
    results = doctest.testmod(importlib.import_module(name), extraglobs={"np": np, "st": st})
    assert results.failed == 0


def public_objects():
    """Yield (name, object) for every public class and function."""
    modules = [
        st,
        st.diagnostics,
        st.estimators,
        st.linalg,
        st.noise,
        st.parts,
        st.plotting,
        st.problems,
        st.recipes,
        st.theory,
        st.views,
    ]
    for module in modules:
        names = getattr(module, "__all__", [n for n in vars(module) if not n.startswith("_")])
        for name in names:
            value = getattr(module, name)
            if callable(value) and getattr(value, "__module__", "").startswith("schattor"):
                yield f"{module.__name__}.{name}", value


@pytest.mark.parametrize(("name", "value"), list(public_objects()))
def test_public_names_are_documented(name, value):
    """A public class or function has a docstring with a summary line that ends in a full stop."""
    text = inspect.getdoc(value)
    assert text, name
    assert text.split("\n\n")[0].rstrip().endswith((".", ":")), text.splitlines()[0]
