"""Muon against torch.optim.Muon: with its cast to bfloat16 replaced by float32, and as shipped."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from contract.targets import TARGETS
from published.torch_muon_runs import FILE, LOSS_STEPS, LOSSES, SETTINGS, name, problem

import schattor as st

STORED = dict(np.load(FILE))


@pytest.mark.parametrize(("i", "setting"), list(enumerate(SETTINGS)), ids=[name(s) for s in SETTINGS])
def test_float32_cast(i: int, setting: dict[str, Any]) -> None:
    """After twenty steps within 1e-4 of the largest displacement."""
    params, gradients = problem(i)
    first = {k: x.copy() for k, x in params.items()}
    options = {key: value for key, value in setting.items() if key != "adjust_lr_fn"}
    opt = st.Muon(params, **options, scale=setting["adjust_lr_fn"])
    for G in gradients:
        opt.step(G)
    for k, x in params.items():
        wanted = STORED[f"{name(setting)}/{k}"]
        assert np.abs(x - wanted).max() <= 1e-4 * np.abs(wanted - first[k]).max()


@pytest.mark.parametrize("target", LOSSES)
def test_loss_as_shipped(target: str) -> None:
    """The loss that torch reaches in bfloat16, within two per cent."""
    task = TARGETS[target]()
    params = {k: x.astype(np.float32) for k, x in task.start.items()}
    opt = st.Muon(params, lr=LOSSES[target])
    for _ in range(LOSS_STEPS):
        opt.step({k: np.asarray(g, dtype=np.float32) for k, g in task.evaluate(params)[1].items()})
    assert task.evaluate(params)[0] == pytest.approx(float(STORED[f"loss/{target}"]), rel=0.02)


def test_every_stored_run_is_used() -> None:
    """The file holds the settings and the losses, and nothing else."""
    names = {f"{name(setting)}/{k}" for setting in SETTINGS for k in problem(0)[0]}
    assert STORED.keys() - {"torch"} == names | {f"loss/{target}" for target in LOSSES}
