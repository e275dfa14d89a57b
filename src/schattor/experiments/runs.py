"""Runs of an optimizer on a problem, recorded at chosen steps."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from .. import diagnostics
from ..optimizer.optimizer import Optimizer
from ..problems import Problem
from ..problems.problem import Blocks, Params

__all__ = ["checkpoints", "curvature_ratio", "follow", "slope"]


def checkpoints(steps: int, count: int) -> list[int]:
    """Return steps 0, 1, ..., `steps`, about `count` of them, evenly spread on a logarithmic scale."""
    return sorted({0, *np.geomspace(1, steps, count).round().astype(int).tolist()})


def follow(
    problem: Problem,
    opt: Optimizer,
    at: Sequence[int],
    watch: Callable[[Params], Mapping[str, float]],
    gradient: Callable[[Params], Blocks] | None = None,
) -> dict[str, list[float]]:
    """Make steps up to the last of `at`; return what `watch` says at those steps, one list for each quantity.

    Parameters
    ----------
    problem : Problem
    opt : Optimizer
        Over the parameters, which are changed; with ``on_nonfinite="skip"`` a run that diverges ends early.
    at : sequence of int
        Steps in ascending order; 0 is the start.
    watch : callable
        Parameters -> numbers.
    gradient : callable, optional
        Parameters -> what the step is given; that of the problem by default.

    Returns
    -------
    dict of str to list of float
        NaN after a divergence.
    """
    gradient = gradient or problem.gradient
    rows: list[Mapping[str, float]] = []
    step = 0
    for stop in at:
        while step < stop and not opt.skipped_steps:
            opt.step(gradient(opt.params))
            step += 1
        rows.append(watch(opt.params) if not opt.skipped_steps else dict.fromkeys(rows[0], math.nan))
    return {name: [row[name] for row in rows] for name in rows[0]}


def curvature_ratio(
    problem: Problem, params: Params, name: str = "W", L: Any = "operator_norm"
) -> dict[str, float]:
    """Return J_t, L_t, the norms and the ratio of `schattor.diagnostics.muon_ratio` at a point.

    And ``"rayleigh_ratio"``, with the Rayleigh quotient of the Hessian at the gradient in place of L_t.
    """
    hessian, gradient = diagnostics.block_hessian(problem.hvp, params, name), problem.gradient(params)[name]
    found = diagnostics.muon_ratio(hessian, gradient, L, rtol=1e-2, rng=0)
    rayleigh = found._replace(L=diagnostics.curvature(hessian, gradient, 2))
    return {**found._asdict(), "ratio": found.ratio, "rayleigh_ratio": rayleigh.ratio}


def slope(x: Any, y: Any) -> tuple[float, float]:
    """Return the exponent b of the least-squares fit y ~ x^b on logarithmic scales, and its standard error.

    Parameters
    ----------
    x : array_like, shape (k,)
    y : array_like, shape (k,) or (k, seeds)
        Each seed has a level of its own; the exponent is common.

    Examples
    --------
    >>> from schattor.experiments.runs import slope
    >>> b, error = slope([1, 2, 4], [[3, 5], [12, 20], [48, 80]])
    >>> round(b, 6), round(error, 6)
    (2.0, 0.0)
    """
    u = np.log(np.asarray(x, np.float64))
    v = np.log(np.asarray(y, np.float64)).reshape(len(u), -1)
    u, v = (u - u.mean())[:, None], v - v.mean(axis=0)
    spread = v.shape[1] * float((u * u).sum())
    b = float((u * v).sum()) / spread
    rest = v - b * u
    freedom = max(v.size - v.shape[1] - 1, 1)
    return b, math.sqrt(float((rest * rest).sum()) / freedom / spread)
