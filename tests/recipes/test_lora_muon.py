"""LoRA-Muon: the literal rule, what does not depend on the factors of a product, and pairs of blocks."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
from contract.case import bits
from reference import composites, recipes
from reference.newton_schulz import MUON

import schattor as st

STEPS = 8
Pair = tuple[np.ndarray, np.ndarray]
RANKS = [(6, 3, 5), (4, 4, 4), (9, 2, 7), (5, 1, 4)]  # m, r, n


def factors(m: int, r: int, n: int, seed: int = 0) -> Pair:
    """A left and a right factor of order one."""
    rng = np.random.default_rng(seed)
    return rng.standard_normal((m, r)), rng.standard_normal((r, n))


def gradients_of_factors(m: int, r: int, n: int, scale: float = 1.0) -> list[Pair]:
    """Gradients that have nothing to do with a product."""
    rng = np.random.default_rng(1)
    return [(scale * rng.standard_normal((m, r)), scale * rng.standard_normal((r, n))) for _ in range(STEPS)]


def path(start: Pair, gradients: list[Pair], **arguments: Any) -> list[Pair]:
    """The factors after each step."""
    params = {"B": start[0].copy(), "A": start[1].copy()}
    opt, result = st.LoRAMuon(params, **arguments), []
    for G_B, G_A in gradients:
        opt.step({"B": G_B, "A": G_A})
        result.append((params["B"].copy(), params["A"].copy()))
    return result


def product_path(
    start: Pair, loss_gradient: Callable[[np.ndarray], np.ndarray], **arguments: Any
) -> list[np.ndarray]:
    """The products after each step, for the gradient of a loss of the product."""
    B, A = start[0].copy(), start[1].copy()
    opt, result = st.LoRAMuon({"B": B, "A": A}, **arguments), []
    for _ in range(STEPS):
        G = loss_gradient(B @ A)
        opt.step({"B": G @ A.T, "A": B.T @ G})
        result.append(B @ A)
    return result


def falling(step: int) -> float:
    """A schedule."""
    return 0.2 / (1 + step)


# ---------------------------------------------------------------------------------------------- literal rule


@pytest.mark.parametrize("shape", RANKS, ids=str)
@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"lr": 0.3, "momentum": 0.5, "weight_decay": 0.4, "eps": 1e-2},
        {"lr": falling, "momentum": falling, "weight_decay": falling},
    ],
    ids=str,
)
def test_literal_rule(arguments: dict[str, Any], shape: tuple[int, int, int]) -> None:
    """Exact polar factors; both directions come from the factors before the step."""
    start = factors(*shape)
    hyper = {"lr": 0.1, "momentum": 0.9, **arguments}
    for scale in (1e-3, 1.0, 1e3):
        gradients = gradients_of_factors(*shape, scale)
        left, right = composites.lora_muon(*start, gradients, **hyper)
        got = path(start, gradients, backend="svd", **arguments)
        for (B, A), wanted_B, wanted_A in zip(got, left.weights, right.weights, strict=True):
            # The Gram matrices of Gaussian factors have condition numbers up to 1e4.
            np.testing.assert_allclose(B, wanted_B, rtol=0, atol=1e-10)
            np.testing.assert_allclose(A, wanted_A, rtol=0, atol=1e-10)


def test_iterations() -> None:
    """Polar Express by default, any other set by name."""
    shape = RANKS[0]
    start, gradients = factors(*shape), gradients_of_factors(*shape)
    muon = partial(recipes.iterate, steps=(MUON,) * 3)
    left, _ = composites.lora_muon(*start, gradients, momentum=0.9, orthogonalize=muon)
    got = path(start, gradients, coefficients="muon", steps=3)
    np.testing.assert_allclose([B for B, _ in got], left.weights, rtol=0, atol=1e-10)
    exact, iterated = path(start, gradients, backend="svd"), path(start, gradients)
    np.testing.assert_allclose(iterated[-1][0], exact[-1][0], rtol=0, atol=1e-6)


def test_float32() -> None:
    """The Gram matrix is formed in double: the error is that of the products."""
    shape = RANKS[0]
    start, gradients = factors(*shape), gradients_of_factors(*shape)
    exact = path(start, gradients, backend="svd")

    def narrow(pair: Pair) -> Pair:
        return pair[0].astype(np.float32), pair[1].astype(np.float32)

    single = path(narrow(start), [narrow(G) for G in gradients], backend="svd")
    for (B, A), (C, D) in zip(single, exact, strict=True):
        assert B.dtype == A.dtype == np.float32
        np.testing.assert_allclose(B, C, rtol=0, atol=1e-4)
        np.testing.assert_allclose(A, D, rtol=0, atol=1e-4)


# ---------------------------------------------------------------------------------------------- the product


@pytest.mark.parametrize("kind", ["rotation", "scalar", "general"])
def test_the_product_does_not_know_its_factors(kind: str) -> None:
    """(B T, T^-1 A) has the path of (B, A) for every invertible T, momentum and decay included; eps aside."""
    m, r, n = 6, 3, 5
    rng = np.random.default_rng(2)
    B, A = factors(m, r, n)
    wanted = rng.standard_normal((m, n))
    T = {
        "rotation": np.linalg.qr(rng.standard_normal((r, r)))[0],
        "scalar": 1e-2 * np.eye(r),
        "general": rng.standard_normal((r, r)) + 2 * np.eye(r),
    }[kind]
    # A rotation leaves the Gram matrices' eps where it is.
    hyper = {"lr": 0.2, "weight_decay": 0.3, "eps": 1e-8 if kind == "rotation" else 1e-30}
    one = product_path((B, A), lambda W: W - wanted, backend="svd", **hyper)
    other = product_path((B @ T, np.linalg.solve(T, A)), lambda W: W - wanted, backend="svd", **hyper)
    np.testing.assert_allclose(other, one, rtol=0, atol=1e-9)


def test_muon_on_the_factors_knows_them() -> None:
    """The comparison above can fail: with Muon on each factor it does."""
    B, A = factors(6, 3, 5)
    G = np.random.default_rng(2).standard_normal((6, 5))

    def moved(B: np.ndarray, A: np.ndarray) -> np.ndarray:
        params = {"B": B.copy(), "A": A.copy()}
        st.Muon(params, lr=0.1, backend="svd").step({"B": G @ A.T, "A": B.T @ G})
        return params["B"] @ params["A"]

    assert np.abs(moved(B, A) - moved(100 * B, A / 100)).max() > 0.1


@pytest.mark.parametrize("shape", RANKS, ids=str)
def test_first_order_change_of_the_product(shape: tuple[int, int, int]) -> None:
    """-lr/2 (polar(G P) + polar(Q G)) with the projections P on the rows of A and Q on the columns of B.

    Its operator norm is at most lr.
    """
    m, _, n = shape
    B, A = factors(*shape)
    G = np.random.default_rng(3).standard_normal((m, n))
    opt = st.LoRAMuon({"B": B, "A": A}, lr=0.01, momentum=0.0, eps=1e-30, backend="svd")
    D = opt.update({"B": G @ A.T, "A": B.T @ G})
    change = D["B"] @ A + B @ D["A"]
    Q, P = np.linalg.qr(B)[0], np.linalg.qr(A.T)[0]
    wanted = -0.005 * (recipes.polar(G @ P) @ P.T + Q @ recipes.polar(Q.T @ G))
    np.testing.assert_allclose(change, wanted, rtol=0, atol=1e-12)
    assert np.linalg.norm(change, 2) <= 0.01 * (1 + 1e-12)


def test_decay_of_the_product() -> None:
    """Without gradients BA shrinks by 1 - lr wd in each step; the factor on the first-order change stays one."""
    B, A = factors(6, 3, 5)
    W = B @ A
    opt = st.LoRAMuon({"B": B, "A": A}, lr=0.2, weight_decay=0.5)
    for t in range(3):
        opt.step({"B": np.zeros_like(B), "A": np.zeros_like(A)})
        np.testing.assert_allclose(B @ A, 0.9 ** (t + 1) * W, rtol=1e-13, atol=1e-15)
    B, A = factors(6, 3, 5)
    small, G = 1e-7, np.random.default_rng(4).standard_normal((6, 5))
    grads = {"B": G @ A.T, "A": B.T @ G}
    plain = st.LoRAMuon({"B": B, "A": A}, lr=small).update(grads)
    decayed = st.LoRAMuon({"B": B, "A": A}, lr=small, weight_decay=0.5 / small).update(grads)

    def change(D: Any) -> np.ndarray:
        return (B + D["B"]) @ (A + D["A"])

    np.testing.assert_allclose(change(decayed) - 0.5 * B @ A, change(plain) - B @ A, rtol=0, atol=1e-12)


def test_from_a_zero_factor() -> None:
    """LoRA's start: the first step moves B alone, the next ones both, and all is finite."""
    A = factors(6, 3, 5)[1]
    B, before = np.zeros((6, 3)), A.copy()
    wanted = np.random.default_rng(5).standard_normal((6, 3)) @ factors(6, 3, 5, seed=6)[1]
    opt = st.LoRAMuon({"B": B, "A": A}, lr=falling)
    for t in range(3):
        G = B @ A - wanted
        opt.step({"B": G @ A.T, "A": B.T @ G})
        assert np.isfinite(B).all() and np.isfinite(A).all()
        assert (t == 0) == bool((before == A).all())
        assert B.any()


