"""Parameter structures, views, tied arrays, mixed dtypes, evaluation points and what an optimizer prints."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from contract.cases import CASES, SINGLE, Case, Supplied, bits, copied, draw, problem

import schattor as st
from schattor._edge.values import at_step

STEPS = 4
ALL = pytest.mark.parametrize("case", CASES, ids=str)
ALL_SINGLE = pytest.mark.parametrize("case", SINGLE, ids=str)


@ALL_SINGLE
def test_flatten_view_is_the_reshaped_problem(case: Case) -> None:
    """A convolution kernel seen through `flatten` moves as its (out, rest) matrix, bit for bit."""
    rng = np.random.default_rng(0)
    shapes = {"conv": (6, 2, 2), "deep": (2, 3, 2, 2), "flat": (4, 3)}
    W = draw(shapes, rng)
    gradients = [draw(shapes, rng) for _ in range(STEPS)]
    opt = case.optimizer(copied(W), views={"conv": st.views.flatten(), "d*": st.views.flatten()})
    matrices = {i: x.reshape(x.shape[0], -1).copy() for i, x in W.items()}
    plain = case.optimizer(matrices)
    for G in gradients:
        D = opt.update(G)
        flat = plain.update({i: x.reshape(x.shape[0], -1) for i, x in G.items()})
        assert {i: x.shape for i, x in D.items()} == shapes
        assert bits({i: x.reshape(x.shape[0], -1) for i, x in D.items()}) == bits(flat)
        opt.step(G)
        plain.step({i: x.reshape(x.shape[0], -1) for i, x in G.items()})
    for i, x in opt.params.items():
        assert bits(x.reshape(x.shape[0], -1)) == bits(matrices[i])
    for key, value in opt.state_dict().items():  # entry by entry: in the shape of the parameter
        if key.startswith("state/") and value.size == W[key.split("/")[1]].size:
            assert value.shape == shapes[key.split("/")[1]]


def test_shape_factor_of_a_view() -> None:
    """Muon's sqrt(max(1, rows / cols)) takes the flattened shape: (8, 2, 1) is 8 x 2."""
    G = np.random.default_rng(1).standard_normal((8, 2, 1))
    opt = st.Muon({"k": np.zeros((8, 2, 1))}, lr=1.0, views={"k": st.views.flatten()}, backend="svd")
    D = opt.update({"k": G})["k"]
    assert np.linalg.norm(D.reshape(8, 2), 2) == pytest.approx(2.0, rel=1e-13)


@ALL
def test_tied_arrays(case: Case) -> None:
    """One array under two names is one block under the first; the gradients given under its names are added."""
    W, gradients = problem(case, np.float64, STEPS)
    W = {i: W[i] for i in ("tall", "wide")}
    tied, plain = copied(W), copied(W)
    tied["again"] = tied["tall"]
    opt, single = case.optimizer(tied), case.optimizer(plain)
    halves = np.random.default_rng(4).standard_normal(W["tall"].shape)
    for t, G in enumerate(gradients):
        given: dict[str, Any] = {"wide": G["wide"], "tall": G["tall"], "again": halves}
        total: Any = G["tall"] + halves
        if t == 1:
            given["again"], total = None, G["tall"]
        if t == 2:
            given["tall"], total = None, halves
        if t == 3:
            given["tall"] = given["again"] = total = None
        D = opt.peek(given)
        assert bits(D["tall"]) == bits(D["again"])
        opt.step(given)
        single.step({"wide": G["wide"], "tall": total})
        assert tied["again"] is tied["tall"]
        assert bits({i: tied[i] for i in W}) == bits(plain)
        assert bits(opt.state_dict()) == bits(single.state_dict())
        assert set(opt.report) == set(single.report)


