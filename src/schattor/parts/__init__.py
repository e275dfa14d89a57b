"""The parts that recipes put into the slots of the pipeline, beside estimators and geometries."""

from .adjustments import Adjustment
from .distance import DistanceEstimate
from .frames import Frame
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
from .relations import Cyclic, Pairing, Shuffled, Turns
from .scalings import NormScaling, Scaling, SwitchedScaling, shape_factor
from .transforms import L2Decay, Transform
from .updates import Additive, ScheduleFree, Update
from .variance import ClipNorm, Extrapolated, PrivateMean, VarianceReduction

__all__ = [
    "Additive",
    "Adjustment",
    "CentredSquares",
    "ClipNorm",
    "Cyclic",
    "Debiased",
    "Deviations",
    "Diagonal",
    "DistanceEstimate",
    "Division",
    "Extrapolated",
    "Frame",
    "L2Decay",
    "Largest",
    "Moment",
    "NormScaling",
    "Pairing",
    "Plain",
    "Preconditioner",
    "PrivateMean",
    "RatioOfMoments",
    "Rectified",
    "Scaling",
    "ScheduleFree",
    "SecondMoment",
    "Shuffled",
    "Squares",
    "SumOfSquares",
    "SwitchedScaling",
    "Transform",
    "Turns",
    "Update",
    "VarianceReduction",
    "shape_factor",
]
