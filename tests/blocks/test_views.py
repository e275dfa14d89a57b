"""Views that make several blocks of one array, or turn it round."""

from __future__ import annotations

import copy
import io
from typing import Any

import numpy as np
import pytest
from contract.cases import SINGLE, Case, bits

import schattor as st

STEPS = 3
MATRIX_CASES = [case for case in SINGLE if not case.coupled]


def draw(shape: tuple[int, ...], count: int = STEPS) -> list[np.ndarray]:
    """Standard normal arrays."""
    rng = np.random.default_rng(5)
    return [rng.standard_normal(shape) for _ in range(count)]


def pieces_of(view: str, X: np.ndarray) -> list[np.ndarray]:
    """The pieces as arrays of their own."""
    return [np.array(x) for x in (X if view == "batch" else np.split(X, 3))]


VIEWS: dict[str, tuple[st.views.View, tuple[int, ...]]] = {
    "batch": (st.views.batch(), (3, 4, 2)),
    "split": (st.views.split(3), (12, 2)),
}


def samples_for(recipe: st.Recipe, grads: dict[str, np.ndarray]) -> dict[str, dict[str, np.ndarray]]:
    """Made-up activations and deltas, where the recipe reads them."""
    made = st.testing.extras_for(recipe, grads)
    return {kind: made[kind] for kind in ("activations", "deltas") if kind in made}


def samples_of_pieces(recipe: st.Recipe, name: str, G: np.ndarray) -> tuple[Any, Any]:
    """Those of "W" and "b" for the viewed array, and for its pieces as blocks.

    The matrices of a stack are layers of their own; the pieces of a split layer have its activations.
    """
    beside = {"b": np.eye(2)}
    apart = {f"W[{i}]": x for i, x in enumerate(pieces_of(name, G))}
    if name == "batch":
        pieces = samples_for(recipe, apart | beside)
        whole = {
            kind: {"W": np.stack([made[i] for i in apart]), "b": made["b"]} for kind, made in pieces.items()
        }
        return whole, pieces
    whole = samples_for(recipe, {"W": G} | beside)
    pieces = {}
    for kind, made in whole.items():
        cut = np.split(made["W"], 3, axis=1) if kind == "deltas" else [made["W"]] * 3
        pieces[kind] = {"b": made["b"], **dict(zip(apart, map(np.ascontiguousarray, cut), strict=True))}
    return whole, pieces


@pytest.mark.parametrize("case", SINGLE, ids=str)
@pytest.mark.parametrize("name", VIEWS)
def test_pieces_move_as_blocks_of_their_own(name: str, case: Case) -> None:
    """Bit for bit: weights, displacements, peeks, points to evaluate, states and reports."""
    view, shape = VIEWS[name]
    first, *gradients = draw(shape, STEPS + 1)
    whole = {"W": first.copy(), "b": np.ones((2, 2))}
    apart = {f"W[{i}]": x for i, x in enumerate(pieces_of(name, first))} | {"b": np.ones((2, 2))}
    one, many = case.optimizer(whole, views={"W": view}), case.optimizer(apart)
    for G in gradients:
        split = {f"W[{i}]": x for i, x in enumerate(pieces_of(name, G))} | {"b": np.eye(2)}
        given = {"W": G, "b": np.eye(2)}
        extras, extras_apart = samples_of_pieces(case.make(), name, G)
        for tentative in ("peek", "update"):
            D = getattr(one, tentative)(given, **extras)
            parts = getattr(many, tentative)(split, **extras_apart)
            assert bits(pieces_of(name, D["W"])) == bits([parts[f"W[{i}]"] for i in range(3)])
        one.step(given, **extras)
        many.step(split, **extras_apart)
    for get in (lambda opt: opt.params, lambda opt: opt.evaluation_params()):
        assert bits(pieces_of(name, get(one)["W"])) == bits([get(many)[f"W[{i}]"] for i in range(3)])
    assert bits(one.state_dict()) == bits(many.state_dict())
    assert list(one.report) == ["W[0]", "W[1]", "W[2]", "b"] or case.make().turns
    assert dict(one.report) == dict(many.report)


@pytest.mark.parametrize("name", VIEWS)
def test_resume_and_copies(name: str) -> None:
    """A saved state and a deep copy continue bit for bit."""
    view, shape = VIEWS[name]
    first, *gradients = draw(shape, STEPS + 1)
    opt = st.AdamW({"W": first}, views={"W": view})
    opt.step({"W": gradients[0]})
    other = st.AdamW({"W": first.copy()}, views={"W": view})
    other.load_state_dict(opt.state_dict())
    twin = copy.deepcopy(opt)
    for G in gradients[1:]:
        for each in (opt, other, twin):
            each.step({"W": G})
    assert bits(opt.params) == bits(other.params) == bits(twin.params)


