"""One geometry on one array: what goes into the core and what comes back."""

from __future__ import annotations

import math
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from . import _core
from .arrays import Dtype, FloatArray, prepare
from .info import OracleInfo

ScaledNorm: TypeAlias = tuple[_core.Scaled, Dtype]


def compute_norm(part: _core.Geometry, X: npt.ArrayLike, name: str, *, dual: bool = False) -> ScaledNorm:
    """Return the norm or the dual norm, exact also where it exceeds the dtype, and that dtype."""
    array, (rows, cols) = prepare(X, name)
    if array.size == 0:
        return _core.Scaled(), array.dtype
    try:
        return (part.dual_norm if dual else part.norm)(array, rows, cols), array.dtype
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None


def compute_oracle(
    part: _core.Geometry, G: npt.ArrayLike, name: str, *, regularized: bool = False, measure: bool = False
) -> tuple[FloatArray, _core.OracleResult]:
    """Return the direction, and what `OracleInfo` holds with the dual norm exact."""
    array, (rows, cols) = prepare(G, name)
    direction = np.empty(array.shape, dtype=array.dtype)
    if array.size == 0:
        return direction, _core.OracleResult()
    try:
        result = part.oracle(array, rows, cols, regularized, measure, direction)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None
    if regularized and math.isinf(as_float(result.dual_norm, array.dtype)):
        raise OverflowError(f"{name}: the dual norm exceeds {array.dtype}, so the step has no finite length")
    return direction, result


def oracle_info(result: _core.OracleResult, dtype: Dtype) -> OracleInfo:
    """Return the result of `compute_oracle` with the dual norm as a number."""
    return OracleInfo(
        dual_norm=as_float(result.dual_norm, dtype),
        backend=result.backend,
        residual=result.residual,
        fallbacks=result.fallbacks,
        approximate=result.approximate,
        operator_norm=result.operator_norm,
        iterations=result.iterations,
    )


def as_float(norm: _core.Scaled, dtype: Dtype) -> float:
    """Return a norm as a number; infinite when it exceeds the dtype."""
    return norm.in_float32() if dtype == np.float32 else norm.in_float64()
