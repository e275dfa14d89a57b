"""What two points or several mini-batches tell: smoothness along a step, and the scale of the noise."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from .._edge.arguments import checked
from .._edge.values import check_count
from ..linalg.exponents import conjugate
from ..linalg.matrices import eigen, semidefinite
from ..parts.geometries import Schatten
from .curvature import Norm, geometry_of
from .spectra import Spectrum


@checked
def smoothness(
    gradient_change: npt.ArrayLike, step: npt.ArrayLike, norm: Norm, noise: npt.ArrayLike | None = None
) -> float:
    r"""Return the smoothness of the loss along a step.

    .. math:: L_p = \frac{\|g(X_{t+1}) - g(X_t)\|_q}{\|X_{t+1} - X_t\|_p} ,

    a lower bound of the Lipschitz constant from :math:`S_p` to :math:`S_q`. Both gradients must be of the same samples:
    with independent mini-batches the difference is mostly noise, and the quotient grows without bound as steps shrink.
    Where that cannot be had, give the covariance of the noise in the difference: it is taken off,

    .. math:: \|g(X_{t+1}) - g(X_t)\|_q \approx \bigl(\operatorname{tr}\,(\Delta\Delta^\top - C)_+^{q/2}\bigr)^{1/q},

    with the negative eigenvalues set to zero.

    Parameters
    ----------
    gradient_change : array_like, shape (m, n)
        :math:`\Delta`, the difference of the gradients.
    step : array_like, shape (m, n)
        The difference of the points.
    norm : float or Geometry
        The exponent p of a Schatten norm, or another geometry.
    noise : array_like, shape (min(m, n),) * 2, optional
        C on the smaller side: :math:`V^2(1/B + 1/B')` for mini-batches of B and B' samples with covariance
        :math:`V^2` each. For Schatten norms only.

    Returns
    -------
    float
        NaN for a step of zero.

    Raises
    ------
    ValueError
        For shapes that differ, values that are not finite, or noise with a norm that is no Schatten norm.

    Examples
    --------
    >>> problem = st.problems.MatrixQuadratic.random([1.0, 0.5, 0.25], columns=4, rng=0)
    >>> start, G = problem.start()["W"], problem.gradient(problem.start())["W"]
    >>> D = st.ball_oracle(G, np.inf)
    >>> change = problem.gradient({"W": start + 0.1 * D})["W"] - G
    >>> st.diagnostics.smoothness(change, 0.1 * D, np.inf) <= problem.lipschitz(np.inf) * (1 + 1e-12)
    True
    """
    change, moved, geometry = np.asarray(gradient_change), np.asarray(step), geometry_of(norm)
    if change.shape != moved.shape:
        raise ValueError(f"gradient_change has shape {change.shape}, but step has {moved.shape}")
    length = geometry.norm(moved)
    if noise is None:
        return geometry.dual_norm(change) / length if length else math.nan
    if not isinstance(geometry, Schatten) or callable(geometry.p):
        raise ValueError(f"noise is taken off in Schatten norms only, got {geometry}")
    return _denoised(change, noise, conjugate(geometry.p)) / length if length else math.nan


def _denoised(change: npt.NDArray[np.generic], noise: npt.ArrayLike, q: float) -> float:
    D = np.atleast_2d(np.asarray(change, dtype=np.float64))
    D = D if len(D) <= D.shape[1] else D.T
    rest = D @ D.T - semidefinite(noise, len(D), "noise")
    return Spectrum(np.sqrt(eigen(rest)[0])[::-1]).norm(q)


class NoiseScale(NamedTuple):
    r"""Size of the noise against that of the gradient; see `noise_scale`.

    Attributes
    ----------
    covariance_trace : float
        Estimate of :math:`\operatorname{tr} V^2`, the mean squared length of one sample's noise.
    squared_norm : float
        Estimate of :math:`\|g\|_F^2`; may come out negative where noise hides the gradient.
    """

    covariance_trace: float
    squared_norm: float

    @property
    def scale(self) -> float:
        r""":math:`\operatorname{tr} V^2/\|g\|_F^2`; inf where the estimate of the gradient's length is not positive."""
        return self.covariance_trace / self.squared_norm if self.squared_norm > 0 else math.inf


@checked
def noise_scale(
    micro_batches: npt.ArrayLike | Mapping[str, npt.ArrayLike], batch_size: int = 1
) -> NoiseScale:
    r"""Return the gradient noise scale: the batch size at which noise and gradient are of one length.

    Of k micro-batches of b samples each, with gradients :math:`G_j` and mean :math:`\bar G`,

    .. math:: \operatorname{tr} V^2 \approx \frac{b}{k-1}\sum_j \|G_j - \bar G\|_F^2, \qquad
              \|g\|_F^2 \approx \|\bar G\|_F^2 - \frac{\operatorname{tr} V^2}{kb} ,

    both unbiased; their quotient is not.

    Parameters
    ----------
    micro_batches : array_like, shape (k, ...), or mapping of str to array_like
        Gradients of k >= 2 independent micro-batches at one point. For a mapping the sums over its blocks count.
    batch_size : int
        b, the number of samples in each micro-batch.

    Returns
    -------
    NoiseScale

    Raises
    ------
    ValueError
        For fewer than two micro-batches, or a batch size below one.

    Notes
    -----
    Source: McCandlish et al., *An empirical model of large-batch training* (arXiv 1812.06162), the "simple" scale.

    Examples
    --------
    >>> noise = st.problems.GaussianNoise(np.array([2.0, 1.0]), (2, 50))
    >>> gradients = np.eye(2, 50) + noise.draw(1000, rng=0)
    >>> round(st.diagnostics.noise_scale(gradients).scale, 1)  # (4 + 1) / 2
    2.5
    """
    check_count("batch_size", batch_size, least=1)
    if isinstance(micro_batches, Mapping):
        parts = [noise_scale(stack, batch_size) for stack in micro_batches.values()]
        return NoiseScale(
            sum(part.covariance_trace for part in parts), sum(part.squared_norm for part in parts)
        )
    G = np.asarray(micro_batches, dtype=np.float64)
    if G.ndim < 1 or len(G) < 2:
        raise ValueError(f"micro_batches must hold at least two gradients, got shape {G.shape}")
    mean, k = G.mean(axis=0), len(G)
    trace = batch_size / (k - 1) * float(((G - mean) ** 2).sum())
    return NoiseScale(trace, float((mean * mean).sum()) - trace / (k * batch_size))