def test_tied_names() -> None:
    """`params` has every name; the state and the report the first one; a route may use either, but only one."""
    shared = np.ones((2, 2))
    params = {"first": shared, "second": shared}
    opt = Supplied(params, st.recipes.sgd(lr=0.1, momentum=0.9))
    opt.step({"first": np.ones((2, 2)), "second": None})
    assert set(opt.params) == {"first", "second"}
    assert list(opt.report) == ["first"]
    assert all("second" not in key for key in opt.state_dict())
    assert len(opt.evaluation_params()) == 2
    with pytest.raises(ValueError, match="second"):
        Supplied(params, {"first": st.recipes.sgd(), "second": st.recipes.sgd()})
    with pytest.raises((KeyError, ValueError), match="second"):
        st.Schattor(
            params,
            norm=st.MixedNorm({"first": st.Schatten(3), "second": st.Schatten(3)}, outer=2),
            lr=0.1,
        )


@pytest.mark.parametrize("case", [case for case in SINGLE if not case.make().draws], ids=str)
def test_nested_structures(case: Case) -> None:
    """Dicts and lists may nest; names join by "/"; gradients may be nested or flat."""
    W, gradients = problem(case, np.float64, STEPS)

    def nested(blocks: Any) -> Any:
        return {"a": {"x": blocks["tall"], "y": [blocks["wide"], (blocks["square"],)]}}

    names = {"a/x": "tall", "a/y/0": "wide", "a/y/1/0": "square"}
    params = nested(copied(W))
    opt, plain = case.optimizer(params), case.optimizer(copied({i: W[i] for i in names.values()}))
    assert list(opt.params) == list(names)
    for t, G in enumerate(gradients):
        flat = {name: G[i] for name, i in names.items()}
        given = flat if t % 2 else nested(G)
        D = opt.peek(given)
        assert isinstance(D["a"]["y"], list)
        assert D["a"]["y"][1][0].shape == (4, 4)
        opt.step(given)
        plain.step({i: G[i] for i in names.values()})
        assert bits(opt.params) == bits({name: plain.params[i] for name, i in names.items()})
    assert params["a"]["x"] is opt.params["a/x"]


def test_lists_and_single_arrays() -> None:
    """A list has the names "0", "1", ...; one array is block "0"; `update` returns the same form."""
    for params, form in (
        (np.ones((2, 2)), np.ndarray),
        ([np.ones((2, 2))], list),
        ((np.ones((2, 2)),), list),
    ):
        opt = st.SGD(params, lr=1.0)
        assert list(opt.params) == ["0"]
        grads = np.ones((2, 2)) if form is np.ndarray else [np.ones((2, 2))]
        assert isinstance(opt.update(grads), form)
        assert isinstance(opt.evaluation_params(), form)
        opt.step(grads)
        opt.step({"0": np.ones((2, 2))})
        np.testing.assert_array_equal(opt.params["0"], -np.ones((2, 2)))


@ALL
def test_evaluation_params_are_copies(case: Case) -> None:
    """Equal to the parameters, unless the recipe averages; in their structure, sharing no memory with them."""
    W, gradients = problem(case, np.float64, 2)
    opt = case.optimizer(copied(W))
    opt.step(gradients[0])
    point = opt.evaluation_params()
    averages = case.inner() != case.make()
    assert averages or bits(point) == bits(opt.params)
    for i, x in point.items():
        assert not np.shares_memory(x, opt.params[i])
    before = bits(point)
    opt.step(gradients[1])
    assert bits(point) == before


