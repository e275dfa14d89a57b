"""How an array is seen as a matrix."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

from .._edge.arrays import matrix_shape
from .._edge.values import check_count, is_count

__all__ = ["View", "batch", "flatten", "split", "transposed"]


class View(ABC):
    """Maps an array to the matrices which the pipeline works on: itself, or pieces along its first axis."""

    @abstractmethod
    def shape(self, shape: tuple[int, ...]) -> tuple[int, int]:
        """Return rows and columns of the matrix that an array, or a piece, of this shape is stored as."""

    def __repr__(self) -> str:
        name, *numbers = str(self).split()
        return f"st.views.{name}({', '.join(numbers)})"

    def pieces(self, shape: tuple[int, ...]) -> list[Any] | None:
        """Return what indexes the pieces of an array of this shape, or None where it is one block."""
        return None

    @property
    def transposes(self) -> bool:
        """Whether the stored matrix is the transpose of the (out, in) one that norms and factors mean."""
        return False


@dataclass(frozen=True, repr=False)
class _Flatten(View):
    def shape(self, shape: tuple[int, ...]) -> tuple[int, int]:
        return matrix_shape(shape)

    def __str__(self) -> str:
        return "flatten"


def flatten() -> View:
    """Return the view of an (out, ...) array as an (out, rest) matrix: the usual one for convolutions.

    Shape factors use the flattened matrix.

    Returns
    -------
    View

    Examples
    --------
    >>> st.views.flatten().shape((64, 3, 5, 5))
    (64, 75)
    """
    return _Flatten()


@dataclass(frozen=True, repr=False)
class _Batch(View):
    def shape(self, shape: tuple[int, ...]) -> tuple[int, int]:
        return matrix_shape(shape)

    def pieces(self, shape: tuple[int, ...]) -> list[Any]:
        if len(shape) < 3:
            raise ValueError(f"a batch has at least three dimensions, got shape {shape}")
        return list(range(shape[0]))

    def __str__(self) -> str:
        return "batch"


def batch() -> View:
    """Return the view of a (count, out, ...) array as `count` matrices, each a block of its own.

    The pieces are called "name[0]", "name[1]" and so on in reports and states. They share recipe, geometry and weight
    of their array. Dimensions beyond the third are flattened.

    Returns
    -------
    View

    Raises
    ------
    ValueError
        At construction of the optimizer, for an array below three dimensions.

    Examples
    --------
    >>> opt = st.Muon({"experts": np.zeros((2, 3, 3))}, lr=1.0, backend="svd", views={"experts": st.views.batch()})
    >>> opt.step({"experts": np.stack([np.eye(3), 5 * np.eye(3)])})
    >>> opt.params["experts"][:, 0, 0], list(opt.report)
    (array([-1., -1.]), ['experts[0]', 'experts[1]'])
    """
    return _Batch()


@dataclass(frozen=True, repr=False)
class _Split(View):
    count: int

    def shape(self, shape: tuple[int, ...]) -> tuple[int, int]:
        return matrix_shape(shape)

    def pieces(self, shape: tuple[int, ...]) -> list[Any]:
        if not shape or shape[0] % self.count:
            raise ValueError(f"{self.count} equal parts do not fit into the first axis of shape {shape}")
        height = shape[0] // self.count
        return [slice(i * height, (i + 1) * height) for i in range(self.count)]

    def __str__(self) -> str:
        return f"split {self.count}"


def split(count: int, axis: int = 0) -> View:
    """Return the view of an array as `count` equal parts along its first axis, each a block of its own.

    For fused projections, such as query, key and value in one (3 out, in) array, or heads. The pieces are called
    "name[0]", "name[1]" and so on in reports and states, and share recipe, geometry and weight of their array.

    Parameters
    ----------
    count : int
    axis : int
        0: pieces along another axis would not be contiguous.

    Returns
    -------
    View

    Raises
    ------
    ValueError
        For a count below one or another axis; at construction of the optimizer, where the parts are not equal.

    Examples
    --------
    >>> opt = st.Muon({"qkv": np.zeros((6, 2))}, lr=1.0, backend="svd", views={"qkv": st.views.split(3)})
    >>> opt.step({"qkv": np.vstack([np.eye(2), 3 * np.eye(2), np.zeros((2, 2))])})
    >>> np.diagonal(opt.params["qkv"].reshape(3, 2, 2), 0, 1, 2) + 0.0
    array([[-1., -1.],
           [-1., -1.],
           [ 0.,  0.]])
    """
    check_count("count", count, least=1)
    if not is_count(axis) or axis != 0:
        raise ValueError(f"axis must be 0, since pieces along another axis are not contiguous, got {axis}")
    return _Split(count)


@dataclass(frozen=True, repr=False)
class _Transposed(View):
    def shape(self, shape: tuple[int, ...]) -> tuple[int, int]:
        if len(shape) != 2:
            raise ValueError(f"a transposed matrix has two dimensions, got shape {shape}")
        return matrix_shape(shape)

    @property
    def transposes(self) -> bool:
        return True

    def __str__(self) -> str:
        return "transposed"


def transposed() -> View:
    """Return the view of an (in, out) matrix as the (out, in) one that shape factors, row and column norms mean.

    Returns
    -------
    View

    Raises
    ------
    ValueError
        At construction of the optimizer, for an array that is not a matrix.

    Examples
    --------
    >>> opt = st.Muon({"W": np.zeros((2, 8))}, lr=1.0, backend="svd", views={"W": st.views.transposed()})
    >>> opt.step({"W": np.eye(2, 8)})
    >>> -opt.params["W"][0, 0]  # sqrt(8 / 2), as for an (8, 2) matrix
    np.float64(2.0)
    """
    return _Transposed()
