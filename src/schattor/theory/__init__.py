"""The lemmas and theorems as functions: bounds term by term, and the parameters that minimise them.

The formulas are those of the page on theory (arXiv 2606.15702, constants derived there). All quantities belong to one
geometry: the Lipschitz constant L from its norm to the dual norm, the variance proxy sigma in the dual norm.
"""

from .muon import (
    Rate,
    gradient_descent_nonconvex,
    gradient_descent_star_convex,
    muon_nonconvex,
    muon_star_convex,
)
from .noise import Inequality, lemma_3, lemma_4, martingale_bound, optimal_weight, variance_proxy
from .parameters import RunParameters, best_lr, closed_form, parameters, rate
from .run import Run, TheoryChoice
from .theorems import largest_lr, theorem_1, theorem_2, theorem_3, theorem_4
from .tracking import Bound, lemma_7, lemma_10

__all__ = [
    "Bound",
    "Inequality",
    "Rate",
    "Run",
    "RunParameters",
    "TheoryChoice",
    "best_lr",
    "closed_form",
    "gradient_descent_nonconvex",
    "gradient_descent_star_convex",
    "largest_lr",
    "lemma_3",
    "lemma_4",
    "lemma_7",
    "lemma_10",
    "martingale_bound",
    "muon_nonconvex",
    "muon_star_convex",
    "optimal_weight",
    "parameters",
    "rate",
    "theorem_1",
    "theorem_2",
    "theorem_3",
    "theorem_4",
    "variance_proxy",
]
