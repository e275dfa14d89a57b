"""Newton-Schulz: the coefficient table, the scalar fixtures, the literal loop, symmetries, range and errors."""

from __future__ import annotations

import math
from typing import Any

import hypothesis.strategies as hst
import numpy as np
import pytest
from hypothesis import given
from reference import checks, matrices, newton_schulz, oracles

import schattor as st

SETS = st.linalg.coefficient_sets()
CONVERGENT = [name for name, entry in SETS.items() if entry.convergent]
EPS = {np.float32: float(np.finfo(np.float32).eps), np.float64: float(np.finfo(np.float64).eps)}
# Registered name -> published list. The names are public.
PUBLISHED_AS = {
    "cubic": "cubic",
    "quintic": "quintic",
    "simple_quintic": "simple_quintic",
    "muon": "muon",
    "polar_express": "polar_express_safe_8",
    "polar_express_raw": "polar_express_raw_8",
    "polar_express_dion": "polar_express_dion",
    "you_jiacheng_5": "you_5",
    "you_jiacheng_6": "you_6",
    "deepseek_v4": "deepseek",
    "cans": "cans_5",
    "cubic_5": "cubic_5",
}
# Steps after which a convergent set has mapped [1e-2, 1] to one within 1e-6.
ENOUGH = 16


def coefficients(name: str, steps: int) -> newton_schulz.Steps:
    """The first `steps` triples of a registered set, its last one repeated where the set says so."""
    entry = SETS[name]
    return tuple(entry.steps[min(t, len(entry.steps) - 1)] for t in range(steps))


