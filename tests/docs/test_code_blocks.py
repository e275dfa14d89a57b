"""The Python blocks of the README and of the documentation run as they stand, each page from top to bottom."""

from __future__ import annotations

import doctest
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
GENERATED = {"_build", "_recipes", "notebooks"}
OPENING = re.compile(r"^(?P<fence>`{3,})(?:\{code-block\})? *(?P<info>[^`]*)$")
PYTHON = {"python", "py", "python3", "pycon"}


@dataclass(frozen=True)
class Block:
    """One fenced Python block; `line` is the number of its first line of code."""

    line: int
    source: str


def python_blocks(text: str) -> Iterator[Block]:
    """Yield the Python blocks of a Markdown text. A fence inside a longer fence is text."""
    fence, language, start = "", "", 0
    body: list[str] = []
    for number, line in enumerate(text.splitlines(), start=1):
        if not fence:
            opening = OPENING.match(line)
            if opening:
                fence, language, start, body = opening["fence"], opening["info"].strip(), number + 1, []
        elif line.strip() == fence:
            if language in PYTHON:
                yield Block(start, "\n".join(body) + "\n")
            fence = ""
        else:
            body.append(line)


def pages() -> list[Path]:
    """Return the README and the pages of the documentation that hold a Python block."""
    found = [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]
    kept = [page for page in found if page.is_file() and not GENERATED & set(page.relative_to(ROOT).parts)]
    return [page for page in kept if any(True for _ in python_blocks(page.read_text(encoding="utf-8")))]


def run_plain(page: Path, block: Block, names: dict[str, Any]) -> None:
    """Execute a block of statements; a traceback shows the page's own line numbers."""
    exec(compile("\n" * (block.line - 1) + block.source, str(page), "exec"), names)


def run_session(page: Path, block: Block, names: dict[str, Any]) -> None:
    """Execute a block with prompts and compare what it prints."""
    test = doctest.DocTestParser().get_doctest(block.source, names, page.name, str(page), block.line - 1)
    report: list[str] = []
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    runner.run(test, out=report.append, clear_globs=False)
    names.update(test.globs)
    assert runner.summarize(verbose=False).failed == 0, "".join(report)


@pytest.fixture
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Run in an empty folder, and draw figures without a screen."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MPLBACKEND", "Agg")
    return tmp_path


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.relative_to(ROOT).as_posix())
def test_page_runs(page: Path, scratch: Path) -> None:
    """A reader may paste the blocks of a page one after the other into one session: nothing may raise."""
    names: dict[str, Any] = {"__name__": "page"}
    for block in python_blocks(page.read_text(encoding="utf-8")):
        (run_session if ">>> " in block.source else run_plain)(page, block, names)


NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


def code_cells(notebook: Path) -> list[dict[str, Any]]:
    """Return the code cells of a notebook."""
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    return [cell for cell in cells if cell["cell_type"] == "code"]


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda notebook: notebook.name)
def test_notebook_runs(notebook: Path, scratch: Path) -> None:
    """A notebook is plain Python without shell or magic lines, and runs from top to bottom."""
    plotting = [cell for cell in code_cells(notebook) if "matplotlib" in "".join(cell["source"])]
    if plotting:
        pytest.importorskip("matplotlib").use("Agg")
    names: dict[str, Any] = {"__name__": "notebook"}
    for number, cell in enumerate(code_cells(notebook), start=1):
        exec(compile("".join(cell["source"]), f"{notebook.name}, code cell {number}", "exec"), names)


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda notebook: notebook.name)
def test_notebook_is_stored_without_output(notebook: Path) -> None:
    """The documentation build executes notebooks, so stored output could only be stale."""
    for cell in code_cells(notebook):
        assert cell["outputs"] == [] and cell["execution_count"] is None
