"""Norms of the entries: l_p, and the largest entry of sign descent."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ..._edge import _core
from ..._edge.arguments import checked
from ..._edge.values import EXPONENT, Schedulable, show
from ..part import Lowering
from .geometry import Geometry


@checked
@dataclass(frozen=True)
class Lp(Geometry):
    r"""The l_p norm of the entries.

    Its ball oracle is :math:`D_{ij} = -\mathrm{sign}(g_{ij})|g_{ij}|^{q-1}/\|g\|_q^{q-1}`: the sign at p = inf
    (sign(0) = 0), the normalised array at p = 2, the largest entries in equal shares at p = 1.

    Parameters
    ----------
    p : float or callable
        In [1, inf]; a callable of the global step inside an optimizer.

    Raises
    ------
    ValueError
        For p outside [1, inf].

    Notes
    -----
    On diagonal matrices it agrees with the Schatten norm of the same exponent (arXiv 2606.15702, Lemma 1).

    Examples
    --------
    >>> st.Lp(np.inf).ball(np.array([2.0, 0.0, -1.0]))
    array([-1.,  0.,  1.])
    """

    p: Schedulable

    def __post_init__(self) -> None:
        EXPONENT.check_schedulable("p", self.p)

    @property
    def equivariance(self) -> str:
        """All rotations for the Euclidean norm, else signed permutations of the entries."""
        return "rotations" if self.p == 2 else "entries"

    def lower(self, into: Lowering) -> _core.Geometry:
        """Return the core's part; an entry-wise norm has one backend only."""
        return _core.Lp(into.value("p", EXPONENT, self.p))

    def __str__(self) -> str:
        return "Sign" if self.p == math.inf else f"Lp({show(self.p)})"


def Sign() -> Lp:
    """Return the largest-entry norm: `Lp` with p = inf, whose ball oracle is minus the sign.

    Returns
    -------
    Lp

    Examples
    --------
    >>> st.Sign().dual_norm(np.array([3.0, -4.0]))
    7.0
    """
    return Lp(math.inf)
