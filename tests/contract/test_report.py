"""The report says what the last step did."""

from __future__ import annotations

import numpy as np
import pytest
from contract.cases import CASES, DTYPES, Blocks, Case, Supplied, copied, draw, mapped, problem

import schattor as st

EPS = float(np.finfo(np.float64).eps)

BACKENDS = {"svd", "gram", "band", "chebyshev", "newton_schulz", "frobenius", "entrywise", "none"}


def rms(x: np.ndarray) -> float:
    """Root mean square."""
    return float(np.sqrt((x.astype(np.float64) ** 2).mean()))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_update_rms_is_that_of_the_displacement(case: Case, dtype: type) -> None:
    """Decay aside: from zero weights decay vanishes, and what remains is the displacement."""
    W, gradients = problem(case, dtype, 4)
    opt = Supplied(case.origin(W), case.make())
    tolerance = 64 * float(np.finfo(dtype).eps)
    for t, G in enumerate(gradients):
        D = opt.update(G)
        assert opt.report.step == t + 1 == opt.step_count
        assert set(opt.report) == case.movers(t)
        for name, row in opt.report.items():
            assert row.update_rms == pytest.approx(rms(D[name]), rel=tolerance), name
            assert row.backend in BACKENDS
            assert row.fallbacks in (0, 1)  # the band route may hand on to the Gram route
            assert 0 <= row.residual < 1
            assert row.step_size >= 0
            assert np.isfinite(row.dual_norm)
            assert row.dual_norm > 0 or (t == 0 and case.withholds_first)


@pytest.mark.parametrize(
    "case",
    [case for case in CASES if case.takes("weight_decay") and case.leaves_decay_aside],
    ids=str,
)
def test_decay_is_not_in_the_report(case: Case) -> None:
    """With the same gradients the rows do not depend on a decay beside the step.

    Where steps depend on the weights they do; an L2 decay is in the gradient. An update that averages, extrapolates or
    divides by its decay reports the step that it has taken.

    To the rounding of sums of at most 24 squares: with and without decay another loop may add them up.
    """
    W, gradients = problem(case, np.float64, 2)
    one = Supplied(copied(W), case.make(weight_decay=0.0))
    other = Supplied(copied(W), case.make(weight_decay=0.5))
    for G in gradients:
        one.step(G)
        other.step(G)
    assert set(one.report) == set(other.report)
    for name, row in one.report.items():
        for field, value in row._asdict().items():
            assert getattr(other.report[name], field) == (
                pytest.approx(value, rel=24 * EPS) if isinstance(value, float) else value
            )
    assert any((one.params[name] != other.params[name]).any() for name in W)


FAMILY: list[tuple[str, dict[str, object], dict[str, object]]] = [
    ("schattor", {"p": 4, "lr": 0.3, "scale": "spectral"}, {}),
    ("schattor", {"p": 1, "lr": 0.3, "weights": 2.0}, {}),
    ("schattor", {"p": 3, "lr": 0.3, "outer": 2}, {}),
    ("schattor", {"p": np.inf, "lr": 0.3, "outer": 1}, {}),
    ("schattor", {"p": 3, "lr": 0.3, "rule": "regularization"}, {}),
    ("schattor", {"p": 1.5, "lr": 0.3, "rule": "regularization", "outer": 4, "weights": 0.5}, {}),
    ("sgd", {"lr": 0.3}, {"p": 2}),
    ("normalized_sgd", {"lr": 0.3}, {"p": 2}),
    ("polar_grad", {"lr": 0.3}, {"p": np.inf}),
]


@pytest.mark.parametrize(("name", "arguments", "exponent"), FAMILY)
def test_step_size_is_the_primal_norm(
    name: str, arguments: dict[str, object], exponent: dict[str, float]
) -> None:
    """The displacement is step_size times the unit ball direction: its block norm is step_size."""
    case = Case(name, arguments)
    norm = st.Schatten({**arguments, **exponent}["p"])
    _, gradients = problem(case, np.float64, 3)
    opt = case.optimizer(mapped(np.zeros_like, gradients[0]))
    for G in gradients:
        D = opt.update(G)
        for block, row in opt.report.items():
            assert row.step_size == pytest.approx(norm.norm(D[block]), rel=1e-12)


def test_step_size_of_sign_and_muon() -> None:
    """For signs it is lr, the largest entry; for Muon's inexact direction it is lr times the shape factor."""
    rng = np.random.default_rng(0)
    G = rng.standard_normal((8, 2))
    for optimizer, expected in (
        (st.SignSGD([np.zeros((8, 2))], lr=0.3), 0.3),
        (st.Signum([np.zeros((8, 2))], lr=0.3), 0.3),
        (st.Muon([np.zeros((8, 2))], lr=0.3), 0.6),
        (st.Muon([np.zeros((8, 2))], lr=0.3, backend="svd"), 0.6),
    ):
        optimizer.step([G])
        assert optimizer.report["0"].step_size == pytest.approx(expected, rel=1e-14)


