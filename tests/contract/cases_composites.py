"""MuonEq, Muon+, Aurora, RMNP, LoRA-Muon, manifold and Intrinsic Muon."""

from __future__ import annotations

from contract.case import Case


def alternating(step: int) -> str:
    """A picklable choice of lines."""
    return ("rowcol", "row", "col")[step % 3]


CASES = [
    Case("muon_eq", {"lr": 0.02}, without_unit={"eps": 0.0}),
    Case("muon_eq", {"lr": 0.02, "mode": "col", "eps": 0.0, "nesterov": False, "decay": "l2"}),
    Case("muon_eq", {"lr": 0.02, "mode": "rowcol", "eps": 0.0, "decay": "cautious"}),
    Case("muon_eq", {"lr": 0.02, "mode": alternating}, without_unit={"eps": 0.0}),
    Case("muon_plus", {"lr": 0.02}),
    Case("muon_plus", {"lr": 0.02, "mode": "col", "nesterov": False, "decay": "independent"}),
    Case("muon_plus", {"lr": 0.02, "mode": "row_col", "scale": "none", "eps": 0.0}),
    Case("muon_plus", {"lr": 0.02, "mode": "none", "decay": "l2"}),
    Case("aurora"),
    Case("aurora", {"passes": 1, "nesterov": False, "decay": "cautious"}),
    Case("aurora", {"passes": 5, "beta": 0.25, "decay": "l2"}),
    Case("rmnp"),
    Case("lora_muon", {"pair": ("tall", "wide"), "weight_decay": 0.1}),
    Case("manifold_muon", without_unit={"steps": 10}),  # a hundred dual steps amplify rounding further
    Case("manifold_muon", {"lr": 0.02, "steps": 5, "step_size": 0.2}),
    Case("intrinsic_muon", {"lr": 0.02}),
    Case("rmnp", {"nesterov": False, "weight_decay": 0.1, "scale": "match_rms_adamw"}),
]

DECLARED: dict[str, tuple[tuple[float, float], ...]] = {
    "muon_eq": ((1.0, 0.03), (10.0, 0.02), (0.3, 0.03), (0.3, 0.02)),
    "muon_plus": ((0.3, 0.03), (30.0, 0.02), (0.1, 0.03), (1.0, 0.02)),
    "aurora": ((0.3, 0.03), (3.0, 0.02), (0.1, 0.04), (0.3, 0.02)),
    "lora_muon": ((0.1, 0.03), (0.3, 0.02), (0.3, 0.05), (0.1, 0.02)),
    "rmnp": ((0.3, 0.03), (30.0, 0.02), (0.1, 0.05), (0.3, 0.02)),
}

_STIEFEL = "Orthonormal columns cannot bring the losses of unconstrained matrices near their least values."
EXEMPT = {"manifold_muon": _STIEFEL, "intrinsic_muon": _STIEFEL}
