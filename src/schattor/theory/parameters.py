"""Learning rate, momentum and first batch from the explicit bounds."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from .._edge.arguments import checked
from .._edge.values import NON_NEGATIVE, POSITIVE, check_choice, check_count
from .theorems import ball_terms, largest_lr, regularization_terms
from .tracking import WEIGHT, Bound, Terms

Rule: TypeAlias = Literal["ball", "regularization"]

_GRID = 201
_GOLDEN = (math.sqrt(5) - 1) / 2


@dataclass(frozen=True)
class RunParameters:
    """Parameters of a run, and what the theorem promises for them.

    Attributes
    ----------
    rule : {"ball", "regularization"}
    lr : float
        The learning rate.
    theta : float
        The weight of the newest gradient in the estimate.
    batch, first_batch : int
        Samples of each gradient, and of the first.
    steps : int
        The number of steps.
    bound : Bound
        Of the average dual norm of the gradient (ball), or of its square (regularization).
    """

    rule: Rule
    lr: float
    theta: float
    batch: int
    first_batch: int
    steps: int
    bound: Bound

    @property
    def momentum(self) -> float:
        """1 - theta, as `Schattor` takes it."""
        return 1 - self.theta

    @property
    def dominant(self) -> str:
        """The name of the largest term of the bound."""
        return self.bound.dominant


@dataclass(frozen=True)
class _Setting:
    """A bound as a function of theta, at the best learning rate for it."""

    rule: Rule
    delta: float
    L: float
    sigma: float
    T: int
    batch: int
    first: int

    def lr(self, theta: float) -> float:
        if self.rule == "regularization":
            return largest_lr(self.L, theta)
        return best_lr(self.delta, self.L, self.T, theta)

    def terms(self, theta: float) -> Terms:
        if self.rule == "regularization":
            return regularization_terms(
                self.delta, self.sigma, self.T, self.lr(theta), theta, self.batch, self.first
            )
        return ball_terms(
            self.delta, self.L, self.sigma, self.T, self.lr(theta), theta, self.batch, self.first
        )

    def total(self, theta: float) -> float:
        return sum(self.terms(theta).values())

    def least_theta(self) -> float:
        """Below it the terms without noise alone exceed the bound at theta = 1."""
        scale = self.total(1.0) * self.T / (self.L * self.delta)
        if self.rule == "regularization":
            # sqrt(1 - theta) >= sqrt(1/2) for theta <= 1/2.
            return min(0.5, 24 * math.sqrt(2) / scale)
        return min(1.0, 2 / (self.total(1.0) * scale / 4 + 1.5))

    def best_theta(self) -> float:
        return 1.0 if self.sigma == 0 else _minimum(self.total, self.least_theta())

    def parameters(self, theta: float) -> RunParameters:
        return RunParameters(
            self.rule, self.lr(theta), theta, self.batch, self.first, self.T, Bound(self.terms(theta))
        )


@checked
def parameters(
    delta: float,
    L: float,
    sigma: float,
    T: int,
    batch: int = 1,
    rule: Rule = "ball",
    *,
    first_batch: int | None = None,
) -> RunParameters:
    r"""Return the parameters that minimise the explicit bound of Theorem 1 or 2 (3 or 4 with mixed norms).

    The learning rate has a closed form for each theta: `best_lr` for the ball rule, `largest_lr` for the regularization
    rule. theta is found by a grid and golden sections. The first estimate may take several batches: with
    :math:`B_0 = kB` and T B samples in all, T + 1 - k steps are left.

    Parameters
    ----------
    delta : float
        The loss at the start minus its infimum, positive.
    L : float
        Lipschitz constant of the gradient in the geometry of the run, positive.
    sigma : float
        Variance proxy in that geometry; see `variance_proxy`.
    T : int
        Number of batches.
    batch : int
        B.
    rule : {"ball", "regularization"}
    first_batch : int, optional
        B_0, which then costs nothing: T steps are made. By default k is chosen.

    Returns
    -------
    RunParameters

    Raises
    ------
    ValueError
        For arguments outside their ranges.

    Notes
    -----
    arXiv 2606.15702, Theorems 1 to 4. Their ranges p >= 2 and r >= 2 are those of `sigma`.

    Examples
    --------
    >>> chosen = st.theory.parameters(delta=1.0, L=1.0, sigma=0.5, T=1000, batch=4)
    >>> round(chosen.lr, 4), round(chosen.momentum, 3), chosen.first_batch, chosen.dominant
    (0.0119, 0.766, 20, 'noise')
    """
    _check(delta, L, sigma, T, batch, rule)
    if first_batch is not None:
        check_count("first_batch", first_batch, least=1)
        fixed = _Setting(rule, delta, L, sigma, T, batch, first_batch)
        return fixed.parameters(fixed.best_theta())

    def best(k: int) -> RunParameters:
        setting = _Setting(rule, delta, L, sigma, T + 1 - k, batch, k * batch)
        return setting.parameters(setting.best_theta())

    return best(1 if sigma == 0 else _integer_minimum(lambda k: best(k).bound.total, T))


@checked
def closed_form(
    delta: float,
    L: float,
    sigma: float,
    T: int,
    batch: int = 1,
    rule: Rule = "ball",
    *,
    first_batch: int | None = None,
) -> RunParameters:
    r"""Return the parameters of the closed form, which is within a constant of the best.

    .. math:: \theta = \min\Bigl\{1, \sqrt{\frac{L\Delta B}{\sigma^2 T}}\Bigr\}, \qquad
              B_0 = \max\Bigl\{B, \frac B{\theta^3T^2}\Bigr\} \text{ (ball)}, \quad
              \max\Bigl\{B, \frac B{\theta^2T}\Bigr\} \text{ (regularization)},

    with the learning rate `best_lr` or `largest_lr`. T steps are made. With that first batch the noise of the first
    estimate is of the order of the others', and no other theta has a bound lower than this one over 1.33 (ball) or 1.52
    (regularization).

    Parameters
    ----------
    delta, L, sigma, T, batch, rule
        As for `parameters`.
    first_batch : int, optional
        Default: the formula, rounded up.

    Returns
    -------
    RunParameters

    Examples
    --------
    >>> round(st.theory.closed_form(1.0, 1.0, 0.5, 1000, batch=4).theta, 4)
    0.1265
    """
    _check(delta, L, sigma, T, batch, rule)
    theta = 1.0 if sigma == 0 else min(1.0, math.sqrt(L * delta * batch / T) / sigma)
    spread = theta**2 * T if rule == "regularization" else theta**3 * T**2
    first = max(batch, math.ceil(batch / spread)) if first_batch is None else first_batch
    check_count("first_batch", first, least=1)
    return _Setting(rule, delta, L, sigma, T, batch, first).parameters(theta)


@checked
def best_lr(delta: float, L: float, T: int, theta: float) -> float:
    r"""Return the learning rate that minimises the bound of Theorem 1 for a given theta.

    .. math:: \eta = \sqrt{\frac{\Delta}{TL\,\bigl(\frac12 + \frac{2(1-\theta)}\theta\bigr)}}

    Parameters
    ----------
    delta, L : float
        Positive.
    T : int
    theta : float
        In (0, 1].

    Returns
    -------
    float

    Examples
    --------
    >>> st.theory.best_lr(1.0, 2.0, 100, 1.0)
    0.1
    """
    POSITIVE.check("delta", delta)
    POSITIVE.check("L", L)
    WEIGHT.check("theta", theta)
    check_count("T", T, least=1)
    return math.sqrt(delta / (T * L * (0.5 + 2 * (1 - theta) / theta)))


@checked
def rate(delta: float, L: float, sigma: float, T: int, batch: int = 1, rule: Rule = "ball") -> Bound:
    r"""Return the leading terms of the bounds at the best parameters, without constants.

    :math:`\sqrt{L\Delta/T} + (L\Delta\sigma^2/(BT))^{1/4}` for the dual norm of the gradient under the ball rule,
    :math:`L\Delta/T + \sigma\sqrt{L\Delta/(BT)}` for its square under the regularization rule. No dimension appears.

    With a large first batch the least bound is no more than 4 (ball) and :math:`16\sqrt6 \approx 39` times
    (regularization) their sum, and approaches that for large T; without noise it is :math:`\sqrt2` and 24 times.

    Parameters
    ----------
    delta, L, sigma, T, batch, rule
        As for `parameters`.

    Returns
    -------
    Bound
        Terms ``"descent"`` and ``"noise"``.

    Examples
    --------
    >>> st.theory.rate(1.0, 1.0, 1.0, 10**4).terms
    {'descent': 0.01, 'noise': 0.1}
    """
    _check(delta, L, sigma, T, batch, rule)
    terms = {"descent": L * delta / T, "noise": sigma * math.sqrt(L * delta / (batch * T))}
    return Bound(terms if rule == "regularization" else {k: math.sqrt(x) for k, x in terms.items()})


def _check(delta: float, L: float, sigma: float, T: int, batch: int, rule: str) -> None:
    POSITIVE.check("delta", delta)
    POSITIVE.check("L", L)
    NON_NEGATIVE.check("sigma", sigma)
    check_count("T", T, least=1)
    check_count("batch", batch, least=1)
    check_choice("rule", rule, ("ball", "regularization"))


def _minimum(f: Callable[[float], float], low: float) -> float:
    """Return where f is least on [low, 1]: the best point of a geometric grid, then golden sections beside it."""
    grid: list[float] = np.geomspace(low, 1, _GRID).tolist()
    i = min(range(_GRID), key=lambda j: f(grid[j]))
    a, b = (math.log(grid[j]) for j in (max(i - 1, 0), min(i + 1, _GRID - 1)))
    while b - a > 1e-9:
        c, d = b - _GOLDEN * (b - a), a + _GOLDEN * (b - a)
        a, b = (a, d) if f(math.exp(c)) < f(math.exp(d)) else (c, b)
    return min(grid[i], min(1.0, math.exp((a + b) / 2)), key=f)


def _integer_minimum(f: Callable[[int], float], high: int) -> int:
    """Return where f is least on 1, .., high: the best point of a geometric grid, then a finer one beside it."""
    low = 1
    values: dict[int, float] = {}
    while True:
        ends = np.geomspace(low, high, 17)
        grid = sorted({low, high, *np.clip(ends.round().astype(int), low, high).tolist()})
        for k in grid:
            values.setdefault(k, f(k))
        i = min(range(len(grid)), key=lambda j: values[grid[j]])
        low, high = grid[max(i - 1, 0)], grid[min(i + 1, len(grid) - 1)]
        if high - low <= 2:
            return min(values, key=values.__getitem__)
