"""The constants of the theorems, measured along a run in one geometry."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from .._edge.arrays import FloatArray
from ..blocks.block import Block
from ..linalg.matrices import eigen
from ..noise.forms import Form, make_form
from ..optimizer.drivers import usable
from ..parts.mixed_norm import MixedNorm
from ..recipe.driver import Given
from ..theory.noise import variance_proxy
from ..theory.run import Run

Arrays: TypeAlias = dict[str, np.ndarray[Any, Any]]

NUMBERS = ("L", "sigma")
COUNTS = ("observed", "kept", "waiting", "interval", "next", "differences", "covariances")

# A difference of gradients is measured once its square exceeds this multiple of the noise in it.
ABOVE = 3.0


@dataclass(frozen=True)
class _Now:
    """What is known in the step that is measured: position in the run, weights, gradients, and what came with them.

    `before` are the gradients of the same samples where the last ones were kept, `samples` those of micro-batches.
    """

    place: int
    weights: list[FloatArray]
    gradients: list[FloatArray]
    samples: list[FloatArray] | None
    before: list[FloatArray] | None


class Constants:
    """Measures L and sigma of a run on some blocks; all that it remembers is in the state that it is handed.

    `kept` counts from one, and is zero where no point and gradient are kept. Entries of the state are replaced only.
    """

    def __init__(self, run: Run, blocks: Sequence[Block], norm: MixedNorm) -> None:
        self._run, self._blocks, self._norm = run, blocks, norm
        self._forms = [make_form("full", block.shape, 1, np.random.default_rng(0)) for block in blocks]
        self._weights = norm._constant_weights()

    @property
    def known(self) -> bool:
        """Whether both are given, and nothing is to be measured."""
        return self._run.L is not None and self._run.sigma is not None

    def start(self) -> Arrays:
        """Return the state before the first step."""
        run = self._run
        state = {"L": np.array(run.L or 0.0), "sigma": np.array(run.sigma or 0.0)}
        state |= {name: np.array(0) for name in COUNTS}
        for block, form in () if self.known else zip(self._blocks, self._forms, strict=True):
            state[f"point/{block.name}"] = np.zeros_like(block.array)
            state[f"gradient/{block.name}"] = np.zeros_like(block.array)
            state[f"covariance/{block.name}"] = np.zeros((1, form.core.entries))
        return state

    def observe(self, state: Arrays, given: Given) -> bool:
        """Take in a step, and return whether it was measured.

        The intervals double from one step to `every`; when L has risen by more than a tenth, they begin anew. A step
        that leaves out a block is not measured, and nor is the next.
        """
        if self.known:
            return False
        gradients = [G for G in given.gradients if G is not None]
        if len(gradients) < len(self._blocks):
            state["kept"] = state["waiting"] = np.array(0)
            return False
        place = int(state["observed"])
        state["observed"] = np.array(place + 1)
        measured = bool(place >= state["next"])
        if measured:
            self._measure(state, _Now(place, given.weights, gradients, *self._beside(state, place, given)))
        if place + 1 == state["next"] and not state["waiting"]:
            state["kept"] = np.array(place + 1)
            for block, W, G in zip(self._blocks, given.weights, gradients, strict=True):
                state[f"point/{block.name}"], state[f"gradient/{block.name}"] = np.array(W), np.array(G)
        return measured

    def _measure(self, state: Arrays, now: _Now) -> None:
        before, known = float(state["L"]), bool(state["kept"])
        self._measure_sigma(state, now)
        if self._run.L is None:
            self._measure_L(state, now)
        settled = known and state["L"] <= 1.1 * before
        state["interval"] = np.array(min(2 * int(state["interval"]), self._run.every) if settled else 1)
        state["next"] = np.array(now.place + state["interval"])

    def _beside(
        self, state: Arrays, place: int, given: Given
    ) -> tuple[list[FloatArray] | None, list[FloatArray] | None]:
        """Return samples, and this step's gradients at the kept point, where they are given and needed."""
        samples = _of_all(given, "per_example")
        if not state["kept"] or (self._run.L is not None and samples is not None):
            return samples, None
        arrays = _of_all(given, "gradient_at_previous") if state["kept"] == place else None
        if arrays is not None or "closure" not in given.callables:
            return samples, arrays
        returned = given.callables["closure"](self._kept(state, "point"))
        for block, G in zip(self._blocks, returned, strict=True):
            if not usable(G, block) or G is None:
                raise ValueError(
                    f"closure must return a finite gradient of block {block.name!r}, an array of shape "
                    f"{block.array.shape} and dtype {block.array.dtype}, got {G!r}"
                )
        return samples, [np.asarray(G) for G in returned]

    def _kept(self, state: Arrays, kind: str) -> list[FloatArray]:
        return [state[f"{kind}/{block.name}"] for block in self._blocks]

    def _batch(self, place: int) -> int:
        return self._run.batch if place else self._run.first_batch

    # The noise

    def _measure_sigma(self, state: Arrays, now: _Now) -> None:
        """Add what this step says of the covariance of a sample's noise. The bounds follow its mean over the run."""
        if now.samples is not None:
            self._add_micro_batches(state, now)
        elif self._run.sigma is None and state["kept"] and (now.before or self._run.L is not None):
            # Two independent batches at one point. Where nothing better is given, at two points: then what the gradient
            # has changed between them counts as noise.
            weight = 1 / self._per_sample(state, now)
            others = now.gradients if now.before is None else now.before
            for block, x, y in zip(self._blocks, self._kept(state, "gradient"), others, strict=True):
                self._add(state, block, x[None], y[None].astype(np.float64), weight)
        else:
            return
        state["covariances"] = np.array(state["covariances"] + 1)
        if self._run.sigma is None:
            state["sigma"] = np.array(variance_proxy(self._covariances(state), self._norm))

    def _add_micro_batches(self, state: Arrays, now: _Now) -> None:
        batch = self._batch(now.place)
        for block, x in zip(self._blocks, now.samples or [], strict=True):
            if not 2 <= len(x) <= batch:
                raise ValueError(
                    f"per_example of block {block.name!r} holds {len(x)} gradients; expected from 2 to the {batch} of "
                    "the batch"
                )
            centre = x.mean(axis=0, dtype=np.float64, keepdims=True)
            self._add(state, block, x, centre, batch / len(x) / (len(x) - 1))

    def _per_sample(self, state: Arrays, now: _Now) -> float:
        """Return the noise in the difference to the kept gradient, in units of the covariance of a sample."""
        return 1 / self._batch(int(state["kept"]) - 1) + 1 / self._batch(now.place)

    def _add(self, state: Arrays, block: Block, x: FloatArray, centre: FloatArray, weight: float) -> None:
        """Add weighted second moments of x - centre to the sum of a block."""
        form, name = self._forms[self._blocks.index(block)], f"covariance/{block.name}"
        state[name] = _second_moments(form, x, centre, weight, state[name])

    def _covariances(self, state: Arrays) -> dict[str, FloatArray]:
        """Return the mean covariance of each block."""
        count = int(state["covariances"])
        return {
            block.name: form.matrix(state[f"covariance/{block.name}"][0] / count, 0.0)
            for block, form in zip(self._blocks, self._forms, strict=True)
        }

    # The smoothness

    def _measure_L(self, state: Arrays, now: _Now) -> None:
        """Raise L to what this step says. Where noise hides the difference, the kept point waits for a larger one."""
        if not state["L"]:
            self._start_L(state, now)
        if not state["kept"]:
            return
        if now.before is not None:
            size = self._norm.dual_norm(self._by_name(now.gradients, now.before))
            told = size > self._rounding(now)
        elif now.samples is not None:
            change = self._by_name(now.gradients, self._kept(state, "gradient"))
            size, above = self._without_noise(state, change, self._per_sample(state, now))
            told = above > ABOVE
        else:
            raise KeyError(_LACKS)
        length = self._norm.norm(self._by_name(now.weights, self._kept(state, "point")))
        if told and length > 0:
            largest = float(state["L"]) if state["differences"] else 0.0
            state["L"] = np.array(max(size / length, largest))
            state["differences"] = np.array(state["differences"] + 1)
        state["waiting"] = np.array(int(now.before is None and not told))

    def _start_L(self, state: Arrays, now: _Now) -> None:
        """Set L to the least that is possible: the square of the gradient's norm is at most 2 L delta."""
        gradient = self._by_name(now.gradients)
        size, _ = self._without_noise(state, gradient, 1 / self._batch(now.place))
        state["L"] = np.array(size**2 / (2 * self._run.delta))

    def _by_name(
        self, arrays: list[FloatArray], minus: list[FloatArray] | None = None
    ) -> dict[str, FloatArray]:
        """Return arrays, or differences of arrays, as the matrices of the blocks."""
        result = arrays if minus is None else [x - y for x, y in zip(arrays, minus, strict=True)]
        return {b.name: x.reshape(b.shape) for b, x in zip(self._blocks, result, strict=True)}

    def _rounding(self, now: _Now) -> float:
        """Return what rounding may leave of the difference of two equal gradients."""
        eps = max(float(np.finfo(b.array.dtype).eps) * max(b.shape) for b in self._blocks)
        return eps * self._norm.dual_norm(self._by_name(now.gradients))

    def _without_noise(
        self, state: Arrays, D: dict[str, FloatArray], per_sample: float
    ) -> tuple[float, float]:
        """Return the dual norm of D without the noise in it, and the ratio of the squares of the two.

        D D' exceeds its value without noise by the noise's covariance, on average. The ratio is in Frobenius norms.
        """
        noise = self._covariances(state) if state["covariances"] else {}
        squares, signal, disturbance = {}, 0.0, 0.0
        for block, form, w in zip(self._blocks, self._forms, self._weights, strict=True):
            empty = np.zeros((1, form.core.entries))
            x, centre = D[block.name][None], np.zeros((1, *block.shape))
            S = form.matrix(_second_moments(form, x, centre, 1.0, empty)[0], 0.0)
            V = per_sample * noise[block.name] if noise else np.zeros_like(S)
            signal, disturbance = signal + np.trace(S - V) / w**2, disturbance + np.trace(V) / w**2
            values, vectors = eigen(S - V)
            squares[block.name] = vectors * values @ vectors.T
        return variance_proxy(squares, self._norm), signal / disturbance if disturbance else np.inf


def _second_moments(
    form: Form, x: FloatArray, centre: FloatArray, weight: float, to: FloatArray
) -> FloatArray:
    """Return the flat sum `to` plus weighted second moments of x - centre, on the smaller side."""
    total = to.copy()
    rows = np.ascontiguousarray(x.reshape(len(x), -1))
    form.core.add_deviations(
        rows, centre.reshape(len(centre), -1), weight, form.test, total, np.zeros((1, 1))
    )
    return total


def _of_all(given: Given, kind: str) -> list[FloatArray] | None:
    """Return the extras of one kind if all blocks have it."""
    arrays = [extras[kind] for extras in given.extras if kind in extras]
    return arrays if len(arrays) == len(given.extras) else None


_LACKS = (
    'step lacks what lr="theory" measures from: closure or gradient_at_previous (both gradients of the same samples), '
    "or per_example (micro-batches, whose noise is subtracted); or give theory=st.theory.Run(L=..., sigma=...)"
)
