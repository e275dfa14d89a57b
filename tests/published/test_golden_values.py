"""Printed values of torch's optimizers on one scalar, and of matrix maps on one small matrix."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import schattor as st

GRADIENTS = [1.0, 0.1, -2.0, 0.5, 1.0, -0.3, 0.7, 2.0]
STORED_STEPS = (1, 2, 3, 5, 8)
HALF_UNIT = 0.5e-6 * (1 + 1e-9)

# W_0 = 1, lr = 0.1, the gradients above whatever W is; computed by torch.optim in float64, six decimals.
SCALAR: list[tuple[str, dict[str, Any], tuple[float, ...]]] = [
    ("Adam", {"weight_decay": 0.0}, (0.900000, 0.825919, 0.857319, 0.857544, 0.794066)),
    (
        "Adam, L2 0.1",
        {"weight_decay": 0.1, "decay": "l2"},
        (0.900000, 0.821301, 0.845945, 0.830905, 0.744957),
    ),
    ("AdamW, decay 0.1", {"weight_decay": 0.1}, (0.890000, 0.807019, 0.830349, 0.813926, 0.726529)),
    (
        "Adam, beta2 0.9",
        {"weight_decay": 0.0, "betas": (0.9, 0.9)},
        (0.900000, 0.823949, 0.854388, 0.854527, 0.791660),
    ),
]


@pytest.mark.parametrize(
    ("arguments", "expected"), [row[1:] for row in SCALAR], ids=[row[0] for row in SCALAR]
)
def test_adam_on_a_scalar(arguments: dict[str, Any], expected: tuple[float, ...]) -> None:
    """Half a unit of the last printed digit, on a scalar, a vector and inside a matrix."""
    for shape in ((), (1,), (2, 3)):
        W = np.ones(shape)
        opt = st.AdamW([W], lr=0.1, **arguments)
        values = []
        for g in GRADIENTS:
            opt.step([np.full(shape, g)])
            values.append(W.copy())
        for t, value in zip(STORED_STEPS, expected, strict=True):
            assert np.abs(values[t - 1] - value).max() <= HALF_UNIT


G = np.array([[1.0, 2.0, 2.0], [3.0, -1.0, 4.0]])
SIGMA = (5.466207, 2.262870)
POLAR = np.array([[0.11892, 0.89682, 0.42612], [0.57642, -0.41180, 0.70580]])


def test_polar_factor_of_a_matrix() -> None:
    """Muon with the SVD and Schattor at p = inf move along the printed polar factor; PolarGrad times the norm."""
    half_unit = 0.5e-5 * (1 + 1e-9)
    for optimizer, arguments in (
        (st.Muon, {"backend": "svd"}),
        (st.Schattor, {"p": np.inf}),
    ):
        D = optimizer([np.zeros((2, 3))], lr=1.0, **arguments).update([G])[0]
        assert np.abs(-D - POLAR).max() <= half_unit
    D = st.PolarGrad([np.zeros((2, 3))], lr=1.0, momentum=0.0).update([G])[0]
    nuclear = sum(SIGMA)
    assert np.abs(-D - nuclear * POLAR).max() <= nuclear * half_unit + 1e-6


def test_report_has_the_printed_norms() -> None:
    """The dual norms of the first step at p = inf and p = 1 are the sum and the largest of the singular values."""
    for p, expected in ((np.inf, sum(SIGMA)), (1.0, SIGMA[0]), (2.0, np.hypot(*SIGMA))):
        opt = st.Schattor([np.zeros((2, 3))], p=p, lr=1.0)
        opt.step([G])
        assert opt.report["0"].dual_norm == pytest.approx(expected, abs=1.1e-6)
