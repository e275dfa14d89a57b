"""Runs, the choice of step sizes, and what is left behind."""

from __future__ import annotations

import csv
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import schattor as st
from schattor.demo import experiment
from schattor.demo.data import Dataset, Part
from schattor.demo.experiment import Comparison, compare, last_updates, planned_steps, seeds_of, summary
from schattor.demo.methods import METHODS, Method
from schattor.demo.output import COLUMNS, FILES, history_rows, result_table, routing_table, write_outputs
from schattor.demo.training import LinearDecay, Settings, minibatches, train
from schattor.experiments.tools.progress import Progress

BY_LABEL = {method.label: method for method in METHODS}


@pytest.fixture
def comparison(dataset: Dataset, settings: Settings) -> Comparison:
    """A finished comparison of all methods on small data."""
    result = Comparison(dataset, settings, 0, METHODS)
    compare(result, Progress(planned_steps(result), bar=False))
    return result


def test_the_ten_methods_are_compared() -> None:
    """SGD, signSGD, AdamW and Muon, and Schattor for three exponents times two rules."""
    schattor = {(method.p, method.rule) for method in METHODS if method.rule}
    assert schattor == {(p, rule) for p in (3, 4, 8) for rule in ("ball", "regularization")}
    assert [method.label for method in METHODS if not method.rule] == ["SGD", "signSGD", "AdamW", "Muon"]


def test_linear_decay() -> None:
    """The factor is 1 at first, 1/2 half-way, 0 at the end and never negative."""
    decay = LinearDecay(8)
    assert [decay(t) for t in (0, 4, 8, 9)] == [1, 0.5, 0, 0]


def test_minibatches_pass_over_all_samples_without_repetition() -> None:
    """Ten samples in batches of three: nine different samples a pass, in a new order each time."""
    part = Part(np.arange(10, dtype=np.float32)[:, None], np.arange(10))
    batches = minibatches(part, 3, np.random.default_rng(0))
    first, second = ([next(batches) for _ in range(3)] for _ in range(2))
    for batch_pass in (first, second):
        assert len(np.unique(np.concatenate([y for _, y in batch_pass]))) == 9
    for X, y in first + second:
        np.testing.assert_array_equal(X[:, 0], y)
    assert any(not np.array_equal(a[1], b[1]) for a, b in zip(first, second, strict=True))


def test_a_run_depends_on_its_seed_only(dataset: Dataset, settings: Settings) -> None:
    """Equal seeds give the same numbers to the last bit, another seed gives others."""
    method = BY_LABEL["Schattor p=4 ball"]

    def rows(seed: int) -> list[dict[str, Any]]:
        return train(method, 0.1, dataset, settings, seeds_of(seed, 1), phase="final", seed=1).rows

    assert rows(3) == rows(3)
    assert rows(3) != rows(4)


def test_all_methods_start_from_the_same_weights(comparison: Comparison) -> None:
    """Runs of one seed begin at one loss: otherwise luck of the start would pass for a method's merit."""
    starts: dict[int, set[float]] = {}
    for run in comparison.runs:
        starts.setdefault(run.seed, set()).add(run.rows[0]["val_loss"])
    assert all(len(losses) == 1 for losses in starts.values())
    assert len(set.union(*starts.values())) == len(starts)


def test_tuning_never_looks_at_the_test_part(comparison: Comparison) -> None:
    """Test columns are empty in tuning runs and filled in final ones, and the two use different seeds."""
    for row in history_rows(comparison):
        assert math.isnan(row["test_loss"]) == (row["phase"] == "tune")
    tuning, final = (
        {run.seed for run in comparison.runs if run.phase == phase} for phase in ("tune", "final")
    )
    assert len(final) == comparison.settings.n_seeds
    assert not tuning & final


def test_a_diverging_run_is_recorded_as_such(dataset: Dataset, settings: Settings) -> None:
    """A step size beyond reason makes a diverged run of infinite loss, no exception and no warning."""
    advanced: list[int] = []
    run = train(
        BY_LABEL["SGD"],
        1e30,
        dataset,
        settings,
        seeds_of(0, 1),
        phase="tune",
        seed=1,
        advance=advanced.append,
    )
    assert run.diverged
    assert run.final("val_loss") == math.inf
    assert math.isnan(run.final("val_accuracy"))
    assert sum(advanced) == settings.n_steps, "the progress bar must reach its end"


def _parabola(minimum: int) -> Callable[..., float]:
    return lambda comparison, method, exponent, progress: float((exponent - minimum) ** 2)


