"""The data of the demo: the user's file, the split, standardisation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from schattor.cli import main
from schattor.demo import data
from schattor.demo.data import DataError, load_digits, load_file, split

X_OK = np.random.default_rng(0).normal(size=(60, 4))
Y_OK = np.tile([0, 1, 2], 20)


def _with_entry(value: float) -> np.ndarray:
    X = X_OK.copy()
    X[7, 2] = value
    return X


BAD_ARRAYS: dict[str, tuple[dict[str, Any], str]] = {
    "no X": ({"features": X_OK, "y": Y_OK}, "no array 'X' in the file (found: features, y)"),
    "no y": ({"X": X_OK}, "no array 'y'"),
    "vector X": (
        {"X": X_OK[:, 0], "y": Y_OK},
        "X must be two-dimensional (samples x features), got shape (60,)",
    ),
    "images": ({"X": np.zeros((60, 2, 2)), "y": Y_OK}, "got shape (60, 2, 2)"),
    "matrix y": (
        {"X": X_OK, "y": Y_OK[:, None]},
        "y must be one-dimensional (one label per sample), got shape (60, 1)",
    ),
    "scalar y": ({"X": X_OK, "y": 3}, "y must be one-dimensional"),
    "lengths": ({"X": X_OK, "y": Y_OK[:-1]}, "X has 60 samples, y has 59 labels"),
    "no features": ({"X": np.zeros((60, 0)), "y": Y_OK}, "X has no features"),
    "NaN": (
        {"X": _with_entry(np.nan), "y": Y_OK},
        "X holds NaN or Inf (1 entries, first at row 7, column 2)",
    ),
    "Inf": ({"X": _with_entry(-np.inf), "y": Y_OK}, "X holds NaN or Inf"),
    "range": (
        {"X": np.where(np.arange(4) == 2, 1e300, 1) * X_OK, "y": Y_OK},
        "feature 2 of X spans too large a range",
    ),
    "complex X": ({"X": X_OK + 1j, "y": Y_OK}, "X must hold real numbers, got dtype complex128"),
    "text X": ({"X": X_OK.astype(str), "y": Y_OK}, "X must hold real numbers"),
    "float y": ({"X": X_OK, "y": Y_OK / 2}, "y must hold integer labels, got dtype float64"),
    "one class": ({"X": X_OK, "y": np.full(60, 4)}, "y holds one class only (4)"),
    "few samples": ({"X": X_OK[:30], "y": Y_OK[:30]}, "too few samples: 30"),
    "rare class": ({"X": X_OK, "y": np.r_[Y_OK[:-1], 9]}, "too few samples of class 9: 1"),
    "objects": ({"X": X_OK, "y": np.array([{}] * 60)}, "'y' holds pickled objects"),
}


def _assert_refused(path: Path, phrase: str, capsys: pytest.CaptureFixture[str]) -> None:
    out = path.parent / "out"
    assert main(["demo", "--data", str(path), "--out", str(out)]) == 2
    captured = capsys.readouterr()
    assert captured.err.count("\n") == 1, "one line, no traceback"
    assert captured.err.startswith(f"schattor: {path}: ")
    assert phrase in captured.err
    assert captured.out == ""
    assert not out.exists(), "nothing is written for data that cannot be used"


@pytest.mark.parametrize("case", BAD_ARRAYS)
def test_unusable_arrays_are_refused(case: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every kind of wrong array gets one line that names the file and the fault, and exit code 2."""
    arrays, phrase = BAD_ARRAYS[case]
    path = tmp_path / "data.npz"
    np.savez(path, **arrays)
    _assert_refused(path, phrase, capsys)


