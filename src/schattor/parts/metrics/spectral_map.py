"""Functions of the singular values that no norm stands behind."""

from __future__ import annotations

from dataclasses import dataclass

from ..._edge import _core
from ..._edge.arguments import checked
from ..._edge.values import FINITE, check_choice
from ..part import Lowering
from .metric import Preconditioner

KINDS = ("power", "largest", "rank")


@checked
@dataclass(frozen=True)
class SpectralMap(Preconditioner):
    r"""A function of the singular values of the estimate, by a full SVD, whatever their scale.

    The estimate :math:`U\,\mathrm{diag}(\sigma)V^\top` becomes :math:`U\,\mathrm{diag}(f)V^\top`. Singular values that
    are zero up to rounding stay zero.

    Parameters
    ----------
    power : float
        Any real; below zero, small singular values come out large.
    kind : {"power", "largest", "rank"}
        ``"power"``: :math:`(\sigma_i/\mu)^{\text{power}}` with the power mean :math:`\mu` of exponent 1 + power (the
        geometric mean at -1). For power >= 0 that is :math:`k^{1/p}` times the Schatten ball direction with
        q = 1 + power, k the smaller side. ``"largest"``: :math:`\sigma_i^{\text{power}}`, divided by the largest of
        them. ``"rank"``: :math:`i^{-\text{power}}`, i = 1 being the largest.
    """

    matrix = True

    power: float
    kind: str = "power"

    def __post_init__(self) -> None:
        FINITE.check("power", self.power)
        check_choice("kind", self.kind, KINDS)

    def degree(self, incoming: float | None, gradient: float | None) -> float | None:
        """Return zero."""
        return 0

    @property
    def equivariance(self) -> str:
        """Rotations of both sides."""
        return "orthogonal"

    def lower(self, into: Lowering) -> _core.Preconditioner:
        """Return the core's part."""
        return _core.SpectralMap(kind=self.kind, power=self.power)
