"""Tables and targets follow from the record alone."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from benchmarks import report


def oracle_row(library: str, side: str, least: float, **more: Any) -> dict[str, Any]:
    """Return a row of the section "oracles"."""
    facts = {"section": "oracles", "case": "oracle 128x784, p = 4", "shape": "128x784", "p": "4"}
    base = (library, side) == ("numpy", "SVD route")
    times = {"least": least, "median": 2 * least, "cpu": least, "batches": 4}
    return (
        facts
        | {"dtype": "float32", "threads": "default", "library": library, "side": side, "base": base}
        | times
        | more
    )


def auto_row(side: str, least: float, error: float | None, bound: float = 1e-3) -> dict[str, Any]:
    """Return a row of the section "auto"."""
    row = oracle_row("schattor", side, least, error_fro=error, bound=bound, rtol=bound)
    return row | {"section": "auto", "base": side == "auto"}


def record(*rows: dict[str, Any]) -> dict[str, Any]:
    """Return a record with these rows."""
    return {"machine": {"cores": 2}, "software": {}, "rows": list(rows), "accuracy": []}


def verdicts(result: dict[str, Any]) -> dict[str, report.Target]:
    """Return the targets by their text."""
    return {target.text: target for target in report.targets(result)}


def test_nothing_measured_is_no_pass() -> None:
    """An empty record must not look like success."""
    assert {target.verdict for target in report.targets(record())} == {"not measured"}


@pytest.mark.parametrize(("least", "verdict"), [(0.19, "pass"), (0.21, "MISS")])
def test_strict_target(least: float, verdict: str) -> None:
    """The strict oracle at 128x784 may take 0.20 of the NumPy route's least time."""
    rows = (oracle_row("numpy", "SVD route", 1.0), oracle_row("schattor", "strict", least))
    target = verdicts(record(*rows))["strict oracle 128x784, p = 4, against NumPy"]
    assert (target.value, target.verdict) == (pytest.approx(least), verdict)


def test_a_case_with_one_thread_does_not_answer_for_default_threads() -> None:
    """The targets are for default threads; a row of the other comparison must not be taken for it."""
    rows = (oracle_row("numpy", "SVD route", 1.0), oracle_row("schattor", "strict", 0.1))
    result = record(*(row | {"threads": "one"} for row in rows))
    assert verdicts(result)["strict oracle 128x784, p = 4, against NumPy"].verdict == "not measured"


def test_units_are_products_of_the_same_library() -> None:
    """Another library's product is another unit."""
    ours, product = oracle_row("schattor", "strict", 6.0), oracle_row("schattor", "product", 2.0)
    rows = [ours, oracle_row("numpy", "product", 1.0), product]
    assert report.units(ours, rows) == 3.0
    assert report.units(ours, rows[:2]) is None


def test_auto_is_compared_with_what_is_accurate_enough() -> None:
    """The fastest backend does not count when it misses the accuracy, or has no finite result."""
    rows = [auto_row("auto", 2.0, 1e-4), auto_row("gram", 1.6, 9e-4), auto_row("band", 0.5, 2e-3)]
    (choice,) = report.choices(record(*rows, auto_row("qdwh", 0.1, None)))
    assert (choice.best, choice.ratio) == ("gram", pytest.approx(1.25))
    found = verdicts(record(*rows))
    assert found["auto over the best backend, worst of 1 cells"].verdict == "pass"
    assert found["auto: cells less accurate than asked"].verdict == "pass"


def test_auto_that_misses_the_accuracy_is_counted() -> None:
    """A fast wrong answer of `auto` passes the ratio and fails the count."""
    rows = [auto_row("auto", 1.0, 5e-3), auto_row("svd", 2.0, 1e-6)]
    assert verdicts(record(*rows))["auto: cells less accurate than asked"].value == 1
    assert "!" in report.auto_table(record(*rows))


def recipe_rows(name: str, step: float, **floor: float) -> list[dict[str, Any]]:
    """Return the rows of a recipe's case."""
    times = {"step": step, **floor}
    facts = {"section": "recipes", "case": f"{name} 4x4", "recipe": name, "shape": "4x4"}
    return [
        oracle_row("schattor", side, time, **facts) | {"base": side == "step"} for side, time in times.items()
    ]


