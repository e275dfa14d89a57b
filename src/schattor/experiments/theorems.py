"""Theorems 1 to 4 of arXiv 2606.15702, measured against their bounds and rates."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

import schattor as st

from ..theory.parameters import Rule
from .experiment import Experiment, Finding, Session, Table
from .results import Results
from .runs import slope
from .stochastic import Setting, bounds_over_averages, run
from .tools.figures import COLOURS, new_figure, style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["EXPERIMENT"]

P = st.problems
RULES: tuple[Rule, ...] = ("ball", "regularization")


@dataclass(frozen=True)
class Settings:
    """What all runs share; slopes are fitted from the horizon `fitted` on."""

    horizons: tuple[int, ...] = (50, 100, 200, 400, 800, 1600, 3200, 6400)
    fitted: int = 400
    seeds: int = 5
    noises: tuple[float, ...] = (0.0, 2.0)
    exponents: tuple[str, ...] = ("2", "4", "inf")
    outers: tuple[str, ...] = ("2", "inf")
    problems: int = 100


QUICK = Settings(horizons=(25, 50, 100, 200), fitted=50, seeds=2, exponents=("4",), outers=("2",), problems=4)


# ------------------------------------------------------------------------------------------------ runs


def _quadratic(rng: np.random.Generator, scale: float) -> st.problems.MatrixQuadratic:
    return P.MatrixQuadratic.random(scale * np.geomspace(1, 1e-2, 8), 12, rng)


def _setting(rng: np.random.Generator, norm: str, noise: float) -> Setting:
    """Return a noisy quadratic in S_p ("p = 4"), or three of them in a mixed norm ("r = 2")."""
    V = noise * np.linspace(1, 0.3, 8)
    value = float(norm.split(" = ")[1])
    if norm.startswith("p"):
        quadratic, noises = _quadratic(rng, 1.0), P.GaussianNoise(V, (8, 12))
        sigma = st.theory.variance_proxy(noises.covariance, value)
        return Setting(P.WithNoise(quadratic, {"W": noises}), value, quadratic.lipschitz(value), sigma)
    blocks = {name: _quadratic(rng, scale) for name, scale in (("a", 1.0), ("b", 0.3), ("c", 0.1))}
    exponents = dict(zip(blocks, (2.0, 4.0, math.inf), strict=True))
    mixed = st.MixedNorm({f"{k}/W": st.Schatten(p) for k, p in exponents.items()}, outer=value)
    mixed = mixed.with_lipschitz({f"{k}/W": x.lipschitz(exponents[k]) for k, x in blocks.items()})
    joint = P.Joint(blocks)
    many = {f"{name}/W": P.GaussianNoise(V, (8, 12)) for name in blocks}
    sigma = st.theory.variance_proxy({name: x.covariance for name, x in many.items()}, mixed)
    return Setting(P.WithNoise(joint, many), mixed, joint.lipschitz(mixed), sigma)


def _horizon(
    session: Session, settings: Settings, norm: str, rule: Rule, noise: float, T: int
) -> dict[str, Any]:
    """Run T steps at the parameters that minimise the bound, over all seeds."""
    averages, leasts, bounds = [], [], []
    for seed in range(settings.seeds):
        setting = _setting(session.rng(seed), norm, noise)
        chosen = st.theory.parameters(setting.delta, setting.L, setting.sigma, T, rule=rule)
        rng = session.rng(seed, T)
        found = run(setting, rule, chosen.lr, chosen.theta, chosen.steps, chosen.first_batch, rng)
        # Theorems 2 and 4 bound the mean of squares: its root is on the scale of the norm.
        ball = rule == "ball"
        averages.append(found.gradient if ball else math.sqrt(found.squared_gradient))
        leasts.append(found.least_gradient)
        bounds.append(chosen.bound.total if ball else math.sqrt(chosen.bound.total))
    return {"average": averages, "least": leasts, "bound": bounds, "theta": chosen.theta, "lr": chosen.lr}


def _norms(settings: Any) -> list[str]:
    exponents, outers = (
        settings[name] if isinstance(settings, dict) else getattr(settings, name)
        for name in ("exponents", "outers")
    )
    return [f"p = {p}" for p in exponents] + [f"r = {r}" for r in outers]


def _theorem(norm: str, rule: str) -> int:
    return (1 if norm.startswith("p") else 3) + (rule == "regularization")


def measure(session: Session, settings: Settings) -> None:
    """Make every run: horizons for each theorem and geometry, then random problems."""
    norms = _norms(settings)
    cost = sum(settings.horizons) // settings.horizons[0] * settings.seeds
    session.plan(len(norms) * 2 * len(settings.noises) * cost + settings.problems * 4 * 10)
    for norm in norms:
        for rule in RULES:
            for noise in settings.noises:
                for T in settings.horizons:
                    key = f"rate/{_theorem(norm, rule)}/{norm}/{noise:g}/{T}"
                    share = T // settings.horizons[0] * settings.seeds
                    session.run(key, _horizon, session, settings, norm, rule, noise, T, cost=share)
    for problem in range(settings.problems):
        for rule in RULES:
            for blocks in (1, 2 + problem % 3):
                key = f"bound/{(1 if blocks == 1 else 3) + (rule == 'regularization')}/{problem}"
                seed = 10_000 * (1 + session.seed) + problem
                session.run(key, bounds_over_averages, seed, blocks, rule, cost=10)


# ------------------------------------------------------------------------------------------------ what came out


@dataclass(frozen=True)
class Series:
    """Averages, least gradients and bounds against T (rows: horizons, columns: seeds)."""

    name: str
    horizons: Any
    fitted: Any
    average: Any
    least: Any
    bound: Any

    def fit(self, quantity: str) -> tuple[float, float]:
        """Return the fitted slope and its standard error."""
        return slope(self.horizons[self.fitted], getattr(self, quantity)[self.fitted])


def _series(results: Results, norm: str, rule: Rule, noise: float) -> Series:
    prefix = f"rate/{_theorem(norm, rule)}/{norm}/{noise:g}/"
    horizons = np.array(results.settings["horizons"])
    values = {name: results.arrays(prefix, name) for name in ("average", "least", "bound")}
    name = f"Theorem {_theorem(norm, rule)}, {norm}, " + (f"noise {noise:g}" if noise else "no noise")
    return Series(name, horizons, horizons >= results.settings["fitted"], **values)


def _all_series(results: Results) -> list[tuple[float, Series]]:
    noises = results.settings["noises"]
    return [
        (noise, _series(results, norm, rule, noise))
        for noise in noises
        for norm in _norms(results.settings)
        for rule in RULES
    ]


def _rate(noise: float) -> float:
    return -0.25 if noise else -0.5


def findings(results: Results) -> list[Finding]:
    """Say what came out."""
    out = []
    for theorem in range(1, 5):
        ratios = 1 / results.arrays(f"bound/{theorem}/", "gradient")
        numbers = f"measured over bound at most {ratios.max():.2f}, median {np.median(ratios):.2f}"
        text = f"Theorem {theorem}: measured averages are below the bound on {len(ratios)} random problems"
        out.append(Finding(text, bool((ratios <= 1).all()), numbers))
    series = _all_series(results)
    ratios = np.array([(s.average.mean(axis=1) / s.bound.mean(axis=1)).max() for _, s in series])
    text = "so they are at every horizon of the runs below"
    out.append(Finding(text, bool((ratios <= 1).all()), f"at most {ratios.max():.2f}"))
    for noise in results.settings["noises"]:
        rate, kind = _rate(noise), "with noise" if noise else "without noise"
        for quantity in ("average", "least"):
            fits = [s.fit(quantity) for other, s in series if other == noise]
            slopes = f"slopes {min(b for b, _ in fits):.2f} to {max(b for b, _ in fits):.2f}"
            errors = f"standard errors up to {max(e for _, e in fits):.3f}"
            text = f"{kind} the {quantity} gradient norm falls at least like T^{rate:g}, within two standard errors"
            out.append(Finding(text, all(b <= rate + 2 * e for b, e in fits), f"{slopes}, {errors}"))
            text = f"{kind} the {quantity} gradient norm falls like T^{rate:g} or slower, within 0.05"
            out.append(
                Finding(text, all(b >= rate - max(2 * e, 0.05) for b, e in fits), f"{slopes}, {errors}")
            )
    return out


def tables(results: Results) -> list[Table]:
    """Return the slopes, and how the bounds compare at the ends."""
    rows = []
    for noise, s in _all_series(results):
        slopes = ("{:.3f} +- {:.3f}".format(*s.fit(quantity)) for quantity in ("average", "least", "bound"))
        ratio = s.bound.mean(axis=1) / s.average.mean(axis=1)
        rows.append((s.name, f"{_rate(noise):g}", *slopes, f"{ratio[0]:.3g}", f"{ratio[-1]:.3g}"))
    first, last = results.settings["horizons"][0], results.settings["horizons"][-1]
    head = ("runs", "rate", "average", "least", "bound", f"bound / average, T = {first}", f"T = {last}")
    title = f"Slopes against T from {results.settings['fitted']} on, with standard errors"
    return [Table(title, head, rows)]


def draw_rates(results: Results) -> Figure:
    """Draw averages, least gradients and bounds against T, a panel for each theorem and noise."""
    noises = results.settings["noises"]
    figure, axes = new_figure(4, len(noises), width=4, height=3.4)
    names = list(COLOURS.values())[1:]
    for row, noise in enumerate(noises):
        for theorem in range(1, 5):
            ax = axes[row, theorem - 1]
            norms = [
                norm for norm in _norms(results.settings) if norm.startswith("p" if theorem < 3 else "r")
            ]
            for colour, norm in zip(names, norms, strict=False):
                s = _series(results, norm, RULES[(theorem - 1) % 2], noise)
                ax.loglog(s.horizons, s.average.mean(axis=1), "o-", color=colour, markersize=3, label=norm)
                ax.fill_between(
                    s.horizons, s.average.min(axis=1), s.average.max(axis=1), color=colour, alpha=0.2
                )
                ax.loglog(s.horizons, s.least.mean(axis=1), ":", color=colour)
                ax.loglog(s.horizons, s.bound.mean(axis=1), "--", color=colour, linewidth=0.9)
            guide = s.bound.mean() * (s.horizons / s.horizons[0]) ** _rate(noise)
            ax.loglog(s.horizons, guide, **style("black", linewidth=0.7))
            ax.annotate(f"$T^{{{_rate(noise):g}}}$", (s.horizons[-1], guide[-1]), fontsize=8)
            ax.set_xticks(s.horizons[::2], [f"{T}" for T in s.horizons[::2]])
            ax.minorticks_off()
            # Without noise the least gradient of Theorems 2 and 4 falls out of sight.
            ax.set_ylim(bottom=max(ax.get_ylim()[0], 1e-3))
            ax.set(title=f"Theorem {theorem}, " + (f"noise {noise:g}" if noise else "no noise"))
            ax.grid(True, alpha=0.25)
            ax.legend(fontsize=8)
        axes[row, 0].set_ylabel("dual norm of the gradient")
    for ax in axes[-1]:
        ax.set_xlabel("T")
    figure.suptitle("average (line, range over seeds), least (dotted), bound (dashed)", fontsize=10)
    return figure


def draw_bounds(results: Results) -> Figure:
    """Draw measured averages over bounds on random problems, sorted."""
    figure, axes = new_figure(1)
    for theorem, colour in zip(range(1, 5), ("red", "blue", "orange", "sky"), strict=True):
        ratios = np.sort(1 / results.arrays(f"bound/{theorem}/", "gradient"))
        axes[0, 0].semilogy(
            np.arange(1, len(ratios) + 1), ratios, **style(colour, label=f"Theorem {theorem}")
        )
    axes[0, 0].axhline(1, **style("black", linewidth=0.8, linestyle=":"))
    axes[0, 0].set(xlabel="random problem, sorted", ylabel="measured average / bound")
    axes[0, 0].grid(True, alpha=0.25)
    axes[0, 0].legend()
    return figure


EXPERIMENT = Experiment(
    name="theorems",
    title="Theorems 1 to 4 measured against their bounds and rates",
    description="""\
Stochastic quadratics with exact constants (8 x 12, condition number 100, one block in S_p or three in a mixed norm),
at the parameters that minimise the explicit bound for each horizon T; then random problems with random parameters.""",
    full=Settings(),
    quick=QUICK,
    measure=measure,
    findings=findings,
    tables=tables,
    figures={"rates": draw_rates, "bounds": draw_bounds},
)
