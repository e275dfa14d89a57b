"""Estimators: what stands for the gradient, and the momentum."""

from .averages import EMA, DoubleEMA, HeavyBall
from .dion import Dion
from .estimator import Estimator, NoMomentum, RunningEstimator, minibatch_mean
from .recursive import AdaptiveRecursive, Recursive

__all__ = [
    "EMA",
    "AdaptiveRecursive",
    "Dion",
    "DoubleEMA",
    "Estimator",
    "HeavyBall",
    "NoMomentum",
    "Recursive",
    "RunningEstimator",
    "minibatch_mean",
]
