"""A lock that knows its owner and that a fork waits for."""

from __future__ import annotations

import os
import threading
import time
import weakref
from types import TracebackType

PATIENCE = 10.0
"""Seconds that a fork waits for steps under way in other threads."""


class OwnedLock:
    """A lock for the calls of one optimizer, which take their turn.

    A call from inside a call of the same thread, as by a schedule or a closure, would wait for itself for ever: it
    raises. A fork waits until no other thread holds the lock, so that the child finds a whole state and a free lock.

    Parameters
    ----------
    what : str
        What is locked, for the error.
    """

    def __init__(self, what: str) -> None:
        self._what = what
        self._renew()
        _ALIVE.add(self)

    def _renew(self) -> None:
        self._lock = threading.Lock()
        self._owner: int | None = None

    def __enter__(self) -> None:
        me = threading.get_ident()
        if self._owner == me:
            raise RuntimeError(
                f"{self._what} is in the middle of a call, and was called again from inside it by a schedule, closure "
                "or part; compute what is needed before or after the call"
            )
        self._lock.acquire()
        self._owner = me

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._owner = None
        self._lock.release()

    def _try(self) -> bool:
        """Take the lock before a fork, unless another thread holds it; the thread that forks may hold it already."""
        return self._owner == threading.get_ident() or self._lock.acquire(blocking=False)

    def _untry(self) -> None:
        if self._owner != threading.get_ident():
            self._lock.release()


_ALIVE: weakref.WeakSet[OwnedLock] = weakref.WeakSet()
"""What a fork has to wait for: a fork concerns the process, so this belongs to the process."""

_HELD: list[OwnedLock] = []


def _before_fork() -> None:
    """Take all locks at once or none, so that threads that hold one and want another cannot be in the way."""
    end = time.monotonic() + PATIENCE
    while True:
        for lock in list(_ALIVE):
            if not lock._try():
                break
            _HELD.append(lock)
        else:
            return
        _release()
        if time.monotonic() > end:
            return
        time.sleep(0.001)


def _release() -> None:
    while _HELD:
        _HELD.pop()._untry()


def _in_child() -> None:
    """Only the thread that forked lives on: what others held is free."""
    me = threading.get_ident()
    _HELD.clear()
    for lock in list(_ALIVE):
        if lock._owner != me:
            lock._renew()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_parent=_release, after_in_child=_in_child)
