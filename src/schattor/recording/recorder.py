"""A recorder that steps an optimizer and measures on the way, without changing the way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any, Literal, TypeAlias

import numpy as np

from .._edge.arguments import checked
from .._edge.arrays import FloatArray
from .._edge.values import POSITIVE, check_count, list_names, nearest
from ..blocks.block import Block
from ..blocks.structure import flatten
from ..diagnostics.curvature import EXPONENTS, Norm, geometry_of
from ..diagnostics.hessian import Hvp, LinearMap, Rng
from ..optimizer.optimizer import Optimizer
from .history import Array, History
from .metrics import METRICS, Metric, Sample, Values

Row: TypeAlias = dict[str, Any]
REPORTED = ("dual_norm", "step_size", "update_rms")
GIVEN = ("closure", "micro_batches", "activations")


class Recorder:
    r"""Takes an optimizer's steps and records what is asked for, every so many steps.

    It records, for each block, at little cost: ``dual_norm``, ``step_size`` and ``update_rms`` of the optimizer's
    report, and the Frobenius norms ``gradient_norm`` and ``weight_norm`` before the step. On request:

    - ``"gradient_spectrum"``, ``"weight_spectrum"``, ``"update_spectrum"``: singular values, ranks, entropy and
      condition number, each with the prefix ``gradient_`` and so on; the update is all that the weights move;
    - ``"curvature"``: ``curvature`` and ``predicted_decrease`` for each of `norms` (as many Hessian-vector products);
    - ``"muon_ratio"``: ``J``, ``L``, ``gradient_nuclear_norm`` and ``muon_ratio`` (one product, and the Lanczos
      iteration or one more for `L`);
    - ``"hessian"``: ends of the spectrum, trace, norm, effective rank and condition of the block's Hessian, with the
      prefix ``hessian_`` (40 products; see `hessian_summary`);
    - ``"smoothness"``: for each of `norms` along the step that was taken; each record needs a `closure`;
    - ``"noise"``: ``noise_trace`` and ``noise_scale``; each record needs `micro_batches`;
    - ``"criterion"``: ``activation_stable_rank`` and ``spectral_criterion``; each record needs `activations`.

    Parameters
    ----------
    opt : Optimizer
    every : int
        Records steps 0, `every`, 2 `every` and so on.
    metrics : sequence of str, or mapping of str to int
        What to measure beside; a mapping gives intervals of their own, multiples of `every`.
    hvp : callable, optional
        ``hvp(params, direction)`` with the flat names of the blocks, such as the method of a problem.
    norms : sequence of float or Geometry
        Default: Schatten norms with p = 2, 3, 4, 8, inf.
    blocks : str or sequence of str
        Names or globs of the blocks to measure. Default: all.
    L : {"operator_norm", "rayleigh"} or float
        As for `muon_ratio`.
    micro_batch_size : int
        Samples in each micro-batch.
    rng : int, Generator or None
        For the random vectors of the Hessian's metrics; the optimizer draws nothing from it.

    Raises
    ------
    TypeError, ValueError, KeyError
        For an unknown metric, one that lacks `hvp`, an interval that is no multiple of `every`, or no such block.

    Examples
    --------
    >>> problem = st.problems.MatrixQuadratic.random(np.geomspace(1, 1e-3, 8), columns=8, rng=0)
    >>> opt = st.Schattor(problem.start(), p=np.inf, lr=0.05)
    >>> recorder = st.diagnostics.Recorder(opt, every=10, metrics=["muon_ratio"], hvp=problem.hvp, rng=0)
    >>> for _ in range(40):
    ...     recorder.step(problem.gradient(opt.params), loss=problem.loss(opt.params))
    >>> history = recorder.history
    >>> history["step"], bool(np.all(history["muon_ratio/W"] > 1))
    (array([ 0, 10, 20, 30]), True)
    """

    @checked
    def __init__(
        self,
        opt: Optimizer,
        *,
        every: int = 1,
        metrics: Sequence[str] | Mapping[str, int] = (),
        hvp: Hvp | None = None,
        norms: Sequence[Norm] = EXPONENTS,
        blocks: str | Sequence[str] = "*",
        L: Literal["operator_norm", "rayleigh"] | float = "operator_norm",
        micro_batch_size: int = 1,
        rng: Rng = 0,
    ) -> None:
        check_count("every", every, least=1)
        self.opt, self.every = opt, every
        self._intervals = _intervals(metrics, every)
        self._hvp = hvp
        for name in self._intervals:
            if METRICS[name].needs == "hvp" and hvp is None:
                raise TypeError(f"metric {name!r} needs hvp, a function of parameters and a direction")
        self._norms = tuple(geometry_of(norm) for norm in norms)
        if not isinstance(L, str):
            POSITIVE.check("L", L)
        self._L, self._batch_size = L, micro_batch_size
        self._blocks = _chosen(opt, [blocks] if isinstance(blocks, str) else blocks)
        self._rng = np.random.default_rng(rng)
        self._rows: list[Row] = []

    def __repr__(self) -> str:
        names = ", ".join(self._intervals) or "no metrics"
        return f"Recorder({self.opt!r}, every {self.every} steps: {names}; {len(self._rows)} rows)"

    def step(self, grads: Any, *, loss: float | None = None, **extras: Any) -> None:
        """Take a step of the optimizer, and record it when it is its turn.

        Parameters
        ----------
        grads : structure of arrays
            As in `Optimizer.step`.
        loss : float, optional
            Recorded as it is.
        **extras
            What `Optimizer.step` takes, and for the metrics that need them, by flat names of the blocks:

            - ``closure``: a function of the parameters that returns the gradient of this step's samples;
            - ``micro_batches``: gradients of independent micro-batches at this point, (k, ...); or a function
              without arguments that returns them, called only when they are needed;
            - ``activations``: inputs of the layer, (N, fan-in), or such a function.

        Raises
        ------
        KeyError
            When a metric lacks what it needs.
        Exception
            What `Optimizer.step` raises; nothing is recorded then.
        """
        step, read = self.opt.step_count, self.opt._reads
        passed = {name: x for name, x in extras.items() if name not in GIVEN or name in read}
        if step % self.every:
            self.opt.step(grads, **passed)
            return
        due = [name for name, interval in self._intervals.items() if step % interval == 0]
        row: Row = {"step": step, "loss": np.nan if loss is None else loss}
        samples = self._samples(grads, due, extras)
        self._measure(row, samples, due, after=False)
        before = self._copies(samples, due)
        self.opt.step(grads, **passed)
        if self.opt.report.step == step + 1:
            self._reported(row)
            self._look_back(samples, before, due, extras)
            self._measure(row, samples, due, after=True)
        self._rows.append(row)

    @property
    def history(self) -> History:
        """What has been recorded so far."""
        norms = np.array([str(norm) for norm in self._norms])
        arrays: dict[str, Array] = {"step": np.array([row["step"] for row in self._rows], dtype=np.int64)}
        names = dict.fromkeys(name for row in self._rows for name in row if name != "step")
        for name in names:
            arrays[name] = _column([row.get(name) for row in self._rows])
        if "loss" in arrays and np.isnan(arrays["loss"]).all():
            del arrays["loss"]
        return History({**arrays, "norms": norms})

    def _samples(self, grads: Any, due: Sequence[str], extras: Mapping[str, Any]) -> dict[str, Sample]:
        """Return what is known of each block before the step; blocks left out, empty or not finite are absent."""
        given, samples = flatten(grads), {}
        if "smoothness" in due and extras.get("closure") is None:
            raise KeyError("step lacks closure, which the metric 'smoothness' needs")
        stacks = self._given("micro_batches", due, extras)
        inputs = self._given("activations", due, extras)
        for block in self._blocks:
            gradient = _of(block, given)
            if gradient is None or not gradient.size or not np.isfinite(gradient).all():
                continue
            weights = block.array.reshape(block.shape)
            sample = Sample(weights, gradient, self._norms, self._L, self._rng)
            sample.hessian = None if self._hvp is None else self._hessian(block)
            if block.owner in stacks:
                sample.micro_batches = np.stack([_piece(G, block) for G in stacks[block.owner]])
                sample.batch_size = self._batch_size
            sample.activations = inputs.get(block.owner)
            samples[block.name] = sample
        return samples

    def _given(self, kind: str, due: Sequence[str], extras: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return by flat names what the metrics that are due need of this kind."""
        wanting = [name for name in due if METRICS[name].needs == kind]
        if not wanting:
            return {}
        if extras.get(kind) is None:
            raise KeyError(f"step lacks {kind}, which the metric {wanting[0]!r} needs")
        value = extras[kind]
        return flatten(value() if callable(value) else value)

    def _hessian(self, block: Block) -> LinearMap:
        params, hvp = self.opt.params, self._hvp
        assert hvp is not None

        def product(D: FloatArray) -> FloatArray:
            direction = {name: np.zeros(x.shape) for name, x in params.items()}
            for name in block.names:
                direction[name][block.index] = np.reshape(D, block.array.shape)
            image = _of(block, hvp(params, direction))
            assert image is not None
            return image

        return product

    def _measure(self, row: Row, samples: Mapping[str, Sample], due: Sequence[str], *, after: bool) -> None:
        for block, sample in samples.items():
            values: Values = {}
            if not after:
                values["gradient_norm"] = _length(sample.gradient)
                values["weight_norm"] = _length(sample.weights)
            for name in due:
                if METRICS[name].after == after and _has(sample, METRICS[name]):
                    values.update(METRICS[name].measure(sample))
            row.update({f"{kind}/{block}": value for kind, value in values.items()})

    def _copies(self, samples: Mapping[str, Sample], due: Sequence[str]) -> dict[str, FloatArray]:
        """Return the weights before the step where they are needed; gradients are kept, too."""
        if not any(METRICS[name].after for name in due):
            return {}
        for sample in samples.values():
            sample.gradient = sample.gradient.copy()  # the closure may write to the caller's buffers
        return {name: sample.weights.copy() for name, sample in samples.items()}

    def _look_back(
        self,
        samples: Mapping[str, Sample],
        before: Mapping[str, FloatArray],
        due: Sequence[str],
        extras: Mapping[str, Any],
    ) -> None:
        """Add to the samples what only the step taken shows: the update, and the gradient where it has led."""
        for name in before:
            samples[name].update = samples[name].weights - before[name]
        if "smoothness" not in due:
            return
        reached = self.opt._in_structure(lambda name: self.opt.params[name].copy())
        gradient = flatten(extras["closure"](reached))
        for block in self._blocks:
            if block.name in samples:
                samples[block.name].gradient_after = _of(block, gradient)

    def _reported(self, row: Row) -> None:
        report = self.opt.report
        for block in self._blocks:
            if block.name in report:
                row.update({f"{kind}/{block.name}": getattr(report[block.name], kind) for kind in REPORTED})


