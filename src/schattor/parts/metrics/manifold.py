"""Metrics in the tangent spaces of manifolds of matrices."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ..._edge import _core
from ..._edge.arguments import checked
from ..._edge.values import NON_NEGATIVE, check_choice, check_count, position
from ..geometries import Geometry
from ..hosting import check_polar
from ..lines import LINES, is_columns
from ..part import Lowering, common_group
from .metric import Preconditioner


@checked
@dataclass(frozen=True)
class TangentDual(Preconditioner):
    r"""The matrix whose polar factor is the steepest tangent direction on the Stiefel manifold.

    For a tall W with :math:`W^\top W = I` (a wide one stands for its transpose) it is :math:`X = G + 2 W \Lambda` with
    the symmetric :math:`\Lambda` that minimises :math:`\|X\|_*`: its polar factor A solves

    .. math:: \max_A\ \langle G, A\rangle \quad\text{over}\quad \|A\|_{op} \le 1,\quad A^\top W + W^\top A = 0.

    In at most `steps` evaluations of A, the oracle's included,
    :math:`\Lambda \leftarrow \Lambda - a\,(1 - t/T)\,(W^\top A + A^\top W)` from
    :math:`-\tfrac14(W^\top G + G^\top W)`, until the root mean square of the bracket is below `tolerance`. The gradient
    is first brought to the Frobenius norm of a polar factor, so that the step size a has no unit.

    Source: J. Bernstein, "Modular manifolds"; github.com/thinking-machines-lab/manifolds.
    """

    geometry: Geometry
    steps: int = 100
    step_size: float = 0.1
    tolerance: float = 1e-6

    def __post_init__(self) -> None:
        check_polar(self, self.geometry)
        check_count("steps", self.steps, least=1)
        NON_NEGATIVE.check("step_size", self.step_size)
        NON_NEGATIVE.check("tolerance", self.tolerance)

    def degree(self, incoming: float | None, gradient: float | None) -> float | None:
        """Return zero."""
        return 0

    def lower(self, into: Lowering) -> _core.Preconditioner:
        """Return the core's part."""
        return _core.TangentDual(
            polar=self.geometry.lower(into),
            steps=self.steps,
            step_size=self.step_size,
            tolerance=self.tolerance,
        )


@checked
@dataclass(frozen=True)
class IntrinsicStiefel(Preconditioner):
    r"""A tangent vector of the Stiefel manifold from two polar factors.

    For a tall W with :math:`W^\top W = I` (a wide one stands for its transpose) it is

    .. math:: \xi = W\,\mathrm{polar}\bigl(\mathrm{skew}(W^\top G)\bigr) + \mathrm{polar}\bigl(G - W W^\top G\bigr),

    with :math:`\langle G, \xi\rangle = \|\mathrm{skew}(W^\top G)\|_* + \|G - WW^\top G\|_*` and an operator norm of at
    most :math:`\sqrt 2`. Source: Intrinsic Muon, arXiv 2605.09238.
    """

    geometry: Geometry

    def __post_init__(self) -> None:
        check_polar(self, self.geometry)

    def degree(self, incoming: float | None, gradient: float | None) -> float | None:
        """Return zero."""
        return 0

    def lower(self, into: Lowering) -> _core.Preconditioner:
        """Return the core's part."""
        return _core.IntrinsicStiefel(self.geometry.lower(into))


@checked
@dataclass(frozen=True)
class TangentProjection(Preconditioner):
    r"""Mano's projection onto the tangent space of lines of fixed length.

    .. math:: M_i \leftarrow M_i - \langle M_i, P_i\rangle P_i, \qquad P_i = W_i / \|W_i\|

    for each line i, a row or a column: `choice` maps the global step to a position in `lines`. A zero line of W leaves
    that of M. Source: arXiv 2601.23000.
    """

    matrix = True

    choice: Callable[[int], int]
    lines: tuple[str, ...] = ("columns", "rows")

    def __post_init__(self) -> None:
        for i, lines in enumerate(self.lines):
            check_choice(f"lines[{i}]", lines, LINES)

    def degree(self, incoming: float | None, gradient: float | None) -> float | None:
        """Return that of the estimate."""
        return incoming

    @property
    def equivariance(self) -> str:
        """Signed permutations of the lines, and rotations along them."""
        return common_group(*("right" if lines == "rows" else "left" for lines in self.lines))

    def lower(self, into: Lowering) -> _core.Preconditioner:
        """Return the core's part."""
        choice = into.value("choice of lines", position(len(self.lines)), self.choice)
        return _core.TangentProjection(
            choice=choice, columns=[is_columns(lines, into) for lines in self.lines]
        )
