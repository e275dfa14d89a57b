"""Parts that keep a matrix for one side of a block or for both: bases, roots and inverses."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from .. import _core
from ..part import Lowering, common_group
from ..values import FRACTION, MOMENTUM, NON_NEGATIVE, POSITIVE, Schedulable, check_count
from .frames import Frame
from .preconditioners import Preconditioner
from .transforms import Transform

Products = tuple[tuple[int, int, int], ...]
SIDES = ("both", "smaller", "left", "right")
FOLLOWING = ("power_step", "eigenvectors")


def _on_sides(rows: int, cols: int, left: bool, right: bool, times: int) -> Products:
    """Return `times` products with a square matrix on each of these sides, and the Gram matrix that it follows.

    A Gram matrix takes half of a product.
    """
    of_left = ((rows, rows, cols),) * times + ((rows, cols, (rows + 1) // 2),)
    of_right = ((rows, cols, cols),) * times + ((cols, rows, (cols + 1) // 2),)
    return of_left * left + of_right * right


@dataclass(frozen=True)
class Eigenbasis(Frame):
    r"""Coordinates along the eigenvectors of averages of gradients: :math:`X \to Q_L^\top X Q_R`.

    :math:`Q_L` belongs to the average of :math:`GG^\top`, from zero, and :math:`Q_R` to that of :math:`G^\top G`. The
    averages take in every gradient before its step uses the bases. The first bases are eigenvectors, by falling
    eigenvalue; in steps that are multiples of `frequency` they follow.

    Attributes
    ----------
    beta : float or callable
        Rate of the averages.
    frequency : int
    sides : {"both", "smaller", "left", "right"}
        Which sides turn; ``"smaller"`` is the left one of a square block.
    largest : int, optional
        Sides of more rows or columns keep their coordinates. A block of one row or column keeps them all.
    following : {"power_step", "eigenvectors"}
        Eigenvectors again, or SOAP's step towards them: the QR factorisation of S Q, the columns of Q by falling
        :math:`q^\top S q`.
    """

    beta: Schedulable = 0.95
    frequency: int = 10
    sides: str = "both"
    largest: int | None = None
    following: str = "power_step"

    _made: ClassVar[Callable[..., _core.Frame]] = _core.Eigenbasis

    def __post_init__(self) -> None:
        MOMENTUM.check_schedulable("beta", self.beta)
        check_count("frequency", self.frequency, least=1)
        if self.sides not in SIDES:
            raise ValueError(f"sides must be one of {', '.join(map(repr, SIDES))}, got {self.sides!r}")
        if self.largest is not None:
            check_count("largest", self.largest, least=0)
        if self.following not in FOLLOWING:
            raise ValueError(
                f"following must be one of {', '.join(map(repr, FOLLOWING))}, got {self.following!r}"
            )

    def turned(self, shape: tuple[int, int]) -> tuple[bool, bool]:
        """Return whether the left and the right side of a block of this shape turn."""
        rows, cols = shape
        if 1 in shape:
            return False, False
        largest = max(shape) if self.largest is None else self.largest
        wanted = ("left" if rows <= cols else "right") if self.sides == "smaller" else self.sides
        return wanted in ("both", "left") and rows <= largest, wanted in ("both", "right") and cols <= largest

    def products(self, rows: int, cols: int) -> Products:
        """Return those of the gradient, the estimate and the direction, and the Gram matrices."""
        return _on_sides(rows, cols, *self.turned((rows, cols)), times=3)

    def determined(self, shape: tuple[int, int]) -> bool:
        """Return whether one gradient has full rank on each side that turns, so that it determines the bases."""
        left, right = self.turned(shape)
        return not (left and shape[0] > shape[1]) and not (right and shape[1] > shape[0])

    def equivariance(self, inside: str) -> str:
        """Return what both sides have in common with what is inside."""
        return common_group({"both": "orthogonal", "smaller": "lines"}.get(self.sides, self.sides), inside)

    def lower(self, into: Lowering) -> _core.Frame:
        """Return the core's part."""
        left, right = self.turned(into.fans)
        if into.transposed:
            left, right = right, left
        beta = into.value("beta", MOMENTUM, self.beta)
        return type(self)._made(left, right, beta, self.frequency, self.following)


