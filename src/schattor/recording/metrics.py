"""What a recorder can measure on request: each metric gives named numbers or vectors for one block."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from .._edge.arrays import FloatArray
from ..diagnostics.curvature import curvature_profile, muon_ratio
from ..diagnostics.eigenvalues import hessian_summary
from ..diagnostics.hessian import LinearMap
from ..diagnostics.spectra import spectral_criterion, spectrum
from ..diagnostics.trajectory import noise_scale, smoothness
from ..parts.geometries import Geometry

Values: TypeAlias = dict[str, float | FloatArray]


@dataclass
class Sample:
    """What is known of one block in a step that is recorded: all arrays as the matrix that the block is seen as."""

    weights: FloatArray
    gradient: FloatArray
    norms: tuple[Geometry, ...]
    L: Literal["operator_norm", "rayleigh"] | float
    rng: np.random.Generator
    hessian: LinearMap | None = None
    micro_batches: FloatArray | None = None
    batch_size: int = 1
    activations: FloatArray | None = None
    update: FloatArray | None = None
    gradient_after: FloatArray | None = None


def _spectrum(what: str, A: FloatArray) -> Values:
    found = spectrum(A)
    kinds = ("stable_rank", "nuclear_rank", "effective_rank", "participation_ratio", "condition_number")
    values: Values = {f"{what}_{kind}": getattr(found, kind) for kind in kinds}
    return {**values, f"{what}_entropy": found.entropy(), f"{what}_singular_values": found.values}


def _gradient_spectrum(x: Sample) -> Values:
    return _spectrum("gradient", x.gradient)


def _weight_spectrum(x: Sample) -> Values:
    return _spectrum("weight", x.weights)


def _update_spectrum(x: Sample) -> Values:
    assert x.update is not None
    return _spectrum("update", x.update)


def _curvature(x: Sample) -> Values:
    assert x.hessian is not None
    profile = curvature_profile(x.hessian, x.gradient, x.norms)
    return {"curvature": profile.curvatures, "predicted_decrease": profile.predicted_decreases}


def _muon_ratio(x: Sample) -> Values:
    assert x.hessian is not None
    found = muon_ratio(x.hessian, x.gradient, x.L, rng=x.rng)
    return {
        "J": found.J,
        "L": found.L,
        "gradient_nuclear_norm": found.nuclear_norm,
        "muon_ratio": found.ratio,
    }


def _hessian(x: Sample) -> Values:
    assert x.hessian is not None
    found = hessian_summary(x.hessian, x.gradient.shape, rng=x.rng)
    kinds = ("largest", "smallest", "trace", "frobenius_norm", "effective_rank", "condition_number")
    return {f"hessian_{kind}": getattr(found, kind) for kind in kinds}


def _smoothness(x: Sample) -> Values:
    assert x.gradient_after is not None and x.update is not None
    change = x.gradient_after - x.gradient
    return {"smoothness": np.array([smoothness(change, x.update, norm) for norm in x.norms])}


def _noise(x: Sample) -> Values:
    assert x.micro_batches is not None
    found = noise_scale(x.micro_batches, x.batch_size)
    return {"noise_trace": found.covariance_trace, "noise_scale": found.scale}


def _criterion(x: Sample) -> Values:
    assert x.activations is not None
    found = spectral_criterion(x.gradient, x.activations)
    return {"activation_stable_rank": found.stable_rank, "spectral_criterion": found.ratio}


@dataclass(frozen=True)
class Metric:
    """A function of a sample, what it needs beside the gradient, and whether it looks at the step already taken."""

    measure: Callable[[Sample], Values]
    needs: str | None = None
    after: bool = False


METRICS: Mapping[str, Metric] = {
    "gradient_spectrum": Metric(_gradient_spectrum),
    "weight_spectrum": Metric(_weight_spectrum),
    "update_spectrum": Metric(_update_spectrum, after=True),
    "curvature": Metric(_curvature, "hvp"),
    "muon_ratio": Metric(_muon_ratio, "hvp"),
    "hessian": Metric(_hessian, "hvp"),
    "smoothness": Metric(_smoothness, "closure", after=True),
    "noise": Metric(_noise, "micro_batches"),
    "criterion": Metric(_criterion, "activations"),
}
PER_NORM = ("curvature", "predicted_decrease", "smoothness")