@ALL_SINGLE
def test_float32_beside_float64(case: Case) -> None:
    """Blocks of both dtypes in one optimizer: separate blocks move as alone, coupled ones share in double precision."""
    W, gradients = problem(case, np.float64, STEPS)
    single = next(iter(W))

    def mixed(blocks: Any) -> Any:
        return {i: x.astype(np.float32 if i == single else np.float64) for i, x in blocks.items()}

    opt, double = case.optimizer(mixed(W)), case.optimizer(copied(W))
    alone = {i: case.optimizer({i: x}) for i, x in mixed(W).items()}
    for G in gradients:
        given = mixed(G)
        opt.step(given)
        double.step({i: x.astype(np.float64) for i, x in given.items()})
        for i, other in alone.items():
            other.step({i: given[i]})
    for i, x in opt.params.items():
        assert x.dtype == (np.float32 if i == single else np.float64)
        if not case.coupled:
            assert bits(x) == bits(alone[i].params[i])
        if not case.signed and i in case.determined(W):  # one rounding may turn a sign
            # float32 rounds at 1e-7; the conditioning of these estimates and eight steps stay below a factor of 1e4
            np.testing.assert_allclose(x, double.params[i], rtol=0, atol=1e-3)
    assert "float32/float64" in repr(opt)


def test_routes_move_blocks_as_their_recipes_alone() -> None:
    """A hybrid is its recipes side by side: exact names win, then the first glob in order; "*" also matches "/"."""
    rng = np.random.default_rng(5)
    shapes = {"embed": (6, 3), "layer/W": (4, 4), "layer/b": (4,), "head/W": (3, 4), "head/b": (3,)}
    W, gradients = draw(shapes, rng), [draw(shapes, rng) for _ in range(STEPS)]
    r = st.recipes
    routes = {
        "*/b": r.adamw(lr=0.01),
        "layer/*": r.muon(),
        "embed": r.sgd(lr=0.1, momentum=0.9),
        "*": r.schattor(p=4, lr=0.02),
    }
    owner = {"embed": "embed", "layer/W": "layer/*", "layer/b": "*/b", "head/W": "*", "head/b": "*/b"}
    opt = Supplied(copied(W), routes)
    alone = {i: Supplied({i: W[i].copy()}, routes[owner[i]]) for i in W}
    for G in gradients:
        opt.step(G)
        for i, other in alone.items():
            other.step({i: G[i]})
    for i, other in alone.items():
        assert bits(opt.params[i]) == bits(other.params[i])
    swapped = Supplied(copied(W), {"*": r.sgd(lr=0.1), "embed": r.sign_sgd(lr=1.0)})
    swapped.step({**dict.fromkeys(W), "embed": gradients[0]["embed"]})
    np.testing.assert_allclose(
        swapped.params["embed"], W["embed"] - np.sign(gradients[0]["embed"]), rtol=1e-15
    )


def test_groups_couple_their_own_blocks_only() -> None:
    """The norm of a joint recipe runs over the blocks that are routed to it."""
    G = {"a": np.array([3.0]), "b": np.array([4.0]), "c": np.array([100.0])}
    params = {i: np.zeros(1) for i in G}
    opt = Supplied(params, {"c": st.recipes.sgd(lr=0.01), "*": st.recipes.normalized_sgd(lr=1.0)})
    opt.step(G)
    np.testing.assert_allclose([params[i][0] for i in "abc"], [-0.6, -0.8, -1.0], rtol=1e-14)


@pytest.mark.parametrize("nested", [False, True])
def test_rebinding_is_noticed(nested: bool) -> None:
    """The optimizer keeps the arrays it was given: a step that finds others in the caller's dict moves none."""
    inner = {"W": np.zeros(2), "b": np.zeros(1)}
    params: dict[str, Any] = {"layer": inner} if nested else inner
    name = "layer/W" if nested else "W"
    grads = {key: np.ones_like(array) for key, array in (("W", inner["W"]), ("b", inner["b"]))}
    grads = {"layer": grads} if nested else grads
    original = inner["W"]
    opt = st.SGD(params, lr=1.0)
    inner["W"] = np.zeros(2)
    for call in (opt.step, opt.update, opt.peek):
        with pytest.raises(ValueError, match=f"{name!r} of params is another array"):
            call(grads)
    inner["W"] = original[:]  # the same memory
    opt.step(grads)
    np.testing.assert_array_equal(original, [-1, -1])
    inner["new"] = np.zeros(2)
    with pytest.raises(ValueError, match=r"new.*add_block"):
        opt.step(grads)
    del inner["new"], inner["b"]
    with pytest.raises(ValueError, match="lacks block"):
        opt.step(grads)
    assert opt.params[name] is original
    assert opt.step_count == 1


