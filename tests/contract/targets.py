"""Four small problems that every recipe must make progress on, with what each recipe promises there.

As a script it prints the table anew: the best lr of a grid for each recipe and problem, and what it reaches.

    PYTHONPATH=tests python tests/contract/targets.py [recipe ...]
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
from contract.cases import CASES, Case, Supplied

import schattor as st
from schattor.demo.data import load_digits

Blocks = dict[str, np.ndarray]
STEPS = 60


@dataclass(frozen=True)
class Target:
    """A loss of matrices with its gradient, and where to start.

    `samples` are activations and deltas, seeing each matrix as a layer: the gradient is the mean of delta activation'.
    With matrices of `norms` the loss can be small.
    """

    start: Blocks
    evaluate: Callable[[Blocks], tuple[float, Blocks]]
    samples: Callable[[Blocks], tuple[Blocks, Blocks]]
    norms: dict[str, float]

    def beginning(self, recipe: st.Recipe) -> Blocks:
        """A copy of the start; for a recipe that keeps the norms of the weights, a random point of these norms."""
        if not recipe.update.keeps_norm:
            return {name: x.copy() for name, x in self.start.items()}
        rng = np.random.default_rng(4)
        points = {name: rng.standard_normal(x.shape) for name, x in self.start.items()}
        return {name: x * (self.norms[name] / np.linalg.norm(x)) for name, x in points.items()}


def target(
    problem: st.problems.Problem, samples: Callable[[Blocks], tuple[Blocks, Blocks]], **norms: float
) -> Target:
    """A problem of the package as a target."""
    return Target(problem.start(), lambda x: (problem.loss(x), problem.gradient(x)), samples, norms)


def layers(problem: st.problems.SampledProblem, **norms: float) -> Target:
    """A problem that is made of layers already."""

    def samples(blocks: Blocks) -> tuple[Blocks, Blocks]:
        factors = problem.factors(blocks)
        return {k: v for k, (_, v) in factors.items()}, {k: u for k, (u, _) in factors.items()}

    return target(problem, samples, **norms)


def quadratic() -> Target:
    """tr((W - W*)' Q (W - W*)) / 2 with condition number 20."""
    problem = st.problems.MatrixQuadratic.random(np.geomspace(1, 20, 8) / 2, columns=6, rng=0)

    def samples(blocks: Blocks) -> tuple[Blocks, Blocks]:
        return {"W": np.eye(6)}, {"W": 6 * problem.gradient(blocks)["W"].T}

    return target(problem, samples, W=float(np.linalg.norm(problem.target)))


@cache
def digits() -> tuple[np.ndarray, np.ndarray]:
    """Three hundred images, pixels in [0, 1], and their classes."""
    X, y = load_digits()
    return X[:300] / 16, y[:300]


def softmax() -> Target:
    """Softmax regression on the digits."""
    return layers(st.problems.SoftmaxRegression(*digits()), W=30.0)


def completion() -> Target:
    """||mask (U V - M)||^2 / 2 for M of rank three, half of it seen; rows and columns as samples."""
    problem = st.problems.MatrixCompletion.random((12, 10), rank=3, rng=1)

    def samples(blocks: Blocks) -> tuple[Blocks, Blocks]:
        error = problem.errors(blocks)
        return {"U": blocks["V"].T, "V": error}, {"U": 10 * error.T, "V": 12 * blocks["U"]}

    rng = np.random.default_rng(1)  # the same draws: the factors of M
    U, V = rng.standard_normal((12, 3)), rng.standard_normal((3, 10))
    return target(problem, samples, U=float(np.linalg.norm(U)), V=float(np.linalg.norm(V)))


def perceptron() -> Target:
    """One hidden layer of sixteen tanh units on the digits."""
    return layers(st.problems.MLP.random(*digits(), hidden=(16,), rng=2), W1=10.0, W2=10.0)


TARGETS = {"quadratic": quadratic, "softmax": softmax, "completion": completion, "perceptron": perceptron}


def first_cases() -> dict[str, Case]:
    """The first case of each recipe and preset, by name."""
    named: dict[str, Case] = {}
    for case in CASES:
        named.setdefault(case.recipe + (f".{case.preset}" if case.preset else ""), case)
    return named


def in_factors(target: Target, left: str, right: str) -> Target:
    """The same loss of products W = B A of factors of full rank; W = 0, which has none, becomes a small start."""
    rng = np.random.default_rng(3)
    start = {}
    for name, W in target.start.items():
        U, s, Vt = np.linalg.svd(W if W.any() else rng.standard_normal(W.shape), full_matrices=False)
        start |= {f"{name}/{left}": U * s if W.any() else 0.1 * U, f"{name}/{right}": Vt}

    def evaluate(blocks: Blocks) -> tuple[float, Blocks]:
        pairs = {name: (blocks[f"{name}/{left}"], blocks[f"{name}/{right}"]) for name in target.start}
        loss, gradients = target.evaluate({name: B @ A for name, (B, A) in pairs.items()})
        factors = {}
        for name, G in gradients.items():
            B, A = pairs[name]
            factors |= {f"{name}/{left}": G @ A.T, f"{name}/{right}": B.T @ G}
        return loss, factors

    def samples(blocks: Blocks) -> tuple[Blocks, Blocks]:
        raise NotImplementedError("no recipe of pairs reads activations")

    return Target(start, evaluate, samples, {})


def remaining(case: Case, target: Target, lr: float) -> float:
    """Loss after STEPS steps at the point to evaluate, over the loss at the start."""
    pairing = case.make().pairing
    if pairing is not None:
        target = in_factors(target, pairing.left, pairing.right)
    recipe = case.make(lr=lr, weight_decay=0.0)
    params = target.beginning(recipe)
    opt, before = Supplied(params, recipe), params
    first = target.evaluate(params)[0]
    for _ in range(STEPS):
        extras: dict[str, Blocks] = {}
        if recipe.requires & {"activations", "deltas"}:
            samples = dict(zip(("activations", "deltas"), target.samples(params), strict=True))
            extras = {kind: samples[kind] for kind in recipe.requires & samples.keys()}
        gradient = target.evaluate(params)[1]
        if "gradient_at_previous" in recipe.requires:
            extras["gradient_at_previous"] = target.evaluate(before)[1]
            before = {name: x.copy() for name, x in params.items()}
        opt.step(gradient, **extras)
    return target.evaluate(opt.evaluation_params())[0] / first


def print_table(names: list[str]) -> None:
    """Print DECLARED for these recipes or all: the best lr of a grid, and 4/3 of what it leaves, plus 0.02."""
    grid = [m * 10.0**k for k in range(-4, 2) for m in (1, 3)]
    print("DECLARED: dict[str, tuple[tuple[float, float], ...]] = {")
    for name, case in first_cases().items():
        if names and name not in names:
            continue
        row = []
        for make in TARGETS.values():
            with np.errstate(all="ignore"):
                reached = {lr: _try(case, make(), lr) for lr in grid}
            lr = min(reached, key=reached.__getitem__)
            row.append((float(f"{lr:.0e}"), round(1.33 * reached[lr] + 0.02, 2)))
        print(f'    "{name}": {tuple(row)},')
    print("}")


def _try(case: Case, target: Target, lr: float) -> float:
    try:
        left = remaining(case, target, lr)
    except ValueError:  # gradients that have overflowed are refused
        return float("inf")
    return left if np.isfinite(left) else float("inf")


if __name__ == "__main__":
    print_table(sys.argv[1:])
