"""Metrics: what a preconditioner makes of the estimate before the oracle sees it."""

from .diagonal import (
    CentredSquares,
    Debiased,
    DebiasedOutside,
    Deviations,
    Diagonal,
    Division,
    Largest,
    Moment,
    Plain,
    RatioOfMoments,
    Rectified,
    SecondMoment,
    Squares,
    SumOfSquares,
)
from .distance import DistanceEstimate
from .equilibration import Equilibration, LeverageEquilibration
from .kronecker import KroneckerInverses, KroneckerRoots
from .manifold import IntrinsicStiefel, TangentDual, TangentProjection
from .metric import Grafted, Identity, Preconditioner, Signs
from .spectral_map import SpectralMap

__all__ = [
    "CentredSquares",
    "Debiased",
    "DebiasedOutside",
    "Deviations",
    "Diagonal",
    "DistanceEstimate",
    "Division",
    "Equilibration",
    "Grafted",
    "Identity",
    "IntrinsicStiefel",
    "KroneckerInverses",
    "KroneckerRoots",
    "Largest",
    "LeverageEquilibration",
    "Moment",
    "Plain",
    "Preconditioner",
    "RatioOfMoments",
    "Rectified",
    "SecondMoment",
    "Signs",
    "SpectralMap",
    "Squares",
    "SumOfSquares",
    "TangentDual",
    "TangentProjection",
]
