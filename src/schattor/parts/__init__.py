"""The parts that recipes put into the slots of the pipeline, beside estimators and geometries."""

from .adjustments import Adjustment
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
from .relations import Pairing, Turns
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

__all__ = [
    "Additive",
    "Adjustment",
    "CentredSquares",
    "ClippedNorm",
    "Debiased",
    "DebiasedOutside",
    "Deviations",
    "Diagonal",
    "Division",
    "Eigenbasis",
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
    "RandomRange",
    "RatioOfMoments",
    "Rectified",
    "Scaling",
    "ScheduleFree",
    "SecondMoment",
    "SmallerSide",
    "SmoothnessStep",
    "SpectralMap",
    "Squares",
    "SumOfSquares",
    "SwitchedScaling",
    "Transform",
    "Turns",
    "Update",
    "shape_factor",
]
