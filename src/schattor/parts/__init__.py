"""The parts that recipes put into the slots of the pipeline, beside estimators and geometries."""

from .adjustments import Adjustment
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
from .relations import Pairing, Turns
from .scalings import NormScaling, Scaling, SwitchedScaling, shape_factor
from .transforms import L2Decay, Transform
from .updates import Additive, ScheduleFree, Update

__all__ = [
    "Additive",
    "Adjustment",
    "CentredSquares",
    "Debiased",
    "Deviations",
    "Diagonal",
    "Division",
    "Frame",
    "L2Decay",
    "Largest",
    "Moment",
    "NormScaling",
    "Pairing",
    "Plain",
    "Preconditioner",
    "RatioOfMoments",
    "Rectified",
    "Scaling",
    "ScheduleFree",
    "SecondMoment",
    "Squares",
    "SumOfSquares",
    "SwitchedScaling",
    "Transform",
    "Turns",
    "Update",
    "shape_factor",
]
