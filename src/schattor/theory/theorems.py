"""The explicit bounds of Theorems 1 to 4, term by term."""

from __future__ import annotations

import math
from typing import Literal, TypeAlias

from .._edge.arguments import checked
from .._edge.values import POSITIVE, check_choice
from ..parts.mixed_norm import MixedNorm
from .noise import check_range
from .tracking import WEIGHT, Bound, Terms, check, squared_tracking, tracking

Quantity: TypeAlias = Literal["gradient", "estimate"]

FACTORS = {"gradient": (12.0, 8.0), "estimate": (16 / 3, 8 / 3)}


def ball_terms(
    delta: float, L: float, sigma: float, T: float, lr: float, theta: float, batch: float, first: float
) -> Terms:
    """Return the terms of Theorem 1."""
    terms = {"descent": delta / (lr * T), "curvature": L * lr / 2}
    return terms | {k: 2 * x for k, x in tracking(L, sigma, T, lr, theta, batch, first).items()}


def regularization_terms(
    delta: float,
    sigma: float,
    T: float,
    lr: float,
    theta: float,
    batch: float,
    first: float,
    factors: tuple[float, float] = FACTORS["gradient"],
) -> Terms:
    """Return the terms of Theorem 2."""
    terms = {"descent": factors[0] * delta / (lr * T)}
    return terms | {k: factors[1] * x for k, x in squared_tracking(sigma, T, theta, batch, first).items()}


@checked
def largest_lr(L: float, theta: float) -> float:
    r"""Return the largest learning rate for which Theorems 2 and 4 hold.

    .. math:: \min\Bigl\{\frac1{2L},\; \frac{\theta}{4L\sqrt{1-\theta}}\Bigr\}

    Parameters
    ----------
    L : float
        Positive.
    theta : float
        In (0, 1].

    Returns
    -------
    float

    Examples
    --------
    >>> st.theory.largest_lr(2.0, 1.0), round(st.theory.largest_lr(2.0, 0.1), 5)
    (0.25, 0.01318)
    """
    POSITIVE.check("L", L)
    WEIGHT.check("theta", theta)
    return 1 / (2 * L) if theta == 1 else min(1 / (2 * L), theta / (4 * L * math.sqrt(1 - theta)))


@checked
def theorem_1(
    delta: float,
    L: float,
    sigma: float,
    T: int,
    *,
    p: float,
    lr: float,
    theta: float,
    batch: int = 1,
    first_batch: int | None = None,
) -> Bound:
    r"""Return the bound of the average dual norm of the gradient under the ball rule (Algorithm 1).

    .. math:: \frac1T\sum_{t<T}\mathbb{E}\|\nabla f(X_t)\|_q \le \frac{\Delta}{\eta T} + \frac{L\eta}2
              + \frac{2\sigma}{\sqrt{B_0}\,\theta T} + 2L\eta\,\frac{1-\theta}\theta
              + 2\sqrt{\frac\theta{2-\theta}}\,\frac\sigma{\sqrt B} .

    Parameters
    ----------
    delta : float
        :math:`\Delta`, the loss at the start minus its infimum, or more.
    L : float
        Lipschitz constant of the gradient from S_p to S_q.
    sigma : float
        Variance proxy in S_q; see `variance_proxy`.
    T : int
        Number of steps.
    p : float
        The geometry that `L` and `sigma` belong to, in [2, inf].
    lr : float
        :math:`\eta`.
    theta : float
        One minus the momentum, in (0, 1].
    batch, first_batch : int
        B, and B_0 of the first estimate. Default: 1, and as `batch`.

    Returns
    -------
    Bound
        Terms ``"descent"``, ``"curvature"``, ``"start"``, ``"drift"``, ``"noise"``, in the order of the formula.

    Raises
    ------
    ValueError
        For p < 2, or arguments outside their ranges.

    Notes
    -----
    arXiv 2606.15702, Theorem 1. The constants are derived in the page on theory and may differ from the paper's.

    Examples
    --------
    >>> bound = st.theory.theorem_1(1.0, 1.0, 0.0, 50, p=4, lr=0.2, theta=1.0)
    >>> round(bound.total, 12), bound.dominant
    (0.2, 'descent')
    """
    check_range(p, "p")
    first = check(theta, batch, first_batch, delta=delta, L=L, sigma=sigma, T=T, lr=lr)
    return Bound(ball_terms(delta, L, sigma, T, lr, theta, batch, first))


