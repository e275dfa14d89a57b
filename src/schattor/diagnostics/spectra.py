"""Singular spectra of gradients, updates and weights, and the ranks that sum them up."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from .._edge.arrays import FloatArray, prepare
from .._edge.values import POSITIVE
from ..linalg.singular import singular_values
from ..parts.geometries import Lp


@dataclass(frozen=True, eq=False)
class Spectrum:
    r"""The singular values of a matrix, and what the field derives from them.

    With :math:`\sigma_1 \ge \sigma_2 \ge \dots` the singular values. All ranks lie between 1 and the number of non-zero
    singular values, and reach it when those are equal; they do not change when the matrix is scaled. Those of a
    zero matrix are NaN.

    Parameters
    ----------
    values : ndarray, shape (k,)
        Largest first; see `spectrum` for a matrix.

    Examples
    --------
    >>> flat = st.diagnostics.spectrum(np.eye(3, 5))
    >>> flat.stable_rank, flat.nuclear_rank, round(flat.effective_rank, 12), flat.condition_number
    (3.0, 3.0, 3.0, 1.0)
    """

    values: FloatArray

    @property
    def rank(self) -> int:
        """Number of singular values that are not zero."""
        return int(np.count_nonzero(self.values))

    @property
    def stable_rank(self) -> float:
        r""":math:`\|A\|_F^2/\sigma_1^2`, also called numerical rank."""
        return self._powers(2)

    @property
    def intrinsic_dimension(self) -> float:
        r""":math:`\|A\|_*/\sigma_1`, for a positive semi-definite matrix the trace over the largest eigenvalue."""
        return self._powers(1)

    @property
    def nuclear_rank(self) -> float:
        r""":math:`\|A\|_*^2/\|A\|_F^2`, for a positive semi-definite matrix :math:`(\operatorname{tr} A)^2/\|A\|_F^2`.

        Source: arXiv 2512.04299.
        """
        return _over(self._powers(1) ** 2, self._powers(2))

    @property
    def participation_ratio(self) -> float:
        r""":math:`(\operatorname{tr} AA^\top)^2/\|AA^\top\|_F^2`: the nuclear rank of the Gram matrix."""
        return _over(self._powers(2) ** 2, self._powers(4))

    @property
    def effective_rank(self) -> float:
        r""":math:`\exp\bigl(-\sum_i \pi_i\log\pi_i\bigr)` with :math:`\pi_i = \sigma_i/\sum_j\sigma_j`.

        Source: Roy and Vetterli, *The effective rank*, EUSIPCO 2007.
        """
        return math.exp(self.entropy())

    @property
    def condition_number(self) -> float:
        r""":math:`\sigma_1/\sigma_r`, r being the rank: directions of value zero do not count."""
        return float(self.values[0] / self.values[self.rank - 1]) if self.rank else math.nan

    def entropy(self, power: float = 1, normalize: bool = False) -> float:
        r"""Return the entropy of the spectrum.

        .. math:: -\sum_i \pi_i\log\pi_i, \qquad \pi_i = \sigma_i^a \Big/ \sum_j\sigma_j^a .

        Parameters
        ----------
        power : float
            The exponent a. With 2 and `normalize` it is the SVD entropy of Alter et al. (PNAS 2000).
        normalize : bool
            Divide by the logarithm of the number of singular values, zeros included, so that it lies in [0, 1].

        Returns
        -------
        float

        Raises
        ------
        ValueError
            For a power that is not positive and finite.

        Examples
        --------
        >>> round(st.diagnostics.spectrum(np.diag([1.0, 1.0, 0.0, 0.0])).entropy(power=2, normalize=True), 12)
        0.5
        """
        shares = self._relative() ** POSITIVE.check("power", power)
        if not self.rank:
            return math.nan
        shares = shares[shares > 0] / shares.sum()
        entropy = abs(float(shares @ np.log(shares)))
        return entropy / math.log(len(self.values)) if normalize and len(self.values) > 1 else entropy

    def norm(self, p: float) -> float:
        """Return the Schatten norm with this exponent.

        Parameters
        ----------
        p : float
            In [1, inf].

        Returns
        -------
        float

        Examples
        --------
        >>> st.diagnostics.spectrum([[3.0, 0.0], [0.0, 4.0]]).norm(2)
        5.0
        """
        return Lp(p).norm(self.values)

    def _relative(self) -> FloatArray:
        """Return the values over the largest, since their powers could overflow."""
        return np.asarray(self.values / self.values[0] if self.rank else self.values)

    def _powers(self, exponent: float) -> float:
        """Return the sum of powers of the relative values; NaN for a zero matrix."""
        return float((self._relative() ** exponent).sum()) if self.rank else math.nan


def spectrum(A: npt.ArrayLike) -> Spectrum:
    """Return the singular values of a matrix, computed in its dtype, as a `Spectrum` in float64.

    Parameters
    ----------
    A : array_like, shape (m, n)
        A vector counts as n x 1. Integers become float64. Singular values up to ``max(m, n) * eps`` times the largest,
        with eps of the dtype, are rounding and count as zero.

    Returns
    -------
    Spectrum

    Raises
    ------
    ValueError
        For an empty array, NaN or Inf, or more than two dimensions.

    Examples
    --------
    >>> G = np.random.default_rng(0).standard_normal((20, 30))
    >>> flatter = st.diagnostics.spectrum(st.ball_oracle(G, 4))
    >>> flatter.effective_rank > st.diagnostics.spectrum(G).effective_rank
    True
    """
    array, shape = prepare(A, "A")
    if not array.size:
        raise ValueError(f"A must not be empty, got shape {array.shape}")
    values = singular_values(array)
    cutoff = max(shape) * float(np.finfo(values.dtype).eps)
    values = values.astype(np.float64)
    return Spectrum(np.where(values > cutoff * values[0], values, 0.0))


class SpectralCriterion(NamedTuple):
    """Nuclear rank of a layer's gradient against the stable rank of its inputs; see `spectral_criterion`.

    Attributes
    ----------
    nuclear_rank : float
        Of the gradient.
    stable_rank : float
        Of the matrix of inputs ("activations").
    """

    nuclear_rank: float
    stable_rank: float

    @property
    def ratio(self) -> float:
        """Nuclear rank over stable rank: above 1 the spectral step has the larger guaranteed decrease."""
        return self.nuclear_rank / self.stable_rank


def spectral_criterion(gradient: npt.ArrayLike, activations: npt.ArrayLike) -> SpectralCriterion:
    r"""Return the criterion for a spectral instead of a Euclidean gradient step, which needs no Hessian.

    A layer with inputs A has, up to one common factor, the curvature :math:`\|A\|_2^2` in the Frobenius norm and
    :math:`\|A\|_F^2` in the spectral norm. So the guaranteed decreases of the two steps are
    :math:`\|G\|_F^2/\|A\|_2^2` and :math:`\|G\|_*^2/\|A\|_F^2`, and the spectral one is larger if

    .. math:: \operatorname{nr}(G) = \frac{\|G\|_*^2}{\|G\|_F^2} \;\ge\;
              \operatorname{st}(A) = \frac{\|A\|_F^2}{\|A\|_2^2} .

    Parameters
    ----------
    gradient : array_like, shape (m, n)
        Gradient of the layer's weights.
    activations : array_like, shape (N, n) or (n, N)
        Inputs of the layer for N samples.

    Returns
    -------
    SpectralCriterion

    Raises
    ------
    ValueError
        As `spectrum`.

    Notes
    -----
    Source: Davis and Drusvyatskiy, *When do spectral gradient updates help in deep learning?* (arXiv 2512.04299).

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> activations = rng.standard_normal((100, 20)) + 3  # a mean far from zero: low stable rank
    >>> st.diagnostics.spectral_criterion(rng.standard_normal((10, 20)), activations).ratio > 1
    True
    """
    return SpectralCriterion(spectrum(gradient).nuclear_rank, spectrum(activations).stable_rank)


def _over(numerator: float, denominator: float) -> float:
    return numerator / denominator if denominator else math.nan
