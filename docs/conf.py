"""Sphinx configuration.

Build with warnings as errors: ``sphinx-build -W --keep-going -b html docs docs/_build/html``.
"""

from __future__ import annotations

import os
import sys
from importlib import metadata
from pathlib import Path

DOCS = Path(__file__).parent
sys.path.insert(0, str(DOCS / "ext"))

# The notebook runs during the build: one BLAS thread per library keeps it quick on a shared machine.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

project = "Schattor"
author = "the Schattor developers"
project_copyright = "the Schattor developers"
release = metadata.version("schattor")
version = ".".join(release.split(".")[:2])

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "numpydoc",
    "sphinx_copybutton",
    "sphinx_design",
    "api_coverage",
    "benchmark_pages",
    "experiment_pages",
    "local_mathjax",
    "notebook_pages",
    "published_pages",
    "recipe_pages",
]

source_suffix = {".md": "myst-nb", ".ipynb": "myst-nb"}
exclude_patterns = [
    "_build",
    "_static",
    "_benchmarks",
    "_experiments",
    "_published",
    "_recipes/table.md",
    "ext",
]
nitpicky = False

# MyST
myst_enable_extensions = ["dollarmath", "amsmath", "colon_fence", "deflist", "attrs_inline"]
myst_heading_anchors = 3
myst_dmath_double_inline = True

# The notebook is executed in every build; an exception in a cell fails the build.
nb_execution_mode = "force"
nb_execution_raise_on_error = True
nb_execution_timeout = 120
nb_merge_streams = True

# The records that the benchmark page shows, in benchmarks/results: all of it, and the section of the recipes.
benchmark_record = "0.2.0.json"
recipe_record = "0.3.0-recipes.json"

# API pages
autodoc_member_order = "bysource"
autodoc_typehints = "none"
autosummary_generate = False
numpydoc_show_class_members = False
numpydoc_class_members_toctree = False
default_role = "py:obj"  # `name` in a docstring is a link

# HTML
html_theme = "furo"
html_title = f"Schattor {release}"
html_static_path = ["_static"]
html_css_files = ["schattor.css"]
html_theme_options = {"navigation_with_keys": True}
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True
