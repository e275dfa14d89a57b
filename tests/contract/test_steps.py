"""What every recipe promises about a step: dtypes, zero gradients, scale, order, layout, aliasing and decay."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from contract.cases import (
    CASES,
    DTYPES,
    Blocks,
    Case,
    Supplied,
    bits,
    copied,
    draw,
    mapped,
    problem,
    snapshot,
)

import schattor as st
from schattor._edge.values import at_step

STEPS = 5

pytestmark = [pytest.mark.parametrize("dtype", DTYPES), pytest.mark.parametrize("case", CASES, ids=str)]


def run(case: Case, W: Blocks, gradients: list[Blocks]) -> st.Optimizer:
    """An optimizer after these steps, on its own copy of the weights."""
    opt = case.optimizer(copied(W))
    for G in gradients:
        opt.step(G)
    return opt


def assert_close(actual: Blocks, expected: Blocks, factor: float = 64, beside: Blocks | None = None) -> None:
    """Equal to `factor` roundings of the largest entry of each block, and to two of what it was taken beside."""
    for i, x in expected.items():
        eps = float(np.finfo(x.dtype).eps)
        tolerance = factor * eps * float(np.abs(x).max(initial=0))
        if beside is not None:
            tolerance += 2 * eps * float(np.abs(beside[i]).max(initial=0))
        np.testing.assert_allclose(actual[i], x, rtol=0, atol=tolerance, err_msg=i)


def test_dtype_is_kept(case: Case, dtype: type) -> None:
    """Parameters, state, update and evaluation point have the dtype of the parameters, and step returns None."""
    W, gradients = problem(case, dtype, STEPS)
    opt = run(case, W, gradients)
    for blocks in (opt.params, opt.update(gradients[0]), opt.peek(gradients[0]), opt.evaluation_params()):
        assert {i: x.dtype for i, x in blocks.items()} == dict.fromkeys(W, np.dtype(dtype))
    state = opt.state_dict()
    numbers = {
        key.split("/")[-1] for key, x in state.items() if key.startswith("state/tall/") and x.ndim == 0
    }
    for key, value in state.items():
        number = key.split("/")[-1] in numbers  # may be kept in double whatever the dtype
        assert value.dtype in (dtype, np.float64 if number else dtype) or value.dtype.kind in "iU", key
    assert opt.step(gradients[0]) is None


def test_zero_gradients(case: Case, dtype: type) -> None:
    """From the start a zero gradient moves nothing but the decay, in all blocks or in one; nothing becomes NaN."""
    W, gradients = problem(case, dtype, STEPS)
    zero = {i: np.zeros_like(x) for i, x in W.items()}
    plain = Supplied(copied(W), case.make(weight_decay=0.0))
    for _ in range(3):
        plain.step(zero)
        assert bits(plain.params) == bits(W)
    for name in W:
        opt = Supplied(copied(W), case.make(weight_decay=0.0))
        opt.step({**gradients[0], name: zero[name]})
        assert bits(opt.params[name]) == bits(W[name])
        assert all(np.isfinite(x).all() for x in opt.params.values())
        if name in case.movers(0):
            assert opt.report[name].dual_norm == 0
            assert opt.report[name].update_rms == 0
    opt = run(case, W, gradients)
    for _ in range(3):
        opt.step(zero)
    assert all(np.isfinite(x).all() for x in opt.params.values())
    assert all(np.isfinite(x).all() for x in opt.state_dict().values() if x.dtype.kind == "f")


def test_none_leaves_a_block_alone(case: Case, dtype: type) -> None:
    """Weights, state and counter of the block stay bit for bit, and it is absent from the report.

    Numbers that all blocks share are no state of the block.
    """
    shared = case.make().shares
    W, gradients = problem(case, dtype, STEPS)
    for name in W:
        opt = run(case, W, gradients[:2])
        before, state = copied(opt.params), opt.state_dict()
        for G in gradients[2:]:
            opt.step({**G, name: None})
        assert bits(opt.params[name]) == bits(before[name])
        after = opt.state_dict()
        own = [key for key in state if key.startswith(f"state/{name}/") and key.split("/")[-1] not in shared]
        assert own
        assert bits({key: after[key] for key in own}) == bits({key: state[key] for key in own})
        assert set(opt.report) == case.movers(STEPS - 1) - {name}
        assert opt.step_count == STEPS
        moved = set().union(*(case.movers(t) for t in range(2, STEPS)))
        assert all(bits(opt.params[i]) != bits(before[i]) for i in moved - {name})


def test_none_leaves_the_coupling(case: Case, dtype: type) -> None:
    """A block that is None from the start is as if it did not exist: the same bits in the others.

    Where blocks take turns, its turns remain; a paired block cannot be missing.
    """
    if case.make().turns or case.paired:
        return
    W, gradients = problem(case, dtype, STEPS)
    for name in W:
        others = {i: x for i, x in W.items() if i != name}
        opt, alone = case.optimizer(copied(W)), case.optimizer(copied(others))
        for G in gradients:
            opt.step({**G, name: None})
            alone.step({i: G[i] for i in others})
        assert bits({i: opt.params[i] for i in others}) == bits(alone.params)
        assert bits(opt.params[name]) == bits(W[name])


def test_none_everywhere(case: Case, dtype: type) -> None:
    """A step without any gradient changes no weight and no state of a block."""
    W, gradients = problem(case, dtype, STEPS)
    opt = run(case, W, gradients)
    params, state = bits(opt.params), opt.state_dict()
    opt.step(dict.fromkeys(W))
    assert bits(opt.params) == params
    after = opt.state_dict()
    for key in state:
        if key.startswith("state/"):
            assert bits(after[key]) == bits(state[key])
    assert len(opt.report) == 0
    displacement = opt.update(dict.fromkeys(W))
    assert all(not x.any() for x in displacement.values())


def test_order_of_blocks_is_irrelevant(case: Case, dtype: type) -> None:
    """The same bits in any order where blocks separate; where they are coupled, a sum of a few terms is reordered.

    Turns follow the order.
    """
    if case.make().turns:
        return
    W, gradients = problem(case, dtype, STEPS)
    forward = run(case, W, gradients)
    reverse = case.optimizer(copied({i: W[i] for i in reversed(W)}))
    shuffled = sorted(W)
    for G in gradients:
        reverse.step({i: G[i] for i in shuffled})
    if case.coupled:
        assert_close(reverse.params, forward.params)
    else:
        assert bits(dict(sorted(reverse.params.items()))) == bits(dict(sorted(forward.params.items())))


def test_update_is_the_displacement_of_a_step(case: Case, dtype: type) -> None:
    """`update` returns what `step` adds, bit for bit, advances the state alike and leaves the parameters."""
    W, gradients = problem(case, dtype, STEPS)
    stepped, updated = case.optimizer(copied(W)), case.optimizer(copied(W))
    for G in gradients:
        before = copied(stepped.params)
        stepped.step(G)
        D = updated.update(G)
        assert bits(updated.params) == bits(before)
        assert bits(D) == bits(mapped(np.subtract, stepped.params, before))
        assert bits(updated.state_dict()) == bits(stepped.state_dict())
        assert updated.step_count == stepped.step_count
        assert dict(updated.report) == dict(stepped.report)
        for i, x in updated.params.items():
            assert not np.shares_memory(D[i], x)
            x[...] = stepped.params[i]


def test_peek_advances_nothing(case: Case, dtype: type) -> None:
    """`peek` returns what `update` would; parameters, state, counters and report stay."""
    W, gradients = problem(case, dtype, STEPS)
    opt = case.optimizer(copied(W))
    for G in gradients:
        before = snapshot(opt)
        seen = [opt.peek(G), opt.peek({**G, next(iter(W)): None}), opt.peek(G)]
        assert snapshot(opt) == before
        assert bits(seen[0]) == bits(seen[2])
        twin = case.optimizer(copied(opt.params))
        twin.load_state_dict(opt.state_dict())
        assert bits(seen[0]) == bits(twin.update(G))
        opt.step(G)
    untouched = run(case, W, gradients)
    assert bits(opt.params) == bits(untouched.params)


def test_gradients_are_read_only(case: Case, dtype: type) -> None:
    """No call writes into a gradient; read-only gradients are accepted."""
    W, gradients = problem(case, dtype, STEPS)
    opt = case.optimizer(copied(W))
    for G in gradients:
        before = bits(G)
        for x in G.values():
            x.flags.writeable = False
        opt.step(G)
        opt.update(G)
        opt.peek(G)
        assert bits(G) == before


def strided(x: np.ndarray, kind: str) -> np.ndarray:
    """The same values in another layout."""
    if kind == "fortran":
        return x.copy(order="F")
    if kind == "unaligned":
        raw = np.zeros(x.nbytes + 1, dtype=np.uint8)
        view = raw[1:].view(x.dtype).reshape(x.shape)
        view[...] = x
        return view
    if x.ndim == 0:
        return np.array([0, x, 0], dtype=x.dtype)[1:2].reshape(())
    if kind == "reversed":
        flip = (slice(None, None, -1),) * x.ndim
        return np.ascontiguousarray(x[flip])[flip]
    if kind == "broadcast rows":
        return np.broadcast_to(x[:1], x.shape)
    assert kind == "every second"
    wide = np.full(tuple(2 * n for n in x.shape), np.nan, dtype=x.dtype)
    view = wide[(slice(None, None, 2),) * x.ndim]
    view[...] = x
    return view


@pytest.mark.parametrize("kind", ["fortran", "reversed", "every second", "unaligned", "broadcast rows"])
def test_strides_do_not_matter(case: Case, dtype: type, kind: str) -> None:
    """Gradients of any layout give the bits of contiguous ones."""
    W, gradients = problem(case, dtype, STEPS)
    given = [{i: strided(x, kind) for i, x in G.items()} for G in gradients]
    contiguous = [{i: np.array(x, order="C", copy=True) for i, x in G.items()} for G in given]
    one, other = run(case, W, given), run(case, W, contiguous)
    assert bits(one.params) == bits(other.params)
    assert bits(one.state_dict()) == bits(other.state_dict())


def test_parameters_as_gradients(case: Case, dtype: type) -> None:
    """Gradients that are the parameters, another block's, or reversed views of them, act as copies would."""
    if case.paired:
        return
    rng = np.random.default_rng(3)
    W = draw({"a": (4, 4), "b": (4, 4), "c": (4, 4)}, rng, dtype)

    def own(p: Blocks) -> Blocks:
        return dict(p)

    def rotated(p: Blocks) -> Blocks:
        return {"a": p["b"], "b": p["c"], "c": p["a"]}

    def transposed(p: Blocks) -> Blocks:
        return {"a": p["a"].T, "b": p["a"][::-1], "c": p["b"][:, ::-1]}

    for choose in (own, rotated, transposed):
        aliased, plain = case.optimizer(copied(W)), case.optimizer(copied(W))
        for _ in range(3):
            aliased.step(choose(aliased.params))
            plain.step(copied(choose(plain.params)))
        assert bits(aliased.params) == bits(plain.params)
        assert bits(aliased.state_dict()) == bits(plain.state_dict())


