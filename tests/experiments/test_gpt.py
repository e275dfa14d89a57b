"""The language model's derivatives, and its experiment in the quick form; needs torch: `make torch`."""

from __future__ import annotations

import numpy as np
import pytest

from schattor import experiments
from schattor.experiments import language_training
from schattor.experiments.architecture import Architecture, initial_parameters
from schattor.experiments.experiment import open_session
from schattor.experiments.language_training import METHODS, QUICK
from schattor.experiments.tools.progress import Progress

pytestmark = pytest.mark.torch

SMALL = Architecture(layers=2, width=8, heads=2, context=6)


@pytest.fixture
def model():
    """A small model whose attention is far from uniform, its parameters, and a batch."""
    from schattor.experiments.gpt import GPT

    rng = np.random.default_rng(0)
    params = {
        k: x + 0.3 * rng.standard_normal(x.shape).astype(np.float32)
        for k, x in initial_parameters(SMALL, rng).items()
    }
    return GPT(SMALL, params), params, rng.integers(0, 256, (3, SMALL.context + 1))


def literal_loss(params, tokens):
    """GPT-2 written out for one sequence at a time, in float64."""
    params = {k: x.astype(np.float64) for k, x in params.items()}

    def norm(name, X):
        Y = (X - X.mean(1, keepdims=True)) / np.sqrt(X.var(1, keepdims=True) + 1e-5)
        return Y * params[f"{name}/scale"] + params[f"{name}/shift"]

    def linear(name, X):
        return X @ params[f"{name}/W"].T + params[f"{name}/b"]

    losses = []
    for row in tokens:
        T = len(row) - 1
        X = params["tokens"][row[:-1]] + params["positions"][:T]
        for i in range(SMALL.layers):
            Q, K, V = np.split(linear(f"h{i}/qkv", norm(f"h{i}/norm1", X)), 3, axis=1)
            heads = []
            for q, k, v in zip(*(np.split(A, SMALL.heads, axis=1) for A in (Q, K, V)), strict=True):
                weights = np.tril(np.exp(q @ k.T / np.sqrt(q.shape[1])))
                heads.append(weights / weights.sum(1, keepdims=True) @ v)
            X = X + linear(f"h{i}/attention", np.hstack(heads))
            Z = linear(f"h{i}/expand", norm(f"h{i}/norm2", X))
            gelu = Z / 2 * (1 + np.tanh(np.sqrt(2 / np.pi) * (Z + 0.044715 * Z**3)))
            X = X + linear(f"h{i}/contract", gelu)
        scores = norm("norm", X) @ params["tokens"].T
        losses += [np.log(np.exp(s).sum()) - s[y] for s, y in zip(scores, row[1:], strict=True)]
    return np.mean(losses)


def test_the_loss_is_that_of_the_formulas(model):
    """An independent implementation gives the same loss, within the rounding of float32."""
    gpt, params, tokens = model
    assert abs(gpt.loss(tokens) - literal_loss(params, tokens)) < 1e-5


def test_the_parameters_are_shared(model):
    """A change in place is seen by the next call: the optimizers rely on it."""
    gpt, params, tokens = model
    params["h0/qkv/W"] *= 0.5
    assert abs(gpt.loss(tokens) - literal_loss(params, tokens)) < 1e-5


def test_finite_differences_confirm_the_gradient(model):
    """Along a direction in every block; the literal loss is in float64, so differences are exact to 1e-6 or so."""
    gpt, params, tokens = model
    loss, gradient = gpt.gradient(tokens)
    assert abs(loss - literal_loss(params, tokens)) < 1e-5
    rng = np.random.default_rng(1)
    for name, G in gradient.items():
        D, step = rng.standard_normal(G.shape), 1e-5
        up, down = ({**params, name: params[name].astype(np.float64) + s * step * D} for s in (1, -1))
        difference = (literal_loss(up, tokens) - literal_loss(down, tokens)) / (2 * step)
        scale = np.linalg.norm(G) * np.linalg.norm(D) + 1e-4
        assert abs(difference - (G * D).sum()) < 1e-4 * scale, name


def test_finite_differences_confirm_the_hessian_of_each_block(model):
    """<D, H[D]> is the second difference of the loss along D, the other blocks being held; H is symmetric."""
    gpt, params, tokens = model
    _, gradient = gpt.gradient(tokens)
    rng = np.random.default_rng(2)
    seen = []
    for name, G, hessian in gpt.curvature(tokens, SMALL.matrices):
        np.testing.assert_allclose(G, gradient[name], rtol=1e-3, atol=1e-6)
        D, E, step = rng.standard_normal(G.shape), rng.standard_normal(G.shape), 1e-3
        losses = [
            literal_loss({**params, name: params[name].astype(np.float64) + s * step * D}, tokens)
            for s in (-2, -1, 0, 1, 2)
        ]
        second = np.dot([-1 / 12, 4 / 3, -5 / 2, 4 / 3, -1 / 12], losses) / step**2
        size = np.linalg.norm(hessian(D)) * np.linalg.norm(D)
        assert abs((D * hessian(D)).sum() - second) < 1e-4 * size, name
        assert abs((E * hessian(D)).sum() - (D * hessian(E)).sum()) < 1e-4 * size, name
        seen.append(name)
    assert seen == SMALL.matrices


def test_torch_gets_its_threads_back():
    """The limit holds inside only."""
    import torch

    from schattor.experiments.gpt import one_torch_thread

    before = torch.get_num_threads()
    with one_torch_thread():
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == before


def test_the_quick_form_learns_and_goes_on_where_it_was_stopped(tmp_path, monkeypatch):
    """Every method lowers the held-out loss; stopped in the middle and started again, the runs are the same."""
    whole = experiments.run("language_model", quick=True)
    for name in METHODS:
        losses = whole.arrays(f"final/{name}/", "held_out_loss")
        assert losses.shape == (QUICK.seeds, 1 + QUICK.steps // QUICK.evaluate_every)
        assert (losses[:, -1] < losses[:, 0]).all()
        assert whole.array(f"final/{name}/0", "ratio").shape == (3, 4 * QUICK.layers)

    made = []
    train = language_training.train

    def stopped(*arguments):
        if len(made) == 20:
            raise KeyboardInterrupt
        made.append(arguments[3:5])
        return train(*arguments)

    monkeypatch.setattr(language_training, "train", stopped)
    with pytest.raises(KeyboardInterrupt):
        experiments.run("language_model", quick=True, out=tmp_path)
    monkeypatch.undo()
    continued = experiments.run("language_model", quick=True, out=tmp_path)
    times = ("gradient_ms", "step_ms")
    assert [without(run, times) for run in continued.runs.values()] == [
        without(run, times) for run in whole.runs.values()
    ]


def without(run, keys):
    """The record less some of its entries."""
    return {key: value for key, value in run.items() if key not in keys}


def test_runs_of_another_text_are_refused(tmp_path, monkeypatch):
    """The documentation differs between versions of Python: finished runs must not be mixed with others."""
    experiment = experiments.load("language_model")
    with Progress(0) as progress:
        session = open_session(experiment, True, 0, tmp_path, progress)
        session.run("surroundings", lambda: {"python": "2.7"}, cost=0)
        with pytest.raises(experiments.StoredError, match=r"made with .*2\.7"):
            experiments.measure(session, experiment)
