"""Runs of the language model: text, methods, tuning, training, and the ratio along the way."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

import schattor as st

from .. import diagnostics, recipes
from ..problems import documentation_record, documentation_text
from .architecture import Architecture, initial_parameters
from .experiment import Session
from .results import StoredError

if TYPE_CHECKING:
    from .gpt import GPT

__all__ = [
    "METHODS",
    "QUICK",
    "VARIANTS",
    "Corpus",
    "Method",
    "Settings",
    "corpus",
    "measure",
    "optimizer",
    "train",
]

Tokens = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Settings:
    """What all runs share.

    Attributes
    ----------
    layers, width, heads, context : int
        Of the model.
    batch : int
        Sequences of each step.
    steps, tuning_steps, seeds : int
        Steps of a final run and of a tuning run; final runs of each method.
    factor : float
        Between the three step sizes of the grid.
    warmup : float
        Share of the steps over which the step size rises.
    evaluate_every, ratio_every : int
        Steps between evaluations, and, with the first seed, between measurements of the ratio.
    held_out : int
        Sequences of the held-out text.
    """

    layers: int = 6
    width: int = 128
    heads: int = 4
    context: int = 128
    batch: int = 8
    steps: int = 400
    tuning_steps: int = 100
    seeds: int = 3
    factor: float = 2.0
    warmup: float = 0.2
    evaluate_every: int = 20
    ratio_every: int = 50
    held_out: int = 32

    @property
    def architecture(self) -> Architecture:
        """The sizes of the model."""
        return Architecture(self.layers, self.width, self.heads, self.context)


QUICK = Settings(
    layers=2,
    width=32,
    heads=2,
    context=32,
    batch=4,
    steps=40,
    tuning_steps=10,
    seeds=2,
    evaluate_every=10,
    ratio_every=20,
    held_out=8,
)

# Embeddings, norms and biases, where the method is for the hidden matrices only.
REST = recipes.adamw(lr=3e-3, betas=(0.9, 0.95), weight_decay=0)


class Method(NamedTuple):
    """The recipe of the hidden matrices for a step size, the middle of its grid, the recipe of the rest, a colour."""

    matrices: Callable[[float], st.Recipe]
    middle: float
    rest: st.Recipe | None
    colour: str


def _schattor(p: float, middle: float, colour: str, **options: Any) -> Method:
    return Method(lambda lr: recipes.schattor(p=p, lr=lr, momentum=0.95, **options), middle, REST, colour)


METHODS = {
    "AdamW": Method(lambda lr: recipes.adamw(lr=lr, betas=(0.9, 0.95), weight_decay=0), 1e-3, None, "orange"),
    "Muon": Method(lambda lr: recipes.muon(lr=lr), 0.015, REST, "red"),
    "Schattor p=3": _schattor(3, 0.01, "sky"),
    "Schattor p=4": _schattor(4, 0.01, "blue"),
    "Schattor p=8": _schattor(8, 0.01, "green"),
    "Schattor p=inf": _schattor(math.inf, 0.01, "pink"),
}

# From p = inf to Muon: what else Muon has, beside Newton-Schulz steps instead of the exact polar factor.
MUONS_OWN = {"nesterov": True, "scale": "original"}
VARIANTS = {
    "p=inf, Nesterov": _schattor(math.inf, 0.01, "pink", nesterov=True),
    "p=inf, shape factors": _schattor(math.inf, 0.01, "pink", scale="original"),
    "p=inf, both": _schattor(math.inf, 0.01, "pink", **MUONS_OWN),
    "p=8, both": _schattor(8, 0.01, "green", **MUONS_OWN),
    "p=4, both": _schattor(4, 0.01, "blue", **MUONS_OWN),
}


@dataclass(frozen=True)
class WarmupDecay:
    """Schedule that rises linearly to 1 over a share of the steps, and falls linearly to 0 at their end."""

    steps: int
    warmup: float

    def __call__(self, step: int) -> float:
        """Return the factor of step number `step`."""
        rise = self.warmup * self.steps
        return min((step + 1) / rise, (self.steps - step) / (self.steps - rise))


class Corpus(NamedTuple):
    """The text to train on, and windows of the held-out text."""

    training: Tokens
    held_out: Tokens


def corpus(context: int, held_out: int) -> Corpus:
    """Return the documentation with one tenth held out: every tenth of forty pieces, so that all topics are in both."""
    text = np.frombuffer(documentation_text(), dtype=np.uint8).astype(np.int64)
    pieces = np.array_split(text, 40)
    apart = np.concatenate(pieces[5::10])
    starts = np.linspace(0, len(apart) - context - 1, held_out).astype(np.int64)
    return Corpus(
        np.concatenate([piece for i, piece in enumerate(pieces) if i % 10 != 5]),
        windows(apart, starts, context),
    )


def windows(text: Tokens, starts: Tokens, context: int) -> Tokens:
    """Return the context + 1 bytes from each of these positions on."""
    return np.asarray(text[starts[:, None] + np.arange(context + 1)])


def batches(text: Tokens, settings: Settings, rng: np.random.Generator) -> Iterator[Tokens]:
    """Yield windows at random positions, without end."""
    while True:
        starts = rng.integers(0, len(text) - settings.context, size=settings.batch)
        yield windows(text, starts, settings.context)


def measure(session: Session, settings: Settings) -> None:
    """Tune each method with the first seed, make its final runs, and those of the variants with the first seed."""
    from .gpt import one_torch_thread

    _check_surroundings(session)
    text = corpus(settings.context, settings.held_out)
    session.plan(len(METHODS) * (3 * settings.tuning_steps + settings.seeds * settings.steps))
    session.plan(len(VARIANTS) * settings.steps)
    with one_torch_thread():
        chosen = {name: _tune(session, settings, text, name) for name in METHODS}
        # One seed of every method before the next seed: an interrupted experiment compares what it has.
        for seed in range(settings.seeds):
            for name, lr in chosen.items():
                arguments = (session, settings, text, name, lr, settings.steps, seed, seed == 0)
                session.run(f"final/{name}/{seed}", train, *arguments, cost=settings.steps)
        for name in VARIANTS:
            arguments = (session, settings, text, name, chosen["Muon"], settings.steps, 0, False)
            session.run(f"variant/{name}", train, *arguments, cost=settings.steps)


def _check_surroundings(session: Session) -> None:
    """Record which text and which torch; refuse to go on with others."""
    import torch

    here = {**documentation_record(), "torch": torch.__version__}
    stored = session.run("surroundings", lambda: here, cost=0)
    if stored != here:
        raise StoredError(f"the finished runs were made with {stored}, here are {here}; choose another --out")


def _tune(session: Session, settings: Settings, text: Corpus, name: str) -> float:
    def score(lr: float) -> float:
        arguments = (session, settings, text, name, lr, settings.tuning_steps, 0, False)
        record = session.run(f"tune/{name}/{lr:g}", train, *arguments, cost=settings.tuning_steps)
        last = record["held_out_loss"][-1]
        return math.inf if last is None else float(last)

    cost = settings.tuning_steps
    return session.tune(score, METHODS[name].middle, settings.factor, 3, cost=cost, extensions=0)


def train(
    session: Session,
    settings: Settings,
    text: Corpus,
    name: str,
    lr: float,
    steps: int,
    seed: int,
    with_ratio: bool,
) -> dict[str, Any]:
    """Train the model once. After a divergence the losses are NaN.

    ``training_loss`` is the mean over the batches since the evaluation before. With `with_ratio`, ``J``, ``L`` and
    ``ratio`` have a list over the hidden matrices for each of ``ratio_steps``.
    """
    from .gpt import GPT

    rng = session.rng(seed)
    params = initial_parameters(settings.architecture, rng)
    model, opt = (
        GPT(settings.architecture, params),
        optimizer(name, params, lr, WarmupDecay(steps, settings.warmup)),
    )
    stream, clock = batches(text.training, settings, rng), _Clock()
    at = list(range(0, steps + 1, settings.evaluate_every))
    training, held_out = np.full((2, len(at)), math.nan)
    losses: list[float] = []
    ratios: list[dict[str, Any]] = []
    for step in range(steps + 1):
        tokens = next(stream)
        if with_ratio and step % settings.ratio_every == 0:
            ratios.append({"ratio_steps": step, **block_ratios(model, settings.architecture, tokens)})
        if step in at:
            training[at.index(step)] = np.mean(losses or [model.loss(tokens)])
            held_out[at.index(step)] = model.loss(text.held_out)
            losses.clear()
        if step < steps:
            losses.append(clock.step(model, opt, tokens))
            session.advance(1)
        if opt.skipped_steps:
            break
    record = {"lr": lr, "steps": at, "training_loss": training, "held_out_loss": held_out, **clock.medians()}
    return record | {key: [row[key] for row in ratios] for key in (ratios[0] if ratios else ())}


class _Clock:
    """Steps, with the processor's milliseconds that gradient and optimizer take."""

    def __init__(self) -> None:
        self._times: list[tuple[float, float]] = []

    def step(self, model: GPT, opt: st.Optimizer, tokens: Tokens) -> float:
        """Make a step and return the loss before it."""
        start = time.process_time()
        loss, gradient = model.gradient(tokens)
        middle = time.process_time()
        opt.step(gradient)
        self._times.append((middle - start, time.process_time() - middle))
        return loss

    def medians(self) -> dict[str, float]:
        gradient, step = np.median(self._times, axis=0) * 1e3
        return {"gradient_ms": gradient, "step_ms": step}


def optimizer(
    name: str, params: dict[str, Any], lr: float, schedule: Callable[[int], float] | None = None
) -> st.Optimizer:
    """Return the optimizer of a method, with the rest of the parameters by AdamW."""
    method = (METHODS | VARIANTS)[name]
    routes = {"*": method.matrices(lr)}
    if method.rest is not None:
        routes = {"h*/W": method.matrices(lr), "*": method.rest}
    return st.Optimizer(params, routes, schedule=schedule, on_nonfinite="skip", n_threads=1)


def block_ratios(model: GPT, architecture: Architecture, tokens: Tokens) -> dict[str, list[float]]:
    """Return J_t, the Rayleigh quotient L_t at the gradient and their ratio, of each hidden matrix on one batch."""
    found = [
        diagnostics.muon_ratio(hessian, gradient, "rayleigh")
        for _, gradient, hessian in model.curvature(tokens, architecture.matrices)
    ]
    return {
        "J": [x.J for x in found],
        "L": [x.L for x in found],
        "ratio": [x.ratio for x in found],
    }
