"""Printed values of torch's optimizers on one scalar, and of matrix maps on one small matrix."""

from __future__ import annotations

import numpy as np
import pytest

import schattor as st

GRADIENTS = [1.0, 0.1, -2.0, 0.5, 1.0, -0.3, 0.7, 2.0]
STORED_STEPS = (1, 2, 3, 5, 8)
HALF_UNIT = 0.5e-6 * (1 + 1e-9)

# W_0 = 1, lr = 0.1, the gradients above whatever W is; computed by the public code in float64, six decimals.
r = st.recipes
SCALAR: list[tuple[str, st.Recipe, tuple[float, ...]]] = [
    ("Adam", r.adam(lr=0.1), (0.900000, 0.825919, 0.857319, 0.857544, 0.794066)),
    ("Adam, L2", r.adam(lr=0.1, weight_decay=0.1), (0.900000, 0.821301, 0.845945, 0.830905, 0.744957)),
    ("AdamW", r.adamw(lr=0.1, weight_decay=0.1), (0.890000, 0.807019, 0.830349, 0.813926, 0.726529)),
    ("Adam, beta2 0.9", r.adam(lr=0.1, betas=(0.9, 0.9)), (0.900000, 0.823949, 0.854388, 0.854527, 0.791660)),
    ("AdaGrad", r.adagrad(lr=0.1), (0.900000, 0.890050, 0.979403, 0.917634, 0.842028)),
    ("RMSprop", r.rmsprop(lr=0.1, alpha=0.9), (0.683772, 0.650623, 0.938728, 0.725264, 0.447003)),
    ("AdaDelta", r.adadelta(), (0.996838, 0.996369, 1.000363, 0.996434, 0.991125)),
    ("AMSGrad", r.amsgrad(lr=0.1, betas=(0.9, 0.9)), (0.900000, 0.827452, 0.857891, 0.857730, 0.795758)),
    ("RAdam", r.radam(lr=0.1, betas=(0.9, 0.9)), (0.900000, 0.847368, 0.887959, 0.888557, 0.865594)),
    ("AdaBelief", r.adabelief(lr=0.1, rectify=False), (0.888889, 0.806166, 0.839740, 0.839979, 0.771097)),
    (
        "AdaBelief, rectified",
        r.adabelief(lr=0.1, betas=(0.9, 0.9)),
        (0.900000, 0.847368, 0.887959, 0.888557, 0.863441),
    ),
    ("Lion", r.lion(lr=0.1, weight_decay=0.1), (0.890000, 0.781100, 0.873289, 0.656911, 0.536410)),
    ("SF-AdamW", r.schedule_free_adamw(lr=0.1), (0.900000, 0.892259, 0.952035, 0.942399, 0.882616)),
]


@pytest.mark.parametrize(("recipe", "expected"), [row[1:] for row in SCALAR], ids=[row[0] for row in SCALAR])
def test_methods_on_a_scalar(recipe: st.Recipe, expected: tuple[float, ...]) -> None:
    """Half a unit of the last printed digit, on a scalar, a vector and inside a matrix."""
    for shape in ((), (1,), (2, 3)):
        W = np.ones(shape)
        opt = st.Optimizer([W], recipe)
        values = []
        for g in GRADIENTS:
            opt.step([np.full(shape, g)])
            values.append(W.copy())
        for t, value in zip(STORED_STEPS, expected, strict=True):
            assert np.abs(values[t - 1] - value).max() <= HALF_UNIT


def test_averages_on_a_scalar() -> None:
    """Schedule-free AdamW after eight steps, SGD after five: y, z and x."""
    opt = st.ScheduleFreeAdamW([np.ones(())], lr=0.1)
    for g in GRADIENTS:
        opt.step([np.full((), g)])
    assert abs(opt.evaluation_params()[0] - 0.903547) <= HALF_UNIT
    W = np.ones(())
    sgd = st.ScheduleFreeSGD([W], lr=0.1)
    for g in GRADIENTS[:5]:
        sgd.step([np.full((), g)])
    for value, printed in (
        (W, 0.9688),
        (sgd.state_dict()["state/0/base"], 0.94),
        (sgd.evaluation_params()[0], 0.972),
    ):
        assert abs(value - printed) <= 0.5e-4


@pytest.mark.parametrize("shape", [(), (1,), (1, 1)])
def test_mars_on_a_scalar(shape: tuple[int, ...]) -> None:
    """MARS with gamma 0.5; the clip is that of the whole block."""
    W = np.ones(shape)
    opt = st.MARS([W], lr=0.1, gamma=0.5)
    values = []
    for g in GRADIENTS:
        opt.step([np.full(shape, g)])
        values.append(W.copy())
    for t, value in zip(STORED_STEPS, (0.900000, 0.902564, 0.939286, 0.916950, 0.873597), strict=True):
        assert np.abs(values[t - 1] - value).max() <= HALF_UNIT


def test_prodigy_on_a_scalar() -> None:
    """d and W after each of six gradients of one, from d = 0.001."""
    W = np.ones(())
    opt = st.Prodigy([W], d0=1e-3)
    d = (0.001, 0.00158153, 0.00482241, 0.0134961, 0.0345097, 0.0885852)
    weights = (0.996838, 0.992588, 0.984826, 0.962290, 0.901890, 0.747453)
    for estimate, weight in zip(d, weights, strict=True):
        opt.step([np.ones(())])
        unit = 10.0 ** (np.floor(np.log10(estimate)) - 5)  # six digits
        assert abs(opt.state_dict()["state/0/d"] - estimate) <= 0.5 * unit * (1 + 1e-6)
        assert abs(W - weight) <= HALF_UNIT


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


def test_shampoo_after_two_gradients() -> None:
    """With sums and pseudo-inverse roots: first the polar factor, then the printed direction."""
    second = np.array([[0.0, 1.0, -1.0], [2.0, 1.0, 0.0]])
    printed = np.array([[-0.01482, 0.30629, -0.28293], [0.53459, 0.19550, -0.09639]])
    opt = st.Shampoo([np.zeros((2, 3))], lr=1.0, betas=(0.0, 1.0), eps=0.0)
    for gradient, expected in ((G, POLAR), (second, printed)):
        assert np.abs(-opt.update([gradient])[0] - expected).max() <= 0.5e-5 * (1 + 1e-9)


def test_first_step_of_eigen_adam() -> None:
    """U sign(V'), as printed."""
    printed = np.array([[-0.52248, 0.52248, 1.31416], [1.31416, -1.31416, 0.52248]])
    D = st.EigenAdam([np.zeros((2, 3))], lr=1.0, eps=0.0).update([G])[0]
    assert np.abs(-D - printed).max() <= 0.5e-5 * (1 + 1e-9)


def test_report_has_the_printed_norms() -> None:
    """The dual norms of the first step at p = inf and p = 1 are the sum and the largest of the singular values."""
    for p, expected in ((np.inf, sum(SIGMA)), (1.0, SIGMA[0]), (2.0, np.hypot(*SIGMA))):
        opt = st.Schattor([np.zeros((2, 3))], p=p, lr=1.0)
        opt.step([G])
        assert opt.report["0"].dual_norm == pytest.approx(expected, abs=1.1e-6)
