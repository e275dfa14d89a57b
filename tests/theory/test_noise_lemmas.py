"""Lemmas 3, 4 and 11: both sides, their equality cases, and how they fail outside of their range."""

from __future__ import annotations

import itertools

import hypothesis.strategies as hst
import numpy as np
import pytest
from hypothesis import given
from reference.oracles import conjugate, lp_norm, schatten_norm

import schattor as st

EXPONENTS = hst.sampled_from([2.0, 2.1, 3.0, 4.0, 8.0, 64.0, np.inf])
SIDES = hst.integers(1, 5)
SEEDS = hst.integers(0, 2**32 - 1)
# Condition numbers up to 1e6 of a weight or of M cost as many digits in its inverse.
ROUNDING = 1e-8


def random_weight(rng: np.random.Generator, order: int) -> np.ndarray:
    """A positive definite matrix of condition number up to 1e6."""
    rotation = np.linalg.qr(rng.standard_normal((order, order)))[0]
    return rotation * 10.0 ** rng.uniform(-3, 3, order) @ rotation.T


def root(C: np.ndarray) -> np.ndarray:
    """Symmetric square root."""
    eigenvalues, vectors = np.linalg.eigh(C)
    return vectors * np.sqrt(np.maximum(eigenvalues, 0)) @ vectors.T


@given(SIDES, SIDES, EXPONENTS, SEEDS)
def test_lemma_3(m: int, n: int, p: float, seed: int) -> None:
    """The left side does not exceed the right one, and both are the literal formulas."""
    rng = np.random.default_rng(seed)
    M, weight = rng.standard_normal((m, n)) * 10.0 ** rng.uniform(-2, 2, (1, n)), random_weight(rng, m)
    sides, q = st.theory.lemma_3(M, weight, p), conjugate(p)
    a = np.inf if q == 2 else q / (2 - q)
    norm = lp_norm(np.linalg.eigvalsh(weight), a)
    assert sides.left == pytest.approx(schatten_norm(M, q) ** 2, rel=1e-12)
    assert sides.right == pytest.approx(norm * np.trace(M.T @ np.linalg.solve(weight, M)), rel=ROUNDING)
    assert sides.left <= sides.right * (1 + ROUNDING)


@given(SIDES, hst.integers(0, 3), EXPONENTS, SEEDS)
def test_equality_in_lemma_3(m: int, more: int, p: float, seed: int) -> None:
    """With Lambda = (MM')^((2-q)/2) the sides are equal; with any other weight the right one is larger or equal."""
    rng = np.random.default_rng(seed)
    M = random_weight(rng, m) @ np.linalg.qr(rng.standard_normal((m + more, m)))[0].T
    weight = st.theory.optimal_weight(M, p)
    assert st.theory.lemma_3(M, weight, p).ratio == pytest.approx(1, rel=1e-6)
    disturbed = weight + 0.5 * weight[0, 0] * np.eye(m)
    assert st.theory.lemma_3(M, disturbed, p).ratio <= 1 + 1e-6


def tree(rng: np.random.Generator, shape: tuple[int, int], depth: int) -> dict[tuple[int, ...], np.ndarray]:
    """A matrix for every history of signs: N_t = sign_t A(sign_1 .. sign_(t-1)) is a martingale difference sequence."""
    histories = itertools.chain(*(itertools.product((-1, 1), repeat=t) for t in range(depth)))
    return {h: rng.standard_normal(shape) * 10.0 ** rng.uniform(-1, 1, (shape[0], 1)) for h in histories}


