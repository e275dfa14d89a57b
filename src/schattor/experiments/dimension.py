"""No dimension appears: noise and stationarity against n at fixed constants (arXiv 2606.15702)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

import schattor as st

from ..linalg.exponents import conjugate
from .experiment import Experiment, Finding, Session, Table
from .results import Results
from .runs import slope
from .tools.figures import new_figure, style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["EXPERIMENT"]

SHAPES = ("flat", "decaying")
RULES = ("ball", "regularization")
DELTA, L, SIGMA = 1.0, 1.0, 0.5


@dataclass(frozen=True)
class Settings:
    """What all runs share; seeds of the runs fall with n, since larger matrices fluctuate less."""

    sizes: tuple[int, ...] = (8, 16, 32, 64, 128, 256, 512, 1024)
    exponents: tuple[str, ...] = ("2", "4", "inf")
    terms: int = 16
    theta: float = 0.2
    sums: int = 64
    steps: int = 24
    watched: int = 6
    seeds: int = 8


QUICK = Settings(sizes=(8, 16, 32, 64), sums=32, seeds=4)


def _spectrum(shape: str, n: int) -> Any:
    return np.ones(n) if shape == "flat" else 1 / np.arange(1.0, n + 1)


def _repeats(most: int, n: int) -> int:
    """Return how many seeds a size takes: all up to 64, then fewer, at least two."""
    return max(2, min(most, most * 64 // n))


# ------------------------------------------------------------------------------------------------ runs


def _deviation(shape: str, n: int, q: float) -> Any:
    """Return the diagonal of V with ||V||_q = sigma."""
    V = _spectrum(shape, n)
    return SIGMA * V / st.Lp(conjugate(q)).dual_norm(V)


def _sums(session: Session, settings: Settings, shape: str, n: int) -> dict[str, Any]:
    """Return E ||sum_t c_t N_t||_q^2 over its bound, and what a bound through the Frobenius norm costs, for each q."""
    rng = session.rng(0, n)
    c = settings.theta * (1 - settings.theta) ** np.arange(settings.terms)
    out: dict[str, Any] = {"ratio": [], "error": [], "frobenius_bound": []}
    noise = st.problems.GaussianNoise(_spectrum(shape, n), (n, n))
    draws = [np.tensordot(c, noise.draw(settings.terms, rng), 1) for _ in range(_repeats(settings.sums, n))]
    for p in map(float, settings.exponents):
        q = conjugate(p)
        bound = st.theory.martingale_bound(noise.covariance, c, p)
        squares = np.array([st.schatten_norm(S, q) ** 2 for S in draws]) / bound
        out["ratio"].append(squares.mean())
        out["error"].append(squares.std(ddof=1) / math.sqrt(len(squares)))
        frobenius = st.theory.martingale_bound(noise.covariance, c, 2.0)
        out["frobenius_bound"].append(n ** (2 / q - 1) * frobenius / bound)
    return out


def _run(session: Session, settings: Settings, shape: str, n: int, p: float, rule: Any) -> dict[str, Any]:
    """Return the average dual norm of the gradient along runs at fixed Delta, L and sigma, and the bounds."""
    q = conjugate(p)
    spectrum = _spectrum(shape, n)
    quadratic = st.problems.MatrixQuadratic(np.diag(spectrum), np.zeros((n, n)))
    spectrum = spectrum * L / quadratic.lipschitz(p)
    chosen = st.theory.parameters(DELTA, L, SIGMA, settings.steps, rule=rule, first_batch=1)
    averages = []
    for seed in range(_repeats(settings.seeds, n)):
        rng = session.rng(1 + seed, n)
        target = rng.standard_normal((n, n))
        target *= math.sqrt(DELTA / float(spectrum @ (target * target).sum(axis=1)))
        quadratic = st.problems.MatrixQuadratic(np.diag(spectrum), target)
        noise = st.problems.GaussianNoise(_deviation(shape, n, q), (n, n))
        problem = st.problems.WithNoise(quadratic, {"W": noise})
        averages.append(_average(problem, p, rule, chosen, settings, rng))
    wide = st.theory.parameters(
        DELTA,
        L,
        n ** (1 / q - 0.5) * float(np.linalg.norm(_deviation(shape, n, q))),
        settings.steps,
        rule=rule,
        first_batch=1,
    )
    root = (lambda x: x) if rule == "ball" else math.sqrt
    return {"average": averages, "bound": root(chosen.bound.total), "frobenius_bound": root(wide.bound.total)}


def _average(
    problem: Any, p: float, rule: str, chosen: Any, settings: Settings, rng: np.random.Generator
) -> float:
    """Return the average of the norm (ball) or the root of that of its square, at evenly spread steps."""
    # A direction that is exact to 1e-3 takes half the time at n = 1024; noise and seeds differ by more.
    opt = st.Schattor(
        problem.start(), p=p, rule=rule, lr=chosen.lr, momentum=chosen.momentum, rtol=1e-3, n_threads=1
    )
    every, norms = settings.steps // settings.watched, []
    for t in range(settings.steps):
        if t % every == every // 2:
            norms.append(st.Schatten(p).dual_norm(problem.gradient(opt.params)["W"]))
        opt.step(problem.stochastic_gradient(opt.params, 1, rng))
    power = 1 if rule == "ball" else 2
    return float(np.mean(np.array(norms) ** power) ** (1 / power))


def measure(session: Session, settings: Settings) -> None:
    """Make every run, the small sizes first."""
    cells = list(product(settings.sizes, SHAPES))
    session.plan(sum(n for n, _ in cells) * (1 + 2 * len(settings.exponents)))
    for n, shape in cells:
        session.run(f"sums/{shape}/{n}", _sums, session, settings, shape, n, cost=n)
        for p, rule in product(settings.exponents, RULES):
            key = f"run/{shape}/{rule}/{p}/{n}"
            session.run(key, _run, session, settings, shape, n, float(p), rule, cost=n)


# ------------------------------------------------------------------------------------------------ what came out


def _ratios(results: Results, shape: str, quantity: str) -> Any:
    """Return a quantity of the sums (rows: sizes, columns: exponents)."""
    return results.arrays(f"sums/{shape}/", quantity)


def _means(results: Results, shape: str, rule: str, p: str) -> tuple[Any, Any, Any]:
    """Return mean and standard error of the averages at each size, and the bound without dimension."""
    keys = [f"run/{shape}/{rule}/{p}/{n}" for n in results.settings["sizes"]]
    values = [results.array(key, "average") for key in keys]
    mean = np.array([x.mean() for x in values])
    error = np.array([x.std(ddof=1) / math.sqrt(len(x)) for x in values])
    return mean, error, float(results.runs[keys[0]]["bound"])


def _frobenius(results: Results, shape: str, rule: str, p: str) -> Any:
    return np.array(
        [results.runs[f"run/{shape}/{rule}/{p}/{n}"]["frobenius_bound"] for n in results.settings["sizes"]]
    )


def findings(results: Results) -> list[Finding]:
    """Say what came out."""
    sizes, exponents = results.settings["sizes"], results.settings["exponents"]
    ratios = np.array([_ratios(results, shape, "ratio") for shape in SHAPES])
    errors = np.array([_ratios(results, shape, "error") for shape in SHAPES])
    above = np.array(exponents, dtype=float) > 2
    slopes = [slope(sizes, ratios[i, :, j]) for i in range(2) for j in range(len(exponents))]
    costs = [
        slope(sizes, _ratios(results, "decaying", "frobenius_bound")[:, j])[0] for j in range(len(exponents))
    ]
    means = {cell: _means(results, *cell) for cell in product(SHAPES, RULES, exponents)}
    fits = [slope(sizes, mean) for mean, _, _ in means.values()]
    wide = [
        slope(sizes, _frobenius(results, "decaying", rule, p))[0] for rule, p in product(RULES, exponents)
    ]
    tops = [(mean / bound).max() for mean, _, bound in means.values()]
    return [
        Finding(
            "p > 2: weighted sums of noise stay below the bound of Lemma 4 at every n",
            bool((ratios[..., above] <= 1).all()),
            f"measured over bound {ratios[..., above].min():.2f} to {ratios[..., above].max():.2f}",
        ),
        *_equality(ratios[..., ~above], errors[..., ~above]),
        Finding(
            "measured over bound does not depend on n",
            all(abs(b) < 0.05 for b, _ in slopes),
            f"slopes {min(b for b, _ in slopes):.3f} to {max(b for b, _ in slopes):.3f},"
            f" standard errors up to {max(e for _, e in slopes):.3f}",
        ),
        Finding(
            "a bound through the Frobenius norm grows with n when the spectrum of V decays",
            costs[-1] > 0.2,
            f"slopes {', '.join(f'{b:.2f} (p = {p})' for b, p in zip(costs, exponents, strict=True))};"
            " at most 2/q - 1",
        ),
        Finding(
            "average gradient norms stay below the bound at every n",
            max(tops) <= 1,
            f"measured over bound at most {max(tops):.2f}",
        ),
        Finding(
            "average gradient norms do not grow with n",
            all(b < 0.05 for b, _ in fits),
            f"slopes {min(b for b, _ in fits):.3f} to {max(b for b, _ in fits):.3f},"
            f" standard errors up to {max(e for _, e in fits):.3f}",
        ),
        Finding(
            "they do not fall with n either",
            all(b > -0.05 for b, _ in fits),
            f"steepest slope {min(b for b, _ in fits):.3f}",
        ),
        Finding(
            "the bound through the Frobenius norm grows with n when the spectra decay",
            max(wide) > 0.1,
            f"slopes {min(wide):.2f} to {max(wide):.2f}",
        ),
    ]


def _equality(ratios: Any, errors: Any) -> list[Finding]:
    """Compare all sizes at once with p = 2, where the bound is an equality: some sizes lie above it by chance."""
    if not ratios.size:
        return []
    z = float(((ratios - 1) / errors).sum() / math.sqrt(ratios.size))
    text = "p = 2, where the bound is an equality: the measured moments agree with it, within two standard errors"
    numbers = (
        f"measured over bound {ratios.min():.2f} to {ratios.max():.2f}, together {z:+.1f} standard errors"
    )
    return [Finding(text, abs(z) <= 2, numbers)]


def tables(results: Results) -> list[Table]:
    """Return slopes and ends of both parts."""
    sizes, exponents = results.settings["sizes"], results.settings["exponents"]
    sums, runs = [], []
    for shape, (j, p) in product(SHAPES, enumerate(exponents)):
        ratio, wide = _ratios(results, shape, "ratio")[:, j], _ratios(results, shape, "frobenius_bound")[:, j]
        fit = "{:.3f} +- {:.3f}".format(*slope(sizes, ratio))
        sums.append((f"{shape}, p = {p}", fit, f"{ratio[0]:.3f}", f"{ratio[-1]:.3f}", f"{wide[-1]:.3g}"))
    for shape, rule, p in product(SHAPES, RULES, exponents):
        mean, _, bound = _means(results, shape, rule, p)
        fit = "{:.3f} +- {:.3f}".format(*slope(sizes, mean))
        last = _frobenius(results, shape, rule, p)[-1]
        runs.append(
            (
                f"{shape}, {rule}, p = {p}",
                fit,
                f"{mean[0]:.3f}",
                f"{mean[-1]:.3f}",
                f"{bound:.3f}",
                f"{last:.3g}",
            )
        )
    ends = (f"n = {sizes[0]}", f"n = {sizes[-1]}")
    return [
        Table(
            "E ||sum c_t N_t||_q^2 over the bound of Lemma 4: slope against n, ends, and the Frobenius bound over it",
            ("spectrum of V", "slope", *ends, f"Frobenius bound, {ends[1]}"),
            sums,
        ),
        Table(
            f"Average ||grad f||_q over {results.settings['steps']} steps: slope against n, ends, and the bounds",
            ("spectra, rule", "slope", *ends, "bound", f"Frobenius bound, {ends[1]}"),
            runs,
        ),
    ]


def draw_noise(results: Results) -> Figure:
    """Draw measured second moments over the bound of Lemma 4, and the bound through the Frobenius norm."""
    figure, axes = new_figure(2, sharey=True)
    sizes, colours = results.settings["sizes"], ("black", "blue", "red")
    for ax, shape in zip(axes[0], SHAPES, strict=True):
        ratio, error, wide = (_ratios(results, shape, name) for name in ("ratio", "error", "frobenius_bound"))
        for j, (p, colour) in enumerate(zip(results.settings["exponents"], colours, strict=False)):
            ax.errorbar(
                sizes,
                ratio[:, j],
                2 * error[:, j],
                **style(colour, marker="o", markersize=3, label=f"p = {p}"),
            )
            ax.plot(sizes, wide[:, j], **style(colour, linestyle="--", linewidth=0.9))
        ax.axhline(1, **style("grey", linewidth=0.8))
        ax.set_xscale("log", base=2)
        ax.set(yscale="log", xlabel="n", title=f"{shape} spectrum of V")
        ax.grid(True, alpha=0.25)
    axes[0, 0].set_ylabel("over the bound of Lemma 4")
    axes[0, 0].legend(title="measured (line),\nFrobenius bound (dashed)", fontsize=8)
    return figure


def draw_stationarity(results: Results) -> Figure:
    """Draw average gradient norms and bounds against n."""
    figure, axes = new_figure(4, width=4, height=3.6, sharey="row")
    sizes, colours = results.settings["sizes"], ("black", "blue", "red")
    for ax, (rule, shape) in zip(axes[0], product(RULES, SHAPES), strict=True):
        for p, colour in zip(results.settings["exponents"], colours, strict=False):
            mean, error, bound = _means(results, shape, rule, p)
            ax.errorbar(sizes, mean, 2 * error, **style(colour, marker="o", markersize=3, label=f"p = {p}"))
            ax.plot(
                sizes, _frobenius(results, shape, rule, p), **style(colour, linestyle="--", linewidth=0.9)
            )
        ax.axhline(bound, **style("grey", linewidth=0.8))
        ax.set_xscale("log", base=2)
        ax.set(yscale="log", xlabel="n", title=f"{rule}, {shape} spectra")
        ax.grid(True, alpha=0.25)
    axes[0, 0].set_ylabel("average dual norm of the gradient")
    axes[0, 0].legend(title="measured (line),\nbound (grey),\nFrobenius bound (dashed)", fontsize=7)
    return figure


EXPERIMENT = Experiment(
    name="dimension",
    title="Noise and stationarity against n at fixed constants: no dimension appears",
    description="""\
n x n matrices. Weighted sums of Gaussian noise against the bound of Lemma 4; runs on quadratics with Delta = 1,
L_p = 1, ||V||_q = 1/2 at the parameters that minimise the bound. Spectra of Q and V are flat, or fall like 1/i.""",
    full=Settings(),
    quick=QUICK,
    measure=measure,
    findings=findings,
    tables=tables,
    figures={"noise": draw_noise, "stationarity": draw_stationarity},
)
