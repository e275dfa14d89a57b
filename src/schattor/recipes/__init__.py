"""Published optimizers as recipes over the same parts.

Every function takes keyword arguments and returns a frozen `Recipe` for use in `Optimizer` routes; the class of the
same name in `schattor` is the optimizer that follows it for all blocks.
"""

from .adaptive import adamw
from .momentum import normalized_sgd, sgd
from .schatten import schattor
from .sign import sign_sgd, signum
from .spectral import muon, polar_grad

__all__ = ["adamw", "muon", "normalized_sgd", "polar_grad", "schattor", "sgd", "sign_sgd", "signum"]
