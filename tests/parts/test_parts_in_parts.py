"""What follows from the parts that a part holds, and what is refused when a recipe is made."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import schattor as st

E, P = st.estimators, st.parts


def alternately(step: int) -> int:
    """Choose among two."""
    return step % 2


def recipe(**slots: Any) -> st.Recipe:
    """Return a recipe with these slots."""
    return st.Recipe("own", 0.1, **{"geometry": st.Lp(2), **slots})


class TestFolds:
    """What is asked of a part is asked of all that it holds."""

    @dataclass(frozen=True)
    class Chain(P.Preconditioner):
        """One metric after the other: only the fields say what it holds."""

        metrics: tuple[P.Preconditioner, ...]

        def degree(self, incoming: float | None, gradient: float | None) -> float | None:
            """Return that of all of them."""
            for metric in self.metrics:
                incoming = metric.degree(incoming, gradient)
            return incoming

        def lower(self, into: Any) -> Any:
            """Not needed."""
            raise NotImplementedError

    def test_children_are_the_parts_among_the_fields(self) -> None:
        """Alone and in tuples."""
        moment, division = P.Largest(P.Squares()), P.Plain()
        metric = P.Diagonal(moment, division)
        assert metric.children() == (moment, division)
        assert list(metric.tree()) == [metric, moment, P.Squares(), division]
        geometries = (st.Spectral(), st.Sign())
        assert st.Switched(alternately, geometries).children() == geometries
        assert E.EMA().children() == ()

    def test_answers_are_those_of_the_children(self) -> None:
        """Without a line in the part that holds them."""
        plain = self.Chain((P.Identity(), P.SecondMoment()))
        assert not plain.matrix and plain.homogeneous
        assert plain.equivariance == "entries" and plain.degree(1, 1) == 0
        whole = self.Chain((P.KroneckerInverses(), P.TangentProjection(alternately)))
        assert whole.matrix and whole.equivariance == "lines"
        assert not self.Chain((P.RatioOfMoments(),)).homogeneous

    def test_the_core_says_what_is_needed(self) -> None:
        """By the same folds, over its own parts."""
        plain = P.Grafted(P.SecondMoment(), P.Identity())
        assert not plain.requires and not plain.reads_weights and plain.keeps_state and not plain.shares
        whole = P.Grafted(P.KroneckerInverses(), P.TangentProjection(alternately))
        assert whole.requires == {"activations", "deltas"} and whole.reads_weights
        assert P.DistanceEstimate().reads_weights and P.DistanceEstimate().shares[0] == "d"
        assert not P.Identity().keeps_state and not P.Plain().keeps_state

    def test_what_a_part_written_in_python_needs(self) -> None:
        """The core does not know it."""

        class Needy(P.PythonGeometry):
            """A norm that says so."""

            requires = frozenset({"deltas"})

            def norm(self, X: Any) -> float:
                """Return the Frobenius norm."""
                return float(np.linalg.norm(X))

            dual_norm = norm

            def ball(self, G: Any) -> np.ndarray:
                """Return the direction."""
                return np.asarray(-G / np.linalg.norm(G))

        assert st.Switched(alternately, (st.Sign(), Needy())).requires == {"deltas"}

    def test_random_numbers_in_a_part_that_is_held(self) -> None:
        """They make the names of blocks matter."""
        assert P.WeightNormalized(E.Dion(), P.Identity()).draws
        assert not P.WeightNormalized(E.EMA(), P.Identity()).draws


def test_matrices_below_any_part_need_a_view() -> None:
    """A stack of matrices is not one matrix."""
    stack = {"experts": np.zeros((8, 3, 3))}
    for slots in (
        {"geometry": st.Switched(alternately, (st.Spectral(), st.Sign()))},
        {"preconditioner": P.KroneckerRoots()},
        {"preconditioner": P.Grafted(P.Signs(), P.SpectralMap(0.5))},
        {"frame": P.Eigenbasis()},
        {"estimator": E.Dion()},
        {"adjustments": (P.RowMoment(),)},
        {"update": P.WeightNormalized(E.EMA(), P.Identity())},
    ):
        with pytest.raises(ValueError, match=r"experts.*view"):
            st.Optimizer(stack, recipe(**slots))
        st.Optimizer(stack, recipe(**slots), views={"experts": st.views.batch()})
    st.Optimizer(stack, recipe(preconditioner=P.SecondMoment()))


DEGREES: list[tuple[dict[str, Any], float | None]] = [
    ({"estimator": E.Dion(), "preconditioner": P.Identity(), "scaling": P.NormScaling("regularization")}, 0),
    ({"estimator": E.Dion(), "preconditioner": P.Signs(), "scaling": P.NormScaling("regularization")}, 0),
    ({"preconditioner": P.SecondMoment(), "scaling": P.NormScaling("regularization")}, 0),
    (
        {
            "estimator": E.Dion(),
            "preconditioner": P.SecondMoment(),
            "scaling": P.NormScaling("regularization"),
        },
        -1,
    ),
    ({"preconditioner": P.RatioOfMoments()}, None),
    ({"scaling": P.NormPower(0.5), "adjustments": (P.RowMoment(),)}, 0.5),
    ({"scaling": P.NormScaling("regularization"), "adjustments": (P.RootMeanSquare(),)}, 0),
    ({"scaling": P.NormScaling("regularization"), "adjustments": (P.RootMeanSquare(), P.OracleLength())}, 1),
    ({"scaling": P.NormScaling("regularization"), "update": P.PolarRetraction(st.Spectral())}, None),
    ({"update": P.WeightNormalized(E.EMA(), P.SecondMoment())}, 0),
    ({"update": P.WeightNormalized(E.EMA(), P.Identity())}, None),
    ({"scaling": P.SwitchedScaling(alternately, (P.NormPower(0.5), P.NormPower(0.25)))}, None),
]


@pytest.mark.parametrize(("slots", "degree"), DEGREES, ids=str)
def test_degree(slots: dict[str, Any], degree: float | None) -> None:
    """It is what the steps have."""
    made = recipe(**slots)
    assert made.degree == degree
    if degree is not None:
        rng = np.random.default_rng(0)
        W = {"W": np.linalg.qr(rng.standard_normal((5, 3)))[0]}
        st.testing.check_degree(made, W, [{"W": rng.standard_normal((5, 3))} for _ in range(3)])


class Unit(P.PythonTransform):
    """The gradient at length one: of degree zero."""

    homogeneous = True
    equivariance = "rotations"

    def __init__(self, eps: float = 1e-8) -> None:
        self.eps = eps

    def apply(self, context: st.parts.Context, G: np.ndarray) -> np.ndarray:
        """Return G / (|G| + eps)."""
        return np.asarray(G / (np.linalg.norm(G) + self.eps), dtype=G.dtype)


class Declared(Unit):
    """Says so."""

    def degree(self, incoming: float | None) -> float | None:
        """Return zero."""
        return 0


def test_an_eps_hides_no_false_degree() -> None:
    """A scale-free part that declares nothing claims degree one, which is false; declared, it holds."""
    rule = P.NormScaling("regularization")
    with pytest.raises(AssertionError, match="degree 1"):
        st.testing.check_recipe(recipe(transforms=(Unit(),), scaling=rule))
    declared = recipe(transforms=(Declared(),), scaling=rule)
    assert declared.degree == 0
    st.testing.check_recipe(declared)


REFUSED: list[tuple[Callable[[], object], str]] = [
    (lambda: P.WeightNormalized(E.Recursive(0.9), P.Identity()), "WeightNormalized.*Recursive.*previous"),
    (lambda: P.WeightNormalized(E.EMA(), P.DistanceEstimate()), "WeightNormalized.*DistanceEstimate.*sums"),
    (
        lambda: P.WeightNormalized(E.EMA(), P.Grafted(P.Signs(), P.KroneckerInverses())),
        "WeightNormalized.*KroneckerInverses.*activations and deltas",
    ),
    (lambda: P.Grafted(P.DistanceEstimate(), P.Identity()), "Grafted.*DistanceEstimate.*sums"),
    (lambda: P.PolarRetraction(st.Sign()), "PolarRetraction needs a polar factor.*Sign"),
    (lambda: P.TangentDual(st.Schatten(4)), "TangentDual needs a polar factor"),
    (lambda: P.Extrapolated(P.Hyperball()), "Extrapolated.*Hyperball"),
    (lambda: P.ScheduleFree(P.Additive("cautious", 0.1)), "ScheduleFree.*cautious"),
    (
        lambda: P.SwitchedScaling(alternately, (P.NormScaling(), P.NormScaling("regularization"))),
        "one rule, got ball.*regularization",
    ),
    (
        lambda: recipe(frame=P.RandomRange(2, 0), preconditioner=P.DistanceEstimate()),
        "RandomRange.*DistanceEstimate.*weights",
    ),
    (
        lambda: recipe(frame=P.Eigenbasis(), preconditioner=P.TangentProjection(alternately)),
        "Eigenbasis.*TangentProjection.*weights",
    ),
    (
        lambda: recipe(frame=P.Eigenbasis(), preconditioner=P.Grafted(P.KroneckerInverses(), P.Identity())),
        "Eigenbasis.*KroneckerInverses.*activations and deltas",
    ),
    (
        lambda: recipe(estimator=E.AdaptiveRecursive(), preconditioner=P.DistanceEstimate()),
        "AdaptiveRecursive and DistanceEstimate",
    ),
    (
        lambda: recipe(estimator=E.EMA(), preconditioner=P.DistanceEstimate()),
        "DistanceEstimate.*does not read that of EMA",
    ),
    (
        lambda: recipe(transforms=(P.VarianceReduction(),), preconditioner=P.DistanceEstimate()),
        "VarianceReduction.*DistanceEstimate",
    ),
    (lambda: recipe(turns=P.Cyclic(), preconditioner=P.DistanceEstimate()), "Cyclic.*DistanceEstimate"),
    (
        lambda: recipe(estimator=E.Recursive(), update=P.WeightNormalized(E.EMA(), P.Identity())),
        "WeightNormalized.*Recursive.*previous",
    ),
]


@pytest.mark.parametrize(("make", "words"), REFUSED, ids=[words for _, words in REFUSED])
def test_refusals_name_both(make: Callable[[], object], words: str) -> None:
    """When the recipe or the part is made, in one sentence."""
    with pytest.raises(ValueError, match=words) as refusal:
        make()
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    "make",
    [
        lambda: P.WeightNormalized(P.Identity(), P.Identity()),
        lambda: P.Grafted(P.Signs, P.Identity()),
        lambda: P.Diagonal(P.Plain(), P.Squares()),
        lambda: P.Largest(P.Plain()),
        lambda: st.Switched(alternately, (st.Sign(), P.Identity())),
        lambda: P.SwitchedScaling(alternately, (P.NormScaling(), 2.0)),
        lambda: P.PolarRetraction(P.Identity()),
        lambda: P.Extrapolated(E.EMA()),
    ],
)
def test_other_kinds_are_refused(make: Callable[[], object]) -> None:
    """With the name of the argument and of the kind that it takes."""
    with pytest.raises(TypeError, match=r"\w+ must be (a|an|a sequence, each entry a) [A-Z]\w+, got"):
        make()


def test_states_of_one_name_are_told_apart() -> None:
    """Of parts of one class in a row, and of those that a part holds twice."""
    moments = (P.EntryMoment(0.5), P.EntryMoment(0.9))
    inner = P.Grafted(P.Signs(), P.SecondMoment(0.5))
    made = recipe(adjustments=moments, preconditioner=P.Grafted(inner, P.SecondMoment(0.9)))
    opt = st.Optimizer({"W": np.ones((3, 2))}, made)
    opt.step({"W": np.arange(6.0).reshape(3, 2)})
    kept = {name.removeprefix("state/W/"): x for name, x in opt.state_dict().items() if "moment" in name}
    assert sorted(kept) == sorted(
        ["entry_moment", "next_entry_moment", "graft_second_moment", "next_graft_second_moment"]
    )
    assert np.allclose(5 * kept["graft_second_moment"], kept["next_graft_second_moment"])


def test_a_metric_of_varying_state_can_give_a_length() -> None:
    """How many arrays it keeps depends on the shape."""
    W = {"W": np.ones((3, 2)), "v": np.ones(3)}
    opt = st.Optimizer(W, recipe(preconditioner=P.Grafted(P.Signs(), P.KroneckerRoots())))
    opt.step({"W": np.arange(6.0).reshape(3, 2), "v": np.arange(3.0)})
    assert all(math.isfinite(x) for w in W.values() for x in w.ravel())