@checked
def theorem_2(
    delta: float,
    L: float,
    sigma: float,
    T: int,
    *,
    p: float,
    lr: float,
    theta: float,
    batch: int = 1,
    first_batch: int | None = None,
    quantity: Quantity = "gradient",
) -> Bound:
    r"""Return the bound of the average squared dual norm under the regularization rule (Algorithm 2).

    .. math:: \frac1T\sum_{t<T}\mathbb{E}\|\nabla f(X_t)\|_q^2 \le 12\,\frac\Delta{\eta T} + 8v, \qquad
              \frac1T\sum_{t<T}\mathbb{E}\|M_t\|_q^2 \le \frac{16}3\,\frac\Delta{\eta T} + \frac83 v,

    with v of `lemma_10`.

    Parameters
    ----------
    delta, L, sigma, T, p, lr, theta, batch, first_batch
        As for `theorem_1`.
    quantity : {"gradient", "estimate"}
        What is bounded: the gradient, or the estimate :math:`M_t`.

    Returns
    -------
    Bound
        Terms ``"descent"``, ``"start"``, ``"noise"``.

    Raises
    ------
    ValueError
        For p < 2, a learning rate above `largest_lr`, or arguments outside their ranges.

    Notes
    -----
    arXiv 2606.15702, Theorem 2. The constants are derived in the page on theory and may differ from the paper's.

    Examples
    --------
    >>> bound = st.theory.theorem_2(1.0, 1.0, 0.0, 48, p=4, lr=0.5, theta=1.0)
    >>> round(bound.total, 12)
    0.5
    """
    check_range(p, "p")
    first = check(theta, batch, first_batch, delta=delta, L=L, sigma=sigma, T=T, lr=lr)
    # A rate computed from the same formula in another order may exceed the cap by rounding.
    if L > 0 and lr > largest_lr(L, theta) * (1 + 1e-12):
        raise ValueError(
            f"lr must be at most {largest_lr(L, theta):g} for L = {L:g} and theta = {theta:g}, got {lr:g}"
        )
    check_choice("quantity", quantity, FACTORS)
    return Bound(regularization_terms(delta, sigma, T, lr, theta, batch, first, FACTORS[quantity]))


@checked
def theorem_3(
    delta: float,
    L: float,
    sigma: float,
    T: int,
    *,
    norm: MixedNorm,
    lr: float,
    theta: float,
    batch: int = 1,
    first_batch: int | None = None,
) -> Bound:
    """Return the bound for many blocks under the ball rule (Algorithm 3): that of `theorem_1` with mixed norms.

    Parameters
    ----------
    delta, L, sigma, T, lr, theta, batch, first_batch
        As for `theorem_1`, `L` and `sigma` in the mixed norm.
    norm : MixedNorm
        Schatten norms with p >= 2, and outer exponent r >= 2.

    Returns
    -------
    Bound

    Raises
    ------
    ValueError
        For exponents below 2, norms other than Schatten's, or arguments outside their ranges.

    Notes
    -----
    arXiv 2606.15702, Theorem 3.

    Examples
    --------
    >>> mix = st.MixedNorm({"a": st.Schatten(4), "b": st.Spectral()}, outer=np.inf)
    >>> round(st.theory.theorem_3(1.0, 1.0, 0.0, 50, norm=mix, lr=0.2, theta=1.0).total, 12)
    0.2
    """
    check_range(norm)
    return theorem_1(delta, L, sigma, T, p=2, lr=lr, theta=theta, batch=batch, first_batch=first_batch)


@checked
def theorem_4(
    delta: float,
    L: float,
    sigma: float,
    T: int,
    *,
    norm: MixedNorm,
    lr: float,
    theta: float,
    batch: int = 1,
    first_batch: int | None = None,
    quantity: Quantity = "gradient",
) -> Bound:
    """Return the bound for many blocks under the regularization rule (Algorithm 4): `theorem_2` with mixed norms.

    Parameters
    ----------
    delta, L, sigma, T, lr, theta, batch, first_batch, quantity
        As for `theorem_2`, `L` and `sigma` in the mixed norm.
    norm : MixedNorm
        Schatten norms with p >= 2, and outer exponent r >= 2.

    Returns
    -------
    Bound

    Raises
    ------
    ValueError
        For exponents below 2, norms other than Schatten's, a learning rate above `largest_lr`, or arguments outside
        their ranges.

    Notes
    -----
    arXiv 2606.15702, Theorem 4.

    Examples
    --------
    >>> mix = st.MixedNorm({"a": st.Schatten(4), "b": st.Spectral()}, outer=2)
    >>> round(st.theory.theorem_4(1.0, 1.0, 0.0, 48, norm=mix, lr=0.5, theta=1.0).total, 12)
    0.5
    """
    check_range(norm)
    return theorem_2(
        delta, L, sigma, T, p=2, lr=lr, theta=theta, batch=batch, first_batch=first_batch, quantity=quantity
    )