@dataclass(frozen=True)
class LaggedEigenbasis(Eigenbasis):
    """As `Eigenbasis`, in the order of SOAP: averages and bases change after the step.

    The first gradient only makes the first bases: that step leaves weights, momentum and counter alone.
    """

    _made: ClassVar[Callable[..., _core.Frame]] = _core.LaggedEigenbasis

    @property
    def withholds_first(self) -> bool:
        """True."""
        return True


@dataclass(frozen=True)
class KroneckerRoots(Preconditioner):
    r"""Shampoo's metric, :math:`P(M) = L^{-1/4} M R^{-1/4}`, and :math:`L^{-1/2} m` for a vector.

    :math:`L \leftarrow \beta L + (1-\beta) GG^\top`, R likewise with :math:`G^\top G`, from zero; sums at
    :math:`\beta = 1`. The roots are those of the debiased averages plus `eps` I, by eigenvalues in double precision.
    Eigenvalues below the rounding errors of the block's dtype count as that large, and at `eps` 0 as zero.

    Attributes
    ----------
    beta : float or callable
        In [0, 1].
    eps : float or callable
    frequency : int
        The roots are computed in step `start`, counted from 1, and then in every step that is a multiple of this.
    start : int
        Before it, P(M) = M.
    """

    beta: Schedulable = 1.0
    eps: Schedulable = 1e-12
    frequency: int = 1
    start: int = 1

    def __post_init__(self) -> None:
        FRACTION.check_schedulable("beta", self.beta)
        NON_NEGATIVE.check_schedulable("eps", self.eps)
        check_count("frequency", self.frequency, least=1)
        check_count("start", self.start, least=1)

    def products(self, rows: int, cols: int) -> Products:
        """Return those of the estimate and the Gram matrices."""
        left, right = (rows >= cols, rows < cols) if 1 in (rows, cols) else (True, True)
        return _on_sides(rows, cols, left, right, times=1)

    @property
    def degree(self) -> int | None:
        """Zero, but none where the first steps have no roots."""
        return 0 if self.start == 1 else None

    @property
    def equivariance(self) -> str:
        """``"orthogonal"``."""
        return "orthogonal"

    def lower(self, into: Lowering) -> _core.Preconditioner:
        """Return the core's part."""
        beta, eps = into.value("beta", FRACTION, self.beta), into.value("eps", NON_NEGATIVE, self.eps)
        return _core.KroneckerRoots(beta=beta, eps=eps, start=self.start, frequency=self.frequency)


@dataclass(frozen=True)
class KroneckerInverses(Preconditioner):
    r"""K-FAC's metric, :math:`P(M) = (C + \sqrt\lambda/\pi\, I)^{-1} M (A + \pi\sqrt\lambda\, I)^{-1}`.

    A is the debiased average of :math:`aa^\top` over the activations, C that of :math:`\delta\delta^\top` over the
    deltas, :math:`\lambda` the damping and :math:`\pi^2 = (\mathrm{tr}A/n)/(\mathrm{tr}\,C/m)`, one where a trace is
    zero.

    Attributes
    ----------
    beta : float or callable
        Rate of the averages.
    damping : float or callable
        At zero the inverses are pseudo-inverses.
    frequency : int
        The inverses are computed in the first step and in steps that are multiples of this.
    """

    beta: Schedulable = 0.95
    damping: Schedulable = 1e-3
    frequency: int = 5

    def __post_init__(self) -> None:
        MOMENTUM.check_schedulable("beta", self.beta)
        NON_NEGATIVE.check_schedulable("damping", self.damping)
        check_count("frequency", self.frequency, least=1)

    @property
    def requires(self) -> frozenset[str]:
        """Activations and deltas."""
        return frozenset({"activations", "deltas"})

    def products(self, rows: int, cols: int) -> Products:
        """Return those of the estimate and the Gram matrices, of as many samples as `testing.extras_for` makes up."""
        return _on_sides(rows, cols, left=True, right=True, times=1)

    @property
    def degree(self) -> int:
        """Minus one at no damping: deltas follow the scale of the loss, activations do not."""
        return -1

    @property
    def equivariance(self) -> str:
        """``"orthogonal"``."""
        return "orthogonal"

    def lower(self, into: Lowering) -> _core.Preconditioner:
        """Return the core's part."""
        beta = into.value("beta", MOMENTUM, self.beta)
        return _core.KroneckerInverses(
            beta=beta, damping=into.value("damping", NON_NEGATIVE, self.damping), frequency=self.frequency
        )


