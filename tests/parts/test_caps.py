"""Caps on the sides of metrics: what is left out has the identity."""

from __future__ import annotations

import numpy as np
import pytest

import schattor as st

RNG = np.random.default_rng(4)
SHAPES = [(6, 3), (3, 6)]


def power(S: np.ndarray, exponent: float) -> np.ndarray:
    """A power of a positive definite matrix."""
    values, vectors = np.linalg.eigh(S)
    return (vectors * values**exponent) @ vectors.T


@pytest.mark.parametrize("shape", SHAPES)
def test_shampoo_of_one_side(shape: tuple[int, int]) -> None:
    """The side that is left has the power -1/2, so that steps keep ignoring the scale of the gradients."""
    W, eps = np.zeros(shape), 1e-3
    opt = st.Shampoo({"W": W}, lr=0.1, betas=(0.0, 1.0), eps=eps, max_precond_dim=3)
    wanted, S = np.zeros(shape), np.zeros((3, 3))
    for _ in range(4):
        G = RNG.standard_normal(shape)
        opt.step({"W": G})
        S += G.T @ G if shape[1] == 3 else G @ G.T
        root = power(S + eps * np.eye(3), -0.5)
        wanted -= 0.1 * (G @ root if shape[1] == 3 else root @ G)
    np.testing.assert_allclose(opt.params["W"], wanted, rtol=0, atol=1e-13)


@pytest.mark.parametrize("shape", SHAPES)
def test_kfac_of_one_side(shape: tuple[int, int]) -> None:
    """The other factor is I, without damping."""
    opt = st.KFAC(
        {"W": np.zeros(shape)}, lr=0.1, momentum=0.0, beta=0.0, damping=0.04, precondition_frequency=1,
        max_precond_dim=3,
    )  # fmt: skip
    G, a, d = (
        RNG.standard_normal(shape),
        RNG.standard_normal((7, shape[1])),
        RNG.standard_normal((7, shape[0])),
    )
    opt.step({"W": G}, activations={"W": a}, deltas={"W": d})
    x = a if shape[1] == 3 else d
    inverse = np.linalg.inv(x.T @ x / 7 + 0.2 * np.eye(3))
    wanted = -0.1 * (G @ inverse if shape[1] == 3 else inverse @ G)
    np.testing.assert_allclose(opt.params["W"], wanted, rtol=0, atol=1e-14)


@pytest.mark.parametrize("shape", [*SHAPES, (7,)])
def test_no_side_at_all(shape: tuple[int, ...]) -> None:
    """Shampoo leaves the momentum, Eigen-Adam and SOAP are Adam, Newton-Muon is Muon."""
    r, gradients = st.recipes, [RNG.standard_normal(shape) for _ in range(3)]
    pairs = [
        (r.shampoo(lr=0.1, max_precond_dim=2), r.sgd(lr=0.1)),
        (r.eigen_adam(lr=0.1, max_precond_dim=2), r.adam(lr=0.1)),
        (
            r.soap(lr=0.1, max_precond_dim=2, skip_first=False, weight_decay=0.0),
            st.Recipe(
                "adam", 0.1, st.Lp(2), st.estimators.EMA(0.95, "zero"),
                preconditioner=st.parts.Diagonal(
                    st.parts.Squares(0.95), st.parts.DebiasedOutside(0.95, 1e-8, 0.95)
                ),
                scaling=st.parts.NormScaling("regularization"),
            ),
        ),
    ]  # fmt: skip
    for capped, plain in pairs[1:]:
        one, two = (st.Optimizer({"W": np.zeros(shape)}, recipe) for recipe in (capped, plain))
        for G in gradients:
            one.step({"W": G})
            two.step({"W": G})
        np.testing.assert_allclose(one.params["W"], two.params["W"], rtol=1e-13)
    if len(shape) == 2:
        one = st.NewtonMuon({"W": np.zeros(shape)}, lr=0.1, max_precond_dim=2, precondition_frequency=1)
        two = st.Muon({"W": np.zeros(shape)}, lr=0.1, scale="max_dim")
        for G in gradients:
            one.step({"W": G}, activations={"W": RNG.standard_normal((5, shape[1]))})
            two.step({"W": G})
        np.testing.assert_allclose(one.params["W"], two.params["W"], rtol=1e-13)
    left = st.Optimizer({"W": np.zeros(shape)}, pairs[0][0])
    M = np.zeros(shape)
    W = np.zeros(shape)
    for t, G in enumerate(gradients, start=1):
        left.step({"W": G})
        M = 0.9 * M + 0.1 * G
        W -= 0.1 * M / (1 - 0.9**t)
    np.testing.assert_allclose(left.params["W"], W, rtol=1e-13)


def test_the_cap_itself_is_let_in() -> None:
    """A side as long as the cap has its matrix."""
    opt = st.Shampoo({"W": np.zeros((5, 3))}, lr=0.1, max_precond_dim=5)
    assert opt.state_dict()["state/W/left_factor"].shape == (5, 5)


@pytest.mark.parametrize("value", [-1, 2.5, "3"])
def test_bad_caps(value: object) -> None:
    """Whole numbers from zero on."""
    for function in (st.recipes.shampoo, st.recipes.soap, st.recipes.eigen_adam, st.recipes.kfac):
        with pytest.raises((TypeError, ValueError), match="max_precond_dim"):
            function(lr=0.1, max_precond_dim=value)
