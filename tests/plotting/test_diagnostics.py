"""Figures of diagnostics: what their marks show."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import matplotlib
import numpy as np
import pytest

matplotlib.use("Agg")

import matplotlib.pyplot as plt

import schattor as st
from schattor.diagnostics import History, curvature_profile, norm_alignment
from schattor.plotting import (
    plot_curvature_profile,
    plot_fisher_fit,
    plot_norm_alignment,
    plot_recorded,
    plot_spectrum_history,
)

HISTORY = History(
    {
        "step": [0, 5, 10],
        "norms": ["Schatten(2)", "Spectral"],
        "muon_ratio/a": [1.5, np.nan, 1.2],
        "muon_ratio/b": [2.0, 3.0, 4.0],
        "curvature/a": [[1.0, 2.0], [np.nan, np.nan], [3.0, 4.0]],
        "curvature/b": [[1.0, 2.0], [1.0, 2.0], [3.0, 4.0]],
        "gradient_singular_values/a": [[4.0, 2.0, 1e-9], [np.nan] * 3, [0.0, 0.0, 0.0]],
    }
)


@pytest.fixture(autouse=True)
def _close_figures() -> Iterator[None]:
    yield
    plt.close("all")


def lines(ax: plt.Axes) -> dict[str, tuple[list[float], list[float]]]:
    """The labelled lines."""
    return {
        line.get_label(): (list(line.get_xdata()), list(line.get_ydata()))
        for line in ax.get_lines()
        if not line.get_label().startswith("_")
    }


def test_recorded_lines_by_block() -> None:
    """Steps without a value are passed over, and a ratio has the line that it is compared with."""
    ax = plot_recorded(HISTORY, "muon_ratio")
    assert lines(ax) == {"a": ([0, 10], [1.5, 1.2]), "b": ([0, 5, 10], [2, 3, 4])}
    assert [1, 1] in [list(line.get_ydata()) for line in ax.get_lines()]
    assert ax.get_ylabel() == "muon ratio"


def test_recorded_lines_by_norm() -> None:
    """What is measured for each norm has a line for each, of one block."""
    ax = plot_recorded(HISTORY, "curvature", block="a", logy=False)
    assert lines(ax) == {"Schatten(2)": ([0, 10], [1, 3]), "Spectral": ([0, 10], [2, 4])}
    with pytest.raises(ValueError, match="name one block of 'a', 'b'"):
        plot_recorded(HISTORY, "curvature")
    with pytest.raises(ValueError, match="plot_spectrum_history"):
        plot_recorded(HISTORY, "gradient_singular_values")
    with pytest.raises(KeyError, match="got 'c'"):
        plot_recorded(HISTORY, "curvature", block="c")
    with pytest.raises(KeyError, match="no metric 'noise'"):
        plot_recorded(HISTORY, "noise")


def test_spectrum_history() -> None:
    """Ratios to the largest singular value, cut at the floor; unmeasured steps are absent, zero matrices dark."""
    ax = plot_spectrum_history(HISTORY, "a", floor=1e-3)
    (mesh,) = ax.collections
    shown = np.asarray(mesh.get_array()).reshape(3, 2)
    np.testing.assert_allclose(shown, [[1, 1e-3], [0.5, 1e-3], [1e-3, 1e-3]])
    assert ax.get_title() == "gradient of a"


def test_curvature_profiles() -> None:
    """Points are values over that of the first norm; infinite ones leave gaps."""
    G = np.diag([3.0, 1.0])
    profile = curvature_profile(lambda D: np.diag([3.0, 1.0]) @ D, G, (2, np.inf))
    ax = plot_curvature_profile({"W": profile})
    np.testing.assert_allclose(
        lines(ax)["W"][1], profile.predicted_decreases / profile.predicted_decreases[0]
    )
    assert [text.get_text() for text in ax.get_xticklabels()] == ["2", "∞"]
    ax = plot_curvature_profile({"W": profile}, quantity="curvatures", relative=False)
    np.testing.assert_allclose(lines(ax)["W"][1], profile.curvatures)
    flat = curvature_profile(lambda D: 0 * D, G, (2, st.Sign()))
    ax = plot_curvature_profile(flat, relative=False)
    assert np.isnan(ax.get_lines()[0].get_ydata()).all()
    assert ax.get_xlabel() == "norm"


def test_norm_alignment() -> None:
    """A number in each cell, the best in bold; a block at rest has none."""
    gradient = {"a": np.diag([3.0, 1.0]), "b": np.zeros((2, 2))}
    table = norm_alignment(lambda _, D: D, gradient, gradient, (2, np.inf))
    ax = plot_norm_alignment(table)
    assert [(t.get_text(), t.get_weight()) for t in ax.texts] == [("1.00", "bold"), ("0.80", "normal")]
    assert [t.get_text() for t in ax.get_yticklabels()] == ["a", "b"]


def test_fisher_fit() -> None:
    """A group of bars for each structure, a colour for each label."""
    ax = plot_fisher_fit(
        {"W1": {"diagonal": 0.8, "kronecker": 0.3}, "W2": {"diagonal": 0.6, "kronecker": 0.1}}
    )
    assert [bar.get_height() for bar in ax.patches] == [0.8, 0.3, 0.6, 0.1]
    centres = [bar.get_x() + bar.get_width() / 2 for bar in ax.patches]
    assert (centres[0] + centres[2]) / 2 == pytest.approx(0)
    assert (centres[1] + centres[3]) / 2 == pytest.approx(1)
    assert len(plot_fisher_fit({"diagonal": 0.5}).patches) == 1


def test_given_axes_are_used() -> None:
    """No new figure appears."""
    figure, (first, second) = plt.subplots(1, 2)
    assert plot_recorded(HISTORY, "muon_ratio", ax=first, styles={"a": {"color": "#123456"}}) is first
    assert first.get_lines()[0].get_color() == "#123456"
    assert plot_spectrum_history(HISTORY, "a", ax=second) is second
    assert plt.get_fignums() == [figure.number]


def test_missing_matplotlib_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    """As for the other figures."""
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(ImportError, match=r"schattor\[demo\]"):
        plot_recorded(HISTORY, "muon_ratio")
