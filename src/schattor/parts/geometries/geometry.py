"""Norms of one block: what a geometry is."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy.typing as npt

from ..._edge import _core
from ..._edge.arrays import FloatArray
from ..._edge.calls import as_float, compute_norm, compute_oracle
from ..part import Lowering, Part


class Geometry(Part, ABC):
    """A norm with its dual norm and the two oracles. See `Schatten` and `Lp`."""

    @property
    @abstractmethod
    def equivariance(self) -> str:
        """The largest named group that commutes with the oracles.

        ``"orthogonal"``: rotations from the left and from the right; ``"left"``, ``"right"``: those of one side, and
        signed permutations of the other; ``"rotations"``: all of the entries; ``"entries"``: signed permutations of
        the entries; ``"lines"``: signed permutations of the rows and of the columns;
        ``"mixed"``: no named group.
        """

    @abstractmethod
    def lower(self, into: Lowering) -> _core.Geometry:
        """Return the core's part."""

    def norm(self, X: npt.ArrayLike) -> float:
        """Return the norm of an array.

        Parameters
        ----------
        X : array_like
            At most two dimensions; a vector counts as n x 1.

        Returns
        -------
        float
            ``inf`` when it exceeds the dtype.
        """
        return as_float(*compute_norm(self._standalone(), X, "X"))

    def dual_norm(self, G: npt.ArrayLike) -> float:
        """Return the dual norm ``max{<G, X> : ||X|| <= 1}`` of an array.

        Parameters
        ----------
        G : array_like
            At most two dimensions; a vector counts as n x 1.

        Returns
        -------
        float
            ``inf`` when it exceeds the dtype.
        """
        return as_float(*compute_norm(self._standalone(), G, "G", dual=True))

    def ball(self, G: npt.ArrayLike) -> FloatArray:
        """Return the ball oracle ``argmin{<G, D> : ||D|| <= 1}``; zero at zero.

        Parameters
        ----------
        G : array_like
            At most two dimensions; a vector counts as n x 1.

        Returns
        -------
        ndarray, shape of `G`
        """
        return compute_oracle(self._standalone(), G, "G")[0]

    def regularized(self, G: npt.ArrayLike) -> FloatArray:
        """Return the regularization oracle ``argmin{<G, D> + ||D||^2 / 2}``.

        Parameters
        ----------
        G : array_like
            At most two dimensions; a vector counts as n x 1.

        Returns
        -------
        ndarray, shape of `G`

        Raises
        ------
        OverflowError
            When the dual norm exceeds the dtype.
        """
        return compute_oracle(self._standalone(), G, "G", regularized=True)[0]

    def _standalone(self) -> _core.Geometry:
        """Return the core's part for use outside of an optimizer, where there are no steps."""
        lowering = Lowering()
        part = self.lower(lowering)
        if lowering.schedules.evaluate(0):
            raise ValueError(f"{self} has a scheduled exponent; only an optimizer can follow it")
        return part
