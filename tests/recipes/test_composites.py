"""MuonEq, Muon+, Aurora and RMNP against their literal rules, and the identities that tie them to Muon."""

from __future__ import annotations

import itertools
from functools import partial
from typing import Any

import numpy as np
import pytest
from reference import composites, recipes
from reference.newton_schulz import MUON, SIMPLE_QUINTIC

import schattor as st

STEPS = 8
SHAPES = [(9, 4), (3, 8), (5, 5)]
DECAYS = ["decoupled", "l2", "independent", "cautious"]
ORDERS = {
    "none": (),
    "col": ("col",),
    "row": ("row",),
    "col_row": ("col", "row"),
    "row_col": ("row", "col"),
}


def problem(shape: tuple[int, ...], scale: float = 1.0, seed: int = 0) -> tuple[np.ndarray, list[np.ndarray]]:
    """Weights of order one and gradients of order `scale`."""
    rng = np.random.default_rng(seed)
    return rng.standard_normal(shape), [scale * rng.standard_normal(shape) for _ in range(STEPS)]


def path(
    optimizer: type[st.Optimizer], W: np.ndarray, gradients: list[np.ndarray], **arguments: Any
) -> np.ndarray:
    """Weights after each step."""
    W = W.copy()
    opt, result = optimizer(W, **arguments), []
    for G in gradients:
        opt.step(G)
        result.append(W.copy())
    return np.array(result)


def direction(optimizer: type[st.Optimizer], G: np.ndarray, **arguments: Any) -> np.ndarray:
    """What the first step moves by, without decay and shape factor, by exact polar factors."""
    options = {"lr": 1.0, "momentum": 0.0, "weight_decay": 0.0, "scale": 1.0, "backend": "svd", **arguments}
    return np.asarray(optimizer(np.zeros(G.shape, G.dtype), **options).update(G))


def falling(step: int) -> float:
    """A schedule."""
    return 0.1 / (1 + step)


def warming(step: int) -> float:
    """Momentum that grows."""
    return min(0.9, 0.1 * step)


def phase(step: int) -> str:
    """Each of the modes in turn."""
    return ("rowcol", "row", "col")[step % 3]


def compare(optimizer: type[st.Optimizer], rule: Any, tolerance: float = 1e-11, **arguments: Any) -> None:
    """Exact polar factors: what differs is rounding, amplified by the conditioning of Gaussian matrices."""
    literal = arguments.pop("literal", {})
    for shape, scale in itertools.product(SHAPES, (1e-3, 1.0, 1e3)):
        W, gradients = problem(shape, scale)
        expected = rule(W, gradients, **{**arguments, **literal}).weights
        got = path(optimizer, W, gradients, backend="svd", **arguments)
        np.testing.assert_allclose(got, expected, rtol=0, atol=tolerance)


VARIED: list[dict[str, Any]] = [
    {"lr": 0.05, "weight_decay": 0.3, "decay": decay, "nesterov": nesterov}
    for decay, nesterov in itertools.product(DECAYS, (True, False))
]
VARIED += [{"lr": falling, "momentum": warming, "weight_decay": falling, "scale": 0.7}]


@pytest.mark.parametrize("mode", ["row", "col", "rowcol", phase])
@pytest.mark.parametrize("arguments", VARIED, ids=str)
def test_muon_eq(arguments: dict[str, Any], mode: Any) -> None:
    """At 1e-3 the eps of 1e-8 is a hundredth of a percent of a squared length, so it must be in its place."""
    compare(st.MuonEq, muon_eq_rule, mode=mode, **arguments)
    compare(st.MuonEq, muon_eq_rule, mode=mode, eps=0.0, **arguments)


def muon_eq_rule(W: np.ndarray, gradients: list[np.ndarray], mode: Any, **arguments: Any) -> recipes.Path:
    """The literal rule, whose argument is called lines."""
    return composites.muon_eq(W, gradients, lines=mode, **arguments)


