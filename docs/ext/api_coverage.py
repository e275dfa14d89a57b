"""Fail the build when a public name has no entry in the API pages.

Public names are those in ``schattor.__all__`` and in the ``__all__`` of the public submodules. A warning is
issued for each missing name; ``sphinx-build -W`` turns it into an error.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.environment import BuildEnvironment

PACKAGE = "schattor"


def public_names(package: str = PACKAGE) -> Iterator[str]:
    """Yield the dotted names that the API pages must describe: the package's names, then its submodules' names."""
    root = importlib.import_module(package)
    submodules = []
    for name in root.__all__:
        if not name.startswith("__"):
            yield f"{package}.{name}"
        if isinstance(getattr(root, name), ModuleType):
            submodules.append((name, getattr(root, name)))
    for name, module in submodules:
        for member in getattr(module, "__all__", ()):
            yield f"{package}.{name}.{member}"


def described_names(env: BuildEnvironment) -> set[str]:
    """Return every dotted name that some page documents."""
    domain = env.domains["py"]
    return set(domain.data["objects"]) | set(domain.data["modules"])


def check(app: Sphinx, env: BuildEnvironment) -> None:
    """Warn of each public name that no page documents."""
    # Imported here, so that the tests can read public_names() without Sphinx.
    from sphinx.util import logging

    logger = logging.getLogger(__name__)
    described = described_names(env)
    for name in public_names():
        if name not in described:
            logger.warning("public name without an API entry: %s", name, type="api", subtype="coverage")


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("env-check-consistency", check)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
