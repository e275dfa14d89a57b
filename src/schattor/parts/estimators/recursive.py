"""Estimators that compare the gradients of the same samples at two points."""

from __future__ import annotations

from dataclasses import dataclass

from ..._edge import _core
from ..._edge.arguments import checked
from ..._edge.values import FRACTION, NON_NEGATIVE, POSITIVE, Schedulable, show
from ..part import Lowering
from .estimator import Estimator


@checked
@dataclass(frozen=True)
class Recursive(Estimator):
    r"""Recursive momentum, STORM's variance reduction by gradients of the same samples at two points.

    .. math:: d_t = \nabla f(x_t;\xi_t) + \beta\,\bigl(d_{t-1} - \nabla f(x_{t-1};\xi_t)\bigr), \qquad
       d_1 = \nabla f(x_1;\xi_1).

    It requires ``gradient_at_previous``. Without noise it is the gradient itself, whatever :math:`\beta`.

    Parameters
    ----------
    momentum : float or callable
        :math:`\beta` in [0, 1], one minus the source's a. 1 is SARAH and SPIDER.

    Raises
    ------
    ValueError
        For a momentum outside its range.

    Notes
    -----
    Cutkosky and Orabona, arXiv 1905.10018; :math:`\beta = 1`: Nguyen et al., arXiv 1703.00102. With a momentum below
    one it is an `EMA` that starts at the first gradient, after `schattor.parts.VarianceReduction` with gamma = 1.

    Examples
    --------
    >>> from dataclasses import replace
    >>> muon = replace(st.recipes.muon(lr=1.0), estimator=st.estimators.Recursive(0.9))
    >>> sorted(muon.requires)
    ['gradient_at_previous']
    """

    momentum: Schedulable = 0.9

    def __post_init__(self) -> None:
        FRACTION.check_schedulable("momentum", self.momentum)

    def lower(self, into: Lowering) -> _core.Estimator:
        """Return the core's part."""
        return _core.Recursive(into.value("momentum", FRACTION, self.momentum))

    def __str__(self) -> str:
        return f"Recursive({show(self.momentum)})"


@checked
@dataclass(frozen=True)
class AdaptiveRecursive(Estimator):
    r"""`Recursive` momentum with STORM's own lr and momentum, which follow from the gradients so far.

    .. math:: \eta_t = \frac{k}{\bigl(w + \sum_{s\le t}\|G_s\|_F^2\bigr)^{1/3}}, \qquad
       1 - \beta_{t+1} = \min(1, c\,\eta_t^2),

    with the norms over all blocks of the recipe and its lr for k.

    Parameters
    ----------
    w : float
        Positive.
    c : float

    Raises
    ------
    ValueError
        For values outside their ranges.

    Notes
    -----
    Cutkosky and Orabona, arXiv 1905.10018, Algorithm 1.

    Examples
    --------
    >>> st.estimators.AdaptiveRecursive()
    AdaptiveRecursive(w=10.0, c=100.0)
    """

    w: float = 10.0
    c: float = 100.0

    def __post_init__(self) -> None:
        POSITIVE.check("w", self.w)
        NON_NEGATIVE.check("c", self.c)

    @property
    def homogeneous(self) -> bool:
        """False: w and c have units."""
        return False

    def lower(self, into: Lowering) -> _core.Estimator:
        """Return the core's part."""
        return _core.AdaptiveRecursive(w=float(self.w), c=float(self.c))
