"""The matrix work of a part, by its class."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from benchmarks.work import Work, work_of

import schattor as st
from schattor.parts.part import Part

P, E, S = st.parts, st.estimators, st.Spectral()

ROOTS = Work(((6, 6, 4), (6, 4, 3), (6, 4, 4), (4, 6, 2)))

CASES: list[tuple[Any, Work]] = [
    (P.InverseInputMoment(), Work(((6, 4, 4),))),
    (P.InverseInputMoment(blocks=2), Work(((6, 2, 2), (6, 2, 2)))),
    (E.Dion(0.9, rank_fraction=0.5), Work(((6, 4, 2), (2, 6, 4), (6, 2, 4), (6, 2, 4)), ((6, 2),))),
    (P.PartnerMetric(), Work(2 * ((6, 4, 4),), eigendecompositions=(4,))),
    (P.Eigenbasis(sides="left"), Work(3 * ((6, 6, 4),) + ((6, 4, 3),))),
    (P.Eigenbasis(sides="both", largest=4), Work(3 * ((6, 4, 4),) + ((4, 6, 2),))),
    (P.KroneckerRoots(), ROOTS),
    (P.KroneckerInverses(), ROOTS),
    (P.Grafted(P.KroneckerRoots(), P.Signs()), ROOTS),
    (
        P.TangentDual(S, steps=2),
        Work(2 * ((4, 6, 4), (4, 4, 6)), oracles=((S, 6, 4, 1),)),
    ),
    (
        P.IntrinsicStiefel(S),
        Work(2 * ((4, 6, 4), (4, 4, 6)) + ((4, 4, 6),), oracles=((S, 6, 4, 1), (S, 4, 4, 1))),
    ),
    (P.LeverageEquilibration(S, passes=3), Work(oracles=((S, 6, 4, 2),))),
    (P.PolarRetraction(S), Work(oracles=((S, 6, 4, 1),))),
]


@pytest.mark.parametrize(("part", "wanted"), CASES, ids=lambda x: type(x).__name__)
def test_work_of_parts(part: Part, wanted: Work) -> None:
    """The products, factorisations and oracles of a 6 x 4 block, written out."""
    assert work_of(part, 6, 4) == wanted


def test_vectors_and_squares() -> None:
    """A vector has one side with a matrix; a square matrix is not equilibrated."""
    assert work_of(P.KroneckerRoots(), 6, 1) == Work(((6, 6, 1), (6, 1, 3)))
    assert work_of(P.Eigenbasis(), 6, 1) == Work()
    assert work_of(P.LeverageEquilibration(S), 4, 4) == Work()


def test_a_part_without_matrices_has_no_work() -> None:
    """So has every class that no row is for; a subclass has the work of its parent."""
    assert work_of(E.EMA(0.9), 6, 4) == work_of(P.Signs(), 6, 4) == Work()

    @dataclasses.dataclass(frozen=True)
    class Named(P.KroneckerRoots):
        """The same under another name."""

    assert work_of(Named(), 6, 4) == ROOTS


def test_no_part_that_calls_oracles_or_keeps_matrices_is_missing() -> None:
    """A part that holds a geometry calls it; one that follows matrices has a `frequency` at which they are renewed."""
    classes = {x for module in (P, E) for x in vars(module).values() if isinstance(x, type)}
    parts = [x for x in classes if issubclass(x, Part) and dataclasses.is_dataclass(x)]
    telling = [
        kind
        for kind in parts
        if any(f.name == "frequency" or f.type == "Geometry" for f in dataclasses.fields(kind))
    ]
    assert len(telling) >= 7
    for kind in telling:
        assert work_of.dispatch(kind) is not work_of.dispatch(object), kind.__name__
