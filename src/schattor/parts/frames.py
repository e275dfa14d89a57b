"""Changes of coordinates round preconditioner and geometry."""

from __future__ import annotations

from abc import ABC, abstractmethod

from .. import _core
from ..part import Lowering, Part


class Frame(Part, ABC):
    """Maps the estimate into other coordinates, in which preconditioner and geometry work, and the direction back."""

    @abstractmethod
    def equivariance(self, inside: str) -> str:
        """Return the group that commutes with the whole, given that of what is inside."""

    @abstractmethod
    def lower(self, into: Lowering) -> _core.Frame:
        """Return the core's part."""