def test_a_missing_gradient_leaves_all_pieces() -> None:
    """None stands for the whole array; strided gradients are cut as well."""
    W = np.ones((4, 2))
    opt = st.Muon({"W": W, "V": np.ones((2, 2))}, views={"W": st.views.split(2)}, weight_decay=0.1)
    opt.step({"W": None, "V": np.eye(2)})
    assert (W == 1).all() and list(opt.report) == ["V"]
    strided = np.asfortranarray(draw((4, 2))[0])
    contiguous, other = np.ascontiguousarray(strided), np.ones((4, 2))
    opt.step({"W": strided, "V": None})
    same = st.Muon({"W": other}, views={"W": st.views.split(2)}, weight_decay=0.1)
    same.step({"W": contiguous})
    assert bits(W) == bits(other)


def test_pieces_share_weight_and_geometry() -> None:
    """In a mixed norm the array's exponent and weight are those of each piece."""
    mix = st.MixedNorm({"qkv": st.Schatten(3), "V": st.Schatten(4)}, weights={"qkv": 2.0, "V": 1.0}, outer=2)
    pieces = {f"qkv[{i}]": st.Schatten(3) for i in range(3)} | {"V": st.Schatten(4)}
    weights = {"qkv*": 2.0, "V": 1.0}
    apart = st.MixedNorm(pieces, weights=weights, outer=2)
    G, H = draw((6, 3))[0], draw((2, 2))[0]
    one = st.Schattor(
        {"qkv": np.zeros((6, 3)), "V": np.zeros((2, 2))}, norm=mix, lr=1.0, views={"qkv": st.views.split(3)}
    )
    many = st.Schattor({name: np.zeros((2, 3 if "q" in name else 2)) for name in pieces}, norm=apart, lr=1.0)
    one.step({"qkv": G, "V": H})
    many.step({f"qkv[{i}]": x for i, x in enumerate(np.split(G, 3))} | {"V": H})
    assert bits(one.params["qkv"]) == bits(np.vstack([many.params[f"qkv[{i}]"] for i in range(3)]))


def test_tied_arrays_are_cut_once() -> None:
    """Gradients given under two names are added before they are cut."""
    W = np.zeros((4, 2))
    G = draw((4, 2))[0]
    opt = st.SGD({"a": W, "b": W}, lr=1.0, views={"a": st.views.split(2)})
    opt.step({"a": G, "b": G})
    np.testing.assert_allclose(W, -2 * G)


@pytest.mark.parametrize("case", MATRIX_CASES, ids=str)
def test_transposed_view(case: Case) -> None:
    """The (in, out) matrix moves as the (out, in) one does; decay and all."""
    first, *gradients = draw((6, 4), STEPS + 1)
    stored, plain = np.array(first.T, order="C"), first.copy()
    turned = case.optimizer({"W": stored}, views={"W": st.views.transposed()})
    straight = case.optimizer({"W": plain})
    for G in gradients:
        samples = samples_for(case.make(), {"W": G})
        turned.step({"W": np.array(G.T, order="C")}, **samples)
        straight.step({"W": G}, **samples)
    np.testing.assert_allclose(stored.T, plain, rtol=0, atol=1e-11)


def test_explain_names_the_pieces() -> None:
    """Each piece has its line; factors are those of the right way round."""
    out = io.StringIO()
    params = {"qkv": np.zeros((6, 3)), "W": np.zeros((2, 8))}
    views = {"qkv": st.views.split(3), "W": st.views.transposed()}
    st.Muon(params, lr=1.0, views=views).explain(file=out)
    lines = {line.split()[0]: line for line in out.getvalue().splitlines()}
    assert "split 3" in lines["qkv[1]"] and "2 x 3" in lines["qkv[1]"]
    assert "transposed" in lines["W"] and lines["W"].split()[-1] == "2"


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: st.views.split(0), "count"),
        (lambda: st.views.split(3, axis=1), "axis"),
        (lambda: st.SGD({"W": np.zeros((4, 3))}, views={"W": st.views.split(3)}), "'W'.*equal parts"),
        (lambda: st.SGD({"W": np.zeros((4, 3))}, views={"W": st.views.batch()}), "'W'.*three dimensions"),
        (lambda: st.Muon({"W": np.zeros((4, 3, 2))}, views={"W": st.views.transposed()}), "two dimensions"),
    ],
)
def test_refusals(make: Any, match: str) -> None:
    """One clear error that names the block where there is one."""
    with pytest.raises(ValueError, match=match):
        make()


def test_gradient_of_another_shape() -> None:
    """Named by the array, and nothing has moved."""
    W = np.ones((4, 2))
    opt = st.SGD({"W": W}, lr=1.0, views={"W": st.views.split(2)})
    with pytest.raises(ValueError, match=r"'W'.*\(2, 2\).*\(4, 2\)"):
        opt.step({"W": np.ones((2, 2))})
    assert (W == 1).all()
