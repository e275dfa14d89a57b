"""What the package was built with and runs on."""

from __future__ import annotations

import os
import platform
import sys
from typing import TextIO

import numpy as np

from ._edge import _core
from ._version import __version__


def show_config(file: TextIO | None = None) -> None:
    """Print versions, the BLAS in use and its threads.

    Parameters
    ----------
    file : text stream, optional
        Default: standard output.
    """
    rows = {
        "schattor": __version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "platform": platform.platform(),
        "processors": str(os.cpu_count()),
        "BLAS": _core.blas_description(),
        "BLAS threads": str(_core.blas_threads()),
        "step threads": str(_core.default_threads()),
    }
    for name, value in rows.items():
        print(f"{name + ':':<14}{value}", file=file or sys.stdout)