def step_counts(name: str) -> list[int]:
    """Numbers of steps that a set allows."""
    listed = len(SETS[name].steps)
    return [1, 3, 5, 8] if SETS[name].repeats_last else sorted({1, (listed + 1) // 2, listed})


def with_singular_value(s: float, dtype: type = np.float64) -> np.ndarray:
    """Matrix of Frobenius norm one that has the singular value s in its first corner."""
    return np.array([[s, 0.0, 0.0], [0.0, 0.0, math.sqrt(1 - s * s)]], dtype=dtype)


def normalised(s: np.ndarray | float, name: str) -> np.ndarray:
    """Singular values after the first division, for a matrix of Frobenius norm one."""
    return np.asarray(s) / SETS[name].norm_factor


def test_table() -> None:
    """The documented names exist; every entry knows its name, its source and its own number of steps."""
    assert set(SETS) == set(PUBLISHED_AS)
    for name, entry in SETS.items():
        assert entry.name == name
        assert entry.source
        assert all(len(step) == 3 for step in entry.steps)
        assert entry.default_steps >= 1
        assert entry.repeats_last or entry.default_steps == len(entry.steps)


@pytest.mark.parametrize("name", SETS)
def test_every_set_is_a_published_list(name: str) -> None:
    """The triples and the factor before the norm are those of the published list."""
    entry = SETS[name]
    published = newton_schulz.PUBLISHED[PUBLISHED_AS[name]]
    np.testing.assert_allclose(coefficients(name, len(published)), published, rtol=1e-15, atol=0)
    assert entry.repeats_last or len(entry.steps) == len(published)
    assert entry.norm_factor == newton_schulz.NORM_FACTOR.get(PUBLISHED_AS[name], 1.0)


@pytest.mark.parametrize("name", SETS)
def test_no_set_flips_a_sign(name: str) -> None:
    """The composite polynomial is positive on (0, 1]: the answer never points uphill, whatever the spectrum."""
    s = np.concatenate([np.geomspace(1e-8, 1e-2, 400), np.linspace(1e-2, 1, 2000)])
    for steps in step_counts(name):
        assert (newton_schulz.composite(s, coefficients(name, steps)) > 0).all()


@pytest.mark.parametrize("name", SETS)
def test_convergent_flag(name: str) -> None:
    """`convergent` means: more steps bring every singular value to one, and the default number never exceeds one."""
    s = normalised(np.concatenate([np.geomspace(1e-12, 1e-2, 2000), np.linspace(1e-2, 1, 2000)]), name)
    limit = newton_schulz.composite(s[2000:], coefficients(name, 40))
    assert SETS[name].convergent == (name in {"cubic", "quintic", "polar_express", "polar_express_raw"})
    if SETS[name].convergent:
        assert SETS[name].repeats_last
        assert np.abs(limit - 1).max() < 1e-12
        for steps in range(SETS[name].default_steps, 2 * SETS[name].default_steps):
            assert newton_schulz.composite(s, coefficients(name, steps)).max() <= 1 + 1e-12


def before_division(name: str, s: float) -> float:
    """Return the singular value that stands at `s` after the division by the norm factor."""
    return s * newton_schulz.NORM_FACTOR.get(PUBLISHED_AS[name], 1.0)


# A set that divides by more than the Frobenius norm has no matrix with a singular value of one after it.
@pytest.mark.parametrize(
    ("name", "index"),
    [
        (name, index)
        for name, published in PUBLISHED_AS.items()
        if published in newton_schulz.FIXTURES
        for index, s in enumerate(newton_schulz.FIXTURE_POINTS)
        if before_division(name, s) <= 1
    ],
)
def test_scalar_fixtures(name: str, index: int) -> None:
    """A singular value comes back as the tabulated value of the composite polynomial."""
    published = PUBLISHED_AS[name]
    s, expected = newton_schulz.FIXTURE_POINTS[index], newton_schulz.FIXTURES[published][index]
    A = with_singular_value(before_division(name, s))
    Y = st.linalg.newton_schulz(A, name, len(newton_schulz.PUBLISHED[published]))
    assert Y[0, 0] == pytest.approx(expected, abs=5.01e-6)


@pytest.mark.parametrize("s", [1e-4, 1e-3, 1e-2, 0.1, 0.5, 0.9, 1.0])
@pytest.mark.parametrize("name", SETS)
def test_composite_polynomial(name: str, s: float) -> None:
    """Singular values of diagonal matrices go through the composition of the set's polynomials."""
    for steps in step_counts(name):
        A = with_singular_value(s)
        before, triples = normalised([A[0, 0], A[1, 2]], name), coefficients(name, steps)
        expected = newton_schulz.composite(before, triples).astype(float)
        Y = st.linalg.newton_schulz(A, name, steps)
        tolerance = newton_schulz.rounding_bound(before, triples, EPS[np.float64])
        np.testing.assert_allclose([Y[0, 0], Y[1, 2]], expected, rtol=0, atol=tolerance)
        assert not Y[[0, 0, 1, 1], [1, 2, 0, 1]].any()


@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize(
    "shape", [(1, 1), (1, 6), (6, 1), (5, 5), (8, 5), (5, 8), (40, 24), (64, 100)], ids=str
)
@pytest.mark.parametrize("kind", ["gaussian", "moderate", "integer_deficient", "orthogonal", "rank_one"])
def test_equals_the_literal_loop(kind: str, shape: tuple[int, int], name: str) -> None:
    """The loop X <- aX + (bXX' + c(XX')^2)X from A over its norm: to rounding in float64, to 1e-5 in float32.

    The first steps of a list alone amplify rounding, hence float32 is compared after the whole list. Two orders of
    the same operations differ by at most the rounding bound of the scalar iteration, times the dimension of the sums.
    """
    A = matrices.make(kind, *shape, np.float64)
    sigma = normalised(np.linalg.svd(A / np.linalg.norm(A), compute_uv=False), name)
    factor = SETS[name].norm_factor
    for steps in step_counts(name):
        triples = coefficients(name, steps)
        bound = math.sqrt(max(shape)) * newton_schulz.rounding_bound(sigma, triples, EPS[np.float64])
        expected = newton_schulz.newton_schulz(A, triples, factor)
        np.testing.assert_allclose(st.linalg.newton_schulz(A, name, steps), expected, rtol=0, atol=bound)
    single = A.astype(np.float32)
    expected = newton_schulz.newton_schulz(single, triples, factor)
    bound = max(1e-5, math.sqrt(max(shape)) * newton_schulz.rounding_bound(sigma, triples, EPS[np.float32]))
    if name in {"muon", "polar_express", "quintic", "cubic"} and kind in {
        "gaussian",
        "moderate",
        "orthogonal",
    }:
        bound = 1e-5
    np.testing.assert_allclose(st.linalg.newton_schulz(single, name, steps), expected, rtol=0, atol=bound)


@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize("shape", [(64, 80), (64, 300), (300, 70), (96, 96), (128, 512)], ids=str)
@pytest.mark.parametrize(
    "kind", ["gaussian", "moderate", "ill_conditioned", "integer_deficient", "orthogonal"]
)
def test_large_blocks_equal_the_literal_loop(kind: str, shape: tuple[int, int], name: str) -> None:
    """Blocks of 64 and more rows iterate on Gram matrices if they are wide: the literal loop in float64 within bounds.

    Within four times the bound of the loop's own rounding (the error of deferred steps is a few times that of the
    loop in the spectral norm); Muon's set within 1e-5 whatever the input.
    """
    A = matrices.make(kind, *shape, np.float32)
    steps = step_counts(name)[-1] if not SETS[name].repeats_last else SETS[name].default_steps
    triples = coefficients(name, steps)
    expected = newton_schulz.newton_schulz(A.astype(np.float64), triples, SETS[name].norm_factor)
    sigma = normalised(np.linalg.svd(A.astype(float) / np.linalg.norm(A), compute_uv=False), name)
    for dtype in (np.float32, np.float64):
        bound = 4 * newton_schulz.rounding_bound(sigma, triples, EPS[dtype])
        if name == "muon" and dtype == np.float32:
            bound = 1e-5
        X, info = st.linalg.newton_schulz(A.astype(dtype), name, steps, return_info=True)
        np.testing.assert_allclose(X, expected, rtol=0, atol=bound)
        Y = X.astype(np.float64) if shape[0] <= shape[1] else X.astype(np.float64).T
        residual = float(np.linalg.norm(np.eye(min(shape)) - Y @ Y.T)) / math.sqrt(min(shape))
        assert info.residual == pytest.approx(residual, rel=1e-3, abs=100 * EPS[dtype])


@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize("shape", [(6, 9), (9, 6), (7, 7)], ids=str)
def test_singular_vectors_stay(shape: tuple[int, int], name: str) -> None:
    """U' Y V is diagonal and carries the composite of the normalised singular values."""
    rng = np.random.default_rng(shape)
    U, sigma, Vt = matrices.planted_factors(*shape, matrices.geometric_spectrum(min(shape), 20.0), rng)
    steps = step_counts(name)[-1]
    core = U.T @ st.linalg.newton_schulz((U * sigma) @ Vt, name, steps) @ Vt.T
    expected = newton_schulz.composite(
        normalised(sigma / np.linalg.norm(sigma), name), coefficients(name, steps)
    ).astype(float)
    np.testing.assert_allclose(core, np.diag(expected), rtol=0, atol=1e-10)


@given(hst.sampled_from(list(SETS)), hst.integers(1, 10), hst.integers(1, 10), hst.integers(0, 2**32 - 1))
def test_transposition_and_sign(name: str, m: int, n: int, seed: int) -> None:
    """NS(A') = NS(A)' and NS(-A) = -NS(A)."""
    A = matrices.planted(
        m, n, matrices.geometric_spectrum(min(m, n), 10.0), np.float64, np.random.default_rng(seed)
    )
    Y = st.linalg.newton_schulz(A, name, 5 if SETS[name].repeats_last else None)
    for other, expected in ((A.T, Y.T), (-A, -Y)):
        actual = st.linalg.newton_schulz(other, name, 5 if SETS[name].repeats_last else None)
        np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-10)


@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_scale_invariance(name: str, dtype: type) -> None:
    """NS(cA) = NS(A) from the smallest normal numbers to the largest: no epsilon decides."""
    A = matrices.make("moderate", 7, 5, dtype)
    steps = step_counts(name)[-1]
    expected = st.linalg.newton_schulz(A, name, steps)
    tolerance = 1e-5 if dtype == np.float32 else 1e-10
    for exponent in (-110, -60, 60, 120) if dtype == np.float32 else (-1000, -300, 300, 1020):
        scaled = np.ldexp(A, exponent)
        assert np.isfinite(scaled).all()
        np.testing.assert_allclose(
            st.linalg.newton_schulz(scaled, name, steps), expected, rtol=0, atol=tolerance
        )
    three = dtype(3) * A
    np.testing.assert_allclose(st.linalg.newton_schulz(three, name, steps), expected, rtol=0, atol=tolerance)


@pytest.mark.parametrize("name", SETS)
def test_subnormal_input(name: str) -> None:
    """Integers times the smallest subnormal number behave as the integers."""
    A = matrices.make("diagonal", 4, 4, np.float64)
    expected = st.linalg.newton_schulz(A, name)
    np.testing.assert_allclose(
        st.linalg.newton_schulz(np.ldexp(A, -1074), name), expected, rtol=0, atol=1e-12
    )


@pytest.mark.parametrize("name", SETS)
def test_special_inputs(name: str) -> None:
    """1x1 gives composite(1) times the sign; an orthogonal k x k matrix Q gives composite(1/sqrt(k)) Q; zero stays."""
    steps = step_counts(name)[-1]
    triples = coefficients(name, steps)
    top = float(newton_schulz.composite(normalised(1.0, name), triples))
    np.testing.assert_allclose(st.linalg.newton_schulz(np.array([[-7.0]]), name, steps), [[-top]], rtol=1e-12)
    Q = matrices.orthonormal(9, 9, np.random.default_rng(0))
    middle = float(newton_schulz.composite(normalised(1 / 3, name), triples))
    np.testing.assert_allclose(st.linalg.newton_schulz(Q, name, steps), middle * Q, rtol=0, atol=1e-12)
    assert not st.linalg.newton_schulz(np.zeros((3, 4)), name).any()
    assert st.linalg.newton_schulz(np.zeros((0, 4)), name).shape == (0, 4)
    vector = st.linalg.newton_schulz(np.array([3.0, -4.0]), name, steps)
    np.testing.assert_allclose(vector, top * np.array([0.6, -0.8]), rtol=1e-12)


@pytest.mark.parametrize("name", CONVERGENT)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    "kind",
    [
        "gaussian",
        "moderate",
        "ill_conditioned",
        "integer_deficient",
        "planted_deficient",
        "orthogonal",
        "rank_one",
    ],
)
@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (6, 6), (24, 10), (48, 64)], ids=str)
def test_convergent_sets_stay_in_the_ball(shape: tuple[int, int], kind: str, dtype: type, name: str) -> None:
    """With the default steps and with more, the operator norm is at most one up to rounding."""
    A = matrices.make(kind, *shape, dtype)
    for steps in (None, ENOUGH, 2 * ENOUGH):
        Y = st.linalg.newton_schulz(A, name, steps)
        norm = float(oracles.jacobi_singular_values(Y)[0])
        assert norm <= 1 + checks.BALL_EXCESS[np.dtype(dtype)]


