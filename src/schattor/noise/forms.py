"""How a covariance is kept: whole, its diagonal, or a low-rank sketch; and what each says about the spectrum."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

import numpy as np

from .._edge import _core
from .._edge.arrays import FloatArray
from .._edge.values import (
    check_choice,
    check_count,
)

FormName: TypeAlias = Literal["full", "diagonal", "sketch"]

FORMS: tuple[str, ...] = get_args(FormName)


@dataclass(frozen=True, eq=False)
class Form:
    """One form for blocks of one shape, with the test matrix of a sketch."""

    name: str
    shape: tuple[int, int]
    test: FloatArray

    @property
    def order(self) -> int:
        """The smaller side of the block."""
        return min(self.shape)

    @property
    def side(self) -> str:
        """On which side of the block the covariance acts."""
        return "left" if self.shape[0] <= self.shape[1] else "right"

    @property
    def core(self) -> _core.SecondMoment:
        """The core's rule that adds second moments."""
        rows, cols = self.shape
        return _core.SecondMoment(form=self.name, rows=rows, cols=cols, rank=self.test.shape[1])

    def arrange(self, sums: FloatArray) -> FloatArray:
        """Return flat sums (..., entries) as float64 symmetric matrices, diagonals, or sketches."""
        values: FloatArray = np.asarray(sums, dtype=np.float64)
        if self.name == "diagonal":
            return values
        matrices: FloatArray = values.reshape(*sums.shape[:-1], self.order, -1)
        if self.name == "sketch":
            return matrices
        whole: FloatArray = np.triu(matrices) + np.triu(matrices, 1).swapaxes(-1, -2)
        return whole

    def eigenvalues(self, sums: FloatArray, traces: FloatArray) -> FloatArray:
        """Return the eigenvalues (..., order) of each covariance, not negative."""
        arranged = self.arrange(sums)
        if self.name == "diagonal":
            return np.maximum(arranged, 0)
        if self.name == "full":
            return np.asarray(np.maximum(np.linalg.eigvalsh(arranged), 0))
        leading, _, rest = self._nystroem(arranged, traces)
        others = np.repeat(rest[..., None], self.order - leading.shape[-1], axis=-1)
        return np.concatenate([others, leading], axis=-1)

    def matrix(self, sums: FloatArray, trace: float) -> FloatArray:
        """Return one covariance as a matrix with these eigenvalues."""
        arranged = self.arrange(sums)
        if self.name == "full":
            return arranged
        if self.name == "diagonal":
            return np.diag(arranged)
        leading, vectors, rest = self._nystroem(arranged, np.asarray(trace))
        return np.asarray(vectors * (leading - rest) @ vectors.T + rest * np.eye(self.order))

    def _nystroem(self, sketch: FloatArray, traces: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return eigenvalues and vectors of Y (Omega' Y)^+ Y', and what each other direction gets of the trace."""
        core = np.swapaxes(self.test, 0, 1) @ sketch
        b, Q = np.linalg.eigh((core + np.swapaxes(core, -1, -2)) / 2)
        # Of directions below the cutoff only rounding is known.
        cutoff = self.order * np.finfo(self.test.dtype).eps * np.maximum(b[..., -1:], 0)
        kept = b > cutoff
        root = np.where(kept, 1 / np.sqrt(np.where(kept, b, 1)), 0)
        vectors, singular, _ = np.linalg.svd(sketch @ Q * root[..., None, :], full_matrices=False)
        leading = singular**2
        rest = np.maximum(traces - leading.sum(-1), 0) / max(1, self.order - leading.shape[-1])
        return leading, vectors, rest


def make_form(
    name: str, shape: tuple[int, int], rank: int, rng: np.random.Generator, dtype: type = np.float64
) -> Form:
    """Return a form; a sketch draws an orthonormal test matrix."""
    check_choice("form", name, FORMS)
    check_count("rank", rank, least=1)
    order = min(shape)
    if name != "sketch":
        return Form(name, shape, np.zeros((order, 0), dtype=dtype))
    Q = np.linalg.qr(rng.standard_normal((order, min(rank, order))))[0]
    return Form(name, shape, np.ascontiguousarray(Q, dtype=dtype))
