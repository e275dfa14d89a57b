"""Matrix-aware optimisation: Schatten-norm oracles, mixed norms, momentum and optimizers for NumPy arrays."""

from . import _runtime, estimators, linalg, parts, plotting, recipes, testing, views
from ._version import __version__
from .calibration import CostModel, calibrate
from .config import show_config
from .geometries import ColumnNorm, Lp, RowNorm, Schatten, Sign, Spectral, Switched
from .info import OracleInfo
from .ky_fan import KyFan
from .mixed_norm import MixedNorm
from .optimizer import Optimizer
from .optimizers import (
    MARS,
    MARSM,
    NIGT,
    SGD,
    STORM,
    AdaBelief,
    Adadelta,
    Adagrad,
    Adam,
    AdamW,
    AMSGrad,
    BAdam,
    DPMuon,
    Lion,
    Muon,
    NormalizedSGD,
    PolarGrad,
    Prodigy,
    RAdam,
    RMSprop,
    Schattor,
    ScheduleFreeAdamW,
    ScheduleFreeSGD,
    Scion,
    SignSGD,
    Signum,
)
from .oracles import ball_oracle, batched_ball_oracle, regularization_oracle, schatten_norm
from .recipe import Recipe
from .report import BlockReport, Report

__all__ = [
    "MARS",
    "MARSM",
    "NIGT",
    "SGD",
    "STORM",
    "AMSGrad",
    "AdaBelief",
    "Adadelta",
    "Adagrad",
    "Adam",
    "AdamW",
    "BAdam",
    "BlockReport",
    "ColumnNorm",
    "CostModel",
    "DPMuon",
    "KyFan",
    "Lion",
    "Lp",
    "MixedNorm",
    "Muon",
    "NormalizedSGD",
    "Optimizer",
    "OracleInfo",
    "PolarGrad",
    "Prodigy",
    "RAdam",
    "RMSprop",
    "Recipe",
    "Report",
    "RowNorm",
    "Schatten",
    "Schattor",
    "ScheduleFreeAdamW",
    "ScheduleFreeSGD",
    "Scion",
    "Sign",
    "SignSGD",
    "Signum",
    "Spectral",
    "Switched",
    "__version__",
    "ball_oracle",
    "batched_ball_oracle",
    "calibrate",
    "estimators",
    "linalg",
    "parts",
    "plotting",
    "recipes",
    "regularization_oracle",
    "schatten_norm",
    "show_config",
    "testing",
    "views",
]

_runtime.check_blas()
