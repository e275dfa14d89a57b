"""Matrix quadratics with a chosen spectrum."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .._edge.arguments import checked
from .._edge.arrays import FloatArray
from .._edge.values import check_count
from ..linalg.matrices import matrix, semidefinite
from .problem import Blocks, Params, Problem, Rng, product_constant, random_rotation, store


@dataclass(frozen=True, eq=False, repr=False)
class MatrixQuadratic(Problem):
    r"""A quadratic form of the distance from a target, with one curvature matrix for all columns.

    .. math:: f(W) = \operatorname{tr}\bigl((W - W^*)^\top Q\,(W - W^*)\bigr), \qquad
              \nabla f(W) = 2Q(W - W^*), \qquad \nabla^2 f(W)[D] = 2QD.

    One block ``"W"``. The start is zero, the infimum 0. There is no noise; see `WithNoise`.

    Parameters
    ----------
    Q : ndarray, shape (m, m)
        Symmetric positive semi-definite.
    target : ndarray, shape (m, n)
        The minimiser W*.

    Raises
    ------
    ValueError
        For shapes that do not fit, or a Q that is not positive semi-definite.

    Notes
    -----
    Source: the first experiment of Shen et al., *On the convergence analysis of Muon* (arXiv 2505.23737).

    Examples
    --------
    >>> problem = st.problems.MatrixQuadratic.random(np.geomspace(1, 0.1, 6), columns=4, rng=0)
    >>> params = problem.start()
    >>> opt = st.SGD(params, lr=1 / problem.lipschitz(2))
    >>> for _ in range(100):
    ...     opt.step(problem.gradient(params))
    >>> problem.loss(params) < 1e-8
    True
    """

    Q: FloatArray
    target: FloatArray

    def __post_init__(self) -> None:
        target = matrix(self.target, "target")
        store(self, target=target, Q=semidefinite(self.Q, len(target), "Q"))

    @classmethod
    @checked
    def random(cls, spectrum: npt.ArrayLike, columns: int, rng: Rng = None) -> MatrixQuadratic:
        """Return the problem with chosen eigenvalues of Q, random eigenvectors and a Gaussian target.

        Parameters
        ----------
        spectrum : array_like, shape (m,)
            Eigenvalues of Q, not negative.
        columns : int
        rng : int, Generator or None

        Returns
        -------
        MatrixQuadratic
        """
        check_count("columns", columns, least=1)
        eigenvalues = np.asarray(spectrum, dtype=np.float64)
        generator = np.random.default_rng(rng)
        target = generator.standard_normal((len(eigenvalues), columns))
        rotation = random_rotation(len(eigenvalues), generator)
        return cls(rotation * eigenvalues @ rotation.T, target)

    def start(self) -> Blocks:
        """Return W = 0."""
        return {"W": np.zeros_like(self.target)}

    def loss(self, params: Params) -> float:
        """Return tr((W - W*)' Q (W - W*))."""
        distance = params["W"] - self.target
        return float((distance * (self.Q @ distance)).sum())

    def gradient(self, params: Params) -> Blocks:
        """Return 2 Q (W - W*)."""
        return {"W": 2 * (self.Q @ (params["W"] - self.target))}

    def hvp(self, params: Params, direction: Params) -> Blocks:
        """Return 2 Q D."""
        return {"W": 2 * (self.Q @ direction["W"])}

    def lipschitz(self, p: float) -> float:
        r"""Return the Lipschitz constant of the gradient from :math:`S_p` to :math:`S_q`, which is exact.

        :math:`L = 2\,\|(\lambda_1, \dots, \lambda_{\min(m,n)})\|_{\ell_a}` with the largest eigenvalues of Q and
        1/a = 1/q - 1/p: 2 lambda_1 for p <= 2, twice their sum at p = inf.

        Parameters
        ----------
        p : float
            In [1, inf].

        Returns
        -------
        float
        """
        return 2 * product_constant(np.linalg.eigvalsh(self.Q), np.ones(self.target.shape[1]), p)
