"""batched_ball_oracle is ball_oracle of each matrix of a stack."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import schattor as st


@pytest.mark.parametrize("shape", [(7, 3, 5), (2, 3, 6, 4), (4, 4), (5, 1, 9), (3, 9, 1), (40, 16, 16)])
@pytest.mark.parametrize("p", [1, 1.5, 2, 4, np.inf])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_each_matrix(shape: tuple[int, ...], p: float, dtype: Any) -> None:
    """The same bits as one call for each matrix, for any number of threads, and the same info."""
    rng = np.random.default_rng(0)
    G = rng.standard_normal(shape).astype(dtype)
    expected = [st.ball_oracle(matrix, p, return_info=True) for matrix in G.reshape(-1, *shape[-2:])]
    for n_threads in (None, 1, 2, 5):
        D, info = st.batched_ball_oracle(G, p, n_threads=n_threads, return_info=True)
        assert D.shape == G.shape
        assert D.dtype == dtype
        np.testing.assert_array_equal(D.reshape(-1, *shape[-2:]), [direction for direction, _ in expected])
        assert [str(x) for x in info] == [str(x) for _, x in expected]
        np.testing.assert_array_equal(st.batched_ball_oracle(G, p, n_threads=n_threads), D)


def test_options_reach_the_oracle() -> None:
    """backend and rcond mean what they mean for one matrix."""
    rng = np.random.default_rng(0)
    G = rng.standard_normal((3, 8, 6))
    for options in ({"backend": "newton_schulz"}, {"backend": "svd"}, {"rcond": 0.5}):
        D = st.batched_ball_oracle(G, np.inf, **options)
        np.testing.assert_array_equal(D, [st.ball_oracle(x, np.inf, **options) for x in G])


def test_any_strides_and_kinds() -> None:
    """Transposed, strided, byte-swapped and integer stacks; nested lists; the input stays as it is."""
    rng = np.random.default_rng(0)
    G = rng.standard_normal((6, 5, 4))
    D = st.batched_ball_oracle(G, 3)
    for same in (G.astype(">f8"), np.asfortranarray(G), np.repeat(G, 2, axis=0)[::2], G.tolist()):
        np.testing.assert_array_equal(st.batched_ball_oracle(same, 3), D)
    swapped = st.batched_ball_oracle(G.swapaxes(1, 2), 3)
    # Two SVDs of well-conditioned matrices: 100 max(m, n) eps.
    np.testing.assert_allclose(swapped, D.swapaxes(1, 2), rtol=0, atol=1e-13)
    whole = rng.integers(-5, 6, (4, 3, 3))
    np.testing.assert_array_equal(
        st.batched_ball_oracle(whole, 3), st.batched_ball_oracle(whole.astype(float), 3)
    )


def test_zero_and_empty() -> None:
    """Zero matrices among others give zero; empty stacks give empty results."""
    G = np.stack([np.eye(3), np.zeros((3, 3)), np.eye(3)])
    D, info = st.batched_ball_oracle(G, 4, return_info=True)
    assert not D[1].any()
    assert [x.backend for x in info] == ["svd", "none", "svd"]
    for shape in ((0, 3, 4), (3, 0, 4), (2, 4, 0), (0, 0)):
        D, info = st.batched_ball_oracle(np.ones(shape), 4, return_info=True)
        assert D.shape == shape
        assert [x.backend for x in info] == ["none"] * int(np.prod(shape[:-2]))


def test_large_matrices_in_small_stacks() -> None:
    """Fewer large matrices than threads: BLAS threads inside; the result is the same to rounding."""
    rng = np.random.default_rng(0)
    G = rng.standard_normal((2, 210, 200))
    one = st.batched_ball_oracle(G, 4, n_threads=1)
    # The oracle at p = 4 is accurate to 100 max(m, n) eps.
    np.testing.assert_allclose(
        st.batched_ball_oracle(G, 4, n_threads=4), one, rtol=0, atol=100 * 210 * 2.3e-16
    )
    np.testing.assert_array_equal(st.batched_ball_oracle(G, 4, n_threads=2), one)


def test_errors() -> None:
    """Each names what is wrong; entries that are not finite are counted over the whole stack."""
    rng = np.random.default_rng(0)
    G = rng.standard_normal((30, 20, 20))
    G[3, 1, 1] = np.nan
    G[29, 19, 19] = np.inf
    for n_threads in (1, 2):
        with pytest.raises(ValueError, match="G: 2 of 12000 entries are not finite"):
            st.batched_ball_oracle(G, 3, n_threads=n_threads)
    with pytest.raises(ValueError, match="at least 2 dimensions"):
        st.batched_ball_oracle(np.ones(3), 3)
    with pytest.raises(TypeError, match="float32, float64 or integer"):
        st.batched_ball_oracle(np.ones((2, 2, 2), dtype=complex), 3)
    with pytest.raises(ValueError, match="p"):
        st.batched_ball_oracle(np.ones((2, 2, 2)), 0.5)
    with pytest.raises(ValueError, match="backend"):
        st.batched_ball_oracle(np.ones((2, 2, 2)), 3, backend="newton_schulz")