@pytest.mark.parametrize("name", CONVERGENT)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(5, 5), (8, 5), (24, 40)], ids=str)
def test_convergent_sets_reach_the_polar_factor(shape: tuple[int, int], dtype: type, name: str) -> None:
    """After enough steps the result is U V', with the plus sign; the oracle of the same backend is its negative."""
    A = matrices.make("moderate", *shape, dtype)
    Y = st.linalg.newton_schulz(A, name, 2 * ENOUGH)
    expected = -oracles.ball_oracle(A.astype(np.float64), np.inf)
    tolerance = 1e-11 if dtype == np.float64 else 1e-5
    np.testing.assert_allclose(Y, expected, rtol=0, atol=tolerance)
    D = st.ball_oracle(A, np.inf, backend=st.linalg.NewtonSchulz(name, 2 * ENOUGH))
    np.testing.assert_allclose(D, -Y, rtol=0, atol=tolerance)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("kind", ["gaussian", "moderate", "orthogonal", "rank_one", "integer_deficient"])
@pytest.mark.parametrize("name", SETS)
def test_info(name: str, kind: str, dtype: type) -> None:
    """The record measures the answer: dual norm -<G, D>, operator norm, and distance from orthonormality."""
    G = matrices.make(kind, 6, 9, dtype)
    backend = st.linalg.NewtonSchulz(name, step_counts(name)[-1])
    D, info = st.ball_oracle(G, np.inf, backend=backend, return_info=True)
    exact = D.astype(np.longdouble)
    assert info.backend == "newton_schulz"
    tolerance = 200 * EPS[dtype]
    residual = float(np.sqrt(((np.eye(6) - exact @ exact.T) ** 2).sum() / 6))
    assert info.residual == pytest.approx(residual, rel=1e-3, abs=tolerance)
    norm = float(oracles.jacobi_singular_values(D)[0])
    assert info.operator_norm == pytest.approx(norm, rel=1e-3)
    if SETS[name].convergent:
        assert info.operator_norm <= 1 + 1e-3
    else:
        assert info.approximate is True
        assert info.dual_norm == pytest.approx(-oracles.inner(G, D), rel=tolerance)
    Dr = st.regularization_oracle(G, np.inf, backend=backend)
    np.testing.assert_allclose(
        Dr, info.dual_norm * D.astype(np.float64), rtol=tolerance, atol=tolerance * info.dual_norm
    )


