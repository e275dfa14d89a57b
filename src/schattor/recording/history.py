"""What was recorded, as arrays by name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from .._edge.arrays import plain
from .metrics import PER_NORM

if TYPE_CHECKING:
    from pandas import DataFrame

Array = npt.NDArray[Any]


class History(Mapping[str, Array]):
    """The arrays of a `Recorder`: a mapping that can be saved, loaded and made into a data frame.

    ``history["step"]`` holds the steps, ``history["loss"]`` the losses where they were given, ``history["norms"]`` the
    names of the norms along the second axis of what is measured for each norm, and ``history["metric/block"]`` the
    values of a metric for a block: of shape (records,) or (records, k), NaN where it was not measured.

    Parameters
    ----------
    arrays : mapping of str to array_like

    Examples
    --------
    >>> history = st.diagnostics.History({"step": [0, 1], "dual_norm/layer/W": [3.0, 2.0]})
    >>> history.metrics, history.of("dual_norm")
    (('dual_norm',), {'layer/W': array([3., 2.])})
    """

    def __init__(self, arrays: Mapping[str, npt.ArrayLike]) -> None:
        self._arrays = {name: plain(x, name) for name, x in arrays.items()}

    def __getitem__(self, name: str) -> Array:
        return self._arrays[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._arrays)

    def __len__(self) -> int:
        return len(self._arrays)

    @property
    def metrics(self) -> tuple[str, ...]:
        """Names of what was measured for blocks."""
        return tuple(dict.fromkeys(name.split("/", 1)[0] for name in self if "/" in name))

    def of(self, metric: str) -> dict[str, Array]:
        """Return the values of a metric by block.

        Parameters
        ----------
        metric : str
            One of `metrics`.

        Returns
        -------
        dict of str to ndarray

        Raises
        ------
        KeyError
            For a metric that was not recorded.
        """
        found = {name.split("/", 1)[1]: x for name, x in self.items() if name.startswith(f"{metric}/")}
        if not found:
            raise KeyError(
                f"no metric {metric!r} was recorded; there are {', '.join(self.metrics) or 'none'}"
            )
        return found

    def to_pandas(self) -> DataFrame:
        """Return the values in long format, one row for each number that was measured.

        Returns
        -------
        pandas.DataFrame
            Columns step, block, metric, index and value. The index is the number of the singular value from 1, the name
            of the norm, or None; the block of the loss is "".

        Raises
        ------
        ImportError
            When pandas is not installed.
        """
        try:
            from pandas import DataFrame
        except ImportError as error:
            raise ImportError("to_pandas needs pandas: pip install pandas") from error
        return DataFrame(list(self._rows()), columns=["step", "block", "metric", "index", "value"])

    def _rows(self) -> Iterator[tuple[int, str, str, object, float]]:
        for name, values in self.items():
            if name in ("step", "norms"):
                continue
            metric, _, block = name.partition("/")
            for step, value in zip(self["step"].tolist(), values, strict=True):
                labels = self._labels(metric, value)
                for label, number in zip(labels, np.ravel(value).tolist(), strict=True):
                    if not np.isnan(number):
                        yield step, block, metric, label, number

    def _labels(self, metric: str, value: Array) -> list[object]:
        if np.ndim(value) == 0:
            return [None]
        return self["norms"].tolist() if metric in PER_NORM else list(range(1, len(value) + 1))

    def save(self, file: str | PathLike[str]) -> None:
        """Write the arrays to an NPZ file.

        Parameters
        ----------
        file : path
            Ends in ".npz".
        """
        np.savez(file, **self._arrays)  # type: ignore[arg-type]

    @classmethod
    def load(cls, file: str | PathLike[str]) -> History:
        """Return the history that was saved in a file.

        Parameters
        ----------
        file : path

        Returns
        -------
        History
        """
        with np.load(file, allow_pickle=False) as arrays:
            return cls(dict(arrays))

    def __repr__(self) -> str:
        steps = len(self._arrays.get("step", ()))
        return f"History({steps} records of {', '.join(self.metrics) or 'nothing'})"
