"""How an array is seen as a matrix."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

from ._arrays import matrix_shape

__all__ = ["View", "flatten"]


class View(ABC):
    """Maps the shape of an array to that of the matrix which the pipeline works on."""

    @abstractmethod
    def shape(self, shape: tuple[int, ...]) -> tuple[int, int]:
        """Return rows and columns of the matrix."""


@dataclass(frozen=True)
class _Flatten(View):
    def shape(self, shape: tuple[int, ...]) -> tuple[int, int]:
        return matrix_shape(shape)

    def __str__(self) -> str:
        return "flatten"


def flatten() -> View:
    """Return the view of an (out, ...) array as an (out, rest) matrix: the usual one for convolutions.

    Shape factors use the flattened matrix.

    Returns
    -------
    View

    Examples
    --------
    >>> st.views.flatten().shape((64, 3, 5, 5))
    (64, 75)
    """
    return _Flatten()
