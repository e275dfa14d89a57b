"""The bounds term by term: against the formulas, between each other, and at the edges of their ranges."""

from __future__ import annotations

import math
from typing import Any

import hypothesis.strategies as hst
import numpy as np
import pytest
from hypothesis import given

import schattor as st

T = st.theory
POSITIVE = hst.floats(1e-3, 1e3)
ARGUMENTS = {
    "delta": POSITIVE,
    "L": POSITIVE,
    "sigma": hst.floats(0, 1e3),
    "T": hst.integers(1, 10**6),
    "lr": hst.floats(1e-4, 1),
    "theta": hst.floats(1e-3, 1),
    "batch": hst.integers(1, 64),
    "first_batch": hst.integers(1, 64),
}


@given(hst.fixed_dictionaries(ARGUMENTS))
def test_terms_of_theorem_1(x: dict[str, Any]) -> None:
    """The five terms, in the order of the formula."""
    terms = T.theorem_1(**x, p=4).terms
    assert list(terms) == ["descent", "curvature", "start", "drift", "noise"]
    eta, theta = x["lr"], x["theta"]
    assert terms["descent"] == pytest.approx(x["delta"] / (eta * x["T"]))
    assert terms["curvature"] == pytest.approx(x["L"] * eta / 2)
    assert terms["start"] == pytest.approx(2 * x["sigma"] / (x["first_batch"] ** 0.5 * theta * x["T"]))
    assert terms["drift"] == pytest.approx(2 * x["L"] * eta * (1 - theta) / theta)
    assert terms["noise"] == pytest.approx(2 * (theta / (2 - theta)) ** 0.5 * x["sigma"] / x["batch"] ** 0.5)


@given(hst.fixed_dictionaries(ARGUMENTS))
def test_terms_of_theorem_2(x: dict[str, Any]) -> None:
    """The three terms for the gradient and for the estimate, at a learning rate below the cap."""
    x["lr"] *= T.largest_lr(x["L"], x["theta"])
    kappa, v = T.lemma_10(**{k: value for k, value in x.items() if k != "delta"})
    theta = x["theta"]
    assert kappa <= (1 + 1e-12) / 8
    expected = 2 * x["sigma"] ** 2 / (2 - theta)
    expected *= 1 / (x["first_batch"] * theta * x["T"]) + theta / x["batch"]
    assert v.total == pytest.approx(expected)
    descent = x["delta"] / (x["lr"] * x["T"])
    for quantity, factors in (("gradient", (12, 8)), ("estimate", (16 / 3, 8 / 3))):
        bound = T.theorem_2(**x, p=np.inf, quantity=quantity)
        assert list(bound.terms) == ["descent", "start", "noise"]
        assert bound.terms["descent"] == pytest.approx(factors[0] * descent)
        assert bound.total == pytest.approx(factors[0] * descent + factors[1] * v.total)


@given(hst.fixed_dictionaries(ARGUMENTS))
def test_theorems_for_many_blocks(x: dict[str, Any]) -> None:
    """Theorems 3 and 4 are 1 and 2 with the constants of the mixed norm."""
    norm = st.MixedNorm({"a": st.Schatten(2), "b": st.Spectral()}, outer=3)
    assert T.theorem_3(**x, norm=norm) == T.theorem_1(**x, p=2)
    x["lr"] *= T.largest_lr(x["L"], x["theta"])
    assert T.theorem_4(**x, norm=norm) == T.theorem_2(**x, p=2)


@given(POSITIVE, POSITIVE, hst.integers(1, 10**6), hst.floats(1e-3, 1))
def test_best_lr(delta: float, L: float, steps: int, theta: float) -> None:
    """Any other learning rate has a larger bound."""
    eta = T.best_lr(delta, L, steps, theta)
    best = T.theorem_1(delta, L, 1.0, steps, p=2, lr=eta, theta=theta).total
    for factor in (0.5, 0.99, 1.01, 2.0):
        assert T.theorem_1(delta, L, 1.0, steps, p=2, lr=factor * eta, theta=theta).total > best * (1 - 1e-14)


def test_largest_lr() -> None:
    """1/(2L) from theta = 2 (sqrt 2 - 1) on, below it theta/(4L sqrt(1 - theta))."""
    corner = 2 * (math.sqrt(2) - 1)
    assert T.largest_lr(2, 1) == T.largest_lr(2, corner + 1e-9) == 0.25
    assert T.largest_lr(2, 0.5) == pytest.approx(0.5 / (8 * math.sqrt(0.5)))
    assert T.largest_lr(2, corner - 1e-9) < 0.25


def test_without_first_batch_it_is_the_others() -> None:
    """Schattor's M_0 is the first gradient, of as many samples as all others."""
    x = {"delta": 1.0, "L": 1.0, "sigma": 1.0, "T": 10, "lr": 0.1, "theta": 0.5, "batch": 9}
    assert T.theorem_1(**x, p=2) == T.theorem_1(**x, p=2, first_batch=9)
    assert T.theorem_1(**x, p=2) != T.theorem_1(**x, p=2, first_batch=1)


GOOD = {"delta": 1.0, "L": 1.0, "sigma": 1.0, "T": 10, "lr": 0.1, "theta": 0.5, "p": 4.0}


@pytest.mark.parametrize("theorem", [T.theorem_1, T.theorem_2])
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"p": 1.9}, r"p must be in \[2, inf\]"),
        ({"p": 1.0}, r"p must be in \[2, inf\]"),
        ({"delta": -1.0}, "delta"),
        ({"L": math.inf}, "L must"),
        ({"sigma": -1.0}, "sigma"),
        ({"T": 0}, "T must be at least 1"),
        ({"lr": 0.0}, "lr"),
        ({"theta": 0.0}, "theta"),
        ({"theta": 1.1}, "theta"),
        ({"batch": 0}, "batch"),
        ({"first_batch": 0}, "first_batch"),
    ],
)
def test_refusals(theorem: Any, changes: dict[str, Any], message: str) -> None:
    """Arguments outside of the range of the theorems raise, naming the argument."""
    with pytest.raises(ValueError, match=message):
        theorem(**(GOOD | changes))


def test_refusals_of_rates_and_norms() -> None:
    """A learning rate above the cap; mixed norms with an exponent below 2 inside or outside."""
    with pytest.raises(ValueError, match="lr must be at most"):
        T.theorem_2(**(GOOD | {"lr": 0.51, "theta": 1.0}))
    with pytest.raises(ValueError, match="quantity"):
        T.theorem_2(**GOOD, quantity="loss")
    arguments = {k: x for k, x in GOOD.items() if k != "p"}
    for theorem in (T.theorem_3, T.theorem_4):
        for p, r, message in ((1.5, 2, "p of block 'a'"), (4, 1.5, "outer")):
            with pytest.raises(ValueError, match=message):
                theorem(**arguments, norm=st.MixedNorm({"a": st.Schatten(p)}, outer=r))
