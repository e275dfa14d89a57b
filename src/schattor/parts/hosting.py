"""What a part cannot hold or stand beside, said in one sentence that names both."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

from .part import Part

if TYPE_CHECKING:
    from .estimators import Estimator
    from .geometries import Geometry
    from .metrics import Preconditioner

Trait: TypeAlias = Callable[[Part], str]
"""Returns what a part does, as the predicate of a sentence; empty if it does not."""


def shares_sums(part: Part) -> str:
    """Say whether it needs sums over the blocks of the recipe before any of them moves."""
    return "shares sums over the blocks" if part.shares else ""


def reads_weights(part: Part) -> str:
    """Say whether it reads the weights."""
    return "reads the weights" if part.reads_weights else ""


def needs_extras(part: Part) -> str:
    """Say whether it is given something beside the gradient."""
    return f"needs {' and '.join(sorted(part.requires))}" if part.requires else ""


def keeps_state(part: Part) -> str:
    """Say whether it keeps a state."""
    return "keeps a state" if part.keeps_state else ""


def name_of(part: object) -> str:
    """Return how a part is called in a refusal."""
    return type(part).__name__


def culprit(part: Part, trait: Trait) -> Part | None:
    """Return the innermost part of a tree that has the trait by itself."""
    for child in part.children():
        found = culprit(child, trait)
        if found is not None:
            return found
    return part if trait(part) else None


def refuse(what: str, part: Part, *traits: Trait, because: str = "") -> None:
    """Raise ValueError if a part, or one that it holds, has one of the traits.

    The sentence reads "`what` Name, which ...: `because`".
    """
    for trait in traits:
        found = culprit(part, trait)
        if found is not None:
            raise ValueError(f"{what} {name_of(found)}, which {trait(found)}" + (because and f": {because}"))


def check_estimate(metric: Preconditioner, estimator: Estimator) -> None:
    """Raise unless a metric has a use for what an estimator gives."""
    from .estimators import NoMomentum

    if not metric.reads_estimate and not isinstance(estimator, NoMomentum):
        raise ValueError(
            f"{name_of(metric)} keeps an average itself and does not read that of {name_of(estimator)}; put it behind "
            "NoMomentum"
        )
    needing = [part for part in metric.tree() if part.needs_average]
    if needing and not estimator.averages_from_zero:
        raise ValueError(
            f"{name_of(needing[-1])} measures distances from an average that starts at zero and is not debiased, "
            f"EMA(init='zero'), got {name_of(estimator)} ({estimator})"
        )


def check_polar(host: Part, geometry: Geometry) -> None:
    """Raise unless the ball direction of a geometry is a polar factor."""
    from .geometries import Schatten

    if not isinstance(geometry, Schatten) or geometry.p != float("inf"):
        raise ValueError(f"{name_of(host)} needs a polar factor, by Spectral(), got {geometry}")
