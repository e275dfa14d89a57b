"""Metrics that bring rows and columns to one length."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ..._edge import _core
from ..._edge.arguments import checked
from ..._edge.values import NON_NEGATIVE, check_count, position
from ..geometries import Geometry
from ..hosting import check_polar
from ..lines import GROUP_OF, LINES_OF, MODES, TURNED, place_of
from ..part import Lowering, common_group
from .metric import Preconditioner


@checked
@dataclass(frozen=True)
class Equilibration(Preconditioner):
    r"""Rows, columns or both divided by their lengths: :math:`M_{ij} / \sqrt{\|M_i\|^2 + \epsilon}` for ``"row"``.

    For ``"col"`` likewise; with ``"rowcol"`` an entry is divided by the lengths of its row and of its column in M as it
    is, and the largest entry of the result is one. `mode` may be a callable of the global step that returns one of the
    names.

    Source: MuonEq, arXiv 2603.28254.
    """

    matrix = True

    mode: str | Callable[[int], str] = "row"
    eps: float = 0.0

    def __post_init__(self) -> None:
        if not callable(self.mode):
            place_of("mode", self.mode)
        NON_NEGATIVE.check("eps", self.eps)

    @property
    def equivariance(self) -> str:
        """Rotations along the lines that keep their lengths, and signed permutations of the lines."""
        return "lines" if callable(self.mode) else GROUP_OF[self.mode]

    def degree(self, incoming: float | None, gradient: float | None) -> float | None:
        """Return zero."""
        return 0

    def lower(self, into: Lowering) -> _core.Preconditioner:
        """Return the core's part."""
        lines = [(TURNED if into.transposed else LINES_OF)[name] for name in MODES]
        return _core.Equilibration(
            choice=into.value("mode", position(len(MODES)), self.mode, place_of), lines=lines, eps=self.eps
        )


@checked
@dataclass(frozen=True)
class LeverageEquilibration(Preconditioner):
    r"""Rows scaled so that those of the polar factor come to have equal lengths.

    For m > n the result is :math:`\mathrm{diag}(d) M` with :math:`d_i = 1/\|M_i\|`, and in passes - 1 passes

    .. math:: U = \mathrm{polar}(\mathrm{diag}(d) M), \qquad
              d_i \leftarrow d_i \left(\frac{n/m}{\|U_i\|^2}\right)^\beta .

    For m < n the same with columns; a square matrix stays as it is. Source: Aurora, arXiv 2606.27715.
    """

    geometry: Geometry
    passes: int = 2
    beta: float = 0.5

    def __post_init__(self) -> None:
        check_polar(self, self.geometry)
        check_count("passes", self.passes, least=1)
        NON_NEGATIVE.check("beta", self.beta)

    @property
    def equivariance(self) -> str:
        """Signed permutations of the lines: which lines are scaled depends on the shape."""
        return common_group("lines", super().equivariance)

    def degree(self, incoming: float | None, gradient: float | None) -> float | None:
        """Return zero if the estimate has that: a square one stays as it is."""
        return 0 if incoming == 0 else None

    def lower(self, into: Lowering) -> _core.Preconditioner:
        """Return the core's part."""
        return _core.LeverageEquilibration(
            polar=self.geometry.lower(into), passes=self.passes, beta=self.beta
        )
