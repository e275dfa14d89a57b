"""Data of the demo: reading, checking, splitting, standardising."""

from __future__ import annotations

import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["DataError", "Dataset", "Part", "load_digits", "load_file", "split"]

Features = NDArray[np.float64]
Labels = NDArray[np.int64]

MIN_SAMPLES = 50
MIN_SAMPLES_PER_CLASS = 5
HELD_OUT_FRACTION = 0.2
# Every evaluation passes over the held-out parts: the cap keeps large data sets affordable.
MAX_HELD_OUT = 2000
# A feature that is almost always zero (a pixel at the rim) reaches 30 deviations when it is not; a few such
# samples would then dominate the mean loss.
CLIP = 5.0


class DataError(ValueError):
    """The user's data cannot be used; the message is one line that says why."""


@dataclass(frozen=True)
class Part:
    """Samples of one part of the data: ``X`` (n x d, float32) and ``y`` (n class numbers from 0)."""

    X: NDArray[np.float32]
    y: Labels

    def __len__(self) -> int:
        return len(self.y)


@dataclass(frozen=True)
class Dataset:
    """Three disjoint, standardised parts of one data set."""

    name: str
    train: Part
    validation: Part
    test: Part
    n_features: int
    n_classes: int


def load_digits() -> tuple[Features, Labels]:
    """Handwritten digits shipped with scikit-learn: 1797 images of 8 x 8 pixels, ten classes."""
    from sklearn.datasets import load_digits as sklearn_digits

    X, y = sklearn_digits(return_X_y=True)
    return np.asarray(X, np.float64), np.asarray(y, np.int64)


def load_file(path: str | Path) -> tuple[Features, Labels]:
    """Arrays ``X`` (n x d) and ``y`` (n integer labels) of an NPZ file.

    Parameters
    ----------
    path : str or Path
        The file. It is read without unpickling anything.

    Returns
    -------
    X : ndarray, shape (n, d), float64
        Features, all finite.
    y : ndarray, shape (n,), int64
        Class numbers 0, 1, ... in the order of the sorted labels.

    Raises
    ------
    DataError
        With one line naming the file and what is wrong with it.
    """
    arrays = _read_npz(Path(path))
    try:
        return _check_features(arrays["X"], arrays["y"]), _check_labels(arrays["y"])
    except DataError as error:
        raise DataError(f"{path}: {error}") from None


def _read_npz(path: Path) -> dict[str, NDArray[Any]]:
    if not path.exists():
        raise DataError(f"{path}: no such file")
    if not path.is_file():
        raise DataError(f"{path}: not a file")
    try:
        if not zipfile.is_zipfile(path):
            raise DataError(f"{path}: not an NPZ file (write one with numpy.savez(file, X=X, y=y))")
        with np.load(path, allow_pickle=False) as archive:
            return {name: _read_array(path, archive, name) for name in ("X", "y")}
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or 'input error'})") from None
    except (zipfile.BadZipFile, zlib.error, EOFError):
        raise DataError(f"{path}: damaged NPZ file") from None


def _read_array(path: Path, archive: Any, name: str) -> NDArray[Any]:
    if name not in archive.files:
        found = ", ".join(archive.files) or "nothing"
        raise DataError(f"{path}: no array '{name}' in the file (found: {found})")
    try:
        array = archive[name]
    except ValueError:
        # numpy.load raises ValueError for object arrays, which only unpickling could read.
        raise DataError(f"{path}: '{name}' holds pickled objects or is damaged; store numbers") from None
    if not isinstance(array, np.ndarray):
        raise DataError(f"{path}: '{name}' is not an array")
    return array


def _check_features(X: NDArray[Any], y: NDArray[Any]) -> Features:
    if X.dtype.kind not in "fiub":
        raise DataError(f"X must hold real numbers, got dtype {X.dtype}")
    if X.ndim != 2:
        raise DataError(f"X must be two-dimensional (samples x features), got shape {X.shape}")
    if y.ndim != 1:
        raise DataError(f"y must be one-dimensional (one label per sample), got shape {y.shape}")
    if len(X) != len(y):
        raise DataError(f"X has {len(X)} samples, y has {len(y)} labels")
    if X.shape[1] == 0:
        raise DataError("X has no features")
    X = X.astype(np.float64)
    finite = np.isfinite(X)
    if not finite.all():
        row, column = np.argwhere(~finite)[0]
        count = np.sum(~finite)
        raise DataError(f"X holds NaN or Inf ({count} entries, first at row {row}, column {column})")
    return X


def _check_labels(y: NDArray[Any]) -> Labels:
    if y.dtype.kind not in "iub":
        raise DataError(f"y must hold integer labels, got dtype {y.dtype}")
    if len(y) < MIN_SAMPLES:
        raise DataError(f"too few samples: {len(y)}, at least {MIN_SAMPLES} are needed")
    classes, numbers, counts = np.unique(y, return_inverse=True, return_counts=True)
    if len(classes) < 2:
        raise DataError(f"y holds one class only ({classes[0]}); at least two are needed")
    if counts.min() < MIN_SAMPLES_PER_CLASS:
        rarest = classes[np.argmin(counts)]
        raise DataError(
            f"too few samples of class {rarest}: {counts.min()}, at least {MIN_SAMPLES_PER_CLASS} are needed"
        )
    return numbers.astype(np.int64)


def split(X: Features, y: Labels, rng: np.random.Generator, name: str = "data") -> Dataset:
    """Split 60/20/20 class by class and standardise with the mean and deviation of the training part.

    The validation and the test part hold at most about 2000 samples each; the training part takes the rest.
    Features that are constant on the training part are centred and not scaled; values beyond five deviations
    are clipped.
    """
    fraction = min(HELD_OUT_FRACTION, MAX_HELD_OUT / len(y))
    parts: tuple[list[Any], list[Any], list[Any]] = ([], [], [])
    for label in np.unique(y):
        members = rng.permutation(np.flatnonzero(y == label))
        n_held_out = max(1, round(fraction * len(members)))
        pieces = np.split(members, [n_held_out, 2 * n_held_out])
        for part, piece in zip(parts, pieces, strict=True):
            part.append(piece)
    validation, test, train = (np.sort(np.concatenate(part)) for part in parts)
    try:
        Z = _standardise(X, X[train])
    except DataError as error:
        raise DataError(f"{name}: {error}") from None
    return Dataset(
        name=name,
        train=Part(Z[train], y[train]),
        validation=Part(Z[validation], y[validation]),
        test=Part(Z[test], y[test]),
        n_features=X.shape[1],
        n_classes=int(y.max()) + 1,
    )


def _standardise(X: Features, train: Features) -> NDArray[np.float32]:
    with np.errstate(over="ignore", invalid="ignore"):
        mean = train.mean(axis=0)
        deviation = train.std(axis=0)
        if not np.isfinite(deviation).all():
            feature = int(np.flatnonzero(~np.isfinite(deviation))[0])
            raise DataError(f"feature {feature} of X spans too large a range; rescale it")
        # The deviation of a constant feature is the rounding error of its mean: not to be divided by.
        rounding = len(train) * np.finfo(np.float64).eps * np.abs(train).max(axis=0)
        Z = (X - mean) / np.where(deviation > rounding, deviation, 1.0)
    return np.asarray(np.clip(Z, -CLIP, CLIP), np.float32)
