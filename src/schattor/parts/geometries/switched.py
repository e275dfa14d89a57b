"""A geometry that changes with the step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ..._edge import _core
from ..._edge.arguments import checked
from ..._edge.values import position
from ..part import Lowering
from .geometry import Geometry


@checked
@dataclass(frozen=True)
class Switched(Geometry):
    """One geometry out of several, chosen anew in each step of an optimizer.

    Parameters
    ----------
    choice : callable
        Maps the global step (from 0) to a position in `geometries`.
    geometries : tuple of Geometry

    Examples
    --------
    >>> alternating = st.Switched(lambda step: step % 2, (st.Spectral(), st.Sign()))
    >>> opt = st.Optimizer([np.zeros((2, 2))], st.Recipe("alternating", 1.0, alternating))
    >>> opt.step([np.diag([3.0, 2.0])])
    >>> opt.step([np.ones((2, 2))])
    >>> opt.params["0"] + 0.0
    array([[-2., -1.],
           [-1., -2.]])
    """

    choice: Callable[[int], int]
    geometries: tuple[Geometry, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "geometries", tuple(self.geometries))
        if not self.geometries:
            raise ValueError("geometries must hold one at least, got ()")

    def lower(self, into: Lowering) -> _core.Geometry:
        """Return the core's part."""
        choice = into.value("choice of geometry", position(len(self.geometries)), self.choice)
        return _core.Switched(
            choice=choice, geometries=[geometry.lower(into) for geometry in self.geometries]
        )

    def __str__(self) -> str:
        return " / ".join(map(str, self.geometries))
