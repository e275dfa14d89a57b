"""Variance reduction, clipping and privacy of gradients; extrapolation of the iterate."""

from __future__ import annotations

import operator
from collections.abc import Mapping
from dataclasses import dataclass

from .. import _core
from .._arrays import FloatArray
from ..part import Lowering
from ..values import MOMENTUM, NON_NEGATIVE, POSITIVE, Schedulable
from .transforms import Transform
from .updates import Additive, Update

REFERENCES = ("last", "same_samples")


@dataclass(frozen=True)
class VarianceReduction(Transform):
    r"""Add :math:`\gamma\frac{\beta}{1-\beta}(G - R)`, before an average with momentum :math:`\beta` (MARS).

    The average M then follows :math:`\beta M + (1-\beta) G + \gamma\beta (G - R)`. ``reference="last"``: R is the
    gradient of the step before, zero at first, and a state of this part. ``"same_samples"``: R is the gradient of the
    same samples at the previous point, ``gradient_at_previous``; in the first step nothing is added.
    """

    gamma: Schedulable = 0.025
    momentum: Schedulable = 0.95
    reference: str = "last"

    def __post_init__(self) -> None:
        NON_NEGATIVE.check_schedulable("gamma", self.gamma)
        MOMENTUM.check_schedulable("momentum", self.momentum)
        if self.reference not in REFERENCES:
            raise ValueError(
                f"reference must be one of {', '.join(map(repr, REFERENCES))}, got {self.reference!r}"
            )

    @property
    def requires(self) -> frozenset[str]:
        """The gradient at the previous point, where it is the reference."""
        return frozenset({"gradient_at_previous"} if self.reference == "same_samples" else ())

    def lower(self, into: Lowering) -> _core.Transform:
        """Return the core's part."""
        gamma = into.value("gamma", NON_NEGATIVE, self.gamma)
        momentum = into.value("momentum", MOMENTUM, self.momentum)
        return _core.VarianceReduction(gamma=gamma, momentum=momentum, reference=self.reference)


@dataclass(frozen=True)
class ClipNorm(Transform):
    r"""Shorten the gradient of each block to this Frobenius norm, :math:`G/\max(1, \|G\|_F/\text{limit})`."""

    limit: Schedulable = 1.0

    def __post_init__(self) -> None:
        POSITIVE.check_schedulable("limit", self.limit)

    @property
    def homogeneous(self) -> bool:
        """False: the limit has the unit of a gradient."""
        return False

    def lower(self, into: Lowering) -> _core.Transform:
        """Return the core's part."""
        return _core.ClipNorm(into.value("limit", POSITIVE, self.limit))


@dataclass(frozen=True)
class PrivateMean(Transform):
    r"""The Gaussian mechanism on the samples' gradients, which stands for the gradient from here on.

    .. math:: \frac1B\sum_i \frac{g_i}{\max(1, \|g_i\|_F/C)} + \mathcal N\Bigl(0, \frac{\sigma^2C^2}{B^2} I\Bigr)

    with C = `clip` and :math:`\sigma` = `noise_multiplier`. Requires ``per_example``. The noise is a function of
    `seed`, the block's name and the global step, so that a step can be repeated. Its generator is fast and not made
    for cryptography. Source: Abadi et al., arXiv 1607.00133.
    """

    clip: Schedulable = 1.0
    noise_multiplier: Schedulable = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        POSITIVE.check_schedulable("clip", self.clip)
        NON_NEGATIVE.check_schedulable("noise_multiplier", self.noise_multiplier)
        object.__setattr__(self, "seed", operator.index(self.seed))
        if not 0 <= self.seed < 2**64:
            raise ValueError(f"seed must be in [0, 2**64), got {self.seed}")

    @property
    def requires(self) -> frozenset[str]:
        """The samples' gradients."""
        return frozenset({"per_example"})

    @property
    def homogeneous(self) -> bool:
        """False: the clip has the unit of a gradient."""
        return False

    @property
    def draws(self) -> bool:
        """Whether there is noise."""
        return self.noise_multiplier != 0

    def lower(self, into: Lowering) -> _core.Transform:
        """Return the core's part."""
        clip = into.value("clip", POSITIVE, self.clip)
        noise = into.value("noise_multiplier", NON_NEGATIVE, self.noise_multiplier)
        return _core.PrivateMean(clip=clip, noise_multiplier=noise, seed=self.seed)


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
            raise ValueError(f"extrapolation takes an additive update, got {self.inner}")
        MOMENTUM.check_schedulable("momentum", self.momentum)

    def lower(self, into: Lowering) -> _core.Update:
        """Return the core's part."""
        return _core.Extrapolated(
            inner=self.inner.lower(into), momentum=into.value("momentum", MOMENTUM, self.momentum)
        )

    @property
    def keeps_state(self) -> bool:
        """True: x."""
        return True

    def evaluation_point(self, W: FloatArray, state: Mapping[str, FloatArray], count: int) -> FloatArray:
        """Return x."""
        return (state["iterate"] if count else W).copy()

    def __str__(self) -> str:
        return f"{self.inner}, extrapolated"
