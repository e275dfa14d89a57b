"""Progress: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
from typing import Any

__all__ = ["Progress"]


class Progress:
    """A progress bar over optimizer steps (tqdm, on stderr) and lines on stdout.

    The bar needs tqdm and a terminal; without them, or with ``bar=False``, only the lines are printed.
    """

    def __init__(self, total: int, *, bar: bool = True) -> None:
        self._bar: Any = _make_bar(total) if bar and sys.stderr.isatty() else None

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *exc: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def describe(self, text: str) -> None:
        """Say what is running."""
        if self._bar is not None:
            self._bar.set_description_str(f"{text:<42}", refresh=False)

    def advance(self, n: int) -> None:
        """``n`` more steps are done."""
        if self._bar is not None:
            self._bar.update(n)

    def extend(self, n: int) -> None:
        """``n`` more steps than planned will be made."""
        if self._bar is not None:
            self._bar.total += n

    def line(self, text: str) -> None:
        """Print a line without disturbing the bar."""
        if self._bar is None:
            print(text, flush=True)
        else:
            self._bar.write(text, file=sys.stdout)


def _make_bar(total: int) -> Any:
    try:
        from tqdm import tqdm
    except ImportError:
        return None
    return tqdm(total=total, unit="step", leave=False, dynamic_ncols=True, smoothing=0.05)
