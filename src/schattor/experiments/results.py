"""Finished runs of an experiment, and the file that keeps them."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

__all__ = ["FILE", "Record", "Results", "StoredError"]

Record: TypeAlias = dict[str, Any]

FILE = "results.json"
_DIGITS = 6


class StoredError(ValueError):
    """The stored results cannot be used; the message is one line that says why."""


@dataclass
class Results:
    """Finished runs, with what is needed to make them again.

    Attributes
    ----------
    experiment, command : str
        Name and command line.
    version, commit, date : str
        Of the package and of the checkout that made the first run, where there was one; another commit that made later
        runs is added.
    quick : bool
    seed : int
    settings : dict
        What all runs share.
    complete : bool
        Whether every run is there.
    runs : dict of str to dict
        Key -> numbers and (nested) lists of numbers, rounded to six digits; None for what is not finite.
    """

    experiment: str
    quick: bool
    seed: int
    version: str
    command: str
    settings: dict[str, Any]
    commit: str | None = None
    date: str | None = None
    complete: bool = False
    runs: dict[str, Record] = field(default_factory=dict)

    def array(self, key: str, quantity: str) -> np.ndarray[Any, np.dtype[np.float64]]:
        """Return a quantity of a run as an array of float64, NaN where it was not finite."""
        return np.array(self.runs[key][quantity], dtype=np.float64)

    def arrays(self, prefix: str, quantity: str) -> np.ndarray[Any, np.dtype[np.float64]]:
        """Return a quantity of all runs whose keys begin with `prefix`, stacked."""
        return np.array([self.array(key, quantity) for key in self.runs if key.startswith(prefix)])

    def write(self, directory: Path) -> None:
        """Replace the file at once, so that an interrupt leaves the older one or the new one."""
        header = {name: value for name, value in vars(self).items() if name != "runs"}
        lines = [f"{json.dumps(name)}: {json.dumps(value)}" for name, value in header.items()]
        runs = [f"{json.dumps(key)}: {json.dumps(run, allow_nan=False)}" for key, run in self.runs.items()]
        lines.append('"runs": {\n' + ",\n".join(runs) + "\n}")
        partial = directory / f"{FILE}.partial"
        partial.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
        os.replace(partial, directory / FILE)

    @classmethod
    def read(cls, directory: Path) -> Results:
        """Return what is stored in a directory.

        Raises
        ------
        StoredError
            When there is no such file, or it holds something else.
        """
        path = directory / FILE
        try:
            return cls(**json.loads(path.read_text(encoding="utf-8")))
        except FileNotFoundError:
            raise StoredError(f"{path}: no such file") from None
        except (ValueError, TypeError):
            raise StoredError(f"{path}: no results of an experiment") from None


def plain(value: Any) -> Any:
    """Return numbers, arrays and containers of them as JSON has them, rounded."""
    if isinstance(value, Mapping):
        return {str(key): plain(x) for key, x in value.items()}
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, list | tuple):
        return [plain(x) for x in value]
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, float):
        return float(f"{value:.{_DIGITS}g}") if math.isfinite(value) else None
    return value
