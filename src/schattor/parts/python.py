"""Parts of a user's own, written in Python."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

import numpy.typing as npt

from .._edge import _core
from .._edge.arrays import FloatArray
from .._edge.values import check_choice
from .adjustments import Adjustment
from .bridge import Bridge, Context, PythonPart
from .estimators import Estimator
from .geometries import Geometry
from .part import Lowering
from .scalings import RULES, Scaling
from .transforms import Transform
from .updates import Update


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

    @property
    def averages_from_zero(self) -> bool:
        """True: it may be."""
        return True

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

    per_block: ClassVar[bool] = True

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
        check_choice("rule", self.rule, RULES)
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
