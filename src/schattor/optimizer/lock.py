"""A lock that knows its owner and that a fork waits for."""

from __future__ import annotations

import os
import threading
import time
import weakref
from types import TracebackType

PATIENCE = 10.0
"""Seconds that a fork waits for calls under way in other threads."""


class _Here(threading.local):
    """What the running thread is at: calls that it is in, and what it holds while it forks."""

    calls = 0
    held: tuple[OwnedLock, ...] = ()
    gate = False


_HERE = _Here()

_ALIVE: weakref.WeakValueDictionary[int, OwnedLock] = weakref.WeakValueDictionary()
"""What a fork has to wait for: a fork concerns the process, so this belongs to the process."""

_gate = threading.Lock()
"""Closed by a thread that forks: calls under way come to their end, and no other begins."""


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
        _ALIVE[id(self)] = self

    def _renew(self) -> None:
        # Reentrant, so that the owner is known from the instant of taking it: a signal handler may come in between.
        self._lock = threading.RLock()
        self._busy = False

    def __enter__(self) -> None:
        if not _HERE.calls:  # a call inside another's call has to go on, or the outer one would never end
            with _gate:
                pass
        self._lock.acquire()
        if self._busy:
            self._lock.release()
            raise RuntimeError(
                f"{self._what} is in the middle of a call, and was called again from inside it, as by a schedule, "
                "closure, part or signal handler; compute what is needed before or after the call"
            )
        self._busy = True
        _HERE.calls += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _HERE.calls -= 1
        self._busy = False
        self._lock.release()


def _before_fork() -> None:
    """Close the gate and take all locks at once or none: a thread that holds one may need another to end its call."""
    end = time.monotonic() + PATIENCE
    _HERE.gate = _gate.acquire(timeout=PATIENCE)
    while not _take_all() and time.monotonic() < end:
        time.sleep(0.001)


def _take_all() -> bool:
    for reference in _ALIVE.valuerefs():  # copied at once, as other threads make optimizers meanwhile
        if (lock := reference()) is None:
            continue
        if not lock._lock.acquire(blocking=False):
            _release_all()
            return False
        _HERE.held += (lock,)
    return True


def _release_all() -> None:
    held, _HERE.held = _HERE.held, ()
    for lock in held:
        lock._lock.release()


def _in_parent() -> None:
    _release_all()
    if _HERE.gate:
        _HERE.gate = False
        _gate.release()


def _in_child() -> None:
    """Only the thread that forked lives on: what others held is free."""
    global _gate  # the parent's may be closed by a thread that is no more
    _release_all()
    _gate, _HERE.gate = threading.Lock(), False
    for reference in _ALIVE.valuerefs():
        if (lock := reference()) is not None:
            if lock._lock.acquire(blocking=False):
                lock._lock.release()
            else:
                lock._renew()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_parent=_in_parent, after_in_child=_in_child)
