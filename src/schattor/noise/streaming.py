"""The covariance of the noise along a run, from the gradients that the run takes anyway."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from .._edge.arguments import checked
from .._edge.arrays import FLOATS, FloatArray, matrix_shape
from .._edge.saved import check_entry
from .._edge.values import FRACTION, check_count
from ..blocks.structure import Params, flatten
from .covariance import CovarianceEstimate
from .forms import Form, FormName, make_form

_VERSION = 1


class StreamingNoise:
    r"""Running estimate of the covariance of the noise of every block, from differences of successive gradients.

    With :math:`D_t = G_t - G_{t-1}`, mean gradients of independent batches of b samples,

    .. math:: \hat V^2_t = \beta_t \hat V^2_{t-1} + (1-\beta_t)\,\tfrac b2 D_t D_t^\top, \qquad
              1 - \beta_t = \frac{1-\beta}{1-\beta^t},

    an exponential moving average without a start at zero (:math:`\beta = 1`: the mean). Its expectation is the average
    of :math:`\tfrac12(V_t^2 + V_{t-1}^2) + \tfrac b2\,\Delta_t\Delta_t^\top`, where :math:`\Delta_t` is what the
    gradient without noise moves in the step: the drift makes it too large, never too small. In norms,
    :math:`\|\Delta_t\|_q \le L\|X_t - X_{t-1}\|_p`. Two gradients of independent batches at one point
    (``update(grads, second)``) have no drift.

    Parameters
    ----------
    params : structure of arrays
        Blocks of float32 or float64; only names, shapes and dtypes are used. Accumulators have the block's dtype.
    batch_size : int
        b, the number of samples behind each gradient.
    beta : float
        :math:`\beta` in [0, 1]. Default 0.99: about the last 100 differences.
    form : {"full", "diagonal", "sketch"}
        As for `covariance`.
    rank : int
        Of the sketch.
    interval : int
        Only every so many steps enter; the time of an update falls in proportion. From 2 on the differences have no
        gradient in common.
    rng : int, Generator or None
        Draws the sketches' test matrices.

    Raises
    ------
    TypeError, ValueError
        For other dtypes, or values outside their ranges.

    Notes
    -----
    An update with C-contiguous gradients allocates no array.

    Examples
    --------
    >>> quadratic = st.problems.MatrixQuadratic.random([1.0, 0.5], columns=50, rng=0)
    >>> gaussian = st.problems.GaussianNoise(np.array([2.0, 1.0]), (2, 50))
    >>> problem = st.problems.WithNoise(quadratic, {"W": gaussian})
    >>> params, rng = problem.start(), np.random.default_rng(0)
    >>> opt, noise = st.Schattor(params, p=4, lr=0.01), st.noise.StreamingNoise(params, batch_size=8)
    >>> for _ in range(300):
    ...     grads = problem.stochastic_gradient(params, 8, rng)
    ...     noise.update(grads)
    ...     opt.step(grads)
    >>> bool(abs(noise.estimate("W").sigma(4 / 3).value / 2.54 - 1) < 0.1)
    True
    """

    @checked
    def __init__(
        self,
        params: Params,
        batch_size: int,
        *,
        beta: float = 0.99,
        form: FormName = "full",
        rank: int = 16,
        interval: int = 1,
        rng: int | np.random.Generator | None = 0,
    ) -> None:
        check_count("batch_size", batch_size, least=1)
        check_count("interval", interval, least=1)
        self._beta = FRACTION.check("beta", beta)
        generator = np.random.default_rng(rng)
        self._blocks = {
            name: _Block(name, np.asarray(array), form, rank, interval, batch_size, generator)
            for name, array in flatten(params).items()
        }

    @property
    def names(self) -> list[str]:
        """Names of the blocks, in order."""
        return list(self._blocks)

    def update(self, grads: Any, second: Any = None) -> None:
        """Take in the gradients of a step.

        Parameters
        ----------
        grads : structure of arrays
            The blocks of `params` with their shapes and dtypes; None leaves a block out.
        second : structure of arrays, optional
            Gradients of another batch of the same size at the same point, instead of those of the step before.

        Raises
        ------
        KeyError, TypeError, ValueError
            For other names, shapes or dtypes, NaN or Inf, or entries whose squares leave the dtype. Nothing is
            changed then.
        """
        checked = self._check(grads, "grads")
        others = {} if second is None else self._check(second, "second")
        for name, gradient in checked.items():
            if gradient is not None:
                self._blocks[name].update(gradient, others.get(name), self._beta)

    def _check(self, structure: Any, what: str) -> dict[str, FloatArray | None]:
        arrays = flatten(structure)
        for name in arrays:
            if name not in self._blocks:
                raise KeyError(f"{what} has a block {name!r}, which is none of {', '.join(self._blocks)}")
        for name in self._blocks:
            if name not in arrays:
                raise KeyError(f"{what} lacks block {name!r}")
        return {
            name: None if G is None else self._blocks[name].check(G, f"{what} of block {name!r}")
            for name, G in arrays.items()
        }

    def estimate(self, name: str) -> CovarianceEstimate:
        r"""Return the estimate of a block.

        Its :math:`\sigma_q` has no standard error: the terms of the average share gradients.

        Parameters
        ----------
        name : str

        Returns
        -------
        CovarianceEstimate

        Raises
        ------
        KeyError
            For a name that is no block's.
        ValueError
            Before there was a difference.
        """
        if name not in self._blocks:
            raise KeyError(f"there is no block {name!r}, only {', '.join(self._blocks)}")
        return self._blocks[name].estimate()

    def estimates(self) -> dict[str, CovarianceEstimate]:
        """Return the estimates of all blocks.

        Returns
        -------
        dict of str to CovarianceEstimate

        Raises
        ------
        ValueError
            Before there was a difference.
        """
        return {name: block.estimate() for name, block in self._blocks.items()}

    def state_dict(self) -> dict[str, np.ndarray[Any, Any]]:
        """Return the state as a flat dict of copies, which ``np.savez`` takes.

        Returns
        -------
        dict of str to ndarray
        """
        state = {"version": np.array(_VERSION)}
        for name, block in self._blocks.items():
            state.update({f"state/{name}/{key}": value.copy() for key, value in block.state().items()})
        return state

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over a saved state; all of it or nothing.

        Parameters
        ----------
        state : mapping of str to array_like
            From `state_dict`, such as an opened NPZ file.

        Raises
        ------
        KeyError, ValueError
            For missing or unknown entries, another version, shape or dtype, or values that are not finite.
        """
        expected = self.state_dict()
        if set(state) != set(expected):
            raise KeyError(f"the state must have the entries {sorted(expected)}, got {sorted(state)}")
        arrays = {key: np.asarray(state[key]) for key in expected}
        for key, wanted in expected.items():
            check_entry(key, arrays[key], wanted)
        if arrays["version"] != _VERSION:
            raise ValueError(f"the state has version {arrays['version']}, expected {_VERSION}")
        for name, block in self._blocks.items():
            for key, value in block.state().items():
                value[...] = arrays[f"state/{name}/{key}"]


