"""One optimizer class per recipe: the recipe's arguments, then those of `Optimizer`."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any, ClassVar

from . import recipes
from ._edge.arguments import Arguments
from .blocks.structure import Params
from .optimizer.assembly import Execution
from .optimizer.hints import check_params
from .optimizer.optimizer import Optimizer
from .recipe.recipe import Recipe
from .recipes.registry import RecipeFunction


class RecipeOptimizer(Optimizer):
    """An `Optimizer` that follows one recipe in all blocks; a subclass names it."""

    recipe: ClassVar[RecipeFunction[Any]]

    def __init_subclass__(cls, *, recipe: RecipeFunction[Any]) -> None:
        cls.recipe = recipe
        own = list(recipe.signature().parameters.values())
        first = inspect.Parameter("params", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation="Params")
        options = [
            parameter
            for parameter in inspect.signature(Optimizer).parameters.values()
            if parameter.name in Execution.__annotations__
        ]
        cls.__signature__ = inspect.Signature([first, *own, *options])  # type: ignore[attr-defined]
        cls.__doc__ = f"{inspect.cleandoc(cls.__doc__ or '')}\n\n{_class_documentation(recipe)}"

    def __init__(self, params: Params, *unnamed: Any, **arguments: Any) -> None:
        name = type(self).__name__
        if unnamed and isinstance(unnamed[0], Recipe | Mapping):
            raise TypeError(
                f"{name} follows its own recipe and takes no other; write st.Optimizer(params, routes)"
            )
        if unnamed:
            raise TypeError(
                f"{name} takes its arguments by name, got {unnamed[0]!r}; write st.{name}(params, lr={unnamed[0]!r})"
            )
        check_params(params)
        Arguments(type(self), name).check_names(arguments)
        execution = Execution(**{k: v for k, v in arguments.items() if k in Execution.__annotations__})  # type: ignore[typeddict-item]
        mathematics = {k: v for k, v in arguments.items() if k not in execution}
        super().__init__(params, type(self).recipe(**mathematics), **execution)


def _class_documentation(recipe: RecipeFunction[Any]) -> str:
    """Return the recipe's documentation with the parameters of a class."""
    text = inspect.cleandoc(recipe.__doc__ or "")
    head, parameters = text.split("Parameters\n----------\n", 1)
    arguments, rest = parameters.split("\n\nReturns\n-------\nRecipe\n", 1)
    return (
        f"{head}Parameters\n----------\n"
        "params : array, list or dict of arrays\n    As in `Optimizer`.\n"
        f"{arguments}\n"
        "schedule, views, backend, rtol, deterministic, n_threads, on_nonfinite\n    As in `Optimizer`.\n"
        f"{rest}"
    )


class Schattor(RecipeOptimizer, recipe=recipes.schattor):
    """Schatten-family methods over named blocks: the paper's Algorithms 1-4."""


class SGD(RecipeOptimizer, recipe=recipes.sgd):
    """Stochastic gradient descent over named blocks."""


class NormalizedSGD(RecipeOptimizer, recipe=recipes.normalized_sgd):
    """Normalised SGD over named blocks."""


class SignSGD(RecipeOptimizer, recipe=recipes.sign_sgd):
    """Sign descent over named blocks."""


class Signum(RecipeOptimizer, recipe=recipes.signum):
    """Sign descent on the momentum over named blocks."""


class Muon(RecipeOptimizer, recipe=recipes.muon):
    """Muon over named matrices."""


class PolarGrad(RecipeOptimizer, recipe=recipes.polar_grad):
    """PolarGrad over named matrices."""


class AdamW(RecipeOptimizer, recipe=recipes.adamw):
    """AdamW over named blocks."""


class Lion(RecipeOptimizer, recipe=recipes.lion):
    """Lion over named blocks."""


class Adam(RecipeOptimizer, recipe=recipes.adam):
    """Adam over named blocks."""


class AMSGrad(RecipeOptimizer, recipe=recipes.amsgrad):
    """AMSGrad over named blocks."""


class RAdam(RecipeOptimizer, recipe=recipes.radam):
    """RAdam over named blocks."""


class AdaBelief(RecipeOptimizer, recipe=recipes.adabelief):
    """AdaBelief over named blocks."""


class Adagrad(RecipeOptimizer, recipe=recipes.adagrad):
    """AdaGrad over named blocks."""


class RMSprop(RecipeOptimizer, recipe=recipes.rmsprop):
    """RMSprop over named blocks."""


class Adadelta(RecipeOptimizer, recipe=recipes.adadelta):
    """AdaDelta over named blocks."""


