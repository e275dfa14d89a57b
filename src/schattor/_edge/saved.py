"""Entries of saved states."""

from __future__ import annotations

from typing import Any

import numpy as np


def check_entry(key: str, given: np.ndarray[Any, Any], wanted: np.ndarray[Any, Any]) -> None:
    """Raise ValueError unless a saved entry has the dtype and shape of the wanted one, and finite values."""
    if wanted.dtype.kind == "U":
        if given.shape != () or str(given) != str(wanted):
            raise ValueError(f"{key!r}: expected recipe {str(wanted)!r}, got {given.tolist()!r}")
        return
    if given.dtype != wanted.dtype and not (wanted.dtype.kind == "i" and given.dtype.kind in "iu"):
        raise ValueError(f"{key!r}: expected dtype {wanted.dtype}, got {given.dtype}")
    if given.shape != wanted.shape:
        raise ValueError(f"{key!r}: expected shape {wanted.shape}, got {given.shape}")
    if wanted.dtype.kind == "f" and not np.isfinite(given).all():
        raise ValueError(f"{key!r}: holds values that are not finite")
    if wanted.dtype.kind == "i" and (given < 0).any():
        raise ValueError(f"{key!r}: expected a count, got {given}")