@pytest.mark.parametrize("shape", [(6, 9), (9, 6)], ids=str)
def test_function_info(shape: tuple[int, int]) -> None:
    """return_info on the function returns the matrix and the same kind of record, on the smaller side."""
    A = matrices.make("moderate", *shape, np.float64)
    Y, info = st.linalg.newton_schulz(A, "muon", 5, return_info=True)
    np.testing.assert_array_equal(Y, st.linalg.newton_schulz(A, "muon", 5))
    gram = Y @ Y.T if shape[0] <= shape[1] else Y.T @ Y
    assert info.residual == pytest.approx(float(np.linalg.norm(np.eye(6) - gram)) / math.sqrt(6), rel=1e-10)
    assert info.backend == "newton_schulz"


def test_backend_name_alone() -> None:
    """backend="newton_schulz" is NewtonSchulz("polar_express") with its default number of steps."""
    G = matrices.make("gaussian", 8, 6, np.float64)
    D = st.ball_oracle(G, np.inf, backend="newton_schulz")
    np.testing.assert_array_equal(
        D, st.ball_oracle(G, np.inf, backend=st.linalg.NewtonSchulz("polar_express"))
    )
    np.testing.assert_array_equal(D, -st.linalg.newton_schulz(G))
    np.testing.assert_array_equal(D, -st.linalg.newton_schulz(G, "polar_express", None))


