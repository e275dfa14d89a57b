"""The API pages describe every public name."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

DOCS = Path(__file__).resolve().parents[2] / "docs"
ENTRY = re.compile(r"^\.\. (?:auto\w+|py:\w+|module):: +(?P<name>[\w.]+)", re.MULTILINE)


def load_extension(name: str) -> ModuleType:
    """Import one of the documentation's Sphinx extensions from its file."""
    spec = importlib.util.spec_from_file_location(name, DOCS / "ext" / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def described() -> set[str]:
    """Return the dotted names that the API pages have an entry for."""
    return {
        entry["name"]
        for page in (DOCS / "api").glob("*.md")
        for entry in ENTRY.finditer(page.read_text(encoding="utf-8"))
    }


@pytest.mark.parametrize("name", list(load_extension("api_coverage").public_names()))
def test_public_name_is_described(name: str) -> None:
    """A name that a user can import is a contract, so the API pages must say what it does."""
    assert name in described()
