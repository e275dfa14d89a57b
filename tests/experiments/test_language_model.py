"""What the experiment with the language model says of finished runs, and of those that the repository keeps."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from schattor import experiments
from schattor.experiments.language_model import block_means
from schattor.experiments.language_training import METHODS, QUICK, VARIANTS

EXPERIMENT = experiments.load("language_model")


def results(held_out: dict[str, float]) -> experiments.Results:
    """Made-up runs of the quick form: each method ends at its loss, plus 0.01 for each seed."""
    runs = {}
    blocks = 4 * QUICK.layers
    for name in METHODS:
        middle = METHODS[name].middle
        for lr in (middle / 2, middle, 2 * middle):
            runs[f"tune/{name}/{lr:g}"] = {"lr": lr}
        for seed in range(QUICK.seeds):
            loss = [5.0, held_out.get(name, 3.0) + 0.01 * seed]
            runs[f"final/{name}/{seed}"] = {
                "lr": middle,
                "held_out_loss": loss,
                "training_loss": loss,
                "steps": [0, 40],
            }
            runs[f"final/{name}/{seed}"] |= {"gradient_ms": 2.0, "step_ms": 1.0}
        ones = [[1.0] * blocks, [1.0] * blocks]
        runs[f"final/{name}/0"] |= {"ratio_steps": [0, 40], "J": ones, "L": ones, "ratio": ones}
    for name in VARIANTS:
        loss = [5.0, held_out.get(name, 3.0)]
        runs[f"variant/{name}"] = {"lr": 0.1, "held_out_loss": loss, "training_loss": loss}
    settings = dataclasses.asdict(QUICK)
    return experiments.Results("language_model", True, 0, "0", "", settings, complete=True, runs=runs)


def verdict(made: experiments.Results, beginning: str) -> bool:
    """The truth value of the one finding whose statement begins so."""
    (finding,) = [x for x in EXPERIMENT.findings(made) if x.statement.startswith(beginning)]
    return finding.holds


def test_statements_follow_the_losses():
    """Each comparison is judged by every seed."""
    made = results({"Muon": 2.0, "AdamW": 2.5, "Schattor p=4": 2.2, "Schattor p=inf": 2.1})
    assert verdict(made, "Muon ends below AdamW")
    assert verdict(made, "Schattor p=4 ends below AdamW")
    assert not verdict(made, "Schattor p=3 ends below AdamW")
    assert not verdict(made, "Schattor p=4, the best finite p, ends below p=inf")
    assert verdict(results({"Schattor p=8": 2.9}), "Schattor p=8, the best finite p, ends below p=inf")
    made.runs["final/Muon/1"]["held_out_loss"][-1] = 2.6
    assert not verdict(made, "Muon ends below AdamW"), "one seed in which it does not"


def test_variants_are_compared_with_the_first_seed():
    """Muon's run of the first seed is what the exact polar factor is compared with."""
    made = results({"p=inf, both": 1.9, "Muon": 2.0, "p=8, both": 1.95, "p=4, both": 1.8})
    made.runs["final/Muon/1"]["held_out_loss"][-1] = 1.0
    assert verdict(made, "the exact polar factor")
    assert not verdict(made, "with these, p=8")
    assert verdict(made, "with these, p=4")


def test_a_best_step_size_at_the_edge_is_said():
    """The grid of three does not grow: a method that would like another step size must be named."""
    made = results({})
    assert verdict(made, "the best of the three step sizes is the middle one")
    made.runs["final/AdamW/0"]["lr"] *= 2
    (finding,) = [x for x in EXPERIMENT.findings(made) if "three step sizes" in x.statement]
    assert not finding.holds and "AdamW" in finding.numbers and "Muon" not in finding.numbers


def test_blocks_without_positive_curvature_have_no_ratio():
    """Their share is said instead; the mean is over the others."""
    made = results({})
    run = made.runs["final/Muon/0"]
    run["J"] = [[1.0, -1.0, 1.0, 1.0] * QUICK.layers, [1.0] * 4 * QUICK.layers]
    run["ratio"] = [[2.0, -50.0, 4.0, 6.0] * QUICK.layers, [3.0] * 4 * QUICK.layers]
    mean, without = block_means(made, "Muon")
    np.testing.assert_allclose(mean, [4, 3])
    assert without == pytest.approx(1 / 8)
    np.testing.assert_allclose(block_means(made, "Muon", 3)[0], [6, 3])
    assert np.isnan(block_means(made, "Muon", 1)[0][0])


def test_tables_and_figures_show_every_method():
    """A figure has a curve for each; the tables a row."""
    made = results({})
    for table in EXPERIMENT.tables(made):
        variants = ["Muon", "p=inf", *VARIANTS]
        assert [row[0] for row in table.rows] == (variants if table.head[0] == "variant" else list(METHODS))
        assert {len(row) for row in table.rows} == {len(table.head)}
    for draw in EXPERIMENT.figures.values():
        left = draw(made).axes[0]
        assert {line.get_label() for line in left.get_lines()} >= set(METHODS)
