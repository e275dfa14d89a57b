"""The methods that the demo compares, one row each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import schattor as st

from .. import recipes

__all__ = ["METHODS", "Method"]

# Middle of the first grid of step sizes, by exponent. The larger p is, the longer in Frobenius norm is a step of
# norm one in S_p.
BALL_LRS = {3: 0.04, 4: 0.03, 8: 0.02}
REGULARIZATION_LRS = {3: 0.2, 4: 0.1, 8: 0.06}
# Biases of Muon: the method is for matrices only, so they go to AdamW at a common, untuned step size.
BIAS_LR = 3e-3


@dataclass(frozen=True)
class Method:
    """One method of the comparison.

    Attributes
    ----------
    label : str
        Name in tables and figures.
    weights : callable
        Step size -> recipe of the weight matrices (W1, W2, ...).
    biases : Recipe or None
        Recipe of the biases (b1, b2, ...) where the method does not fit vectors; None gives them the same.
    weights_text, biases_text : str
        The same in words, for the printed routing table.
    middle_lr : float
        Middle of the first grid of step sizes.
    p, rule
        Exponent and rule of a Schattor row; None and "" otherwise.
    """

    label: str
    weights: Callable[[float], st.Recipe]
    weights_text: str
    middle_lr: float
    biases: st.Recipe | None = None
    biases_text: str = "the same"
    p: float | None = None
    rule: str = ""

    def optimizer(
        self, params: dict[str, Any], lr: float, schedule: Callable[[int], float] | None = None
    ) -> st.Optimizer:
        """Optimizer over ``params`` (changed in place) that drops and counts non-finite gradients."""
        routes = (
            {"*": self.weights(lr)} if self.biases is None else {"W*": self.weights(lr), "b*": self.biases}
        )
        return st.Optimizer(params, routes, schedule=schedule, on_nonfinite="skip")


def _muon() -> Method:
    return Method(
        "Muon",
        lambda lr: recipes.muon(lr=lr),
        "muon: momentum 0.95, Nesterov",
        0.015,
        biases=recipes.adamw(lr=BIAS_LR),
        biases_text=f"adamw: lr {BIAS_LR:g} (Muon is for matrices only)",
    )


def _schattor(p: float, rule: Literal["ball", "regularization"], middle_lr: float) -> Method:
    return Method(
        f"Schattor p={p:g} {rule}",
        lambda lr: recipes.schattor(p=p, lr=lr, rule=rule, momentum=0.9),
        f"schattor: p={p:g}, {rule}, EMA momentum 0.9",
        middle_lr,
        biases_text="the same (n x 1: every S_p is Euclidean)",
        p=p,
        rule=rule,
    )


METHODS: tuple[Method, ...] = (
    Method("SGD", lambda lr: recipes.sgd(lr=lr, momentum=0.9), "sgd: momentum 0.9", 0.05),
    Method("signSGD", lambda lr: recipes.sign_sgd(lr=lr), "sign_sgd: no momentum", 0.003),
    Method("AdamW", lambda lr: recipes.adamw(lr=lr), "adamw: betas 0.9, 0.999, decay 0.01", 0.006),
    _muon(),
    *(_schattor(p, "ball", lr) for p, lr in BALL_LRS.items()),
    *(_schattor(p, "regularization", lr) for p, lr in REGULARIZATION_LRS.items()),
)
