"""Updates: what moves the weights."""

from .averaging import Extrapolated, ScheduleFree
from .manifold import Hyperball, PolarRetraction
from .update import Additive, ProductDecay, Update
from .weight_normalized import WeightNormalized

__all__ = [
    "Additive",
    "Extrapolated",
    "Hyperball",
    "PolarRetraction",
    "ProductDecay",
    "ScheduleFree",
    "Update",
    "WeightNormalized",
]
