"""Norms of rows and of columns."""

from __future__ import annotations

from dataclasses import dataclass

from ..._edge import _core
from ..._edge.arguments import checked
from ..part import Lowering
from .geometry import Geometry


@checked
@dataclass(frozen=True)
class RowNorm(Geometry):
    r"""The largest Euclidean length of a row, the operator norm from :math:`\ell_2` to :math:`\ell_\infty`.

    The dual norm is the sum of the lengths, and the ball oracle scales every row of -G to length one; a zero row stays
    zero.

    Notes
    -----
    arXiv 2502.07529, Table 3; arXiv 2409.20325.

    Examples
    --------
    >>> st.RowNorm().ball(np.array([[3.0, 4.0], [0.0, 0.0]]))
    array([[-0.6, -0.8],
           [ 0. ,  0. ]])
    """

    matrix = True
    equivariance = "right"

    def lower(self, into: Lowering) -> _core.Geometry:
        """Return the core's part; it has one backend only."""
        return _core.LineNorm(into.transposed)

    def __str__(self) -> str:
        return "RowNorm"


@checked
@dataclass(frozen=True)
class ColumnNorm(Geometry):
    r"""The largest Euclidean length of a column, the operator norm from :math:`\ell_1` to :math:`\ell_2`.

    The dual norm is the sum of the lengths, and the ball oracle scales every column of -G to length one; a zero column
    stays zero.

    Notes
    -----
    arXiv 2502.07529, Table 3; arXiv 2409.20325.

    Examples
    --------
    >>> st.ColumnNorm().dual_norm(np.array([[3.0, 1.0], [4.0, 0.0]]))
    6.0
    """

    matrix = True
    equivariance = "left"

    def lower(self, into: Lowering) -> _core.Geometry:
        """Return the core's part; it has one backend only."""
        return _core.LineNorm(not into.transposed)

    def __str__(self) -> str:
        return "ColumnNorm"
