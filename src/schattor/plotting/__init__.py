"""Figures of runs, spectra and diagnostics. Needs matplotlib."""

from .curves import plot_history, plot_spectra
from .diagnostics import (
    plot_curvature_profile,
    plot_fisher_fit,
    plot_norm_alignment,
    plot_recorded,
    plot_spectrum_history,
)

__all__ = [
    "plot_curvature_profile",
    "plot_fisher_fit",
    "plot_history",
    "plot_norm_alignment",
    "plot_recorded",
    "plot_spectra",
    "plot_spectrum_history",
]
