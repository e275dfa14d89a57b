"""Bias-corrected values with standard errors, by leaving out one batch at a time."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

from .._edge.arrays import FloatArray
from .._edge.values import Domain

_LEVEL = Domain("in (0, 1)", lambda x: 0 < x < 1)


@dataclass(frozen=True)
class Estimate:
    r"""A number that was estimated, with its standard error.

    Attributes
    ----------
    value : float
        Corrected for bias where there is a standard error.
    standard_error : float
        NaN where nothing says how far batches differ: from one pair, or along a run.
    uncorrected : float
        The plain value of the estimated matrix.
    degrees_of_freedom : int
        Number of batches less one.
    """

    value: float
    standard_error: float
    uncorrected: float
    degrees_of_freedom: int

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        r"""Return a confidence interval of a positive number.

        .. math:: \hat\sigma\, e^{\pm t\, s/\hat\sigma},

        with the quantile t of Student's distribution. In the logarithm the distribution is closer to a normal one, and
        no end is negative.

        Parameters
        ----------
        level : float
            In (0, 1).

        Returns
        -------
        tuple of float

        Raises
        ------
        ValueError
            Without a standard error, or for another level.

        Examples
        --------
        >>> G = np.random.default_rng(0).standard_normal((64, 2, 3))
        >>> low, high = st.noise.covariance(G).sigma(2).interval()
        >>> bool(low < np.sqrt(6) < high)
        True
        """
        _LEVEL.check("level", level)
        if math.isnan(self.standard_error):
            raise ValueError(
                "an interval needs a standard error, which takes at least 3 micro-batches or 2 pairs"
            )
        reach = student_quantile(0.5 + level / 2, self.degrees_of_freedom) * self.standard_error
        if not self.value > 0:
            return 0.0, max(0.0, self.value + reach)
        return self.value * math.exp(-reach / self.value), self.value * math.exp(reach / self.value)


def jackknife(value: float, deleted: FloatArray) -> Estimate:
    r"""Return the jackknife of a statistic from its values without one batch each.

    .. math:: \hat\theta_J = k\hat\theta - (k-1)\bar\theta, \qquad
              s^2 = \frac{k-1}{k}\sum_j (\hat\theta_{(j)} - \bar\theta)^2 .

    Without such values there is no standard error and no correction.
    """
    k = len(deleted)
    if k < 2:
        return Estimate(value, math.nan, value, 0)
    mean = float(deleted.mean())
    spread = float(((deleted - mean) ** 2).sum())
    return Estimate(k * value - (k - 1) * mean, math.sqrt((k - 1) / k * spread), value, k - 1)


def student_quantile(probability: float, degrees_of_freedom: int) -> float:
    """Return a quantile of Student's t distribution (Abramowitz and Stegun, 26.7.5).

    At 95 % the error is below 1 % from 2 degrees of freedom on.
    """
    z, n = NormalDist().inv_cdf(probability), degrees_of_freedom
    terms = (
        z,
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    return float(sum(term / n**i for i, term in enumerate(terms)))
