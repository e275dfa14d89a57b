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

FIGURES = Path(__file__).resolve().parents[2] / "docs" / "experiments"


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
    """The file is complete, of the settings that the command has now, and small; the page has every figure."""
    experiment, results = experiments.load(name), experiments.stored(name)
    assert results.complete and not results.quick
    assert results.settings == plain(dataclasses.asdict(experiment.full))
    assert (experiments.STORED / name / "results.json").stat().st_size < 5e5
    for figure in experiment.figures:
        assert (FIGURES / name / f"{figure}.png").stat().st_size > 0


def test_quadratic() -> None:
    """Muon ends below gradient descent on the decaying spectrum with a ratio above 1, and on no flat one."""
    results = experiments.stored("quadratic")

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
    results = experiments.stored("features")
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
    results = experiments.stored("language_model")
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
    results = experiments.stored("dimension")
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
    results = experiments.stored("theorems")
    for theorem in range(1, 5):
        ratios = results.arrays(f"bound/{theorem}/", "gradient")
        assert len(ratios) == 100
        assert ratios.min() >= 1
        averages = results.arrays(f"rate/{theorem}/", "average").mean(axis=1)
        assert (averages <= results.arrays(f"rate/{theorem}/", "bound").mean(axis=1)).all()


def test_stored_results_come_with_the_package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """They are found wherever one is, the checkout or not: in the folder of the package."""
    monkeypatch.chdir(tmp_path)
    for name in experiments.NAMES:
        results = experiments.stored(name)
        assert (results.experiment, results.complete) == (name, True)
    assert experiments.STORED.parent == Path(experiments.__file__).parent
    with pytest.raises(ValueError, match="name must be one of"):
        experiments.stored("nothing")


def test_unknown_names() -> None:
    """The message lists what there is."""
    with pytest.raises(ValueError, match=r"name must be one of quadratic, features, .*'nothing'"):
        experiments.load("nothing")
