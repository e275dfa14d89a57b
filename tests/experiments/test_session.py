"""Runs are made once, kept at once, and continued; grids grow until their best point is no edge."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from schattor.experiments.experiment import Experiment, Session, open_session
from schattor.experiments.results import FILE, Results, StoredError, plain
from schattor.experiments.runs import checkpoints, slope
from schattor.experiments.tools.progress import Progress
from schattor.experiments.tools.tuning import search_grid


@dataclass(frozen=True)
class Settings:
    """One number."""

    steps: int = 3


TOY = Experiment(
    "toy", "Toy", "A toy.", Settings(), Settings(2), lambda *_: None, lambda _: [], lambda _: [], {}
)


def session(directory: Path, seed: int = 0, quick: bool = False, toy: Experiment = TOY) -> Session:
    """A session without a progress bar."""
    return open_session(toy, quick, seed, directory, Progress(0, bar=False))


def test_a_stored_run_is_not_made_again(tmp_path: Path) -> None:
    """Every run is on disk when it is finished, and a later session takes it from there."""
    calls = []

    def work(x: float) -> dict[str, float]:
        calls.append(x)
        return {"y": 2 * x}

    first = session(tmp_path)
    assert first.run("a", work, 1.0) == {"y": 2.0}
    assert Results.read(tmp_path).runs == {"a": {"y": 2.0}}
    second = session(tmp_path)
    assert second.run("a", work, 1.0) == {"y": 2.0}
    assert second.run("b", work, 3.0) == {"y": 6.0}
    assert calls == [1.0, 3.0]
    assert not Results.read(tmp_path).complete
    assert second.finish().complete and Results.read(tmp_path).complete


def test_an_interrupt_keeps_finished_runs(tmp_path: Path) -> None:
    """Ctrl-C in the middle of a run loses that run alone."""

    def interrupted() -> dict[str, float]:
        raise KeyboardInterrupt

    running = session(tmp_path)
    running.run("a", lambda: {"y": 1.0})
    with pytest.raises(KeyboardInterrupt):
        running.run("b", interrupted)
    assert list(session(tmp_path).results.runs) == ["a"]


def test_fresh_and_stored_runs_are_equal(tmp_path: Path) -> None:
    """What a run returns is what the file holds, rounded: a continued experiment gives the figures of a whole one."""
    record = {"x": np.array([1 / 3, math.nan]), "n": np.int64(3), "nested": {"t": (1.23456789, math.inf)}}
    fresh = session(tmp_path).run("a", lambda: record)
    assert fresh == {"x": [0.333333, None], "n": 3, "nested": {"t": [1.23457, None]}}
    assert session(tmp_path).run("a", lambda: record) == fresh
    array = session(tmp_path).results.array("a", "x")
    assert array.dtype == np.float64
    np.testing.assert_array_equal(array, [0.333333, math.nan])


@pytest.mark.parametrize(
    ("change", "name"), [({"seed": 1}, "seed"), ({"quick": True}, "quick"), ({"toy": None}, "settings")]
)
def test_runs_of_something_else_are_refused(tmp_path: Path, change: dict, name: str) -> None:
    """Runs of another seed, size or setting must not be mixed with these."""
    session(tmp_path).run("a", lambda: {"y": 1.0})
    if "toy" in change:
        change = {"toy": Experiment(**{**vars(TOY), "full": Settings(4)})}
    with pytest.raises(StoredError, match=f"holds runs of another {name} .*choose another --out"):
        session(tmp_path, **change)


def test_damaged_files_are_named(tmp_path: Path) -> None:
    """One line says which file it is."""
    for content in ("{", "[]", json.dumps({"experiment": "toy"})):
        (tmp_path / FILE).write_text(content)
        with pytest.raises(StoredError, match=f"{FILE}: no results of an experiment"):
            Results.read(tmp_path)
    with pytest.raises(StoredError, match="no such file"):
        Results.read(tmp_path / "nowhere")


def test_generators_depend_on_seed_and_purpose(tmp_path: Path) -> None:
    """Equal numbers give equal draws; another seed or purpose gives others."""
    a, b = session(tmp_path / "a"), session(tmp_path / "b", seed=1)
    assert a.rng(1, 2).random() == a.rng(1, 2).random()
    assert len({a.rng(1, 2).random(), a.rng(2, 1).random(), a.rng(1).random(), b.rng(1, 2).random()}) == 4


@pytest.mark.parametrize("best", [-7, 0, 1, 9])
def test_a_grid_grows_until_its_best_is_inside(best: int) -> None:
    """Wherever the best point is, its neighbours were tried."""
    extended = []
    scores = search_grid(lambda k: abs(k - best), 3, extensions=20, on_extension=lambda: extended.append(1))
    assert min(scores, key=scores.__getitem__) == best
    assert {best - 1, best + 1} <= set(scores)
    assert len(scores) == 3 + len(extended)


def test_tuning_passes_over_divergence(tmp_path: Path) -> None:
    """A step size whose score is not finite is never the best."""
    running = session(tmp_path)
    lr = running.tune(lambda lr: math.nan if lr > 0.5 else -lr, 1.0, 2.0, 3)
    assert lr == 0.5
    assert running.tune(lambda lr: abs(math.log(lr / 0.01)), 1.0, 10.0, 3) == 0.01


def test_slope_and_its_error() -> None:
    """The exponent of a power law is found whatever the levels of the seeds; its error is that of least squares."""
    x = np.array([10.0, 20.0, 40.0, 80.0, 160.0])
    y = np.outer(x**-0.5, [1.0, 7.0, 0.1])
    b, error = slope(x, y)
    assert b == pytest.approx(-0.5, abs=1e-12)
    assert error == pytest.approx(0, abs=1e-12)
    noisy = x**-0.5 * np.exp([0.1, -0.2, 0.05, 0.1, -0.05])
    fit, covariance = np.polyfit(np.log(x), np.log(noisy), 1, cov=True)
    assert slope(x, noisy) == pytest.approx((fit[0], math.sqrt(covariance[0, 0])), rel=1e-9)


def test_checkpoints() -> None:
    """Start and end are among them, each once, in order."""
    at = checkpoints(400, 20)
    assert at[0] == 0 and at[-1] == 400 and at == sorted(set(at))


def test_plain_numbers_have_six_digits() -> None:
    """Rounding is relative."""
    assert plain([1.23456789e-9, 123456789.0, True, "text", None]) == [
        1.23457e-9,
        123457000.0,
        True,
        "text",
        None,
    ]
