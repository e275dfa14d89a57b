"""What a part written in Python sees of its block, and what checks what it returns."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from .._edge.arrays import FloatArray, matrix_shape, plain, refuse_masked
from .._edge.values import NON_NEGATIVE
from .estimators import Estimator
from .part import Lowering, Part
from .transforms import Transform

RESERVED = ("count", "recipe", "turn")
"""Names that a saved state uses for other things."""


class State(MutableMapping[str, Any]):
    """What a part keeps for a block, by name: arrays, which may be changed in place, and numbers.

    Assigning to a name writes into the array.
    """

    def __init__(self, arrays: Mapping[str, FloatArray], numbers: Mapping[str, FloatArray]) -> None:
        self._arrays, self._numbers = arrays, numbers

    def __getitem__(self, name: str) -> Any:
        return float(self._numbers[name][0]) if name in self._numbers else self._array(name)

    def __setitem__(self, name: str, value: npt.ArrayLike) -> None:
        refuse_masked(value, f"state {name!r}")
        if name in self._numbers:
            self._numbers[name][0] = value
            return
        array = self._array(name)
        if np.shape(value) != array.shape:
            raise ValueError(f"state {name!r} has shape {array.shape}, got {np.shape(value)}")
        array[...] = value

    def _array(self, name: str) -> FloatArray:
        if name not in self._arrays:
            declared = ", ".join(map(repr, self)) or "nothing"
            raise KeyError(f"there is no state {name!r}; the part's state() declares {declared}")
        return self._arrays[name]

    def __delitem__(self, name: str) -> None:
        raise TypeError("state cannot be deleted")

    def __iter__(self) -> Iterator[str]:
        yield from self._arrays
        yield from self._numbers

    def __len__(self) -> int:
        return len(self._arrays) + len(self._numbers)


@dataclass(frozen=True)
class Context:
    """What a part written in Python may read in a step of one block.

    Its arrays show memory of the optimizer: they must not be kept beyond the call. All matrices are (out, in), also
    where a view says that the block is stored transposed; a vector is n x 1.

    Attributes
    ----------
    shape : pair of int
    step : int
        The global step, from 0.
    count : int
        Steps that this block has taken before this one.
    lr : float
        As scheduled for this step.
    state : mapping of str to array or float
        What the part keeps: ``state["M"] += G`` and ``state["M"] = M`` both write into the kept array.
    gradient_at_previous, activations, deltas, per_example : ndarray or None
        What the step was given of what the part requires; see `schattor.Optimizer.step`.
    """

    shape: tuple[int, int]
    step: int
    count: int
    lr: float
    state: MutableMapping[str, Any]
    gradient_at_previous: FloatArray | None = None
    activations: FloatArray | None = None
    deltas: FloatArray | None = None
    per_example: FloatArray | None = None
    _weights: FloatArray | None = field(default=None, repr=False)
    _salt: int = field(default=0, repr=False)

    @property
    def W(self) -> FloatArray:
        """The weights before this step, read-only.

        Raises
        ------
        ValueError
            Outside of an optimizer.
        """
        if self._weights is None:
            raise ValueError("there are no weights outside of an optimizer")
        return self._weights

    def rng(self, seed: int = 0) -> np.random.Generator:
        """Return a generator of random numbers for this block and step: a resumed run draws the same ones."""
        return np.random.default_rng([seed, self._salt, self.count])


@dataclass(frozen=True)
class Row:
    """What the core tells of a block, matrices as they are stored there."""

    weights: FloatArray | None
    step: int
    count: int
    lr: float
    limit: float
    salt: int
    arrays: list[FloatArray]
    numbers: FloatArray
    gradient_at_previous: FloatArray | None
    activations: FloatArray | None
    deltas: FloatArray | None
    per_example: FloatArray | None


class PythonPart(Part):
    """What the slots below have in common: a part that may keep state, and that claims nothing of itself."""

    per_block: ClassVar[bool] = True  # the errors name the block

    def state(self, shape: tuple[int, int]) -> Mapping[str, npt.ArrayLike]:
        """Return what the part keeps for a block of this shape, by name, as it is before the first step.

        Arrays of any shape are kept in the block's dtype, numbers in double. Keep nothing anywhere else: only this is
        saved, resumed, and put back when a step fails.
        """
        return {}

    @property
    def requires(self) -> frozenset[str]:
        """Names of what `Optimizer.step` must be given beside the gradients."""
        return frozenset()

    @property
    def shares(self) -> tuple[str, ...]:
        """Nothing."""
        return ()

    @property
    def keeps_state(self) -> bool:
        """Whether `state` declares anything."""
        return bool(self.state((1, 1)))

    @property
    def reads_weights(self) -> bool:
        """True: it may."""
        return True

    @property
    def homogeneous(self) -> bool:
        """Whether the result scales as the gradients do. `schattor.testing.check_recipe` tests the claim."""
        return False

    @property
    def equivariance(self) -> str:
        """The group that commutes with the part; see `schattor.Geometry`. ``"mixed"`` claims nothing.

        Blocks of more than two dimensions need a view unless it is ``"entries"`` or ``"rotations"``.
        """
        return "mixed"


class Bridge:
    """A part at work in one block: what the core calls. It checks what comes back."""

    def __init__(self, part: Part, into: Lowering, method: str) -> None:
        self.failure = into.failure
        self.arrays: list[tuple[str, int, int, FloatArray]] = []
        self.numbers: list[tuple[str, float]] = []
        self._part, self._into, self._method = part, into, method
        self._bounded = isinstance(part, Transform | Estimator)
        self._shapes: list[tuple[tuple[int, ...], bool]] = []
        if isinstance(part, PythonPart):
            kept = self._call("state", into.fans)
            if not isinstance(kept, Mapping):
                raise TypeError(
                    f"{self._where('state')} must return a dict of arrays and numbers, got {kept!r}"
                )
            for name, value in kept.items():
                self._declare(name, plain(value, f"{self._where('state')}: {name!r}", np.float64))

    def _declare(self, name: object, initial: FloatArray) -> None:
        where = f"{type(self._part).__name__}.state"  # the optimizer adds the block
        if not isinstance(name, str) or not name.isidentifier() or name in RESERVED:
            raise ValueError(f"{where}: a name must be an identifier other than {RESERVED}, got {name!r}")
        if not np.isfinite(initial).all():
            raise ValueError(f"{where}: {name!r} must hold finite numbers, got {initial}")
        if initial.ndim == 0:
            self.numbers.append((name, float(initial)))
            return
        turned = self._into.transposed and initial.shape == self._into.fans
        stored = np.ascontiguousarray(initial.T if turned else initial)
        self._shapes.append((stored.shape, turned))
        self.arrays.append((name, *matrix_shape(stored.shape), stored if stored.any() else np.empty(0)))

    # Called by the core

    def map(self, row: dict[str, Any], x: FloatArray) -> FloatArray:
        """Return what the part makes of an array of the block's shape."""
        told, X = Row(**row), self._turn(x)
        kept = [] if self.failure else [array.copy() for array in (*told.arrays, told.numbers)]
        context = self._context(told)
        try:
            result = self._call(self._method, context, X)
            self._check(self._method, result, X, told.limit if self._bounded else math.inf)
            self._check_state(context)
        except Exception:
            for array, old in zip((*told.arrays, told.numbers), kept, strict=False):
                array[...] = old  # no optimizer does it
            raise
        return np.ascontiguousarray(self._turn(result))

    def length(self, row: dict[str, Any], dual_norm: float) -> float:
        """Return the length that a scaling gives to a step."""
        context = self._context(Row(**row))
        value = NON_NEGATIVE.check(self._where("length"), self._call("length", context, dual_norm))
        self._check_state(context)
        return value

    def ball(self, g: FloatArray) -> FloatArray:
        """Return the direction of a geometry."""
        G = self._turn(g)
        D = self._call("ball", G)
        self._check("ball", D, G, math.inf)
        return np.ascontiguousarray(self._turn(D))

    def measure(self, method: str, x: FloatArray) -> float:
        """Return a norm by the name of the geometry's method."""
        return NON_NEGATIVE.check(self._where(method), self._call(method, self._turn(x)))

    def refuse_uphill(self) -> None:
        """Raise for a direction with <G, D> > 0."""
        raise ValueError(f"{self._where('ball')} points uphill: <G, D> must be -dual_norm(G)")

    # Help

    def _where(self, method: str) -> str:
        of = f" of block {self._into.block!r}" if self._into.block else ""
        return f"{type(self._part).__name__}.{method}{of}"

    def _turn(self, x: Any) -> Any:
        """Return a matrix as it is seen where it is stored transposed, and the other way round."""
        return x if x is None or not self._into.transposed else np.swapaxes(x, -1, -2)

    def _context(self, row: Row) -> Context:
        arrays = {
            name: array.reshape(shape).T if turned else array.reshape(shape)
            for (name, *_), array, (shape, turned) in zip(self.arrays, row.arrays, self._shapes, strict=True)
        }
        numbers = {name: row.numbers[i : i + 1] for i, (name, _) in enumerate(self.numbers)}
        samples = (row.activations, row.deltas)
        activations, deltas = (
            samples[::-1] if self._into.transposed else samples
        )  # the core's rows are the fan-in
        return Context(
            shape=self._into.fans,
            step=row.step,
            count=row.count,
            lr=row.lr,
            state=State(arrays, numbers),
            gradient_at_previous=self._turn(row.gradient_at_previous),
            activations=activations,
            deltas=deltas,
            per_example=self._turn(row.per_example),
            _weights=self._turn(row.weights),
            _salt=row.salt,
        )

    def _call(self, method: str, *arguments: Any) -> Any:
        try:
            return getattr(self._part, method)(*arguments)
        except Exception as error:
            note = f"in {self._where(method)}"
            if hasattr(error, "add_note"):
                error.add_note(note)
            elif error.__cause__ is None:  # Python 3.10
                error.__cause__ = RuntimeError(note)
            raise

    def _check(self, method: str, result: Any, like: FloatArray, limit: float) -> None:
        where = self._where(method)
        if not isinstance(result, np.ndarray):
            raise TypeError(f"{where} must return a NumPy array, got {type(result).__name__}")
        refuse_masked(result, f"what {where} returns")
        if result.dtype != like.dtype:
            raise TypeError(f"{where} must return the block's dtype {like.dtype}, got {result.dtype}")
        if result.shape != like.shape:
            raise ValueError(f"{where} must return shape {like.shape}, got {result.shape}")
        largest = largest_magnitude(result)
        if not math.isfinite(largest):
            count = np.count_nonzero(~np.isfinite(result))
            raise ValueError(f"{where}: {count} of {result.size} returned entries are not finite")
        if largest > limit:
            raise ValueError(f"{where}: returned entries reach {largest:.3g}; expected at most {limit:.3g}")

    def _check_state(self, context: Context) -> None:
        for name, value in context.state.items():
            if not math.isfinite(largest_magnitude(np.asarray(value))):
                raise ValueError(f"{self._where(self._method)}: state {name!r} is not finite")


def largest_magnitude(x: FloatArray) -> float:
    """Return the largest magnitude; NaN if there is one. Without an array of magnitudes, unlike ``abs``."""
    return float(np.maximum(x.max(initial=0.0), -x.min(initial=0.0)))
