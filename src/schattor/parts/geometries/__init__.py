"""Geometries: norms of one block, with their dual norms and oracles."""

from .entrywise import Lp, Sign
from .geometry import Geometry
from .ky_fan import KyFan
from .lines import ColumnNorm, RowNorm
from .schatten import Schatten, Spectral, schatten_part
from .switched import Switched

__all__ = [
    "ColumnNorm",
    "Geometry",
    "KyFan",
    "Lp",
    "RowNorm",
    "Schatten",
    "Sign",
    "Spectral",
    "Switched",
    "schatten_part",
]
