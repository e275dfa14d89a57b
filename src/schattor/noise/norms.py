"""Norms of the square root of a covariance, and the variance proxy of many blocks."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from .._edge.arguments import checked
from .._edge.arrays import FloatArray
from ..linalg.exponents import conjugate
from ..parts.geometries import Schatten
from ..parts.mixed_norm import MixedNorm
from ..theory.noise import check_range
from .covariance import CovarianceEstimate, root_norm
from .jackknife import Estimate, jackknife


@checked
def proxy(
    estimates: CovarianceEstimate | Mapping[str, CovarianceEstimate], norm: float | MixedNorm
) -> Estimate:
    r"""Return the estimated variance proxy of the theorems.

    .. math:: \sigma = \|V\|_q \quad\text{or}\quad
              \sigma = \bigl\|(\|V_i\|_{q_i}/w_i)_i\bigr\|_{\ell_s} .

    The jackknife leaves a batch out of all blocks at once, so that blocks may depend on each other, as those of one
    batch do.

    Parameters
    ----------
    estimates : CovarianceEstimate, or mapping of str to CovarianceEstimate
        Of one block, or of the blocks of a mixed norm from the same batches.
    norm : float or MixedNorm
        The exponent p of one block, or the norm of many.

    Returns
    -------
    Estimate

    Raises
    ------
    ValueError
        For exponents below 2, where the theorems' bounds fail, or blocks from different numbers of batches.
    TypeError, KeyError
        For estimates that do not belong to the norm.

    Notes
    -----
    arXiv 2606.15702, Assumptions 1(c) and 2(c). `schattor.theory.variance_proxy` is the same of a known covariance.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> estimates = {
    ...     "W": st.noise.covariance(rng.standard_normal((64, 3, 4))),
    ...     "b": st.noise.covariance(rng.standard_normal((64, 3))),
    ... }
    >>> norm = st.MixedNorm({"W": st.Spectral(), "b": st.Schatten(2)}, outer=2)
    >>> sigma = st.noise.proxy(estimates, norm)
    >>> bool(abs(sigma.value - np.sqrt(6**2 + 3)) < 3 * sigma.standard_error)
    True
    """
    check_range(norm)
    if isinstance(norm, MixedNorm) != isinstance(estimates, Mapping):
        raise TypeError("a mixed norm goes with a mapping of estimates, and one exponent with one estimate")
    if not isinstance(norm, MixedNorm):
        assert isinstance(estimates, CovarianceEstimate)
        return estimates.sigma(conjugate(norm))
    assert isinstance(estimates, Mapping)
    norm._check_names(estimates, "estimates")
    counts = {name: len(estimate.deleted_eigenvalues) for name, estimate in estimates.items()}
    if len(set(counts.values())) > 1:
        raise ValueError(
            f"the blocks' estimates must come from the same batches, got numbers of them {counts}"
        )
    value = mixed(norm, {name: e.eigenvalues for name, e in estimates.items()})
    return jackknife(
        float(value), mixed(norm, {name: e.deleted_eigenvalues for name, e in estimates.items()})
    )


def mixed(norm: MixedNorm, squares: Mapping[str, FloatArray]) -> FloatArray:
    """Return the dual mixed norm from the squared singular values of the blocks, along the last axis."""
    shares = []
    for name, weight in zip(norm.names, norm._constant_weights(), strict=True):
        geometry = norm.geometries[name]
        assert isinstance(geometry, Schatten) and not callable(geometry.p)
        shares.append(root_norm(squares[name], conjugate(geometry.p)) / weight)
    return root_norm(np.stack(shares, axis=-1) ** 2, conjugate(norm.outer))
