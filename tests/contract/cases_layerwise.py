"""Methods that act on rows, on whole layers or on the shape of the weights."""

from __future__ import annotations

from contract.case import Case

CASES = [
    Case("normuon"),
    Case("normuon", {"nesterov": False, "beta2": 0.0, "weight_decay": 0.1, "decay": "cautious"}),
    Case("adamuon"),
    Case("adamuon", {"nesterov": False, "decay": "independent", "coefficients": "you_jiacheng_5"}),
    Case("schedule_free_normuon", {"lr": 0.05, "momentum": 0.8, "weight_decay": 0.1}),
    Case("schedule_free_normuon", {"lr": 0.05, "beta2": 0.0, "r": 1.0}),
    Case("lars", {"lr": 0.02, "trust_coefficient": 1.0}),
    Case("lars", {"lr": 20.0, "nesterov": True, "weight_decay": 0.1}),
    Case("lamb", {"lr": 0.02}, without_unit={"eps": 0.0}),
    Case("lamb", {"lr": 0.02, "largest_norm": 1.0, "weight_decay": 0.1}, without_unit={"eps": 0.0}),
    Case("mano", {"lr": 0.02, "momentum": 0.9, "nesterov": True}),
    Case("mano", {"lr": 0.02, "weight_decay": 0.0}),
    Case("muon_hyperball"),
    Case("muon_hyperball", {"lr": 0.1, "nesterov": False, "coefficients": "muon"}),
    Case("muown", {"lr": 0.02}, without_unit={"eps": 0.0}),
    Case("muown", {"lr": 0.02, "nesterov": True, "weight_decay": 0.1}, without_unit={"eps": 0.0}),
]

# Recipe: (lr, largest share of the loss that may remain) on the quadratic, softmax, completion and perceptron.
DECLARED: dict[str, tuple[tuple[float, float], ...]] = {
    "normuon": ((0.3, 0.03), (30.0, 0.02), (0.1, 0.04), (1.0, 0.02)),
    "adamuon": ((0.3, 0.05), (30.0, 0.02), (0.3, 0.04), (0.3, 0.02)),
    "schedule_free_normuon": ((1.0, 0.04), (30.0, 0.02), (1.0, 0.07), (1.0, 0.02)),
    "lars": ((0.01, 0.02), (0.03, 0.02), (0.03, 0.02), (0.01, 0.02)),
    "lamb": ((0.1, 0.04), (0.3, 0.02), (0.1, 0.04), (0.03, 0.04)),
    "mano": ((0.5, 0.04), (2.0, 0.04), (0.5, 0.04), (0.4, 0.07)),
    "muon_hyperball": ((0.1, 0.02), (0.1, 0.02), (0.1, 0.03), (0.1, 0.03)),
    "muown": ((0.1, 0.02), (30.0, 0.02), (0.3, 0.04), (0.3, 0.02)),
}
