"""Loss curves with bands over repeated runs, and singular spectra."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._edge.arguments import checked

if TYPE_CHECKING:
    from matplotlib.axes import Axes


Styles = Mapping[str, Mapping[str, Any]]


@checked
def plot_history(
    history: Mapping[str, ArrayLike] | ArrayLike,
    x: ArrayLike | None = None,
    *,
    band: Literal["std", "range"] | None = "std",
    logy: bool = True,
    styles: Styles | None = None,
    ax: Axes | None = None,
) -> Axes:
    r"""Curves of recorded values, with a band over repeated runs.

    For values :math:`v_{k,t}` of run :math:`k = 1..n` the line is the mean :math:`\bar v_t`; the band is
    :math:`\bar v_t \pm s_t`, with :math:`s_t` the sample standard deviation, or the range of the values.

    Parameters
    ----------
    history : mapping of str to array_like, or array_like
        Label -> values: shape (steps,) for one run, (runs, steps) for several. A bare array is one curve
        without a label. Values that are NaN or Inf leave gaps.
    x : array_like, shape (steps,), optional
        Common abscissae; 0, 1, 2, ... by default.
    band : {"std", "range"} or None
        Mean plus and minus one standard deviation, smallest to largest value, or no band.
    logy : bool
        Logarithmic vertical axis. A band that reaches below zero is cut at the smallest positive value shown.
    styles : mapping of str to mapping, optional
        Label -> keyword arguments of ``Axes.plot`` (color, linestyle, ...).
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    matplotlib.axes.Axes
        With a legend when there are labels. Axis labels and title are left to the caller.

    Raises
    ------
    ImportError
        When matplotlib is not installed.
    ValueError
        For values of another shape, or lengths that differ from that of ``x``.

    Examples
    --------
    >>> import schattor as st
    >>> losses = {"SGD": [[2.3, 1.1, 0.6], [2.4, 1.3, 0.7]], "Muon": [2.3, 0.7, 0.3]}
    >>> ax = st.plotting.plot_history(losses)
    >>> ax.get_yscale()
    'log'
    """
    curves = _labelled(history)
    ax = new_axes() if ax is None else ax
    for label, given in curves.items():
        values = np.atleast_2d(np.asarray(given, np.float64))
        if values.ndim != 2 or values.size == 0:
            raise ValueError(f"history[{label!r}]: expected (steps,) or (runs, steps), got {np.shape(given)}")
        steps = np.arange(values.shape[1]) if x is None else np.asarray(x)
        if steps.shape != values.shape[1:]:
            raise ValueError(f"x: expected shape {values.shape[1:]} for {label!r}, got {steps.shape}")
        _curve(ax, steps, values, label, band, logy, dict((styles or {}).get(label, {})))
    if logy:
        ax.set_yscale("log")
    finish(ax, curves)
    return ax


@checked
def plot_spectra(
    spectra: Mapping[str, ArrayLike] | ArrayLike,
    *,
    normalize: bool = True,
    logy: bool = True,
    styles: Styles | None = None,
    ax: Axes | None = None,
) -> Axes:
    r"""Singular values of matrices in descending order, one line per matrix.

    With ``normalize`` the line shows :math:`\sigma_i / \sigma_1`, so that only the shape of the spectrum
    counts: the :math:`S_p` ball oracle turns it into :math:`(\sigma_i / \sigma_1)^{1/(p-1)}`, flatter the
    larger p is.

    Parameters
    ----------
    spectra : mapping of str to array_like, or array_like
        Label -> matrix (two-dimensional: its singular values are computed in float64) or singular values
        (one-dimensional, in any order). A bare array is one line without a label. Computed values up to
        max(m, n) eps sigma_1, with eps of the matrix's dtype, count as zero.
    normalize : bool
        Divide by the largest singular value.
    logy : bool
        Logarithmic vertical axis; zero singular values are then not shown.
    styles : mapping of str to mapping, optional
        Label -> keyword arguments of ``Axes.plot``.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    matplotlib.axes.Axes
        With axis labels, and a legend when there are labels.

    Raises
    ------
    ImportError
        When matplotlib is not installed.
    ValueError
        For arrays that are empty, have more than two dimensions, or hold NaN or Inf.

    Examples
    --------
    >>> import numpy as np
    >>> import schattor as st
    >>> G = np.random.default_rng(0).normal(size=(20, 30))
    >>> ax = st.plotting.plot_spectra({"gradient": G, "p = 4": st.ball_oracle(G, 4)})
    >>> [line.get_label() for line in ax.get_lines()]
    ['gradient', 'p = 4']
    """
    curves = _labelled(spectra)
    ax = new_axes() if ax is None else ax
    for label, given in curves.items():
        values = _singular_values(given, label)
        if normalize and values[0] > 0:
            values = values / values[0]
        if logy:
            values = np.where(values > 0, values, np.nan)
        ax.plot(np.arange(1, len(values) + 1), values, label=label, **(styles or {}).get(label, {}))
    if logy:
        ax.set_yscale("log")
    ax.set_xlabel("index i of the singular value")
    ax.set_ylabel(r"$\sigma_i / \sigma_1$" if normalize else r"$\sigma_i$")
    finish(ax, curves)
    return ax


def _labelled(data: Mapping[str, ArrayLike] | ArrayLike) -> dict[str, ArrayLike]:
    # matplotlib leaves a label that starts with an underscore out of the legend.
    return dict(data) if isinstance(data, Mapping) else {"_values": data}


def new_axes() -> Axes:
    """Return the axes of a new figure, or raise ImportError saying what to install."""
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError('plotting needs matplotlib: pip install "schattor[demo]"') from error
    return plt.subplots()[1]


def _curve(
    ax: Axes,
    steps: NDArray[Any],
    values: NDArray[np.float64],
    label: str,
    band: str | None,
    logy: bool,
    style: dict[str, Any],
) -> None:
    values = np.where(np.isfinite(values), values, np.nan)
    mean = values.mean(axis=0)
    (line,) = ax.plot(steps, mean, label=label, **style)
    if band is None or len(values) == 1:
        return
    if band == "std":
        deviation = values.std(axis=0, ddof=1)
        low, high = mean - deviation, mean + deviation
    elif band == "range":
        low, high = values.min(axis=0), values.max(axis=0)
    else:
        raise ValueError(f"band: expected 'std', 'range' or None, got {band!r}")
    if logy and np.any(values > 0):
        low = np.maximum(low, values[values > 0].min())
    ax.fill_between(steps, low, high, color=line.get_color(), alpha=0.15, linewidth=0)


def _singular_values(given: ArrayLike, label: str) -> NDArray[np.float64]:
    array = np.asarray(given, np.float64)
    if array.size == 0 or array.ndim not in (1, 2) or not np.isfinite(array).all():
        raise ValueError(
            f"spectra[{label!r}]: expected finite values of shape (k,) or (m, n), got {array.shape}"
        )
    if array.ndim == 1:
        return np.sort(array)[::-1]
    values = np.linalg.svd(array, compute_uv=False)
    # Below this, singular values are rounding noise of the matrix as it was given.
    dtype = np.asarray(given).dtype
    eps = np.finfo(dtype if dtype.kind == "f" else np.float64).eps
    return np.where(values > max(array.shape) * eps * values[0], values, 0.0)


def finish(ax: Axes, curves: Mapping[str, Any]) -> None:
    """Add grid, and a legend when there are labels."""
    ax.grid(True, which="major", alpha=0.25, linewidth=0.6)
    if any(not label.startswith("_") for label in curves):
        ax.legend()
