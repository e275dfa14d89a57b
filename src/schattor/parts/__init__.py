"""The parts that recipes put into the slots of the pipeline, beside estimators and geometries."""

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
from .scalings import NormScaling, Scaling, shape_factor
from .transforms import L2Decay, Transform
from .updates import Additive, ScheduleFree, Update

__all__ = [
    "Additive",
    "CentredSquares",
    "Debiased",
    "Deviations",
    "Diagonal",
    "Division",
    "L2Decay",
    "Largest",
    "Moment",
    "NormScaling",
    "Plain",
    "Preconditioner",
    "RatioOfMoments",
    "Rectified",
    "Scaling",
    "ScheduleFree",
    "SecondMoment",
    "Squares",
    "SumOfSquares",
    "Transform",
    "Update",
    "shape_factor",
]
