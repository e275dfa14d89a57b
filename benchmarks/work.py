"""The matrix work that a part cannot do without: products, factorisations and oracles, by the part's class.

A part that multiplies matrices in every step has its row here; what a step of a recipe takes beyond its oracle is
measured against it (``floors.py``). The rows say what the method needs, not what the code does.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import schattor as st
from schattor.parts.geometries import Geometry
from schattor.parts.part import Part

from .matrices import Shape

P, E = st.parts, st.estimators


@dataclass(frozen=True)
class Work:
    """What every step on a block takes.

    `products` are (p, q, r) for (p x q)(q x r), `factorizations` the shapes of QR factorisations, `eigendecompositions`
    the orders of symmetric matrices in float64, `oracles` (geometry, p, q, times).
    """

    products: tuple[tuple[int, int, int], ...] = ()
    factorizations: tuple[Shape, ...] = ()
    eigendecompositions: tuple[int, ...] = ()
    oracles: tuple[tuple[Geometry, int, int, int], ...] = ()

    def __add__(self, other: Work) -> Work:
        """Return both."""
        return Work(
            self.products + other.products,
            self.factorizations + other.factorizations,
            self.eigendecompositions + other.eigendecompositions,
            self.oracles + other.oracles,
        )


@functools.singledispatch
def work_of(part: Part, rows: int, cols: int) -> Work:
    """Return the work of a part on a block of this shape; none unless its class has a row below."""
    return Work()


def _row(kind: type[Any]) -> Callable[[Callable[..., Work]], Callable[..., Work]]:
    """Register the work of a class of parts."""
    register: Callable[[Callable[..., Work]], Callable[..., Work]] = work_of.register(kind)
    return register


def on_sides(rows: int, cols: int, left: bool, right: bool, times: int) -> Work:
    """Return `times` products with a square matrix on each of these sides, and the Gram matrix that it follows.

    A Gram matrix takes half of a product.
    """
    of_left = ((rows, rows, cols),) * times + ((rows, cols, (rows + 1) // 2),)
    of_right = ((rows, cols, cols),) * times + ((cols, rows, (cols + 1) // 2),)
    return Work(of_left * left + of_right * right)


@_row(P.InverseInputMoment)
def _(part: P.InverseInputMoment, rows: int, cols: int) -> Work:
    """Return the products of the gradient."""
    width = cols // part.blocks
    return Work(((rows, width, width),) * part.blocks)


@_row(E.Dion)
def _(part: E.Dion, rows: int, cols: int) -> Work:
    """Return X Q, P'X, P R' and P Q'; the columns of X Q are orthonormalised."""
    k, n = min(rows, cols), max(rows, cols)
    r = max(1, math.ceil(part.rank_fraction * k))
    return Work(((n, k, r), (r, n, k), (n, r, k), (n, r, k)), ((n, r),))


@_row(P.PartnerMetric)
def _(part: P.PartnerMetric, rows: int, cols: int) -> Work:
    """Return the metric on both ways and the partner's Gram matrix, for a rank that is the smaller side."""
    product = (rows, cols, cols) if rows > cols else (rows, rows, cols)
    return Work(2 * (product,), eigendecompositions=(min(rows, cols),))


@_row(P.Eigenbasis)
def _(part: P.Eigenbasis, rows: int, cols: int) -> Work:
    """Return gradient, estimate and direction, and the Gram matrices."""
    return on_sides(rows, cols, *part.turned((rows, cols)), times=3)


@_row(P.KroneckerRoots)
def _(part: P.KroneckerRoots, rows: int, cols: int) -> Work:
    """Return the estimate and the Gram matrices."""
    left, right = (rows >= cols, rows < cols) if 1 in (rows, cols) else (True, True)
    return on_sides(rows, cols, left, right, times=1)


@_row(P.KroneckerInverses)
def _(part: P.KroneckerInverses, rows: int, cols: int) -> Work:
    """Return the estimate and the Gram matrices, of as many samples as `testing.extras_for` makes up."""
    return on_sides(rows, cols, left=True, right=True, times=1)


@_row(P.Grafted)
def _(part: P.Grafted, rows: int, cols: int) -> Work:
    """Return both metrics."""
    return work_of(part.direction, rows, cols) + work_of(part.length, rows, cols)


@_row(P.TangentDual)
def _(part: P.TangentDual, rows: int, cols: int) -> Work:
    """Return W'A and W L and, but for the last, a polar factor in each step, as if the tolerance were not met."""
    k, n = min(rows, cols), max(rows, cols)
    products = part.steps * ((k, n, k), (k, k, n))
    return Work(products, oracles=((part.geometry, rows, cols, part.steps - 1),))


@_row(P.IntrinsicStiefel)
def _(part: P.IntrinsicStiefel, rows: int, cols: int) -> Work:
    """Return two projections and a turn; two polar factors."""
    k, n = min(rows, cols), max(rows, cols)
    oracles = (part.geometry, rows, cols, 1), (part.geometry, k, k, 1)
    return Work(2 * ((k, n, k), (k, k, n)) + ((k, k, n),), oracles=oracles)


@_row(P.LeverageEquilibration)
def _(part: P.LeverageEquilibration, rows: int, cols: int) -> Work:
    """Return a polar factor for each pass but the last."""
    return Work(oracles=() if rows == cols else ((part.geometry, rows, cols, part.passes - 1),))


@_row(P.PolarRetraction)
def _(part: P.PolarRetraction, rows: int, cols: int) -> Work:
    """Return one polar factor."""
    return Work(oracles=((part.geometry, rows, cols, 1),))
