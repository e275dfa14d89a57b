"""What moves the weights."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from .. import _core
from .._arrays import FloatArray
from ..part import Lowering, Part
from ..values import FRACTION, NON_NEGATIVE, Schedulable, show

DECAYS = ("none", "decoupled", "independent", "cautious", "after")


class Update(Part, ABC):
    """Moves the weights along the scaled direction."""

    @abstractmethod
    def lower(self, into: Lowering) -> _core.Update:
        """Return the core's part."""

    @property
    def equivariance(self) -> str:
        """The group that commutes with it, decay aside; see `schattor.Geometry`."""
        return "rotations"

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
        if self.decay not in DECAYS:
            raise ValueError(f"decay must be one of {', '.join(map(repr, DECAYS))}, got {self.decay!r}")
        NON_NEGATIVE.check_schedulable("weight_decay", self.weight_decay)

    def lower(self, into: Lowering) -> _core.Update:
        """Return the core's part."""
        return _core.Additive(
            decay=self.decay, weight_decay=into.value("weight_decay", NON_NEGATIVE, self.weight_decay)
        )

    def __str__(self) -> str:
        return "none" if self.decay == "none" else f"{self.decay} {show(self.weight_decay)}"


@dataclass(frozen=True)
class ScheduleFree(Update):
    r"""Schedule-free averaging round another update.

    The weights hold :math:`y`, where gradients are taken. With the inner displacement D of y,

    .. math:: z \leftarrow z + D, \quad x \leftarrow (1-c_t)\,x + c_t z, \quad y \leftarrow \beta x + (1-\beta) z,
       \qquad c_t = \frac{w_t}{\sum_{s\le t} w_s}, \quad w_t = t^r \Bigl(\max_{s\le t}\eta_s\Bigr)^p.

    x is the point to evaluate and save; z is the state. `inner` must be neither cautious nor decay after the step.
    Source: arXiv 2405.15682.
    """

    inner: Update
    beta: float = 0.9
    r: float = 0.0
    weight_lr_power: float = 2.0

    def __post_init__(self) -> None:
        if not isinstance(self.inner, Additive) or self.inner.decay in ("cautious", "after"):
            raise ValueError(
                f"schedule-free averaging takes an additive update, neither cautious nor after, got {self.inner}"
            )
        if FRACTION.check("beta", self.beta) == 0:
            raise ValueError("beta must be positive: the average cannot be recovered from y at 0")
        NON_NEGATIVE.check("r", self.r)
        NON_NEGATIVE.check("weight_lr_power", self.weight_lr_power)

    def lower(self, into: Lowering) -> _core.Update:
        """Return the core's part."""
        return _core.ScheduleFree(
            inner=self.inner.lower(into), beta=self.beta, r=self.r, power=self.weight_lr_power
        )

    @property
    def keeps_state(self) -> bool:
        """True: z, the sum of the weights and the largest lr."""
        return True

    def evaluation_point(self, W: FloatArray, state: Mapping[str, FloatArray], count: int) -> FloatArray:
        """Return x."""
        if count == 0:
            return W.copy()
        x: FloatArray = (W - (1 - self.beta) * state["base"]) / self.beta
        return np.asarray(x, dtype=W.dtype)

    def __str__(self) -> str:
        return f"{self.inner}, schedule-free {self.beta:g}"
