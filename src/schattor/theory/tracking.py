"""Bounds as sums of terms, and those of the error of the estimate (Lemmas 7 and 10)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from .._edge.arguments import checked
from .._edge.values import NON_NEGATIVE, POSITIVE, Domain, check_count

Terms: TypeAlias = dict[str, float]

WEIGHT = Domain("in (0, 1]", lambda x: 0 < x <= 1)


@dataclass(frozen=True)
class Bound:
    """A bound as the sum of its terms.

    Attributes
    ----------
    terms : mapping of str to float
        ``"descent"`` falls with the learning rate, ``"curvature"`` and ``"drift"`` rise with it; ``"start"`` is the
        noise of the first estimate, ``"noise"`` that of all others.

    Examples
    --------
    >>> bound = st.theory.Bound({"descent": 2.0, "noise": 3.0})
    >>> bound.total, bound.dominant
    (5.0, 'noise')
    """

    terms: Mapping[str, float]

    @property
    def total(self) -> float:
        """The bound."""
        return math.fsum(self.terms.values())

    @property
    def dominant(self) -> str:
        """The name of the largest term."""
        return max(self.terms, key=self.terms.__getitem__)


def tracking(L: float, sigma: float, T: float, lr: float, theta: float, batch: float, first: float) -> Terms:
    """Return the terms of Lemma 7."""
    return {
        "start": sigma / (math.sqrt(first) * theta * T),
        "drift": L * lr * (1 - theta) / theta,
        "noise": math.sqrt(theta / (2 - theta)) * sigma / math.sqrt(batch),
    }


def squared_tracking(sigma: float, T: float, theta: float, batch: float, first: float) -> Terms:
    """Return the terms of v in Lemma 10."""
    return {
        "start": 2 * sigma**2 / (first * theta * (2 - theta) * T),
        "noise": 2 * sigma**2 * theta / (batch * (2 - theta)),
    }


def check(theta: float, batch: int, first_batch: int | None, **numbers: float) -> int:
    """Check the arguments of a bound, and return the size of the first batch."""
    for name, value in numbers.items():
        if name == "T":
            check_count(name, value, least=1)
        else:
            (POSITIVE if name == "lr" else NON_NEGATIVE).check(name, value)
    WEIGHT.check("theta", theta)
    first = batch if first_batch is None else first_batch
    check_count("batch", batch, least=1)
    check_count("first_batch", first, least=1)
    return first


@checked
def lemma_7(
    L: float, sigma: float, T: int, *, lr: float, theta: float, batch: int = 1, first_batch: int | None = None
) -> Bound:
    r"""Return the bound of the estimator's average error under the ball rule.

    .. math:: \frac1T\sum_{t<T}\mathbb{E}\|E_t\|_q \le \frac{\sigma}{\sqrt{B_0}\,\theta T}
              + L\eta\,\frac{1-\theta}{\theta} + \sqrt{\frac{\theta}{2-\theta}}\,\frac{\sigma}{\sqrt B} .

    Parameters
    ----------
    L, sigma : float
        Lipschitz constant and variance proxy in the geometry at hand.
    T : int
        Number of steps.
    lr : float
        :math:`\eta`.
    theta : float
        One minus the momentum, in (0, 1].
    batch, first_batch : int
        B, and B_0 of the first estimate. Default: 1, and as `batch`.

    Returns
    -------
    Bound
        Terms ``"start"``, ``"drift"``, ``"noise"``.

    Notes
    -----
    arXiv 2606.15702, Lemma 7; constants derived in the page on theory.

    Examples
    --------
    >>> st.theory.lemma_7(1.0, 2.0, 10, lr=0.1, theta=0.5).terms["drift"]
    0.1
    """
    first = check(theta, batch, first_batch, L=L, sigma=sigma, T=T, lr=lr)
    return Bound(tracking(L, sigma, T, lr, theta, batch, first))


@checked
def lemma_10(
    L: float, sigma: float, T: int, *, lr: float, theta: float, batch: int = 1, first_batch: int | None = None
) -> tuple[float, Bound]:
    r"""Return :math:`\kappa` and v of the bound of the estimator's squared error under the regularization rule.

    .. math:: \frac1T\sum_{t<T}\mathbb{E}\|E_t\|_q^2 \le \kappa\,\frac1T\sum_{t<T}\mathbb{E}\|M_t\|_q^2 + v, \qquad
              \kappa = \frac{2L^2\eta^2(1-\theta)}{\theta^2}, \quad
              v = 2\sigma^2\Bigl(\frac1{B_0\theta(2-\theta)T} + \frac{\theta}{B(2-\theta)}\Bigr).

    Parameters
    ----------
    L, sigma, T, lr, theta, batch, first_batch
        As for `lemma_7`.

    Returns
    -------
    kappa : float
    v : Bound
        Terms ``"start"``, ``"noise"``.

    Notes
    -----
    arXiv 2606.15702, Lemma 10; constants derived in the page on theory.

    Examples
    --------
    >>> kappa, v = st.theory.lemma_10(1.0, 2.0, 10, lr=0.5, theta=0.5)
    >>> kappa
    1.0
    """
    first = check(theta, batch, first_batch, L=L, sigma=sigma, T=T, lr=lr)
    kappa = 2 * (L * lr / theta) ** 2 * (1 - theta)
    return kappa, Bound(squared_tracking(sigma, T, theta, batch, first))
