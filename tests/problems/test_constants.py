"""Lipschitz constants and infima that are called exact."""

from __future__ import annotations

import numpy as np
import pytest
from problems.examples import data, examples, flat
from reference.oracles import conjugate, lp_norm, schatten_norm

import schattor as st

P = st.problems
PROBLEMS = examples()
EXPONENTS = [1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 8.0, np.inf]
QUADRATICS = [
    "quadratic",
    "tall quadratic",
    "least squares",
    "tall least squares",
    "regression",
    "few outputs",
]


def top(A: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """The k largest eigenvalues and their vectors."""
    eigenvalues, vectors = np.linalg.eigh(A)
    return np.maximum(eigenvalues[::-1][:k], 0), vectors[:, ::-1][:, :k]


def sides(problem: P.Problem) -> tuple[np.ndarray, np.ndarray]:
    """A and B of the Hessian D -> A D B."""
    if isinstance(problem, P.MatrixQuadratic):
        return 2 * problem.Q, np.eye(problem.target.shape[1])
    if isinstance(problem, P.LinearRegression):
        X = problem.inputs
        return np.eye(problem.targets.shape[1]), X.T @ X / len(X)
    assert isinstance(problem, P.MatrixLeastSquares)
    return problem.A, problem.B


def extremal(problem: P.Problem, p: float) -> np.ndarray:
    """The direction of unit S_p norm where Hoelder's inequality for A, D and B is an equality."""
    A, B = sides(problem)
    k = min(len(A), len(B))
    (a, U), (b, V) = top(A, k), top(B, k)
    if p <= 2:
        sigma = np.eye(k)[0]
    else:
        sigma = (a * b / (a * b)[0]) ** (1 / (p - 2))
    return U * (sigma / lp_norm(sigma, p)) @ V.T


@pytest.mark.parametrize("p", EXPONENTS)
@pytest.mark.parametrize("name", QUADRATICS)
def test_lipschitz_constant_is_attained(name: str, p: float) -> None:
    """One direction reaches the constant, to rounding; random directions stay below."""
    problem = PROBLEMS[name]
    L, q, start = problem.lipschitz(p), conjugate(p), problem.start()
    D = extremal(problem, p)
    assert schatten_norm(D, p) == pytest.approx(1, rel=1e-13)
    assert schatten_norm(problem.hvp(start, {"W": D})["W"], q) == pytest.approx(L, rel=1e-12)
    rng = np.random.default_rng(0)
    for _ in range(50):
        X = rng.standard_normal(D.shape)
        assert schatten_norm(problem.hvp(start, {"W": X})["W"], q) <= L * schatten_norm(X, p) * (1 + 1e-12)


@pytest.mark.parametrize("r", [1.0, 2.0, 3.0, np.inf])
def test_lipschitz_constant_of_a_mixed_norm_is_attained(r: float) -> None:
    """Extremal directions of the blocks, in the shares that make the outer inequality an equality, reach it."""
    members = {
        name.replace(" ", ""): PROBLEMS[name] for name in ("quadratic", "least squares", "few outputs")
    }
    problem = P.Joint(members)
    exponents = dict(zip(problem.start(), (2.5, np.inf, 4.0), strict=True))
    weights = dict(zip(problem.start(), (0.5, 2.0, 1.0), strict=True))
    norm = st.MixedNorm({k: st.Schatten(p) for k, p in exponents.items()}, weights=weights, outer=r)
    constants = np.array(
        [
            x.lipschitz(p) / w**2
            for x, p, w in zip(members.values(), exponents.values(), weights.values(), strict=True)
        ]
    )
    if r <= 2:
        shares = (constants == constants.max()).astype(float)
    else:
        shares = constants ** (1 / (r - 2))
        shares /= lp_norm(shares, r)
    blocks = zip(problem.start(), members.values(), shares, strict=True)
    D = {k: t / weights[k] * extremal(x, exponents[k]) for k, x, t in blocks}
    assert norm.norm(D) == pytest.approx(1, rel=1e-12)
    L = problem.lipschitz(norm)
    assert norm.dual_norm(problem.hvp(problem.start(), D)) == pytest.approx(L, rel=1e-12)
    rng = np.random.default_rng(1)
    for _ in range(50):
        X = {k: rng.exponential() * rng.standard_normal(x.shape) for k, x in D.items()}
        assert norm.dual_norm(problem.hvp(problem.start(), X)) <= L * norm.norm(X) * (1 + 1e-12)


def test_lipschitz_constants_by_hand() -> None:
    """Q = diag(1, 1/2, .., 1/8) for 8 x 12 blocks: 2 at p = 2, twice the trace at p = inf; columns limit the rank."""
    Q = np.diag(1 / np.arange(1.0, 9))
    wide = P.MatrixQuadratic(Q, np.ones((8, 12)))
    assert wide.lipschitz(2) == pytest.approx(2)
    assert wide.lipschitz(np.inf) == pytest.approx(2 * np.trace(Q))
    assert wide.lipschitz(4) == pytest.approx(2 * np.linalg.norm(np.diag(Q)))
    assert P.MatrixQuadratic(Q, np.ones((8, 2))).lipschitz(np.inf) == pytest.approx(2 * 1.5)


@pytest.mark.parametrize("name", QUADRATICS)
def test_infimum_of_quadratics(name: str) -> None:
    """At the minimiser the gradient vanishes and the loss is the lower bound."""
    problem = PROBLEMS[name]
    if isinstance(problem, P.LinearRegression):
        W = (np.linalg.pinv(problem.inputs) @ problem.targets).T
    else:
        W = problem.target
    assert problem.loss({"W": W}) == pytest.approx(problem.lower_bound, rel=1e-12, abs=1e-25)
    assert np.linalg.norm(flat(problem.gradient({"W": W}))) <= 1e-12


def test_infimum_of_completion() -> None:
    """The factors of the matrix have loss zero."""
    rng = np.random.default_rng(0)
    U, V = rng.standard_normal((5, 2)), rng.standard_normal((2, 4))
    problem = P.MatrixCompletion(U @ V, rng.random((5, 4)) < 0.6, U + 1, V)
    assert problem.loss({"U": U, "V": V}) == 0 == problem.lower_bound < problem.loss(problem.start())


@pytest.mark.parametrize("p", EXPONENTS)
def test_bound_for_softmax(p: float) -> None:
    """No Hessian-vector product exceeds the bound, near the start and away from it."""
    problem = PROBLEMS["softmax"]
    L, q, rng = problem.lipschitz_bound(p), conjugate(p), np.random.default_rng(2)
    for scale in (0.0, 0.1, 1.0):
        params = {"W": scale * rng.standard_normal((3, 5))}
        for _ in range(30):
            X = rng.standard_normal((3, 5))
            assert schatten_norm(problem.hvp(params, {"W": X})["W"], q) <= L * schatten_norm(X, p) * (
                1 + 1e-12
            )


def test_bound_for_softmax_is_sharp_with_two_classes() -> None:
    """At W = 0 two equal probabilities give the factor 1/2."""
    X, _ = data()
    problem = P.SoftmaxRegression(X, np.arange(len(X)) % 2)
    _, V = top(X.T @ X / len(X), 1)
    D = np.outer([1, -1], V[:, 0]) / np.sqrt(2)
    product = problem.hvp(problem.start(), {"W": D})["W"]
    assert np.linalg.norm(product) == pytest.approx(problem.lipschitz_bound(2), rel=1e-12)


def test_diagonal_power_law_does_not_distinguish_muon_from_sign_descent() -> None:
    """Without rotations gradients stay diagonal, and there the polar factor is the sign."""
    problem = P.MatrixLeastSquares.power_law(5, 5, rotate=False)
    params, others = problem.start(), problem.start()
    spectral = st.Schattor(params, p=np.inf, lr=0.01, momentum=0)
    signs = st.SignSGD(others, lr=0.01)
    for _ in range(10):
        spectral.step(problem.gradient(params))
        signs.step(problem.gradient(others))
    np.testing.assert_allclose(params["W"], others["W"], rtol=0, atol=1e-14)
    assert np.abs(params["W"]).max() > 0.05
