"""How heavy the tails of the noise are."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .._edge.arguments import checked
from .._edge.values import check_count


@dataclass(frozen=True)
class TailIndex:
    """An estimated tail index.

    Attributes
    ----------
    value : float
        Moments of this order and more do not exist, if the tail is that of a power.
    standard_error : float
    threshold : float
        The largest norm that was not used.
    exceedances : int
        Number of norms above it.
    """

    value: float
    standard_error: float
    threshold: float
    exceedances: int


@checked
def tail_index(norms: npt.ArrayLike, exceedances: int | None = None) -> TailIndex:
    r"""Estimate the tail index of the noise from its norms (Hill).

    With the norms in descending order and k exceedances,

    .. math:: \hat\alpha = \frac{k-1}{\sum_{i\le k}\ln(x_i/x_{k+1})}, \qquad s = \frac{\hat\alpha}{\sqrt{k-2}},

    which are unbiased and exact for the tail :math:`P(x > u) = (u/u_0)^{-\alpha}`, and only there. Below 2 there is no
    covariance; below 4 its estimates have no standard error, and intervals of :math:`\sigma_q` are too short. Tails
    lighter than any power have no index: the value then grows with the number of norms.

    Parameters
    ----------
    norms : array_like
        Lengths of independent draws of the noise, not negative, such as those of deviations from a mean gradient.
    exceedances : int, optional
        k, at least 3 and below the number of norms; default the root of that number. Many make the error small and the
        bias large, since only the largest norms follow a power.

    Returns
    -------
    TailIndex

    Raises
    ------
    ValueError
        For too few norms, NaN or Inf, negative ones, or a threshold of zero.

    Notes
    -----
    Hill (1975), Annals of Statistics 3.

    Examples
    --------
    >>> noise = st.problems.StudentNoise(np.ones(4), (4, 6), degrees_of_freedom=3)
    >>> tail = st.noise.tail_index(np.linalg.norm(noise.draw(20000, rng=1), axis=(1, 2)))
    >>> bool(abs(tail.value - 3) < 2 * tail.standard_error), tail.exceedances
    (True, 141)
    """
    x = np.asarray(norms, dtype=np.float64).ravel()
    if not np.isfinite(x).all() or (x < 0).any():
        raise ValueError("norms must be finite and not negative")
    k = math.isqrt(len(x)) if exceedances is None else exceedances
    check_count("exceedances", k, least=3)
    if k >= len(x):
        raise ValueError(f"exceedances must be below the number of norms, {len(x)}, got {k}")
    top = np.sort(x)[-k - 1 :]
    if top[0] == 0 or top[-1] == top[0]:
        raise ValueError(f"the {k + 1} largest norms must be positive and not all equal, got {top[0]}")
    value = (k - 1) / float(np.log(top[1:] / top[0]).sum())
    return TailIndex(value, value / math.sqrt(k - 2), float(top[0]), k)