def _intervals(metrics: Sequence[str] | Mapping[str, int], every: int) -> dict[str, int]:
    """Return the interval of each metric, checked."""
    given = metrics if isinstance(metrics, Mapping) else dict.fromkeys(metrics, every)
    for name, interval in given.items():
        if name not in METRICS:
            raise ValueError(f"metrics must be some of {', '.join(METRICS)}, got {name!r}")
        check_count(f"interval of {name!r}", interval, least=1)
        if interval % every:
            raise ValueError(f"interval of {name!r} must be a multiple of every = {every}, got {interval}")
    return dict(given)


def _chosen(opt: Optimizer, patterns: Sequence[str]) -> list[Block]:
    blocks = [route.block for route in opt._listed]
    for pattern in patterns:
        if not any(fnmatchcase(block.name, pattern) or block.name == pattern for block in blocks):
            names = [block.name for block in blocks]
            raise KeyError(
                f"blocks: {pattern!r} matches no block; the blocks are {list_names(names)}{nearest(pattern, names)}"
            )
    return [b for b in blocks if any(fnmatchcase(b.name, p) or b.name == p for p in patterns)]


def _of(block: Block, arrays: Mapping[str, Any]) -> FloatArray | None:
    """Return the block's gradient: the sum over the names of a tied array, None where there is none."""
    parts = [_piece(arrays[name], block) for name in block.names if arrays.get(name) is not None]
    return sum(parts[1:], parts[0]) if parts else None


def _piece(array: Any, block: Block) -> FloatArray:
    """Return the block's part of an array of its owner's shape, as a matrix."""
    return np.asarray(np.asarray(array)[block.index]).reshape(block.shape)


def _has(sample: Sample, metric: Metric) -> bool:
    if metric.needs in ("micro_batches", "activations"):
        return getattr(sample, metric.needs) is not None
    return True


def _length(X: FloatArray) -> float:
    return float(np.linalg.norm(X.astype(np.float64, copy=False)))


def _column(values: Sequence[Any]) -> Array:
    """Return the values of all records in one array; NaN where there is none."""
    shape = next(np.shape(value) for value in values if value is not None)
    filled = [np.full(shape, np.nan) if value is None else value for value in values]
    return np.asarray(filled, dtype=np.float64)
