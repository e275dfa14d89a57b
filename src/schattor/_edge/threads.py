"""How many threads a call may use."""

from __future__ import annotations

import operator

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
    try:
        count = operator.index(n_threads)
    except TypeError:
        raise TypeError(f"n_threads must be an int or None, got {n_threads!r}") from None
    if isinstance(n_threads, bool) or count < 1:
        raise ValueError(f"n_threads must be at least 1, or None, got {n_threads!r}")
    return min(count, MOST_THREADS)
