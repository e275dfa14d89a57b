"""Relatives of Muon: HTMuon, Freon, LionMuon, Dion, low-rank Muon, clipped Scion, Gluon."""

from __future__ import annotations

from contract.case import Case

CASES = [
    Case("htmuon", {"lr": 0.02}, degree=0.125),
    Case("htmuon", {"lr": 0.02, "power": 0.5, "nesterov": False, "weight_decay": 0.1}, degree=0.5),
    Case("htmuon", {"lr": 0.02, "power": 0.25, "weight_decay": 0.1}, preset="rank"),
    Case("freon", {"lr": 0.02}),
    Case("freon", {"lr": 0.02, "c": 0.5, "nesterov": True, "weight_decay": 0.1}),
    Case("freon", {"lr": 0.02, "c": 0.6}, preset="inverted"),
    Case("lion_muon", {"lr": 0.02, "sign_ratio": 0.5, "every": 2}, signed=True),
    Case("lion_muon", {"lr": 0.02, "sign_ratio": 1.0, "every": 3, "weight_decay": 0.1}, signed=True),
    Case("dion", {"lr": 0.02, "weight_decay": 0.0, "rng": 0}, without_unit={"eps": 0.0}),
    Case(
        "dion", {"lr": 0.02, "rank_fraction": 0.5, "weight_decay": 0.1, "rng": 1}, without_unit={"eps": 0.0}
    ),
    Case("low_rank_muon", {"lr": 0.02, "rank": 2, "rng": 0}),
    Case("low_rank_muon", {"lr": 0.02, "rank": 3, "nesterov": False, "weight_decay": 0.1, "rng": 1}),
    Case("clipped_scion", {"lr": 0.02, "rho": 0.3}, degree=None, coupled=True),
    Case("clipped_scion", {"lr": 0.02, "rho": 2.0, "norm": "row", "per_block": True}, degree=None),
    Case("gluon", {"lr": 0.02}),
    Case("gluon", {"lr": 0.02, "L0": 0.5, "L1": 0.25, "norm": "column", "momentum": 0.9}, degree=None),
    Case("gluon", {"lr": 0.02, "L0": 0.5, "L1": 0.0, "norm": "bias_rms"}, degree=1),
    Case("gluon", {"lr": 0.2}, preset="stochastic"),
]

DECLARED: dict[str, tuple[tuple[float, float], ...]] = {
    "htmuon": ((0.3, 0.02), (30.0, 0.02), (0.1, 0.03), (1.0, 0.02)),
    "htmuon.rank": ((0.3, 0.03), (30.0, 0.02), (0.1, 0.03), (1.0, 0.02)),
    "freon": ((0.1, 0.06), (30.0, 0.02), (0.3, 0.09), (0.3, 0.02)),
    "freon.inverted": ((0.3, 0.1), (30.0, 0.02), (0.3, 0.08), (0.3, 0.02)),
    "lion_muon": ((0.3, 0.05), (1.0, 0.02), (0.1, 0.06), (0.3, 0.02)),
    "dion": ((0.3, 0.06), (30.0, 0.02), (0.1, 0.07), (0.3, 0.02)),
    "low_rank_muon": ((0.3, 0.06), (1.0, 0.03), (0.1, 0.05), (1.0, 0.03)),
    "clipped_scion": ((0.3, 0.03), (30.0, 0.02), (0.3, 0.03), (10.0, 0.02)),
    "gluon": ((0.1, 0.02), (30.0, 0.02), (0.1, 0.03), (1.0, 0.02)),
    "gluon.stochastic": ((1.0, 0.02), (30.0, 0.02), (1.0, 0.02), (3.0, 0.02)),
}
