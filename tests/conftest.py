"""Test configuration: import path of `reference`, Hypothesis profiles, and the record of a run."""

from __future__ import annotations

import json
import platform
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

from schattor._edge import _core
from schattor._provenance import provenance

sys.path.insert(0, str(Path(__file__).parent))

# The default run is reproducible; `--hypothesis-profile=explore` draws new examples, and more of them.
SLOW = [HealthCheck.too_slow]
settings.register_profile(
    "reproducible", derandomize=True, deadline=None, max_examples=40, suppress_health_check=SLOW
)
settings.register_profile("explore", deadline=None, max_examples=500, suppress_health_check=SLOW)
settings.load_profile("reproducible")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--record FILE`."""
    parser.addoption("--record", metavar="FILE", help="write what ran, with which versions, as JSON")


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Write the record of a run, for `make verify`."""
    path = config.getoption("--record")
    if not path:
        return
    stats = terminalreporter.stats
    record = {
        **provenance(),
        "selection": config.getoption("-m"),
        "hypothesis profile": "reproducible (derandomized)",
        "seeds": "fixed in each test",
        "python": platform.python_version(),
        "numpy": np.__version__,
        "BLAS": _core.blas_description(),
        **{outcome: len(stats.get(outcome, [])) for outcome in ("passed", "failed", "error", "skipped")},
        "failures": sorted(report.nodeid for report in stats.get("failed", [])),
    }
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text(json.dumps(record, indent=2) + "\n")
