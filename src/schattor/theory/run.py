"""What the theorems must be told about a run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from .._edge.arguments import checked
from .._edge.values import NON_NEGATIVE, POSITIVE, check_count
from .parameters import RunParameters


@checked
@dataclass(frozen=True)
class Run:
    r"""A run as the theorems see it, for ``Schattor(..., lr="theory", momentum="theory", theory=Run(...))``.

    Parameters
    ----------
    delta : float
        :math:`\Delta = f(X_0) - \inf f`, or an upper bound of it.
    steps : int
        T, the number of steps.
    batch : int
        B, the samples of each gradient.
    first_batch : int, optional
        :math:`B_0`, the samples of the first gradient. Default: `batch`.
    L : float, optional
        Lipschitz constant of the gradient in the geometry of the run. Default: measured.
    sigma : float, optional
        Variance proxy in that geometry; see `variance_proxy`. Default: measured.
    every : int
        Most steps from one measurement to the next. The intervals double from one step to this; they begin anew when L
        has risen.

    Raises
    ------
    TypeError, ValueError
        For values outside their ranges.

    Examples
    --------
    >>> st.theory.Run(delta=2.3, steps=1000, batch=32).first_batch
    32
    """

    delta: float
    steps: int
    batch: int = 1
    first_batch: int = cast(int, None)  # becomes batch
    L: float | None = None
    sigma: float | None = None
    every: int = 10

    def __post_init__(self) -> None:
        if cast(int | None, self.first_batch) is None:
            object.__setattr__(self, "first_batch", self.batch)
        POSITIVE.check("delta", self.delta)
        for name in ("steps", "batch", "first_batch", "every"):
            check_count(name, getattr(self, name), least=1)
        if self.L is not None:
            POSITIVE.check("L", self.L)
        if self.sigma is not None:
            NON_NEGATIVE.check("sigma", self.sigma)


@checked
@dataclass(frozen=True)
class TheoryChoice:
    r"""What the theorems chose for a run, and from what; in ``opt.report.choices``.

    Attributes
    ----------
    L, sigma : float
        The constants in the geometry of the run: given, or measured so far.
    differences : int
        Measured differences of gradients that L rests on. While there are none, and L is not given, it is the least
        that is possible, :math:`\|G_0\|_q^2/(2\Delta)`, and the steps are short.
    covariances : int
        Measured covariances of the noise that sigma rests on.
    parameters : RunParameters or None
        Learning rate, theta, the bound and its largest term; None before the first step.
    """

    L: float
    sigma: float
    differences: int
    covariances: int
    parameters: RunParameters | None

    def __str__(self) -> str:
        if self.parameters is None:
            return "theory: nothing chosen before the first step"
        chosen = self.parameters
        return (
            f"theory: L = {self.L:.4g}, sigma = {self.sigma:.4g}, theta = {chosen.theta:.4g}, lr = {chosen.lr:.4g}, "
            f"bound {chosen.bound.total:.4g}, mostly {chosen.dominant}"
        )
