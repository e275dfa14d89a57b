"""Test configuration: the import path of the package `reference` and the Hypothesis profiles."""

from __future__ import annotations

import sys
from pathlib import Path

from hypothesis import HealthCheck, settings

sys.path.insert(0, str(Path(__file__).parent))

# The default run is reproducible; `--hypothesis-profile=explore` draws new examples, and more of them.
SLOW = [HealthCheck.too_slow]
settings.register_profile(
    "reproducible", derandomize=True, deadline=None, max_examples=40, suppress_health_check=SLOW
)
settings.register_profile("explore", deadline=None, max_examples=500, suppress_health_check=SLOW)
settings.load_profile("reproducible")
