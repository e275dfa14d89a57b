"""What the benchmarks compare results with must itself be more accurate than the results."""

from __future__ import annotations

import math

import mpmath
import numpy as np
import pytest
from benchmarks import reference
from benchmarks.matrices import Array, conjugate, gaussian, matrix

EPS = 2.0**-52


def exact_oracle(G: Array, p: float) -> Array:
    """Return U f(s) V' and no rounding to speak of: fifty digits."""
    with mpmath.workdps(50):
        U, s, V = mpmath.svd_r(mpmath.matrix(G.tolist()))
        q = conjugate(p)
        norm = sum(x**q for x in s) ** (mpmath.mpf(1) / q)
        f = mpmath.diag([(x / norm) ** (q - 1) for x in s])
        return np.array((U * f * V).tolist(), dtype=np.longdouble)


@pytest.mark.parametrize("p", [1.5, 4.0, math.inf])
@pytest.mark.parametrize("shape", [(7, 7), (5, 9)])
def test_refinement_gains_what_gesdd_loses(shape: tuple[int, int], p: float) -> None:
    """At kappa = 1e6 an SVD in float64 is off by up to about kappa eps.

    The neglected terms are (kappa eps)^2 = 5e-20. What remains is the rounding of four products in extended precision,
    magnified by kappa at most. Where that has 11 bits more, the same magnification meets an error 2000 times smaller;
    40 of these are left for chance.
    """
    G = matrix("geometric 1e6", shape, "float64")
    parts, exact = reference.decompose(G), exact_oracle(G, p)
    bound = 16e6 * float(np.finfo(np.longdouble).eps) + EPS  # the comparison itself rounds to float64
    error = reference.errors(reference.oracle(parts, p, "float64")[0], exact)[1]
    assert error <= bound
    if math.isinf(p) and np.finfo(np.longdouble).eps < EPS:
        U, _, Vt = np.linalg.svd(G, full_matrices=False)
        assert 50 * error <= reference.errors(U @ Vt, exact)[1]


def test_float32_input_needs_no_refinement() -> None:
    """The float64 SVD of float32 input is exact to kappa eps64, beyond what float32 results can show."""
    G = matrix("gauss", (6, 8), "float32")
    parts = reference.decompose(G)
    assert parts.E is None
    D, dual = reference.oracle(parts, 4.0, "float32")
    assert reference.errors(D, exact_oracle(G.astype(float), 4.0))[1] <= 1e3 * EPS
    assert dual == pytest.approx((G * D).sum(), rel=1e3 * EPS)


def test_cutoff_makes_a_partial_isometry() -> None:
    """At p = inf the exact matrix of rank m/2 has as many singular values of one; the squared norm counts them."""
    for dtype in ("float32", "float64"):
        G = matrix("rank m/2 exact", (8, 12), dtype)
        D, _ = reference.oracle(reference.decompose(G), math.inf, dtype)
        assert float((D**2).sum()) == pytest.approx(4.0, abs=1e3 * EPS)


def test_near_cutoff() -> None:
    """A singular value within a factor 10 of the cutoff is outside the promises where there is a cutoff: q < 2."""
    s = np.array([1.0, 5e-6])
    assert reference.near_cutoff(s, 4.0, 1e-6)
    assert not reference.near_cutoff(s, 1.5, 1e-6)
    assert not reference.near_cutoff(s, 4.0, 1e-7)


def test_errors_of_what_is_not_finite() -> None:
    """A result with NaN is infinitely wrong, not silently left out."""
    assert reference.errors(np.full((2, 2), np.nan), np.eye(2)) == (math.inf, math.inf)


def test_inputs_do_not_depend_on_their_number() -> None:
    """Accuracy is taken on the first matrix: it must be the same whether a side is given one or many."""
    assert np.array_equal(gaussian((3, 4), "float32", 1)[0], gaussian((3, 4), "float32", 5)[0])
    assert not np.array_equal(gaussian((3, 4), "float32")[0], gaussian((4, 3), "float32")[0].T)
