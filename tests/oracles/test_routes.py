"""Every route of the Schatten oracle: backend x exponent x accuracy x type x shape x spectrum.

The strict promise and that of a numeric `rtol` are judged against an SVD in float64, refined to extended precision for
float64 input. The defects that separate tests name were found by looking for the weakest spot of each route.
"""

from __future__ import annotations

import itertools
import math
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache

import numpy as np
import pytest
from reference import checks, matrices, oracles
from reference.routes import Problem

import schattor as st

BACKENDS = ("band", "chebyshev", "gram", "svd", "auto")
EXPONENTS = (1.0, 1.2, 4 / 3, 1.5, 1.9, 2.1, 2.5, 3.0, 4.0, 8.0, 64.0, np.inf)
TOLERANCES = (None, 1e-2, 1e-3, 1e-5)
DTYPES = (np.float32, np.float64)
SMALL = ((2, 2), (3, 5), (7, 4), (16, 16), (33, 33))
LARGE = ((64, 64), (65, 130), (130, 65), (96, 97), (31, 200), (128, 784), (200, 200))
LARGEST = LARGE[-2:]


def eps_of(dtype: type) -> float:
    """Machine epsilon as a float64."""
    return float(np.finfo(dtype).eps)


def spectra(k: int, cutoff: float) -> dict[str, np.ndarray]:
    """Singular values to plant; tiny ones lie far below the cutoff of the type."""
    result = {f"kappa {c:.0e}": matrices.geometric_spectrum(k, c) for c in np.logspace(1, 8, 8)}
    for count in (1, 8, 9):
        if count < k:
            sigma = matrices.geometric_spectrum(k, 10.0)
            sigma[k - count :] = cutoff / 1e3
            result[f"{count} tiny"] = sigma
    return result


KINDS = (
    *(f"kappa {c:.0e}" for c in np.logspace(1, 8, 8)),
    *("1 tiny", "8 tiny", "9 tiny", "gaussian", "integer_deficient", "orthogonal", "repeated", "diagonal"),
    *("identity", "zero row", "zero column"),
)


def product() -> list[tuple[str, tuple[int, int], type]]:
    """Kinds, shapes and dtypes; of the largest shapes fewer kinds, since their references are costly."""
    cases = []
    for kind, shape, dtype in itertools.product(KINDS, (*SMALL, *LARGE), DTYPES):
        if kind.endswith(" tiny") and int(kind[0]) >= min(shape):
            continue
        if shape in LARGEST and KINDS.index(kind) % (3 if dtype == np.float32 else 7):
            continue
        cases.append((kind, shape, dtype))
    return cases


