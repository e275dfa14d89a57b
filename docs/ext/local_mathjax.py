"""Serve MathJax from the built pages themselves, so that formulas are readable without network.

The bundle comes from the package ``sphinx-mathjax-offline``. Only one of its files is copied: the TeX-to-SVG
bundle, which needs no font files.
"""

from __future__ import annotations

import shutil
from importlib import metadata
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx
from sphinx.errors import ExtensionError

PACKAGE = "sphinx-mathjax-offline"
BUNDLE = "tex-svg.js"


def bundle_path() -> Path:
    """Return the path of the MathJax bundle, or raise when the package is missing or empty."""
    try:
        files = metadata.files(PACKAGE) or []
    except metadata.PackageNotFoundError as error:
        raise ExtensionError(f"the documentation needs the package {PACKAGE} (extra 'docs')") from error
    for file in files:
        if file.name == BUNDLE:
            return Path(str(file.locate()))
    raise ExtensionError(f"{PACKAGE} holds no {BUNDLE}")


def copy_bundle(app: Sphinx) -> None:
    """Put the bundle beside the other static files of an HTML build."""
    if app.builder.format != "html":
        return
    target = Path(app.outdir) / "_static" / "mathjax"
    target.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(bundle_path(), target / BUNDLE)


def setup(app: Sphinx) -> dict[str, Any]:
    app.config.mathjax_path = f"mathjax/{BUNDLE}"
    app.connect("builder-inited", copy_bundle)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
