"""Which norm fits each block now: the predicted decreases of several geometries, block by block."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from .._edge.arguments import checked
from .._edge.arrays import FloatArray
from .._tables import html_table, table
from ..parts.geometries import ColumnNorm, Geometry, RowNorm, Sign
from .curvature import EXPONENTS, CurvatureProfile, Norm, curvature_profile
from .hessian import Hvp, Params, block_hessian

NORMS: tuple[Norm, ...] = (*EXPONENTS, Sign(), RowNorm(), ColumnNorm())


@dataclass(frozen=True, eq=False)
class NormAlignment:
    """The profiles of all blocks, shown as a table; see `norm_alignment`.

    Attributes
    ----------
    profiles : dict of str to CurvatureProfile
        By block, all with the same geometries.
    """

    profiles: Mapping[str, CurvatureProfile]

    @property
    def geometries(self) -> tuple[Geometry, ...]:
        """The columns of the table."""
        return next(iter(self.profiles.values())).geometries

    @property
    def best(self) -> dict[str, Geometry]:
        """The geometry with the largest predicted decrease, for each block."""
        return {name: profile.best for name, profile in self.profiles.items()}

    @property
    def relative(self) -> FloatArray:
        """The predicted decreases over the largest of the block, shape (blocks, geometries); 1 marks the best.

        Where some are infinite, those are 1 and the others 0. A block without a gradient is NaN.
        """
        return np.stack([_relative(profile.predicted_decreases) for profile in self.profiles.values()])

    def _title(self) -> str:
        return "Predicted decrease over that of the best norm"

    def _header(self) -> list[str]:
        return ["block", *map(str, self.geometries), "best"]

    def _rows(self) -> list[list[str]]:
        return [
            [name, *(f"{x:.3f}" for x in row), "-" if np.isnan(row).any() else str(self.best[name])]
            for name, row in zip(self.profiles, self.relative, strict=True)
        ]

    def __repr__(self) -> str:
        return self._title() + "\n" + table(self._header(), self._rows())

    def _repr_html_(self) -> str:
        return html_table(self._title(), self._header(), self._rows())


@checked
def norm_alignment(
    hvp: Hvp, params: Params, gradient: Params, norms: Sequence[Norm] = NORMS
) -> NormAlignment:
    r"""Return a table of which norm fits each block at this point.

    The measure is the largest decrease that the quadratic model promises along a norm's ball oracle,
    :math:`\|g\|_*^2/(2J)`, with the block moved alone. It says nothing about noise, nor about what happens when all
    blocks move together.

    Parameters
    ----------
    hvp : callable
        ``hvp(params, direction)``, such as the method of a problem; one product for each block and norm.
    params, gradient : mapping of str to ndarray
        Of the same names.
    norms : sequence of float or Geometry
        Default: Schatten norms with p = 2, 3, 4, 8, inf, and `Sign`, `RowNorm`, `ColumnNorm`.

    Returns
    -------
    NormAlignment

    Raises
    ------
    ValueError
        As `curvature_profile`, or for no blocks.

    Examples
    --------
    >>> problem = st.problems.MatrixQuadratic.random(np.geomspace(1, 1e-3, 8), columns=8, rng=0)
    >>> params = problem.start()
    >>> st.diagnostics.norm_alignment(problem.hvp, params, problem.gradient(params), norms=(2, 4, np.inf))
    Predicted decrease over that of the best norm
    block  Schatten(2)  Schatten(4)  Spectral  best
    -----  -----------  -----------  --------  -----------
    W      0.879        1.000        0.997     Schatten(4)
    """
    if not gradient:
        raise ValueError("gradient must name at least one block")
    return NormAlignment(
        {name: curvature_profile(block_hessian(hvp, params, name), G, norms) for name, G in gradient.items()}
    )


def _relative(decreases: FloatArray) -> FloatArray:
    largest = decreases.max()
    if np.isinf(largest):
        return np.isinf(decreases).astype(np.float64)
    return decreases / (largest if largest > 0 else np.nan)
