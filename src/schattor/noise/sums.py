"""Weighted sums of martingale differences, measured beside their bounds (Lemmas 4 and 11)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from .._edge.arguments import checked
from .._edge.arrays import FloatArray
from .._edge.values import EXPONENT, check_count
from ..linalg.exponents import conjugate
from ..parts.geometries import Schatten
from ..parts.mixed_norm import MixedNorm
from .covariance import covariance, stack
from .norms import mixed

Rng = int | np.random.Generator | None


@runtime_checkable
class NoiseModel(Protocol):
    """What can be drawn independently and has a known covariance, such as `schattor.problems.GaussianNoise`."""

    @property
    def covariance(self) -> FloatArray:
        """The covariance on the smaller side."""
        ...

    def draw(self, count: int, rng: Rng = None) -> FloatArray:
        """Return independent draws, shape (count, m, n)."""
        ...


@dataclass(frozen=True, eq=False)
class PartialSums:
    r"""Second moments of :math:`S_t = \sum_{s\le t} c_s N_s` in a dual norm, and what bounds them.

    Attributes
    ----------
    measured : ndarray, shape (T,)
        Mean of :math:`\|S_t\|_*^2` over the repetitions, for t = 1, ..., T.
    standard_error : ndarray, shape (T,)
        Of the means.
    bound : ndarray, shape (T,)
        :math:`\sigma^2\sum_{s\le t} c_s^2`, which Lemmas 4 and 11 prove for exponents p and r from 2 on.
    frobenius_bound : ndarray, shape (T,)
        The bound through the Frobenius norm, which holds for all exponents and has the dimension in it:
        :math:`d^{2/q-1}\operatorname{tr}(V^2)\sum c_s^2` for q < 2, without the power for q >= 2.
    proven : bool
        Whether the exponents are such that `bound` is one.
    """

    measured: FloatArray
    standard_error: FloatArray
    bound: FloatArray
    frobenius_bound: FloatArray
    proven: bool = field(default=True)

    @property
    def ratio(self) -> FloatArray:
        """Measured over bound: 1 is tight, above 1 the formula is no bound."""
        return self.measured / self.bound


@checked
def partial_sums(
    noise: NoiseModel | npt.ArrayLike | Mapping[str, NoiseModel | npt.ArrayLike],
    coefficients: npt.ArrayLike,
    norm: float | MixedNorm,
    *,
    repetitions: int = 200,
    rng: Rng = None,
) -> PartialSums:
    r"""Measure weighted partial sums of independent noise beside the bounds of Lemmas 4 and 11.

    .. math:: \mathbb{E}\,\Bigl\|\sum_{s\le t} c_s N_s\Bigr\|_*^2 \quad\text{against}\quad
              \sigma^2\sum_{s\le t} c_s^2 \quad\text{and}\quad d^{2/q-1}\operatorname{tr}(V^2)\sum_{s\le t} c_s^2 .

    Exponents below 2, where the formula in the middle is no bound, are allowed: the measured sums may exceed it.

    Parameters
    ----------
    noise : noise model, array_like of shape (N, m, n), or mapping of str to those
        What to draw from. Samples stand for their empirical distribution: minus their mean, drawn with replacement,
        the same draw for all blocks. A mixed norm takes a mapping, of models or of samples.
    coefficients : array_like, shape (T,)
        :math:`c_1, \dots, c_T`; :math:`\theta(1-\theta)^{T-s}` are those of momentum.
    norm : float or MixedNorm
        The exponent p in [1, inf], or the norm of many blocks.
    repetitions : int
        Number of independent sums, at least 2.
    rng : int, Generator or None

    Returns
    -------
    PartialSums

    Raises
    ------
    TypeError, ValueError, KeyError
        For values outside their ranges, or noise that does not belong to the norm.

    Notes
    -----
    arXiv 2606.15702, Lemmas 4 and 11.

    Examples
    --------
    >>> noise = st.problems.GaussianNoise(np.ones(16), (16, 16))
    >>> sums = st.noise.partial_sums(noise, np.full(10, 0.1), np.inf, repetitions=50, rng=0)
    >>> bool((sums.measured < sums.bound).all()), sums.proven
    (True, True)
    """
    c = np.asarray(coefficients, dtype=np.float64)
    if c.ndim != 1 or c.size == 0 or not np.isfinite(c).all():
        raise ValueError(f"coefficients must be finite numbers, at least one, got shape {c.shape}")
    check_count("repetitions", repetitions, least=2)
    blocks, geometry = _blocks(noise, norm)
    generator = np.random.default_rng(rng)
    squared = np.stack([_run(blocks, geometry, c, generator) for _ in range(repetitions)])
    squares = {name: np.maximum(np.linalg.eigvalsh(model.covariance), 0) for name, model in blocks.items()}
    total = np.cumsum(c * c)
    return PartialSums(
        measured=squared.mean(axis=0),
        standard_error=squared.std(axis=0, ddof=1) / np.sqrt(repetitions),
        bound=float(mixed(geometry, squares)) ** 2 * total,
        frobenius_bound=_through_frobenius(geometry, squares) * total,
        proven=geometry.outer >= 2 and all(_exponent(geometry, name) >= 2 for name in geometry.names),
    )


def _run(
    blocks: Mapping[str, NoiseModel], norm: MixedNorm, c: FloatArray, rng: np.random.Generator
) -> FloatArray:
    """Return the squared dual norms of the partial sums of one sequence."""
    squares, chosen = {}, None
    for name, model in blocks.items():
        if isinstance(model, _Samples):
            chosen = rng.integers(len(model.deviations), size=len(c)) if chosen is None else chosen
            draws = model.deviations[chosen]
        else:
            draws = model.draw(len(c), rng)
        squares[name] = np.linalg.svd(np.cumsum(c[:, None, None] * draws, axis=0), compute_uv=False) ** 2
    return mixed(norm, squares) ** 2


def _through_frobenius(norm: MixedNorm, squares: Mapping[str, FloatArray]) -> float:
    """Return the factor of the bound that goes through the Frobenius norm: each step at its own dimension."""

    def factor(q: float, dimension: int) -> float:
        return float(np.power(dimension, max(0.0, 2 / q - 1)))

    blocks = sum(
        factor(conjugate(_exponent(norm, name)), len(squares[name])) * float(squares[name].sum()) / weight**2
        for name, weight in zip(norm.names, norm._constant_weights(), strict=True)
    )
    return factor(conjugate(norm.outer), len(norm.names)) * float(blocks)


def _exponent(norm: MixedNorm, name: str) -> float:
    geometry = norm.geometries[name]
    if not isinstance(geometry, Schatten) or callable(geometry.p):
        raise ValueError(f"norm of block {name!r} must be Schatten with a constant exponent, got {geometry}")
    return float(geometry.p)


@dataclass(frozen=True, eq=False)
class _Samples:
    """The distribution that has each of these deviations with equal probability."""

    deviations: FloatArray
    covariance: FloatArray

    def draw(self, count: int, rng: Rng = None) -> FloatArray:
        chosen = np.random.default_rng(rng).integers(len(self.deviations), size=count)
        return np.asarray(self.deviations[chosen])


def _samples(value: npt.ArrayLike, name: str) -> _Samples:
    x, shape = stack(value, name, least=2)
    deviations = (x - x.mean(axis=0, dtype=np.float64)).reshape(-1, *shape)
    second_moment = covariance(value).covariance * ((len(x) - 1) / len(x))
    return _Samples(deviations, second_moment)


def _blocks(
    noise: NoiseModel | npt.ArrayLike | Mapping[str, NoiseModel | npt.ArrayLike], norm: float | MixedNorm
) -> tuple[dict[str, NoiseModel], MixedNorm]:
    """Return models by block, and the norm as a mixed one."""
    if isinstance(norm, MixedNorm) != isinstance(noise, Mapping):
        raise TypeError("a mixed norm goes with a mapping of noise, and one exponent with one")
    if not isinstance(norm, MixedNorm):
        norm = MixedNorm({"noise": Schatten(EXPONENT.check("norm", norm))}, outer=2)
        noise = {"noise": noise}  # type: ignore[dict-item]
    assert isinstance(noise, Mapping)
    norm._check_names(noise, "noise")
    models: dict[str, NoiseModel] = {
        name: x if isinstance(x, NoiseModel) else _samples(x, f"noise of block {name!r}")
        for name, x in noise.items()
    }
    counts = {len(m.deviations) for m in models.values() if isinstance(m, _Samples)}
    if len(counts) > 1:
        raise ValueError(f"samples of all blocks must be of one number, got {sorted(counts)}")
    for name in norm.names:
        _exponent(norm, name)
    return models, norm
