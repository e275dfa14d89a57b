"""Maps before and after the polar factor, metrics of factor pairs, and steps on the Stiefel manifold."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from .. import _core
from ..geometries import Geometry
from ..part import Lowering, common_group
from ..values import NON_NEGATIVE, POSITIVE, Schedulable, check_count, position, show
from .adjustments import Adjustment
from .frames import Frame
from .preconditioners import Preconditioner
from .updates import Update

_MODES = ("row", "col", "rowcol")
_LINES = {"row": "rows", "col": "columns", "rowcol": "both"}
_TURNED = {"row": "columns", "col": "rows", "rowcol": "both"}
_GROUP = {"row": "right", "col": "left", "rowcol": "lines"}


@dataclass(frozen=True)
class Equilibration(Preconditioner):
    r"""Rows, columns or both divided by their lengths: :math:`M_{ij} / \sqrt{\|M_i\|^2 + \epsilon}` for ``"row"``.

    For ``"col"`` likewise; with ``"rowcol"`` an entry is divided by the lengths of its row and of its column in M as it
    is, and the largest entry of the result is one. `mode` may be a callable of the global step that returns one of the
    names.

    Source: MuonEq, arXiv 2603.28254.
    """

    mode: str | Callable[[int], str] = "row"
    eps: float = 0.0

    def __post_init__(self) -> None:
        if not callable(self.mode):
            _place("mode", self.mode)
        NON_NEGATIVE.check("eps", self.eps)

    @property
    def has_unit(self) -> bool:
        """Whether there is an eps."""
        return self.eps > 0

    @property
    def equivariance(self) -> str:
        """Rotations along the lines that keep their lengths, and signed permutations of the lines."""
        return "lines" if callable(self.mode) else _GROUP[self.mode]

    def lower(self, into: Lowering) -> _core.Preconditioner:
        """Return the core's part."""
        mode = self.mode
        place: Schedulable = (
            (lambda step: _place(f"mode at step {step}", mode(step)))
            if callable(mode)
            else _place("mode", mode)
        )
        lines = [(_TURNED if into.transposed else _LINES)[name] for name in _MODES]
        return _core.Equilibration(
            choice=into.value("mode", position(len(_MODES)), place), lines=lines, eps=self.eps
        )


def _place(what: str, mode: str) -> int:
    if mode not in _MODES:
        raise ValueError(f"{what} must be one of {', '.join(map(repr, _MODES))}, got {mode!r}")
    return _MODES.index(mode)


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
        check_count("passes", self.passes, least=1)
        NON_NEGATIVE.check("beta", self.beta)

    @property
    def has_unit(self) -> bool:
        """False."""
        return False

    @property
    def equivariance(self) -> str:
        """Signed permutations of the lines: which lines are scaled depends on the shape."""
        return common_group("lines", self.geometry.equivariance)

    def lower(self, into: Lowering) -> _core.Preconditioner:
        """Return the core's part."""
        return _core.LeverageEquilibration(
            polar=self.geometry.lower(into), passes=self.passes, beta=self.beta
        )

    def oracles(self, rows: int, cols: int) -> tuple[tuple[Geometry, int, int, int], ...]:
        """Return a polar factor for each pass but the last."""
        return () if rows == cols else ((self.geometry, rows, cols, self.passes - 1),)


@dataclass(frozen=True)
class LineNormalization(Adjustment):
    r"""Lines of the direction divided by :math:`\sqrt{\|\cdot\|^2 + \epsilon}`, for one kind of line after the other.

    `order` holds ``"row"`` and ``"col"`` in the order in which they are normalised. Source: Muon+, arXiv 2602.21545.
    """

    order: tuple[str, ...] = ("col",)
    eps: float = 1e-7

    def __post_init__(self) -> None:
        if not set(self.order) <= {"row", "col"}:
            raise ValueError(f"order must hold 'row' and 'col' only, got {self.order!r}")
        NON_NEGATIVE.check("eps", self.eps)

    def degree(self, incoming: float | None) -> float | None:
        """Return zero, unless nothing is normalised."""
        return 0 if self.order else incoming

    @property
    def equivariance(self) -> str:
        """Rotations along the lines that keep their lengths, and signed permutations of the lines."""
        return common_group("orthogonal", *(_GROUP[name] for name in self.order))

    def lower(self, into: Lowering) -> _core.Adjustment:
        """Return the core's part."""
        columns = [(name == "col") != into.transposed for name in self.order]
        return _core.LineNormalization(columns=columns, eps=self.eps)


@dataclass(frozen=True)
class PartnerMetric(Frame):
    r"""The metric of a factor of W = B A by the Gram matrix of the other factor.

    The left factor's estimate enters as :math:`X R` and its direction leaves as :math:`D R`, with
    :math:`R = (A A^\top + \epsilon I)^{-1/2}`; the right factor's as :math:`R X` and :math:`R D`, with
    :math:`R = (B^\top B + \epsilon I)^{-1/2}`. The recipe's `Pairing` says which is which.

    Sources: Intrinsic Muon, arXiv 2605.09238; LoRA-Muon, arXiv 2606.12921.
    """

    eps: float = 1e-8

    def __post_init__(self) -> None:
        POSITIVE.check("eps", self.eps)

    @property
    def reads_weights(self) -> bool:
        """True."""
        return True

    def equivariance(self, inside: str) -> str:
        """Return that of what is inside: rotations of the common side turn both factors."""
        return inside

    def lower(self, into: Lowering) -> _core.Frame:
        """Return the core's part; the transpose of a product has its factors the other way round."""
        if into.left is None:
            raise ValueError("a partner's metric needs a recipe with a pairing")
        return _core.PartnerMetric(left=into.left != into.transposed, eps=self.eps)

    def products(self, rows: int, cols: int) -> tuple[tuple[int, int, int], ...]:
        """Return the metric on both ways, for a rank that is the smaller side."""
        return 2 * ((rows, cols, cols) if rows > cols else (rows, rows, cols),)

    def eigendecompositions(self, rows: int, cols: int) -> tuple[int, ...]:
        """Return that of the partner's Gram matrix, for such a rank."""
        return (min(rows, cols),)