def test_dual_norm_is_what_the_oracle_saw() -> None:
    """The dual norm of the momentum estimate: the first gradient, later the average; for Adam of the quotient."""
    rng = np.random.default_rng(1)
    first, second = rng.standard_normal((5, 3)), rng.standard_normal((5, 3))
    for p in (1.0, 1.5, 2.0, 3.0, np.inf):
        geometry = st.Schatten(p)
        opt = st.Schattor([np.zeros((5, 3))], p=p, lr=0.1, momentum=0.75)
        opt.step([first])
        assert opt.report["0"].dual_norm == pytest.approx(geometry.dual_norm(first), rel=1e-12)
        opt.step([second])
        expected = geometry.dual_norm(0.75 * first + 0.25 * second)
        assert opt.report["0"].dual_norm == pytest.approx(expected, rel=1e-12)
    adam = st.AdamW([np.zeros((5, 3))], eps=0.0)
    adam.step([first])
    assert adam.report["0"].dual_norm == pytest.approx(np.sqrt(15), rel=1e-12)
    sign = st.SignSGD([np.zeros((5, 3))], lr=0.1)
    sign.step([first])
    assert sign.report["0"].dual_norm == pytest.approx(np.abs(first).sum(), rel=1e-12)


def test_dual_norm_of_an_inexact_direction() -> None:
    """For Newton-Schulz it is -<G, D>: at most the operator norm of D times the nuclear norm of G."""
    G = np.random.default_rng(2).standard_normal((6, 4))
    opt = st.Muon([np.zeros((6, 4))], lr=1.0, momentum=0.0, scale="none")
    D = opt.update([G])[0]
    row = opt.report["0"]
    assert row.dual_norm == pytest.approx(-(G * D).sum(), rel=1e-12)
    assert row.backend == "newton_schulz"
    residual = np.linalg.norm(np.eye(4) - D.T @ D) / 2
    assert row.residual == pytest.approx(residual, rel=1e-10)
    exact = st.Muon([np.zeros((6, 4))], lr=1.0, momentum=0.0, backend="svd")
    exact.step([G])
    assert exact.report["0"].dual_norm == pytest.approx(np.linalg.norm(G, "nuc"), rel=1e-12)
    assert exact.report["0"].residual < 1e-14


def test_backends_in_the_report() -> None:
    """Closed forms for p = 2 and vectors, entrywise for signs, the SVD elsewhere, none for zero."""
    rng = np.random.default_rng(3)
    params = draw({"W": (4, 3), "v": (5,), "zero": (2, 2)}, rng)
    grads: Blocks = {**draw({"W": (4, 3), "v": (5,)}, rng), "zero": np.zeros((2, 2))}
    expected = [
        (st.recipes.schattor(p=3, lr=0.1), ("svd", "frobenius", "none")),
        (st.recipes.schattor(p=2, lr=0.1), ("frobenius", "frobenius", "frobenius|none")),
        (st.recipes.sign_sgd(lr=0.1), ("entrywise", "entrywise", "none")),
        (st.recipes.sgd(lr=0.1), ("frobenius", "frobenius", "frobenius|none")),
    ]
    for recipe, backends in expected:
        opt = Supplied(copied(params), recipe)
        opt.step(grads)
        for name, backend in zip(params, backends, strict=True):
            assert opt.report[name].backend in backend.split("|")


def test_report_before_the_first_step_and_after_skips() -> None:
    """Empty with step None at first; a skipped step leaves the rows and counts in `skipped_steps`."""
    opt = st.SGD([np.ones(2)], lr=0.1, on_nonfinite="skip")
    assert opt.report.step is None
    assert len(opt.report) == 0
    assert "no step" in repr(opt.report)
    opt.step([np.ones(2)])
    row = opt.report["0"]
    opt.step([np.array([1.0, np.nan])])
    assert opt.report["0"] == row
    assert (opt.report.step, opt.report.skipped_steps, opt.skipped_steps, opt.step_count) == (1, 1, 1, 1)
    with pytest.raises(KeyError):
        opt.report["other"]


def test_report_is_a_snapshot() -> None:
    """A report that was taken does not change with later steps."""
    opt = st.SGD([np.ones(2)], lr=0.1)
    opt.step([np.ones(2)])
    first = opt.report
    rows = dict(first)
    opt.step([np.full(2, 7.0)])
    assert (first.step, dict(first)) == (1, rows)
    assert opt.report.step == 2
    assert opt.report["0"] != rows["0"]


def test_printed_reports() -> None:
    """repr and HTML name each block and its numbers."""
    params = {"W": np.ones((3, 2)), "<b>": np.ones(3)}
    opt = st.Schattor(params, p=4, lr=0.1)
    opt.step(params)
    text, html = repr(opt.report), opt.report._repr_html_()
    for name in ("W", "dual_norm", "step_size", "update_rms", "backend", "residual", "fallbacks"):
        assert name in text
        assert name in html
    assert "&lt;b&gt;" in html
    assert "<b>" not in html.replace("&lt;b&gt;", "")