def test_spec_is_a_frozen_value() -> None:
    """Specs compare by value, are hashable and cannot be changed."""
    spec = st.linalg.NewtonSchulz("muon", 5)
    assert spec == st.linalg.NewtonSchulz(coefficients="muon", steps=5)
    assert spec != st.linalg.NewtonSchulz("muon", 6)
    assert len({spec, st.linalg.NewtonSchulz("muon", 5)}) == 1
    with pytest.raises(AttributeError):
        spec.steps = 3


@pytest.mark.parametrize("steps", [0, -1])
def test_bad_number_of_steps(steps: int) -> None:
    """At least one step."""
    with pytest.raises(ValueError, match="steps"):
        st.linalg.newton_schulz(np.eye(2), "muon", steps)
    with pytest.raises(ValueError, match="steps"):
        st.linalg.NewtonSchulz("muon", steps)


@pytest.mark.parametrize("steps", [2.5, "5"])
def test_steps_are_an_integer(steps: Any) -> None:
    """The number of steps is an integer."""
    with pytest.raises(TypeError):
        st.linalg.newton_schulz(np.eye(2), "muon", steps)


def test_unknown_set_lists_what_exists() -> None:
    """The message names the sets, so that the user can correct the call."""
    with pytest.raises((KeyError, ValueError), match="polar_express"):
        st.linalg.newton_schulz(np.eye(2), "no such set")
    with pytest.raises((KeyError, ValueError), match="polar_express"):
        st.linalg.NewtonSchulz("no such set")


