"""What acts on the raw gradient."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

from .._edge import _core
from .._edge.arguments import checked
from .._edge.values import (
    MOMENTUM,
    NON_NEGATIVE,
    POSITIVE,
    Schedulable,
    check_choice,
    check_count,
    check_seed,
    show,
)
from .part import Lowering, Part

REFERENCES = ("last", "same_samples")


class Transform(Part, ABC):
    """Acts on the raw gradient before the estimator sees it."""

    def degree(self, incoming: float | None) -> float | None:
        """Return the degree of the result in the scale of all gradients, given that of what comes in."""
        return incoming

    @abstractmethod
    def lower(self, into: Lowering) -> _core.Transform:
        """Return the core's part."""


@checked
@dataclass(frozen=True)
class L2Decay(Transform):
    """Add ``weight_decay * W`` to the gradient: the gradient of an L2 penalty."""

    weight_decay: Schedulable

    def __post_init__(self) -> None:
        NON_NEGATIVE.check_schedulable("weight_decay", self.weight_decay)

    def lower(self, into: Lowering) -> _core.Transform:
        """Return the core's part."""
        return _core.L2Decay(into.value("weight_decay", NON_NEGATIVE, self.weight_decay))

    def __str__(self) -> str:
        return f"l2 {show(self.weight_decay)}"


@checked
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

    matrix = True

    @property
    def smallest(self) -> tuple[int, int]:
        """An input for each of the blocks of K."""
        return 1, self.blocks

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


@checked
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
        check_choice("reference", self.reference, REFERENCES)

    def lower(self, into: Lowering) -> _core.Transform:
        """Return the core's part."""
        gamma = into.value("gamma", NON_NEGATIVE, self.gamma)
        momentum = into.value("momentum", MOMENTUM, self.momentum)
        return _core.VarianceReduction(gamma=gamma, momentum=momentum, reference=self.reference)


@checked
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


@checked
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
        object.__setattr__(self, "seed", check_seed("seed", self.seed))

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
