"""Checked float64 matrices for what is computed in Python."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .._edge.arrays import FloatArray, plain


def doubles(value: npt.ArrayLike, name: str) -> FloatArray:
    """Return a float64 array, or raise TypeError naming it for what holds no real numbers."""
    array = plain(value, name)
    if array.dtype.kind not in "iubf":
        raise TypeError(f"{name} must hold real numbers, got {value!r}")
    return np.asarray(array, dtype=np.float64)


def matrix(value: npt.ArrayLike, name: str) -> FloatArray:
    """Return a finite float64 matrix, or raise ValueError naming it."""
    array = doubles(value, name)
    if array.ndim != 2 or not np.isfinite(array).all():
        raise ValueError(f"{name} must be a finite matrix, got shape {array.shape}")
    return array


def semidefinite(value: npt.ArrayLike, order: int | None, name: str) -> FloatArray:
    """Return a symmetric positive semi-definite matrix, of this order if given, or raise ValueError naming it."""
    array = matrix(value, name)
    order = len(array) if order is None else order
    if array.shape != (order, order):
        raise ValueError(f"{name} must have shape {(order, order)}, got {array.shape}")
    rounding = 100 * order * float(np.finfo(np.float64).eps) * float(np.abs(array).max(initial=0))
    if np.abs(array - array.T).max(initial=0) > rounding or np.linalg.eigvalsh(array).min() < -rounding:
        raise ValueError(f"{name} must be symmetric and positive semi-definite")
    return array


def eigen(A: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return eigenvalues, not negative, and eigenvectors of a positive semi-definite matrix."""
    eigenvalues, vectors = np.linalg.eigh(A)
    return np.maximum(eigenvalues, 0), vectors


def power(A: FloatArray, exponent: float) -> FloatArray:
    """Return a power of a positive semi-definite matrix."""
    eigenvalues, vectors = eigen(A)
    return np.asarray(vectors * eigenvalues**exponent @ vectors.T)
