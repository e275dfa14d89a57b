"""Updates that keep several points: averages of the weights, extrapolation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ..._edge import _core
from ..._edge.arguments import checked
from ..._edge.arrays import FloatArray
from ..._edge.values import FRACTION, MOMENTUM, NON_NEGATIVE, Schedulable
from ..hosting import name_of
from ..part import Lowering
from .update import Additive, Update


@checked
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
                "ScheduleFree averages the steps of an Additive update, neither cautious nor after, got "
                f"{name_of(self.inner)} ({self.inner})"
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

    def evaluation_point(self, W: FloatArray, state: Mapping[str, FloatArray], count: int) -> FloatArray:
        """Return x."""
        if count == 0:
            return W.copy()
        x: FloatArray = (W - (1 - self.beta) * state["base"]) / self.beta
        return np.asarray(x, dtype=W.dtype)

    def __str__(self) -> str:
        return f"{self.inner}, schedule-free {self.beta:g}"


@checked
@dataclass(frozen=True)
class Extrapolated(Update):
    r"""Implicit gradient transport round another update, which moves the iterate x.

    The weights hold :math:`x + \frac{\beta}{1-\beta}(x - x_{\text{before}})`, where the next gradient is wanted; x is
    the point to evaluate and save. `momentum`, :math:`\beta`, is that of the estimator. Source: Cutkosky and Mehta,
    arXiv 2002.03305.
    """

    inner: Update
    momentum: Schedulable = 0.9

    def __post_init__(self) -> None:
        if not isinstance(self.inner, Additive):
            raise ValueError(
                f"Extrapolated takes the steps of an Additive update further, got {name_of(self.inner)} ({self.inner})"
            )
        MOMENTUM.check_schedulable("momentum", self.momentum)

    def lower(self, into: Lowering) -> _core.Update:
        """Return the core's part."""
        return _core.Extrapolated(
            inner=self.inner.lower(into), momentum=into.value("momentum", MOMENTUM, self.momentum)
        )

    def evaluation_point(self, W: FloatArray, state: Mapping[str, FloatArray], count: int) -> FloatArray:
        """Return x."""
        return (state["iterate"] if count else W).copy()

    def __str__(self) -> str:
        return f"{self.inner}, extrapolated"
