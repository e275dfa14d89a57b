"""Figures: what the lines show. How they look is for eyes."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import matplotlib
import numpy as np
import pytest

matplotlib.use("Agg")

import matplotlib.pyplot as plt

from schattor.plotting import plot_history, plot_spectra


@pytest.fixture(autouse=True)
def _close_figures() -> Iterator[None]:
    yield
    plt.close("all")


def test_history_shows_mean_and_deviation() -> None:
    """Two runs: the line is their mean, the band their mean plus and minus the sample standard deviation."""
    runs = np.array([[4.0, 2.0, 1.0], [6.0, 3.0, 2.0]])
    ax = plot_history({"A": runs, "B": [1.0, 2.0, 3.0]}, x=[0, 10, 20])
    line = ax.get_lines()[0]
    np.testing.assert_array_equal(line.get_xdata(), [0, 10, 20])
    np.testing.assert_array_equal(line.get_ydata(), [5.0, 2.5, 1.5])
    (band,) = ax.collections
    vertices = band.get_paths()[0].vertices
    deviation = np.sqrt(0.5)  # of 1 and 2, the last values
    last = vertices[vertices[:, 0] == 20, 1]
    # The band is cut at the smallest value, here 1, for the logarithmic axis.
    assert last.max() == pytest.approx(1.5 + deviation)
    assert last.min() == pytest.approx(max(1.5 - deviation, 1.0))
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["A", "B"]
    assert ax.get_yscale() == "log"


def test_history_band_of_the_range_and_without() -> None:
    """`band="range"` spans the values themselves; `None` draws lines only."""
    runs = [[1.0, 5.0], [3.0, 9.0]]
    (band,) = plot_history({"A": runs}, band="range", logy=False).collections
    assert band.get_paths()[0].vertices[:, 1].min() == 1
    assert band.get_paths()[0].vertices[:, 1].max() == 9
    assert not plot_history({"A": runs}, band=None).collections


def test_history_leaves_gaps_for_non_finite_values() -> None:
    """A diverged run must not stretch the axis to infinity."""
    (line,) = plot_history([1.0, np.inf, 2.0]).get_lines()
    assert np.isnan(line.get_ydata()[1])


def test_bare_arrays_draw_one_line_without_legend() -> None:
    """A single curve needs no label."""
    for ax in (plot_history([3.0, 2.0, 1.0]), plot_spectra([3.0, 2.0, 1.0])):
        assert len(ax.get_lines()) == 1
        assert ax.get_legend() is None


def test_given_axes_and_styles_are_used() -> None:
    """Notebook users compose their own figures: no new one may appear."""
    figure, axes = plt.subplots(1, 2)
    styles = {"A": {"color": "#123456", "linestyle": "--"}}
    assert plot_history({"A": [1.0, 2.0]}, styles=styles, ax=axes[0]) is axes[0]
    assert plot_spectra({"A": np.eye(2)}, styles=styles, ax=axes[1]) is axes[1]
    for ax in axes:
        assert ax.get_lines()[0].get_color() == "#123456"
        assert ax.get_lines()[0].get_linestyle() == "--"
    assert plt.get_fignums() == [figure.number]


def test_wrong_shapes_are_refused() -> None:
    """Errors name the label and the shape."""
    with pytest.raises(ValueError, match=r"history\['A'\].*\(1, 2, 3\)"):
        plot_history({"A": np.ones((1, 2, 3))})
    with pytest.raises(ValueError, match=r"x: expected shape \(3,\) for 'A', got \(2,\)"):
        plot_history({"A": [1, 2, 3]}, x=[0, 1])
    with pytest.raises(ValueError, match="band must be"):
        plot_history({"A": [[1, 2], [3, 4]]}, band="sem")  # type: ignore[arg-type]
    for bad in (np.ones((2, 2, 2)), [], [1.0, np.nan]):
        with pytest.raises(ValueError, match=r"spectra\['A'\]"):
            plot_spectra({"A": bad})


def test_spectra_of_matrices_and_of_values_agree() -> None:
    """A matrix with planted singular values gives the same line as the values themselves, in any order."""
    rng = np.random.default_rng(0)
    U, V = (np.linalg.qr(rng.normal(size=(n, 3)))[0] for n in (5, 4))
    sigma = np.array([4.0, 2.0, 1.0])
    ax = plot_spectra({"matrix": (U * sigma) @ V.T, "values": [1.0, 4.0, 2.0]})
    matrix, values = (line.get_ydata() for line in ax.get_lines())
    np.testing.assert_allclose(matrix[:3], [1, 0.5, 0.25], rtol=1e-14)
    np.testing.assert_array_equal(values, [1, 0.5, 0.25])
    # The matrix has rank three: its fourth singular value is rounding noise and has no place on a log axis.
    assert np.isnan(matrix[3])
    plain = plot_spectra([1.0, 4.0, 2.0], normalize=False).get_lines()[0].get_ydata()
    np.testing.assert_array_equal(plain, [4, 2, 1])


def test_zero_matrix_has_an_empty_line() -> None:
    """A block that did not move has no spectrum to normalise; that is not an error."""
    (line,) = plot_spectra({"A": np.zeros((3, 2))}).get_lines()
    assert np.isnan(line.get_ydata()).all()


def test_missing_matplotlib_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    """Importing the module needs no matplotlib; drawing without it says what to install."""
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(ImportError, match=r"schattor\[demo\]"):
        plot_history([1.0, 2.0])
