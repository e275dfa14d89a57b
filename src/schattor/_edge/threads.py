"""How many threads a call may use."""

from __future__ import annotations

import sys

from .values import check_count

MOST_THREADS = 1024


def check_threads(n_threads: int | None) -> int | None:
    """Return the number of threads for the core, None leaves it to the process, or raise.

    Raises
    ------
    TypeError, ValueError
        Unless `n_threads` is None or an integer of at least 1.
    """
    if n_threads is None:
        return None
    return min(check_count("n_threads", n_threads, least=1, most=sys.maxsize), MOST_THREADS)
