"""Curvature along the oracles' directions: which geometry would decrease the loss most, and Muon against descent."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from .._edge.arguments import checked, renamed
from .._edge.arrays import FloatArray
from .._edge.values import Domain
from ..parts.geometries import Geometry, Schatten
from .eigenvalues import top_eigenvalues
from .hessian import LinearMap, Rng

EXPONENTS = (2.0, 3.0, 4.0, 8.0, math.inf)
_FINITE = Domain("finite, or 'operator_norm' or 'rayleigh'", math.isfinite)

Norm: TypeAlias = float | Geometry
"""An exponent of the Schatten norm, or any geometry."""


@checked
def curvature(hessian: LinearMap, gradient: npt.ArrayLike, norm: Norm) -> float:
    r"""Return the curvature along the ball oracle of the gradient.

    .. math:: J_p = \langle D, H[D]\rangle, \qquad D = \operatorname{argmin}\{\langle G, D\rangle : \|D\|_p \le 1\} .

    At p = 2 it is the Rayleigh quotient of the Hessian at the gradient, at p = inf the :math:`J_t` of arXiv 2505.23737.

    Parameters
    ----------
    hessian : callable
        Maps an array of the gradient's shape to the Hessian's product with it; see `block_hessian`.
    gradient : array_like
        Of one block, at most two dimensions.
    norm : float or Geometry
        The exponent p of a Schatten norm, or another geometry.

    Returns
    -------
    float
        Zero for a zero gradient.

    Raises
    ------
    ValueError
        For an exponent below 1, or a gradient that is not finite.

    Notes
    -----
    One Hessian-vector product. Source: Shen et al., *On the convergence analysis of Muon* (arXiv 2505.23737).

    Examples
    --------
    >>> problem = st.problems.MatrixQuadratic(np.diag([3.0, 1.0]), np.array([[1.0, 0.0], [0.0, 1.0]]))
    >>> params = problem.start()
    >>> H = st.diagnostics.block_hessian(problem.hvp, params, "W")
    >>> st.diagnostics.curvature(H, problem.gradient(params)["W"], np.inf)  # <I, 2 Q>
    8.0
    """
    D = geometry_of(norm).ball(gradient)
    return inner(D, hessian(D))


@dataclass(frozen=True, eq=False)
class CurvatureProfile:
    r"""Dual norm of the gradient and curvature along the oracle, for several geometries.

    Along D a step of length :math:`\eta` changes the loss by about :math:`-\eta\|g\|_* + \eta^2 J/2`.

    Attributes
    ----------
    geometries : tuple of Geometry
    dual_norms : ndarray
        :math:`\|g\|_*`, which is :math:`\|g\|_q` for a Schatten norm.
    curvatures : ndarray
        J.

    Examples
    --------
    >>> G = np.diag([3.0, 1.0])
    >>> profile = st.diagnostics.curvature_profile(lambda D: np.diag([3.0, 1.0]) @ D, G, (2, np.inf))
    >>> profile.predicted_decreases.round(4), str(profile.best)
    (array([1.7857, 2.    ]), 'Spectral')
    """

    geometries: tuple[Geometry, ...]
    dual_norms: FloatArray
    curvatures: FloatArray

    @property
    def predicted_decreases(self) -> FloatArray:
        r"""The largest decrease of the quadratic model, :math:`\|g\|_*^2/(2J)`; inf where J is not positive."""
        return _divide(self.dual_norms**2 / 2, self.curvatures)

    @property
    def lrs(self) -> FloatArray:
        r"""The step lengths :math:`\|g\|_*/J` that attain them; with the regularization rule the lr is :math:`1/J`."""
        return _divide(self.dual_norms, self.curvatures)

    @property
    def best(self) -> Geometry:
        """The geometry with the largest predicted decrease, the first of several."""
        return self.geometries[int(np.argmax(self.predicted_decreases))]


@checked
def curvature_profile(
    hessian: LinearMap, gradient: npt.ArrayLike, norms: Sequence[Norm] = EXPONENTS
) -> CurvatureProfile:
    r"""Return the curvature along the oracles of several geometries, and what each predicts.

    Parameters
    ----------
    hessian : callable
        As for `curvature`; one product for each geometry.
    gradient : array_like
        Of one block, at most two dimensions.
    norms : sequence of float or Geometry
        Exponents of Schatten norms, or other geometries. Default: p = 2, 3, 4, 8, inf.

    Returns
    -------
    CurvatureProfile

    Raises
    ------
    ValueError
        As `curvature`, or for no geometries.

    Examples
    --------
    >>> problem = st.problems.MatrixQuadratic.random(np.geomspace(1, 1e-3, 8), columns=8, rng=0)
    >>> params = problem.start()
    >>> H = st.diagnostics.block_hessian(problem.hvp, params, "W")
    >>> profile = st.diagnostics.curvature_profile(H, problem.gradient(params)["W"])
    >>> bool(np.all(profile.predicted_decreases <= problem.loss(params)))  # the infimum is 0
    True
    """
    geometries = tuple(geometry_of(norm) for norm in norms)
    if not geometries:
        raise ValueError("norms must name at least one geometry")
    return CurvatureProfile(
        geometries,
        np.array([geometry.dual_norm(gradient) for geometry in geometries]),
        np.array([curvature(hessian, gradient, geometry) for geometry in geometries]),
    )


class MuonRatio(NamedTuple):
    r"""The comparison of Muon with gradient descent at one point; see `muon_ratio`.

    Attributes
    ----------
    J : float
        :math:`J_t`, the curvature along the polar factor of the gradient.
    L : float
        :math:`L_t`, what gradient descent is charged.
    nuclear_norm, frobenius_norm : float
        Of the gradient.
    """

    J: float
    L: float
    nuclear_norm: float
    frobenius_norm: float

    @property
    def ratio(self) -> float:
        r""":math:`\|g\|_*^2 L_t/(\|g\|_F^2 J_t)`; above 1 Muon predicts more. NaN for a zero gradient."""
        relative = self.nuclear_norm / self.frobenius_norm if self.frobenius_norm else math.nan
        return float(np.divide(relative**2 * self.L, self.J)) if self.J else math.nan


@checked
def muon_ratio(
    hessian: LinearMap,
    gradient: npt.ArrayLike,
    L: Literal["operator_norm", "rayleigh"] | float = "operator_norm",
    *,
    rtol: float = 1e-3,
    max_steps: int = 100,
    rng: Rng = None,
) -> MuonRatio:
    r"""Return :math:`J_t`, :math:`L_t`, the norms of the gradient and the ratio of Muon to gradient descent.

    .. math:: \frac{\|g\|_*^2\,L_t}{\|g\|_F^2\,J_t}, \qquad J_t = \langle UV^\top, H[UV^\top]\rangle .

    Parameters
    ----------
    hessian : callable
        As for `curvature`.
    gradient : array_like, shape (m, n)
        Of one block.
    L : {"operator_norm", "rayleigh"} or float
        :math:`L_t`: the largest absolute eigenvalue of the Hessian by `top_eigenvalues`, which is the paper's; its
        Rayleigh quotient at the gradient (one product), with which the ratio is that of the decreases predicted at
        p = inf and p = 2; or a known number.
    rtol, max_steps, rng : optional
        For `top_eigenvalues`.

    Returns
    -------
    MuonRatio
        Negative where :math:`J_t` is.

    Raises
    ------
    TypeError, ValueError
        For another L, or as `curvature`.

    Notes
    -----
    Source: Shen et al., *On the convergence analysis of Muon* (arXiv 2505.23737).

    Examples
    --------
    >>> problem = st.problems.MatrixQuadratic.random(np.geomspace(1, 1e-3, 8), columns=8, rng=0)
    >>> params = problem.start()
    >>> H = st.diagnostics.block_hessian(problem.hvp, params, "W")
    >>> st.diagnostics.muon_ratio(H, problem.gradient(params)["W"], rng=0).ratio > 1
    True
    """
    G = np.asarray(gradient, dtype=np.float64)
    if L == "operator_norm":
        found = top_eigenvalues(hessian, G.shape, rtol=rtol, max_steps=max_steps, rng=rng)
        constant = abs(float(found.values[0]))
    elif L == "rayleigh":
        constant = curvature(hessian, G, 2)
    else:
        constant = _FINITE.check("L", L)
    nuclear, frobenius = Schatten(math.inf).dual_norm(G), Schatten(2).norm(G)
    return MuonRatio(curvature(hessian, G, math.inf), constant, nuclear, frobenius)


def geometry_of(norm: Norm) -> Geometry:
    """Return the geometry, or the Schatten norm with this exponent."""
    with renamed({"p": "norm"}):
        return norm if isinstance(norm, Geometry) else Schatten(norm)


def inner(A: npt.ArrayLike, B: npt.ArrayLike) -> float:
    """Return the inner product of two arrays of one shape, in float64."""
    return float(np.vdot(np.asarray(A, dtype=np.float64), np.asarray(B, dtype=np.float64)))


def _divide(dual: FloatArray, curvatures: FloatArray) -> FloatArray:
    """Return the quotient; infinite where there is a gradient but no curvature, zero without a gradient."""
    infinite = np.where(dual > 0, np.inf, 0.0)
    return np.divide(dual, curvatures, out=infinite, where=(curvatures > 0) & (dual > 0))
