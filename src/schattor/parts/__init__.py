"""The parts that recipes put into the slots of the pipeline, beside estimators and geometries."""

from .adjustments import Adjustment
from .distance import DistanceEstimate
from .frames import Frame, RandomRange
from .kronecker import (
    Eigenbasis,
    Grafted,
    InverseInputMoment,
    KroneckerInverses,
    KroneckerRoots,
    LaggedEigenbasis,
)
from .preconditioners import (
    CentredSquares,
    Debiased,
    DebiasedOutside,
    Deviations,
    Diagonal,
    Division,
    Identity,
    Largest,
    Moment,
    Plain,
    Preconditioner,
    RatioOfMoments,
    Rectified,
    SecondMoment,
    Squares,
    SumOfSquares,
)
from .relations import Cyclic, Pairing, Shuffled, Turns
from .scalings import (
    ClippedNorm,
    NormPower,
    NormScaling,
    Scaling,
    SmallerSide,
    SmoothnessStep,
    SwitchedScaling,
    shape_factor,
)
from .spectral_map import SpectralMap
from .transforms import L2Decay, Transform
from .updates import Additive, ScheduleFree, Update
from .variance import ClipNorm, Extrapolated, PrivateMean, VarianceReduction

__all__ = [
    "Additive",
    "Adjustment",
    "CentredSquares",
    "ClipNorm",
    "ClippedNorm",
    "Cyclic",
    "Debiased",
    "DebiasedOutside",
    "Deviations",
    "Diagonal",
    "DistanceEstimate",
    "Division",
    "Eigenbasis",
    "Extrapolated",
    "Frame",
    "Grafted",
    "Identity",
    "InverseInputMoment",
    "KroneckerInverses",
    "KroneckerRoots",
    "L2Decay",
    "LaggedEigenbasis",
    "Largest",
    "Moment",
    "NormPower",
    "NormScaling",
    "Pairing",
    "Plain",
    "Preconditioner",
    "PrivateMean",
    "RandomRange",
    "RatioOfMoments",
    "Rectified",
    "Scaling",
    "ScheduleFree",
    "SecondMoment",
    "Shuffled",
    "SmallerSide",
    "SmoothnessStep",
    "SpectralMap",
    "Squares",
    "SumOfSquares",
    "SwitchedScaling",
    "Transform",
    "Turns",
    "Update",
    "VarianceReduction",
    "shape_factor",
]
