"""Variance reduction, estimated step lengths, turns and private gradients."""

from __future__ import annotations

from contract.case import Case

CASES = [
    Case("storm", {"lr": 0.02}, degree=1),
    Case("storm", {"lr": 0.02, "momentum": 0.5, "weight_decay": 0.1}, degree=1),
    Case("storm", {"lr": 0.1, "w": 5.0}, preset="adaptive", degree=None, coupled=True),
    Case("mars", {"lr": 0.02}, degree=None),
    Case("mars", {"lr": 0.02, "gamma": 0.5, "weight_decay": 0.1, "decay": "cautious"}, degree=None),
    Case("mars", {"lr": 0.02, "reference": "same_samples"}, degree=None),
    Case("mars", {"lr": 0.02}, preset="lion", degree=None, signed=True),
    Case("mars", {"lr": 0.02, "weight_decay": 0.1}, preset="shampoo", degree=None),
    Case("mars_m", {"lr": 0.02}, degree=None),
    Case("mars_m", {"lr": 0.02, "reference": "same_samples", "weight_decay": 0.0}, degree=None),
    Case("nigt", {"lr": 0.02}, coupled=True),
    Case("nigt", {"lr": 0.02, "scope": "block", "momentum_init": "zero", "weight_decay": 0.1}),
    Case(
        "prodigy",
        {"lr": 1.0, "d0": 0.02},
        coupled=True,
        without_unit={"eps": 0.0},
        steady={"d_coef": 0.0},
    ),
    Case("badam", {"lr": 0.02, "every": 2}, without_unit={"eps": 0.0}, coupled=True),
    Case(
        "badam",
        {"lr": 0.02, "every": 3, "order": "ascending", "decay": "l2"},
        without_unit={"eps": 0.0},
        coupled=True,
    ),
    Case("dp_muon", {"lr": 0.02, "noise_multiplier": 0.0, "rng": 0}, degree=None),
    Case(
        "dp_muon",
        {"lr": 0.02, "kappa": 1, "weight_decay": 0.1, "noise_multiplier": 0.0, "rng": 0},
        degree=None,
    ),
]

# Recipe: (lr, largest share of the loss that may remain) on the quadratic, softmax, completion and perceptron.
DECLARED: dict[str, tuple[tuple[float, float], ...]] = {
    "storm": ((0.03, 0.02), (30.0, 0.02), (0.1, 0.03), (1.0, 0.08)),
    "storm.adaptive": ((10.0, 0.02), (30.0, 0.03), (1.0, 0.02), (3.0, 0.07)),
    "mars": ((0.3, 0.02), (30.0, 0.02), (0.3, 0.02), (0.1, 0.02)),
    "mars.lion": ((0.1, 0.03), (10.0, 0.02), (0.03, 0.08), (0.1, 0.02)),
    "mars.shampoo": ((0.3, 0.03), (3.0, 0.02), (0.1, 0.03), (0.3, 0.02)),
    "mars_m": ((0.3, 0.03), (30.0, 0.02), (0.3, 0.05), (0.3, 0.02)),
    "nigt": ((0.3, 0.02), (30.0, 0.02), (0.1, 0.08), (0.3, 0.04)),
    "prodigy": ((0.3, 0.02), (30.0, 0.02), (0.3, 0.02), (0.1, 0.02)),
    "badam": ((0.1, 0.02), (0.1, 0.03), (0.1, 0.03), (0.03, 0.03)),
    "dp_muon": ((0.3, 0.05), (30.0, 0.02), (0.3, 0.08), (0.3, 0.02)),
}
