"""Matrix completion by two factors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .._edge.arguments import checked
from .._edge.arrays import FloatArray
from .._edge.values import FRACTION, POSITIVE, check_count
from ..linalg.matrices import matrix
from .problem import ALL, Blocks, Chosen, Pairs, Params, Rng, SampledProblem, store


@dataclass(frozen=True, eq=False, repr=False)
class MatrixCompletion(SampledProblem):
    r"""Squared error of a product of two factors on the entries of a matrix that are seen.

    .. math:: f(U, V) = \tfrac12\sum_{(i,j)\in\Omega}\bigl((UV)_{ij} - M_{ij}\bigr)^2, \qquad
              \nabla_U f = E V^\top, \quad \nabla_V f = U^\top E,

    with the errors E, zero where nothing is seen. A sample is a seen entry; its loss counts :math:`|\Omega|`-fold, so
    that the mean over samples is f. Blocks ``"U"`` and ``"V"``. 0 is a lower bound, and the infimum where the matrix
    has the rank of the factors.

    Parameters
    ----------
    observed : ndarray, shape (m, n)
        The matrix M; what is not seen does not matter.
    seen : ndarray of bool, shape (m, n)
        The mask of the seen entries.
    U, V : ndarray, shapes (m, k) and (k, n)
        The starting point. Zero factors are a saddle point.

    Raises
    ------
    ValueError
        For shapes that do not fit, or when nothing is seen.

    Examples
    --------
    >>> problem = st.problems.MatrixCompletion.random((12, 10), rank=3, rng=1)
    >>> params = problem.start()
    >>> opt = st.Schattor(params, p=4, rule="regularization", lr=0.01, momentum=0)
    >>> before = problem.loss(params)
    >>> for _ in range(100):
    ...     opt.step(problem.gradient(params))
    >>> problem.loss(params) < 0.1 * before
    True
    """

    observed: FloatArray
    seen: npt.NDArray[np.bool_]
    U: FloatArray
    V: FloatArray

    def __post_init__(self) -> None:
        M, U, V = (matrix(x, name) for x, name in ((self.observed, "observed"), (self.U, "U"), (self.V, "V")))
        seen = np.asarray(self.seen, dtype=bool)
        if seen.shape != M.shape or not seen.any():
            raise ValueError(
                f"seen must be a mask of shape {M.shape} with a seen entry, got shape {seen.shape}"
            )
        if (len(U), V.shape[1]) != M.shape or U.shape[1] != len(V):
            raise ValueError(f"U and V must have a product of shape {M.shape}, got {U.shape} and {V.shape}")
        store(self, observed=M, seen=seen, U=U, V=V)

    @classmethod
    @checked
    def random(
        cls,
        shape: tuple[int, int],
        rank: int,
        *,
        fraction: float = 0.5,
        scale: float = 0.3,
        rng: Rng = None,
    ) -> MatrixCompletion:
        """Return the problem for a product of Gaussian factors, entries seen independently.

        Parameters
        ----------
        shape : tuple of int
        rank : int
            Of the matrix and of the factors.
        fraction : float
            Probability with which an entry is seen.
        scale : float
            Standard deviation of the starting point.
        rng : int, Generator or None

        Returns
        -------
        MatrixCompletion
        """
        for name, count in (("rows", shape[0]), ("columns", shape[1]), ("rank", rank)):
            check_count(name, count, least=1)
        POSITIVE.check("scale", scale)
        FRACTION.check("fraction", fraction)
        generator = np.random.default_rng(rng)
        m, n = shape
        M = generator.standard_normal((m, rank)) @ generator.standard_normal((rank, n))
        seen = generator.random((m, n)) < fraction
        U, V = (scale * generator.standard_normal(size) for size in ((m, rank), (rank, n)))
        return cls(M, seen, U, V)

    @property
    def frequencies(self) -> FloatArray:
        """The weight of each seen entry: all equal."""
        count = int(np.count_nonzero(self.seen))
        return np.full(count, 1 / count)

    def start(self) -> Blocks:
        """Return copies of the given factors."""
        return {"U": self.U.copy(), "V": self.V.copy()}

    def errors(self, params: Params) -> FloatArray:
        """Return UV - M where it is seen, else zero.

        Parameters
        ----------
        params : mapping of str to ndarray

        Returns
        -------
        ndarray, shape (m, n)
        """
        return np.where(self.seen, params["U"] @ params["V"] - self.observed, 0)

    def loss(self, params: Params) -> float:
        """Return half of the sum of the squared errors."""
        return float((self.errors(params) ** 2).sum()) / 2

    def gradient(self, params: Params) -> Blocks:
        """Return E V' and U' E."""
        E = self.errors(params)
        return {"U": E @ params["V"].T, "V": params["U"].T @ E}

    def hvp(self, params: Params, direction: Params) -> Blocks:
        """Return F V' + E D_V' and U' F + D_U' E, F being the derivative of the errors."""
        E, U, V = self.errors(params), params["U"], params["V"]
        F = np.where(self.seen, direction["U"] @ V + U @ direction["V"], 0)
        return {"U": F @ V.T + E @ direction["V"].T, "V": U.T @ F + direction["U"].T @ E}

    def factors(self, params: Params, chosen: Chosen = ALL) -> Pairs:
        """Return u and v of each seen entry's gradient; see `SampledProblem.factors`.

        Parameters
        ----------
        params : mapping of str to ndarray
        chosen : array of int, optional

        Returns
        -------
        dict of str to tuple of ndarray
        """
        i, j = (axis[chosen] for axis in np.nonzero(self.seen))
        errors = len(self.frequencies) * self.errors(params)[i, j][:, None]
        left, right = params["U"][i], params["V"].T[j]
        rows, columns = np.eye(len(params["U"]))[i], np.eye(len(params["V"].T))[j]
        return {"U": (errors * rows, right), "V": (left, errors * columns)}
