"""From the second step on no recipe allocates in the core: counted inside the C library's allocator."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
SLOTS = 1  # what hands over the scheduled values: the binding's, as are Python's objects

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="preloads a counter; test_allocation.cpp is portable"
)


@pytest.fixture(scope="module")
def counts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[int]]:
    """Calls of the allocator in each step of each case, in a process with the counter preloaded."""
    library = tmp_path_factory.mktemp("allocation") / "libcount.so"
    compiler = shutil.which("cc") or shutil.which("c++")
    assert compiler, "the package was built with a compiler"
    source = HERE / "allocation" / "count.c"
    subprocess.run([compiler, "-x", "c", "-shared", "-fPIC", "-O1", "-o", library, source], check=True)
    environment = {**os.environ, "LD_PRELOAD": str(library), "PYTHONPATH": str(HERE.parent)}
    script = HERE / "allocation" / "run.py"
    done = subprocess.run(
        [sys.executable, script], env=environment, check=True, capture_output=True, text=True
    )
    result: dict[str, list[int]] = json.loads(done.stdout)
    return result


def test_the_counter_counts(counts: dict[str, list[int]]) -> None:
    """Three large objects are three calls."""
    assert counts.pop("control") == [3, 3]


def test_steps_allocate_nothing(counts: dict[str, list[int]]) -> None:
    """In none of the steps after the first, whatever the recipe and the dtype."""
    found = {case: steps for case, steps in counts.items() if case != "control" and max(steps[1:]) > SLOTS}
    assert not found
    assert len(counts) > 100