@pytest.mark.parametrize("mode", ORDERS)
@pytest.mark.parametrize("arguments", VARIED, ids=str)
def test_muon_plus(arguments: dict[str, Any], mode: str) -> None:
    """Every order, with the source's eps and a large one."""

    def rule(W: np.ndarray, gradients: list[np.ndarray], mode: str, **more: Any) -> recipes.Path:
        return composites.muon_plus(W, gradients, lines=ORDERS[mode], **more)

    compare(st.MuonPlus, rule, mode=mode, **arguments)
    compare(st.MuonPlus, rule, mode=mode, eps=0.1, **arguments)


@pytest.mark.parametrize(("passes", "beta"), [(1, 0.5), (2, 0.5), (2, 0.0), (4, 0.8)])
@pytest.mark.parametrize("arguments", VARIED, ids=str)
def test_aurora(arguments: dict[str, Any], passes: int, beta: float) -> None:
    """Passes and the power of the correction."""
    compare(st.Aurora, composites.aurora, passes=passes, beta=beta, **arguments)


@pytest.mark.parametrize("arguments", VARIED, ids=str)
def test_rmnp(arguments: dict[str, Any]) -> None:
    """No matrix product, so no amplification either."""
    compare(st.RMNP, composites.rmnp, tolerance=1e-13, **arguments)


def test_iterations_of_the_sources() -> None:
    """Without a backend each recipe has the iteration of its code: five steps of Muon, twelve of (2, -1.5, 0.5)."""
    muon = partial(recipes.iterate, steps=(MUON,) * 5)
    quintic = partial(recipes.iterate, steps=(SIMPLE_QUINTIC,) * 12)
    for shape in SHAPES:
        W, gradients = problem(shape)
        for optimizer, rule, steps in (
            (st.MuonEq, composites.muon_eq, muon),
            (st.Aurora, composites.aurora, quintic),
        ):
            expected = rule(W, gradients, orthogonalize=steps).weights
            np.testing.assert_allclose(path(optimizer, W, gradients), expected, rtol=0, atol=1e-11)
        expected = composites.muon_plus(W, gradients, lines=("col", "row"), orthogonalize=muon).weights
        np.testing.assert_allclose(path(st.MuonPlus, W, gradients), expected, rtol=0, atol=1e-11)


# ---------------------------------------------------------------------------------------------- Aurora


@pytest.mark.parametrize("nesterov", [True, False])
@pytest.mark.parametrize(("shape", "mode"), [((9, 4), "row"), ((3, 8), "col")])
def test_aurora_with_one_pass_is_muon_eq(shape: tuple[int, int], mode: str, nesterov: bool) -> None:
    """Along the longer side; an average and a heavy ball from zero differ by a factor that no oracle sees."""
    W, gradients = problem(shape)
    same = {"lr": 0.1, "nesterov": nesterov, "weight_decay": 0.2, "scale": 1.0, "backend": "svd"}
    aurora = path(st.Aurora, W, gradients, passes=1, **same)
    np.testing.assert_allclose(
        path(st.MuonEq, W, gradients, mode=mode, eps=0.0, **same), aurora, rtol=0, atol=1e-12
    )


def test_aurora_of_a_square_matrix_is_muon() -> None:
    """Whatever the number of passes."""
    W, gradients = problem((6, 6))
    same = {"lr": 0.1, "weight_decay": 0.2}
    muon = path(st.Muon, W, gradients, coefficients="simple_quintic", **same)
    for passes in (1, 2, 5):
        np.testing.assert_array_equal(path(st.Aurora, W, gradients, passes=passes, **same), muon)


def test_aurora_tends_to_equal_leverages() -> None:
    """U'U = I, and the squared lengths of the rows come nearer to n / m with each pass."""
    for seed in range(5):
        G = np.random.default_rng(seed).standard_normal((9, 4))
        off = []
        for passes in (1, 2, 6, 40):
            U = direction(st.Aurora, G, passes=passes)
            np.testing.assert_allclose(U.T @ U, np.eye(4), rtol=0, atol=1e-13)
            off.append(np.abs((U**2).sum(1) - 4 / 9).max())
        assert off[0] > off[1] > off[2] > off[3]
        assert off[3] < 1e-3 * off[0]


