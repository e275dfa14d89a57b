"""Calls that cannot be meant: each error says what to write instead, and that can be written."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import schattor as st

R = st.recipes


def matrices() -> dict[str, np.ndarray]:
    """Two blocks."""
    return {"W": np.ones((3, 2)), "V": np.ones((2, 2))}


class Module:
    """What looks like a module of torch."""

    def parameters(self) -> list[Any]:
        """Nothing."""
        return []


class Tensor:
    """What looks like a tensor of torch."""

    def detach(self) -> Tensor:
        """Itself."""
        return self


CALLS: dict[str, tuple[Callable[[], Any], type[Exception], str]] = {
    "lr by position": (lambda: st.Muon(matrices(), 0.1), TypeError, "write st.Muon(params, lr=0.1)"),
    "routes for one recipe": (
        lambda: st.Muon(matrices(), R.sgd()),
        TypeError,
        "write st.Optimizer(params, routes)",
    ),
    "module": (lambda: st.Muon(Module()), TypeError, "for name, p in model.named_parameters()}"),
    "module with routes": (lambda: st.Optimizer(Module(), R.sgd()), TypeError, "the module Module"),
    "tensors": (lambda: st.Muon([Tensor()]), TypeError, "write tensor.detach().numpy()"),
    "typo of a class": (lambda: st.Muon(matrices(), momentun=0.9), TypeError, "did you mean 'momentum'?"),
    "typo of an option": (lambda: st.Muon(matrices(), bakend="svd"), TypeError, "did you mean 'backend'?"),
    "typo of a recipe": (lambda: R.muon(momentun=0.9), TypeError, "did you mean 'momentum'?"),
    "typo of a preset's": (lambda: R.muon.torch(weight_deca=0.1), TypeError, "did you mean 'weight_decay'?"),
    "typo of a part": (lambda: st.estimators.EMA(momentun=0.9), TypeError, "did you mean 'momentum'?"),
    "typo of a recipe's name": (lambda: R.adamww, AttributeError, "did you mean 'adamw'?"),
    "typo of a preset's name": (lambda: R.muon.torhc, AttributeError, "did you mean 'torch'?"),
    "typo of a set": (lambda: R.muon(coefficients="moun"), ValueError, "did you mean 'muon'?"),
    "typo of a decay": (lambda: R.muon(decay="decopled"), ValueError, "did you mean 'decoupled'?"),
    "typo of a backend": (lambda: st.Muon(matrices(), backend="SVD"), ValueError, "did you mean 'svd'?"),
    "typo of a scale": (lambda: R.muon(scale="orignal"), ValueError, "did you mean 'original'?"),
    "typo of a start": (lambda: st.estimators.EMA(init="fist"), ValueError, "did you mean 'first'?"),
    "typo in gradients": (
        lambda: st.Muon(matrices()).step({"W": np.ones((3, 2)), "VV": np.ones((2, 2))}),
        KeyError,
        "did you mean 'V'?",
    ),
    "typo in routes": (
        lambda: st.Optimizer({"weight": np.ones(2)}, {"wieght": R.sgd()}),
        KeyError,
        "did you mean 'weight'?",
    ),
    "typo in weights": (
        lambda: st.Schattor({"weight": np.ones(2)}, lr=0.1, p=2, weights={"weigth": 1.0}),
        KeyError,
        "did you mean 'weight'?",
    ),
    "list for a dict": (
        lambda: st.Muon(matrices()).step(list(matrices().values())),
        TypeError,
        "write dict(zip(params, grads))",
    ),
    "dict for a list": (
        lambda: st.Muon(list(matrices().values())).step(matrices()),
        TypeError,
        "write list(grads.values())",
    ),
    "no gradients": (lambda: st.Muon(matrices()).step(None), TypeError, "got None; give step(grads)"),
    "closure": (lambda: st.Muon(matrices()).step(lambda: 1.0), TypeError, "step(grads, closure=f)"),
    "exponents by block": (
        lambda: st.Schattor(matrices(), p={"W": 4}, lr=0.1),
        TypeError,
        "norm=st.MixedNorm({block: st.Schatten(p), ...}, outer=r)",
    ),
    "lr by block": (lambda: st.Muon(matrices(), lr={"W": 0.1}), TypeError, "{block: recipe(lr=...), ...}"),
    "infinity as text": (lambda: st.Schattor(matrices(), p="inf", lr=0.1), TypeError, "write p=np.inf"),
    "number as text": (lambda: st.Muon(matrices(), lr="0.1"), TypeError, "write lr=0.1"),
    "schedule by name": (lambda: st.Muon(matrices(), lr="cosine"), TypeError, "lr=lambda step: ..."),
    "recipe by name": (lambda: st.Optimizer(matrices(), "muon"), TypeError, "write st.recipes.muon(lr=...)"),
    "route by name": (
        lambda: st.Optimizer(matrices(), {"*": "muon"}),
        TypeError,
        "write st.recipes.muon(lr=...)",
    ),
    "recipe not called": (
        lambda: st.Optimizer(matrices(), R.muon),
        TypeError,
        "call it: st.recipes.muon(...)",
    ),
    "class as a route": (
        lambda: st.Optimizer(matrices(), st.Muon),
        TypeError,
        "call it: st.recipes.muon(...)",
    ),
    "parameter groups": (
        lambda: st.Optimizer(matrices(), [{"params": [1], "lr": 0.1}]),
        TypeError,
        "instead of parameter groups write {'*bias': st.recipes.adamw(lr=1e-3), '*': st.recipes.muon(lr=0.02)}",
    ),
    "state of another method": (
        lambda: st.Muon(matrices()).load_state_dict(st.SGD(matrices()).state_dict()),
        ValueError,
        "expected recipe 'muon > EMA', got 'sgd > NoMomentum' (and 1 more blocks)",
    ),
    "state of torch": (
        lambda: st.Muon(matrices()).load_state_dict({"state": {}, "param_groups": []}),
        ValueError,
        "that of a torch optimizer",
    ),
    "no state": (
        lambda: st.Muon(matrices()).load_state_dict(None),
        TypeError,
        "state_dict must be a mapping",
    ),
    "truth as a number": (lambda: R.muon(nesterov=2.5), TypeError, "nesterov must be True or False, got 2.5"),
    "truth as a word": (
        lambda: R.adabelief(rectify="yes"),
        TypeError,
        "rectify must be True or False, got 'yes'",
    ),
    "part by name": (
        lambda: R.shampoo(grafting="adam"),
        TypeError,
        "grafting must be a Preconditioner or None",
    ),
    "views by name": (lambda: st.Muon(matrices(), views="flatten"), TypeError, "views must be a mapping"),
}


@pytest.mark.parametrize(("call", "error", "text"), CALLS.values(), ids=CALLS.keys())
def test_what_to_write_instead(call: Callable[[], Any], error: type[Exception], text: str) -> None:
    """The message holds the form that works."""
    with pytest.raises(error, match=re.escape(text)):
        call()


def network() -> dict[str, np.ndarray]:
    """Convolutions, biases and a matrix."""
    return {
        "conv1": np.ones((4, 3, 2, 2)),
        "b1": np.ones(4),
        "conv2": np.ones((4, 4, 2, 2)),
        "b2": np.ones(4),
        "W": np.ones((3, 2)),
        "qkv": np.ones((6, 2)),
    }


@pytest.mark.parametrize(
    "make",
    [
        lambda params: st.Muon(params, lr=0.1, views={"qkv": st.views.split(3)}),
        lambda params: st.Optimizer(params, {"b1": R.muon(lr=0.1), "*": R.muon(lr=0.1)}),
    ],
    ids=["class", "routes"],
)
def test_all_blocks_at_once_and_a_call_that_works(make: Callable[[Any], Any]) -> None:
    """Every block that does not fit is named; routes and views of the message, pasted, make an optimizer."""
    params = network()
    with pytest.raises(ValueError, match="conv1") as caught:
        make(params)
    text = str(caught.value)
    for name, reason in (
        ("conv1", "needs a matrix; give a view"),
        ("b1", "takes matrices only; route it elsewhere"),
        ("conv2", "needs a matrix; give a view"),
        ("b2", "takes matrices only; route it elsewhere"),
    ):
        assert f"block {name!r} has shape {params[name].shape}: muon {reason}" in text
    assert "'W' has" not in text
    opt = eval(text[text.index("st.Optimizer(") :], {"st": st, "params": params})
    opt.step({name: np.ones_like(x) for name, x in params.items()})


def test_refused_gradients_leave_everything() -> None:
    """No step was counted and nothing moved."""
    params = matrices()
    opt = st.Muon(params, lr=0.1)
    for wrong in (None, lambda: 1.0, [1.0, 2.0]):
        with pytest.raises(TypeError):
            opt.step(wrong)
    assert opt.step_count == 0
    assert all(np.all(x == 1) for x in params.values())