@pytest.mark.parametrize("offset", [-1, 1, 5])
def test_gradient_in_the_same_buffer_as_its_parameter(case: Case, dtype: type, offset: int) -> None:
    """A gradient that overlaps its own parameter, shifted, is read before the parameter is written."""
    if case.paired:
        return
    buffer = np.random.default_rng(0).standard_normal(60).astype(dtype)
    weights, gradient = buffer[10:50].reshape(8, 5), buffer[10 + offset : 50 + offset].reshape(8, 5)
    apart = weights.copy()
    plain = case.optimizer({"W": apart})
    plain.step({"W": gradient.copy()})
    case.optimizer({"W": weights}).step({"W": gradient})
    assert bits({"W": weights}) == bits({"W": apart})


def test_homogeneity(case: Case, dtype: type) -> None:
    """Displacements ignore the scale of the gradients (degree 0) or follow it (degree 1), as the recipe promises.

    From zero, so that they are exact, or from the weights where the steps depend on these.
    """
    W, gradients = problem(case, dtype, STEPS)
    exact = (2.0**300, 2.0**-300) if dtype is np.float64 else (2.0**40, 2.0**-40)
    rounded = (1e150, 3.0) if dtype is np.float64 else (1e12, 3.0)
    if case.degree is None:
        assert case.make().degree is None, "the parts declare none"
        return
    recipe = case.make(weight_decay=0.0, **case.without_unit)
    start = W if recipe.reads_weights else mapped(np.zeros_like, W)
    base = Supplied(copied(start), recipe)
    base_steps = [base.update(G) for G in gradients]
    for c in (*exact, *rounded):
        scaled = Supplied(copied(start), recipe)
        for t, G in enumerate(gradients):
            D = scaled.update(mapped(lambda x, c=c: x * dtype(c), G))
            wanted = mapped(lambda x, c=c: x * dtype(c) ** dtype(case.degree), base_steps[t])
            # Powers of two scale without rounding; another factor rounds the gradients, and the conditioning of an
            # estimate amplifies that.
            if c in exact:
                assert_close(D, wanted, factor=16, beside=start)
            else:
                assert_close(D, case.determined(wanted), factor=2e3, beside=start)


