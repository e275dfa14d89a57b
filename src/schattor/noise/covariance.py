"""The covariance of the gradient noise from batches, and its norms with standard errors."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from .._edge.arguments import checked
from .._edge.arrays import FloatArray, matrix_shape, prepare
from .._edge.values import EXPONENT, check_count
from .forms import Form, FormName, make_form
from .jackknife import Estimate, jackknife

_CHUNK = 2**21  # numbers that the covariances without one batch take at a time


@dataclass(frozen=True, eq=False)
class CovarianceEstimate:
    r"""The estimated covariance :math:`\hat V^2` of the noise of one sample, on the smaller side of a block.

    Made by `covariance`, `covariance_of_pairs` and `StreamingNoise`.

    Attributes
    ----------
    covariance : ndarray, shape (k, k)
        float64, symmetric; k is the smaller side of the block. Not corrected for anything.
    side : {"left", "right"}
        ``"left"``: :math:`V^2` stands for :math:`\mathbb{E}[NN^\top]`, m <= n; ``"right"``: for
        :math:`\mathbb{E}[N^\top N]`.
    eigenvalues : ndarray, shape (k,)
        Of `covariance`.
    deleted_eigenvalues : ndarray, shape (batches, k)
        Of the estimates without one batch each; no rows where there is no jackknife.
    """

    covariance: FloatArray
    side: str
    eigenvalues: FloatArray = field(repr=False)
    deleted_eigenvalues: FloatArray = field(repr=False)

    def sigma(self, q: float) -> Estimate:
        r"""Return the estimate of :math:`\sigma_q = \|V\|_q = (\operatorname{tr} V^q)^{1/q}`.

        The plain value of :math:`\hat V` is biased, although :math:`\hat V^2` is not. The jackknife over batches
        corrects it and gives the standard error.

        Parameters
        ----------
        q : float
            In [1, inf]. The theorems' proxy for the exponent p takes the conjugate of p.

        Returns
        -------
        Estimate

        Raises
        ------
        ValueError
            For q below 1.

        Examples
        --------
        >>> noise = st.problems.GaussianNoise(np.array([2.0, 1.0]), (2, 50))
        >>> sigma = st.noise.covariance(noise.draw(64, rng=0)).sigma(1)
        >>> bool(abs(sigma.value - 3) < 2 * sigma.standard_error)
        True
        """
        EXPONENT.check("q", q)
        return jackknife(
            float(root_norm(self.eigenvalues, q)), np.asarray(root_norm(self.deleted_eigenvalues, q))
        )

    def interval(self, q: float, level: float = 0.95) -> tuple[float, float]:
        r"""Return a confidence interval of :math:`\sigma_q`; see `Estimate.interval`.

        Parameters
        ----------
        q : float
        level : float

        Returns
        -------
        tuple of float

        Raises
        ------
        ValueError
            Where there is no standard error.
        """
        return self.sigma(q).interval(level)


def root_norm(squares: FloatArray, q: float) -> FloatArray:
    """Return the l_q norms of the roots, along the last axis."""
    roots = np.sqrt(squares)
    largest = roots.max(axis=-1, keepdims=True)
    if math.isinf(q):
        return np.asarray(largest[..., 0])
    scaled = roots / np.where(largest > 0, largest, 1)
    return np.asarray(largest[..., 0] * (scaled**q).sum(-1) ** (1 / q))


@checked
def covariance(
    micro_batches: npt.ArrayLike,
    batch_size: int = 1,
    *,
    form: FormName = "full",
    rank: int = 16,
    rng: int | np.random.Generator | None = 0,
) -> CovarianceEstimate:
    r"""Estimate the covariance of the noise from micro-batches at one point.

    .. math:: \hat V^2 = \frac{b}{k-1}\sum_{j\le k} (G_j - \bar G)(G_j - \bar G)^\top

    is unbiased for the covariance of one sample's noise, whatever its distribution. Blocks that are taller than wide
    are transposed first.

    Parameters
    ----------
    micro_batches : array_like, shape (k, ...)
        The k >= 2 mean gradients of independent micro-batches at one point; of float32 or float64, computed in
        float64. Blocks of more than two dimensions count as (first, others).
    batch_size : int
        b, the number of samples in each.
    form : {"full", "diagonal", "sketch"}
        What is kept, see the guide on noise. ``"diagonal"`` and ``"sketch"`` give a :math:`\sigma_q` that is too
        large for q < 2, exact at q = 2 and too small above.
    rank : int
        Of the sketch.
    rng : int, Generator or None
        Draws the sketch's test matrix.

    Returns
    -------
    CovarianceEstimate
        With a jackknife from three micro-batches on.

    Raises
    ------
    TypeError, ValueError
        For fewer than two micro-batches, a batch size below 1, NaN or Inf.
    OverflowError
        When the covariance exceeds float64.

    Notes
    -----
    arXiv 2606.15702, Assumption 1(c). The estimate is local: the assumption asks for one :math:`V^2` everywhere.

    Examples
    --------
    >>> noise = st.problems.GaussianNoise(np.array([2.0, 1.0]), (2, 50))
    >>> estimate = st.noise.covariance(noise.draw(1000, rng=0))
    >>> bool(np.allclose(estimate.covariance, np.diag([4.0, 1.0]), atol=0.1)), estimate.side
    (True, 'left')
    """
    x, shape = stack(micro_batches, "micro_batches", least=2)
    k = len(x)
    mean = x.mean(axis=0, dtype=np.float64, keepdims=True)
    kept = make_form(form, shape, rank, np.random.default_rng(rng))
    # Without batch j the mean moves, too: the sum falls by k/(k-1) (G_j - mean)(G_j - mean)'.
    return _estimate(kept, x, mean, batch_size, counts=(k - 1, k - 2), fall=k / (k - 1))


@checked
def covariance_of_pairs(
    first: npt.ArrayLike,
    second: npt.ArrayLike,
    batch_size: int = 1,
    *,
    form: FormName = "full",
    rank: int = 16,
    rng: int | np.random.Generator | None = 0,
) -> CovarianceEstimate:
    r"""Estimate the covariance of the noise from pairs of independent batches.

    .. math:: \hat V^2 = \frac{b}{2k}\sum_{j\le k} (G_j - H_j)(G_j - H_j)^\top .

    Both batches of a pair are taken at one point; each pair may have a point of its own, such as one of a run, and
    :math:`V^2` is the mean over the points then.

    Parameters
    ----------
    first, second : array_like, shape (k, ...)
        Mean gradients of the batches; k >= 1. One pair of gradients is ``G[None], H[None]``.
    batch_size : int
        b, the number of samples in each batch.
    form, rank, rng
        As for `covariance`.

    Returns
    -------
    CovarianceEstimate
        With a jackknife from two pairs on.

    Raises
    ------
    TypeError, ValueError, OverflowError
        As for `covariance`, or for stacks of different shapes.

    Notes
    -----
    arXiv 2606.15702, Assumption 1(c).

    Examples
    --------
    >>> noise = st.problems.GaussianNoise(np.array([2.0, 1.0]), (2, 50))
    >>> draws = noise.draw(128, rng=0)
    >>> st.noise.covariance_of_pairs(draws[:64], draws[64:]).covariance.round(1) + 0.0
    array([[3.9, 0. ],
           [0. , 1. ]])
    """
    x, shape = stack(first, "first", least=1)
    y, other = stack(second, "second", least=1)
    if x.shape != y.shape or shape != other:
        raise ValueError(f"second must have the shape of first, {np.shape(first)}, got {np.shape(second)}")
    kept = make_form(form, shape, rank, np.random.default_rng(rng))
    k = len(x)
    return _estimate(
        kept, x, y.astype(np.float64, copy=False), batch_size, counts=(2 * k, 2 * k - 2), fall=1.0
    )


def stack(value: npt.ArrayLike, name: str, least: int) -> tuple[FloatArray, tuple[int, int]]:
    """Return gradients as rows, and the shape of the block as a matrix."""
    array = np.asarray(value)
    if array.ndim < 1 or len(array) < least:
        raise ValueError(
            f"{name} must hold at least {least} gradients along the first axis, got shape {array.shape}"
        )
    if array.size == 0:
        raise ValueError(f"{name} must hold gradients that are not empty, got shape {array.shape}")
    rows, _ = prepare(array.reshape(len(array), -1), name)
    if not np.isfinite(rows).all():
        raise ValueError(
            f"{name} must be finite, but {int((~np.isfinite(rows)).sum())} entries are NaN or Inf"
        )
    return rows, matrix_shape(array.shape[1:])


def _estimate(
    form: Form, x: FloatArray, centres: FloatArray, batch_size: int, counts: tuple[int, int], fall: float
) -> CovarianceEstimate:
    """Return b S / counts[0] for the sum S of second moments, and b (S - fall D_j D_j') / counts[1] for each j."""
    check_count("batch_size", batch_size, least=1)
    core, k = form.core, len(x)
    total, trace = np.zeros((1, core.entries)), np.zeros((1, 1))
    with np.errstate(over="ignore"):
        core.add_deviations(x, centres, 1.0, form.test, total, trace)
    if not np.isfinite(total).all():
        raise OverflowError("the covariance exceeds float64; scale the gradients down")
    scale = batch_size / counts[0]
    chunk = max(1, _CHUNK // core.entries)
    deleted: list[FloatArray] = [np.zeros((0, form.order))]
    for begin in range(0, k if counts[1] > 0 else 0, chunk):
        part = slice(begin, begin + chunk)
        count = len(x[part])
        sums, traces = np.repeat(total, count, axis=0), np.repeat(trace, count, axis=0)
        core.add_deviations(
            x[part], centres if len(centres) == 1 else centres[part], -fall, form.test, sums, traces
        )
        deleted.append(form.eigenvalues(sums, traces[:, 0]) * (batch_size / counts[1]))
    return CovarianceEstimate(
        covariance=scale * form.matrix(total[0], float(trace[0, 0])),
        side=form.side,
        eigenvalues=scale * form.eigenvalues(total[0], trace[0, 0]),
        deleted_eigenvalues=np.concatenate(deleted),
    )
