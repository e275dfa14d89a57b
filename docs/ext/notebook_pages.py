"""Bring the notebooks of the repository's ``notebooks`` folder into the documentation.

Sphinx reads only below its source folder. The notebooks live beside it, where users look for them, so they are copied
to ``docs/notebooks`` (ignored by git) before the source files are listed.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sphinx.application import Sphinx
from sphinx.config import Config


def copy_notebooks(app: Sphinx, config: Config) -> None:
    """Copy each notebook whose text differs from the copy; remove copies without an original."""
    docs = Path(app.srcdir)
    source, target = docs.parent / "notebooks", docs / "notebooks"
    target.mkdir(exist_ok=True)
    originals = {path.name: path.read_bytes() for path in sorted(source.glob("*.ipynb"))}
    for copy in target.glob("*.ipynb"):
        if copy.name not in originals:
            copy.unlink()
    for name, content in originals.items():
        copy = target / name
        if not copy.exists() or copy.read_bytes() != content:
            copy.write_bytes(content)


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("config-inited", copy_notebooks)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