# ---------------------------------------------------------------------------------------------- pairs of blocks


def test_names_of_pairs() -> None:
    """Only the last component counts; several pairs, nested names, and names of one's own."""
    rng = np.random.default_rng(7)
    shapes = {"q": (6, 2, 4), "v": (5, 3, 5)}
    starts = {name: factors(*shape, seed=i) for i, (name, shape) in enumerate(shapes.items())}
    nested = {name: {"up": B.copy(), "down": A.copy()} for name, (B, A) in starts.items()}
    opt = st.LoRAMuon(nested, pair=("up", "down"))
    apart = {name: {"B": B.copy(), "A": A.copy()} for name, (B, A) in starts.items()}
    alone = {name: st.LoRAMuon(params) for name, params in apart.items()}
    for _ in range(3):
        G = {
            name: (rng.standard_normal((m, r)), rng.standard_normal((r, n)))
            for name, (m, r, n) in shapes.items()
        }
        opt.step(
            {
                f"{name}/{side}": x
                for name, pair in G.items()
                for side, x in zip(("up", "down"), pair, strict=True)
            }
        )
        for name, (left, right) in G.items():
            alone[name].step({"B": left, "A": right})
    for name in shapes:
        assert bits(nested[name]["up"]) == bits(apart[name]["B"])
        assert bits(nested[name]["down"]) == bits(apart[name]["A"])


