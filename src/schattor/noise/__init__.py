"""The noise of stochastic gradients: its covariance, the variance proxies of the theorems, and its tails."""

from .covariance import CovarianceEstimate, covariance, covariance_of_pairs
from .jackknife import Estimate
from .streaming import StreamingNoise

__all__ = ["CovarianceEstimate", "Estimate", "StreamingNoise", "covariance", "covariance_of_pairs"]
