"""What acts on the direction after the oracle."""

from __future__ import annotations

from abc import ABC, abstractmethod

from .. import _core
from ..part import Lowering, Part


class Adjustment(Part, ABC):
    """Maps the direction after the oracle, at its length by the rule of the scaling."""

    @abstractmethod
    def degree(self, incoming: float | None) -> float | None:
        """Return the degree of the result in the scale of all gradients, given that of the direction."""

    @property
    @abstractmethod
    def equivariance(self) -> str:
        """The group that commutes with it, jointly with the weights; see `schattor.Geometry`."""

    @abstractmethod
    def lower(self, into: Lowering) -> _core.Adjustment:
        """Return the core's part."""
