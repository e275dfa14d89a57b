"""Published optimizers as recipes over the same parts.

Every function takes keyword arguments and returns a frozen `Recipe` for use in `Optimizer` routes; the class of the
same name in `schattor` is the optimizer that follows it for all blocks.
"""

from .adaptive import adabelief, adadelta, adagrad, adam, adamw, amsgrad, radam, rmsprop
from .averaging import schedule_free as schedule_free
from .averaging import schedule_free_adamw, schedule_free_sgd
from .momentum import normalized_sgd, sgd
from .schatten import schattor
from .sign import lion, sign_sgd, signum
from .spectral import muon, polar_grad, scion

__all__ = [
    "adabelief",
    "adadelta",
    "adagrad",
    "adam",
    "adamw",
    "amsgrad",
    "lion",
    "muon",
    "normalized_sgd",
    "polar_grad",
    "radam",
    "rmsprop",
    "schattor",
    "schedule_free_adamw",
    "schedule_free_sgd",
    "scion",
    "sgd",
    "sign_sgd",
    "signum",
]
