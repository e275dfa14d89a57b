"""Published optimizers as recipes over the same parts.

Every function takes keyword arguments and returns a frozen `Recipe` for use in `Optimizer` routes; the class of the
same name in `schattor` is the optimizer that follows it for all blocks.
"""

from typing import Any

from ..recipe import RecipeFunction
from ._table import RecipeRow as RecipeRow
from ._table import describe
from .adaptive import adabelief, adadelta, adagrad, adam, adamw, amsgrad, radam, rmsprop
from .averaging import schedule_free as schedule_free
from .averaging import schedule_free_adamw, schedule_free_sgd
from .composites import aurora, muon_eq, muon_plus, rmnp
from .distance import prodigy
from .kronecker import eigen_adam, kfac, newton_muon, shampoo, soap
from .layerwise import adamuon, lamb, lars, mano, muon_hyperball, muown, normuon, schedule_free_normuon
from .layerwise import hyperball as hyperball
from .manifold import intrinsic_muon, lora_muon, manifold_muon
from .momentum import normalized_sgd, sgd
from .private import dp_muon
from .schatten import schattor
from .sign import lion, sign_sgd, signum
from .spectral import muon, polar_grad, scion
from .spectrum import clipped_scion, dion, freon, gluon, htmuon, lion_muon, low_rank_muon
from .turns import badam
from .turns import block_coordinate as block_coordinate
from .variance import mars, mars_m, nigt, storm

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


def table() -> list[RecipeRow]:
    """Return a row of facts for every recipe, read off the recipes themselves.

    Returns
    -------
    list of RecipeRow
        With the attributes name, family, source, defaults, presets, deviations, state (names and shapes), memory (in
        units of the block), degree, equivariance, requires and matrices_only.

    Examples
    --------
    >>> adam = next(row for row in st.recipes.table() if row.name == "adam")
    >>> adam.state, adam.memory, adam.degree, adam.equivariance
    ((('average', 'm x n'), ('second_moment', 'm x n')), 2.0, 0, 'entries')
    """
    return [describe(function) for function in _REGISTRY.values()]