def test_a_step_is_compared_with_the_sum_of_its_floor() -> None:
    """1.15 of oracle, products and traffic together; the worst recipe is the figure, those above are named."""
    rows = recipe_rows("muon", 4.4, traffic=1.0, oracle=3.0) + recipe_rows("sgd", 1.2, traffic=1.0)
    result = record(*rows)
    target = verdicts(result)["steps of recipes over their kernels and traffic, worst of 2"]
    assert (target.value, target.verdict, target.note) == (pytest.approx(1.2), "MISS", "sgd 4x4 1.20")
    assert "| muon | 4x4 | 1.10 | 4.4 s | traffic 1 s + oracle 3 s |" in report.recipe_table(result)
    del rows[2]["least"]  # a floor that is not known whole says nothing
    assert "muon" not in report.recipe_table(record(*rows))
    assert len(report.table(result).splitlines()) == 2


def accuracy_row(route: str, error: float | None, **more: Any) -> dict[str, Any]:
    """Return a row of the accuracy table."""
    facts = {
        "matrix": "gauss",
        "shape": "16x16",
        "dtype": "float32",
        "p": "4",
        "promised": True,
        "route": route,
    }
    return facts | {"error_fro": error, "error_two": error, "excess": 0.0} | more


def test_strict_accuracy_is_relative_to_gesdd() -> None:
    """The bound is twice gesdd's error on the same matrix, or 4 eps sqrt(min(m, n)) = 16 eps where that is larger."""
    rows = [accuracy_row("gesdd", 1e-5), accuracy_row("auto", 1.5e-5)]
    ((share, _),) = report.strict_shares(rows, "auto")
    assert share == pytest.approx(0.75)
    rows[0] = accuracy_row("gesdd", 1e-9)
    ((share, _),) = report.strict_shares(rows, "auto")
    assert share == pytest.approx(1.5e-5 / (16 * 2.0**-23))
    assert not list(report.strict_shares([rows[0], accuracy_row("auto", 1.0, promised=False)], "auto"))


def test_a_direction_outside_the_ball_is_a_miss() -> None:
    """||D||_p may exceed 1 by 1e-5 in float32, promised accuracy or not."""
    result = record() | {"accuracy": [accuracy_row("auto", 1e-6, excess=2e-5, promised=False)]}
    assert verdicts(result)["auto, float32: directions outside the ball"].verdict == "MISS"
    assert report.accuracy_tables(result["accuracy"]).endswith("| 1e-06 out |")


def test_the_table_has_every_side() -> None:
    """What is missing stands in the table as such, with its reason below; the product is the column "units"."""
    missing = oracle_row("schattor", "band", 0.0)
    for key in ("least", "median", "cpu", "batches"):
        del missing[key]
    rows = (oracle_row("numpy", "SVD route", 2.0), oracle_row("numpy", "product", 0.5), missing)
    result = record(*(row | ({"missing": "ValueError: no"} if row is missing else {}) for row in rows))
    lines = report.table(result).splitlines()[2:]
    assert len(lines) == 2
    assert "| 2 s | 4 s | 1.00 | 4.0 |" in lines[0]
    assert "schattor: band | not available" in lines[1]
    assert report.unavailable(result) == "- schattor: band: ValueError: no"


def test_a_busy_machine_is_told() -> None:
    """Two BLAS threads on a machine with other work measure its scheduler: the report must say that it was so."""
    row = oracle_row("numpy", "SVD route", 1.0)
    assert report.disturbance(record(row)).endswith("is not known.")
    assert "do not trust" not in report.disturbance(record(row | {"others_busy": 0.02}))
    assert "1 of 1 comparisons" in report.disturbance(record(row | {"others_busy": 0.9}))
    assert "do not trust" in report.disturbance(record(row | {"others_busy": 0.9}))


def test_json_has_no_nan() -> None:
    """NaN and inf are not JSON: a strict reader refuses them."""
    text = report.to_json(
        record(oracle_row("numpy", "SVD route", 1.0, error_fro=math.inf, error_two=math.nan))
    )
    row = json.loads(text, parse_constant=lambda name: pytest.fail(name))["rows"][0]
    assert row["error_fro"] is None and row["error_two"] is None and row["least"] == 1.0
