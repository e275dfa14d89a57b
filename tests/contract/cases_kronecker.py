"""Methods with a matrix for each side of a block: Shampoo, SOAP, Eigen-Adam, K-FAC, Newton-Muon."""

from __future__ import annotations

from contract.case import Case

import schattor as st

ADAM = st.parts.SecondMoment(0.9, 0.0)
CASES = [
    # With the default eps a vector's first roots amplify rounding by 1e6, more than the contracts allow.
    Case("shampoo", {"lr": 0.2, "eps": 1e-8}, without_unit={"eps": 0.0}),
    Case(
        "shampoo",
        {"lr": 0.02, "eps": 1e-3, "betas": (0.5, 0.9), "precondition_frequency": 2, "weight_decay": 0.1},
        degree=None,
    ),
    Case("shampoo", {"lr": 0.02, "eps": 1e-8, "grafting": ADAM}, without_unit={"eps": 0.0}),
    Case(
        "shampoo",
        {"lr": 0.02, "eps": 1e-8, "grafting": st.parts.Identity()},
        degree=1,
        without_unit={"eps": 0.0},
    ),
    Case("soap", {"lr": 0.02, "weight_decay": 0.0}, without_unit={"eps": 0.0}),
    Case(
        "soap",
        {"lr": 0.02, "precondition_frequency": 2, "weight_decay": 0.1, "decay": "decoupled"},
        without_unit={"eps": 0.0},
    ),
    Case(
        "soap",
        {
            "lr": 0.02,
            "skip_first": False,
            "max_precond_dim": 3,
            "precondition_frequency": 2,
            "weight_decay": 0.0,
        },
        without_unit={"eps": 0.0},
    ),
    Case("eigen_adam", {"lr": 0.02}, without_unit={"eps": 0.0}),
    Case(
        "eigen_adam",
        {"lr": 0.02, "betas": (0.9, 0.95, 0.9), "precondition_frequency": 2, "weight_decay": 0.1},
        without_unit={"eps": 0.0},
    ),
    Case("kfac", {"lr": 0.02, "damping": 0.1}, degree=-1, without_unit={"damping": 0.0}),
    Case(
        "kfac",
        {
            "lr": 0.02,
            "momentum": 0.5,
            "damping": 1.0,
            "precondition_frequency": 2,
            "weight_decay": 0.1,
            "decay": "decoupled",
        },
        degree=-1,
        without_unit={"damping": 0.0},
    ),
    Case("newton_muon", {"lr": 0.02}),
    Case("newton_muon", {"lr": 0.02, "precondition_frequency": 2, "nesterov": False, "weight_decay": 0.1}),
]

DECLARED: dict[str, tuple[tuple[float, float], ...]] = {
    "shampoo": ((1.0, 0.02), (30.0, 0.02), (1.0, 0.02), (3.0, 0.02)),
    "soap": ((0.3, 0.03), (1.0, 0.02), (0.1, 0.04), (0.3, 0.02)),
    "eigen_adam": ((0.3, 0.02), (30.0, 0.02), (0.3, 0.02), (0.1, 0.02)),
    "kfac": ((1.0, 0.02), (30.0, 0.02), (0.3, 0.05), (3.0, 0.02)),
    "newton_muon": ((0.1, 0.03), (3.0, 0.02), (0.03, 0.03), (0.1, 0.02)),
}
