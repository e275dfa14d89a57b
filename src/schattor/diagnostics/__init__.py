"""Measurements at a point and along a run: spectra, curvature along the oracles, Hessians."""

from .curvature import CurvatureProfile, MuonRatio, curvature, curvature_profile, muon_ratio
from .hessian import (
    Eigenpairs,
    HessianSummary,
    block_hessian,
    hessian_matrix,
    hessian_summary,
    joint_hessian,
    top_eigenvalues,
)
from .spectra import SpectralCriterion, Spectrum, spectral_criterion, spectrum

__all__ = [
    "CurvatureProfile",
    "Eigenpairs",
    "HessianSummary",
    "MuonRatio",
    "SpectralCriterion",
    "Spectrum",
    "block_hessian",
    "curvature",
    "curvature_profile",
    "hessian_matrix",
    "hessian_summary",
    "joint_hessian",
    "muon_ratio",
    "spectral_criterion",
    "spectrum",
    "top_eigenvalues",
]
