"""Eigenvalues, trace, effective rank and condition of a Hessian, from its products with a few directions."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias

import numpy as np

from .._edge.arguments import checked
from .._edge.arrays import FloatArray
from .._edge.values import (
    ACCURACY,
    check_choice,
    check_count,
)
from .hessian import LinearMap, Rng, flat


class Eigenpairs(NamedTuple):
    """Eigenvalues found by `top_eigenvalues`.

    Attributes
    ----------
    values : ndarray, shape (count,)
        In the order asked for.
    vectors : ndarray, shape (count, ...)
        Of Frobenius norm one.
    residuals : ndarray, shape (count,)
        Each value is within its residual of an eigenvalue.
    products : int
        Number of Hessian-vector products.
    """

    values: FloatArray
    vectors: FloatArray
    residuals: FloatArray
    products: int


Which: TypeAlias = Literal["magnitude", "largest", "smallest"]
_ORDERS: Mapping[str, Callable[[FloatArray], FloatArray]] = {
    "magnitude": np.abs,
    "largest": np.asarray,
    "smallest": np.negative,
}


def _entries(shape: tuple[int, ...]) -> int:
    """Return the number of entries, or raise ValueError where there are none."""
    d = math.prod(shape)
    if d == 0:
        raise ValueError(f"shape must have entries, since nothing has no eigenvalues; got {shape}")
    return d


@checked
def top_eigenvalues(
    hessian: LinearMap,
    shape: tuple[int, ...],
    count: int = 1,
    *,
    which: Which = "magnitude",
    rtol: float = 1e-3,
    max_steps: int = 100,
    rng: Rng = None,
) -> Eigenpairs:
    r"""Return extreme eigenvalues of a symmetric map by the Lanczos iteration.

    One run for each eigenvalue, in the complement of the vectors already found: so multiple eigenvalues come as often
    as they are there. A run starts from a Gaussian vector, orthogonalises fully, and ends when the residual
    :math:`\|H v - \theta v\|` is at most `rtol` times :math:`|\theta|`.

    Parameters
    ----------
    hessian : callable
        Symmetric linear map of arrays of this shape; see `block_hessian`.
    shape : tuple of int
    count : int
    which : {"magnitude", "largest", "smallest"}
        Largest absolute values, the first of which is the operator norm; or one end of the spectrum.
    rtol : float
        In (0, 1).
    max_steps : int
        Products in one run at most; the residual then says how far it came.
    rng : int, Generator or None

    Returns
    -------
    Eigenpairs

    Raises
    ------
    ValueError
        For options outside their ranges, more values than entries, or products that are not finite.

    Examples
    --------
    >>> H = lambda D: np.diag([-3.0, 2.0, 1.0]) @ D
    >>> found = st.diagnostics.top_eigenvalues(H, (3, 2), count=3, rng=0)
    >>> found.values.round(6)
    array([-3., -3.,  2.])
    """
    check_choice("which", which, _ORDERS)
    check_count("count", count, least=1)
    check_count("max_steps", max_steps, least=1)
    ACCURACY.check("rtol", rtol)
    d = _entries(shape)
    if count > d:
        raise ValueError(f"count must be at most {d}, the number of entries, got {count}")
    generator = np.random.default_rng(rng)
    order, found, products = _ORDERS[which], np.zeros((0, d)), 0
    values, residuals = [], []
    for _ in range(count):
        run = _Lanczos(hessian, shape, found, generator)
        for _ in range(min(max_steps, d - len(found))):
            run.advance()
            thetas, s = run.ritz()
            best = int(np.argmax(order(thetas)))
            residual = abs(run.beta * s[-1, best])
            if residual <= rtol * abs(thetas[best]):
                break
        products += len(run.alphas)
        vector = s[:, best] @ np.array(run.basis[: len(s)])
        found = np.vstack([found, vector / np.linalg.norm(vector)])
        values.append(thetas[best])
        residuals.append(residual)
    return Eigenpairs(np.array(values), found.reshape(count, *shape), np.array(residuals), products)


class _Lanczos:
    """The Lanczos iteration with full orthogonalisation, in the complement of given rows."""

    def __init__(
        self, hessian: LinearMap, shape: tuple[int, ...], found: FloatArray, rng: np.random.Generator
    ) -> None:
        self._hessian, self._shape, self._found = hessian, shape, found
        self.basis: list[FloatArray] = []
        self.alphas: list[float] = []
        self._betas: list[float] = []
        self.beta = 0.0
        self._rng = rng
        self._next = self._fresh(math.prod(shape))

    def advance(self) -> None:
        """Take one product."""
        v = self._next
        self.basis.append(v)
        image = flat(self._hessian(v.reshape(self._shape)))
        if not np.isfinite(image).all():
            raise ValueError("the Hessian-vector product is not finite")
        self.alphas.append(float(v @ image))
        scale = float(np.linalg.norm(image))
        rest = self._clean(image)
        self.beta = float(np.linalg.norm(rest))
        if self.beta <= 1e-14 * scale:  # the basis spans an invariant subspace: go on with another
            self.beta = 0.0
            rest = self._fresh(len(v))
        self._betas.append(self.beta)
        self._next = rest / (self.beta or 1.0)

    def ritz(self) -> tuple[FloatArray, FloatArray]:
        """Return the eigenvalues of the projected map, ascending, and its eigenvectors as columns."""
        inner = self._betas[:-1]
        return np.linalg.eigh(np.diag(self.alphas) + np.diag(inner, 1) + np.diag(inner, -1))

    def _fresh(self, size: int) -> FloatArray:
        vector = self._clean(self._rng.standard_normal(size))
        length = np.linalg.norm(vector)
        return vector / length if length else vector

    def _clean(self, vector: FloatArray) -> FloatArray:
        """Return the vector without its parts along what was found and along the basis."""
        for _ in range(2):  # once is not enough where most of the vector goes
            for row in (*self._found, *self.basis):
                vector = vector - (row @ vector) * row
        return vector


@dataclass(frozen=True)
class HessianSummary:
    """What a few products tell of a symmetric map; see `hessian_summary`.

    Attributes
    ----------
    largest, smallest : float
        The ends of the spectrum, from inside: the true ones lie at or beyond them.
    trace, trace_error : float
        Estimate, and its standard error: zero where it is exact, NaN for one sample.
    frobenius_norm : float
        Estimate.
    products : int
        Number of Hessian-vector products.
    """

    largest: float
    smallest: float
    trace: float
    trace_error: float
    frobenius_norm: float
    products: int

    @property
    def effective_rank(self) -> float:
        r""":math:`(\operatorname{tr} H)^2/\|H\|_F^2`, for a positive semi-definite H between 1 and its rank."""
        return self.trace**2 / self.frobenius_norm**2 if self.frobenius_norm else math.nan

    @property
    def intrinsic_dimension(self) -> float:
        r""":math:`\operatorname{tr} H/\lambda_{\max}`."""
        return self.trace / self.largest if self.largest else math.nan

    @property
    def condition_number(self) -> float:
        """Largest over smallest eigenvalue, a lower bound; inf where the smallest is not positive."""
        return self.largest / self.smallest if self.smallest > 0 else math.inf


@checked
def hessian_summary(
    hessian: LinearMap, shape: tuple[int, ...], *, steps: int = 30, samples: int = 10, rng: Rng = None
) -> HessianSummary:
    r"""Return the ends of the spectrum, trace, Frobenius norm, effective rank and condition of a symmetric map.

    The ends come from one Lanczos run. Trace and norm are Hutchinson's estimates over random signs z,

    .. math:: \operatorname{tr} H = \mathbb{E}\, z^\top H z, \qquad \|H\|_F^2 = \mathbb{E}\,\|Hz\|^2 ,

    or exact, over unit vectors, when there are as many samples as entries.

    Parameters
    ----------
    hessian : callable
        Symmetric linear map of arrays of this shape; see `block_hessian`, `joint_hessian`.
    shape : tuple of int
    steps : int
        Lanczos steps. The smallest eigenvalue needs many if the condition is bad.
    samples : int
        Products for trace and norm.
    rng : int, Generator or None

    Returns
    -------
    HessianSummary

    Raises
    ------
    ValueError
        For counts below one, or products that are not finite.

    Notes
    -----
    Source: Hutchinson, *A stochastic estimator of the trace of the influence matrix*, 1989.

    Examples
    --------
    >>> summary = st.diagnostics.hessian_summary(lambda D: np.diag([4.0, 2.0, 2.0]) @ D, (3, 1), samples=3, rng=0)
    >>> round(summary.condition_number, 6), round(summary.effective_rank, 6)
    (2.0, 2.666667)
    """
    check_count("steps", steps, least=1)
    check_count("samples", samples, least=1)
    d = _entries(shape)
    generator = np.random.default_rng(rng)
    run = _Lanczos(hessian, shape, np.zeros((0, d)), generator)
    for _ in range(min(steps, d)):
        run.advance()
    ends = run.ritz()[0]
    exact = samples >= d
    probes = np.sqrt(d) * np.eye(d) if exact else generator.choice([-1.0, 1.0], size=(samples, d))
    images = np.stack([flat(hessian(z.reshape(shape))) for z in probes])
    traces, squares = (probes * images).sum(1), (images * images).sum(1)
    error = 0.0 if exact else float(traces.std(ddof=1) / np.sqrt(samples)) if samples > 1 else math.nan
    return HessianSummary(
        float(ends[-1]),
        float(ends[0]),
        float(traces.mean()),
        error,
        float(np.sqrt(squares.mean())),
        len(run.alphas) + len(probes),
    )
