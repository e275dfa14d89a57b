"""Trajectories of torch's own optimizers over a grid of hyperparameters; as a script it records them (torch 2.13.0).

    python tests/published/torch_optim.py

Gradients are given, so that they do not depend on the weights; scales of the gradients differ by setting.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

FILE = Path(__file__).parent / "torch_optim.npz"
STEPS = 30
KEPT = (1, 2, 5, 6, 7, 12, 30)  # RAdam changes its rule after the fifth step
SHAPES = {"W": (5, 3), "v": (7,)}


@dataclass(frozen=True)
class Setting:
    """One optimizer of torch, and the recipe that follows it."""

    optimizer: str
    recipe: str
    hyperparameters: tuple[tuple[str, Any], ...]
    torch_only: tuple[tuple[str, Any], ...] = ()
    ours_only: tuple[tuple[str, Any], ...] = ()
    scale: float = 1.0

    def __str__(self) -> str:
        items = (*self.hyperparameters, *self.torch_only)
        return "-".join([self.optimizer, *(f"{k}={v}" for k, v in items), f"scale={self.scale:g}"]).replace(
            " ", ""
        )


def grid() -> list[Setting]:
    """All settings."""
    result: list[Setting] = []

    def add(
        optimizer: str, recipe: str, *, torch_only: Any = (), ours_only: Any = (), **axes: list[Any]
    ) -> None:
        for i, values in enumerate(itertools.product(*axes.values())):
            scale = (1.0, 1e-3, 1e3)[i % 3]
            hyper = tuple(zip(axes, values, strict=True))
            result.append(Setting(optimizer, recipe, hyper, torch_only, ours_only, scale))

    betas = [(0.9, 0.999), (0.8, 0.95), (0.0, 0.9)]
    decays = [0.0, 0.1]
    add("SGD", "sgd", lr=[0.05], momentum=[0.0, 0.9], dampening=[0.0, 0.5], weight_decay=decays)
    add("SGD", "sgd", lr=[0.05], momentum=[0.9], nesterov=[True], weight_decay=decays)
    for optimizer, recipe in (("Adam", "adam"), ("AdamW", "adamw"), ("RAdam", "radam")):
        add(optimizer, recipe, lr=[0.02], betas=betas, eps=[1e-8, 1e-3], weight_decay=decays)
    add(
        "RAdam",
        "radam",
        torch_only=(("decoupled_weight_decay", True),),
        ours_only=(("decay", "decoupled"),),
        lr=[0.02],
        betas=betas,
        weight_decay=decays,
    )
    for optimizer, decay in (("Adam", "l2"), ("AdamW", "decoupled")):
        add(
            optimizer,
            "amsgrad",
            torch_only=(("amsgrad", True),),
            ours_only=(("decay", decay),),
            lr=[0.02],
            betas=betas,
            eps=[1e-8, 1e-3],
            weight_decay=decays,
        )
    add(
        "Adagrad",
        "adagrad",
        lr=[0.05],
        lr_decay=[0.0, 0.1],
        initial_accumulator_value=[0.0, 0.1],
        eps=[1e-10, 1e-3],
        weight_decay=decays,
    )
    add(
        "RMSprop",
        "rmsprop",
        lr=[0.01],
        alpha=[0.99, 0.9],
        eps=[1e-8, 1e-3],
        momentum=[0.0, 0.9],
        centered=[False, True],
        weight_decay=decays,
    )
    add("Adadelta", "adadelta", lr=[1.0, 0.1], rho=[0.9, 0.5], eps=[1e-6, 1e-3], weight_decay=decays)
    return result


def problem(dtype: type, scale: float) -> tuple[dict[str, np.ndarray], list[dict[str, np.ndarray]]]:
    """The first weights, of order one, and the gradients, of order `scale`."""
    rng = np.random.default_rng(2026)
    W = {name: rng.standard_normal(shape).astype(dtype) for name, shape in SHAPES.items()}
    gradients = [
        {name: (scale * rng.standard_normal(shape)).astype(dtype) for name, shape in SHAPES.items()}
        for _ in range(STEPS)
    ]
    return W, gradients


def record() -> None:
    """Run torch and store the weights after the steps in KEPT."""
    import torch

    arrays: dict[str, np.ndarray] = {"torch": np.array(torch.__version__)}
    for setting in grid():
        for dtype in (np.float64, np.float32):
            W, gradients = problem(dtype, setting.scale)
            params = {name: torch.nn.Parameter(torch.from_numpy(x.copy())) for name, x in W.items()}
            options = dict(setting.hyperparameters) | dict(setting.torch_only)
            optimizer = getattr(torch.optim, setting.optimizer)(params.values(), foreach=False, **options)
            kept: dict[str, list[np.ndarray]] = {name: [] for name in W}
            for t, G in enumerate(gradients, start=1):
                for name, parameter in params.items():
                    parameter.grad = torch.from_numpy(G[name].copy())
                optimizer.step()
                for name, parameter in params.items():
                    if t in KEPT:
                        kept[name].append(parameter.detach().numpy().copy())
            for name, values in kept.items():
                arrays[f"{setting}/{np.dtype(dtype)}/{name}"] = np.stack(values)
    np.savez_compressed(FILE, **arrays)


if __name__ == "__main__":
    record()
