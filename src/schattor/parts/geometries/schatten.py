"""Schatten norms."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

from ..._edge import _core
from ..._edge.arguments import checked
from ..._edge.backends import Backend, NewtonSchulz, check_backend, check_rtol, route_of
from ..._edge.values import EXPONENT, FRACTION, Schedulable, show
from ..part import Lowering
from .geometry import Geometry


@checked
@dataclass(frozen=True)
class Schatten(Geometry):
    r"""The Schatten-p norm: the l_p norm of the singular values.

    :math:`\|X\|_p = (\sum_i\sigma_i^p)^{1/p}`, dual to :math:`\|\cdot\|_q` with 1/p + 1/q = 1. p = 1 is the nuclear,
    p = 2 the Frobenius and p = inf the spectral norm. A vector is n x 1: every Schatten norm is Euclidean there.

    Parameters
    ----------
    p : float or callable
        In [1, inf]; a callable of the global step inside an optimizer.
    backend : str or NewtonSchulz
        How the oracle is computed; see `ball_oracle`.
    rcond : float, optional
        For p > 2, singular values up to ``rcond * sigma_1`` count as zero. Default ``max(m, n) * eps``.
    rtol : float, optional
        Accuracy of the oracle; see `ball_oracle`. Default: strict.

    Raises
    ------
    ValueError
        For p outside [1, inf], an unknown backend, or one that does not serve p.

    Notes
    -----
    Oracles: arXiv 2606.15702, Lemma 1.

    Examples
    --------
    >>> g = st.Schatten(4)
    >>> G = np.diag([8.0, 1.0])
    >>> round(g.dual_norm(G), 4), round(g.norm(g.ball(G)), 4)
    (8.3721, 1.0)
    """

    p: Schedulable
    backend: Backend = "auto"
    rcond: float | None = None
    rtol: float | None = None

    matrix = True
    equivariance = "orthogonal"

    def __post_init__(self) -> None:
        EXPONENT.check_schedulable("p", self.p)
        check_rtol(self.rtol)
        object.__setattr__(self, "backend", check_backend(self.backend, self.rtol))
        if self.rcond is not None:
            FRACTION.check("rcond", self.rcond)
        self._check_iteration(self.backend)

    def lower(self, into: Lowering) -> _core.Geometry:
        """Return the core's part."""
        chosen = self.backend if into.backend == "auto" else check_backend(into.backend, into.rtol)
        self._check_iteration(chosen)
        p = into.value("p", EXPONENT, self.p)
        accuracy = self.rtol if into.rtol is None else into.rtol
        route = route_of(chosen)
        return _core.Schatten(
            p=p,
            route=route.name if route else None,
            iteration=chosen.lower() if isinstance(chosen, NewtonSchulz) else None,
            rcond=None if self.rcond is None else float(self.rcond),
            rtol=None if accuracy is None else float(accuracy),
        )

    @property
    def homogeneous(self) -> bool:
        """False where Newton-Schulz has a floor."""
        return not (isinstance(self.backend, NewtonSchulz) and self.backend.floor > 0)

    def _standalone(self) -> _core.Geometry:
        # A part keeps the rational functions that it has found for its exponent; finding them takes milliseconds.
        return schatten_part(self.p, self.backend, self.rcond, self.rtol)  # type: ignore[arg-type]

    def _check_iteration(self, backend: Backend) -> None:
        route = route_of(backend)
        if route and route.polar and self.p != math.inf:
            raise ValueError(f"backend {route.name} serves p = inf only, got p = {self.p!r}")

    def __str__(self) -> str:
        name = "Spectral" if self.p == math.inf else f"Schatten({show(self.p)})"
        if isinstance(self.backend, NewtonSchulz):
            name += f", {self.backend}"
        elif (route := route_of(self.backend)) and route.polar:
            name += f", {route.name}"
        return name


def Spectral(backend: Backend = "auto", rtol: float | None = None) -> Schatten:
    """Return the spectral norm: `Schatten` with p = inf, whose ball oracle is minus the polar factor.

    Parameters
    ----------
    backend : str or NewtonSchulz
        As in `ball_oracle`.
    rtol : float, optional
        Accuracy of the oracle; see `ball_oracle`. Default: strict.

    Returns
    -------
    Schatten

    Examples
    --------
    >>> st.Spectral().norm(np.diag([3.0, 4.0]))
    4.0
    """
    return Schatten(math.inf, backend, rtol=rtol)


@functools.lru_cache(maxsize=128, typed=True)
def _cached_part(p: float, backend: Backend, rcond: float | None, rtol: float | None) -> _core.Geometry:
    return Geometry._standalone(Schatten(p, backend, rcond, rtol))


def schatten_part(
    p: float, backend: Backend = "auto", rcond: float | None = None, rtol: float | None = None
) -> _core.Geometry:
    """Return the core's part of ``Schatten(p, backend, rcond, rtol)``, made once for each choice."""
    try:
        return _cached_part(p, backend, rcond, rtol)
    except TypeError:  # cannot be looked up: let the checks say what is wrong with it
        return Geometry._standalone(Schatten(p, backend, rcond, rtol))
