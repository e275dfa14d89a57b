"""Methods in which one block moves at a time."""

from __future__ import annotations

from dataclasses import replace

from .._edge.arguments import checked
from .._edge.values import Schedulable
from ..parts import Cyclic
from ..recipe.recipe import Recipe
from .adam import adamw
from .registry import Pair, recipe


@checked
def block_coordinate(inner: Recipe, *, every: int = 50, order: str = "descending") -> Recipe:
    """Return a recipe that moves its blocks in turns, each for a number of steps with a state of its own.

    Parameters
    ----------
    inner : Recipe
        What moves the block whose turn it is; its state and step count start anew with each turn.
    every : int
        Steps of a turn.
    order : {"descending", "ascending"}
        From the last block to the first, in the order of the parameters, or from the first to the last. For a random
        order: ``dataclasses.replace(inner, turns=st.parts.Shuffled(every))``.

    Returns
    -------
    Recipe

    Raises
    ------
    ValueError
        For values outside their ranges.

    Notes
    -----
    Luo, Yu and Li, arXiv 2404.02827. Gradients of blocks whose turn it is not are not read; they may be None.

    Examples
    --------
    >>> params = {"a": np.zeros(1), "b": np.zeros(1)}
    >>> opt = st.Optimizer(params, st.recipes.block_coordinate(st.recipes.sgd(lr=1.0), every=2))
    >>> for _ in range(3):
    ...     opt.step({"a": np.ones(1), "b": np.ones(1)})
    >>> opt.params
    {'a': array([-1.]), 'b': array([-2.])}
    """
    return replace(inner, name=f"block_coordinate({inner.name})", turns=Cyclic(every, order))


@recipe(
    family="block coordinates",
    source="Luo, Yu and Li, arXiv 2404.02827; github.com/Ledzy/BAdam",
    deviations=(
        "Every turn lasts `every` steps; in the code the first one is a step shorter.",
        "Each block of the parameters has its turn; the code joins the arrays of a layer by their names, and leaves "
        "out embeddings and the output layer unless told.",
        "The step runs in the dtype of the block; the code keeps a float32 copy of the block that moves.",
    ),
    example={"every": 5},
)
def badam(
    *,
    lr: Schedulable = 1e-3,
    betas: Pair = (0.9, 0.999),
    eps: Schedulable = 1e-8,
    every: int = 50,
    order: str = "descending",
    weight_decay: Schedulable = 1e-2,
    decay: str = "decoupled",
) -> Recipe:
    r"""BAdam: AdamW on one block at a time.

    For each block in its turn, with M = V = 0 and t = 0 at the beginning of the turn, `every` times

    .. math:: M \leftarrow \beta_1 M + (1-\beta_1) G, \quad V \leftarrow \beta_2 V + (1-\beta_2) G^2, \quad
       W \leftarrow (1-\eta\lambda) W - \eta\,\frac{M/(1-\beta_1^t)}{\sqrt{V/(1-\beta_2^t)}+\epsilon}.

    Parameters
    ----------
    lr : float or callable
        A callable sees the global step.
    betas : pair of float or callable
    eps : float or callable
    every : int
        Steps of a turn.
    order : {"descending", "ascending"}
        From the last block to the first, or from the first to the last.
    weight_decay : float or callable
        Of the block that moves.
    decay : {"decoupled", "l2", "independent", "cautious"}

    Returns
    -------
    Recipe

    Raises
    ------
    ValueError
        For values outside their ranges.

    Notes
    -----
    `block_coordinate` does the same round any recipe.

    Examples
    --------
    >>> opt = st.BAdam({"a": np.zeros(1), "b": np.zeros(1)}, lr=0.1, every=1)
    >>> opt.step({"a": np.ones(1), "b": np.ones(1)})
    >>> {name: W.round(6) for name, W in opt.params.items()}
    {'a': array([0.]), 'b': array([-0.1])}
    """
    inner = adamw(lr=lr, betas=betas, eps=eps, weight_decay=weight_decay, decay=decay)
    return replace(block_coordinate(inner, every=every, order=order), name="badam")