@dataclass(frozen=True)
class ProductDecay(Update):
    r"""Decay of a factor of a product: :math:`W \leftarrow s W + D/s`, :math:`s = \sqrt{1 - \eta\lambda}`.

    The product of two such factors decays by :math:`1 - \eta\lambda`, while its first-order displacement is that
    without decay. Source: LoRA-Muon, arXiv 2606.12921.
    """

    weight_decay: Schedulable = 0.0

    def __post_init__(self) -> None:
        NON_NEGATIVE.check_schedulable("weight_decay", self.weight_decay)

    def lower(self, into: Lowering) -> _core.Update:
        """Return the core's part."""
        return _core.ProductDecay(into.value("weight_decay", NON_NEGATIVE, self.weight_decay))

    def __str__(self) -> str:
        return "none" if self.weight_decay == 0 else f"product {show(self.weight_decay)}"


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
        check_count("steps", self.steps, least=1)
        NON_NEGATIVE.check("step_size", self.step_size)
        NON_NEGATIVE.check("tolerance", self.tolerance)

    @property
    def has_unit(self) -> bool:
        """False."""
        return False

    @property
    def reads_weights(self) -> bool:
        """True."""
        return True

    @property
    def equivariance(self) -> str:
        """That of the polar factor, jointly with the weights."""
        return self.geometry.equivariance

    def lower(self, into: Lowering) -> _core.Preconditioner:
        """Return the core's part."""
        return _core.TangentDual(
            polar=self.geometry.lower(into),
            steps=self.steps,
            step_size=self.step_size,
            tolerance=self.tolerance,
        )

    def oracles(self, rows: int, cols: int) -> tuple[tuple[Geometry, int, int, int], ...]:
        """Return all polar factors but the last, as if the tolerance were not met."""
        return ((self.geometry, rows, cols, self.steps - 1),)

    def products(self, rows: int, cols: int) -> tuple[tuple[int, int, int], ...]:
        """Return W'A and W L for each of them."""
        k, n = min(rows, cols), max(rows, cols)
        return self.steps * ((k, n, k), (k, k, n))


@dataclass(frozen=True)
class IntrinsicStiefel(Preconditioner):
    r"""A tangent vector of the Stiefel manifold from two polar factors.

    For a tall W with :math:`W^\top W = I` (a wide one stands for its transpose) it is

    .. math:: \xi = W\,\mathrm{polar}\bigl(\mathrm{skew}(W^\top G)\bigr) + \mathrm{polar}\bigl(G - W W^\top G\bigr),

    with :math:`\langle G, \xi\rangle = \|\mathrm{skew}(W^\top G)\|_* + \|G - WW^\top G\|_*` and an operator norm of at
    most :math:`\sqrt 2`. Source: Intrinsic Muon, arXiv 2605.09238.
    """

    geometry: Geometry

    @property
    def has_unit(self) -> bool:
        """False."""
        return False

    @property
    def reads_weights(self) -> bool:
        """True."""
        return True

    @property
    def equivariance(self) -> str:
        """That of the polar factor, jointly with the weights."""
        return self.geometry.equivariance

    def lower(self, into: Lowering) -> _core.Preconditioner:
        """Return the core's part."""
        return _core.IntrinsicStiefel(self.geometry.lower(into))

    def oracles(self, rows: int, cols: int) -> tuple[tuple[Geometry, int, int, int], ...]:
        """Return the two polar factors."""
        k = min(rows, cols)
        return (self.geometry, rows, cols, 1), (self.geometry, k, k, 1)

    def products(self, rows: int, cols: int) -> tuple[tuple[int, int, int], ...]:
        """Return two projections and a turn."""
        k, n = min(rows, cols), max(rows, cols)
        return 2 * ((k, n, k), (k, k, n)) + ((k, k, n),)


@dataclass(frozen=True)
class PolarRetraction(Update):
    """Back to the Stiefel manifold: the polar factor of W + D by a spectral geometry; W stays where D is zero."""

    geometry: Geometry

    @property
    def reads_weights(self) -> bool:
        """True."""
        return True

    @property
    def equivariance(self) -> str:
        """That of the polar factor."""
        return self.geometry.equivariance

    def lower(self, into: Lowering) -> _core.Update:
        """Return the core's part."""
        return _core.PolarRetraction(self.geometry.lower(into))

    def oracles(self, rows: int, cols: int) -> tuple[tuple[Geometry, int, int, int], ...]:
        """Return one polar factor."""
        return ((self.geometry, rows, cols, 1),)

    def __str__(self) -> str:
        return "polar retraction"