def test_empty_blocks() -> None:
    """Blocks without entries are legal and do nothing."""
    params = {"none": np.zeros((0, 3)), "W": np.ones((2, 2))}
    for recipe in (
        st.recipes.schattor(p=3, lr=0.1),
        st.recipes.adamw(),
        st.recipes.muon(),
        st.recipes.sgd(lr=0.1),
    ):
        opt = Supplied(copied(params), recipe)
        opt.step({"none": np.zeros((0, 3)), "W": np.eye(2)})
        assert opt.params["none"].shape == (0, 3)
        assert np.isfinite(opt.params["W"]).all()


def effective_lr(recipe: st.Recipe, step: int) -> float:
    """lr times the shape factor of a 6 x 4 block."""
    return at_step(recipe.lr, step) * recipe.scaling.factor((6, 4), step)


def pace(opt: st.Optimizer) -> float:
    """The factor on lr of recipes that find one themselves, by what all blocks share: Prodigy's d, STORM's eta."""
    state = {key: float(x) for key, x in opt.state_dict().items() if x.dtype.kind == "f" and x.size == 1}
    w = 5.0  # that of the table's case
    storm = (w + state.get("state/tall/squared_norms", 0.0)) ** (-1 / 3)
    return storm if "state/tall/squared_norms" in state else state.get("state/tall/d_of_step", 1.0)


@ALL
def test_what_an_optimizer_prints(case: Case) -> None:
    """repr is one line; explain and the HTML table list every block with its recipe and effective lr."""
    W, gradients = problem(case, np.float64, 1)
    opt = case.optimizer(copied(W), schedule=lambda t: 1.0 if t == 0 else 0.5)
    assert "\n" not in repr(opt)
    total = sum(x.size for x in W.values())
    for part in (type(opt).__name__, f"{len(W)} blocks", f"{total:,} parameters", "float64", "step 0"):
        assert part in repr(opt)
    out = io.StringIO()
    opt.explain(file=out)
    text, html = out.getvalue(), opt._repr_html_()
    recipe = case.make()
    for word in (
        "block",
        "shape",
        "view",
        "recipe",
        "geometry",
        "scale",
        "decay",
        "effective lr",
        *W,
        recipe.name,
    ):
        assert word in text
        assert word in html
    assert "6 x 4" in text
    assert "<table" in html
    line = next(x for x in text.splitlines() if x.startswith("tall"))
    factor = float(line.split()[-1])
    assert factor == pytest.approx(effective_lr(recipe, 0) * pace(opt), rel=1e-3)
    opt.step(gradients[0])
    assert "step 1" in repr(opt)
    later = io.StringIO()
    opt.explain(file=later)
    line = next(x for x in later.getvalue().splitlines() if x.startswith("tall"))
    assert float(line.split()[-1]) == pytest.approx(effective_lr(recipe, 1) / 2 * pace(opt), rel=1e-3)


def test_explain_prints_to_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    """Views, tied names and the kind of decay are shown; names are escaped in HTML."""
    shared = np.ones((2, 2, 2))
    opt = st.AdamW(
        {"a<b>": shared, "c": shared, "d": np.ones(3)},
        views={"a*": st.views.flatten()},
        decay="cautious",
        weight_decay=0.25,
    )
    opt.explain()
    text = capsys.readouterr().out
    for part in ("2 x 2 x 2", "flatten", "cautious 0.25", "a<b> = c", "adamw"):
        assert part in text
    html = opt._repr_html_()
    assert "a&lt;b&gt;" in html
    assert "a<b>" not in html
