"""The Hessian as a linear map, of one block or of all."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import numpy as np

from .._edge.arguments import checked
from .._edge.arrays import FloatArray

Params: TypeAlias = Mapping[str, FloatArray]
Hvp: TypeAlias = Callable[[Params, Params], Mapping[str, FloatArray]]
"""Maps parameters and a direction, both by the blocks' names, to the Hessian's product with the direction."""

LinearMap: TypeAlias = Callable[[FloatArray], FloatArray]
"""A symmetric linear map of arrays of one shape, such as the Hessian of one block."""

Rng: TypeAlias = int | np.random.Generator | None


@checked
def block_hessian(hvp: Hvp, params: Params, name: str) -> LinearMap:
    """Return the Hessian of one block as a map: the other blocks stand still.

    Parameters
    ----------
    hvp : callable
        ``hvp(params, direction)``, such as the method of a problem of `schattor.problems`.
    params : mapping of str to ndarray
    name : str
        The block.

    Returns
    -------
    callable
        Maps an array of the block's shape to another.

    Raises
    ------
    KeyError
        For a name that is no block's.

    Examples
    --------
    >>> problem = st.problems.MatrixQuadratic(np.diag([3.0, 1.0]), np.ones((2, 2)))
    >>> H = st.diagnostics.block_hessian(problem.hvp, problem.start(), "W")
    >>> H(np.eye(2))
    array([[6., 0.],
           [0., 2.]])
    """
    if name not in params:
        raise KeyError(f"no block {name!r}; there are {', '.join(params)}")
    still = {other: np.zeros_like(x) for other, x in params.items()}
    return lambda D: hvp(params, {**still, name: D})[name]


@checked
def joint_hessian(hvp: Hvp, params: Params) -> tuple[LinearMap, tuple[int]]:
    """Return the Hessian of all blocks together as a map of vectors, and the vectors' shape.

    Parameters
    ----------
    hvp : callable
        As for `block_hessian`.
    params : mapping of str to ndarray

    Returns
    -------
    map : callable
        Of vectors that hold the entries of all blocks, in the order of `params`.
    shape : tuple of int

    Examples
    --------
    >>> X = np.random.default_rng(0).standard_normal((50, 6))
    >>> problem = st.problems.MLP.random(X, np.arange(50) % 3, hidden=(4,), rng=0)
    >>> H, shape = st.diagnostics.joint_hessian(problem.hvp, problem.start())
    >>> shape, H(np.ones(shape)).shape
    ((36,), (36,))
    """
    ends = np.cumsum([x.size for x in params.values()])

    def product(vector: FloatArray) -> FloatArray:
        pieces = np.split(vector, ends[:-1])
        direction = {name: d.reshape(x.shape) for (name, x), d in zip(params.items(), pieces, strict=True)}
        image = hvp(params, direction)
        return np.concatenate([np.ravel(image[name]) for name in params])

    return product, (int(ends[-1]),)


@checked
def hessian_matrix(hessian: LinearMap, shape: tuple[int, ...]) -> FloatArray:
    """Return the matrix of a map of arrays, for small problems: as many products as entries.

    Parameters
    ----------
    hessian : callable
        Symmetric linear map of arrays of this shape; see `block_hessian`.
    shape : tuple of int

    Returns
    -------
    ndarray, shape (d, d)
        d is the number of entries, taken row by row.

    Examples
    --------
    >>> st.diagnostics.hessian_matrix(lambda D: np.diag([3.0, 1.0]) @ D, (2, 1))
    array([[3., 0.],
           [0., 1.]])
    """
    d = math.prod(shape)
    units = np.eye(d).reshape(d, *shape)
    return np.stack([flat(hessian(unit)) for unit in units], axis=1) if d else np.zeros((0, 0))


def flat(array: Any) -> FloatArray:
    """Return the entries in one vector of float64."""
    return np.asarray(array, dtype=np.float64).ravel()
