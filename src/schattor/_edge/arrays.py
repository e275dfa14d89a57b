"""Array-likes on their way into the core."""

from __future__ import annotations

import math
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

FloatArray: TypeAlias = npt.NDArray[np.floating[Any]]

Dtype: TypeAlias = np.dtype[np.floating[Any]]

FLOATS: tuple[Dtype, ...] = (np.dtype(np.float32), np.dtype(np.float64))


def refuse_masked(value: object, name: str) -> None:
    """Raise TypeError for a masked array: what is masked would be used like the rest."""
    if isinstance(value, np.ma.MaskedArray):
        raise TypeError(
            f"{name} must be a plain array, got a masked one; fill it, for example with value.filled(0.0)"
        )


def prepare(value: npt.ArrayLike, name: str) -> tuple[FloatArray, tuple[int, int]]:
    """Return a C-contiguous float32 or float64 array and its matrix shape (a vector is n x 1).

    Raises
    ------
    TypeError
        For a dtype that is neither float32, float64, integer nor bool.
    ValueError
        For more than two dimensions.
    """
    refuse_masked(value, name)
    array = np.asarray(value)
    if array.ndim == 2 and array.dtype in FLOATS and array.flags.c_contiguous and array.flags.aligned:
        return array, array.shape
    array = _as_floats(array, name)
    if array.ndim > 2:
        raise ValueError(f"{name} must have at most 2 dimensions, got shape {array.shape}")
    return array, matrix_shape(array.shape)


def prepare_stack(value: npt.ArrayLike, name: str) -> FloatArray:
    """Return a C-contiguous float32 or float64 array of at least two dimensions: matrices along the last two.

    Raises
    ------
    TypeError
        For a dtype that is neither float32, float64, integer nor bool.
    ValueError
        For fewer than two dimensions.
    """
    refuse_masked(value, name)
    array = np.asarray(value)
    if array.ndim < 2:
        raise ValueError(f"{name} must have at least 2 dimensions, (..., m, n), got shape {array.shape}")
    return _as_floats(array, name)


def _as_floats(array: npt.NDArray[Any], name: str) -> FloatArray:
    if array.dtype.kind in "iub":
        array = array.astype(np.float64)
    if array.dtype.newbyteorder("=") not in FLOATS:
        raise TypeError(f"{name} must be float32, float64 or integer, got {array.dtype}")
    # Unlike ascontiguousarray, require() keeps 0-D arrays 0-D; it also brings byte order and alignment right.
    return np.require(array, dtype=array.dtype.newbyteorder("="), requirements=["C", "A"])


def matrix_shape(shape: tuple[int, ...]) -> tuple[int, int]:
    """Return the shape as (rows, columns): a vector is n x 1, a scalar 1 x 1, the rest (first, others)."""
    return (shape[0] if shape else 1), math.prod(shape[1:])
