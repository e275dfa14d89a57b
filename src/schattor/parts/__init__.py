"""The parts that recipes put into the slots of the pipeline, beside estimators and geometries."""

from .preconditioners import Preconditioner, SecondMoment
from .scalings import NormScaling, Scaling, shape_factor
from .transforms import L2Decay, Transform
from .updates import Additive, Update

__all__ = [
    "Additive",
    "L2Decay",
    "NormScaling",
    "Preconditioner",
    "Scaling",
    "SecondMoment",
    "Transform",
    "Update",
    "shape_factor",
]
