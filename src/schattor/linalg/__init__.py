"""Matrix functions behind the oracles: Newton-Schulz iterations, polar factors, singular values."""

from .._edge.backends import CoefficientSet, NewtonSchulz, coefficient_sets
from .norms import SpectralNormInfo, spectral_norm
from .polar import newton_schulz, polar_factor
from .singular import TopSingularInfo, singular_values, top_singular

__all__ = [
    "CoefficientSet",
    "NewtonSchulz",
    "SpectralNormInfo",
    "TopSingularInfo",
    "coefficient_sets",
    "newton_schulz",
    "polar_factor",
    "singular_values",
    "spectral_norm",
    "top_singular",
]