@given(SIDES, SIDES, hst.integers(1, 4), EXPONENTS, SEEDS)
def test_lemma_4(m: int, n: int, depth: int, p: float, seed: int) -> None:
    """The second moment of a sum over all paths of signs, which is exact, is below the bound for any weight."""
    rng = np.random.default_rng(seed)
    A, q = tree(rng, (m, n), depth), conjugate(p)
    paths = list(itertools.product((-1, 1), repeat=depth))
    c = rng.standard_normal(depth)
    moment = np.mean(
        [schatten_norm(sum(c[t] * s[t] * A[s[:t]] for t in range(depth)), q) ** 2 for s in paths]
    )
    second = [np.mean([A[s[:t]] @ A[s[:t]].T for s in paths], axis=0) for t in range(depth)]
    scaled = [c[t] ** 2 * C for t, C in enumerate(second)]
    assert moment <= st.theory.lemma_4(scaled, random_weight(rng, m), p) * (1 + ROUNDING)
    # The sum of all second moments dominates each of them.
    assert moment <= st.theory.martingale_bound(sum(second), c, p) * (1 + ROUNDING)


@given(SIDES, hst.integers(0, 3), hst.integers(1, 5), EXPONENTS, SEEDS)
def test_equality_in_lemma_4(m: int, more: int, terms: int, p: float, seed: int) -> None:
    """For independent signs times one matrix A, V = (AA')^(1/2) makes it an equality: no constant can be better."""
    rng = np.random.default_rng(seed)
    A, c = rng.standard_normal((m, m + more)), rng.standard_normal(terms)
    signs = np.array(list(itertools.product((-1, 1), repeat=terms)))
    moment = np.mean((signs @ c) ** 2) * schatten_norm(A, conjugate(p)) ** 2
    assert st.theory.martingale_bound(A @ A.T, c, p) == pytest.approx(moment, rel=1e-7)


@given(hst.integers(1, 3), hst.integers(1, 4), hst.sampled_from([2.0, 2.5, 4.0, np.inf]), SEEDS)
def test_lemma_11(blocks: int, terms: int, r: float, seed: int) -> None:
    """Many blocks, each with its exponent and weight: below the bound, and equal for signs times one set of blocks."""
    rng = np.random.default_rng(seed)
    names = [f"b{i}" for i in range(blocks)]
    exponents = {k: float(rng.choice([2.0, 3.0, 8.0, np.inf])) for k in names}
    weights = {k: 10.0 ** rng.uniform(-1, 1) for k in names}
    norm = st.MixedNorm({k: st.Schatten(p) for k, p in exponents.items()}, weights=weights, outer=r)
    shapes = {k: tuple(np.sort(rng.integers(1, 5, 2)).tolist()) for k in names}
    A = [{k: rng.standard_normal(shape) for k, shape in shapes.items()} for _ in range(terms)]
    c = rng.standard_normal(terms)
    paths = list(itertools.product((-1, 1), repeat=terms))

    def moment(given_terms: list[dict[str, np.ndarray]]) -> float:
        sums = [{k: sum(c[t] * s[t] * given_terms[t][k] for t in range(terms)) for k in names} for s in paths]
        return float(np.mean([norm.dual_norm(x) ** 2 for x in sums]))

    covariance = {k: sum(x[k] @ x[k].T for x in A) for k in names}
    assert moment(A) <= st.theory.martingale_bound(covariance, c, norm) * (1 + ROUNDING)
    single = {k: x @ x.T for k, x in A[0].items()}
    expected = st.theory.martingale_bound(single, c, norm)
    assert moment([A[0]] * terms) == pytest.approx(expected, rel=1e-6)
    a = [schatten_norm(root(single[k]), conjugate(exponents[k])) / weights[k] for k in names]
    assert st.theory.variance_proxy(single, norm) == pytest.approx(
        lp_norm(np.array(a), conjugate(r)), rel=1e-9
    )