@pytest.mark.parametrize(
    ("bad", "error"),
    [
        (np.full((2, 2), np.nan), ValueError),
        (np.full((2, 2), np.inf), ValueError),
        (np.ones((2, 2, 2)), ValueError),
        (np.ones((2, 2), dtype=complex), TypeError),
        (np.ones((2, 2), dtype=np.float16), TypeError),
    ],
)
def test_bad_input(bad: np.ndarray, error: type[Exception]) -> None:
    """The input rules are those of the oracles."""
    with pytest.raises(error):
        st.linalg.newton_schulz(bad)


def test_input_is_never_modified() -> None:
    """The iteration works in its own memory."""
    for dtype in (np.float32, np.float64):
        A = matrices.make("gaussian", 6, 4, dtype)
        before = A.copy()
        Y = st.linalg.newton_schulz(A)
        np.testing.assert_array_equal(A, before)
        assert Y.dtype == dtype
        assert not np.shares_memory(Y, A)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(6, 6), (9, 4), (4, 9)], ids=str)
def test_polar_factor(shape: tuple[int, int], dtype: type) -> None:
    """polar_factor is the exact U V', plus sign; on a deficient matrix it is a partial isometry of the range."""
    A = matrices.make("moderate", *shape, dtype)
    expected = -oracles.ball_oracle(A.astype(np.float64), np.inf)
    np.testing.assert_allclose(st.linalg.polar_factor(A), expected, rtol=0, atol=1e4 * EPS[dtype])
    deficient = matrices.make("integer_deficient", *shape, dtype)
    Y = st.linalg.polar_factor(deficient).astype(np.float64)
    np.testing.assert_allclose(Y @ Y.T @ Y, Y, rtol=0, atol=100 * EPS[dtype])
    assert np.linalg.matrix_rank(Y, tol=0.5) == np.linalg.matrix_rank(deficient)
    iterated = st.linalg.polar_factor(A, backend=st.linalg.NewtonSchulz("polar_express", ENOUGH))
    np.testing.assert_allclose(iterated, expected, rtol=0, atol=1e4 * EPS[dtype])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("kind", ["gaussian", "hopeless", "integer_deficient", "exact_ties", "rank_one"])
@pytest.mark.parametrize("shape", [(1, 1), (1, 5), (7, 4), (12, 12)], ids=str)
def test_singular_values(shape: tuple[int, int], kind: str, dtype: type) -> None:
    """All min(m, n) singular values in decreasing order, each within a few eps of the largest."""
    A = matrices.make(kind, *shape, dtype)
    expected = oracles.jacobi_singular_values(A).astype(float)
    actual = st.linalg.singular_values(A)
    assert actual.shape == (min(shape),)
    assert (np.diff(actual) <= 0).all()
    np.testing.assert_allclose(
        actual, expected, rtol=0, atol=checks.rounding(shape, EPS[dtype]) * expected[0]
    )