class Scion(RecipeOptimizer, recipe=recipes.scion):
    """Scion with one norm for all blocks; routes of `schattor.recipes.scion` give each layer its own."""


class ScheduleFreeSGD(RecipeOptimizer, recipe=recipes.schedule_free_sgd):
    """Schedule-free SGD over named blocks."""


class ScheduleFreeAdamW(RecipeOptimizer, recipe=recipes.schedule_free_adamw):
    """Schedule-free AdamW over named blocks."""


class HTMuon(RecipeOptimizer, recipe=recipes.htmuon):
    """HTMuon over named matrices."""


class Freon(RecipeOptimizer, recipe=recipes.freon):
    """Freon over named matrices."""


class LionMuon(RecipeOptimizer, recipe=recipes.lion_muon):
    """LionMuon over named matrices."""


class Dion(RecipeOptimizer, recipe=recipes.dion):
    """Dion over named matrices."""


class LowRankMuon(RecipeOptimizer, recipe=recipes.low_rank_muon):
    """Low-rank Muon over named matrices."""


class ClippedScion(RecipeOptimizer, recipe=recipes.clipped_scion):
    """Clipped Scion with one norm for all blocks."""


class Gluon(RecipeOptimizer, recipe=recipes.gluon):
    """Gluon with one norm and one pair of constants for all blocks."""


class STORM(RecipeOptimizer, recipe=recipes.storm):
    """STORM over named blocks."""


class MARS(RecipeOptimizer, recipe=recipes.mars):
    """MARS over named blocks."""


class MARSM(RecipeOptimizer, recipe=recipes.mars_m):
    """MARS-M over named matrices."""


class NIGT(RecipeOptimizer, recipe=recipes.nigt):
    """NIGT over named blocks."""


class Prodigy(RecipeOptimizer, recipe=recipes.prodigy):
    """Prodigy over named blocks, with one estimate for all."""


class BAdam(RecipeOptimizer, recipe=recipes.badam):
    """BAdam over named blocks, one at a time."""


class DPMuon(RecipeOptimizer, recipe=recipes.dp_muon):
    """DP-Muon over named matrices."""


class Shampoo(RecipeOptimizer, recipe=recipes.shampoo):
    """Shampoo over named blocks."""


class SOAP(RecipeOptimizer, recipe=recipes.soap):
    """SOAP over named blocks."""


class EigenAdam(RecipeOptimizer, recipe=recipes.eigen_adam):
    """Eigen-Adam over named blocks."""


class KFAC(RecipeOptimizer, recipe=recipes.kfac):
    """K-FAC over named matrices."""


class NewtonMuon(RecipeOptimizer, recipe=recipes.newton_muon):
    """Newton-Muon over named matrices."""


class MuonEq(RecipeOptimizer, recipe=recipes.muon_eq):
    """MuonEq over named blocks."""


class MuonPlus(RecipeOptimizer, recipe=recipes.muon_plus):
    """Muon+ over named blocks."""


class Aurora(RecipeOptimizer, recipe=recipes.aurora):
    """Aurora over named blocks."""


class RMNP(RecipeOptimizer, recipe=recipes.rmnp):
    """RMNP over named blocks."""


class LoRAMuon(RecipeOptimizer, recipe=recipes.lora_muon):
    """LoRA-Muon over pairs of named blocks."""


class ManifoldMuon(RecipeOptimizer, recipe=recipes.manifold_muon):
    """Manifold Muon over named blocks."""


class IntrinsicMuon(RecipeOptimizer, recipe=recipes.intrinsic_muon):
    """Intrinsic Muon on matrices with orthonormal columns, over named blocks."""


class NorMuon(RecipeOptimizer, recipe=recipes.normuon):
    """NorMuon over named matrices."""


class AdaMuon(RecipeOptimizer, recipe=recipes.adamuon):
    """AdaMuon over named matrices."""


class ScheduleFreeNorMuon(RecipeOptimizer, recipe=recipes.schedule_free_normuon):
    """Schedule-free NorMuon over named matrices."""


class LARS(RecipeOptimizer, recipe=recipes.lars):
    """LARS over named blocks, each a layer."""


class LAMB(RecipeOptimizer, recipe=recipes.lamb):
    """LAMB over named blocks, each a layer."""


class Mano(RecipeOptimizer, recipe=recipes.mano):
    """Mano over named matrices."""


class MuonHyperball(RecipeOptimizer, recipe=recipes.muon_hyperball):
    """Muon on spheres over named matrices."""


class Muown(RecipeOptimizer, recipe=recipes.muown):
    """Muown over named matrices."""
