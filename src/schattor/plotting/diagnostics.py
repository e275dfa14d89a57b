"""Figures of what `schattor.diagnostics` measures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._edge.arguments import checked
from .._edge.values import list_names, nearest
from ..diagnostics import CurvatureProfile, History, NormAlignment
from .curves import Styles, finish, new_axes, plot_history

if TYPE_CHECKING:
    from matplotlib.axes import Axes

AGAINST_ONE = ("muon_ratio", "spectral_criterion")
"""Metrics that are compared with one."""


@checked
def plot_recorded(
    history: Mapping[str, ArrayLike],
    metric: str,
    *,
    block: str | None = None,
    logy: bool = True,
    styles: Styles | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw a recorded metric over the steps: a line for each block, or for each norm of one block.

    Steps in which it was not measured are passed over. Ratios that are compared with one have a line there.

    Parameters
    ----------
    history : History or mapping of str to array_like
        As `schattor.diagnostics.Recorder` makes it.
    metric : str
        Such as ``"muon_ratio"``, ``"gradient_stable_rank"`` or ``"curvature"``.
    block : str, optional
        Only this block; needed for what is measured for each norm, unless there is one block only.
    logy : bool
        Logarithmic vertical axis; values that are not positive are then not shown.
    styles : mapping of str to mapping, optional
        Label -> keyword arguments of ``Axes.plot``.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ImportError
        When matplotlib is not installed.
    KeyError
        For a metric or a block that was not recorded.
    ValueError
        For singular values, which `plot_spectrum_history` draws, or several blocks where one is needed.

    Examples
    --------
    >>> history = {"step": [0, 5, 10], "muon_ratio/W1": [1.5, 1.3, 1.2], "muon_ratio/W2": [2.0, np.nan, 1.0]}
    >>> ax = st.plotting.plot_recorded(history, "muon_ratio")
    >>> [line.get_label() for line in ax.get_lines()][:2]
    ['W1', 'W2']
    """
    recorded = _history(history)
    found = _chosen(recorded, metric, block)
    if next(iter(found.values())).ndim == 2:
        found = _by_norm(recorded, metric, found)
    ax = new_axes() if ax is None else ax
    for label, values in found.items():
        measured = np.isfinite(values)
        if measured.any():
            plot_history(
                {label: values[measured]}, recorded["step"][measured], logy=logy, styles=styles, ax=ax
            )
    if metric in AGAINST_ONE:
        ax.axhline(1, color="black", linewidth=0.8, linestyle=":")
    ax.set_xlabel("step")
    ax.set_ylabel(metric.replace("_", " "))
    return ax


@checked
def plot_spectrum_history(
    history: Mapping[str, ArrayLike],
    block: str,
    *,
    what: Literal["gradient", "update", "weight"] = "gradient",
    floor: float = 1e-4,
    ax: Axes | None = None,
) -> Axes:
    r"""Draw how a spectrum changes along a run: steps to the right, index upwards, :math:`\sigma_i/\sigma_1` as colour.

    Parameters
    ----------
    history : History or mapping of str to array_like
        With the metric ``"gradient_spectrum"``, ``"update_spectrum"`` or ``"weight_spectrum"``.
    block : str
    what : {"gradient", "update", "weight"}
    floor : float
        Smaller ratios have the colour of this one.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    matplotlib.axes.Axes
        With a colour bar.

    Raises
    ------
    ImportError
        When matplotlib is not installed.
    KeyError
        For a spectrum that was not recorded.

    Examples
    --------
    >>> history = {"step": [0, 10], "gradient_singular_values/W": [[2.0, 1.0, 0.1], [2.0, 0.5, 0.2]]}
    >>> ax = st.plotting.plot_spectrum_history(history, "W")
    >>> ax.get_ylabel()
    'index i of the singular value'
    """
    recorded = _history(history)
    values = _chosen(recorded, f"{what}_singular_values", block)[block]
    measured = np.isfinite(values).all(axis=1)
    values, steps = values[measured], recorded["step"][measured]
    ax = new_axes() if ax is None else ax
    from matplotlib.colors import LogNorm

    largest = np.where(values[:, :1] > 0, values[:, :1], 1)
    shown = np.clip(values / largest, floor, 1).T
    mesh = ax.pcolormesh(
        steps, np.arange(1, len(shown) + 1), shown, norm=LogNorm(floor, 1), cmap="viridis", shading="nearest"
    )
    ax.figure.colorbar(mesh, ax=ax, label=r"$\sigma_i / \sigma_1$")
    ax.set_xlabel("step")
    ax.set_ylabel("index i of the singular value")
    ax.set_title(f"{what} of {block}")
    return ax


