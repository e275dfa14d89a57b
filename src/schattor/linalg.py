"""Matrix functions behind the oracles: Newton-Schulz iterations, polar factors, singular values."""

from __future__ import annotations

import math
import operator
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt

from . import _core
from ._arrays import FloatArray, naming, prepare

if TYPE_CHECKING:
    from .oracles import OracleInfo


@dataclass(frozen=True)
class CoefficientSet:
    """A named sequence of odd polynomial steps ``x -> a x + b x^3 + c x^5`` on the singular values.

    Attributes
    ----------
    name : str
    steps : tuple of (a, b, c)
    default_steps : int
        Number of steps taken when none is asked for.
    repeats_last : bool
        Whether further steps repeat the last triple; otherwise more steps than `steps` has are refused.
    convergent : bool
        Whether, with at least ``len(steps)`` steps, every singular value of the result ends in [0, 1] and
        those that are not tiny end at 1. Other sets only come near 1.
    norm_factor : float
        The input is divided by ``norm_factor * ||X||_F`` first.
    source : str
    """

    name: str
    steps: tuple[tuple[float, float, float], ...]
    default_steps: int
    repeats_last: bool
    convergent: bool
    norm_factor: float
    source: str


def coefficient_sets() -> dict[str, CoefficientSet]:
    """Return the table of coefficient sets by name.

    Returns
    -------
    dict of str to CoefficientSet

    Examples
    --------
    >>> st.linalg.coefficient_sets()["muon"].steps
    ((3.4445, -4.775, 2.0315),)
    """
    return {row[0]: CoefficientSet(*row) for row in _core.coefficient_table()}


@dataclass(frozen=True)
class NewtonSchulz:
    """A Newton-Schulz backend: a coefficient set and a number of steps.

    Parameters
    ----------
    coefficients : str
        A name from `coefficient_sets`.
    steps : int, optional
        Default: the number that the set was made for.

    Raises
    ------
    ValueError
        For an unknown set, fewer than one step, or more steps than a set without repetition has.

    Examples
    --------
    >>> st.linalg.NewtonSchulz("muon").steps
    5
    """

    coefficients: str = "polar_express"
    steps: int | None = None

    def __post_init__(self) -> None:
        steps = 0 if self.steps is None else operator.index(self.steps)
        if self.steps is not None and steps < 1:
            raise ValueError(f"steps must be at least 1, got {steps}")
        object.__setattr__(self, "steps", _core.check_iteration(self.coefficients, steps))


Backend: TypeAlias = str | NewtonSchulz
"""``"auto"``, ``"svd"``, ``"newton_schulz"`` or a `NewtonSchulz`."""


def check_backend(backend: Backend) -> Backend:
    """Return `backend` with ``"newton_schulz"`` spelt out, or raise naming what is available."""
    if backend == "newton_schulz":
        return NewtonSchulz()
    if isinstance(backend, NewtonSchulz) or backend in ("auto", "svd"):
        return backend
    if backend == "gram":
        raise ValueError("backend 'gram' is not available yet; use 'auto' or 'svd'")
    raise ValueError(
        f"backend must be 'auto', 'svd', 'newton_schulz' or a NewtonSchulz(...), got {backend!r}"
    )


def check_rtol(rtol: float | None) -> None:
    """Raise for a requested accuracy: only the strict one exists so far."""
    if rtol is not None:
        raise ValueError(f"rtol must be None (strict); a numeric rtol is not available yet, got {rtol!r}")


def newton_schulz(
    A: npt.ArrayLike,
    coefficients: str = "polar_express",
    steps: int | None = None,
    *,
    return_info: bool = False,
) -> FloatArray | tuple[FloatArray, OracleInfo]:
    r"""Drive the singular values of a matrix towards one by an odd polynomial iteration.

    With :math:`X_0 = A / (f \|A\|_F)` (`f` is the set's norm factor), every step takes
    :math:`X \leftarrow a X + b\,(XX^\top) X + c\,(XX^\top)^2 X`, so that the result is
    :math:`U\,\mathrm{diag}(\pi(\sigma_i/(f\|A\|_F)))\,V^\top` with the composite polynomial :math:`\pi`.

    Parameters
    ----------
    A : array_like, shape (m, n)
        float32 and float64 are kept; integers become float64.
    coefficients : str
        A name from `coefficient_sets`.
    steps : int, optional
        Default: the number that the set was made for.
    return_info : bool
        Also return an `OracleInfo`.

    Returns
    -------
    X : ndarray, shape (m, n)
        Approximation of the polar factor :math:`UV^\top`; zero for a zero matrix.
    info : OracleInfo
        Only with `return_info`. `residual` is :math:`\|I - XX^\top\|_F/\sqrt{k}` on the smaller side.

    Raises
    ------
    ValueError
        For NaN or Inf, more than two dimensions, an unknown set or a number of steps that it does not have.

    Notes
    -----
    The source of each set is in `coefficient_sets`.

    Examples
    --------
    >>> X = st.linalg.newton_schulz(np.diag([3.0, 1.0]))
    >>> np.allclose(X, np.eye(2))
    True
    """
    from .geometries import Schatten

    direction, info = Schatten(math.inf, NewtonSchulz(coefficients, steps))._oracle(
        A, "A", measure=return_info
    )
    result = np.negative(direction)
    return (result, info) if return_info else result


def polar_factor(A: npt.ArrayLike, backend: Backend = "auto") -> FloatArray:
    r"""Return the orthogonal polar factor :math:`U_r V_r^\top` of a matrix.

    Singular values up to ``max(m, n) * eps * sigma_1`` count as zero, and their directions are left out: the
    factor of a rank-deficient matrix is a partial isometry, that of a zero matrix is zero.

    Parameters
    ----------
    A : array_like, shape (m, n)
        float32 and float64 are kept; integers become float64.
    backend : {"auto", "svd", "newton_schulz"} or NewtonSchulz

    Returns
    -------
    ndarray, shape (m, n)

    Raises
    ------
    ValueError
        For NaN or Inf, or more than two dimensions.

    Notes
    -----
    It is minus the ball oracle at p = inf (arXiv 2606.15702, Lemma 1).

    Examples
    --------
    >>> bool(np.allclose(st.linalg.polar_factor([[0.0, -2.0], [3.0, 0.0]]), [[0, -1], [1, 0]]))
    True
    """
    from .geometries import Schatten

    return np.negative(Schatten(math.inf, backend)._oracle(A, "A")[0])


def singular_values(A: npt.ArrayLike) -> FloatArray:
    """Return the singular values of a matrix, largest first.

    Parameters
    ----------
    A : array_like, shape (m, n)
        float32 and float64 are kept; integers become float64.

    Returns
    -------
    ndarray, shape (min(m, n),)

    Raises
    ------
    ValueError
        For NaN or Inf, or more than two dimensions.

    Examples
    --------
    >>> st.linalg.singular_values([[3.0, 0.0], [0.0, -4.0]])
    array([4., 3.])
    """
    array, (rows, cols) = prepare(A, "A")
    sigma = np.empty(min(rows, cols), dtype=array.dtype)
    if array.size:
        with naming("A"):
            _core.singular_values(array, rows, cols, sigma)
    return sigma
