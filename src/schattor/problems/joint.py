"""Several problems side by side."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..linalg.exponents import weight_exponent
from ..parts.geometries import Lp, Schatten
from ..parts.mixed_norm import MixedNorm
from .problem import Blocks, Params, Problem, Rng, Smooth


@dataclass(frozen=True, eq=False, repr=False)
class Joint(Problem):
    r"""The sum of problems in different variables: many blocks, none of which sees the others.

    The block ``"W"`` of the problem ``"a"`` is called ``"a/W"``.

    Parameters
    ----------
    problems : mapping of str to Problem

    Raises
    ------
    ValueError
        For no problems.

    Examples
    --------
    >>> quadratic = st.problems.MatrixQuadratic.random
    >>> problem = st.problems.Joint({"a": quadratic([1.0, 0.5], 3, rng=0), "b": quadratic([2.0], 4, rng=1)})
    >>> list(problem.start())
    ['a/W', 'b/W']
    >>> mix = st.MixedNorm.uniform(problem.start(), st.Spectral(), outer=np.inf)
    >>> round(problem.lipschitz(mix), 12)  # 2 (1 + 0.5) + 2 * 2
    7.0
    """

    problems: Mapping[str, Problem]

    def __post_init__(self) -> None:
        if not self.problems:
            raise ValueError("problems must not be empty")

    @property
    def lower_bound(self) -> float:
        """The sum of those of the problems; the infimum where they are."""
        return sum(problem.lower_bound for problem in self.problems.values())

    def start(self) -> Blocks:
        """Return the starting points of all problems."""
        return self._collect(lambda problem: problem.start())

    def loss(self, params: Params) -> float:
        """Return the sum of the losses."""
        return float(sum(problem.loss(x) for problem, x in self._split(params)))

    def gradient(self, params: Params) -> Blocks:
        """Return the gradients of all problems."""
        return self._collect(lambda problem, x: problem.gradient(x), params)

    def hvp(self, params: Params, direction: Params) -> Blocks:
        """Return the Hessian-vector products of all problems."""
        return self._collect(lambda problem, x, d: problem.hvp(x, d), params, direction)

    def stochastic_gradient(self, params: Params, batch: int, rng: Rng = None) -> Blocks:
        """Return the estimates of all problems, each of `batch` samples."""
        generator = np.random.default_rng(rng)
        return self._collect(lambda problem, x: problem.stochastic_gradient(x, batch, generator), params)

    def noise_covariance(self, params: Params) -> Blocks:
        """Return the noise covariances of all problems."""
        return self._collect(lambda problem, x: problem.noise_covariance(x), params)

    def lipschitz(self, norm: MixedNorm) -> float:
        r"""Return the Lipschitz constant of the gradient from a mixed norm to its dual, which is exact.

        :math:`\bigl\|(L_i/w_i^2)_i\bigr\|_{\ell_a}` with the constants :math:`L_i` of the problems in their norms and
        1/a = max(0, 1 - 2/r).

        Parameters
        ----------
        norm : MixedNorm
            Schatten norms of all blocks, with constant exponents and weights.

        Returns
        -------
        float

        Raises
        ------
        ValueError
            When a problem has several blocks or no exact constant, or the norm is of another kind.
        """
        constants = []
        for key, problem in self.problems.items():
            (name, *others), geometry = problem.start(), norm.geometries.get(f"{key}/W")
            if others or name != "W" or not isinstance(problem, Smooth):
                raise ValueError(f"problem {key!r} has no exact Lipschitz constant of one block")
            weight = norm.weights.get(f"{key}/W")
            if (
                not isinstance(geometry, Schatten)
                or callable(geometry.p)
                or weight is None
                or callable(weight)
            ):
                raise ValueError(
                    f"norm of block '{key}/W' must be Schatten, with constant exponent and weight"
                )
            constants.append(problem.lipschitz(geometry.p) / weight**2)
        return Lp(weight_exponent(norm.outer)).norm(np.array(constants))

    def _split(self, *structures: Params) -> list[tuple[Any, ...]]:
        """Return each problem with its part of the structures."""
        parts = []
        for key, problem in self.problems.items():
            own = [{name: x[f"{key}/{name}"] for name in problem.start()} for x in structures]
            parts.append((problem, *own))
        return parts

    def _collect(self, call: Callable[..., Blocks], *structures: Params) -> Blocks:
        joined = {}
        for key, (problem, *own) in zip(self.problems, self._split(*structures), strict=True):
            joined.update({f"{key}/{name}": x for name, x in call(problem, *own).items()})
        return joined