@dataclass(frozen=True)
class Grafted(Preconditioner):
    """The direction of one metric at the length of another; before step `start`, from 1, the other metric alone.

    Source: arXiv 2002.11803. `length` must keep the same number of state arrays whatever the shape of a block, and
    neither may have sums that blocks share.
    """

    direction: Preconditioner
    length: Preconditioner
    start: int = 1

    def __post_init__(self) -> None:
        check_count("start", self.start, least=1)

    @property
    def requires(self) -> frozenset[str]:
        """What both require."""
        return self.direction.requires | self.length.requires

    def products(self, rows: int, cols: int) -> Products:
        """Return those of both."""
        return self.direction.products(rows, cols) + self.length.products(rows, cols)

    @property
    def degree(self) -> float | None:
        """That of the length."""
        return self.length.degree

    @property
    def equivariance(self) -> str:
        """What both have in common."""
        return common_group(self.direction.equivariance, self.length.equivariance)

    def lower(self, into: Lowering) -> _core.Preconditioner:
        """Return the core's part."""
        return _core.Grafted(
            direction=self.direction.lower(into), length=self.length.lower(into), start=self.start
        )


@dataclass(frozen=True)
class InverseInputMoment(Transform):
    r"""Newton-Muon's map of the gradient, :math:`G \leftarrow G (K + \rho I)^{-1}`.

    K is an average of :math:`zz^\top` over the inputs z of the layer, from `initial` I, and
    :math:`\rho = r\,\mathrm{tr}(K)/n + \epsilon`. In steps that are multiples of `frequency` the activations of that
    step enter K and the inverse is computed anew; before the first of them G stays.

    Attributes
    ----------
    beta : float
        Rate of the average.
    ridge : float
        r.
    eps, initial : float
    frequency : int
    blocks : int
        K has this many diagonal blocks, each with its own :math:`\rho`: for wide inputs.
    """

    beta: float = 0.95
    ridge: float = 0.2
    eps: float = 1e-8
    initial: float = 1e-3
    frequency: int = 32
    blocks: int = 1

    def __post_init__(self) -> None:
        MOMENTUM.check("beta", self.beta)
        NON_NEGATIVE.check("ridge", self.ridge)
        POSITIVE.check("eps", self.eps)
        NON_NEGATIVE.check("initial", self.initial)
        check_count("frequency", self.frequency, least=1)
        check_count("blocks", self.blocks, least=1)

    @property
    def requires(self) -> frozenset[str]:
        """Activations."""
        return frozenset({"activations"})

    def products(self, rows: int, cols: int) -> Products:
        """Return those of the gradient."""
        width = cols // self.blocks
        return ((rows, width, width),) * self.blocks

    @property
    def equivariance(self) -> str:
        """``"orthogonal"`` where K is one block; else only rotations of the rows, which have no name."""
        return "orthogonal" if self.blocks == 1 else "mixed"

    def lower(self, into: Lowering) -> _core.Transform:
        """Return the core's part."""
        return _core.InverseInputMoment(
            beta=self.beta,
            initial=self.initial,
            ridge=self.ridge,
            eps=self.eps,
            frequency=self.frequency,
            blocks=self.blocks,
            inputs=into.fans[1],
            inputs_are_rows=into.transposed,
        )
