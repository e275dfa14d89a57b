"""What the last step did, block by block."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from .._tables import html_table, table


class BlockReport(NamedTuple):
    """By-products of the last step for one block.

    Attributes
    ----------
    dual_norm : float
        Dual norm of what the oracle saw; inf when it exceeds the dtype.
    step_size : float
        Length of the step in units of the oracle's unit ball: the displacement without decay is
        ``step_size * D``.
    update_rms : float
        Root mean square of the displacement's entries, decay aside. Where the update averages, extrapolates or goes
        back to a sphere or manifold, or is written in Python, that of all that the weights have moved by.
    backend : str
    residual : float
    fallbacks : int
        As in `OracleInfo`.
    """

    dual_norm: float
    step_size: float
    update_rms: float
    backend: str
    residual: float
    fallbacks: int


class Report(Mapping[str, BlockReport]):
    """Mapping of block names to `BlockReport`; blocks whose gradient was None are absent.

    Attributes
    ----------
    step : int or None
        The step that it is about, from 1: as many as are completed. None before the first.
    skipped_steps : int
        Steps dropped so far under ``on_nonfinite="skip"`` or ``"warn"``.
    choices : tuple
        What set hyperparameters from the gradients, and to what: one for each recipe with a driver.
    """

    def __init__(
        self,
        blocks: Mapping[str, BlockReport],
        step: int | None,
        skipped_steps: int,
        choices: tuple[Any, ...] = (),
    ) -> None:
        self._blocks = dict(blocks)
        self.step = step
        self.skipped_steps = skipped_steps
        self.choices = choices

    def __getitem__(self, name: str) -> BlockReport:
        return self._blocks[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._blocks)

    def __len__(self) -> int:
        return len(self._blocks)

    def _title(self) -> str:
        step = "no step yet" if self.step is None else f"step {self.step}"
        return "\n".join([f"Report: {step}, {self.skipped_steps} skipped", *map(str, self.choices)])

    def _rows(self) -> list[list[str]]:
        return [
            [name, *(v if isinstance(v, str) else f"{v:.4g}" for v in row)]
            for name, row in self._blocks.items()
        ]

    def __repr__(self) -> str:
        return self._title() + "\n" + table(["block", *BlockReport._fields], self._rows())

    def _repr_html_(self) -> str:
        return html_table(self._title(), ["block", *BlockReport._fields], self._rows())