def test_symmetries_of_aurora() -> None:
    """Transposition, and any positive factors on the rows of a tall matrix."""
    rng = np.random.default_rng(1)
    G = rng.standard_normal((9, 4))
    U = direction(st.Aurora, G, passes=3)
    np.testing.assert_allclose(direction(st.Aurora, G.T.copy(), passes=3).T, U, rtol=0, atol=1e-13)
    factors = np.exp(3 * rng.standard_normal((9, 1)))
    np.testing.assert_allclose(direction(st.Aurora, factors * G, passes=3), U, rtol=0, atol=1e-12)


def test_zero_rows_have_no_leverage() -> None:
    """Their rows of the direction stay zero, and the others are those of the matrix without them."""
    G = np.random.default_rng(2).standard_normal((9, 4))
    G[[2, 5]] = 0
    U = direction(st.Aurora, G, passes=1)
    assert np.abs(U[[2, 5]]).max() < 1e-15
    kept = np.delete(np.arange(9), [2, 5])
    np.testing.assert_allclose(U[kept], direction(st.Aurora, G[kept], passes=1), rtol=0, atol=1e-13)
    assert np.isfinite(direction(st.Aurora, G, passes=5)).all()


# ---------------------------------------------------------------------------------------------- Muon+


@pytest.mark.parametrize(("shape", "mode"), [((9, 4), "col"), ((3, 8), "row")])
def test_lines_of_an_exact_polar_factor_are_normal(shape: tuple[int, int], mode: str) -> None:
    """Columns of a tall one, rows of a wide one: the path is Muon's with the same factor."""
    W, gradients = problem(shape)
    same = {"lr": 0.1, "weight_decay": 0.1, "scale": "spectral", "backend": "svd"}
    plus = path(st.MuonPlus, W, gradients, mode=mode, eps=0.0, **same)
    np.testing.assert_allclose(path(st.Muon, W, gradients, **same), plus, rtol=0, atol=1e-12)


def test_muon_plus_without_normalisation_is_muon() -> None:
    """A heavy ball in the place of the average, which the oracle does not see."""
    for shape in SHAPES:
        W, gradients = problem(shape)
        same = {"lr": 0.1, "weight_decay": 0.1, "scale": "spectral"}
        plus = path(st.MuonPlus, W, gradients, mode="none", **same)
        np.testing.assert_allclose(path(st.Muon, W, gradients, **same), plus, rtol=0, atol=1e-12)


@pytest.mark.parametrize(("mode", "axis"), [("col_row", 1), ("row", 1), ("row_col", 0), ("col", 0)])
def test_last_normalised_lines_have_length_one(mode: str, axis: int) -> None:
    """For Newton-Schulz as for an exact polar factor."""
    for shape in SHAPES:
        G = problem(shape)[0]
        for backend in ("auto", "svd"):
            D = direction(st.MuonPlus, G, mode=mode, eps=0.0, backend=backend)
            np.testing.assert_allclose(np.linalg.norm(D, axis=axis), 1, rtol=1e-13)


# ---------------------------------------------------------------------------------------------- MuonEq and RMNP


def test_muon_eq_of_orthogonal_lines_is_muon() -> None:
    """Orthogonal rows of any lengths become orthonormal ones; 'col' likewise."""
    rng = np.random.default_rng(3)
    Q = np.linalg.qr(rng.standard_normal((8, 3)))[0]
    G = np.exp(rng.standard_normal((3, 1))) * Q.T
    for X, mode in ((G, "row"), (G.T.copy(), "col")):
        D = direction(st.MuonEq, X, mode=mode, eps=0.0)
        np.testing.assert_allclose(D, direction(st.Muon, X), rtol=0, atol=1e-13)


