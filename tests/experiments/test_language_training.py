"""The text, the parameters and the routes of the language model: what needs no torch."""

from __future__ import annotations

import math

import numpy as np
import pytest

import schattor as st
from schattor.experiments.architecture import Architecture, initial_parameters
from schattor.experiments.language_training import (
    METHODS,
    QUICK,
    Settings,
    WarmupDecay,
    batches,
    corpus,
    optimizer,
)

FULL = Settings()


def test_the_held_out_text_is_one_tenth_and_none_of_it_is_trained_on():
    """The windows are of the text, spread over it, and together with the training part they fill it."""
    text, found = st.problems.documentation_text(), corpus(FULL.context, FULL.held_out)
    assert abs(len(found.training) / len(text) - 0.9) < 1e-3
    assert found.held_out.shape == (FULL.held_out, FULL.context + 1)
    training = found.training.astype(np.uint8).tobytes()
    for window in found.held_out.astype(np.uint8):
        # A window may cross the seam of two held-out pieces; one of its halves does not.
        halves = window[: FULL.context // 2].tobytes(), window[FULL.context // 2 :].tobytes()
        assert any(half in text for half in halves)
        assert not any(half in training for half in halves)


def test_batches_are_windows_of_the_training_text():
    """Each row is a run of consecutive bytes, and every position can come."""
    text = np.arange(40, dtype=np.int64)
    rows = np.concatenate(
        [x for x, _ in zip(batches(text, QUICK, np.random.default_rng(0)), range(200), strict=False)]
    )
    assert (np.diff(rows) == 1).all()
    assert set(rows[:, 0]) == set(range(40 - QUICK.context))


def test_the_model_has_the_size_that_was_asked_for():
    """Six layers of four hidden matrices, at most 1.5 million parameters."""
    params = initial_parameters(FULL.architecture, np.random.default_rng(0))
    assert sum(x.size for x in params.values()) <= 1_500_000
    assert len(FULL.architecture.matrices) == 24
    assert {name for name, x in params.items() if x.ndim == 2} == {
        "tokens",
        "positions",
        *FULL.architecture.matrices,
    }


def test_weights_are_drawn_as_gpt2_draws_them():
    """Standard deviation 0.02, and 0.02 / sqrt(2 layers) where a matrix writes to the residual stream."""
    architecture = Architecture(layers=3, width=64, heads=2, context=32)
    params = initial_parameters(architecture, np.random.default_rng(0))
    for name in ("tokens", *architecture.matrices):
        residual = "attention" in name or "contract" in name
        expected = 0.02 / math.sqrt(6) if residual else 0.02
        # The standard error of the deviation of N draws is its 1/sqrt(2 N).
        assert abs(params[name].std() / expected - 1) < 5 / math.sqrt(2 * params[name].size)


@pytest.mark.parametrize("name", METHODS)
def test_the_method_gets_the_hidden_matrices_and_adamw_the_rest(name, capsys):
    """AdamW has one step size for all blocks; Muon is for matrices, and embeddings and norms are no maps to it."""
    params = initial_parameters(QUICK.architecture, np.random.default_rng(0))
    optimizer(name, params, 0.01).explain()
    lines = capsys.readouterr().out.splitlines()
    for block in params:
        (line,) = [line for line in lines if line.split()[:1] == [block]]
        assert (name.lower().split()[0] if block in QUICK.architecture.matrices else "adamw") in line


def test_the_step_size_rises_and_falls_to_zero():
    """Linearly up over the first fifth, linearly down to zero over the rest; every step has a positive size."""
    schedule = WarmupDecay(steps=10, warmup=0.2)
    np.testing.assert_allclose([schedule(t) for t in range(11)], [1 / 2, 1, *np.arange(8, -1, -1) / 8])
