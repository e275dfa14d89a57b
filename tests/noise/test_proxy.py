"""The estimated variance proxy of one block and of many."""

from __future__ import annotations

import numpy as np
import pytest
from noise import literal

import schattor as st


def test_one_block() -> None:
    """The proxy for p is sigma_q of the conjugate exponent."""
    estimate = st.noise.covariance(np.random.default_rng(0).standard_normal((9, 3, 4)))
    for p, q in ((2, 2.0), (4, 4 / 3), (np.inf, 1.0)):
        assert st.noise.proxy(estimate, p) == estimate.sigma(q)


@pytest.mark.parametrize("outer", [2.0, 4.0, np.inf])
def test_many_blocks(outer: float) -> None:
    """The plain value is that of `theory`; the jackknife leaves a batch out of all blocks at once, which matters for
    blocks that depend on each other: here the second is a multiple of the first.
    """
    rng = np.random.default_rng(1)
    G = rng.standard_normal((8, 3, 4))
    stacks = {"W": G, "U": 2 * G, "b": rng.standard_normal((8, 5))}
    norm = st.MixedNorm(
        {"W": st.Spectral(), "U": st.Schatten(4), "b": st.Schatten(2)},
        weights={"W": 2.0, "U": 0.5, "b": 1.0},
        outer=outer,
    )

    def plain(stacks: dict[str, np.ndarray]) -> float:
        covariances = {
            name: literal.covariance(x.reshape(len(x), len(x[0]), -1), 3) for name, x in stacks.items()
        }
        return st.theory.variance_proxy(covariances, norm)

    found = st.noise.proxy({name: st.noise.covariance(x, 3) for name, x in stacks.items()}, norm)
    without = [plain({name: np.delete(x, j, 0) for name, x in stacks.items()}) for j in range(8)]
    assert found.uncorrected == pytest.approx(plain(stacks), rel=1e-12)
    expected = literal.jackknife(without, plain(stacks))
    assert (found.value, found.standard_error) == pytest.approx(expected, rel=1e-6)


def test_blocks_along_a_run_have_a_value_only() -> None:
    """Estimates of a stream fit as they are."""
    params = {"W": np.zeros((2, 3)), "b": np.zeros((2, 1))}
    noise = st.noise.StreamingNoise(params, 2)
    rng = np.random.default_rng(2)
    for _ in range(3):
        noise.update({name: rng.standard_normal(x.shape) for name, x in params.items()})
    norm = st.MixedNorm.uniform(params, 4, outer=2)
    found = st.noise.proxy(noise.estimates(), norm)
    covariances = {name: e.covariance for name, e in noise.estimates().items()}
    assert found.value == pytest.approx(st.theory.variance_proxy(covariances, norm), rel=1e-12)
    assert np.isnan(found.standard_error)


def test_errors() -> None:
    """Exponents below two, and estimates that do not belong to the norm."""
    rng = np.random.default_rng(3)
    one, more = (st.noise.covariance(rng.standard_normal((k, 2, 3))) for k in (4, 5))
    norm = st.MixedNorm.uniform(["a", "b"], 4, outer=2)
    with pytest.raises(ValueError, match=r"(p|norm) must be in \[2, inf\]"):
        st.noise.proxy(one, 1.5)
    with pytest.raises(TypeError, match="a mixed norm goes with a mapping"):
        st.noise.proxy({"a": one, "b": one}, 4)
    with pytest.raises(TypeError, match="a mixed norm goes with a mapping"):
        st.noise.proxy(one, norm)
    with pytest.raises(KeyError, match="estimates lacks block 'b'"):
        st.noise.proxy({"a": one}, norm)
    with pytest.raises(ValueError, match="must come from the same batches"):
        st.noise.proxy({"a": one, "b": more}, norm)
