"""Write the tables of the page on public code from the stored trajectories.

``docs/published.md`` includes ``docs/_published/sets.md`` and ``left_out.md`` (ignored by git). They are made from
``tests/published/*.json`` before the source files are listed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx
from sphinx.config import Config

STORED = Path(__file__).resolve().parents[2] / "tests" / "published"


def table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    """Return a table in Markdown."""
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def code(record: dict[str, Any]) -> str:
    """Return where a set's code is: repository, version, files."""
    files = ", ".join(f"`{file.strip()}`" for file in record["file"].split(";"))
    version = record["commit"]
    return f"{record['repo']}, {version[:8] if re.fullmatch('[0-9a-f]{40}', version) else version}: {files}"


def left_out(name: str, record: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Return the cases and arrays of a set that no test compares."""
    missing = record["left_out"] | record.get("left_out_arrays", {})
    return [(f"`{name}`", f"`{case}`", reason) for case, reason in missing.items()]


def write(app: Sphinx, _config: Config) -> None:
    """Write one file per table."""
    target = Path(app.srcdir) / "_published"
    target.mkdir(exist_ok=True)
    records = {
        file.stem: json.loads(file.read_text(encoding="utf-8")) for file in sorted(STORED.glob("*.json"))
    }
    sets = [(f"`{name}`", code(record), str(len(record["cases"]))) for name, record in records.items()]
    missing = [row for name, record in records.items() for row in left_out(name, record)]
    texts = {
        "sets": table(("Set", "Public code", "Cases"), sets),
        "left_out": table(("Set", "Case", "Reason"), missing),
    }
    for name, text in texts.items():
        (target / f"{name}.md").write_text(text + "\n", encoding="utf-8")


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("config-inited", write)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