@lru_cache(maxsize=4)
def problem(kind: str, shape: tuple[int, int], dtype: type) -> Problem:
    """The matrix of this kind."""
    m, n = shape
    rng = np.random.default_rng([m, n, np.dtype(dtype).itemsize, *kind.encode()])
    planted = spectra(min(shape), max(shape) * eps_of(dtype))
    if kind in planted:
        G = matrices.planted(m, n, planted[kind], dtype, rng)
    elif kind in matrices.KINDS:
        G = matrices.make(kind, m, n, dtype)
    elif kind == "identity":
        G = np.eye(m, n, dtype=dtype)
    else:
        G = matrices.gaussian(m, n, dtype, rng)
        G[(m // 2,) if kind == "zero row" else (slice(None), n // 2)] = 0
    return Problem(G)


@pytest.mark.parametrize(("kind", "shape", "dtype"), product(), ids=str)
def test_promises(kind: str, shape: tuple[int, int], dtype: type) -> None:
    """Accuracy, ball, duality, dual norm and the count of fallbacks, for a seeded choice of the product."""
    case = problem(kind, shape, dtype)
    rng = np.random.default_rng([*shape, *kind.encode(), np.dtype(dtype).itemsize])
    exponents = rng.permutation(EXPONENTS)[: 6 if shape in SMALL else 3]
    chosen = [(float(p), backend, rng.choice(TOLERANCES)) for p in exponents for backend in BACKENDS]
    found = [text for p, backend, rtol in chosen for text in case.violations(p, backend, rtol)]
    assert not found, "\n".join(found)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("p", EXPONENTS)
def test_whole_range_of_the_type(p: float, backend: str, dtype: type) -> None:
    """Near both ends of the range the direction is the same and the dual norm scales exactly."""
    for shape in ((16, 16), (40, 70), (70, 40)):
        G = matrices.make("moderate", *shape, dtype)
        for rtol in (None, 1e-3):
            D, info = st.ball_oracle(G, p, backend=backend, rtol=rtol, return_info=True)
            for exponent in (-100, 100) if dtype == np.float32 else (-830, 830):
                scaled = np.ldexp(G, exponent)
                assert np.array_equal(np.ldexp(scaled, -exponent), G), "the scaled matrix must be exact"
                other, scaled_info = st.ball_oracle(scaled, p, backend=backend, rtol=rtol, return_info=True)
                # Only powers of two differ, and they are taken out.
                bound = 100 * eps_of(dtype) * 1e2 * max(1.0, oracles.conjugate(p) - 1) if p > 1 else 1e-3
                assert checks.relative_error(other, D) <= bound
                assert np.ldexp(scaled_info.dual_norm, -exponent) == pytest.approx(info.dual_norm, rel=1e-6)
                assert (scaled_info.backend, scaled_info.fallbacks) == (info.backend, info.fallbacks)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("rtol", TOLERANCES)
def test_zero_and_rank_one(rtol: float | None, backend: str, dtype: type) -> None:
    """Zero in, zero out; a matrix of rank one maps to the same direction for every p."""
    for shape in ((1, 1), (1, 9), (9, 1), (2, 2), (5, 33), (64, 64)):
        zero, info = st.ball_oracle(np.zeros(shape, dtype), 4, backend=backend, rtol=rtol, return_info=True)
        assert not zero.any() and info.backend == "none" and info.dual_norm == 0
        G = matrices.make("rank_one", *shape, dtype)
        expected = -G.astype(float) / np.linalg.norm(G.astype(float))
        for p in EXPONENTS:
            D = st.ball_oracle(G, p, backend=backend, rtol=rtol)
            bound = rtol or 4 * eps_of(dtype) * math.sqrt(max(shape))
            assert checks.relative_error(D, expected) <= max(bound, 8 * eps_of(dtype)), (shape, p)
            assert np.linalg.norm(D.astype(float)) <= 1 + checks.BALL_EXCESS[D.dtype]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("p", EXPONENTS)
def test_transposition_and_regularization(p: float, backend: str, dtype: type) -> None:
    """D(G') = D(G)' within the accuracy, and the regularization oracle is dual_norm times the ball oracle."""
    for shape in ((16, 16), (33, 40), (90, 31)):
        case = Problem(matrices.make("moderate", *shape, dtype))
        for rtol in (None, 1e-3):
            D, info = st.ball_oracle(case.G, p, backend=backend, rtol=rtol, return_info=True)
            transposed = st.ball_oracle(case.G.T, p, backend=backend, rtol=rtol)
            bound = case.strict(p) if rtol is None else rtol
            assert checks.relative_error(transposed.T, D) <= 2.01 * bound
            step, same = st.regularization_oracle(case.G, p, backend=backend, rtol=rtol, return_info=True)
            expected = np.longdouble(info.dual_norm) * D
            assert checks.relative_error(step, expected) <= 4 * eps_of(dtype)
            assert (same.backend, same.fallbacks) == (info.backend, info.fallbacks)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("shape", [(16, 16), (33, 65), (70, 31)], ids=str)
def test_memory_order_and_repetition(shape: tuple[int, int], backend: str, dtype: type) -> None:
    """Every layout and every call gives the same bits."""
    G = matrices.make("gaussian", *shape, dtype)
    wide = np.zeros((2 * shape[0], 3 * shape[1]), dtype)
    wide[::2, ::3] = G
    layouts = [np.asfortranarray(G), wide[::2, ::3], np.ascontiguousarray(G[::-1, ::-1])[::-1, ::-1], G]
    for p, rtol in itertools.product((1.5, 3.0, np.inf), (None, 1e-3)):
        D = st.ball_oracle(G, p, backend=backend, rtol=rtol)
        for layout in layouts:
            np.testing.assert_array_equal(st.ball_oracle(layout, p, backend=backend, rtol=rtol), D)


@pytest.mark.parametrize("backend", ["band", "auto"])
def test_threads_share_the_fits(backend: str) -> None:
    """Python threads that ask one geometry for many fits at once get the bits that a single thread gets."""
    inputs = [matrices.make("moderate", 24 + i, 30, np.float32, seed=i) for i in range(4)]
    exponents = np.linspace(1.4, 6, 24)
    exponents = exponents[np.abs(exponents - 2) > 1e-3]

    def work(_: int) -> list[np.ndarray]:
        # p and rtol within one process-wide cache of geometries
        return [
            st.ball_oracle(G, float(p), backend=backend, rtol=rtol)
            for p in exponents
            for rtol in (None, 1e-3)
            for G in inputs
        ]

    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(work, range(4)))
    expected = work(0)
    for results in together:
        for found, wanted in zip(results, expected, strict=True):
            np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("rtol", [None, 1e-2, 1e-5])
def test_scheduled_exponent_in_an_optimizer(rtol: float | None, dtype: type) -> None:
    """An optimizer with a schedule for p takes the oracle of each step's exponent, to the accuracy asked for."""
    schedule = [1.5, 2.5, 3.0, 4.0, 2.0, np.inf, 1.2]
    lr = 0.5
    for shape in ((16, 16), (33, 65)):
        params = {"W": np.zeros(shape, dtype)}
        optimizer = st.Schattor(params, p=lambda t: schedule[t], lr=lr, momentum=0.0, rtol=rtol)
        for t, p in enumerate(schedule):
            case = Problem(matrices.make("moderate", *shape, dtype, seed=t))
            before = params["W"].astype(np.longdouble)
            params["W"][...] = 0
            optimizer.step({"W": case.G})
            step = params["W"].astype(np.longdouble) / lr
            wanted = case.direction(p)
            step /= np.sqrt((step**2).sum())
            wanted = wanted / np.sqrt((wanted**2).sum())
            # Both are normalised: that can double an error.
            assert checks.relative_error(step, wanted) <= 2 * (rtol or case.strict(p)), (p, before.shape)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("outer", [1.0, 2.0, np.inf])
def test_mixed_norm_with_rtol(outer: float, dtype: type) -> None:
    """Under every outer exponent the blocks are as accurate as their geometries promise."""
    rtol = 1e-3
    G = {
        name: matrices.make("moderate", *shape, dtype)
        for name, shape in {"a": (16, 24), "b": (40, 33)}.items()
    }
    exact = st.MixedNorm({"a": st.Schatten(3), "b": st.Spectral()}, outer=outer)
    loose = st.MixedNorm({"a": st.Schatten(3, rtol=rtol), "b": st.Spectral(rtol=rtol)}, outer=outer)
    assert loose.dual_norm(G) == pytest.approx(exact.dual_norm(G), rel=2 * rtol)
    found, wanted = loose.ball(G), exact.ball(G)
    for name, D in wanted.items():
        # One rtol for the direction, others for the norms that weigh the blocks against each other.
        size = max(float(np.linalg.norm(D)), 1e-6)
        assert np.linalg.norm((found[name] - D).astype(float)) <= 4 * rtol * size
    assert exact.norm(found) <= 1 + 2 * checks.BALL_EXCESS[np.dtype(dtype)]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("rtol", TOLERANCES)
def test_chebyshev_over_condition_numbers(rtol: float | None, dtype: type) -> None:
    """The polynomial keeps its promises wherever it serves, and serves where the matrix is well conditioned."""
    served = []
    for condition in (1.0, 1.5, 3.0, 6.0, 12.0, 13.5, 40.0):
        sigma = matrices.geometric_spectrum(40, condition)
        for shape in ((40, 81), (170, 40)):
            case = Problem(matrices.planted(*shape, sigma, dtype, np.random.default_rng(3)))
            for p in (8 / 7, 1.5, 2.5, 4.0, np.inf):
                assert not case.violations(p, "chebyshev", rtol)
                info = st.ball_oracle(case.G, p, backend="chebyshev", rtol=rtol, return_info=True)[1]
                served.append((condition, info.backend == "chebyshev"))
    strict64 = rtol is None and dtype == np.float64
    assert strict64 or all(found for condition, found in served if condition <= 3)
    assert not any(found for condition, found in served if condition > 15), "squared, beyond 200"


@pytest.mark.parametrize("rtol", [None, 1e-3])
def test_chebyshev_leaves_large_cutoffs_to_others(rtol: float | None) -> None:
    """Where `rcond` makes singular values of a well-conditioned matrix count as zero, there is no polynomial."""
    sigma = matrices.geometric_spectrum(24, 3.0)
    case = Problem(matrices.planted(24, 60, sigma, np.float32, np.random.default_rng(5)), rcond=0.5)
    assert not case.violations(4.0, "chebyshev", rtol)
    assert st.ball_oracle(case.G, 4, backend="chebyshev", rcond=0.5, rtol=rtol, return_info=True)[1].fallbacks


def test_backends_are_reported() -> None:
    """A route that serves the matrix is named; one that declines is counted and the SVD is named."""
    G = matrices.make("gaussian", 40, 64, np.float32)
    for backend in ("band", "gram", "svd"):
        _, info = st.ball_oracle(G, 3, backend=backend, return_info=True)
        assert (info.backend, info.fallbacks) == (backend, 0)
    wide = matrices.make("gaussian", 40, 160, np.float32)
    for rtol in (None, 1e-3):
        _, info = st.ball_oracle(wide, 3, backend="chebyshev", rtol=rtol, return_info=True)
        assert (info.backend, info.fallbacks) == ("chebyshev", 0)
    graded = matrices.planted(
        40, 64, matrices.geometric_spectrum(40, 1e9), np.float64, np.random.default_rng(0)
    )
    for backend in ("band", "gram", "chebyshev"):
        _, info = st.ball_oracle(graded, np.inf, backend=backend, return_info=True)
        assert info.backend == "svd" and info.fallbacks == 1, backend


@pytest.mark.parametrize("p", [1.0, 1.2, 4 / 3])
def test_band_counts_exponents_that_it_does_not_serve(p: float) -> None:
    """Asked for by name, the band route serves p >= 4/3; for other exponents the SVD counts as a fallback."""
    _, info = st.ball_oracle(
        matrices.make("gaussian", 20, 30, np.float32), p, backend="band", return_info=True
    )
    if p >= 4 / 3:
        assert (info.backend, info.fallbacks) == ("band", 0)
    else:
        assert (info.backend, info.fallbacks) == ("svd", 1)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("rtol", TOLERANCES)
def test_small_singular_values_above_the_cutoff(rtol: float | None, backend: str) -> None:
    """A singular value of 1e-9 in float64 is far above the cutoff: it counts fully."""
    sigma = np.ones(48)
    for count in (1, 3):
        sigma[-count:] = 1e-9
        case = Problem(matrices.planted(48, 48, sigma, np.float64, np.random.default_rng(count)))
        found = [text for p in (2.1, 2.5, 4.0, np.inf) for text in case.violations(p, backend, rtol)]
        assert not found, "\n".join(found)


def test_hidden_singular_values_are_not_dropped() -> None:
    """Only the cutoff says what counts as zero, however loose rtol is, also where squares are rounding errors.

    One singular value is far above the cutoff of float64, and its square below the rounding errors of the others'. The
    band route cannot tell it from zero, and declines; the direction has it with the weight sigma^(q - 1).
    """
    for level, shape in itertools.product((1e-8, 1e-9), ((48, 48), (48, 70), (70, 48))):
        sigma = matrices.geometric_spectrum(48, 4.0)
        sigma[-1] = level
        case = Problem(matrices.planted(*shape, sigma, np.float64, np.random.default_rng(1)))
        U, s, Vt = np.linalg.svd(case.G)
        for p, rtol in itertools.product((2.3, 2.5, 3.0), (0.9, 1e-3, None)):
            assert not case.violations(p, "band", rtol)
            D, info = st.ball_oracle(case.G, p, backend="band", rtol=rtol, return_info=True)
            q = p / (p - 1)
            wanted = (s[47] / oracles.lp_norm(s, q)) ** (q - 1)
            assert -U[:, 47] @ D @ Vt[47] == pytest.approx(wanted, rel=1e-3)
            assert (info.backend, info.fallbacks) == ("svd", 1)


def test_gram_declines_in_float32() -> None:
    """Squaring in double has an error of eps kappa^2: from kappa near 1e5 on, where float32 still counts, too large.

    The rotations mix all sizes: of a matrix with graded rows the Gram matrix would keep the small ones.
    """
    found, declined = [], []
    for condition, seed in itertools.product((1e2, 1e4, 2e5, 4e5, 8e5), range(4)):
        sigma = matrices.geometric_spectrum(8, condition)
        case = Problem(matrices.planted(8, 8, sigma, np.float32, np.random.default_rng(seed)), rcond=1e-6)
        for p in (2.5, 8.0, np.inf):
            found += case.violations(p, "gram", None)
            info = st.ball_oracle(case.G, p, backend="gram", rcond=1e-6, return_info=True)[1]
            declined.append((condition, info.backend == "svd"))
    assert not found, "\n".join(found)
    assert all(svd == (condition > 1e5) for condition, svd in declined)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("rtol", TOLERANCES)
def test_small_rcond(rtol: float | None, backend: str) -> None:
    """rcond replaces the cutoff, also by one so small that squares of singular values are rounding errors.

    Matrices with graded rows have accurate small singular values, whatever the type.
    """
    grades = np.geomspace(1, 1e-10, 6)[:, None]
    G = (grades * np.random.default_rng(0).standard_normal((6, 10))).astype(np.float32)
    for p in (2.5, 8.0, np.inf):
        D, info = st.ball_oracle(G, p, backend=backend, rtol=rtol, rcond=1e-14, return_info=True)
        U, s, Vt = np.linalg.svd(G.astype(np.float64), full_matrices=False)
        expected = -(U * oracles.direction_spectrum(s, p, 10, 0.0, 1e-14)) @ Vt
        assert np.linalg.svd(D.astype(float))[1][0] <= 1 + 1e-5
        assert checks.relative_error(D, expected) <= (rtol or 1e-5), (p, info.backend, info.fallbacks)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("p", [1.5, 1.7, 1.8, 1.9])
def test_long_tail_below_two(p: float, backend: str) -> None:
    """For p < 2 many small singular values together matter, to any accuracy that float64 can have."""
    sigma = np.full(64, 3e-5)
    sigma[0] = 1
    for level in (1e-3, 3e-5, 1e-6):
        sigma[1:] = level
        rng = np.random.default_rng(1)
        found = Problem(matrices.planted(64, 64, sigma, np.float32, rng)).violations(p, backend, None)
        case = Problem(matrices.planted(64, 64, sigma, np.float64, rng))
        for rtol in (1e-5, 1e-6, 1e-8, 1e-10):
            found += case.violations(p, backend, rtol)
        assert not found, "\n".join(found)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(24, 24), (24, 40), (40, 24)], ids=str)
def test_rows_and_columns_of_another_scale(shape: tuple[int, int], dtype: type, backend: str) -> None:
    """A row or column whose squares underflow is like a zero one: for p away from two, and inside the ball."""
    for exponent in (-60, -66, -70, -73, -76) if dtype == np.float32 else (-500, -530, -535, -540):
        for axis in (0, 1):
            G = matrices.make("gaussian", *shape, dtype)
            index = (0,) if axis == 0 else (slice(None), 0)
            G[index] = np.ldexp(G[index], exponent)
            case = Problem(G)
            found = [
                f"2^{exponent}, axis {axis}: {text}"
                for p in (1.5, 4.0, np.inf)
                for rtol in (None, 1e-3)
                for text in case.violations(p, backend, rtol)
            ]
            assert not found, "\n".join(found)