class _Block:
    """The accumulators of one block."""

    def __init__(
        self,
        name: str,
        like: np.ndarray[Any, Any],
        form: FormName,
        rank: int,
        interval: int,
        batch_size: int,
        rng: np.random.Generator,
    ) -> None:
        if like.dtype not in FLOATS or like.size == 0:
            raise TypeError(
                f"block {name!r} must be float32 or float64 and not empty, got {like.dtype} of shape {like.shape}"
            )
        self._name, self._shape, self._dtype = name, like.shape, like.dtype
        self._interval, self._batch_size = interval, batch_size
        self._form: Form = make_form(form, matrix_shape(like.shape), rank, rng, like.dtype.type)
        self._core = self._form.core
        self._previous: FloatArray = np.zeros(like.shape, like.dtype)
        self._difference: FloatArray = np.zeros(like.shape, like.dtype)
        self._work: FloatArray = np.zeros(self._core.workspace, like.dtype)
        self._sum: FloatArray = np.zeros(self._core.entries, like.dtype)
        self._trace = np.zeros(())
        self._counts = np.zeros(2, dtype=np.int64)  # gradients, differences
        # Twice the largest entry, squared and summed over the block, must fit.
        self._limit = float(np.sqrt(np.finfo(like.dtype).max / (8.0 * batch_size * like.size)))

    def check(self, G: Any, what: str) -> FloatArray:
        """Return the gradient as the core takes it, or raise."""
        given = np.asarray(G)
        if given.dtype != self._dtype:
            raise TypeError(f"{what} must have dtype {self._dtype}, got {given.dtype}")
        if given.shape != self._shape:
            raise ValueError(f"{what} must have shape {self._shape}, got {given.shape}")
        gradient: FloatArray = np.require(given, requirements=["C", "A"])
        largest = self._core.largest(gradient)
        if not largest <= self._limit:
            raise ValueError(
                f"{what} must be finite and at most {self._limit:.1e} in magnitude, got {largest}"
            )
        return gradient

    def update(self, gradient: FloatArray, second: FloatArray | None, beta: float) -> None:
        """Take in a gradient; its partner is the one before where there is no `second`."""
        self._counts[0] += 1
        number = int(self._counts[0])
        if number % self._interval == 0 and (number > 1 or second is not None):
            self._counts[1] += 1
            updates = int(self._counts[1])
            weight = 1 / updates if beta == 1 else (1 - beta) / (1 - beta**updates)
            other = self._previous if second is None else second
            squared = self._core.add_difference(
                1 - weight,
                weight * self._batch_size / 2,
                gradient,
                other,
                self._form.test,
                self._difference,
                self._work,
                self._sum,
            )
            self._trace[...] = (1 - weight) * self._trace + weight * self._batch_size / 2 * squared
        if (number + 1) % self._interval == 0:
            np.copyto(self._previous, gradient)

    def estimate(self) -> CovarianceEstimate:
        """Return what there is."""
        if self._counts[1] == 0:
            raise ValueError(f"block {self._name!r} has seen no difference of gradients yet")
        trace = float(self._trace)
        return CovarianceEstimate(
            covariance=self._form.matrix(self._sum, trace),
            side=self._form.side,
            eigenvalues=self._form.eigenvalues(self._sum, np.asarray(trace)),
            deleted_eigenvalues=np.zeros((0, self._form.order)),
        )

    def state(self) -> dict[str, np.ndarray[Any, Any]]:
        """Return the live arrays of the state."""
        return {
            "previous": self._previous,
            "sum": self._sum,
            "trace": self._trace,
            "counts": self._counts,
            "test": self._form.test,
        }