def test_quadratic_loss_falls(case: Case, dtype: type) -> None:
    """Smoke: on sum ||W - target||^2 / 2 a hundred steps reach at most 70 % of the first loss (lr 1e-3: 99.9 %)."""
    rng = np.random.default_rng(11)
    W, target = draw(case.shapes, rng, dtype), draw(case.shapes, rng, dtype)
    opt = Supplied(W, case.make(weight_decay=0.0))

    def loss() -> float:
        return sum(float(((W[i] - target[i]) ** 2).sum()) for i in W) / 2

    first = loss()
    for _ in range(100):
        opt.step(mapped(np.subtract, W, target))
    moved_at_most = case.arguments.get("lr", 0.02 if case.preset is None else 1e-3) * 100
    assert loss() < (0.7 if moved_at_most > 1 else 0.999) * first


DECAY = 3.0


def test_decoupled_decay(case: Case, dtype: type) -> None:
    """(1 - lr wd) W with the scheduled lr before shape factors, beside the same displacement."""
    check_decay(case, dtype, "decoupled", lambda W, D, lr: lr * DECAY * W)


def test_independent_decay(case: Case, dtype: type) -> None:
    """(1 - wd) W, whatever the lr."""
    check_decay(case, dtype, "independent", lambda W, D, lr: DECAY * W)


