"""Metrics with a number for each entry: moments of the gradients and how to divide by them."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass

from ..._edge import _core
from ..._edge.arguments import checked
from ..._edge.values import MOMENTUM, NON_NEGATIVE, Schedulable
from ..part import Lowering, Part
from .metric import Preconditioner, quotient


class Moment(Part):
    """The array whose root a `Diagonal` metric divides by: it follows the gradients entry by entry."""

    equivariance = "entries"

    @abstractmethod
    def lower(self, into: Lowering) -> _core.Moment:
        """Return the core's part."""


class Division(Part):
    """How a `Diagonal` metric divides the estimate by the root of its moment; zero where the root is zero."""

    equivariance = "entries"

    @abstractmethod
    def lower(self, into: Lowering) -> _core.Division:
        """Return the core's part."""


@checked
@dataclass(frozen=True)
class Squares(Moment):
    r"""Average of squared gradients, :math:`V \leftarrow \beta V + (1-\beta) G^2` from zero."""

    beta: Schedulable = 0.999

    def __post_init__(self) -> None:
        MOMENTUM.check_schedulable("beta", self.beta)

    def lower(self, into: Lowering) -> _core.Moment:
        """Return the core's part."""
        return _core.Squares(into.value("beta", MOMENTUM, self.beta))


@checked
@dataclass(frozen=True)
class SumOfSquares(Moment):
    r"""Sum of squared gradients, :math:`V \leftarrow V + G^2` from `initial` (AdaGrad)."""

    initial: float = 0.0

    def __post_init__(self) -> None:
        NON_NEGATIVE.check("initial", self.initial)

    def lower(self, into: Lowering) -> _core.Moment:
        """Return the core's part."""
        return _core.SumOfSquares(self.initial)


@checked
@dataclass(frozen=True)
class Largest(Moment):
    """Entrywise largest value of another moment so far (AMSGrad, as torch has it: before any bias correction)."""

    moment: Moment

    def lower(self, into: Lowering) -> _core.Moment:
        """Return the core's part."""
        return _core.Largest(self.moment.lower(into))


@checked
@dataclass(frozen=True)
class CentredSquares(Moment):
    """Average of squared gradients less the square of their average, not below zero (centred RMSprop)."""

    beta: Schedulable = 0.99

    def __post_init__(self) -> None:
        MOMENTUM.check_schedulable("beta", self.beta)

    def lower(self, into: Lowering) -> _core.Moment:
        """Return the core's part."""
        return _core.CentredSquares(into.value("beta", MOMENTUM, self.beta))


@checked
@dataclass(frozen=True)
class Deviations(Moment):
    r"""Squared distances from the estimate, :math:`S \leftarrow \beta S + (1-\beta)(G-M)^2 + \epsilon` (AdaBelief).

    The estimate must be an average that starts at zero and is not debiased: where it is the gradient itself, `eps`
    alone would be left.
    """

    beta: Schedulable = 0.999
    eps: Schedulable = 1e-16

    @property
    def needs_average(self) -> bool:
        """True."""
        return True

    def __post_init__(self) -> None:
        MOMENTUM.check_schedulable("beta", self.beta)
        NON_NEGATIVE.check_schedulable("eps", self.eps)

    def lower(self, into: Lowering) -> _core.Moment:
        """Return the core's part."""
        return _core.Deviations(
            beta=into.value("beta", MOMENTUM, self.beta), eps=into.value("eps", NON_NEGATIVE, self.eps)
        )


@checked
@dataclass(frozen=True)
class Plain(Division):
    r""":math:`M / (\sqrt V + \epsilon)`."""

    eps: Schedulable = 1e-8

    def __post_init__(self) -> None:
        NON_NEGATIVE.check_schedulable("eps", self.eps)

    def lower(self, into: Lowering) -> _core.Division:
        """Return the core's part."""
        return _core.Plain(into.value("eps", NON_NEGATIVE, self.eps))


@checked
@dataclass(frozen=True)
class Debiased(Division):
    r""":math:`\frac{M}{1-\beta_1^t} / (\sqrt{V/(1-\beta^t)} + \epsilon)`.

    `mean_beta` is :math:`\beta_1`, zero for an estimate that is debiased already.
    """

    beta: Schedulable = 0.999
    eps: Schedulable = 1e-8
    mean_beta: Schedulable = 0.0

    def __post_init__(self) -> None:
        _check_division(self.beta, self.eps, self.mean_beta)

    def lower(self, into: Lowering) -> _core.Division:
        """Return the core's part."""
        return _core.Debiased(**_division_values(into, self.beta, self.eps, self.mean_beta))


