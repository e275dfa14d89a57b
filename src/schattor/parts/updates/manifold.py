"""Updates that stay on a manifold."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..._edge import _core
from ..._edge.arguments import checked
from ..._edge.arrays import FloatArray
from ..geometries import Geometry
from ..hosting import check_polar
from ..part import Lowering
from .update import Update


@checked
@dataclass(frozen=True)
class PolarRetraction(Update):
    """Back to the Stiefel manifold: the polar factor of W + D by a spectral geometry; W stays where D is zero."""

    geometry: Geometry

    def __post_init__(self) -> None:
        check_polar(self, self.geometry)

    def degree(self, incoming: float | None) -> float | None:
        """Return zero for displacements of that degree, else none."""
        return 0 if incoming == 0 else None

    def lower(self, into: Lowering) -> _core.Update:
        """Return the core's part."""
        return _core.PolarRetraction(self.geometry.lower(into))

    def __str__(self) -> str:
        return "polar retraction"


@checked
@dataclass(frozen=True)
class Hyperball(Update):
    r"""Steps on the sphere of the first weights' Frobenius norm R.

    .. math:: W \leftarrow R\,\frac{W'}{\|W'\|_F}, \qquad W' = W + \eta R\,\frac{D}{\|D\|_F}

    with the lr :math:`\eta`; the length of the displacement D does not matter, and a zero one leaves W. Zero weights
    are refused. Source: arXiv 2606.16899.
    """

    @property
    def keeps_norm(self) -> bool:
        """True."""
        return True

    def degree(self, incoming: float | None) -> float | None:
        """Return zero."""
        return 0

    def check_weights(self, name: str, W: FloatArray) -> None:
        """Refuse zero weights."""
        if W.size and not np.any(W):
            raise ValueError(
                f"block {name!r} is zero: a step on the sphere of its norm needs weights that are not"
            )

    def lower(self, into: Lowering) -> _core.Update:
        """Return the core's part."""
        return _core.Hyperball()

    def __str__(self) -> str:
        return "hyperball"