def test_what_muon_eq_ignores() -> None:
    """'row' positive factors on rows, 'col' on columns; 'rowcol', whose two factors are taken at once, neither."""
    rng = np.random.default_rng(4)
    G = rng.standard_normal((6, 4))
    rows, columns = np.exp(rng.standard_normal((6, 1))), np.exp(rng.standard_normal((1, 4)))

    def change(mode: str, factors: np.ndarray) -> float:
        one, other = (direction(st.MuonEq, X, mode=mode, eps=0.0) for X in (G, factors * G))
        return float(np.abs(one - other).max())

    assert change("row", rows) < 1e-13 and change("col", columns) < 1e-13
    assert change("row", columns) > 1e-2 and change("col", rows) > 1e-2
    assert change("rowcol", rows) > 1e-3 and change("rowcol", columns) > 1e-3


@pytest.mark.parametrize("mode", ["row", "col", "rowcol"])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_lines_of_very_different_lengths(dtype: type, mode: str) -> None:
    """No square leaves the range, and the result is that of the same matrix with lines of order one, where ignored."""
    rng = np.random.default_rng(5)
    G = rng.standard_normal((6, 4))
    far = 250 if dtype is np.float64 else 30
    factors = (
        10.0 ** np.linspace(-far, far, 6)[:, None] if mode != "col" else 10.0 ** np.linspace(-far, far, 4)
    )
    D = direction(st.MuonEq, (factors * G).astype(dtype), mode=mode, eps=0.0)
    assert np.isfinite(D).all()
    if mode != "rowcol":
        wanted = direction(st.MuonEq, G, mode=mode, eps=0.0)
        np.testing.assert_allclose(D, wanted, rtol=0, atol=1e3 * np.finfo(dtype).eps)


def test_rmnp_and_its_relatives() -> None:
    """Scion's row norm times sqrt(n); Muon where rows are orthogonal; a single row divided by its length."""
    rng = np.random.default_rng(6)
    W, gradients = problem((6, 4))
    same = {"momentum": 0.9, "nesterov": False, "scale": 1.0}
    scion = path(st.Scion, W, gradients, lr=0.1, norm="row", momentum=0.9, radius=2.0)
    np.testing.assert_allclose(path(st.RMNP, W, gradients, lr=0.1, **same), scion, rtol=0, atol=1e-14)
    Q = np.exp(rng.standard_normal((3, 1))) * np.linalg.qr(rng.standard_normal((8, 3)))[0].T
    np.testing.assert_allclose(direction(st.RMNP, Q), direction(st.Muon, Q), rtol=0, atol=1e-13)
    g = rng.standard_normal((1, 5))
    np.testing.assert_allclose(direction(st.RMNP, g), -g / np.linalg.norm(g), rtol=0, atol=1e-15)


# ---------------------------------------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("optimizer", "arguments"),
    [
        (st.MuonEq, {"mode": "rows"}),
        (st.MuonEq, {"eps": -1.0}),
        (st.MuonPlus, {"mode": "rowcol"}),
        (st.MuonPlus, {"eps": -1.0}),
        (st.Aurora, {"passes": 0}),
        (st.Aurora, {"beta": -0.5}),
        (st.RMNP, {"momentum": 1.0}),
    ],
)
def test_values_outside_their_ranges(optimizer: type[st.Optimizer], arguments: dict[str, Any]) -> None:
    """One clear error at construction."""
    with pytest.raises(ValueError, match="must be"):
        optimizer(np.zeros((2, 2)), **arguments)


def test_a_mode_that_is_no_name() -> None:
    """A callable is asked before the step; nothing has changed then."""
    W = np.ones((3, 2))
    opt = st.MuonEq(W, mode=lambda step: "row" if step == 0 else "diagonal")
    opt.step(np.ones((3, 2)))
    before = W.copy()
    with pytest.raises(
        ValueError, match=r"mode of muon_eq at step 1 must be one of 'row', 'col', 'rowcol', got 'diagonal'"
    ):
        opt.step(np.ones((3, 2)))
    np.testing.assert_array_equal(W, before)
    assert opt.step_count == 1


def test_parts_refuse_other_values() -> None:
    """Orders of other lines, and whole numbers that are none."""
    with pytest.raises(ValueError, match="order must hold"):
        st.parts.LineNormalization(("rows",))
    with pytest.raises(TypeError, match="passes must be a whole number"):
        st.parts.LeverageEquilibration(st.Spectral(), passes=2.0)  # type: ignore[arg-type]
