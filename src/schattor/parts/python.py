"""Parts of a user's own, written in Python."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from .. import _core
from .._arrays import FloatArray, matrix_shape
from ..estimators import Estimator
from ..geometries import Geometry
from ..part import Lowering, Part
from ..values import NON_NEGATIVE
from .adjustments import Adjustment
from .scalings import RULES, Scaling
from .transforms import Transform
from .updates import Update

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
                self._declare(name, np.asarray(value, dtype=np.float64))

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
        if result.dtype != like.dtype:
            raise TypeError(f"{where} must return the block's dtype {like.dtype}, got {result.dtype}")
        if result.shape != like.shape:
            raise ValueError(f"{where} must return shape {like.shape}, got {result.shape}")
        largest = _largest(result)
        if not math.isfinite(largest):
            count = np.count_nonzero(~np.isfinite(result))
            raise ValueError(f"{where}: {count} of {result.size} returned entries are not finite")
        if largest > limit:
            raise ValueError(f"{where}: returned entries reach {largest:.3g}; expected at most {limit:.3g}")

    def _check_state(self, context: Context) -> None:
        for name, value in context.state.items():
            if not math.isfinite(_largest(np.asarray(value))):
                raise ValueError(f"{self._where(self._method)}: state {name!r} is not finite")


def _largest(x: FloatArray) -> float:
    """Return the largest magnitude; NaN if there is one. Without an array of magnitudes, unlike ``abs``."""
    return float(np.maximum(x.max(initial=0.0), -x.min(initial=0.0)))


class PythonPart(Part):
    """What the slots below have in common: a part that may keep state, and that claims nothing of itself."""

    def state(self, shape: tuple[int, int]) -> Mapping[str, npt.ArrayLike]:
        """Return what the part keeps for a block of this shape, by name, as it is before the first step.

        Arrays of any shape are kept in the block's dtype, numbers in double. Keep nothing anywhere else: only this is
        saved, resumed, and put back when a step fails.
        """
        return {}

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
        """The group that commutes with the part; see `schattor.Geometry`. ``"mixed"`` claims nothing."""
        return "mixed"


class PythonTransform(PythonPart, Transform):
    """A transform of one's own: a subclass, best a frozen dataclass, writes `apply`.

    Examples
    --------
    >>> from dataclasses import dataclass
    >>> @dataclass(frozen=True)
    ... class Centred(st.parts.PythonTransform):
    ...     '''Take off the mean of each row.'''
    ...
    ...     def apply(self, context, G):
    ...         return G - G.mean(axis=1, keepdims=True)
    >>> recipe = st.Recipe("centred_sign", 0.5, st.Sign(), transforms=(Centred(),))
    >>> st.Optimizer([np.zeros((1, 3))], recipe).update([np.array([[1.0, 2.0, 6.0]])])
    [array([[ 0.5,  0.5, -0.5]])]
    """

    @abstractmethod
    def apply(self, context: Context, G: FloatArray) -> FloatArray:
        """Return the transformed gradient, in the shape and dtype of `G`, which is read-only."""

    def lower(self, into: Lowering) -> _core.Transform:
        """Return the core's part, which calls this one."""
        return _core.PythonTransform(Bridge(self, into, "apply"))


class PythonEstimator(PythonPart, Estimator):
    """An estimator of one's own: a subclass, best a frozen dataclass, writes `state` and `estimate`.

    Examples
    --------
    >>> from dataclasses import dataclass
    >>> @dataclass(frozen=True)
    ... class Mean(st.parts.PythonEstimator):
    ...     '''The mean of all gradients so far.'''
    ...
    ...     def state(self, shape):
    ...         return {"sum": np.zeros(shape)}
    ...
    ...     def estimate(self, context, G):
    ...         context.state["sum"] += G
    ...         return context.state["sum"] / (context.count + 1)
    >>> run = Mean().start(like=np.zeros(1))
    >>> [float(run.update(np.array([g]))[0]) for g in (4.0, 2.0, 0.0)]
    [4.0, 3.0, 2.0]
    """

    @abstractmethod
    def estimate(self, context: Context, G: FloatArray) -> FloatArray:
        """Advance ``context.state`` and return the estimate, in the shape and dtype of `G`, which is read-only."""

    def lower(self, into: Lowering) -> _core.Estimator:
        """Return the core's part, which calls this one."""
        return _core.PythonEstimator(Bridge(self, into, "estimate"))