@checked
def plot_curvature_profile(
    profiles: Mapping[str, CurvatureProfile] | CurvatureProfile,
    *,
    quantity: Literal["predicted_decreases", "curvatures", "dual_norms"] = "predicted_decreases",
    relative: bool = True,
    styles: Styles | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw predicted decreases, curvatures or dual norms over the norms, one line for each profile.

    Parameters
    ----------
    profiles : mapping of str to CurvatureProfile, or CurvatureProfile
        All with the same geometries.
    quantity : {"predicted_decreases", "curvatures", "dual_norms"}
    relative : bool
        Over the value of the first geometry, by default p = 2.
    styles : mapping of str to mapping, optional
        Label -> keyword arguments of ``Axes.plot``.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ImportError
        When matplotlib is not installed.

    Examples
    --------
    >>> profile = st.diagnostics.curvature_profile(lambda D: np.diag([3.0, 1.0]) @ D, np.diag([3.0, 1.0]))
    >>> ax = st.plotting.plot_curvature_profile(profile)
    >>> [text.get_text() for text in ax.get_xticklabels()]
    ['2', '3', '4', '8', '∞']
    """
    curves = {"_profile": profiles} if isinstance(profiles, CurvatureProfile) else dict(profiles)
    ax = new_axes() if ax is None else ax
    for label, profile in curves.items():
        values = getattr(profile, quantity)
        shown = np.where(np.isfinite(values), values, np.nan) / (values[0] if relative else 1)
        style = {"marker": "o", **(styles or {}).get(label, {})}
        ax.plot(np.arange(len(shown)), shown, label=label, **style)
    names = [_short(str(geometry)) for geometry in next(iter(curves.values())).geometries]
    ax.set_xticks(np.arange(len(names)), names)
    exponents = all(name == "∞" or name[0].isdigit() for name in names)
    ax.set_xlabel("exponent p" if exponents else "norm")
    ax.set_ylabel(quantity.replace("_", " ") + (" over the first" if relative else ""))
    if relative:
        ax.axhline(1, color="black", linewidth=0.8, linestyle=":")
    finish(ax, curves)
    return ax


@checked
def plot_norm_alignment(alignment: NormAlignment, *, ax: Axes | None = None) -> Axes:
    """Draw the table of which norm fits: blocks down, norms across, predicted decrease over the best as colour.

    Parameters
    ----------
    alignment : NormAlignment
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    matplotlib.axes.Axes
        The best of each row in a frame.

    Raises
    ------
    ImportError
        When matplotlib is not installed.

    Examples
    --------
    >>> problem = st.problems.MatrixQuadratic.random(np.geomspace(1, 1e-3, 8), columns=8, rng=0)
    >>> params = problem.start()
    >>> table = st.diagnostics.norm_alignment(problem.hvp, params, problem.gradient(params))
    >>> ax = st.plotting.plot_norm_alignment(table)
    >>> [text.get_text() for text in ax.get_yticklabels()]
    ['W']
    """
    ax = new_axes() if ax is None else ax
    values = alignment.relative
    ax.imshow(values, vmin=0, vmax=1, cmap="Blues", aspect="auto")
    for (i, j), value in np.ndenumerate(values):
        if np.isfinite(value):
            best = j == np.argmax(values[i])
            weight, colour = "bold" if best else "normal", "white" if value > 0.6 else "black"
            ax.text(j, i, f"{value:.2f}", ha="center", va="center", color=colour, weight=weight)
    ax.set_xticks(np.arange(values.shape[1]), [str(g) for g in alignment.geometries], rotation=30, ha="right")
    ax.set_yticks(np.arange(len(values)), list(alignment.profiles))
    ax.set_title("predicted decrease over the best", fontsize="medium")
    return ax


@checked
def plot_fisher_fit(
    errors: Mapping[str, Mapping[str, float]] | Mapping[str, float], *, ax: Axes | None = None
) -> Axes:
    """Draw relative errors of Fisher structures as bars.

    Parameters
    ----------
    errors : mapping of str to float, or mapping of str to such mappings
        Structure -> error, or label -> structure -> error: a group of bars for each structure.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ImportError
        When matplotlib is not installed.

    Examples
    --------
    >>> ax = st.plotting.plot_fisher_fit({"W1": {"diagonal": 0.8, "kronecker": 0.3}})
    >>> [float(bar.get_height()) for bar in ax.patches]
    [0.8, 0.3]
    """
    groups: dict[str, dict[str, float]] = {}
    for key, value in errors.items():
        if isinstance(value, Mapping):
            groups[key] = dict(value)
        else:
            groups.setdefault("_errors", {})[key] = value
    ax = new_axes() if ax is None else ax
    structures, width = list(next(iter(groups.values()))), 0.8 / len(groups)
    for i, (label, group) in enumerate(groups.items()):
        places = np.arange(len(structures)) + (i - (len(groups) - 1) / 2) * width
        ax.bar(places, [group[s] for s in structures], width, label=label)
    ax.set_xticks(np.arange(len(structures)), structures)
    ax.set_ylim(0, 1)
    ax.set_ylabel("relative Frobenius error")
    finish(ax, groups)
    ax.grid(False, axis="x")
    return ax


def _history(history: Mapping[str, ArrayLike]) -> History:
    return history if isinstance(history, History) else History(history)


def _chosen(history: History, metric: str, block: str | None) -> dict[str, NDArray[np.float64]]:
    found = history.of(metric)
    if block is None:
        return found
    if block not in found:
        raise KeyError(
            f"block must be one of {list_names(found)}, of which {metric} was recorded, got {block!r}"
            f"{nearest(block, found)}"
        )
    return {block: found[block]}


def _by_norm(
    history: History, metric: str, found: Mapping[str, NDArray[np.float64]]
) -> dict[str, NDArray[np.float64]]:
    """Return the columns of one block by the names of the norms."""
    if metric.endswith("singular_values"):
        raise ValueError(f"{metric} is a spectrum in each step: use plot_spectrum_history")
    if len(found) > 1:
        raise ValueError(
            f"{metric} is measured for each norm: name one block of {', '.join(map(repr, found))}"
        )
    (values,) = found.values()
    return dict(zip(map(str, history["norms"]), values.T, strict=True))


def _short(name: str) -> str:
    """Return the exponent of a Schatten norm, other names as they are."""
    return "∞" if name == "Spectral" else name.removeprefix("Schatten(").removesuffix(")")