def test_transposed_factors() -> None:
    """(in, out) storage of both factors: W' = A'B', so the stored A' is the left one there."""
    shape = RANKS[0]
    (B, A), gradients = factors(*shape), gradients_of_factors(*shape)
    stored = {"B": np.array(B.T, order="C"), "A": np.array(A.T, order="C")}
    views = {"*": st.views.transposed()}
    opt = st.LoRAMuon(stored, views=views, weight_decay=0.1)
    for G_B, G_A in gradients:
        opt.step({"B": G_B.T, "A": G_A.T})
    wanted_B, wanted_A = path((B, A), gradients, weight_decay=0.1)[-1]
    np.testing.assert_allclose(stored["B"].T, wanted_B, rtol=0, atol=1e-11)
    np.testing.assert_allclose(stored["A"].T, wanted_A, rtol=0, atol=1e-11)
    with pytest.raises(ValueError, match="expected factors of a product, stored alike"):
        st.LoRAMuon({"B": np.ones((3, 3)), "A": np.ones((3, 3))}, views={"A": st.views.transposed()})


def test_flattened_factors() -> None:
    """Kernels of convolutions are seen as (out, rest)."""
    (B, A), gradients = factors(6, 3, 4), gradients_of_factors(6, 3, 4)
    params = {"B": B.reshape(6, 3, 1, 1).copy(), "A": A.reshape(3, 2, 2).copy()}
    opt = st.LoRAMuon(params, views={"*": st.views.flatten()})
    for G_B, G_A in gradients:
        opt.step({"B": G_B.reshape(6, 3, 1, 1), "A": G_A.reshape(3, 2, 2)})
    wanted_B, wanted_A = path((B, A), gradients)[-1]
    assert bits(params["B"].reshape(6, 3)) == bits(wanted_B)
    assert bits(params["A"].reshape(3, 4)) == bits(wanted_A)


@pytest.mark.parametrize(
    ("params", "error", "match"),
    [
        ({"B": np.ones((4, 2))}, ValueError, "'B' is paired with 'A', which is no block"),
        ({"B": np.ones((4, 2)), "A": np.ones((3, 5))}, ValueError, "expected factors of a product"),
        ({"B": np.ones((4, 2)), "A": np.ones((2, 3), np.float32)}, TypeError, "expected one dtype"),
        ({"W": np.ones((4, 2))}, ValueError, "'W' belongs to no pair: its name must end in 'B' or 'A'"),
        ({"x/B": np.ones((4, 2)), "y/A": np.ones((2, 3))}, ValueError, "'x/B' is paired with 'x/A'"),
        ({"B": np.ones(4), "A": np.ones((1, 3))}, ValueError, "lora_muon takes matrices only"),
    ],
)
def test_what_makes_no_pair(params: Any, error: type[Exception], match: str) -> None:
    """Refused at construction, naming the blocks."""
    with pytest.raises(error, match=match):
        st.LoRAMuon(params)


def test_pieces_make_no_pairs() -> None:
    """The pieces of a view have names of their own."""
    with pytest.raises(ValueError, match="belongs to no pair"):
        st.LoRAMuon({"B": np.ones((4, 2)), "A": np.ones((2, 3))}, views={"B": st.views.split(2)})


