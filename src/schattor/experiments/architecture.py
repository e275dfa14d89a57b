"""Sizes and first parameters of a language model of GPT-2's shape, in NumPy."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["BYTES", "MATRICES", "Architecture", "Array", "initial_parameters"]

Array = npt.NDArray[np.float32]

BYTES = 256
MATRICES = ("qkv", "attention", "expand", "contract")


@dataclass(frozen=True)
class Architecture:
    """Sizes of the model; the vocabulary is that of bytes."""

    layers: int
    width: int
    heads: int
    context: int

    @property
    def matrices(self) -> list[str]:
        """Names of the hidden matrices, those that matrix methods are for."""
        return [f"h{i}/{name}/W" for i in range(self.layers) for name in MATRICES]


def initial_parameters(architecture: Architecture, rng: np.random.Generator) -> dict[str, Array]:
    """Return the parameters as GPT-2 draws them, by name.

    Weights are normal with standard deviation 0.02, those that write to the residual stream with
    0.02 / sqrt(2 layers). The head is the transposed embedding of the tokens.
    """
    width, layers = architecture.width, architecture.layers
    shapes = dict(
        zip(
            MATRICES,
            [(3 * width, width), (width, width), (4 * width, width), (width, 4 * width)],
            strict=True,
        )
    )

    def normal(shape: tuple[int, int], deviation: float = 0.02) -> Array:
        return (deviation * rng.standard_normal(shape)).astype(np.float32)

    params = {"tokens": normal((BYTES, width)), "positions": normal((architecture.context, width))}
    for i in range(layers):
        for name, shape in shapes.items():
            residual = name in ("attention", "contract")
            params[f"h{i}/{name}/W"] = normal(shape, 0.02 / (2 * layers) ** 0.5 if residual else 0.02)
            params[f"h{i}/{name}/b"] = np.zeros(shape[0], np.float32)
    for norm in (f"h{i}/{name}" for i in range(layers) for name in ("norm1", "norm2")):
        params.update(_norm(norm, width))
    return params | _norm("norm", width)


def _norm(name: str, width: int) -> dict[str, Array]:
    return {f"{name}/scale": np.ones(width, np.float32), f"{name}/shift": np.zeros(width, np.float32)}