@pytest.mark.parametrize("p", [1.0, 1.25, 1.5])
def test_the_bound_fails_below_two(p: float) -> None:
    """N = sqrt(k) e_i e_1', random i and sign, has E[NN'] = I, but E||N||_q^2 = k > ||I||_q^2 = k^(2/q) for q > 2."""
    k, q = 16, conjugate(p)
    draws = [np.sqrt(k) * np.outer(np.eye(k)[i], np.eye(3)[0]) for i in range(k)]
    second = np.mean([N @ N.T for N in draws], axis=0)
    np.testing.assert_allclose(second, np.eye(k), rtol=0, atol=1e-14)
    moment = np.mean([schatten_norm(N, q) ** 2 for N in draws])
    assert moment == pytest.approx(k)
    formula = schatten_norm(root(second), q) ** 2
    excess = 1 - 2 / q if np.isfinite(q) else 1
    assert moment / formula == pytest.approx(k**excess)
    assert moment > 1.5 * formula
    for bound in (
        lambda: st.theory.martingale_bound(second, [1.0], p),
        lambda: st.theory.lemma_4([second], np.eye(k), p),
        lambda: st.theory.lemma_3(draws[0], np.eye(k), p),
        lambda: st.theory.optimal_weight(draws[0], p),
        lambda: st.theory.variance_proxy(second, p),
    ):
        with pytest.raises(ValueError, match=r"(p|norm) must be in \[2, inf\]"):
            bound()
    for valid in (2.0, 4.0, np.inf):
        assert k <= st.theory.martingale_bound(second, [1.0], valid) * (1 + 1e-12)


def test_the_mixed_bound_fails_below_two() -> None:
    """The same over blocks: one of k scalars is sqrt(k), chosen at random, in an outer norm with r < 2."""
    k, r = 16, 1.5
    names = [f"b{i}" for i in range(k)]
    norm = st.MixedNorm(dict.fromkeys(names, st.Schatten(2)), outer=r)
    draws = [{name: np.full((1, 1), np.sqrt(k) * (i == j)) for j, name in enumerate(names)} for i in range(k)]
    moment = np.mean([norm.dual_norm(N) ** 2 for N in draws])
    formula = norm.dual_norm({name: np.ones((1, 1)) for name in names}) ** 2
    assert moment > 1.5 * formula
    with pytest.raises(ValueError, match=r"outer must be in \[2, inf\]"):
        st.theory.martingale_bound({name: np.ones((1, 1)) for name in names}, [1.0], norm)


def test_no_dimension_appears() -> None:
    """For V = diag(1/i) in S_inf the bound grows as log(d)^2, the one through the Frobenius norm as d."""
    bounds, through_frobenius = [], []
    for d in (8, 512):
        covariance = np.diag(1 / np.arange(1.0, d + 1) ** 2)
        bounds.append(st.theory.martingale_bound(covariance, [1.0], np.inf))
        through_frobenius.append(d * np.trace(covariance))
        assert bounds[-1] <= through_frobenius[-1]
    assert bounds[1] / bounds[0] == pytest.approx(6.3, rel=0.02)
    assert through_frobenius[1] / through_frobenius[0] > 64


def test_refusals() -> None:
    """Geometries without a bound, and matrices that are no covariances or weights."""
    lp = st.MixedNorm({"a": st.Lp(4)}, outer=2)
    with pytest.raises(ValueError, match="block 'a' must be Schatten"):
        st.theory.variance_proxy({"a": np.eye(2)}, lp)
    scheduled = st.MixedNorm({"a": st.Schatten(lambda step: 4.0)}, outer=2)
    with pytest.raises(ValueError, match="constant exponent"):
        st.theory.variance_proxy({"a": np.eye(2)}, scheduled)
    with pytest.raises(TypeError, match="mapping"):
        st.theory.variance_proxy({"a": np.eye(2)}, 4)
    with pytest.raises(ValueError, match=r"covariance must be symmetric and positive semi-definite"):
        st.theory.variance_proxy(np.diag([1.0, -1.0]), 4)
    with pytest.raises(ValueError, match=r"weight must be positive definite"):
        st.theory.lemma_3(np.eye(2), np.diag([1.0, 0.0]), 4)
    with pytest.raises(ValueError, match=r"weight must have shape \(2, 2\)"):
        st.theory.lemma_3(np.eye(2), np.eye(3), 4)
