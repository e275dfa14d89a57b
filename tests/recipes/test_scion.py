"""Scion against the literal rule, and the identities that tie it to other methods."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from reference import recipes

import schattor as st

SHAPES = [(6, 4), (4, 6), (5, 5)]


def polar(M: np.ndarray) -> np.ndarray:
    """The polar factor."""
    U, _, Vt = np.linalg.svd(M, full_matrices=False)
    return U @ Vt


NORMS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "spectral": lambda M: polar(M) * np.sqrt(M.shape[0] / M.shape[1]),
    "sign": lambda M: np.sign(M) / M.shape[1],
    "column": lambda M: recipes.lines_to_length_one(M, 0) * np.sqrt(M.shape[0]),
    "row": lambda M: recipes.lines_to_length_one(M, 1) / np.sqrt(M.shape[1]),
    "bias_rms": lambda M: M / np.linalg.norm(M) * np.sqrt(M.shape[0]),
}


def problem(shape: tuple[int, ...], seed: int = 0) -> tuple[np.ndarray, list[np.ndarray]]:
    """Weights and gradients."""
    rng = np.random.default_rng(seed)
    return rng.standard_normal(shape), [rng.standard_normal(shape) for _ in range(20)]


def path(optimizer: type[st.Optimizer], shape: tuple[int, ...], **arguments: Any) -> list[np.ndarray]:
    """Weights after each step."""
    W, gradients = problem(shape)
    opt = optimizer(W, **arguments)
    result = []
    for G in gradients:
        opt.step(G)
        result.append(W.copy())
    return result


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("constrained", [False, True])
def test_literal_rule(constrained: bool, shape: tuple[int, int], norm: str) -> None:
    """Every norm with its factor, both kinds of step."""
    arguments = {"lr": lambda t: 0.1 / (1 + t), "radius": 2.5, "momentum": 0.7, "constrained": constrained}
    expected = recipes.scion(*problem(shape), normalized=NORMS[norm], **arguments).weights
    got = path(st.Scion, shape, norm=norm, backend="svd", **arguments)
    np.testing.assert_allclose(got, expected, rtol=0, atol=1e-12)


def test_unconstrained_spectral_is_muon() -> None:
    """With sqrt(m/n), an average and no Nesterov."""
    for shape in SHAPES:
        muon = path(st.Muon, shape, lr=0.06, momentum=0.9, nesterov=False, scale="spectral")
        np.testing.assert_allclose(path(st.Scion, shape, lr=0.02, radius=3.0), muon, rtol=0, atol=1e-13)


def test_sign_norm_is_signum() -> None:
    """Signum with lr / n."""
    for m, n in SHAPES:
        signum = path(st.Signum, (m, n), lr=0.3 / n, momentum=0.9)
        np.testing.assert_allclose(path(st.Scion, (m, n), lr=0.3, norm="sign"), signum, rtol=0, atol=1e-14)


@pytest.mark.parametrize("norm", NORMS)
def test_constrained_steps_stay_in_the_ball(norm: str) -> None:
    """With an exact oracle and lr <= 1; at lr = 1 each step ends at the oracle's vertex."""
    geometry = {
        "spectral": st.Spectral(),
        "sign": st.Sign(),
        "column": st.ColumnNorm(),
        "row": st.RowNorm(),
        "bias_rms": st.Lp(2.0),
    }[norm]
    m, n = 6, 4
    factor = {"spectral": (m / n) ** 0.5, "sign": 1 / n, "column": m**0.5, "row": n**-0.5, "bias_rms": m**0.5}
    radius = 2.0 * factor[norm]
    W, gradients = problem((m, n))
    W *= radius / geometry.norm(W)
    opt = st.Scion(
        W, lr=lambda t: 0.3 if t < 10 else 1.0, norm=norm, radius=2.0, constrained=True, backend="svd"
    )
    for t, G in enumerate(gradients):
        opt.step(G)
        assert geometry.norm(W) <= radius * (1 + 1e-12)
        if t >= 10:
            assert geometry.norm(W) == pytest.approx(radius, rel=1e-12)


def test_layers_by_routes() -> None:
    """Each layer has its own norm and radius."""
    shapes = {"embed": (4, 7), "W": (4, 4), "b": (4,), "head": (7, 4)}
    rng = np.random.default_rng(1)
    params = {name: np.zeros(shape) for name, shape in shapes.items()}
    scion = st.recipes.scion
    routes = {
        "embed": scion(lr=1.0, norm="column"),
        "b": scion(lr=1.0, norm="bias_rms"),
        "head": scion(lr=1.0, norm="sign", radius=30.0),
        "*": scion(lr=1.0, radius=5.0),
    }
    opt = st.Optimizer(params, routes, backend="auto")
    opt.step({name: rng.standard_normal(shape) for name, shape in shapes.items()})
    np.testing.assert_allclose(np.linalg.norm(params["embed"], axis=0), 2.0)
    np.testing.assert_allclose(np.sqrt((params["b"] ** 2).mean()), 1.0)
    np.testing.assert_allclose(np.abs(params["head"]), 30.0 / 4)
    assert 2.0 < np.linalg.norm(params["W"], 2) < 6.5


@pytest.mark.parametrize(
    "arguments", [{"norm": "auto"}, {"radius": 0.0}, {"radius": -1.0}, {"momentum": 1.0}, {"lr": -1.0}]
)
def test_values_outside_their_ranges(arguments: dict[str, Any]) -> None:
    """One clear error at construction."""
    with pytest.raises(ValueError, match="must be"):
        st.Scion(np.zeros((2, 2)), **arguments)
