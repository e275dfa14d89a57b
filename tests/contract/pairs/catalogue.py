"""Examples of every kind of part, as many of a class as it has ways to work."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

import numpy as np

import schattor as st

E, P = st.estimators, st.parts


@dataclass(frozen=True)
class Alternately:
    """A choice among so many, each for two steps, so that blocks that take turns see all."""

    among: int = 2

    def __call__(self, step: int) -> int:
        """Return the position."""
        return step // 2 % self.among


@dataclass(frozen=True)
class Falling:
    """A schedule."""

    start: float

    def __call__(self, step: int) -> float:
        """Return the value."""
        return self.start / (1 + step / 8)


@dataclass(frozen=True)
class Modes:
    """Names of lines in turn."""

    def __call__(self, step: int) -> str:
        """Return the name."""
        return ("row", "col", "rowcol")[step % 3]


@dataclass(frozen=True)
class Centred(P.PythonTransform):
    """Less the mean of all entries so far."""

    def state(self, shape):
        return {"centre": 0.0}

    def apply(self, context, G):
        context.state["centre"] = 0.9 * context.state["centre"] + 0.1 * float(G.mean())
        return G - G.dtype.type(context.state["centre"])


@dataclass(frozen=True)
class Mean(P.PythonEstimator):
    """The mean of all gradients."""

    def state(self, shape):
        return {"sum": np.zeros(shape)}

    def estimate(self, context, G):
        context.state["sum"] += G
        return np.asarray(context.state["sum"] / (context.count + 1), dtype=G.dtype)


@dataclass(frozen=True)
class Cube(P.PythonGeometry):
    """The largest entry."""

    equivariance = "entries"

    def norm(self, X):
        return float(np.abs(X).max())

    def dual_norm(self, G):
        return float(np.abs(G).sum())

    def ball(self, G):
        return -np.sign(G)


@dataclass(frozen=True)
class Rounded(P.PythonAdjustment):
    """Multiples of a small unit."""

    def state(self, shape):
        return {"seen": np.zeros(shape)}

    def apply(self, context, D):
        context.state["seen"] = 0.5 * context.state["seen"] + 0.5 * D
        return np.asarray(1e-3 * np.round(context.state["seen"] / 1e-3), dtype=D.dtype)


@dataclass(frozen=True)
class Capped(P.PythonScaling):
    """The dual norm up to a longest step."""

    rule: str = "ball"

    def state(self, shape):
        return {"largest": 0.0}

    def length(self, context, dual_norm):
        context.state["largest"] = max(context.state["largest"], dual_norm)
        return min(1.0, dual_norm / context.state["largest"]) if dual_norm else 0.0


@dataclass(frozen=True)
class Averaging(P.PythonUpdate):
    """Part of the way to where the displacement leads."""

    def state(self, shape):
        return {"ahead": np.zeros(shape)}

    def apply(self, context, D):
        context.state["ahead"] = 0.5 * context.state["ahead"] + D
        return np.asarray(context.W + context.state["ahead"], dtype=D.dtype)


KINDS: dict[str, type] = {
    "transform": P.Transform,
    "estimator": E.Estimator,
    "frame": P.Frame,
    "preconditioner": P.Preconditioner,
    "moment": P.Moment,
    "division": P.Division,
    "geometry": P.geometries.Geometry,
    "adjustment": P.Adjustment,
    "scaling": P.Scaling,
    "update": P.Update,
    "turns": P.Turns,
}

# Weight decay is small: what a step owes to the gradient must show beside it.
EXAMPLES: dict[str, tuple[Any, ...]] = {
    "transform": (
        P.L2Decay(0.01),
        P.VarianceReduction(0.02, Falling(0.9)),
        P.VarianceReduction(0.02, 0.9, "same_samples"),
        P.ClipNorm(1.0),
        P.PrivateMean(2.0, 0.1, 3),
        P.InverseInputMoment(frequency=2),
        P.InverseInputMoment(frequency=1, blocks=1, ridge=0.5),
        Centred(),
    ),
    "estimator": (
        E.NoMomentum(),
        E.EMA(0.9),
        E.EMA(Falling(0.9), "zero", True),
        E.EMA(0.9, "debiased"),
        E.DoubleEMA(),
        E.HeavyBall(0.9),
        E.HeavyBall(0.9, 0.1, "zero", True),
        E.Dion(0.95, 0.5),
        E.Recursive(0.9),
        E.AdaptiveRecursive(),
        Mean(),
    ),
    "frame": (
        P.Eigenbasis(frequency=2),
        P.Eigenbasis(sides="smaller", following="eigenvectors"),
        P.LaggedEigenbasis(frequency=2),
        P.RandomRange(2, 0),
        P.PartnerMetric(),
    ),
    "preconditioner": (
        P.Identity(),
        P.SecondMoment(),
        P.Diagonal(P.Squares(0.99), P.Plain()),
        P.RatioOfMoments(),
        P.DistanceEstimate(start=1e-2),
        P.DistanceEstimate(beta1=0.0, start=1e-2, debias=True, every=2),
        P.KroneckerRoots(),
        P.KroneckerRoots(0.9, 1e-8, frequency=2, start=3),
        P.KroneckerInverses(frequency=2),
        P.Grafted(P.Signs(), P.Identity()),
        P.Grafted(P.KroneckerRoots(), P.SecondMoment(), start=3),
        P.SpectralMap(0.5),
        P.SpectralMap(-0.5, "rank"),
        P.Equilibration("row"),
        P.Equilibration(Modes(), 1e-8),
        P.LeverageEquilibration(st.Spectral(), passes=3),
        P.TangentDual(st.Spectral(), steps=5),
        P.IntrinsicStiefel(st.Spectral()),
        P.Signs(),
        P.TangentProjection(Alternately()),
    ),
    "moment": (
        P.Squares(0.99),
        P.SumOfSquares(0.1),
        P.Largest(P.Squares(0.9)),
        P.CentredSquares(0.9),
        P.Deviations(0.99),
    ),
    "division": (
        P.Plain(),
        P.Debiased(0.99, 1e-8, 0.9),
        P.DebiasedOutside(0.99, Falling(1e-6)),
        P.Rectified(0.99, 1e-8, 0.9),
    ),
    "geometry": (
        st.Schatten(4),
        st.Schatten(Falling(4.0), rcond=1e-6),
        st.Spectral(),
        st.Spectral("newton_schulz"),
        st.Lp(2),
        st.Lp(3),
        st.Sign(),
        st.RowNorm(),
        st.ColumnNorm(),
        st.KyFan(2),
        st.KyFan(1, "subspace"),
        st.Switched(Alternately(), (st.Lp(2), st.Sign())),
        Cube(),
    ),
    "adjustment": (
        P.RowMoment(),
        P.EntryMoment(),
        P.OracleLength(),
        P.RootMeanSquare(),
        P.TrustRatio(),
        P.DecayInDirection(0.01),
        P.LineNormalization(),
        P.LineNormalization(("row", "col")),
        Rounded(),
    ),
    "scaling": (
        P.NormScaling(),
        P.NormScaling("regularization", "spectral"),
        P.ClippedNorm(rho=Falling(1.0)),
        P.SmoothnessStep(L0=1.0, L1=0.5),
        P.NormPower(0.5),
        P.SwitchedScaling(Alternately(), (P.NormScaling(), P.NormScaling(scale="rows"))),
        Capped(),
        Capped("regularization"),
    ),
    "update": (
        P.Additive(),
        P.Additive("decoupled", 0.01),
        P.Additive("cautious", Falling(0.01)),
        P.Additive("independent", 0.01),
        P.Additive("after", 0.01),
        P.ScheduleFree(P.Additive()),
        P.Extrapolated(P.Additive(), 0.9),
        P.Hyperball(),
        P.WeightNormalized(E.EMA(0.9), P.SecondMoment()),
        P.PolarRetraction(st.Spectral()),
        P.ProductDecay(0.01),
        Averaging(),
    ),
    "turns": (P.Cyclic(1), P.Shuffled(2)),
}


def label(part: Any) -> str:
    """The class of an example with its number, which tells it from others of its class."""
    if part is None:
        return "None"
    alike = [x for x in EXAMPLES[kind_of(part)] if type(x) is type(part)]
    number = next((i for i, x in enumerate(alike) if x == part), None)
    if number is None:
        return f"{type(part).__name__}({', '.join(label(child) for _, child in holes(part))})"
    return type(part).__name__ + (f"#{number}" if len(alike) > 1 else "")


def kind_of(part: Any) -> str:
    """The kind of a part."""
    return next(kind for kind, base in KINDS.items() if isinstance(part, base))


def is_part(value: Any) -> bool:
    """Whether a value is a part of any kind."""
    return isinstance(value, tuple(KINDS.values()))


def holes(part: Any) -> Iterator[tuple[tuple[str, int | None], Any]]:
    """The places in which a part holds parts, and those parts."""
    for field in fields(part) if is_dataclass(part) else ():
        value = getattr(part, field.name)
        if is_part(value):
            yield (field.name, None), value
        elif isinstance(value, tuple):
            yield from (((field.name, i), x) for i, x in enumerate(value) if is_part(x))


def classes() -> set[type]:
    """All classes of parts that can be named from outside, except the kinds themselves."""
    found: set[type] = set()
    pending = list(KINDS.values())
    while pending:
        for cls in pending.pop().__subclasses__():
            if cls not in found:
                found.add(cls)
                pending.append(cls)
    ours = {cls for cls in found if cls.__module__.startswith("schattor.")}
    return {cls for cls in ours if not cls.__name__.startswith("_") and _is_meant(cls)}


def _is_meant(cls: type) -> bool:
    """Whether a class is to have an example: it can be made, or is written to be derived from."""
    return not inspect.isabstract(cls) or cls.__name__.startswith("Python")
