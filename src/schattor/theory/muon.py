"""Rates of Muon and of gradient descent without noise (arXiv 2505.23737)."""

from __future__ import annotations

import math
from dataclasses import dataclass

from .._edge.arguments import checked
from .._edge.values import POSITIVE, check_count


@dataclass(frozen=True)
class Rate:
    """A learning rate, and the bound that it reaches.

    Attributes
    ----------
    lr : float
    bound : float
    """

    lr: float
    bound: float


def _check(T: int, **numbers: float) -> None:
    for name, value in numbers.items():
        POSITIVE.check(name, value)
    check_count("T", T, least=1)


@checked
def muon_nonconvex(delta: float, L: float, T: int) -> Rate:
    r"""Return the best constant learning rate of Muon, and the bound of the gradients' nuclear norm.

    From :math:`f(X_{t+1}) \le f(X_t) - \eta\|g_t\|_* + L\eta^2/2`,

    .. math:: \min_{t<T}\|g_t\|_* \le \frac1T\sum_{t<T}\|g_t\|_* \le \sqrt{\frac{2L\Delta}T}, \qquad
              \eta = \sqrt{\frac{2\Delta}{LT}} .

    Parameters
    ----------
    delta : float
        The loss at the start minus its infimum.
    L : float
        Lipschitz constant from the spectral to the nuclear norm. For a quadratic the mean of the curvatures
        :math:`J_t = \langle UV^\top, H[UV^\top]\rangle` along the run will do, which is smaller.
    T : int
        Number of steps, without momentum.

    Returns
    -------
    Rate

    Notes
    -----
    The rate of Shen et al. (arXiv 2505.23737) with its constant; it is Theorem 1 at theta = 1 without noise, and holds
    in any other geometry with that one's dual norm and L.

    Examples
    --------
    >>> rate = st.theory.muon_nonconvex(2.0, 1.0, 100)
    >>> rate.lr, rate.bound
    (0.2, 0.2)
    """
    _check(T, delta=delta, L=L)
    return Rate(math.sqrt(2 * delta / (L * T)), math.sqrt(2 * L * delta / T))


@checked
def gradient_descent_nonconvex(delta: float, L: float, T: int) -> Rate:
    r"""Return the learning rate 1/L of gradient descent, and the bound of the gradients' Frobenius norm.

    .. math:: \min_{t<T}\|g_t\|_F \le \sqrt{\frac1T\sum_{t<T}\|g_t\|_F^2} \le \sqrt{\frac{2L\Delta}T}

    Parameters
    ----------
    delta : float
        The loss at the start minus its infimum.
    L : float
        Lipschitz constant in the Frobenius norm.
    T : int
        Number of steps.

    Returns
    -------
    Rate

    Examples
    --------
    >>> st.theory.gradient_descent_nonconvex(2.0, 1.0, 100).bound
    0.2
    """
    _check(T, delta=delta, L=L)
    return Rate(1 / L, math.sqrt(2 * L * delta / T))


@checked
def muon_star_convex(delta: float, L: float, diameter: float, T: int) -> Rate:
    r"""Return the best constant learning rate of Muon on a star-convex function, and the bound of the last loss.

    With :math:`f(X) - f^* \le \langle g, X - X^*\rangle \le D\,\|g\|_*`,

    .. math:: f(X_T) - f^* \le \Bigl(1 - \frac\eta D\Bigr)^{T}\Delta + \frac{\eta DL}2
              \le \frac{D^2L}{2T}\Bigl(1 + \log\frac{2T\Delta}{D^2L}\Bigr), \qquad
              \eta = \frac DT\log\frac{2T\Delta}{D^2L} ,

    for a logarithm in [0, T].

    Parameters
    ----------
    delta : float
        The loss at the start minus its infimum.
    L : float
        Lipschitz constant from the spectral to the nuclear norm. For a quadratic the largest curvature
        :math:`J_t = \langle UV^\top, H[UV^\top]\rangle` along the run will do, which is smaller.
    diameter : float
        D, no less than the spectral norm of :math:`X_t - X^*` at any step.
    T : int
        Number of steps, without momentum.

    Returns
    -------
    Rate

    Raises
    ------
    ValueError
        When the logarithm is not in (0, T]: then T is too small for this rate.

    Notes
    -----
    The rate of Shen et al. (arXiv 2505.23737) with constants derived here.

    Examples
    --------
    >>> rate = st.theory.muon_star_convex(1.0, 1.0, 1.0, 100)
    >>> round(rate.lr, 4), round(rate.bound, 4)
    (0.053, 0.0315)
    """
    _check(T, delta=delta, L=L, diameter=diameter)
    logarithm = math.log(2 * T * delta / (diameter**2 * L))
    if not 0 < logarithm <= T:
        raise ValueError(
            f"log(2 T delta / (diameter^2 L)) must be in (0, T], got {logarithm:g}: there is no such learning rate"
        )
    lr = diameter * logarithm / T
    return Rate(lr, math.exp(-logarithm) * delta + lr * diameter * L / 2)


@checked
def gradient_descent_star_convex(L: float, distance: float, T: int) -> Rate:
    r"""Return the learning rate 1/L of gradient descent, and the bound of the last loss on a star-convex function.

    From :math:`f(X_{t+1}) \le f(X_t) - \|g_t\|_F^2/(2L)` and :math:`f(X_t) - f^* \le R\,\|g_t\|_F`,

    .. math:: f(X_T) - f^* \le \frac{2LR^2}T .

    Parameters
    ----------
    L : float
        Lipschitz constant in the Frobenius norm.
    distance : float
        R, no less than the Frobenius norm of :math:`X_t - X^*` at any step; at the start, if the function is convex.
    T : int
        Number of steps.

    Returns
    -------
    Rate

    Examples
    --------
    >>> st.theory.gradient_descent_star_convex(1.0, 1.0, 100).bound
    0.02
    """
    _check(T, L=L, distance=distance)
    return Rate(1 / L, 2 * L * distance**2 / T)