def test_unreadable_files_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file that is missing, a directory, of another kind or damaged is told apart and never unpickled."""
    _assert_refused(tmp_path / "missing.npz", "no such file", capsys)
    _assert_refused(tmp_path, "not a file", capsys)
    (tmp_path / "text.npz").write_text("X,y\n1,2\n")
    _assert_refused(tmp_path / "text.npz", "not an NPZ file", capsys)
    np.save(tmp_path / "single.npy", X_OK)
    _assert_refused(tmp_path / "single.npy", "not an NPZ file", capsys)
    np.savez(tmp_path / "damaged.npz", X=X_OK, y=Y_OK)
    content = bytearray((tmp_path / "damaged.npz").read_bytes())
    content[200:260] = bytes(60)
    (tmp_path / "damaged.npz").write_bytes(content)
    _assert_refused(tmp_path / "damaged.npz", "damaged", capsys)


def test_labels_may_be_any_integers(tmp_path: Path) -> None:
    """Labels become class numbers in sorted order; integer and boolean features become float64."""
    path = tmp_path / "labels.npz"
    y = np.tile(np.array([9, -3, 5], np.int16), 20)
    np.savez(path, X=X_OK > 0, y=y)
    X, numbers = load_file(path)
    assert X.dtype == np.float64
    np.testing.assert_array_equal(numbers, np.tile([2, 0, 1], 20))


def test_digits_are_complete() -> None:
    """The built-in data are scikit-learn's 1797 digits with 64 pixels between 0 and 16."""
    X, y = load_digits()
    assert X.shape == (1797, 64)
    assert (X.min(), X.max()) == (0, 16)
    np.testing.assert_array_equal(np.unique(y), np.arange(10))


def test_split_is_a_stratified_partition() -> None:
    """Every sample is in one part, a fifth of each class in each held-out part; the seed decides."""
    X = np.arange(300.0)[:, None] + [[0.0, 0.5]]
    y = np.repeat([0, 1, 2], [150, 100, 50])
    parts = split(X, y, np.random.default_rng(5))
    for part in (parts.validation, parts.test):
        np.testing.assert_array_equal(np.bincount(part.y), [30, 20, 10])
    # Standardisation is increasing here, so that the rank of a value tells which sample it was.
    values = np.concatenate([parts.train.X, parts.validation.X, parts.test.X])[:, 0]
    assert len(np.unique(values)) == 300
    again = split(X, y, np.random.default_rng(5))
    np.testing.assert_array_equal(again.test.X, parts.test.X)
    other = split(X, y, np.random.default_rng(6))
    assert not np.array_equal(other.test.X, parts.test.X)


def test_standardisation_knows_the_training_part_only() -> None:
    """The training part has mean 0 and deviation 1, whatever outliers are held out; they are clipped."""
    rng = np.random.default_rng(1)
    X, y = rng.normal(3, 7, size=(200, 3)), np.tile([0, 1], 100)
    X[:, 1] = 0.1  # constant: centred, not divided by rounding noise
    parts = split(X, y, np.random.default_rng(2))
    np.testing.assert_allclose(parts.train.X.mean(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(parts.train.X.std(axis=0), [1, 0, 1], atol=1e-6)

    numbers = split(np.arange(200.0)[:, None], y, np.random.default_rng(2))
    order = np.concatenate([numbers.train.X, numbers.validation.X, numbers.test.X])[:, 0].argsort().argsort()
    held_out = order[len(numbers.train) :]
    X[held_out, 0] = 1e6
    changed = split(X, y, np.random.default_rng(2))
    np.testing.assert_array_equal(changed.train.X, parts.train.X)
    assert changed.test.X[:, 0].min() == 5


def test_held_out_parts_are_capped(monkeypatch: pytest.MonkeyPatch) -> None:
    """Large data keep their surplus for training, since every evaluation passes over the held-out parts."""
    monkeypatch.setattr(data, "MAX_HELD_OUT", 20)
    parts = split(
        np.random.default_rng(0).normal(size=(400, 2)), np.tile([0, 1], 200), np.random.default_rng(0)
    )
    assert (len(parts.train), len(parts.validation), len(parts.test)) == (360, 20, 20)


def test_error_type_is_a_value_error() -> None:
    """Callers from Python can catch the usual exception."""
    with pytest.raises(ValueError, match="no such file"):
        load_file("does-not-exist.npz")
    assert issubclass(DataError, ValueError)
