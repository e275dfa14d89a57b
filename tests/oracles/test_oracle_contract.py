"""What the free functions accept, refuse and return, apart from the numbers."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from reference import matrices, oracles

import schattor as st
from schattor._edge.backends import NAMES, ROUTES

Oracle = Callable[..., np.ndarray]
ORACLES = pytest.mark.parametrize("oracle", [st.ball_oracle, st.regularization_oracle])
FUNCTIONS = pytest.mark.parametrize("function", [st.ball_oracle, st.regularization_oracle, st.schatten_norm])
EXPONENTS = (1.0, 1.5, 2.0, 3.0, np.inf)
ARRAY = matrices.make("moderate", 5, 3, np.float64)


@ORACLES
@pytest.mark.parametrize("p", EXPONENTS)
@pytest.mark.parametrize(
    "values",
    [
        [[1, 2], [3, 5]],
        ((1, 2), (3, 5)),
        np.array([[1, 2], [3, 5]], dtype=np.int32),
        [[1.0, 2.0], [3.0, 5.0]],
    ],
)
def test_array_likes_become_float64(oracle: Oracle, p: float, values: object) -> None:
    """Nested lists, tuples and integers are read as float64."""
    result = oracle(values, p)
    assert result.dtype == np.float64
    expected = oracle(np.array([[1.0, 2.0], [3.0, 5.0]]), p)
    np.testing.assert_array_equal(result, expected)


@pytest.mark.parametrize("dtype", [bool, np.int8, np.uint16, np.int64, np.uint64])
def test_integers_and_bool_become_float64(dtype: type) -> None:
    """Every integer type and bool are converted."""
    G = np.array([[1, 0], [1, 1]], dtype=dtype)
    result = st.ball_oracle(G, 3)
    assert result.dtype == np.float64
    np.testing.assert_array_equal(result, st.ball_oracle(G.astype(np.float64), 3))
    assert st.schatten_norm(G, 2) == pytest.approx(math.sqrt(3), rel=1e-15)


@pytest.mark.parametrize(
    "dtype", [np.float16, np.complex64, np.complex128, np.longdouble, object, "datetime64[s]", "U3"]
)
@FUNCTIONS
def test_other_types_are_refused(function: Oracle, dtype: object) -> None:
    """Half, complex and extended precision, objects, dates and text raise TypeError: nothing is narrowed silently."""
    G = np.ones((2, 2), dtype="i8").astype(dtype)
    with pytest.raises(TypeError, match=r"float32|float64"):
        function(G, 3)


@ORACLES
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("p", EXPONENTS)
def test_vector_and_scalar_keep_their_shape(oracle: Oracle, dtype: type, p: float) -> None:
    """A vector is n x 1 and a scalar 1 x 1: every Schatten norm is Euclidean there."""
    g = np.array([3.0, -4.0], dtype=dtype)
    scale = 1.0 if oracle is st.ball_oracle else 5.0
    result = oracle(g, p)
    assert result.shape == (2,)
    assert result.dtype == dtype
    np.testing.assert_allclose(result, -scale * g / 5, rtol=4 * np.finfo(dtype).eps)
    scalar = oracle(np.array(-2.5, dtype=dtype), p)
    assert np.shape(scalar) == ()
    assert np.asarray(scalar).dtype == dtype
    assert float(scalar) == pytest.approx(
        1.0 if oracle is st.ball_oracle else 2.5, rel=4 * float(np.finfo(dtype).eps)
    )
    assert st.schatten_norm(g, p) == pytest.approx(5, rel=1e-15)
    assert st.schatten_norm(-2.5, p) == pytest.approx(2.5, rel=1e-15)


@ORACLES
@pytest.mark.parametrize("p", EXPONENTS)
@pytest.mark.parametrize("shape", [(0,), (0, 3), (4, 0), (0, 0)])
def test_empty(oracle: Oracle, p: float, shape: tuple[int, ...]) -> None:
    """An empty matrix has norm zero and an empty answer."""
    G = np.zeros(shape, dtype=np.float32)
    result, info = oracle(G, p, return_info=True)
    assert result.shape == shape
    assert result.dtype == np.float32
    assert (info.dual_norm, info.backend, info.fallbacks, info.approximate) == (0.0, "none", 0, False)
    assert st.schatten_norm(G, p) == 0.0


@ORACLES
@pytest.mark.parametrize("p", [1.0, 1.0001, 1.5, 2.0, 3.0, np.inf])
@pytest.mark.parametrize("shape", [(), (1,), (4,), (1, 1), (3, 5), (5, 3)])
def test_zero_in_zero_out(oracle: Oracle, p: float, shape: tuple[int, ...]) -> None:
    """The oracle of zero is zero, for negative zeros too."""
    for G in (np.zeros(shape), -np.zeros(shape)):
        result, info = oracle(G, p, return_info=True)
        assert np.shape(result) == shape
        assert not np.any(result)
        assert (info.dual_norm, info.backend) == (0.0, "none")
        assert st.schatten_norm(G, p) == 0.0


def layouts() -> dict[str, np.ndarray]:
    """The same matrix in memory layouts that NumPy users meet."""
    wide = np.zeros((10, 9))
    wide[::2, ::3] = ARRAY
    read_only = ARRAY.copy()
    read_only.flags.writeable = False
    buffer = np.zeros(ARRAY.nbytes + 1, dtype=np.uint8)
    unaligned = buffer[1:].view(np.float64).reshape(ARRAY.shape)
    unaligned[...] = ARRAY
    return {
        "fortran": np.asfortranarray(ARRAY),
        "strided": wide[::2, ::3],
        "negative": np.ascontiguousarray(ARRAY[::-1, ::-1])[::-1, ::-1],
        "transposed": np.ascontiguousarray(ARRAY.T).T,
        "read-only": read_only,
        "unaligned": unaligned,
    }


@ORACLES
@pytest.mark.parametrize("layout", layouts())
@pytest.mark.parametrize("p", EXPONENTS)
def test_memory_layout_does_not_matter(oracle: Oracle, layout: str, p: float) -> None:
    """Every layout gives bit for bit the answer of the contiguous copy, and the input stays as it was."""
    G = layouts()[layout]
    assert np.array_equal(G, ARRAY)
    np.testing.assert_array_equal(oracle(G, p), oracle(ARRAY, p))
    assert np.array_equal(G, ARRAY)
    assert st.schatten_norm(G, p) == st.schatten_norm(ARRAY, p)


def test_broadcast_view() -> None:
    """A view with stride zero is read as the matrix that it shows."""
    G = np.broadcast_to(np.array([1.0, 2.0]), (3, 2))
    np.testing.assert_array_equal(st.ball_oracle(G, 3), st.ball_oracle(np.array(G), 3))


@FUNCTIONS
@pytest.mark.parametrize("kind", ["f4", "f8"])
def test_other_byte_order(function: Oracle, kind: str) -> None:
    """Foreign byte order is either converted or refused by TypeError; it is never misread."""
    native = ARRAY.astype(kind)
    swapped = native.astype(native.dtype.newbyteorder())
    expected = function(native, 3)
    try:
        result = function(swapped, 3)
    except TypeError:
        return
    np.testing.assert_array_equal(result, expected)
    assert np.asarray(result).dtype.isnative


@ORACLES
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("backend", NAMES)
def test_input_is_never_modified(oracle: Oracle, dtype: type, backend: str) -> None:
    """The answer lives in fresh memory."""
    G = matrices.make("gaussian", 6, 4, dtype)
    before = G.copy()
    result = oracle(G, np.inf, backend=backend)
    np.testing.assert_array_equal(G, before)
    assert not np.shares_memory(result, G)
    assert result.flags.writeable
    assert result.flags.c_contiguous


@FUNCTIONS
@pytest.mark.parametrize("shape", [(1, 1, 1), (2, 3, 4), (0, 2, 2)])
def test_more_than_two_dimensions(function: Oracle, shape: tuple[int, ...]) -> None:
    """A stack of matrices is not one matrix."""
    with pytest.raises(ValueError, match=r"dimension|2-D"):
        function(np.ones(shape), 3)


@FUNCTIONS
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("shape", [(), (5,), (1, 7), (4, 6), (300, 200)])
@pytest.mark.parametrize("p", [1.0, 2.0, 3.0, np.inf])
def test_non_finite_input(
    function: Oracle, p: float, shape: tuple[int, ...], bad: float, dtype: type
) -> None:
    """NaN and Inf raise at any place and for every exponent; no SVD ever sees them (on Inf it may not end)."""
    for position in ("first", "last"):
        G = np.ones(shape, dtype=dtype)
        G[(0,) * G.ndim if position == "first" else (-1,) * G.ndim] = bad
        with pytest.raises(ValueError, match=r"(?i)finite|nan|inf"):
            function(G, p)


@pytest.mark.parametrize("backend", ROUTES)
def test_non_finite_input_named_backends(backend: str) -> None:
    """The check stands before every backend."""
    G = np.full((40, 30), np.inf)
    with pytest.raises(ValueError, match=r"(?i)finite|nan|inf"):
        st.ball_oracle(G, np.inf, backend=backend)


@FUNCTIONS
@pytest.mark.parametrize("p", [0.999, 0.0, -1.0, -np.inf, np.nan])
def test_exponent_below_one(function: Oracle, p: float) -> None:
    """There is no Schatten norm for p < 1; NaN is no exponent."""
    with pytest.raises(ValueError, match="p"):
        function(np.eye(2), p)


@FUNCTIONS
@pytest.mark.parametrize("p", ["3", None, [2.0], 2 + 0j])
def test_exponent_of_another_type(function: Oracle, p: object) -> None:
    """The exponent is a real number."""
    with pytest.raises(TypeError):
        function(np.eye(2), p)


@FUNCTIONS
def test_exponent_types(function: Oracle) -> None:
    """Integers and NumPy scalars are numbers."""
    expected = function(ARRAY, 3.0)
    for p in (3, np.float32(3), np.int64(3)):
        np.testing.assert_array_equal(function(ARRAY, p), expected)


@ORACLES
@pytest.mark.parametrize("rtol", [0.0, 1, 1.0, 2.0, -1e-3, np.nan, np.inf])
def test_rtol_outside_its_range(oracle: Oracle, rtol: float) -> None:
    """A requested accuracy lies strictly between 0 and 1."""
    for backend in ("auto", "svd", "gram", "band", "chebyshev"):
        with pytest.raises(ValueError, match="rtol"):
            oracle(ARRAY, 3, rtol=rtol, backend=backend)


@ORACLES
@pytest.mark.parametrize("rtol", ["1e-3", [1e-3], 1e-3 + 0j])
def test_rtol_of_another_type(oracle: Oracle, rtol: object) -> None:
    """A requested accuracy is a real number."""
    with pytest.raises(TypeError, match="rtol"):
        oracle(ARRAY, 3, rtol=rtol)


@ORACLES
def test_rtol_none_is_the_default(oracle: Oracle) -> None:
    """None is strict, which is what holds without the keyword; numbers and NumPy scalars are accepted."""
    np.testing.assert_array_equal(oracle(ARRAY, 3, rtol=None), oracle(ARRAY, 3))
    np.testing.assert_array_equal(oracle(ARRAY, 3, rtol=np.float64(1e-3)), oracle(ARRAY, 3, rtol=1e-3))


@ORACLES
@pytest.mark.parametrize("rcond", [-1e-3, np.nan, np.inf])
def test_bad_rcond(oracle: Oracle, rcond: float) -> None:
    """The cutoff is a finite number and not negative."""
    with pytest.raises(ValueError, match="rcond"):
        oracle(ARRAY, 3, rcond=rcond)


@ORACLES
@pytest.mark.parametrize("backend", ["Gram", "SVD", "", "lapack"])
def test_unknown_backend(oracle: Oracle, backend: str) -> None:
    """A backend that does not exist raises and is named."""
    with pytest.raises(ValueError, match=r"backend|available"):
        oracle(ARRAY, np.inf, backend=backend)


@ORACLES
@pytest.mark.parametrize("p", [1.0, 1.5, 2.0, 4.0, 64.0])
def test_newton_schulz_needs_infinite_p(oracle: Oracle, p: float) -> None:
    """The iteration computes the polar factor only."""
    for backend in ("newton_schulz", st.linalg.NewtonSchulz("muon", 5)):
        with pytest.raises(ValueError, match=r"(?i)newton[-_]?schulz"):
            oracle(ARRAY, p, backend=backend)


@ORACLES
def test_keywords_only(oracle: Oracle) -> None:
    """Options are keywords, and an unknown one raises."""
    with pytest.raises(TypeError):
        oracle(ARRAY, 3, "svd")
    with pytest.raises(TypeError):
        oracle(ARRAY, 3, no_such_option=1)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("p", [1.5, 2.0, 4.0, np.inf])
def test_dual_norm_beyond_the_type(dtype: type, p: float) -> None:
    """Where ||G||_q overflows the ball oracle still answers, with an infinite dual norm; the other oracle raises."""
    top = np.finfo(dtype).max
    base = np.ones((4, 4), dtype=dtype) + np.eye(4, dtype=dtype) / 2
    G = base * (top / dtype(2))
    assert np.isfinite(G).all()
    D, info = st.ball_oracle(G, p, return_info=True)
    assert info.dual_norm == np.inf
    expected = oracles.ball_oracle(base.astype(np.float64), p)
    np.testing.assert_allclose(D, expected, rtol=0, atol=200 * np.finfo(dtype).eps)
    with pytest.raises(OverflowError):
        st.regularization_oracle(G, p)
    if dtype == np.float64:
        assert st.schatten_norm(G, p) == np.inf


def test_info_fields() -> None:
    """The record of one call: its fields, their types and their meaning for the SVD."""
    D, info = st.ball_oracle(ARRAY, 3, backend="svd", return_info=True)
    np.testing.assert_array_equal(D, st.ball_oracle(ARRAY, 3, backend="svd"))
    assert type(info.dual_norm) is float
    assert type(info.residual) is float
    assert type(info.fallbacks) is int
    assert info.approximate is False
    assert info.backend == "svd"
    assert math.isnan(info.operator_norm)
    assert info.dual_norm == pytest.approx(oracles.schatten_norm(ARRAY, 1.5), rel=1e-14)
    _, same = st.regularization_oracle(ARRAY, 3, backend="svd", return_info=True)
    assert same.dual_norm == info.dual_norm


def test_result_is_repeatable() -> None:
    """The same call gives the same bits."""
    G = matrices.make("gaussian", 60, 45, np.float32)
    for p in EXPONENTS:
        np.testing.assert_array_equal(st.ball_oracle(G, p), st.ball_oracle(G, p))


def test_subclass_and_array_interface() -> None:
    """Objects with __array__ are read; the answer is a plain array."""

    class Holder:
        def __array__(self, dtype: object = None, copy: object = None) -> np.ndarray:
            return ARRAY.copy()

    result = st.ball_oracle(Holder(), 3)
    assert type(result) is np.ndarray
    np.testing.assert_array_equal(result, st.ball_oracle(ARRAY, 3))


def test_equal_geometries_share_what_they_have_found() -> None:
    """The core's part keeps the rational functions of its exponent, which take longer to find than a small oracle."""
    assert st.Schatten(3.5)._standalone() is st.Schatten(3.5)._standalone()
    assert st.Schatten(3.5)._standalone() is not st.Schatten(3.5, rtol=1e-3)._standalone()
