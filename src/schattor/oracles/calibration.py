"""What the backends cost on this machine, for the choice that ``backend="auto"`` makes."""

from __future__ import annotations

import itertools
import math
import time
from dataclasses import astuple, dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from .._edge import _core
from .._edge.backends import Backend, NewtonSchulz
from .functions import batched_ball_oracle

Cost: TypeAlias = tuple[float, float, float, float]

Shapes: TypeAlias = tuple[tuple[int, int], ...]

_SQUARE: Shapes = tuple((k, k) for k in (4, 8, 16, 32, 64, 128, 256))
_WIDE: Shapes = ((16, 64), (32, 128), (64, 256), (128, 512))
_OTHERWISE: Shapes = ((32, 256), (64, 128), (128, 256), (128, 1024), (256, 512))
_SECONDS_PER_CASE = 0.06


@dataclass(frozen=True)
class CostModel:
    """Nanoseconds that each backend takes for a k x n matrix, k <= n, in float32 on one thread.

    Each cost is ``(a, b, c, d)`` for ``a + b k^2 + c k^3 + d k^2 (n - k)``. Only ratios matter.

    Attributes
    ----------
    svd, gram, band, chebyshev, newton_schulz : tuple of four floats
        The first three strict; `chebyshev` and `newton_schulz`, the adaptive iteration, at ``rtol=1e-3`` and for
        matrices at least twice as long as wide.
    """

    svd: Cost
    gram: Cost
    band: Cost
    chebyshev: Cost
    newton_schulz: Cost

    @classmethod
    def current(cls) -> CostModel:
        """Return the model in use: the one compiled in, unless another has been applied."""
        return cls(*_core.cost_model())

    def apply(self) -> None:
        """Let ``backend="auto"`` choose by this model, in the whole process."""
        _core.set_cost_model(list(astuple(self)))


def calibrate(*, rng: int | np.random.Generator | None = 0) -> CostModel:
    """Measure what the backends cost on this machine and let ``backend="auto"`` choose accordingly.

    Takes about ten seconds; interrupting it changes nothing. Nothing but speed depends on the result, except that
    another backend rounds differently: calibrate before a run that must be repeatable bit by bit, or not at all.

    Parameters
    ----------
    rng : int, Generator or None
        Source of the Gaussian test matrices.

    Returns
    -------
    CostModel
        The measured model, already applied. ``CostModel.apply`` of a stored one brings it back.

    Examples
    --------
    >>> model = st.CostModel.current()
    >>> model.apply()  # what calibrate does with the model that it measured
    """
    generator = np.random.default_rng(rng)
    sides: dict[str, tuple[float, Backend, float | None, Shapes]] = {
        "svd": (4.0, "svd", None, _SQUARE + _WIDE),
        "gram": (4.0, "gram", None, _SQUARE + _WIDE),
        "band": (4.0, "band", None, _SQUARE + _WIDE),
        "chebyshev": (4.0, "chebyshev", 1e-3, _WIDE + _OTHERWISE),
        "newton_schulz": (math.inf, NewtonSchulz("adaptive", rtol=1e-3), None, _WIDE + _OTHERWISE),
    }
    costs: dict[str, Cost] = {}
    for name, (p, backend, rtol, shapes) in sides.items():
        matrices = [generator.standard_normal((1, *shape)).astype(np.float32) for shape in shapes]
        costs[name] = fit_cost([_least_time(G, p, backend, rtol) for G in matrices], shapes)
    model = CostModel(**costs)
    model.apply()
    return model


def _least_time(G: npt.NDArray[np.float32], p: float, backend: Backend, rtol: float | None) -> float:
    """Return the least time of a call in nanoseconds."""
    least, end = math.inf, time.perf_counter() + _SECONDS_PER_CASE
    for _ in range(10_000):
        begin = time.perf_counter()
        batched_ball_oracle(G, p, backend=backend, rtol=rtol, n_threads=1)
        now = time.perf_counter()
        least = min(least, now - begin)
        if now > end:
            break
    return 1e9 * least


def fit_cost(times: list[float], shapes: Shapes) -> Cost:
    """Return the non-negative cost whose relative errors have the least sum of squares.

    Parameters
    ----------
    times : list of float
        Nanoseconds, one for each shape.
    shapes : tuple of (k, n)

    Returns
    -------
    tuple of four floats
    """
    k, n = np.array(shapes, dtype=float).T
    terms = np.stack([np.ones_like(k), k**2, k**3, k**2 * (n - k)], axis=1) / np.array(times)[:, None]
    best, least = np.zeros(4), math.inf
    for size in range(1, 5):
        for chosen in itertools.combinations(range(4), size):
            part, *_ = np.linalg.lstsq(terms[:, chosen], np.ones(len(times)), rcond=None)
            error = float(np.sum((terms[:, chosen] @ part - 1.0) ** 2))
            if np.all(part >= 0.0) and error < least:
                best, least = np.zeros(4), error
                best[list(chosen)] = part
    a, b, c, d = map(float, best)
    return a, b, c, d
