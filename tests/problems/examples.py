"""One small problem of every class, and sums over blocks."""

from __future__ import annotations

import numpy as np

import schattor as st

P = st.problems
Blocks = dict[str, np.ndarray]


def data(count: int = 20, features: int = 5, classes: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """Gaussian inputs of unequal scales, and classes."""
    rng = np.random.default_rng(5)
    return rng.standard_normal((count, features)) * np.geomspace(2, 0.3, features), np.arange(count) % classes


def examples() -> dict[str, st.problems.Problem]:
    """Every problem, blocks of all aspect ratios among them."""
    X, y = data()
    rng = np.random.default_rng(6)
    quadratic = P.MatrixQuadratic.random(np.geomspace(1, 0.1, 4), columns=6, rng=1)
    tall = P.MatrixQuadratic.random(np.geomspace(3, 0.2, 6), columns=2, rng=2)
    power_law = P.MatrixLeastSquares.power_law(4, 6, data_exponent=1.2, label_noise=0.3, rng=3)
    return {
        "quadratic": quadratic,
        "tall quadratic": tall,
        "least squares": power_law,
        "tall least squares": P.MatrixLeastSquares.power_law(5, 3, target_exponent=0.5, rng=4),
        "softmax": P.SoftmaxRegression(X, y),
        "regression": P.LinearRegression(X, rng.standard_normal((20, 3))),
        "few outputs": P.LinearRegression(X[:3], rng.standard_normal((3, 6))),
        "completion": P.MatrixCompletion.random((6, 5), rank=2, rng=7),
        "wide completion": P.MatrixCompletion.random((3, 4), rank=6, rng=8),
        "memory": P.AssociativeMemory.random(pairs=9, dimension=4, rng=9),
        "tanh": P.MLP.random(X, y, hidden=(6, 4), rng=10),
        "relu": P.MLP.random(X, y, hidden=(7,), activation="relu", rng=11),
        "joint": P.Joint({"a": quadratic, "b": power_law, "c": P.MLP.random(X, y, hidden=(4,), rng=12)}),
        "noisy": P.WithNoise(tall, {"W": P.GaussianNoise(np.array([[0.5, 0.2], [0.2, 0.3]]), (6, 2))}),
        "noisy least squares": P.WithNoise(power_law, {"W": P.StudentNoise(np.ones(4), (4, 6), 9.0)}),
    }


def point(problem: st.problems.Problem, seed: int = 0) -> Blocks:
    """A random point near the start."""
    rng = np.random.default_rng(seed)
    return {name: x + 0.3 * rng.standard_normal(x.shape) for name, x in problem.start().items()}


def flat(blocks: Blocks) -> np.ndarray:
    """All entries in one vector."""
    return np.concatenate([x.ravel() for x in blocks.values()])
