"""Norms of one block: Schatten and entry-wise l_p, with their dual norms and oracles."""

from __future__ import annotations

import functools
import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, TypeAlias

import numpy as np
import numpy.typing as npt

from . import _core
from ._arrays import Dtype, FloatArray, prepare
from .backends import Backend, NewtonSchulz, check_backend, check_rtol, route_of
from .info import OracleInfo
from .part import Lowering, Part, common_group
from .values import EXPONENT, FRACTION, Schedulable, position, show

ScaledNorm: TypeAlias = tuple[_core.Scaled, Dtype]


class Geometry(Part, ABC):
    """A norm with its dual norm and the two oracles. See `Schatten` and `Lp`."""

    matrix: ClassVar[bool] = False
    """Whether the norm is one of matrices, so that blocks of more than two dimensions need a view."""

    @property
    @abstractmethod
    def equivariance(self) -> str:
        """The largest named group that commutes with the oracles.

        ``"orthogonal"``: rotations from the left and from the right; ``"left"``, ``"right"``: those of one side, and
        signed permutations of the other; ``"rotations"``: all of the entries; ``"entries"``: signed permutations of
        the entries; ``"lines"``: signed permutations of the rows and of the columns;
        ``"mixed"``: no named group.
        """

    @abstractmethod
    def lower(self, into: Lowering) -> _core.Geometry:
        """Return the core's part."""

    def norm(self, X: npt.ArrayLike) -> float:
        """Return the norm of an array.

        Parameters
        ----------
        X : array_like
            At most two dimensions; a vector counts as n x 1.

        Returns
        -------
        float
            ``inf`` when it exceeds the dtype.
        """
        return as_float(*compute_norm(self._standalone(), X, "X"))

    def dual_norm(self, G: npt.ArrayLike) -> float:
        """Return the dual norm ``max{<G, X> : ||X|| <= 1}`` of an array.

        Parameters
        ----------
        G : array_like
            At most two dimensions; a vector counts as n x 1.

        Returns
        -------
        float
            ``inf`` when it exceeds the dtype.
        """
        return as_float(*compute_norm(self._standalone(), G, "G", dual=True))

    def ball(self, G: npt.ArrayLike) -> FloatArray:
        """Return the ball oracle ``argmin{<G, D> : ||D|| <= 1}``; zero at zero.

        Parameters
        ----------
        G : array_like
            At most two dimensions; a vector counts as n x 1.

        Returns
        -------
        ndarray, shape of `G`
        """
        return compute_oracle(self._standalone(), G, "G")[0]

    def regularized(self, G: npt.ArrayLike) -> FloatArray:
        """Return the regularization oracle ``argmin{<G, D> + ||D||^2 / 2}``.

        Parameters
        ----------
        G : array_like
            At most two dimensions; a vector counts as n x 1.

        Returns
        -------
        ndarray, shape of `G`

        Raises
        ------
        OverflowError
            When the dual norm exceeds the dtype.
        """
        return compute_oracle(self._standalone(), G, "G", regularized=True)[0]

    def _standalone(self) -> _core.Geometry:
        """Return the core's part for use outside of an optimizer, where there are no steps."""
        lowering = Lowering()
        part = self.lower(lowering)
        if lowering.schedules.evaluate(0):
            raise ValueError(f"{self} has a scheduled exponent; only an optimizer can follow it")
        return part


def compute_norm(part: _core.Geometry, X: npt.ArrayLike, name: str, *, dual: bool = False) -> ScaledNorm:
    """Return the norm or the dual norm, exact also where it exceeds the dtype, and that dtype."""
    array, (rows, cols) = prepare(X, name)
    if array.size == 0:
        return _core.Scaled(), array.dtype
    try:
        return (part.dual_norm if dual else part.norm)(array, rows, cols), array.dtype
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None


def compute_oracle(
    part: _core.Geometry, G: npt.ArrayLike, name: str, *, regularized: bool = False, measure: bool = False
) -> tuple[FloatArray, _core.OracleResult]:
    """Return the direction, and what `OracleInfo` holds with the dual norm exact."""
    array, (rows, cols) = prepare(G, name)
    direction = np.empty(array.shape, dtype=array.dtype)
    if array.size == 0:
        return direction, _core.OracleResult()
    try:
        result = part.oracle(array, rows, cols, regularized, measure, direction)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None
    if regularized and math.isinf(as_float(result.dual_norm, array.dtype)):
        raise OverflowError(f"{name}: the dual norm exceeds {array.dtype}, so the step has no finite length")
    return direction, result