@checked
@dataclass(frozen=True)
class DebiasedOutside(Division):
    r""":math:`\frac{\sqrt{1-\beta^t}}{1-\beta_1^t}\, M / (\sqrt V + \epsilon)`: eps beside V as it is kept.

    `mean_beta` is :math:`\beta_1`, zero for an estimate that is debiased already.
    """

    beta: Schedulable = 0.999
    eps: Schedulable = 1e-8
    mean_beta: Schedulable = 0.0

    def __post_init__(self) -> None:
        _check_division(self.beta, self.eps, self.mean_beta)

    def lower(self, into: Lowering) -> _core.Division:
        """Return the core's part."""
        return _core.DebiasedOutside(**_division_values(into, self.beta, self.eps, self.mean_beta))


@checked
@dataclass(frozen=True)
class Rectified(Division):
    r"""RAdam: :math:`\frac{r\sqrt{1-\beta^t}}{1-\beta_1^t} M / (\sqrt V + \epsilon)`, at first M debiased alone.

    With :math:`\rho_\infty = 2/(1-\beta) - 1` and :math:`\rho = \rho_\infty - 2t\beta^t/(1-\beta^t)`, the factor is
    :math:`r^2 = \frac{(\rho-4)(\rho-2)\rho_\infty}{(\rho_\infty-4)(\rho_\infty-2)\rho}`; it exists from
    :math:`\rho > 5` on. Until then the step is `early` times M debiased: 1 is torch's choice, 0 withholds the steps, as
    the authors' code does.
    """

    beta: Schedulable = 0.999
    eps: Schedulable = 1e-8
    mean_beta: Schedulable = 0.0
    early: float = 1.0

    def __post_init__(self) -> None:
        _check_division(self.beta, self.eps, self.mean_beta)
        NON_NEGATIVE.check("early", self.early)

    def lower(self, into: Lowering) -> _core.Division:
        """Return the core's part."""
        return _core.Rectified(
            **_division_values(into, self.beta, self.eps, self.mean_beta), early=self.early
        )


def _check_division(beta: Schedulable, eps: Schedulable, mean_beta: Schedulable) -> None:
    MOMENTUM.check_schedulable("beta", beta)
    NON_NEGATIVE.check_schedulable("eps", eps)
    MOMENTUM.check_schedulable("mean_beta", mean_beta)


def _division_values(
    into: Lowering, beta: Schedulable, eps: Schedulable, mean_beta: Schedulable
) -> dict[str, _core.Value]:
    return {
        "beta": into.value("beta", MOMENTUM, beta),
        "eps": into.value("eps", NON_NEGATIVE, eps),
        "mean_beta": into.value("mean_beta", MOMENTUM, mean_beta),
    }


@checked
@dataclass(frozen=True)
class Diagonal(Preconditioner):
    """The estimate divided, entry by entry, by the root of a moment."""

    moment: Moment
    division: Division

    def degree(self, incoming: float | None, gradient: float | None) -> float | None:
        """Return the difference of the two, but none where the first steps are not divided."""
        return None if isinstance(self.division, Rectified) else quotient(incoming, gradient)

    def lower(self, into: Lowering) -> _core.Preconditioner:
        """Return the core's part."""
        return _core.Diagonal(moment=self.moment.lower(into), division=self.division.lower(into))


@checked
@dataclass(frozen=True)
class SecondMoment(Preconditioner):
    r"""Adam's diagonal metric: :math:`M / (\sqrt{V/(1-\beta^t)} + \epsilon)`, V the average of squared gradients.

    Where the denominator is zero the result is zero. It is ``Diagonal(Squares(beta), Debiased(beta, eps))``.
    """

    beta: Schedulable = 0.999
    eps: Schedulable = 1e-8

    def __post_init__(self) -> None:
        MOMENTUM.check_schedulable("beta", self.beta)
        NON_NEGATIVE.check_schedulable("eps", self.eps)

    equivariance = "entries"

    def degree(self, incoming: float | None, gradient: float | None) -> float | None:
        """Return the difference of the two."""
        return quotient(incoming, gradient)

    def lower(self, into: Lowering) -> _core.Preconditioner:
        """Return the core's part."""
        return Diagonal(Squares(self.beta), Debiased(self.beta, self.eps)).lower(into)


@checked
@dataclass(frozen=True)
class RatioOfMoments(Preconditioner):
    r"""AdaDelta: :math:`\Delta = \sqrt{X+\epsilon}/\sqrt{V+\epsilon}\; M`.

    V is the average of squared gradients, X that of :math:`\Delta^2`, of the steps before this one.
    """

    beta: Schedulable = 0.9
    eps: Schedulable = 1e-6

    def __post_init__(self) -> None:
        MOMENTUM.check_schedulable("beta", self.beta)
        NON_NEGATIVE.check_schedulable("eps", self.eps)

    equivariance = "entries"

    @property
    def homogeneous(self) -> bool:
        """False: eps is the unit of the first steps, of which later ones are made."""
        return False

    def degree(self, incoming: float | None, gradient: float | None) -> float | None:
        """Return None."""
        return None

    def lower(self, into: Lowering) -> _core.Preconditioner:
        """Return the core's part."""
        return _core.RatioOfMoments(
            beta=into.value("beta", MOMENTUM, self.beta), eps=into.value("eps", NON_NEGATIVE, self.eps)
        )
