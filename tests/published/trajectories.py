"""What the comparisons with trajectories of published code share.

Each family of methods lists its trajectories in ``cases_<family>.py``, in a list ``CASES``; `test_trajectories.py`
finds and runs them all.

Some codes add an `eps` to the Frobenius norm before Newton-Schulz, which the package does not do: its result does not
depend on the scale of the gradient. Such a case is compared twice: the literal loop with that eps against the
trajectory, to rounding; and the recipe against the trajectory, to the largest effect that the eps can have.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path as File
from typing import Any

import numpy as np
from reference import recipes
from reference.newton_schulz import Steps, composite

import schattor as st

HERE = File(__file__).parent
STEPS = 12
INPUTS = dict(np.load(HERE / "inputs.npz"))
W0 = {k: INPUTS[f"W0_{k}"] for k in range(4)}
GRADIENTS = {k: list(INPUTS[f"G_{k}"]) for k in range(4)}
MATRICES = (0, 1, 2)
ALL = (0, 1, 2, 3)


@cache
def stored(method: str) -> dict[str, np.ndarray]:
    """All arrays of a method."""
    with np.load(HERE / f"{method}.npz") as arrays:
        return dict(arrays)


@cache
def sensitivity(iteration: Steps) -> float:
    """Largest |s f'(s)| of the composite polynomial f."""
    s = np.geomspace(1e-4, 1, 20001)
    return float(np.abs(np.diff(composite(s, iteration)) / np.diff(np.log(s))).max())


Blocks = dict[int, np.ndarray]
Extras = Callable[[int], Mapping[str, Mapping[str, Any]]]
Loop = Callable[[np.ndarray, list[np.ndarray]], recipes.Path]
JointLoop = Callable[[Blocks, list[Blocks]], list[Blocks]]


