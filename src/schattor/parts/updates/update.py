"""What moves the weights: what an update is, and the additive ones."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass

from ..._edge import _core
from ..._edge.arguments import checked
from ..._edge.arrays import FloatArray
from ..._edge.values import (
    NON_NEGATIVE,
    Schedulable,
    check_choice,
    show,
)
from ..part import Lowering, Part

DECAYS = ("none", "decoupled", "independent", "cautious", "after")


class Update(Part, ABC):
    """Moves the weights along the scaled direction."""

    @abstractmethod
    def lower(self, into: Lowering) -> _core.Update:
        """Return the core's part."""

    @property
    def pulls_back(self) -> bool:
        """Whether it moves something else than the weights, by which the estimator gets the gradient."""
        return False

    @property
    def keeps_norm(self) -> bool:
        """Whether the Frobenius norm of the weights stays as it was at first."""
        return False

    def degree(self, incoming: float | None) -> float | None:
        """Return the degree of the step in the scale of all gradients, given that of the displacement."""
        return incoming

    def check_weights(self, name: str, W: FloatArray) -> None:
        """Raise ValueError naming the block where the update cannot start from its weights."""

    def evaluation_point(self, W: FloatArray, state: Mapping[str, FloatArray], count: int) -> FloatArray:
        """Return the point to evaluate and save, fresh, for weights and a block's state after `count` steps."""
        return W.copy()


@checked
@dataclass(frozen=True)
class Additive(Update):
    """Add the displacement D, with weight decay.

    ``"none"``: W + D. ``"decoupled"``: (1 - lr weight_decay) W + D, with the scheduled lr before shape factors.
    ``"independent"``: (1 - weight_decay) W + D. ``"cautious"``: decoupled, only in the entries that D moves towards
    zero. ``"after"``: (1 - lr weight_decay) (W + D).
    """

    decay: str = "none"
    weight_decay: Schedulable = 0.0

    def __post_init__(self) -> None:
        check_choice("decay", self.decay, DECAYS)
        NON_NEGATIVE.check_schedulable("weight_decay", self.weight_decay)

    def lower(self, into: Lowering) -> _core.Update:
        """Return the core's part."""
        return _core.Additive(
            decay=self.decay, weight_decay=into.value("weight_decay", NON_NEGATIVE, self.weight_decay)
        )

    def __str__(self) -> str:
        return "none" if self.decay == "none" else f"{self.decay} {show(self.weight_decay)}"


@checked
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
