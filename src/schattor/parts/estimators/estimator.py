"""What stands for the gradient: what an estimator is, and the gradient itself."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..._edge import _core
from ..._edge.arguments import checked
from ..._edge.arrays import FLOATS, FloatArray, matrix_shape, prepare
from ..part import Lowering, Part


class Estimator(Part, ABC):
    """A rule that turns a sequence of gradients into estimates. See `EMA`, `DoubleEMA`, `HeavyBall`, `NoMomentum`."""

    @abstractmethod
    def lower(self, into: Lowering) -> _core.Estimator:
        """Return the core's part."""

    def degree(self, incoming: float | None) -> float | None:
        """Return the degree of the estimate in the scale of all gradients, given that of the gradient."""
        return incoming

    @property
    def averages_from_zero(self) -> bool:
        """Whether it is an average that starts at zero and is not debiased: it is not the first gradient itself."""
        return False

    def start(self, like: npt.ArrayLike) -> RunningEstimator:
        """Return the estimator at work, for arrays of the shape and dtype of `like`.

        Parameters
        ----------
        like : array_like
            An array of float32 or float64, such as the first gradient; only its shape and dtype are used.

        Returns
        -------
        RunningEstimator

        Raises
        ------
        TypeError
            For arrays of another dtype, or an estimator that needs more than gradients.
        """
        if self.requires:
            raise TypeError(
                f"{self} needs {', '.join(sorted(self.requires))}: it works inside an optimizer only"
            )
        return RunningEstimator(self, like)


class RunningEstimator:
    """An estimator with its state, outside of an optimizer. Made by ``estimator.start(like)``."""

    def __init__(self, estimator: Estimator, like: npt.ArrayLike) -> None:
        array = np.asarray(like)
        if array.dtype not in FLOATS:
            raise TypeError(f"like must be float32 or float64, got {array.dtype}")
        self._shape, self._dtype = array.shape, array.dtype
        lowering = Lowering(fans=matrix_shape(array.shape))
        self._schedules = lowering.schedules
        part = estimator.lower(lowering)
        runner = _core.RunningEstimatorFloat32 if self._dtype == np.float32 else _core.RunningEstimatorFloat64
        rows, cols = lowering.fans
        self._runner = runner(estimator=part, rows=rows, cols=cols)

    @property
    def count(self) -> int:
        """Number of updates so far."""
        return self._runner.count

    @property
    def state(self) -> dict[str, FloatArray]:
        """Copies of the state arrays by name."""
        size = math.prod(self._shape)
        return {
            name: (array.reshape(self._shape) if array.size == size else array).copy()
            for name, array in self._runner.state().items()
        }

    def update(self, G: npt.ArrayLike) -> FloatArray:
        """Advance by one gradient and return the estimate in a fresh array.

        Parameters
        ----------
        G : array_like
            Shape and dtype as at the start.

        Returns
        -------
        ndarray

        Raises
        ------
        TypeError, ValueError
            For another dtype or shape, NaN or Inf; the state is unchanged then.
        """
        given = np.asarray(G)
        if given.dtype != self._dtype:
            raise TypeError(f"G must have dtype {self._dtype}, got {given.dtype}")
        if given.shape != self._shape:
            raise ValueError(f"G must have shape {self._shape}, got {given.shape}")
        gradient = np.require(given, requirements=["C", "A"])
        estimate = np.empty(self._shape, dtype=self._dtype)
        slots = self._schedules.evaluate(self.count)
        try:
            self._runner.update(slots, gradient, estimate)
        except ValueError as error:
            raise ValueError(f"G: {error}") from None
        return estimate


@checked
@dataclass(frozen=True)
class NoMomentum(Estimator):
    r"""The gradient stands for itself: :math:`\theta = 1`.

    Examples
    --------
    >>> run = st.estimators.NoMomentum().start(like=np.zeros(1))
    >>> run.update(np.array([4.0]))
    array([4.])
    """

    def lower(self, into: Lowering) -> _core.Estimator:
        """Return the core's part."""
        return _core.NoMomentum()

    def __str__(self) -> str:
        return "NoMomentum"


def minibatch_mean(samples: npt.ArrayLike) -> FloatArray:
    r"""Return the mini-batch gradient :math:`\frac1B\sum_{j\le B}\nabla F(X;\xi_j)`.

    Parameters
    ----------
    samples : array_like, shape (B, ...)
        One gradient per sample along the first axis; float32 is averaged in double and rounded once.

    Returns
    -------
    ndarray, shape (...)

    Raises
    ------
    ValueError
        Without samples, or without a first axis.
    TypeError
        For a dtype other than float32, float64, integer or bool.

    Examples
    --------
    >>> st.estimators.minibatch_mean([[1.0, 2.0], [3.0, 6.0]])
    array([2., 4.])
    """
    array = np.asarray(samples)
    if array.ndim == 0 or array.shape[0] == 0:
        raise ValueError(
            f"samples must hold at least one gradient along the first axis, got shape {array.shape}"
        )
    flat, _ = prepare(array.reshape(array.shape[0], -1), "samples")
    mean: FloatArray = flat.mean(axis=0, dtype=np.float64).astype(flat.dtype)
    return mean.reshape(array.shape[1:])