def oracle_info(result: _core.OracleResult, dtype: Dtype) -> OracleInfo:
    """Return the result of `compute_oracle` with the dual norm as a number."""
    return OracleInfo(
        dual_norm=as_float(result.dual_norm, dtype),
        backend=result.backend,
        residual=result.residual,
        fallbacks=result.fallbacks,
        approximate=result.approximate,
        operator_norm=result.operator_norm,
        iterations=result.iterations,
    )


def as_float(norm: _core.Scaled, dtype: Dtype) -> float:
    """Return a norm as a number; infinite when it exceeds the dtype."""
    return norm.in_float32() if dtype == np.float32 else norm.in_float64()


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

    matrix: ClassVar[bool] = True
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
            name += f", {self.backend.coefficients} x {self.backend.steps}"
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


@dataclass(frozen=True)
class RowNorm(Geometry):
    r"""The largest Euclidean length of a row, the operator norm from :math:`\ell_2` to :math:`\ell_\infty`.

    The dual norm is the sum of the lengths, and the ball oracle scales every row of -G to length one; a zero row stays
    zero.

    Notes
    -----
    arXiv 2502.07529, Table 3; arXiv 2409.20325.

    Examples
    --------
    >>> st.RowNorm().ball(np.array([[3.0, 4.0], [0.0, 0.0]]))
    array([[-0.6, -0.8],
           [ 0. ,  0. ]])
    """

    matrix: ClassVar[bool] = True
    equivariance = "right"

    def lower(self, into: Lowering) -> _core.Geometry:
        """Return the core's part; it has one backend only."""
        return _core.LineNorm(into.transposed)

    def __str__(self) -> str:
        return "RowNorm"


@dataclass(frozen=True)
class ColumnNorm(Geometry):
    r"""The largest Euclidean length of a column, the operator norm from :math:`\ell_1` to :math:`\ell_2`.

    The dual norm is the sum of the lengths, and the ball oracle scales every column of -G to length one; a zero column
    stays zero.

    Notes
    -----
    arXiv 2502.07529, Table 3; arXiv 2409.20325.

    Examples
    --------
    >>> st.ColumnNorm().dual_norm(np.array([[3.0, 1.0], [4.0, 0.0]]))
    6.0
    """

    matrix: ClassVar[bool] = True
    equivariance = "left"

    def lower(self, into: Lowering) -> _core.Geometry:
        """Return the core's part; it has one backend only."""
        return _core.LineNorm(not into.transposed)

    def __str__(self) -> str:
        return "ColumnNorm"


@dataclass(frozen=True)
class Switched(Geometry):
    """One geometry out of several, chosen anew in each step of an optimizer.

    Parameters
    ----------
    choice : callable
        Maps the global step (from 0) to a position in `geometries`.
    geometries : tuple of Geometry

    Examples
    --------
    >>> alternating = st.Switched(lambda step: step % 2, (st.Spectral(), st.Sign()))
    >>> opt = st.Optimizer([np.zeros((2, 2))], st.Recipe("alternating", 1.0, alternating))
    >>> opt.step([np.diag([3.0, 2.0])])
    >>> opt.step([np.ones((2, 2))])
    >>> opt.params["0"] + 0.0
    array([[-2., -1.],
           [-1., -2.]])
    """

    choice: Callable[[int], int]
    geometries: tuple[Geometry, ...]

    @property
    def equivariance(self) -> str:
        """The common one of the geometries."""
        return common_group(*(geometry.equivariance for geometry in self.geometries))

    def lower(self, into: Lowering) -> _core.Geometry:
        """Return the core's part."""
        choice = into.value("choice of geometry", position(len(self.geometries)), self.choice)
        return _core.Switched(
            choice=choice, geometries=[geometry.lower(into) for geometry in self.geometries]
        )

    def __str__(self) -> str:
        return " / ".join(map(str, self.geometries))


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
