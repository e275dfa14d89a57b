"""The parts that recipes put into the slots of the pipeline, beside estimators and geometries."""

from .adjustments import Adjustment
from .composites import (
    Equilibration,
    IntrinsicStiefel,
    LeverageEquilibration,
    LineNormalization,
    PartnerMetric,
    PolarRetraction,
    ProductDecay,
    TangentDual,
)
from .frames import Frame, RandomRange
from .preconditioners import (
    CentredSquares,
    Debiased,
    Deviations,
    Diagonal,
    Division,
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
    "Deviations",
    "Diagonal",
    "Division",
    "Equilibration",
    "Frame",
    "IntrinsicStiefel",
    "L2Decay",
    "Largest",
    "LeverageEquilibration",
    "LineNormalization",
    "Moment",
    "NormPower",
    "NormScaling",
    "Pairing",
    "PartnerMetric",
    "Plain",
    "PolarRetraction",
    "Preconditioner",
    "ProductDecay",
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
    "TangentDual",
    "Transform",
    "Turns",
    "Update",
    "shape_factor",
]