def test_cautious_decay(case: Case, dtype: type) -> None:
    """Decoupled decay, only in the entries that the step moves towards zero."""
    check_decay(
        case, dtype, "cautious", lambda W, D, lr: np.where(np.sign(W) == -np.sign(D), lr * DECAY * W, 0)
    )


def decayed(case: Case, decay: str, weight_decay: float) -> st.Recipe:
    """The recipe with this decay; where it does not take the kind, the part is exchanged."""
    if case.takes("decay"):
        return case.inner(decay=decay, weight_decay=weight_decay, **case.steady)
    plain = case.inner(weight_decay=0.0, **case.steady)
    if decay == "l2":
        return replace(plain, transforms=(st.parts.L2Decay(weight_decay), *plain.transforms))
    return replace(plain, update=st.parts.Additive(decay, weight_decay))


def check_decay(case: Case, dtype: type, decay: str, lost: Callable[..., np.ndarray]) -> None:
    """Compare displacements with and without decay, from the same weights, over some steps with a falling lr."""
    W, gradients = problem(case, dtype, STEPS)

    def schedule(t: int) -> float:
        return 0.5**t

    plain = case.inner(weight_decay=0.0, **case.steady)
    with_decay = Supplied(copied(W), decayed(case, decay, DECAY), schedule=schedule)
    without = Supplied(copied(W), plain, schedule=schedule)
    eps = float(np.finfo(dtype).eps)
    for t, G in enumerate(gradients):
        before = copied(with_decay.params)
        for i, x in before.items():
            without.params[i][...] = x
        D = without.update(G)
        with_decay.step(G)
        for i, x in before.items():
            lr = at_step(plain.lr, t) * schedule(t)
            if (
                plain.shares
            ):  # a step as long as the dual norm; decay follows the recipe's own factor on the lr
                lr = without.report[i].step_size / without.report[i].dual_norm
            less = lost(x, D[i], lr)
            size = float(2 * np.abs(x).max() + np.abs(less).max() + np.abs(D[i]).max())
            stays = i not in case.movers(t) or (t == 0 and case.withholds_first)
            wanted = x if stays else x - less + D[i]
            # D was rounded in its difference to the weights.
            np.testing.assert_allclose(with_decay.params[i], wanted, rtol=0, atol=8 * eps * size, err_msg=i)


def test_l2_decay(case: Case, dtype: type) -> None:
    """The same steps as without decay on the gradient G + wd W.

    Where a step is given gradients beside it, the penalty must be in them already.
    """
    if case.make().requires & {"gradient_at_previous", "per_example"}:
        return
    W, gradients = problem(case, dtype, STEPS)
    inside = Supplied(copied(W), decayed(case, "l2", DECAY))
    outside = Supplied(copied(W), case.inner(weight_decay=0.0, **case.steady))
    for G in gradients:
        inside.step(G)
        whole = mapped(lambda g, x: g + dtype(DECAY) * x, G, outside.params)
        samples = {k: x for k, x in outside._made_up(G).items() if k in ("activations", "deltas")}
        outside.step(whole, **samples)  # a penalty has none
        # The two sums of W may differ by a rounding; the conditioning of an estimate amplifies it.
        assert_close(inside.params, outside.params, factor=2e3)
