"""The noise of stochastic gradients: its covariance, the variance proxies of the theorems, and its tails."""

from .covariance import CovarianceEstimate, covariance, covariance_of_pairs
from .jackknife import Estimate
from .norms import proxy
from .streaming import StreamingNoise
from .sums import PartialSums, partial_sums
from .tails import TailIndex, tail_index

__all__ = [
    "CovarianceEstimate",
    "Estimate",
    "PartialSums",
    "StreamingNoise",
    "TailIndex",
    "covariance",
    "covariance_of_pairs",
    "partial_sums",
    "proxy",
    "tail_index",
]
