"""Coverage of the 95 % interval of sigma_q: a seeded part of the grid, the stored grid, and the whole of it anew."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from noise.coverage import EXPONENTS, HIGH, LOW, REPLICATIONS, Cell, cell_seed, cells

STORED = Path(__file__).parents[1] / "results" / "noise_coverage.json"


def fails(row: dict[str, Any]) -> Iterator[float]:
    """The q whose coverage leaves the aim."""
    for q, x in zip(EXPONENTS, row["coverage"], strict=True):
        if not LOW <= x <= HIGH:
            yield q


@pytest.mark.parametrize(
    "cell", [Cell((4, 6), "1/i", "gaussian"), Cell((6, 3), "geometric to 1e-3", "outer")]
)
def test_some_cells(cell: Cell) -> None:
    """400 replications keep to the aim, for every q."""
    found = np.array(cell.coverage(400, seed=1))
    assert ((found >= LOW) & (found <= HIGH)).all()


def test_a_cell_that_fails() -> None:
    """Without fourth moments the interval is too short: the check can fail."""
    assert max(Cell((4, 6), "1/i", "student 2.5").coverage(200, seed=2)) < LOW


def test_the_stored_grid() -> None:
    """It is whole, and fails only where the guide says: few moments, q = inf of a flat V, too few batches for V."""
    record = json.loads(STORED.read_text())
    assert record["replications"] == REPLICATIONS
    assert [
        (tuple(r["shape"]), r["covariance"], r["distribution"], r["batches"]) for r in record["rows"]
    ] == [(c.shape, c.covariance, c.distribution, c.batches) for c in cells()]
    for row in record["rows"]:
        few_moments = row["distribution"] in ("student 3", "student 5")
        deficient = row["shape"] == [72, 80]
        flat = row["covariance"] == "flat"
        if not few_moments and not deficient:
            assert set(fails(row)) <= ({np.inf} if flat else set())


@pytest.mark.verify
def test_the_grid_anew() -> None:
    """The same seeds give the stored numbers, up to intervals whose end rounding moves across the true value."""
    for number, (cell, row) in enumerate(zip(cells(), json.loads(STORED.read_text())["rows"], strict=True)):
        found = cell.coverage(REPLICATIONS, cell_seed(number))
        np.testing.assert_allclose(found, row["coverage"], rtol=0, atol=0.002)
