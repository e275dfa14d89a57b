"""Parameters that minimise the bounds: against dense grids of the literal formulas."""

from __future__ import annotations

import math

import numpy as np
import pytest

import schattor as st

T = st.theory
SETTINGS = [
    (1.0, 1.0, 0.3, 40, 1),
    (5.0, 0.1, 2.0, 40, 4),
    (0.2, 30.0, 100.0, 60, 8),
    (1.0, 1.0, 1e-3, 30, 2),
    (1.0, 1.0, 1.0, 2, 1),
    (1e-6, 1e6, 1e3, 50, 3),
]


def literal(rule, delta, L, sigma, steps, eta, theta, B, B0):
    """The bounds of Theorems 1 and 2 on arrays; infinite where Theorem 2 does not hold."""
    if rule == "ball":
        return (
            delta / (eta * steps)
            + L * eta / 2
            + 2 * sigma / (np.sqrt(B0) * theta * steps)
            + 2 * L * eta * (1 - theta) / theta
            + 2 * np.sqrt(theta / (2 - theta)) * sigma / np.sqrt(B)
        )
    v = 2 * sigma**2 * (1 / (B0 * theta * (2 - theta) * steps) + theta / (B * (2 - theta)))
    with np.errstate(divide="ignore"):
        cap = np.minimum(1 / (2 * L), theta / (4 * L * np.sqrt(1 - theta)))
    return np.where(eta <= cap, 12 * delta / (eta * steps) + 8 * v, np.inf)


@pytest.mark.parametrize("rule", ["ball", "regularization"])
@pytest.mark.parametrize("setting", SETTINGS)
def test_no_point_of_a_dense_grid_is_better(setting: tuple, rule: str) -> None:
    """400 values of theta, 400 of the learning rate; the grid comes within a per cent, so it is dense enough."""
    delta, L, sigma, steps, B = setting
    for first in (B, 7 * B):
        best = T.parameters(*setting, rule, first_batch=first)
        theta = np.geomspace(1e-4, 1, 400)[:, None]
        eta = best.lr * np.geomspace(1e-2, 1e2, 400)
        grid = literal(rule, delta, L, sigma, steps, eta, theta, B, first).min()
        assert best.bound.total <= grid * (1 + 1e-9)
        assert grid <= best.bound.total * 1.03
        assert best.bound.total == pytest.approx(
            float(literal(rule, delta, L, sigma, steps, best.lr * (1 - 1e-15), best.theta, B, first))
        )
        assert (best.batch, best.first_batch, best.steps) == (B, first, steps)


@pytest.mark.parametrize("rule", ["ball", "regularization"])
@pytest.mark.parametrize("setting", SETTINGS)
def test_no_first_batch_is_better(setting: tuple, rule: str) -> None:
    """Of the budget of T batches every number for the first estimate is tried, with the best theta for it."""
    *constants, steps, B = setting
    best = T.parameters(*setting, rule)
    assert best.first_batch % B == 0
    assert best.steps == steps + 1 - best.first_batch // B
    every = [
        T.parameters(*constants, steps + 1 - k, B, rule, first_batch=k * B).bound.total
        for k in range(1, steps + 1)
    ]
    assert best.bound.total == pytest.approx(min(every), rel=1e-12)


@pytest.mark.parametrize("rule", ["ball", "regularization"])
def test_without_noise(rule: str) -> None:
    """No momentum; sqrt(2 L delta / T), or 24 L delta / T at the rate 1/(2L)."""
    best = T.parameters(2.0, 3.0, 0.0, 100, 5, rule)
    assert (best.theta, best.momentum, best.first_batch, best.steps) == (1, 0, 5, 100)
    expected = math.sqrt(2 * 3 * 2 / 100) if rule == "ball" else 24 * 3 * 2 / 100
    assert best.bound.total == pytest.approx(expected)
    assert best.lr == pytest.approx(math.sqrt(2 * 2 / (3 * 100)) if rule == "ball" else 1 / 6)


