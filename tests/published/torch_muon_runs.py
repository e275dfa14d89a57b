"""Runs of torch.optim.Muon, which computes in bfloat16; as a script it records them (torch 2.13.0).

    PYTHONPATH=tests python tests/published/torch_muon_runs.py

Two records: trajectories with the bfloat16 cast replaced by float32, over a grid of hyperparameters; and losses of the
optimizer as shipped, on softmax regression and a small perceptron.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

FILE = Path(__file__).parent / "torch_muon_runs.npz"
STEPS = 20
SHAPES = {"tall": (12, 5), "wide": (4, 9), "square": (6, 6)}
AXES: dict[str, list[Any]] = {
    "lr": [0.02],
    "momentum": [0.95, 0.5],
    "nesterov": [True, False],
    "weight_decay": [0.0, 0.1],
    "adjust_lr_fn": ["original", "match_rms_adamw"],
}
SETTINGS = [dict(zip(AXES, values, strict=True)) for values in itertools.product(*AXES.values())]

LOSSES = {"softmax": 0.1, "perceptron": 0.05}  # problem of contract/targets.py: lr
LOSS_STEPS = 60


def name(setting: dict[str, Any]) -> str:
    """The key of a setting."""
    return "-".join(f"{key}={value}" for key, value in setting.items())


def problem(i: int) -> tuple[dict[str, np.ndarray], list[dict[str, np.ndarray]]]:
    """First weights and gradients of the i-th setting: their scale differs by setting."""
    rng = np.random.default_rng(2026)
    scale = (1.0, 1e-2, 1e2)[i % 3]
    W = {k: rng.standard_normal(shape).astype(np.float32) for k, shape in SHAPES.items()}
    draw = {k: (lambda shape=shape: scale * rng.standard_normal(shape)) for k, shape in SHAPES.items()}
    return W, [{k: draw[k]().astype(np.float32) for k in SHAPES} for _ in range(STEPS)]


def run(
    torch: Any,
    W: dict[str, np.ndarray],
    gradients: Callable[[int, dict[str, np.ndarray]], dict[str, np.ndarray]],
    steps: int,
    **setting: Any,
) -> None:
    """Step the weights, in place."""
    params = {k: torch.nn.Parameter(torch.from_numpy(x)) for k, x in W.items()}
    optimizer = torch.optim.Muon(params.values(), **setting)
    for t in range(steps):
        for k, G in gradients(t, W).items():
            params[k].grad = torch.from_numpy(np.array(G, dtype=np.float32))
        optimizer.step()


def record() -> None:
    """Run torch and store the last weights of each setting, and the losses as shipped."""
    import torch
    from contract.targets import TARGETS

    arrays: dict[str, np.ndarray] = {"torch": np.array(torch.__version__)}
    shipped = torch.Tensor.bfloat16
    torch.Tensor.bfloat16 = lambda self: self.clone()  # what follows works in place
    for i, setting in enumerate(SETTINGS):
        W, given = problem(i)
        run(torch, W, lambda t, _, given=given: given[t], STEPS, **setting)
        arrays.update({f"{name(setting)}/{k}": x for k, x in W.items()})
    torch.Tensor.bfloat16 = shipped
    for target, lr in LOSSES.items():
        task = TARGETS[target]()
        W = {k: x.astype(np.float32) for k, x in task.start.items()}
        run(torch, W, lambda _, W, task=task: task.evaluate(W)[1], LOSS_STEPS, lr=lr, weight_decay=0.0)
        arrays[f"loss/{target}"] = np.array(task.evaluate(W)[0])
    np.savez_compressed(FILE, **arrays)


if __name__ == "__main__":
    record()
