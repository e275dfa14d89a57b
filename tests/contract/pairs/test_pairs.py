"""Every pair of parts moves the weights, or is refused in a sentence that names both; see `product`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from contract.pairs.catalogue import EXAMPLES, classes

TESTS = Path(__file__).parents[2]


def test_every_part_has_an_example() -> None:
    """A new part that has none fails here."""
    examples = [part for parts in EXAMPLES.values() for part in parts]
    without = {cls.__name__ for cls in classes() if not any(isinstance(x, cls) for x in examples)}
    assert not without


def examined(record: Path, *arguments: str) -> dict[str, object]:
    """What became of the pairs, by a process that has no threads and may fork."""
    environment = {**os.environ, "PYTHONPATH": str(TESTS), "OPENBLAS_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "contract.pairs", "--record", str(record), *arguments]
    subprocess.run(command, env=environment, cwd=TESTS.parent, check=False)
    found: dict[str, object] = json.loads(record.read_text())
    return found


def test_sample(tmp_path: Path) -> None:
    """Some of the pairs."""
    found = examined(tmp_path / "pairs.json", "--share", "0.02")
    assert found["failures"] == {}
    assert found["moved"]


@pytest.mark.verify
@pytest.mark.timeout(3600)
def test_product(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """All of them."""
    kept = request.config.getoption("--record")
    found = examined(Path(kept).with_name("pairs.json") if kept else tmp_path / "pairs.json")
    assert found["failures"] == {}
    assert found["moved"]
