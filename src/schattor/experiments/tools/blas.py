"""Hold BLAS to one thread."""

from __future__ import annotations

import contextlib
import importlib.util

__all__ = ["one_blas_thread"]


def one_blas_thread() -> contextlib.AbstractContextManager[object]:
    """Return a context in which BLAS has one thread, if threadpoolctl is installed.

    On small matrices a second one gains nothing, and loses much where the cores are busy.
    """
    if importlib.util.find_spec("threadpoolctl") is None:
        return contextlib.nullcontext()
    from threadpoolctl import threadpool_limits

    limits: contextlib.AbstractContextManager[object] = threadpool_limits(1)
    return limits
