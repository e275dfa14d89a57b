"""Least squares of bilinear measurements, with spectra that follow power laws."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .._edge.arguments import checked
from .._edge.arrays import FloatArray
from .._edge.values import FINITE, NON_NEGATIVE, check_count
from ..linalg.matrices import matrix, power, semidefinite
from .problem import Blocks, Params, Problem, Rng, product_constant, random_rotation, store


@dataclass(frozen=True, eq=False, repr=False)
class MatrixLeastSquares(Problem):
    r"""Least squares of bilinear measurements: a matrix is learned from single numbers.

    With independent inputs :math:`a \sim N(0, A)`, :math:`b \sim N(0, B)`, labels
    :math:`y = a^\top W^* b + s\,\varepsilon`, :math:`\varepsilon \sim N(0, 1)`, and :math:`\Delta = W - W^*`,

    .. math:: f(W) = \tfrac12\,\mathbb{E}\,(a^\top W b - y)^2
              = \tfrac12\operatorname{tr}(\Delta^\top A\,\Delta\,B) + \tfrac12 s^2, \qquad
              \nabla f(W) = A\Delta B, \qquad \nabla^2 f(W)[D] = ADB.

    A sample's gradient is :math:`(a^\top\Delta b - s\varepsilon)\,ab^\top`; samples are drawn anew for every batch. One
    block ``"W"``. The start is zero, the infimum :math:`s^2/2`.

    Parameters
    ----------
    A, B : ndarray, shapes (m, m) and (n, n)
        Covariances of the inputs of the two sides.
    target : ndarray, shape (m, n)
        W*.
    label_noise : float
        s. Default 0.

    Raises
    ------
    ValueError
        For shapes that do not fit, covariances that are not positive semi-definite, or a negative label noise.

    Notes
    -----
    Source: the matrix-valued least squares of Paquette et al., *Phases of Muon: when Muon eclipses SignSGD*
    (arXiv 2605.09552). There the exponents of a power law decide which of Muon and signSGD is faster: see `power_law`.

    Examples
    --------
    >>> problem = st.problems.MatrixLeastSquares.power_law(8, 8, rng=0)
    >>> params = problem.start()
    >>> G = problem.stochastic_gradient(params, batch=64, rng=1)
    >>> G["W"].shape
    (8, 8)
    """

    A: FloatArray
    B: FloatArray
    target: FloatArray
    label_noise: float = 0.0

    def __post_init__(self) -> None:
        target = matrix(self.target, "target")
        A, B = (
            semidefinite(x, n, name)
            for x, n, name in zip((self.A, self.B), target.shape, ("A", "B"), strict=True)
        )
        store(self, target=target, A=A, B=B)
        NON_NEGATIVE.check("label_noise", self.label_noise)

    @classmethod
    @checked
    def power_law(
        cls,
        rows: int,
        columns: int,
        *,
        data_exponent: float = 1.0,
        target_exponent: float = 1.0,
        label_noise: float = 0.0,
        rotate: bool = True,
        rng: Rng = None,
    ) -> MatrixLeastSquares:
        r"""Return the problem whose covariances and target have spectra that follow power laws.

        :math:`A = U\,\mathrm{diag}(i^{-\alpha})\,U^\top`, :math:`B = V\,\mathrm{diag}(j^{-\alpha})\,V^\top`,
        :math:`W^* = U\,\mathrm{diag}(i^{-\beta})\,V^\top`.

        Parameters
        ----------
        rows, columns : int
        data_exponent, target_exponent : float
            :math:`\alpha` and :math:`\beta`.
        label_noise : float
        rotate : bool
            Random U and V. Else they are the identity: the problem is diagonal, and there signSGD is Muon.
        rng : int, Generator or None

        Returns
        -------
        MatrixLeastSquares

        Notes
        -----
        The exponents have the roles of the paper's; that they stand for eigenvalues and for singular values of an
        aligned target is this module's normalisation.
        """
        for name, count in (("rows", rows), ("columns", columns)):
            check_count(name, count, least=1)
        FINITE.check("data_exponent", data_exponent)
        FINITE.check("target_exponent", target_exponent)
        generator = np.random.default_rng(rng)
        U, V = (random_rotation(n, generator) if rotate else np.eye(n) for n in (rows, columns))
        i, j = np.arange(1.0, rows + 1), np.arange(1.0, columns + 1)
        k = min(rows, columns)
        target = U[:, :k] * i[:k] ** -target_exponent @ V[:, :k].T
        return cls(U * i**-data_exponent @ U.T, V * j**-data_exponent @ V.T, target, label_noise)

    @property
    def lower_bound(self) -> float:
        """The infimum: half of the squared label noise."""
        return self.label_noise**2 / 2

    def start(self) -> Blocks:
        """Return W = 0."""
        return {"W": np.zeros_like(self.target)}

    def loss(self, params: Params) -> float:
        """Return tr((W - W*)' A (W - W*) B) / 2 plus half of the squared label noise."""
        distance = params["W"] - self.target
        return float((distance * (self.A @ distance @ self.B)).sum()) / 2 + self.lower_bound

    def gradient(self, params: Params) -> Blocks:
        """Return A (W - W*) B."""
        return {"W": self.A @ (params["W"] - self.target) @ self.B}

    def hvp(self, params: Params, direction: Params) -> Blocks:
        """Return A D B."""
        return {"W": self.A @ direction["W"] @ self.B}

    def stochastic_gradient(self, params: Params, batch: int, rng: Rng = None) -> Blocks:
        """Return the mean gradient of fresh samples.

        Parameters
        ----------
        params : mapping of str to ndarray
        batch : int
        rng : int, Generator or None

        Returns
        -------
        dict of str to ndarray
        """
        check_count("batch", batch, least=1)
        generator = np.random.default_rng(rng)
        a, b = (generator.standard_normal((batch, len(C))) @ power(C, 0.5) for C in (self.A, self.B))
        errors = ((a @ (params["W"] - self.target)) * b).sum(1)
        errors = errors - self.label_noise * generator.standard_normal(batch)
        return {"W": (errors[:, None] * a).T @ b / batch}

    def noise_covariance(self, params: Params) -> Blocks:
        r"""Return the second moment of one sample's noise, on the smaller side, by Isserlis' theorem.

        With :math:`C = \operatorname{tr}(B)\,B + 2B^2 = \mathbb{E}[|b|^2\,bb^\top]`,
        :math:`\mathbb{E}[GG^\top] = \operatorname{tr}(\Delta C\Delta^\top A)\,A + 2A\Delta C\Delta^\top A
        + s^2\operatorname{tr}(B)\,A`.

        Parameters
        ----------
        params : mapping of str to ndarray

        Returns
        -------
        dict of str to ndarray
            A symmetric matrix of order min(m, n).
        """
        A, B, distance = self.A, self.B, params["W"] - self.target
        if len(A) > len(B):
            A, B, distance = B, A, distance.T
        C = np.trace(B) * B + 2 * B @ B
        moved = A @ distance @ C @ distance.T @ A
        total = np.trace(distance @ C @ distance.T @ A) + self.label_noise**2 * np.trace(B)
        G = A @ distance @ B
        return {"W": total * A + 2 * moved - G @ G.T}

    def lipschitz(self, p: float) -> float:
        r"""Return the Lipschitz constant of the gradient from :math:`S_p` to :math:`S_q`, which is exact.

        The :math:`\ell_a` norm of the products of the i-th largest eigenvalues of A and B, 1/a = 1/q - 1/p.

        Parameters
        ----------
        p : float
            In [1, inf].

        Returns
        -------
        float
        """
        return product_constant(np.linalg.eigvalsh(self.A), np.linalg.eigvalsh(self.B), p)
