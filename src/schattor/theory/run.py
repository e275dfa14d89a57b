"""What the theorems must be told about a run."""

from __future__ import annotations

from dataclasses import dataclass

from ..values import NON_NEGATIVE, POSITIVE, check_count


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
        Steps from one measurement to the next. The first two steps are measured whatever it is.

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
    first_batch: int = 0
    L: float | None = None
    sigma: float | None = None
    every: int = 1

    def __post_init__(self) -> None:
        if self.first_batch == 0:
            object.__setattr__(self, "first_batch", self.batch)
        POSITIVE.check("delta", self.delta)
        for name in ("steps", "batch", "first_batch", "every"):
            check_count(name, getattr(self, name), least=1)
        if self.L is not None:
            POSITIVE.check("L", self.L)
        if self.sigma is not None:
            NON_NEGATIVE.check("sigma", self.sigma)