@pytest.mark.parametrize(("minimum", "extended"), [(0, 0), (3, 3), (-3, 3)])
def test_the_grid_grows_until_it_brackets(
    minimum: int, extended: int, dataset: Dataset, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the exponents -1, 0, 1 the grid goes one point beyond the minimum, on the side where it lies."""
    tried: list[int] = []

    def loss(comparison: Comparison, method: Method, exponent: int, progress: Progress) -> float:
        tried.append(exponent)
        return _parabola(minimum)(comparison, method, exponent, progress)

    monkeypatch.setattr(experiment, "_tuning_loss", loss)
    settings = replace(settings, lr_factor=10.0)
    result = Comparison(dataset, settings, 0, METHODS)
    method = replace(METHODS[0], middle_lr=1.0)
    experiment._choose_lr(result, method, Progress(0, bar=False))
    assert result.chosen_lr[method.label] == pytest.approx(10.0**minimum)
    assert len(tried) == len(set(tried)) == 3 + extended
    assert min(tried) < minimum < max(tried)


def test_the_chosen_step_size_has_the_lowest_validation_loss(comparison: Comparison) -> None:
    """The table's step size is the best of those tried, and it is flagged when it lies at an edge."""
    for method in METHODS:
        losses = {run.lr: run.final("val_loss") for run in comparison.select(method, "tune")}
        row = summary(comparison, method)
        assert row["lr"] == min(losses, key=losses.__getitem__)
        assert row["at_edge"] == (row["lr"] in (min(losses), max(losses)))
        assert row["extended"] == len(losses) - comparison.settings.n_lrs


def test_summary_is_mean_and_sample_deviation(comparison: Comparison) -> None:
    """Literal formulas on the final runs."""
    for method in METHODS:
        accuracy = [100 * run.rows[-1]["test_accuracy"] for run in comparison.select(method, "final")]
        mean, deviation = summary(comparison, method)["accuracy"]
        assert mean == pytest.approx(np.mean(accuracy))
        assert deviation == pytest.approx(np.std(accuracy, ddof=1))


def test_updates_have_the_norms_of_their_rules(comparison: Comparison) -> None:
    """The ball rule moves a block by lr in S_p, and the regularization rule in the same direction."""
    updates = last_updates(comparison)
    assert set(updates) == set(BY_LABEL)
    for p in (3, 4, 8):
        ball = updates[f"Schattor p={p} ball"].astype(np.float64)
        regularized = updates[f"Schattor p={p} regularization"].astype(np.float64)
        sigma = np.linalg.svd(ball, compute_uv=False)
        assert np.sum(sigma**p) ** (1 / p) == pytest.approx(
            comparison.chosen_lr[f"Schattor p={p} ball"], rel=1e-5
        )
        cosine = np.sum(ball * regularized) / np.linalg.norm(ball) / np.linalg.norm(regularized)
        assert cosine == pytest.approx(1, abs=1e-6)


def test_biases_are_routed_as_printed() -> None:
    """Muon's biases move as AdamW's do, its matrices do not, and the printed table says so."""
    table = routing_table(METHODS)
    assert len(table.splitlines()) == 2 + len(METHODS)
    (muon_line,) = (line for line in table.splitlines() if line.startswith("Muon "))
    assert "adamw: lr 0.003" in muon_line

    params = {"W1": np.eye(3, 2, dtype=np.float32), "b1": np.ones(3, np.float32)}
    grads = {"W1": np.full((3, 2), 0.5, np.float32), "b1": np.array([1, -2, 3], np.float32)}
    muon = BY_LABEL["Muon"].optimizer(params, 0.1).update(grads)
    adamw = st.Optimizer(params, st.recipes.adamw(lr=0.003)).update(grads)
    np.testing.assert_array_equal(muon["b1"], adamw["b1"])
    assert not np.allclose(muon["W1"], adamw["W1"])


def test_files_hold_every_evaluation(comparison: Comparison, tmp_path: Path) -> None:
    """CSV and NPZ have one row per evaluation of each run, equal values, and NaN as an empty cell."""
    assert write_outputs(comparison, tmp_path) == list(FILES)
    with (tmp_path / "history.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == COLUMNS
    assert len(rows) == len(comparison.runs) * (comparison.settings.n_evaluations + 1)
    with np.load(tmp_path / "history.npz") as archive:
        assert tuple(archive.files) == COLUMNS
        for name in ("lr", "step", "train_loss", "test_accuracy", "p"):
            values = [float(row[name] or "nan") for row in rows]
            np.testing.assert_array_equal(archive[name], values)
        np.testing.assert_array_equal(archive["method"], [row["method"] for row in rows])
    for name in ("loss_curves.png", "update_spectra.png"):
        assert (tmp_path / name).read_bytes().startswith(b"\x89PNG")
    table = (tmp_path / "table.txt").read_text()
    assert result_table(comparison) in table
    assert all(f"\n{method.label} " in table for method in METHODS)


def test_an_interrupted_comparison_keeps_finished_runs(
    dataset: Dataset, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C in the third method: the first two are complete, files of an older comparison do not survive."""
    real_train = experiment.train

    def interrupted_train(method: Method, *args: Any, **keywords: Any) -> Any:
        if method.label == "AdamW":
            raise KeyboardInterrupt
        return real_train(method, *args, **keywords)

    monkeypatch.setattr(experiment, "train", interrupted_train)
    result = Comparison(dataset, settings, 0, METHODS)
    compare(result, Progress(0, bar=False))
    assert result.interrupted
    assert write_outputs(result, tmp_path) == list(FILES)
    assert {row["method"] for row in history_rows(result)} == {"SGD", "signSGD"}
    assert len(result_table(result).splitlines()) == 2 + 2

    result.runs = [run for run in result.runs if run.phase == "tune"]
    assert write_outputs(result, tmp_path) == ["table.txt", "history.csv", "history.npz"]
    assert not (tmp_path / "loss_curves.png").exists(), "a figure of older runs would mislead"
