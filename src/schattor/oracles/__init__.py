"""The oracles of the Schatten norms as functions, and what their backends cost on this machine."""

from .calibration import CostModel, calibrate
from .functions import ball_oracle, batched_ball_oracle, regularization_oracle, schatten_norm

__all__ = [
    "CostModel",
    "ball_oracle",
    "batched_ball_oracle",
    "calibrate",
    "regularization_oracle",
    "schatten_norm",
]
