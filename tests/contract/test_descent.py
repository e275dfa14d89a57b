"""Every recipe makes the progress that it declares on four problems."""

from __future__ import annotations

import numpy as np
import pytest
from contract.cases import DECLARED, EXEMPT
from contract.targets import TARGETS, first_cases, remaining

CASES = first_cases()


@pytest.mark.parametrize("name", [name for name in CASES if name not in EXEMPT])
@pytest.mark.parametrize("target", TARGETS)
def test_declared_decrease(target: str, name: str) -> None:
    """At the declared lr no more than the declared share of the loss remains."""
    lr, share = dict(zip(TARGETS, DECLARED[name], strict=True))[target]
    assert remaining(CASES[name], TARGETS[target](), lr) <= share <= 0.1


def test_every_recipe_declares() -> None:
    """A recipe or preset without a row, or a reason for having none, fails here."""
    assert sorted([*DECLARED, *EXEMPT]) == sorted(CASES)
    assert all(EXEMPT.values())


@pytest.mark.parametrize("name", TARGETS)
def test_gradients_of_the_targets(name: str) -> None:
    """Against central differences along a random direction."""
    target = TARGETS[name]()
    rng = np.random.default_rng(3)
    point = {i: x + 0.1 * rng.standard_normal(x.shape) for i, x in target.start.items()}
    way = {i: rng.standard_normal(x.shape) for i, x in point.items()}
    slope = sum(float((g * way[i]).sum()) for i, g in target.evaluate(point)[1].items())
    ends = [target.evaluate({i: x + h * way[i] for i, x in point.items()})[0] for h in (-1e-5, 1e-5)]
    assert (ends[1] - ends[0]) / 2e-5 == pytest.approx(slope, rel=1e-6)


@pytest.mark.parametrize("name", TARGETS)
def test_layers_of_the_targets(name: str) -> None:
    """The mean of delta activation' over the samples is the gradient."""
    target = TARGETS[name]()
    rng = np.random.default_rng(4)
    point = {i: x + 0.1 * rng.standard_normal(x.shape) for i, x in target.start.items()}
    activations, deltas = target.samples(point)
    for i, G in target.evaluate(point)[1].items():
        mean = deltas[i].T @ activations[i] / len(activations[i])
        np.testing.assert_allclose(mean, G, rtol=0, atol=1e-12 * np.abs(G).max())
