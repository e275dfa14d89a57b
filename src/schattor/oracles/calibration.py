"""What the backends cost on this machine, for the choice that ``backend="auto"`` makes."""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from .._edge import _core
from .._edge.backends import ROUTES, Backend
from .functions import batched_ball_oracle

Cost: TypeAlias = tuple[float, float, float, float]

Shapes: TypeAlias = tuple[tuple[int, int], ...]

_SQUARE: Shapes = tuple((k, k) for k in (4, 8, 16, 32, 64, 128, 256))
_WIDE: Shapes = ((16, 64), (32, 128), (64, 256), (128, 512))
_OTHERWISE: Shapes = ((32, 256), (64, 128), (128, 256), (128, 1024), (256, 512))
_SECONDS_PER_CASE = 0.06


@dataclass(frozen=True, init=False, repr=False)
class CostModel:
    """Nanoseconds that each backend takes for a k x n matrix, k <= n, in float32 on one thread.

    Each cost is ``(a, b, c, d)`` for ``a + b k^2 + c k^3 + d k^2 (n - k)``. Only ratios matter.

    Parameters
    ----------
    **costs : tuple of four floats
        By the names of the backends that ``"auto"`` chooses from; those that are left out keep their costs. Backends
        that serve matrices of any conditioning count strict, the others (``"chebyshev"``, and ``"newton_schulz"``, the
        adaptive iteration) at ``rtol=1e-3`` and for matrices at least twice as long as wide.

    Raises
    ------
    ValueError
        When it is applied, for a name that ``"auto"`` does not choose.

    Examples
    --------
    >>> st.CostModel(svd=(9e3, 155.0, 0.26, 0.66)).svd
    (9000.0, 155.0, 0.26, 0.66)
    """

    costs: Mapping[str, Cost]

    def __init__(self, **costs: Cost) -> None:
        object.__setattr__(self, "costs", costs)

    def __getattr__(self, name: str) -> Cost:
        if name in self.__dict__.get("costs", {}):
            return self.costs[name]
        raise AttributeError(f"the cost model has no backend {name!r}")

    def __repr__(self) -> str:
        return f"CostModel({', '.join(f'{name}={cost}' for name, cost in self.costs.items())})"

    @classmethod
    def current(cls) -> CostModel:
        """Return the model in use: the one compiled in, unless another has been applied."""
        return cls(**{name: (c.fixed, c.square, c.cube, c.product) for name, c in _core.cost_model().items()})

    def apply(self) -> None:
        """Let ``backend="auto"`` choose by this model, in the whole process."""
        _core.set_cost_model(
            {
                name: _core.RouteCost(fixed=a, square=b, cube=c, product=d)
                for name, (a, b, c, d) in self.costs.items()
            }
        )


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
    costs: dict[str, Cost] = {}
    for name in _core.cost_model():
        route = ROUTES[name]
        shapes, rtol = (_SQUARE + _WIDE, None) if route.general else (_WIDE + _OTHERWISE, 1e-3)
        p = math.inf if route.polar else 4.0
        matrices = [generator.standard_normal((1, *shape)).astype(np.float32) for shape in shapes]
        costs[name] = fit_cost([_least_time(G, p, name, rtol) for G in matrices], shapes)
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
