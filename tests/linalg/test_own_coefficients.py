"""Newton-Schulz steps with coefficients of one's own."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import schattor as st
from schattor.linalg import NewtonSchulz, newton_schulz

MUON = (3.4445, -4.775, 2.0315)
SEQUENCE = ((4.0848, -6.8946, 2.927), (3.9505, -6.3029, 2.6377), (3.7418, -5.5913, 2.3037))
SHAPES = [(5, 3), (3, 5), (4, 4), (80, 66), (1, 4)]


def literal(G: np.ndarray, triples: list[tuple[float, float, float]], eps: float = 0.0) -> np.ndarray:
    """``zeropower_via_newtonschulz`` of torch.optim.Muon, with any coefficients, in the dtype of G."""
    X = G / max(float(np.linalg.norm(G)), eps)
    tall = X.shape[0] > X.shape[1]
    X = X.T if tall else X
    for a, b, c in triples:
        gram = X @ X.T
        X = a * X + (b * gram + c * gram @ gram) @ X
    return X.T if tall else X


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize(
    ("own", "steps", "taken"),
    [
        (MUON, 5, [MUON] * 5),
        (MUON, None, [MUON] * 5),
        (MUON, 2, [MUON] * 2),
        (list(SEQUENCE), None, list(SEQUENCE)),
        (SEQUENCE, 2, list(SEQUENCE[:2])),
        (np.array(SEQUENCE), 5, [*SEQUENCE, SEQUENCE[-1], SEQUENCE[-1]]),
    ],
    ids=["triple", "default", "fewer", "sequence", "cut", "repeated"],
)
def test_torch_formula(own: Any, steps: int | None, taken: list[Any], shape: tuple[int, int]) -> None:
    """One triple serves all steps, a sequence one each, the last again and again."""
    G = np.random.default_rng(0).standard_normal(shape)
    X, info = newton_schulz(G, own, steps, return_info=True)
    np.testing.assert_allclose(X, literal(G, taken), rtol=1e-9, atol=1e-11)
    assert info.approximate
    assert info.backend == "newton_schulz"
    assert NewtonSchulz(own, steps).steps == len(taken)


def test_the_same_as_the_table() -> None:
    """A set's own triples, given by hand, take the same steps bit by bit; but a convergent set's are unknown then."""
    G = np.random.default_rng(1).standard_normal((6, 4))
    assert np.array_equal(newton_schulz(G, MUON, 5), newton_schulz(G, "muon"))
    express = st.linalg.coefficient_sets()["quintic"]
    own, info = newton_schulz(G, express.steps, 15, return_info=True)
    assert np.array_equal(own, newton_schulz(G, "quintic", 15))
    assert info.approximate
    assert not newton_schulz(G, "quintic", 15, return_info=True)[1].approximate


def test_floor_is_the_eps_of_torch() -> None:
    """A matrix smaller than the floor is divided by the floor."""
    G = 1e-9 * np.eye(3, 2)
    D = st.ball_oracle(G, np.inf, backend=NewtonSchulz(MUON, 5, floor=1e-7))
    np.testing.assert_allclose(-D, literal(G, [MUON] * 5, eps=1e-7), rtol=1e-12)


@pytest.mark.parametrize("name", ["muon", "adamuon", "normuon", "lora_muon", "muon_hyperball", "muown"])
def test_recipes_take_them(name: str) -> None:
    """The recipes with coefficients hand them to their oracle."""
    recipe = getattr(st.recipes, name)(lr=0.1, coefficients=SEQUENCE)
    assert recipe.geometry.backend == NewtonSchulz(SEQUENCE)
    assert "own coefficients x 3" in str(recipe.geometry)


def test_step_of_torch_muon() -> None:
    """``muon.torch`` takes what torch calls ns_coefficients and ns_steps."""
    G = np.random.default_rng(2).standard_normal((4, 3))
    params = {"W": np.zeros((4, 3))}
    opt = st.Optimizer(params, st.recipes.muon.torch(lr=0.1, coefficients=(2.0, -1.5, 0.5), steps=3))
    opt.step({"W": G})
    np.testing.assert_allclose(
        params["W"], -0.1 * np.sqrt(4 / 3) * literal(G, [(2.0, -1.5, 0.5)] * 3), rtol=1e-9, atol=1e-12
    )


@pytest.mark.parametrize(
    ("own", "steps", "error", "text"),
    [
        ((1.0, 2.0), None, TypeError, "coefficients must be"),
        ((1.0, 2.0, "3"), None, TypeError, "coefficients must be"),
        ([], None, TypeError, "coefficients must be"),
        ([[1.0, 2.0, 3.0, 4.0]], None, TypeError, "coefficients must be"),
        ((1.0, np.nan, 2.0), None, ValueError, "finite"),
        ((1.0, np.inf, 2.0), None, ValueError, "finite"),
        ((3.0, 3.0, 3.0), 5, ValueError, "step 2 of 5"),
        (MUON, 0, ValueError, "steps must be at least 1"),
        (MUON, 2.0, TypeError, "steps must be a whole number"),
    ],
)
def test_refusals(own: Any, steps: Any, error: type[Exception], text: str) -> None:
    """No triples, not finite, or steps that blow up."""
    with pytest.raises(error, match=text):
        NewtonSchulz(own, steps)


def test_no_accuracy_with_them() -> None:
    """An accuracy goes with the adaptive scheme alone."""
    with pytest.raises(ValueError, match="rtol goes with 'adaptive' only"):
        NewtonSchulz(MUON, rtol=1e-3)
