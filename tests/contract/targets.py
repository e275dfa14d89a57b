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


def quadratic() -> Target:
    """tr((W - W*)' Q (W - W*)) / 2 with condition number 20."""
    rng = np.random.default_rng(0)
    wanted, rotation = rng.standard_normal((8, 6)), np.linalg.qr(rng.standard_normal((8, 8)))[0]
    Q = rotation * np.geomspace(1, 20, 8) @ rotation.T

    def evaluate(blocks: Blocks) -> tuple[float, Blocks]:
        distance = blocks["W"] - wanted
        return float((distance * (Q @ distance)).sum()) / 2, {"W": Q @ distance}

    def samples(blocks: Blocks) -> tuple[Blocks, Blocks]:
        return {"W": np.eye(6)}, {"W": 6 * (Q @ (blocks["W"] - wanted)).T}

    return Target({"W": np.zeros((8, 6))}, evaluate, samples, {"W": float(np.linalg.norm(wanted))})


@cache
def digits() -> tuple[np.ndarray, np.ndarray]:
    """Three hundred images, pixels in [0, 1], and their classes as unit vectors."""
    X, y = load_digits()
    return X[:300] / 16, np.eye(10)[y[:300]]


def cross_entropy(scores: np.ndarray, Y: np.ndarray) -> tuple[float, np.ndarray]:
    """The mean loss and its gradient by the scores."""
    shifted = scores - scores.max(1, keepdims=True)
    log = shifted - np.log(np.exp(shifted).sum(1, keepdims=True))
    return -float((Y * log).sum()) / len(Y), (np.exp(log) - Y) / len(Y)


def softmax() -> Target:
    """Softmax regression on the digits."""
    X, Y = digits()

    def evaluate(blocks: Blocks) -> tuple[float, Blocks]:
        loss, error = cross_entropy(X @ blocks["W"].T, Y)
        return loss, {"W": error.T @ X}

    def samples(blocks: Blocks) -> tuple[Blocks, Blocks]:
        return {"W": X}, {"W": len(X) * cross_entropy(X @ blocks["W"].T, Y)[1]}

    return Target({"W": np.zeros((10, 64))}, evaluate, samples, {"W": 30.0})


def completion() -> Target:
    """||mask (U V - M)||^2 / 2 for M of rank three, half of it seen."""
    rng = np.random.default_rng(1)
    left, right = rng.standard_normal((12, 3)), rng.standard_normal((3, 10))
    M = left @ right
    seen = rng.random(M.shape) < 0.5

    def errors(blocks: Blocks) -> np.ndarray:
        return np.where(seen, blocks["U"] @ blocks["V"] - M, 0)

    def evaluate(blocks: Blocks) -> tuple[float, Blocks]:
        error = errors(blocks)
        return float((error**2).sum()) / 2, {"U": error @ blocks["V"].T, "V": blocks["U"].T @ error}

    def samples(blocks: Blocks) -> tuple[Blocks, Blocks]:
        error = errors(blocks)
        return {"U": blocks["V"].T, "V": error}, {"U": 10 * error.T, "V": 12 * blocks["U"]}

    start = {"U": 0.3 * rng.standard_normal((12, 3)), "V": 0.3 * rng.standard_normal((3, 10))}
    norms = {"U": float(np.linalg.norm(left)), "V": float(np.linalg.norm(right))}
    return Target(start, evaluate, samples, norms)


def perceptron() -> Target:
    """One hidden layer of sixteen tanh units on the digits."""
    X, Y = digits()
    rng = np.random.default_rng(2)

    def passes(blocks: Blocks) -> tuple[float, np.ndarray, np.ndarray, np.ndarray]:
        hidden = np.tanh(X @ blocks["A"].T)
        loss, error = cross_entropy(hidden @ blocks["B"].T, Y)
        return loss, hidden, error, (error @ blocks["B"]) * (1 - hidden**2)

    def evaluate(blocks: Blocks) -> tuple[float, Blocks]:
        loss, hidden, error, back = passes(blocks)
        return loss, {"A": back.T @ X, "B": error.T @ hidden}

    def samples(blocks: Blocks) -> tuple[Blocks, Blocks]:
        _, hidden, error, back = passes(blocks)
        return {"A": X, "B": hidden}, {"A": len(X) * back, "B": len(X) * error}

    start = {"A": rng.standard_normal((16, 64)) / 8, "B": rng.standard_normal((10, 16)) / 4}
    return Target(start, evaluate, samples, {"A": 10.0, "B": 10.0})


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
