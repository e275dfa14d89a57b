"""The quick forms run, and the results that the repository keeps show what the documentation says."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from schattor import experiments
from schattor.experiments import language_training
from schattor.experiments.command import report
from schattor.experiments.language_model import block_means
from schattor.experiments.results import plain

STORED = Path(__file__).resolve().parents[2] / "docs" / "experiments"


def stored(name: str) -> experiments.Results:
    """The full results."""
    return experiments.Results.read(STORED / name)


def quick_case(name: str) -> Any:
    """The experiment; `make torch` runs what needs torch."""
    return pytest.param(name, marks=[pytest.mark.torch] * ("torch" in experiments.load(name).requires))


@pytest.mark.parametrize("name", [quick_case(name) for name in experiments.NAMES])
def test_quick_form(name: str, tmp_path: Path) -> None:
    """Every run is made, and findings, tables and figures come out of the small form as well."""
    experiment = experiments.load(name)
    results = experiments.run(name, quick=True, out=tmp_path)
    assert results.complete
    assert "What came out" in report(experiment, results)
    for draw in experiment.figures.values():
        draw(results).savefig(tmp_path / "figure.png", dpi=40)


@pytest.mark.parametrize("name", experiments.NAMES)
def test_stored_results_are_those_of_the_full_form(name: str) -> None:
    """The file is complete, of the settings that the command has now, and small; every figure is beside it."""
    experiment, results = experiments.load(name), stored(name)
    assert results.complete and not results.quick
    assert results.settings == plain(dataclasses.asdict(experiment.full))
    assert (STORED / name / "results.json").stat().st_size < 2e6
    for figure in experiment.figures:
        assert (STORED / name / f"{figure}.png").stat().st_size > 0


def test_quadratic() -> None:
    """Muon ends below gradient descent on the decaying spectrum with a ratio above 1, and on no flat one."""
    results = stored("quadratic")

    def last(condition: int, method: str) -> np.ndarray:
        return results.arrays(f"{condition}/{method}/", "loss")[:, -1]

    def ratio(condition: int) -> float:
        # The steps of the average are evenly spread; the others would give the start more weight.
        steps = results.array(f"{condition}/Muon, best step/0", "steps")
        values = results.arrays(f"{condition}/Muon, best step/", "ratio")
        even = steps % (results.settings["steps"] // results.settings["points"]) == 0
        return float(np.nanmean(values[:, even]))

    assert (last(10000, "Muon, best step") < last(10000, "GD at 1/L") / 100).all()
    assert ratio(10000) > 1
    for flat in (1, 2):
        assert (last(flat, "Muon, best step") > last(flat, "GD at 1/L")).all()
        assert ratio(flat) < 1
    # Q = I: there after one step.
    assert (results.arrays("1/GD at 1/L/", "loss")[:, 1] < 1e-20).all()


@pytest.mark.parametrize(
    ("cell", "baseline"),
    [
        *[(f"{data}/{loss}", "GD at 1/L") for data in ("digits", "text") for loss in ("softmax", "squared")],
        *[(cell, "GD") for cell in ("digits/softmax", "digits/squared", "text/squared")],
    ],
)
def test_features(cell: str, baseline: str) -> None:
    """Muon's advantage in steps is larger on real features than on Gaussian ones, in every seed.

    Not for text, softmax and gradient descent at its best step: there it is the same, as the page says.
    """
    results = stored("features")
    steps, middle = results.settings["steps"], 1

    def advantage(kind: str) -> np.ndarray:
        times = [
            results.arrays(f"{cell}/{kind}/{name}/best/", "times")[:, middle] for name in (baseline, "Muon")
        ]
        slow, fast = (np.where(np.isnan(t), steps, t) for t in times)
        return slow / fast

    assert (advantage("real") > advantage("Gaussian")).all()


def test_language_model() -> None:
    """Muon ends below AdamW, and p = inf below every finite p, in every seed; every mean ratio is above 1."""
    results = stored("language_model")
    last = {
        name: results.arrays(f"final/{name}/", "held_out_loss")[:, -1] for name in language_training.METHODS
    }
    assert (last["Muon"] < last["AdamW"]).all()
    for p in (3, 4, 8):
        assert (last["Schattor p=inf"] < last[f"Schattor p={p}"]).all()
    for name in language_training.METHODS:
        assert block_means(results, name)[0].min() > 1
    assert results.runs["surroundings"].keys() == {"python", "bytes", "sha256", "torch"}


def test_dimension() -> None:
    """Measured moments and gradients stay below bounds in which no dimension appears."""
    results = stored("dimension")
    for key, run in results.runs.items():
        if key.startswith("run/"):
            assert np.mean(run["average"]) < run["bound"]
        else:
            equal, *below = run["ratio"]
            assert max(below) < 1
            # p = 2 is an equality; one of sixteen means is further off by chance once in 300 repetitions.
            assert abs(equal - 1) < 3.7 * run["error"][0]


def test_theorems() -> None:
    """All measured averages are below the bounds, on 100 random problems for each theorem."""
    results = stored("theorems")
    for theorem in range(1, 5):
        ratios = results.arrays(f"bound/{theorem}/", "gradient")
        assert len(ratios) == 100
        assert ratios.min() >= 1
        averages = results.arrays(f"rate/{theorem}/", "average").mean(axis=1)
        assert (averages <= results.arrays(f"rate/{theorem}/", "bound").mean(axis=1)).all()


def test_stored_results_are_found_from_below(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The notebooks find them from their folder; elsewhere one line says what to run."""
    monkeypatch.chdir(STORED.parents[1] / "notebooks")
    assert experiments.stored("quadratic").experiment == "quadratic"
    monkeypatch.chdir(tmp_path)
    with pytest.raises(experiments.StoredError, match="run `schattor experiment quadratic`"):
        experiments.stored("quadratic")


def test_unknown_names() -> None:
    """The message lists what there is."""
    with pytest.raises(ValueError, match=r"name must be one of quadratic, features, .*'nothing'"):
        experiments.load("nothing")
