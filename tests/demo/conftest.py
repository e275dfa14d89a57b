"""Small data and settings for the tests of the demo."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from schattor.demo.data import Dataset, split
from schattor.demo.training import Settings


def _blobs() -> tuple[np.ndarray, np.ndarray]:
    """Three noisy classes in six dimensions."""
    rng = np.random.default_rng(7)
    y = np.repeat([0, 1, 2], 40)
    return 2 * np.eye(3, 6)[y] + rng.normal(size=(120, 6)), y


@pytest.fixture
def blobs() -> tuple[np.ndarray, np.ndarray]:
    """Features and labels as a user has them."""
    return _blobs()


@pytest.fixture
def blobs_file(tmp_path: Path) -> Path:
    """The same as a file for ``--data``."""
    X, y = _blobs()
    path = tmp_path / "blobs.npz"
    np.savez(path, X=X, y=y)
    return path


@pytest.fixture
def dataset() -> Dataset:
    """The same, split and standardised."""
    return split(*_blobs(), np.random.default_rng(0), "blobs")


@pytest.fixture
def settings() -> Settings:
    """Runs of milliseconds: enough to see bookkeeping, not to learn much."""
    return Settings(
        n_steps=12, n_evaluations=4, n_lrs=3, n_tuning_seeds=1, n_seeds=2, batch_size=16, hidden=(8, 7)
    )