class PythonGeometry(Geometry, ABC):
    r"""A norm of one's own: a subclass, best a frozen dataclass, writes `norm`, `dual_norm` and `ball`.

    A step calls `ball` alone, with a matrix of the block's dtype that is not zero, and takes
    :math:`-\langle G, D\rangle` for the dual norm. `schattor.testing.check_geometry` checks that the three belong
    together.

    Examples
    --------
    >>> from dataclasses import dataclass
    >>> @dataclass(frozen=True)
    ... class Largest(st.parts.PythonGeometry):
    ...     '''The largest entry: signSGD.'''
    ...
    ...     equivariance = "entries"
    ...
    ...     def norm(self, X):
    ...         return float(np.abs(X).max())
    ...
    ...     def dual_norm(self, G):
    ...         return float(np.abs(G).sum())
    ...
    ...     def ball(self, G):
    ...         return -np.sign(G)
    >>> st.testing.check_geometry(Largest())
    >>> Largest().regularized(np.array([[3.0, -4.0]]))
    array([[-7.,  7.]])
    """

    @property
    def equivariance(self) -> str:
        """The group that commutes with the oracle; see `schattor.Geometry`. ``"mixed"`` claims nothing."""
        return "mixed"

    @abstractmethod
    def norm(self, X: npt.ArrayLike) -> float:
        """Return the norm of a matrix."""

    @abstractmethod
    def dual_norm(self, G: npt.ArrayLike) -> float:
        """Return the dual norm ``max{<G, X> : ||X|| <= 1}`` of a matrix."""

    @abstractmethod
    def ball(self, G: npt.ArrayLike) -> FloatArray:
        """Return the ball oracle ``argmin{<G, D> : ||D|| <= 1}``, in the shape and dtype of `G`; zero at zero."""

    def regularized(self, G: npt.ArrayLike) -> FloatArray:
        """Return the regularization oracle: the dual norm times the ball oracle."""
        return float(self.dual_norm(G)) * self.ball(G)

    def lower(self, into: Lowering) -> _core.Geometry:
        """Return the core's part, which calls this one."""
        return _core.PythonGeometry(Bridge(self, into, "ball"))


class PythonScaling(PythonPart, Scaling):
    """A scaling of one's own: a subclass, best a frozen dataclass, writes `length`.

    Examples
    --------
    >>> from dataclasses import dataclass
    >>> @dataclass(frozen=True)
    ... class Capped(st.parts.PythonScaling):
    ...     '''The regularization rule up to a longest step.'''
    ...
    ...     longest: float = 1.0
    ...
    ...     def length(self, context, dual_norm):
    ...         return min(dual_norm, self.longest)
    >>> recipe = st.Recipe("capped", 1.0, st.Lp(2), scaling=Capped())
    >>> opt = st.Optimizer([np.zeros(2)], recipe)
    >>> opt.update([np.array([0.3, 0.4])]), opt.update([np.array([3.0, 4.0])])
    ([array([-0.3, -0.4])], [array([-0.6, -0.8])])
    """

    @abstractmethod
    def length(self, context: Context, dual_norm: float) -> float:
        """Return the length of the step, lr aside; not negative.

        Where the class says ``rule = "regularization"`` it is a factor on that rule's step.
        """

    def degree(self, incoming: float | None) -> float | None:
        """Return None: nothing is claimed."""
        return None

    def factor(self, shape: tuple[int, int], step: int = 0) -> float:
        """Return what `schattor.Optimizer.explain` multiplies lr by: 1."""
        return 1.0

    def lower(self, into: Lowering) -> _core.Scaling:
        """Return the core's part, which calls this one."""
        if self.rule not in RULES:
            raise ValueError(f"rule must be one of {', '.join(map(repr, RULES))}, got {self.rule!r}")
        return _core.PythonScaling(bridge=Bridge(self, into, "length"), rule=self.rule)


class PythonAdjustment(PythonPart, Adjustment):
    """An adjustment of one's own: a subclass, best a frozen dataclass, writes `apply`.

    Examples
    --------
    >>> from dataclasses import dataclass
    >>> @dataclass(frozen=True)
    ... class Rounded(st.parts.PythonAdjustment):
    ...     '''Whole multiples of a unit.'''
    ...
    ...     unit: float = 0.5
    ...
    ...     def apply(self, context, D):
    ...         return self.unit * np.round(D / self.unit)
    >>> recipe = st.Recipe("rounded", 1.0, st.Lp(2), adjustments=(Rounded(),))
    >>> st.Optimizer([np.zeros(2)], recipe).update([np.array([-3.0, 4.0])])
    [array([ 0.5, -1. ])]
    """

    @abstractmethod
    def apply(self, context: Context, D: FloatArray) -> FloatArray:
        """Return the direction to take, where `D` is the one at its length by the rule, lr aside; it is read-only."""

    def degree(self, incoming: float | None) -> float | None:
        """Return that of the direction, if the part is `homogeneous`."""
        return incoming

    def lower(self, into: Lowering) -> _core.Adjustment:
        """Return the core's part, which calls this one."""
        return _core.PythonAdjustment(Bridge(self, into, "apply"))


class PythonUpdate(PythonPart, Update):
    """An update of one's own: a subclass, best a frozen dataclass, writes `apply`.

    Examples
    --------
    >>> from dataclasses import dataclass
    >>> @dataclass(frozen=True)
    ... class NonNegative(st.parts.PythonUpdate):
    ...     '''Project onto the non-negative numbers.'''
    ...
    ...     def apply(self, context, D):
    ...         return np.maximum(context.W + D, 0)
    >>> recipe = st.Recipe("projected", 1.0, st.Sign(), update=NonNegative())
    >>> opt = st.Optimizer([np.array([2.0, 0.5])], recipe)
    >>> opt.step([np.ones(2)])
    >>> opt.params
    {'0': array([1., 0.])}
    """

    @abstractmethod
    def apply(self, context: Context, D: FloatArray) -> FloatArray:
        """Return the new weights, for the displacement `D`, lr included; it is read-only."""

    def lower(self, into: Lowering) -> _core.Update:
        """Return the core's part, which calls this one."""
        return _core.PythonUpdate(Bridge(self, into, "apply"))
