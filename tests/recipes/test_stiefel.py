"""Manifold and Intrinsic Muon on the Stiefel manifold: literal rules, tangents, duality, and what they minimise."""

from __future__ import annotations

import itertools
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest
from reference import composites, recipes
from reference.newton_schulz import POLAR_EXPRESS_RAW, with_safety

import schattor as st

STEPS = 8
SHAPES = [(6, 4), (4, 6), (12, 3), (4, 4), (9, 5)]
# Where the least ||G + 2 W L||_* is at a matrix of full rank, so that its polar factor is the solution.
REGULAR = [(12, 3), (3, 12), (20, 8), (4, 4)]
POLAR_EXPRESS = (*with_safety(POLAR_EXPRESS_RAW), (1.875, -1.25, 0.375), (1.875, -1.25, 0.375))


def orthonormal(shape: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """Orthonormal columns or rows."""
    Q = np.linalg.qr(rng.standard_normal((max(shape), min(shape))))[0]
    return np.array(Q if shape[0] >= shape[1] else Q.T, order="C")


def problem(shape: tuple[int, int], seed: int = 0) -> tuple[np.ndarray, list[np.ndarray]]:
    """A point of the manifold and gradients of order one."""
    rng = np.random.default_rng(seed)
    return orthonormal(shape, rng), [rng.standard_normal(shape) for _ in range(STEPS)]


def path(recipe: st.Recipe, W: np.ndarray, gradients: list[np.ndarray], **options: Any) -> np.ndarray:
    """Weights after each step."""
    W = W.copy()
    opt, result = st.Optimizer(W, recipe, **options), []
    for G in gradients:
        opt.step(G)
        result.append(W.copy())
    return np.array(result)


def tangent(recipe: st.Recipe, W: np.ndarray, G: np.ndarray, **options: Any) -> np.ndarray:
    """The direction A before the retraction, uphill."""
    plain = replace(recipe, lr=1.0, update=st.parts.Additive())
    return -np.asarray(st.Optimizer(W.copy(), plain, **options).update(G))


def inner_gram(W: np.ndarray, A: np.ndarray) -> np.ndarray:
    """W'A for tall, W A' for wide."""
    return W.T @ A if W.shape[0] >= W.shape[1] else W @ A.T


def in_units(G: np.ndarray) -> np.ndarray:
    """A gradient at the Frobenius norm of a polar factor."""
    return G * np.sqrt(min(G.shape)) / np.linalg.norm(G)


def falling(step: int) -> float:
    """A schedule."""
    return 0.3 / (1 + step)


r = st.recipes
RECIPES = {"manifold": r.manifold_muon(lr=0.1), "intrinsic": r.intrinsic_muon(lr=0.1)}


# ---------------------------------------------------------------------------------------------- literal rules


@pytest.mark.parametrize("shape", SHAPES[:4], ids=str)
@pytest.mark.parametrize(
    "arguments",
    [{}, {"steps": 7, "step_size": 0.3}, {"steps": 1}, {"lr": falling, "tolerance": 1e-3}],
    ids=str,
)
def test_literal_manifold_muon(arguments: dict[str, Any], shape: tuple[int, int]) -> None:
    """Exact polar factors, and Polar Express as in the code; gradients of any scale are brought to one norm first."""
    W, gradients = problem(shape)
    ascent = {"lr": 0.1, "step_size": 0.1, **arguments}
    for scale, (backend, polar) in itertools.product(
        (1e-3, 1.0, 1e3),
        (
            ("svd", recipes.polar),
            ("auto", partial(recipes.iterate, steps=POLAR_EXPRESS, factor=1.01)),
        ),
    ):
        expected = composites.manifold_muon(
            W, [in_units(G) for G in gradients], orthogonalize=polar, **ascent
        )
        got = path(r.manifold_muon(**ascent), W, [scale * G for G in gradients], backend=backend)
        np.testing.assert_allclose(got, expected.weights, rtol=0, atol=1e-11)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("lr", [0.1, falling], ids=["constant", "falling"])
def test_literal_intrinsic_muon(lr: Any, shape: tuple[int, int]) -> None:
    """Where a part of the gradient has less than full rank, too: rounding errors are no directions."""
    W, gradients = problem(shape)
    expected = composites.intrinsic_muon(W, gradients, lr=lr).weights
    for scale in (1e-3, 1.0, 1e3):
        got = path(r.intrinsic_muon(lr=lr), W, [scale * G for G in gradients])
        np.testing.assert_allclose(got, expected, rtol=0, atol=1e-11)


# ---------------------------------------------------------------------------------------------- the manifold


@pytest.mark.parametrize("name", RECIPES)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_weights_stay_orthonormal(dtype: type, name: str) -> None:
    """After every step, also from weights that are not, in either dtype and however small the shorter side."""
    for shape in [*SHAPES, (5, 1), (1, 5), (3, 3), (40, 30)]:
        rng = np.random.default_rng(1)
        for start in (orthonormal(shape, rng), rng.standard_normal(shape)):
            gradients = [rng.standard_normal(shape).astype(dtype) for _ in range(STEPS)]
            for W in path(RECIPES[name], start.astype(dtype), gradients):
                off = inner_gram(W, W) - np.eye(min(shape))
                assert np.abs(off).max() < 50 * np.finfo(dtype).eps


@pytest.mark.parametrize("name", RECIPES)
def test_what_has_no_tangent_part_moves_nothing(name: str) -> None:
    """A zero gradient leaves any weights; a normal one, G = W S with symmetric S, is rounding noise on the manifold."""
    rng = np.random.default_rng(2)
    for shape in SHAPES:
        loose = rng.standard_normal(shape)
        before = loose.copy()
        st.Optimizer(loose, RECIPES[name]).step(np.zeros(shape))
        np.testing.assert_array_equal(loose, before)
        W = orthonormal(shape, rng)
        S = rng.standard_normal((min(shape),) * 2)
        S = S + S.T
        G = W @ S if shape[0] >= shape[1] else S @ W
        np.testing.assert_array_equal(tangent(RECIPES[name], W, G), 0)


@pytest.mark.parametrize(
    ("name", "shape", "tolerance"),
    [
        *(("intrinsic", shape, 1e-13) for shape in SHAPES),
        *(("manifold", shape, 1e-3) for shape in REGULAR),
    ],
)
def test_directions_are_tangent(name: str, shape: tuple[int, int], tolerance: float) -> None:
    """W'A is skew: to rounding for Intrinsic Muon, to what a hundred steps of dual ascent leave for Manifold Muon."""
    for seed in range(5):
        W, gradients = problem(shape, seed)
        for backend in ("svd", "auto"):
            H = inner_gram(W, tangent(RECIPES[name], W, gradients[0], backend=backend))
            assert np.abs(H + H.T).max() < tolerance


# ---------------------------------------------------------------------------------------------- Manifold Muon


@pytest.mark.parametrize("shape", [*SHAPES, *REGULAR], ids=str)
def test_strong_duality(shape: tuple[int, int]) -> None:
    """<G, A> = ||G + 2 W L||_* at the literal rule's dual point, and no feasible tangent reaches more.

    A lies in the ball exactly. By weak duality every feasible tangent reaches at most the dual value, whose gradient in
    L is W'A + A'W: the two values differ by <L, W'A + A'W>.
    """
    rng = np.random.default_rng(3)
    for seed in range(3):
        W, gradients = problem(shape, seed)
        G = in_units(gradients[0])
        A = tangent(RECIPES["manifold"], W, gradients[0], backend="svd")
        singular = np.linalg.svd(A, compute_uv=False)
        np.testing.assert_allclose(singular[: min(shape) // 2 * 2], 1, rtol=0, atol=1e-13)
        X, Y = (W, G) if shape[0] >= shape[1] else (W.T, G.T)
        L = composites.tangent_oracle(X, Y, 100, 0.1, 1e-6, recipes.polar)[1]
        dual = float(np.linalg.norm(Y + 2 * X @ L, "nuc"))
        H = inner_gram(W, A)
        gap = np.linalg.norm(L) * np.linalg.norm(H + H.T)
        assert abs(float((G * A).sum()) - dual) <= gap + 1e-13
        assert shape not in REGULAR or gap < 1e-3 * dual
        for _ in range(50):
            Z = rng.standard_normal(X.shape)
            B = X.T @ Z
            Z = Z - X @ (B + B.T) / 2
            assert float((Y * Z).sum()) / np.linalg.norm(Z, 2) <= dual * (1 + 1e-12)


def test_steps_of_a_square_matrix_are_those_of_the_rotations() -> None:
    """A = W polar(skew(W'G)), without any ascent: both recipes agree."""
    for n in (4, 6, 5):
        W, gradients = problem((n, n))
        wanted = W @ composites.polar_on_range(composites.skew_part(W.T @ gradients[0]), 10.0)
        for recipe in (r.manifold_muon(steps=1), *RECIPES.values()):
            A = tangent(recipe, W, gradients[0], backend="svd")
            np.testing.assert_allclose(A, wanted, rtol=0, atol=1e-12)


def test_the_retraction_is_a_division() -> None:
    """For a tangent A of full rank with singular values one, those of W - lr A are all sqrt(1 + lr^2)."""
    for shape, lr in itertools.product([(12, 3), (4, 4), (3, 12)], (0.01, 0.5, 3.0)):
        W, gradients = problem(shape)
        recipe = r.manifold_muon(lr=lr, steps=400, step_size=0.2, tolerance=1e-12)
        A = tangent(recipe, W, gradients[0], backend="svd")
        singular = np.linalg.svd(W - lr * A, compute_uv=False)
        np.testing.assert_allclose(singular, np.sqrt(1 + lr**2), rtol=1e-10)
        moved = path(recipe, W, gradients[:1], backend="svd")[0]
        np.testing.assert_allclose(moved, (W - lr * A) / np.sqrt(1 + lr**2), rtol=0, atol=1e-10)


def test_steps_of_the_source() -> None:
    """At the norm that the recipe gives gradients anyway, a step size of 0.01 is the source's rule as it is."""
    W, gradients = problem((12, 3))
    gradients = [in_units(G) for G in gradients]
    expected = composites.manifold_muon(W, gradients).weights
    got = path(r.manifold_muon(step_size=0.01), W, gradients, backend="svd")
    np.testing.assert_allclose(got, expected, rtol=0, atol=1e-11)


# ---------------------------------------------------------------------------------------------- Intrinsic Muon


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_what_intrinsic_muon_reaches(shape: tuple[int, int]) -> None:
    """<G, A> is the sum of the nuclear norms of both parts; the norm of A is at most sqrt(2), which is attained."""
    norms = []
    for seed in range(5):
        W, gradients = problem(shape, seed)
        G, A = gradients[0], tangent(RECIPES["intrinsic"], W, gradients[0])
        turn = composites.skew_part(inner_gram(W, G))
        X, Y = (W, G) if shape[0] >= shape[1] else (W.T, G.T)
        reached = np.linalg.norm(turn, "nuc") + np.linalg.norm(Y - X @ (X.T @ Y), "nuc")
        assert float((G * A).sum()) == pytest.approx(reached, rel=1e-12)
        norms.append(np.linalg.norm(A, 2))
    assert max(norms) <= np.sqrt(2) + 1e-12
    if shape == (12, 3):
        assert max(norms) == pytest.approx(np.sqrt(2), rel=1e-12)


# ---------------------------------------------------------------------------------------------- descent


@pytest.mark.parametrize("name", RECIPES)
@pytest.mark.parametrize("shape", [(8, 3), (3, 8), (6, 6)], ids=str)
def test_least_distance_to_a_point_of_the_manifold(shape: tuple[int, int], name: str) -> None:
    """A quadratic with condition number ten whose minimum lies on the manifold: a thousandth of the loss is left."""
    rng = np.random.default_rng(4)
    wanted = orthonormal(shape, rng)
    Q = np.diag(np.geomspace(1, 10, shape[0]))
    W = wanted + 0.3 * rng.standard_normal(shape)
    W = -np.asarray(st.ball_oracle(W, np.inf))
    opt = st.Optimizer(W, replace(RECIPES[name], lr=lambda step: 0.1 * 0.95**step))
    first = float(((W - wanted) * (Q @ (W - wanted))).sum())
    for _ in range(120):
        opt.step(Q @ (W - wanted))
    assert float(((W - wanted) * (Q @ (W - wanted))).sum()) < 1e-3 * first


@pytest.mark.parametrize(
    ("make", "error"),
    [
        (lambda: r.manifold_muon(steps=0), ValueError),
        (lambda: r.manifold_muon(steps=1.5), TypeError),
        (lambda: r.manifold_muon(step_size=-1.0), ValueError),
        (lambda: r.manifold_muon(tolerance=-1.0), ValueError),
        (lambda: r.intrinsic_muon(lr=-1.0), ValueError),
    ],
)
def test_values_outside_their_ranges(make: Any, error: type[Exception]) -> None:
    """One clear error when the recipe is made."""
    with pytest.raises(error, match="must be"):
        make()