@pytest.mark.parametrize("rule", ["ball", "regularization"])
def test_units(rule: str) -> None:
    """A loss in other units, or a parameter in other units, changes the bound and the rate as it must."""
    best = T.parameters(1.0, 2.0, 3.0, 500, 4, rule)
    power, a, b = (1 if rule == "ball" else 2), 7.0, 0.3
    loss = T.parameters(a * 1.0, a * 2.0, a * 3.0, 500, 4, rule)
    assert loss.bound.total == pytest.approx(a**power * best.bound.total)
    assert loss.lr == pytest.approx(best.lr / (1 if rule == "ball" else a), rel=1e-4)
    # X = b X': gradients are b times as large, Hessians b^2 times.
    scaled = T.parameters(1.0, b**2 * 2.0, b * 3.0, 500, 4, rule)
    assert scaled.bound.total == pytest.approx(b**power * best.bound.total)
    assert scaled.lr == pytest.approx(best.lr / (b if rule == "ball" else b**2), rel=1e-4)
    for other in (loss, scaled):
        assert other.theta == pytest.approx(best.theta, rel=1e-4)
        assert other.first_batch == best.first_batch


@pytest.mark.parametrize(
    ("rule", "slope", "descent", "noise"),
    [("ball", -1 / 4, math.sqrt(2), 4), ("regularization", -1 / 2, 24, 16 * math.sqrt(6))],
)
def test_rate(rule: str, slope: float, descent: float, noise: float) -> None:
    """For large T the bound falls as T^(-1/4), its square as T^(-1/2): the leading terms times the stated constants."""
    totals = [T.parameters(1.0, 1.0, 1.0, n, 1, rule).bound.total for n in (10**8, 10**12)]
    assert math.log(totals[1] / totals[0]) / math.log(1e4) == pytest.approx(slope, abs=2e-3)
    for n in (1, 100, 10**6, 10**12):
        for sigma in (0.0, 0.1, 10.0):
            best = T.parameters(1.0, 1.0, sigma, n, 1, rule, first_batch=10**12).bound.total
            leading = T.rate(1.0, 1.0, sigma, n, 1, rule)
            assert leading.total <= best <= noise * leading.total * (1 + 1e-9)
            if sigma == 0:
                assert best == pytest.approx(descent * leading.total)
            if n == 10**12 and sigma > 0:
                assert best == pytest.approx(noise * leading.total, rel=5e-3)
    assert T.rate(1.0, 1.0, 0.0, 100, 1, rule).total == pytest.approx(0.1 if rule == "ball" else 0.01)


@pytest.mark.parametrize(("rule", "constant"), [("ball", 1.33), ("regularization", 1.52)])
def test_closed_form(rule: str, constant: float) -> None:
    """Within the stated constant of the best theta for its first batch, over twelve orders of noise and eight of T."""
    worst = 0.0
    for n in np.unique(np.geomspace(1, 1e8, 9).astype(int)).tolist():
        for sigma in np.geomspace(1e-6, 1e6, 25):
            closed = T.closed_form(1.0, 1.0, float(sigma), n, 4, rule)
            best = T.parameters(1.0, 1.0, float(sigma), n, 4, rule, first_batch=closed.first_batch)
            assert closed.theta == pytest.approx(min(1, math.sqrt(4 / (sigma**2 * n))))
            worst = max(worst, closed.bound.total / best.bound.total)
            assert closed.bound.terms["start"] <= 2 * closed.bound.terms["noise"]
    assert 1 < worst <= constant
    assert T.closed_form(1.0, 1.0, 0.0, 100, 4, rule).theta == 1


def test_dominant_term() -> None:
    """The name of the largest term: noise for much of it, descent for little."""
    assert T.parameters(1.0, 1.0, 10.0, 1000).dominant == "noise"
    assert T.parameters(1.0, 1.0, 1e-6, 1000).dominant in ("descent", "curvature")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0.0, 1.0, 1.0, 10), "delta"),
        ((1.0, 0.0, 1.0, 10), "L must"),
        ((1.0, 1.0, -1.0, 10), "sigma"),
        ((1.0, 1.0, 1.0, 0), "T must"),
        ((1.0, 1.0, 1.0, 10, 0), "batch"),
        ((1.0, 1.0, 1.0, 10, 1, "sphere"), "rule"),
    ],
)
def test_refusals(arguments: tuple, message: str) -> None:
    """Arguments outside their ranges raise, naming the argument."""
    for function in (T.parameters, T.closed_form, T.rate):
        with pytest.raises(ValueError, match=message):
            function(*arguments)