@dataclass(frozen=True)
class Case:
    """One trajectory: the recipe, the literal loop, and how far the recipe's rule may differ from the code's.

    `loop` takes the first weights and the gradients of one array and returns its `Path`; a method whose blocks depend
    on each other, or on more than gradients, gives `joint` instead: from the first weights of all arrays, and for each
    step the gradients of all, to the weights of all after each step. Both must keep the dtype of what they get.
    Constants of the code that the package leaves out are told in one of two ways. `without_eps` is the same loop
    without them: how far the two part is their effect. Or `offset` is the eps that the code adds to the norm before
    Newton-Schulz with `iteration`; `length` bounds lr times the factor on the orthogonalised matrix.
    """

    method: str
    name: str
    indices: tuple[int, ...]
    recipe: st.Recipe | Mapping[str, st.Recipe]  # routes by "0", "1", ...
    loop: Loop | None = None
    offset: float = 0.0
    iteration: Steps = ()
    length: float = 0.0
    without_eps: Loop | None = None  # the loop without the constants that the package leaves out
    transposed: bool = False  # optax stores x W: its matrices are transposed to (out, in)
    joint: JointLoop | None = None
    joint_without_eps: JointLoop | None = None
    start: Mapping[int, np.ndarray] | None = None  # first weights where they are not the shared ones
    gradients: Mapping[int, list[np.ndarray]] | None = None  # likewise, for all steps
    scale: float = 1.0  # factor on the shared gradients
    extras: Extras | None = (
        None  # what `step` takes beside the gradients, at step 0, 1, ...; keys "0", "1", ...
    )
    options: Mapping[str, Any] = field(default_factory=dict)  # of the optimizer: views, backend
    prepare: Callable[[st.Optimizer], None] | None = None  # writes stored random draws into the first state
    before_step: Callable[[st.Optimizer, int], None] | None = None  # likewise, before each step
    published_tolerance: float = 1e-12  # of the literal loop, relative to the largest displacement
    tolerance: float = 1e-9  # of the recipe; a larger one needs its reason beside the case
    float32: bool = True  # False only with a reason beside the case

    def __str__(self) -> str:
        return f"{self.method}-{self.name}-{'vector' if self.indices == (3,) else 'matrices'}"

    def oriented(self, x: np.ndarray) -> np.ndarray:
        """The array as (out, in)."""
        return x.T if self.transposed else x

    def first(self, k: int) -> np.ndarray:
        """The first weights."""
        return self.oriented((self.start or W0)[k])

    def gradient(self, k: int) -> list[np.ndarray]:
        """The gradients of all steps."""
        return [self.scale * self.oriented(G) for G in (self.gradients or GRADIENTS)[k]]

    def published(self, k: int) -> list[np.ndarray]:
        """Weights of the public code after each step."""
        return [self.oriented(x) for x in stored(self.method)[f"{self.name}/W_{k}"]]

    def literal(self, dtype: type = np.float64) -> dict[int, list[np.ndarray]]:
        """The weights of the literal loop after each step."""
        W = {k: self.first(k).astype(dtype) for k in self.indices}
        gradients = {k: [G.astype(dtype) for G in self.gradient(k)] for k in self.indices}
        if self.joint is None:
            return {k: self.path(k, W[k], gradients[k]).weights for k in self.indices}
        return self.blocks(self.joint, W, gradients)

    def blocks(self, loop: JointLoop, W: Blocks, gradients: Mapping[int, list[np.ndarray]]) -> Any:
        """The weights of such a loop after each step, by array."""
        steps = loop(W, [{k: gradients[k][t] for k in W} for t in range(len(gradients[self.indices[0]]))])
        return {k: [blocks[k] for blocks in steps] for k in self.indices}

    def path(self, k: int, W: np.ndarray, gradients: list[np.ndarray]) -> recipes.Path:
        """The path of the literal loop of one array."""
        assert self.loop is not None
        return self.loop(W, gradients)

    def run(self, dtype: type = np.float64) -> dict[int, list[np.ndarray]]:
        """The weights of the recipe after each step."""
        params = {str(k): np.array(self.first(k), dtype=dtype, order="C") for k in self.indices}
        gradients = {str(k): [G.astype(dtype) for G in self.gradient(k)] for k in self.indices}
        opt = st.Optimizer(params, self.recipe, **self.options)
        if self.prepare is not None:
            self.prepare(opt)
        weights: dict[int, list[np.ndarray]] = {k: [] for k in self.indices}
        for t in range(len(next(iter(gradients.values())))):
            extras = {} if self.extras is None else self.extras(t)
            cast = {
                what: {k: np.asarray(x, dtype=dtype) for k, x in given.items()}
                for what, given in extras.items()
            }
            if self.before_step is not None:
                self.before_step(opt, t)
            opt.step({k: G[t] for k, G in gradients.items()}, **cast)
            for k in self.indices:
                weights[k].append(params[str(k)].copy())
        return weights


def displacement(case: Case, k: int) -> float:
    """Largest distance of the public trajectory from its start."""
    return max(float(np.abs(W - case.first(k)).max()) for W in case.published(k))


def eps_effect(case: Case, k: int) -> float:
    """Largest effect of the code's eps on any entry of the weights.

    Where there is a loop without it, the distance to that loop. Else: an eps in the norm shrinks every singular value s
    of X by the factor 1 - eps/||u||; the composite polynomial f turns that into a change of at most sup |s f'(s)|
    eps/||u||, and the sum of all steps adds up.
    """
    if case.without_eps is not None:
        plain = case.without_eps(case.first(k), case.gradient(k)).weights
        return float(np.abs(np.array(plain) - np.array(case.literal()[k])).max())
    if case.joint_without_eps is not None:
        first = {i: case.first(i) for i in case.indices}
        without = case.blocks(case.joint_without_eps, first, {i: case.gradient(i) for i in first})[k]
        return float(np.abs(np.array(without) - np.array(case.literal()[k])).max())
    if not case.offset:
        return 0.0
    total = 0.0
    for u in case.path(k, case.first(k), case.gradient(k)).estimates:
        effect = case.length * np.sqrt(min(u.shape)) * sensitivity(case.iteration)
        effect *= case.offset / float(np.linalg.norm(u))
        if isinstance(case.recipe, st.Recipe) and case.recipe.degree == 1:
            effect *= 2 * 1.2 * float(np.linalg.norm(u, "nuc"))  # O enters twice, and <u, O> <= 1.2 ||u||_*
        total += effect
    return total
