"""Coordinates round metric and geometry."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from .._edge import _core
from .._edge.arguments import checked
from .._edge.values import MOMENTUM, POSITIVE, Schedulable, check_choice, check_count, check_seed
from .kronecker import FOLLOWING, LARGEST_SIDE_BYTES, SIDES, check_largest, named_sides
from .part import Lowering, Part, common_group


class Frame(Part, ABC):
    """Maps the estimate into other coordinates, in which preconditioner and geometry work, and the direction back."""

    @abstractmethod
    def equivariance_round(self, inside: str) -> str:
        """Return the group that commutes with the whole, given that of what is inside."""

    matrix = True  # coordinates are those of rows and columns

    @property
    def needs_pairing(self) -> bool:
        """Whether it reads the weights of another block, which the recipe's `Pairing` names."""
        return False

    @property
    def withholds_first(self) -> bool:
        """Whether a block's first gradient only makes the coordinates: that step moves nothing and does not count."""
        return False

    def determined(self, shape: tuple[int, int]) -> bool:
        """Return whether the first gradient of a block of this shape determines the coordinates.

        Where it does not, steps depend on an arbitrary choice, and no group commutes with them.
        """
        return True

    @abstractmethod
    def lower(self, into: Lowering) -> _core.Frame:
        """Return the core's part."""


@checked
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
    def needs_pairing(self) -> bool:
        """True."""
        return True

    def equivariance_round(self, inside: str) -> str:
        """Return that of what is inside: rotations of the common side turn both factors."""
        return inside

    def lower(self, into: Lowering) -> _core.Frame:
        """Return the core's part; the transpose of a product has its factors the other way round."""
        rank = into.fans[1] if into.left else into.fans[0]
        if 8 * rank * rank > LARGEST_SIDE_BYTES:
            raise ValueError(
                f"the factors have a rank of {rank}, and a square matrix of that order takes more than "
                f"{LARGEST_SIDE_BYTES / 2**30:.3g} GiB"
            )
        return _core.PartnerMetric(left=bool(into.left) != into.transposed, eps=self.eps)


@checked
@dataclass(frozen=True)
class RandomRange(Frame):
    """The span of `rank` randomly chosen columns of the estimate (rows, where it is tall).

    With Q an orthonormal basis of that span, the inside is Q' M and the direction leaves as Q D. In every step other
    columns are drawn, from the seed, the name of the block and its count. Source: arXiv 2509.11983.
    """

    rank: int
    seed: int

    def __post_init__(self) -> None:
        check_count("rank", self.rank, least=1)
        check_seed("seed", self.seed)

    @property
    def draws(self) -> bool:
        """Return True: the columns."""
        return True

    def equivariance_round(self, inside: str) -> str:
        """Return "mixed": nothing commutes with the choice of columns."""
        return "mixed"

    def lower(self, into: Lowering) -> _core.Frame:
        """Return the core's part."""
        return _core.RandomRange(rank=self.rank, seed=self.seed)


@checked
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
        check_choice("sides", self.sides, SIDES)
        check_largest(self.largest)
        check_choice("following", self.following, FOLLOWING)

    def turned(self, shape: tuple[int, int]) -> tuple[bool, bool]:
        """Return whether the left and the right side of a block of this shape turn."""
        rows, cols = shape
        if 1 in shape:
            return False, False
        largest = max(shape) if self.largest is None else self.largest
        wanted = ("left" if rows <= cols else "right") if self.sides == "smaller" else self.sides
        return wanted in ("both", "left") and rows <= largest, wanted in ("both", "right") and cols <= largest

    def uncapped_sides(self, rows: int, cols: int) -> tuple[tuple[str, int], ...]:
        """Return those that turn."""
        turned = self.turned((rows, cols)) if self.largest is None else (False, False)
        return named_sides(rows, cols, *turned)

    def determined(self, shape: tuple[int, int]) -> bool:
        """Return whether one gradient has full rank on each side that turns, so that it determines the bases."""
        left, right = self.turned(shape)
        return not (left and shape[0] > shape[1]) and not (right and shape[1] > shape[0])

    def equivariance_round(self, inside: str) -> str:
        """Return what both sides have in common with what is inside."""
        return common_group({"both": "orthogonal", "smaller": "lines"}.get(self.sides, self.sides), inside)

    def lower(self, into: Lowering) -> _core.Frame:
        """Return the core's part."""
        left, right = self.turned(into.fans)
        if into.transposed:
            left, right = right, left
        beta = into.value("beta", MOMENTUM, self.beta)
        return type(self)._made(
            left=left, right=right, beta=beta, frequency=self.frequency, following=self.following
        )


@checked
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
