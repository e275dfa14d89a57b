"""Loads the compiled core, with the BLAS that came with the package set up."""

from __future__ import annotations

import os
import re
import warnings

# Idle workers of a second OpenBLAS spin for about 0.1 s and slow NumPy's down; this one's give up early. The variable
# is read once, when the library loads, and is put back at once.
_unset = "OPENBLAS_THREAD_TIMEOUT" not in os.environ
if _unset:
    os.environ["OPENBLAS_THREAD_TIMEOUT"] = "16"
try:
    from . import _core as _core
finally:
    if _unset:
        del os.environ["OPENBLAS_THREAD_TIMEOUT"]


def check_blas(built: str = _core.blas_built_with, loaded: str | None = None) -> None:
    """Warn when calls bind to an older BLAS than the core was built with.

    Another package that loads its copy with global symbols makes that copy serve this one as well.
    """
    wanted = _version(built)
    found = _version(_core.blas_description() if loaded is None else loaded)
    if wanted and found and found < wanted:
        warnings.warn(
            f"OpenBLAS {'.'.join(map(str, found))} is loaded, older than the {'.'.join(map(str, wanted))} that "
            "schattor was built with; import schattor before the package that loads it",
            RuntimeWarning,
            stacklevel=2,
        )


def _version(text: str) -> tuple[int, ...]:
    match = re.search(r"\d+(\.\d+)+", text)
    return tuple(map(int, match.group().split("."))) if match else ()
