"""A language model of GPT-2's shape whose parameters are NumPy arrays; torch computes on the same memory.

The only module that imports torch.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional
from torch.nn.attention import SDPBackend, sdpa_kernel

from .architecture import Architecture, Array

__all__ = ["GPT", "one_torch_thread"]

Tokens = npt.NDArray[np.int64]


class GPT:
    """Loss, gradients and Hessian-vector products of the model at parameters that change in place.

    Parameters
    ----------
    architecture : Architecture
    params : mapping of str to ndarray
        As of `initial_parameters`. They are shared, not copied.
    """

    def __init__(self, architecture: Architecture, params: Mapping[str, Array]) -> None:
        self._architecture = architecture
        self._params = {name: torch.from_numpy(x).requires_grad_() for name, x in params.items()}

    def loss(self, tokens: Tokens) -> float:
        """Return the mean cross-entropy of each next byte, in nats.

        Parameters
        ----------
        tokens : ndarray of int, shape (sequences, context + 1)
        """
        with torch.no_grad():
            return float(self._loss(tokens))

    def gradient(self, tokens: Tokens) -> tuple[float, dict[str, Array]]:
        """Return the loss and its gradient by every parameter."""
        loss = self._loss(tokens)
        gradients = torch.autograd.grad(loss, list(self._params.values()))
        return loss.item(), {k: G.numpy() for k, G in zip(self._params, gradients, strict=True)}

    def curvature(
        self, tokens: Tokens, names: Sequence[str]
    ) -> Iterator[tuple[str, Array, Callable[[npt.ArrayLike], Array]]]:
        """Yield name, gradient and Hessian of each of these blocks, the other blocks being held.

        The Hessian is a function of a direction, which differentiates the gradient a second time.
        """
        blocks = [self._params[name] for name in names]
        # The fused attention can be differentiated only once.
        with sdpa_kernel(SDPBackend.MATH):
            gradients = torch.autograd.grad(self._loss(tokens), blocks, create_graph=True)
        for name, block, gradient in zip(names, blocks, gradients, strict=True):

            def product(direction: npt.ArrayLike, block: Any = block, gradient: Any = gradient) -> Array:
                D = torch.from_numpy(np.asarray(direction, dtype=np.float32))
                (HD,) = torch.autograd.grad(gradient, block, D, retain_graph=True)
                return np.asarray(HD.numpy())

            yield name, gradient.detach().numpy(), product

    def _loss(self, tokens: Tokens) -> Any:
        all_tokens = torch.from_numpy(tokens)
        scores = self._scores(all_tokens[:, :-1])
        return functional.cross_entropy(scores.flatten(0, 1), all_tokens[:, 1:].flatten())

    def _scores(self, tokens: Any) -> Any:
        embedding = self._params["tokens"]
        X = embedding[tokens] + self._params["positions"][: tokens.shape[1]]
        for i in range(self._architecture.layers):
            X = X + self._attention(f"h{i}", self._normalized(f"h{i}/norm1", X))
            X = X + self._perceptron(f"h{i}", self._normalized(f"h{i}/norm2", X))
        return self._normalized("norm", X) @ embedding.T

    def _attention(self, layer: str, X: Any) -> Any:
        heads = self._linear(f"{layer}/qkv", X).unflatten(-1, (3, self._architecture.heads, -1))
        Q, K, V = heads.permute(2, 0, 3, 1, 4)
        Y = functional.scaled_dot_product_attention(Q, K, V, is_causal=True)
        return self._linear(f"{layer}/attention", Y.transpose(1, 2).flatten(2))

    def _perceptron(self, layer: str, X: Any) -> Any:
        hidden = functional.gelu(self._linear(f"{layer}/expand", X), approximate="tanh")
        return self._linear(f"{layer}/contract", hidden)

    def _linear(self, name: str, X: Any) -> Any:
        return functional.linear(X, self._params[f"{name}/W"], self._params[f"{name}/b"])

    def _normalized(self, name: str, X: Any) -> Any:
        return functional.layer_norm(
            X, X.shape[-1:], self._params[f"{name}/scale"], self._params[f"{name}/shift"]
        )


@contextlib.contextmanager
def one_torch_thread() -> Iterator[None]:
    """Hold torch to one thread: its own and those of the BLAS would wait for each other, and sums keep their order."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
