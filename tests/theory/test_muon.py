"""Rates of Muon and of gradient descent without noise, against runs on a quadratic."""

from __future__ import annotations

import math

import numpy as np
import pytest

import schattor as st

T = st.theory
STEPS = 300


def quadratic(last: float) -> st.problems.MatrixQuadratic:
    """15 x 15, eigenvalues from 1 to `last`."""
    return st.problems.MatrixQuadratic.random(np.geomspace(1, last, 15), columns=15, rng=0)


def muon(problem: st.problems.MatrixQuadratic, lr: float) -> dict[str, np.ndarray]:
    """Losses, nuclear norms of the gradient, curvatures along the polar factor, and distances in the spectral norm."""
    params = problem.start()
    opt = st.Schattor(params, p=np.inf, lr=lr, momentum=0)
    rows = []
    for _ in range(STEPS + 1):
        G = problem.gradient(params)
        D = st.ball_oracle(G["W"], np.inf)
        curvature = float((D * problem.hvp(params, {"W": D})["W"]).sum())
        distance = st.schatten_norm(params["W"] - problem.target, np.inf)
        rows.append((problem.loss(params), st.schatten_norm(G["W"], 1), curvature, distance))
        opt.step(G)
    return dict(zip(("loss", "nuclear", "curvature", "distance"), np.array(rows).T, strict=True))


@pytest.mark.parametrize("last", [1.0, 1e-1, 1e-4])
def test_muon_nonconvex(last: float) -> None:
    """The average nuclear norm is below the bound; it is that of Theorem 1; the mean curvature does for a quadratic."""
    problem = quadratic(last)
    delta, L = problem.loss(problem.start()), problem.lipschitz(np.inf)
    rate = T.muon_nonconvex(delta, L, STEPS)
    path = muon(problem, rate.lr)
    assert path["nuclear"][:STEPS].mean() <= rate.bound
    theorem = T.theorem_1(delta, L, 0.0, STEPS, p=np.inf, lr=rate.lr, theta=1.0)
    assert rate.bound == pytest.approx(theorem.total)
    assert rate.lr == pytest.approx(T.parameters(delta, L, 0.0, STEPS).lr)
    # On a quadratic the descent is an equality with J_t in place of L.
    change = -rate.lr * path["nuclear"] + rate.lr**2 * path["curvature"] / 2
    np.testing.assert_allclose(np.diff(path["loss"]), change[:STEPS], rtol=0, atol=1e-11 * delta)
    mean = path["curvature"][:STEPS].mean()
    assert mean <= L * (1 + 1e-12)
    decrease = (path["loss"][0] - path["loss"][STEPS]) / (rate.lr * STEPS) + mean * rate.lr / 2
    assert path["nuclear"][:STEPS].mean() == pytest.approx(decrease, rel=1e-10)


@pytest.mark.parametrize("last", [1.0, 1e-1, 1e-4])
def test_muon_star_convex(last: float) -> None:
    """With a diameter that the run respects the last loss is below the bound, with L or the largest curvature."""
    problem = quadratic(last)
    delta, L = problem.loss(problem.start()), problem.lipschitz(np.inf)
    diameter = 1.2 * st.schatten_norm(problem.target, np.inf)
    rate = T.muon_star_convex(delta, L, diameter, STEPS)
    path = muon(problem, rate.lr)
    assert path["distance"].max() <= diameter
    assert (
        path["loss"][STEPS]
        <= (1 - rate.lr / diameter) ** STEPS * delta + rate.lr * diameter * L / 2
        <= rate.bound
    )
    curvature = path["curvature"].max()
    assert (
        path["loss"][STEPS] <= (1 - rate.lr / diameter) ** STEPS * delta + rate.lr * diameter * curvature / 2
    )


def test_rate_of_muon_star_convex() -> None:
    """The learning rate minimises exp(-eta T / D) delta + eta D L / 2, and the bound is that value."""
    delta, L, D = 3.0, 0.5, 2.0
    rate = T.muon_star_convex(delta, L, D, 1000)
    eta = rate.lr * np.geomspace(0.1, 10, 1001)
    values = np.exp(-eta * 1000 / D) * delta + eta * D * L / 2
    assert rate.bound == pytest.approx(values.min(), rel=1e-9)
    assert rate.bound == pytest.approx(D**2 * L / 2000 * (1 + math.log(2000 * delta / (D**2 * L))))
    with pytest.raises(ValueError, match="log"):
        T.muon_star_convex(1e-3, 1.0, 1.0, 10)


@pytest.mark.parametrize("last", [1.0, 1e-4])
def test_gradient_descent(last: float) -> None:
    """At 1/L the root mean square of the gradient's length and the last loss are below their bounds."""
    problem = quadratic(last)
    delta, L = problem.loss(problem.start()), problem.lipschitz(2)
    rate = T.gradient_descent_nonconvex(delta, L, STEPS)
    star = T.gradient_descent_star_convex(L, float(np.linalg.norm(problem.target)), STEPS)
    assert rate.lr == star.lr == 1 / L
    params, lengths = problem.start(), []
    opt = st.SGD(params, lr=rate.lr)
    for _ in range(STEPS):
        G = problem.gradient(params)
        lengths.append(float(np.linalg.norm(G["W"])))
        opt.step(G)
    assert np.sqrt(np.mean(np.square(lengths))) <= rate.bound
    assert problem.loss(params) <= star.bound


def test_refusals() -> None:
    """Arguments outside their ranges raise, naming the argument."""
    for call, message in (
        (lambda: T.muon_nonconvex(0.0, 1.0, 10), "delta"),
        (lambda: T.muon_star_convex(1.0, 1.0, 0.0, 10), "diameter"),
        (lambda: T.gradient_descent_nonconvex(1.0, -1.0, 10), "L must"),
        (lambda: T.gradient_descent_star_convex(1.0, 1.0, 0), "T must"),
    ):
        with pytest.raises(ValueError, match=message):
            call()
