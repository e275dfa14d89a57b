"""Published optimizers as recipes over the same parts.

Every function takes keyword arguments and returns a frozen `Recipe` for use in `Optimizer` routes; the class of the
same name in `schattor` is the optimizer that follows it for all blocks.
"""

from typing import Any

from .._edge.values import nearest
from ._table import RecipeRow as RecipeRow
from ._table import RecipeTable, describe
from .adagrad import adadelta, adagrad, rmsprop
from .adam import adabelief, adam, adamw, amsgrad, radam
from .badam import badam
from .badam import block_coordinate as block_coordinate
from .dion import dion, low_rank_muon
from .equilibrated_muon import aurora, muon_eq
from .freon import freon, htmuon, lion_muon
from .kfac import kfac, newton_muon
from .lars import lamb, lars
from .manifold import intrinsic_muon, lora_muon, manifold_muon
from .muon import muon, polar_grad
from .normuon import adamuon, muon_plus, normuon, rmnp, schedule_free_normuon
from .private import dp_muon
from .prodigy import prodigy
from .registry import RecipeFunction
from .schattor import schattor
from .schedule_free import schedule_free as schedule_free
from .schedule_free import schedule_free_adamw, schedule_free_sgd
from .scion import clipped_scion, gluon, scion
from .sgd import normalized_sgd, sgd
from .shampoo import eigen_adam, shampoo, soap
from .sign import lion, sign_sgd, signum
from .sphere import hyperball as hyperball
from .sphere import mano, muon_hyperball, muown
from .variance_reduction import mars, mars_m, nigt, storm

__all__ = [
    "adabelief",
    "adadelta",
    "adagrad",
    "adam",
    "adamuon",
    "adamw",
    "amsgrad",
    "aurora",
    "badam",
    "clipped_scion",
    "dion",
    "dp_muon",
    "eigen_adam",
    "freon",
    "gluon",
    "htmuon",
    "intrinsic_muon",
    "kfac",
    "lamb",
    "lars",
    "lion",
    "lion_muon",
    "lora_muon",
    "low_rank_muon",
    "manifold_muon",
    "mano",
    "mars",
    "mars_m",
    "muon",
    "muon_eq",
    "muon_hyperball",
    "muon_plus",
    "muown",
    "newton_muon",
    "nigt",
    "normalized_sgd",
    "normuon",
    "polar_grad",
    "prodigy",
    "radam",
    "rmnp",
    "rmsprop",
    "schattor",
    "schedule_free_adamw",
    "schedule_free_normuon",
    "schedule_free_sgd",
    "scion",
    "sgd",
    "shampoo",
    "sign_sgd",
    "signum",
    "soap",
    "storm",
]

_REGISTRY: dict[str, RecipeFunction[Any]] = {name: globals()[name] for name in __all__}


def __getattr__(name: str) -> Any:
    raise AttributeError(
        f"there is no recipe {name!r}; st.recipes.table() lists them{nearest(name, __all__)}"
    )


def table() -> RecipeTable:
    """Return a row of facts for every recipe, read off the recipes themselves.

    Returns
    -------
    list of RecipeRow
        With the attributes name, family, source, defaults, presets, deviations, state (names and shapes), memory (in
        units of the block), degree, equivariance, requires and matrices_only. The list prints as a table.

    Examples
    --------
    >>> adam = next(row for row in st.recipes.table() if row.name == "adam")
    >>> adam.state, adam.memory, adam.degree, adam.equivariance
    ((('average', 'm x n'), ('second_moment', 'm x n')), 2.0, 0, 'entries')
    """
    return RecipeTable(describe(function) for function in _REGISTRY.values())
