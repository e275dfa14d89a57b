"""Norms of many blocks (arXiv 2606.15702, Lemma 2)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .._edge import _core
from .._edge.arguments import checked, renamed
from .._edge.arrays import FloatArray, matrix_shape
from .._edge.calls import compute_norm, compute_oracle
from .._edge.values import EXPONENT, POSITIVE, Schedulable, at_step, show
from .._tables import table
from ..blocks.matching import match
from ..blocks.structure import flatten
from .geometries import Geometry, Schatten
from .scalings import shape_factor


@checked
@dataclass(frozen=True)
class Coupling:
    """The outer exponent r and the weights w_i of a mixed norm, apart from the norms of the blocks.

    `weights` is one number (or callable) for all blocks, or a mapping by name or glob.
    """

    outer: float
    weights: Schedulable | Mapping[str, Schedulable] = 1.0

    def __post_init__(self) -> None:
        EXPONENT.check("outer", self.outer)
        if isinstance(self.weights, Mapping):
            for name, weight in self.weights.items():
                POSITIVE.check_schedulable(f"weight of {name!r}", weight)
        else:
            POSITIVE.check_schedulable("weights", self.weights)

    def weights_of(self, names: Sequence[str]) -> dict[str, Schedulable]:
        """Return the weight of each block."""
        if isinstance(self.weights, Mapping):
            return match(self.weights, names, "weights")
        return dict.fromkeys(names, self.weights)


class MixedNorm:
    r"""A norm over named blocks: an outer l_r norm of weighted block norms.

    .. math:: \|X\| = \bigl\|\bigl(w_i \|X_i\|_{(i)}\bigr)_i\bigr\|_{\ell_r}, \qquad
              \|G\|_* = \bigl\|\bigl(\|G_i\|_{(i)*} / w_i\bigr)_i\bigr\|_{\ell_s},
              \qquad \frac1r + \frac1s = 1.

    With :math:`a_i = \|G_i\|_{(i)*}/w_i` the ball oracle moves block i by :math:`\tau_i/w_i` along its own
    oracle, where :math:`\tau_i = (a_i/\|a\|_s)^{s-1}`. At r = inf every block moves by 1/w_i; at r = 1 only the
    blocks with the largest :math:`a_i` move. Weights carry the smoothness of the blocks: :math:`w_i = \sqrt{L_i}`.

    Parameters
    ----------
    geometries : mapping of str to Geometry
        One norm per block; the names are exactly the blocks'.
    weights : float, callable, or mapping of str to those, optional
        Positive; keys are names or globs and must cover every block. Default 1.
    outer : float
        r in [1, inf].

    Raises
    ------
    TypeError, ValueError, KeyError
        For values outside their ranges, unknown or uncovered blocks.

    Notes
    -----
    arXiv 2606.15702, Lemma 2.

    Examples
    --------
    >>> mix = st.MixedNorm({"W": st.Spectral(), "b": st.Lp(2)}, weights={"W": 2.0, "b": 1.0}, outer=2)
    >>> round(mix.dual_norm({"W": np.eye(2), "b": np.ones(4)}), 4)
    2.2361
    """

    @checked
    def __init__(
        self,
        geometries: Mapping[str, Geometry],
        weights: Schedulable | Mapping[str, Schedulable] | None = None,
        *,
        outer: float,
    ) -> None:
        self.geometries: dict[str, Geometry] = dict(geometries)
        if not self.geometries:
            raise ValueError(
                f"geometries must be a non-empty mapping of names to geometries, got {geometries!r}"
            )
        for name, geometry in self.geometries.items():
            if not isinstance(geometry, Geometry):
                raise TypeError(
                    f"geometry of block {name!r} must be a Geometry such as st.Schatten(4), got {geometry!r}"
                )
        self.coupling = Coupling(outer, 1.0 if weights is None else weights)
        self.weights: dict[str, Schedulable] = self.coupling.weights_of(self.names)

    @property
    def names(self) -> list[str]:
        """Names of the blocks, in order."""
        return list(self.geometries)

    @property
    def outer(self) -> float:
        """The outer exponent r."""
        return self.coupling.outer

    @classmethod
    @checked
    def uniform(
        cls,
        params: Any,
        geometry: Geometry | float,
        *,
        outer: float,
        weights: Schedulable | Mapping[str, Schedulable] | None = None,
    ) -> MixedNorm:
        """Return the mixed norm with one geometry for all blocks.

        Parameters
        ----------
        params : structure of arrays, or sequence of names
            Only the names are used.
        geometry : Geometry or float
            A number p stands for ``Schatten(p)``.
        outer : float
        weights : optional
            As in the class.

        Returns
        -------
        MixedNorm

        Examples
        --------
        >>> print(st.MixedNorm.uniform({"W": np.eye(2)}, 4, outer=2).geometries)
        {'W': Schatten(p=4, backend='auto', rcond=None, rtol=None)}
        """
        with renamed({"p": "geometry"}):
            chosen = geometry if isinstance(geometry, Geometry) else Schatten(geometry)
        return cls(dict.fromkeys(_names(params), chosen), weights, outer=outer)

    @classmethod
    @checked
    def from_patterns(
        cls,
        params: Any,
        patterns: Mapping[str, Geometry],
        *,
        outer: float,
        weights: Schedulable | Mapping[str, Schedulable] | None = None,
    ) -> MixedNorm:
        """Return the mixed norm whose geometries are given by names and globs.

        Parameters
        ----------
        params : structure of arrays, or sequence of names
            Only the names are used.
        patterns : mapping of str to Geometry
            An exact name wins, else the first glob that fits.
        outer : float
        weights : optional
            As in the class.

        Returns
        -------
        MixedNorm

        Raises
        ------
        KeyError
            For a pattern that matches nothing or a block that nothing matches.

        Examples
        --------
        >>> params = {"in/W": np.eye(2), "in/bias": np.ones(2)}
        >>> mix = st.MixedNorm.from_patterns(params, {"*bias": st.Lp(2), "*": st.Schatten(4)}, outer=2)
        >>> mix.geometries["in/bias"]
        Lp(p=2)
        """
        return cls(match(patterns, _names(params), "patterns"), weights, outer=outer)

    @checked
    def with_weights(self, weights: Schedulable | Mapping[str, Schedulable]) -> MixedNorm:
        """Return the same norm with other weights."""
        return MixedNorm(self.geometries, weights, outer=self.outer)

    @checked
    def with_lipschitz(self, constants: Mapping[str, float]) -> MixedNorm:
        r"""Return the same norm with weights :math:`w_i = \sqrt{L_i}`.

        Parameters
        ----------
        constants : mapping of str to float
            Lipschitz constant of the gradient of each block, by name or glob.

        Returns
        -------
        MixedNorm
        """
        checked = {
            name: math.sqrt(POSITIVE.check(f"constant of {name!r}", L)) for name, L in constants.items()
        }
        return self.with_weights(checked)

    @checked
    def with_scale(self, params: Any, scale: str | float) -> MixedNorm:
        """Return the same norm with weights one over the shape factor: at r = inf the ball rule scaled by it.

        Parameters
        ----------
        params : structure of arrays
            Gives the shapes; arrays of more than two dimensions count as (first, others).
        scale : str or float
            A shape factor by name, such as ``"spectral"``, or a number.

        Returns
        -------
        MixedNorm
        """
        arrays = flatten(params)
        self._check_names(arrays, "params")
        shapes = {name: matrix_shape(arrays[name].shape) for name in self.names}
        return self.with_weights({name: 1.0 / shape_factor(scale, *shape) for name, shape in shapes.items()})

    def norm(self, X: Any) -> float:
        """Return the mixed norm of a structure of arrays.

        Parameters
        ----------
        X : structure of arrays
            Exactly the blocks of the norm.

        Returns
        -------
        float
        """
        arrays = self._flatten(X, "X")
        norms = [
            compute_norm(g._standalone(), arrays[name], f"X[{name!r}]")[0]
            for name, g in self.geometries.items()
        ]
        return self._core().norm(norms, self._constant_weights()).in_float64()

    def dual_norm(self, G: Any) -> float:
        """Return the dual norm of a structure of arrays.

        Parameters
        ----------
        G : structure of arrays
            Exactly the blocks of the norm.

        Returns
        -------
        float
        """
        arrays = self._flatten(G, "G")
        norms = [
            compute_norm(g._standalone(), arrays[name], f"G[{name!r}]", dual=True)[0]
            for name, g in self.geometries.items()
        ]
        return self._core().couple(norms, self._constant_weights())[0].in_float64()

    def ball(self, G: Any) -> dict[str, FloatArray]:
        """Return the ball oracle, by block.

        Parameters
        ----------
        G : structure of arrays
            Exactly the blocks of the norm.

        Returns
        -------
        dict of str to ndarray
        """
        return self._oracle(G, regularized=False)

    def regularized(self, G: Any) -> dict[str, FloatArray]:
        """Return the regularization oracle, by block: the dual norm times the ball oracle.

        Parameters
        ----------
        G : structure of arrays
            Exactly the blocks of the norm.

        Returns
        -------
        dict of str to ndarray

        Raises
        ------
        OverflowError
            When a block's dual norm exceeds its dtype, or the dual norm of all float64.
        """
        return self._oracle(G, regularized=True)

    def _oracle(self, G: Any, *, regularized: bool) -> dict[str, FloatArray]:
        arrays = self._flatten(G, "G")
        directions: dict[str, FloatArray] = {}
        norms: list[_core.Scaled] = []
        for name, geometry in self.geometries.items():
            direction, result = compute_oracle(
                geometry._standalone(), arrays[name], f"G[{name!r}]", regularized=regularized
            )
            directions[name] = direction
            norms.append(result.dual_norm)
        total, factors = self._core().couple(norms, self._constant_weights())
        if regularized and math.isinf(total.in_float64()):
            raise OverflowError("the dual norm of G exceeds float64, so the step has no finite length")
        for direction, factor in zip(directions.values(), factors, strict=True):
            direction *= factor[1] if regularized else factor[0]
        return directions

    def _core(self) -> _core.MixedNorm:
        return _core.MixedNorm(self.outer)

    def _constant_weights(self) -> list[float]:
        for name, weight in self.weights.items():
            if callable(weight):
                raise ValueError(f"weight of {name!r} is scheduled; only an optimizer can follow it")
        return [at_step(weight, 0) for weight in self.weights.values()]

    def _flatten(self, structure: Any, what: str) -> dict[str, Any]:
        arrays = flatten(structure)
        self._check_names(arrays, what)
        return arrays

    def _check_names(self, given: Mapping[str, Any], what: str) -> None:
        for name in given:
            if name not in self.geometries:
                raise KeyError(
                    f"{what} has a block {name!r} that the norm lacks; it has {', '.join(map(repr, self.names))}"
                )
        for name in self.names:
            if name not in given:
                raise KeyError(f"{what} lacks block {name!r} of the norm")

    def _rows(self) -> list[list[str]]:
        return [[name, str(g), show(self.weights[name])] for name, g in self.geometries.items()]

    def __repr__(self) -> str:
        return f"MixedNorm({self.geometries!r}, weights={self.weights!r}, outer={self.outer!r})"

    def __str__(self) -> str:
        title = f"MixedNorm over {len(self.names)} blocks, outer exponent r = {show(self.outer)}"
        return title + "\n" + table(["block", "norm", "weight"], self._rows())

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, MixedNorm):
            return NotImplemented
        return (self.geometries, self.weights, self.outer) == (other.geometries, other.weights, other.outer)

    __hash__ = None  # type: ignore[assignment]


def _names(params: Any) -> list[str]:
    if isinstance(params, list | tuple) and params and all(isinstance(name, str) for name in params):
        return list(params)
    return list(flatten(params))
