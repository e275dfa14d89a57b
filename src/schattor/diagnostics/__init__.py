"""Measurements at a point and along a run: spectra, curvature along the oracles, Hessians, noise, Fisher fits.

`Recorder` takes them along a run; the functions measure one block at one point.
"""

from typing import TYPE_CHECKING, Any

from .alignment import NormAlignment, norm_alignment
from .curvature import CurvatureProfile, MuonRatio, curvature, curvature_profile, muon_ratio
from .eigenvalues import Eigenpairs, HessianSummary, hessian_summary, top_eigenvalues
from .fisher import fisher_fit
from .hessian import block_hessian, hessian_matrix, joint_hessian
from .spectra import SpectralCriterion, Spectrum, spectral_criterion, spectrum
from .trajectory import NoiseScale, noise_scale, smoothness

if TYPE_CHECKING:
    from ..recording import History, Recorder

__all__ = [
    "CurvatureProfile",
    "Eigenpairs",
    "HessianSummary",
    "History",
    "MuonRatio",
    "NoiseScale",
    "NormAlignment",
    "Recorder",
    "SpectralCriterion",
    "Spectrum",
    "block_hessian",
    "curvature",
    "curvature_profile",
    "fisher_fit",
    "hessian_matrix",
    "hessian_summary",
    "joint_hessian",
    "muon_ratio",
    "noise_scale",
    "norm_alignment",
    "smoothness",
    "spectral_criterion",
    "spectrum",
    "top_eigenvalues",
]


def __getattr__(name: str) -> Any:
    # Recording stands above the optimizer and these measurements below it: so its names are looked up when asked for.
    if name not in ("History", "Recorder"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from .. import recording

    return getattr(recording, name)