def test_a_partner_elsewhere() -> None:
    """The partner may follow another recipe; its weights are read as they are, and both must still fit."""
    (B, A), gradients = factors(6, 3, 5), gradients_of_factors(6, 3, 5)
    routes = {"A": st.recipes.sgd(lr=0.0), "B": st.recipes.lora_muon()}
    fixed, beside = B.copy(), A.copy()
    opt = st.Optimizer({"A": beside, "B": fixed}, routes)
    both = {"B": B.copy(), "A": A.copy()}
    other = st.LoRAMuon(both)
    for G_B, G_A in gradients:
        opt.step({"A": G_A, "B": G_B})
        other.step({"A": None, "B": G_B})
    assert bits(fixed) == bits(both["B"])
    assert bits(beside) == bits(both["A"]) == bits(A)


@pytest.mark.parametrize("present", ["B", "A"])
def test_a_partner_that_is_not_finite(present: str) -> None:
    """Its weights are refused by its own name, also in a step in which it has no gradient; nothing changes."""
    params = dict(zip("BA", factors(6, 3, 5), strict=True))
    partner = "A" if present == "B" else "B"
    opt = st.LoRAMuon(params)
    params[partner][0, 0] = np.nan
    before, state = bits(params), bits(opt.state_dict())
    with pytest.raises(
        ValueError, match=f"block '{partner}': 1 of {params[partner].size} entries are not finite"
    ):
        opt.step({present: np.ones_like(params[present]), partner: None})
    assert bits(params) == before and bits(opt.state_dict()) == state


def test_aliased_gradients() -> None:
    """Gradients that are the parameters, or each other's, act as copies would: both are read before either moves."""
    for choose in (
        lambda p: {"B": p["B"], "A": p["A"]},
        lambda p: {"B": p["A"], "A": p["B"]},
        lambda p: {"B": p["A"].T, "A": p["B"][::-1]},
    ):
        start = dict(zip("BA", factors(4, 4, 4), strict=True))
        aliased, plain = ({name: x.copy() for name, x in start.items()} for _ in range(2))
        one, other = st.LoRAMuon(aliased), st.LoRAMuon(plain)
        for _ in range(3):
            one.step(choose(aliased))
            other.step({name: x.copy() for name, x in choose(plain).items()})
        assert bits(aliased) == bits(plain)


def test_blocks_join_in_pairs() -> None:
    """A single factor is refused, and the running optimizer is as it was."""
    params = dict(zip("BA", factors(4, 2, 3), strict=True))
    opt = st.LoRAMuon(params)
    before = bits(opt.state_dict())
    with pytest.raises(ValueError, match="paired with"):
        opt.add_block("x/B", np.ones((4, 2)))
    assert list(opt.params) == ["B", "A"] and bits(opt.state_dict()) == before


@pytest.mark.parametrize("shape", RANKS, ids=str)
@pytest.mark.parametrize("c", [2.0**300, 2.0**-300])
def test_weights_near_the_ends_of_the_range(c: float, shape: tuple[int, int, int]) -> None:
    """No Gram matrix overflows or vanishes: c times the factors, with c^2 times the lr, move c times as far."""
    (B, A), gradients = factors(*shape), gradients_of_factors(*shape)
    one = path((B, A), gradients, lr=0.1, eps=1e-300, backend="svd")
    far = path((c * B, c * A), gradients, lr=0.1 * c**2, eps=1e-300, backend="svd")
    for pair, scaled in zip(one, far, strict=True):
        np.testing.assert_allclose(scaled[0] / c, pair[0], rtol=0, atol=1e-10)
        np.testing.assert_allclose(scaled[1] / c, pair[1], rtol=0, atol=1e-10)


@pytest.mark.parametrize(
    "arguments",
    [{"eps": 0.0}, {"lr": -1.0}, {"momentum": 1.0}, {"weight_decay": -0.1}, {"coefficients": "no such"}],
    ids=str,
)
def test_values_outside_their_ranges(arguments: dict[str, Any]) -> None:
    """One clear error when the recipe is made."""
    with pytest.raises(ValueError, match=r"must be|unknown"):
        st.recipes.lora_muon(**arguments)


def test_the_metric_needs_a_pairing() -> None:
    """A recipe that has one without the other is refused."""
    with pytest.raises(ValueError, match="PartnerMetric needs a recipe with a Pairing"):
        st.Recipe("metric", 0.1, st.Spectral(), frame=st.parts.PartnerMetric())


def test_order_of_the_pair_does_not_matter() -> None:
    """Nor does the order of the blocks."""
    start, gradients = factors(6, 3, 5), gradients_of_factors(6, 3, 5)
    expected = path(start, gradients)[-1]
    for order in itertools.permutations("BA"):
        params = {name: start["BA".index(name)].copy() for name in order}
        opt = st.LoRAMuon(params)
        for G_B, G_A in gradients:
            opt.step({"A": G_A, "B": G_B})
        assert bits(params["B"]) == bits(expected[0]) and bits(params["A"]) == bits(expected[1])
