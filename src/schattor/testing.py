"""Checks of geometries and recipes: the identities and the contracts that everything in the package keeps."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from ._edge.arguments import checked
from ._edge.arrays import FloatArray, matrix_shape
from ._edge.values import NON_NEGATIVE, Schedulable, at_step, check_count
from .optimizer.optimizer import Optimizer
from .parts.geometries import Geometry
from .recipe.driver import by_driver
from .recipe.recipe import Recipe

__all__ = ["check_geometry", "check_recipe", "extras_for"]

Shape = tuple[int, ...]
Map = Callable[[FloatArray], FloatArray]
Blocks = dict[str, FloatArray]

_LARGE = 60  # a power of two beside which every eps is nothing

_SHAPES: tuple[Shape, ...] = ((5, 3), (3, 5), (4, 4), (6, 1))


@checked
def check_geometry(
    geometry: Geometry,
    *,
    shapes: Sequence[Shape] = _SHAPES,
    rng: int | np.random.Generator | None = 0,
    rtol: float = 1e-9,
) -> None:
    r"""Check that norm, dual norm and oracles of a geometry belong together.

    On random float64 matrices: :math:`\langle G, D\rangle = -\|G\|_*` and :math:`\|D\| = 1` for the ball direction D,
    no random point of the unit ball, far from D or near, goes further downhill, the regularization oracle is
    :math:`\|G\|_* D`, the norm is homogeneous and obeys the triangle inequality, zero maps to zero, D ignores the scale
    of G, and the oracle commutes with the group that the geometry declares. float32 is kept.

    Parameters
    ----------
    geometry : Geometry
    shapes : sequence of shapes
    rng : int, Generator or None
    rtol : float
        Relative tolerance.

    Raises
    ------
    AssertionError
        Naming the identity, the shape and the numbers.

    Notes
    -----
    arXiv 2606.15702, Lemma 1.

    Examples
    --------
    >>> st.testing.check_geometry(st.Schatten(3))
    """
    NON_NEGATIVE.check("rtol", rtol)
    generator = np.random.default_rng(rng)
    for shape in shapes:
        G = generator.standard_normal(shape)
        D, dual = geometry.ball(G), geometry.dual_norm(G)
        where = f"{geometry}, shape {shape}: "
        _close(where + "<G, D> = -dual norm", float((G * D).sum()), -dual, rtol)
        _close(where + "||D|| = 1", geometry.norm(D), 1.0, rtol)
        _arrays(where + "regularized(G) = dual norm D", geometry.regularized(G), dual * D, rtol)
        _arrays(where + "ball(3 G) = ball(G)", geometry.ball(3 * G), D, rtol)
        _close(where + "||3 X|| = 3 ||X||", geometry.norm(3 * G), 3 * geometry.norm(G), rtol)
        _require(not geometry.ball(np.zeros(shape)).any(), where + "ball(0) = 0")
        _require(geometry.ball(G.astype(np.float32)).dtype == np.float32, where + "float32 is kept")
        for _ in range(20):
            X = generator.standard_normal(shape)
            for point in (X, D + 0.1 * X):
                downhill = float((G * point).sum()) / geometry.norm(point)
                reached = where + f"a point of the ball reaches {downhill}, not {-dual}"
                _require(downhill >= -dual * (1 + rtol), reached)
            _require(
                geometry.norm(X + G) <= (geometry.norm(X) + geometry.norm(G)) * (1 + rtol),
                where + "||X + Y|| <= ||X|| + ||Y||",
            )
        group = geometry.equivariance
        if group != "mixed":
            map_ = group_element(group, shape, generator)
            _arrays(where + f"equivariance ({group})", geometry.ball(map_(G)), map_(D), 1e3 * rtol)


@checked
def check_recipe(
    recipe: Recipe,
    *,
    shapes: Sequence[Shape] = _SHAPES[:3],
    steps: int = 4,
    rng: int | np.random.Generator | None = 0,
) -> None:
    """Check the contracts of a recipe on random gradients.

    float32 and float64 are kept; steps are finite; zero gradients at the start leave weights without decay alone; None
    leaves a block wholly untouched; ``peek`` changes nothing and ``update`` moves as ``step`` does; a saved state
    continues bit for bit; any number of threads and any order of blocks gives the same bits (a coupled recipe: the
    same numbers); the declared degree and group hold.

    Parameters
    ----------
    recipe : Recipe
        Without weight decay: it would hide what it acts beside.
    shapes : sequence of shapes
        Of the blocks; where a recipe pairs blocks, of the products of factors of full rank.
    steps : int
    rng : int, Generator or None

    Raises
    ------
    AssertionError
        Naming the contract and the block.

    Examples
    --------
    >>> st.testing.check_recipe(st.recipes.muon(lr=0.1))
    """
    check_count("steps", steps, least=1)
    generator = np.random.default_rng(rng)
    blocks = {f"block {i} {shape}": shape for i, shape in enumerate(shapes)}
    if recipe.pairing is not None:
        left, right = recipe.pairing.left, recipe.pairing.right
        blocks = {
            f"{name}/{side}": shape
            for name, (m, n) in blocks.items()
            for side, shape in ((left, (m, min(m, n))), (right, (min(m, n), n)))
        }

    def draw() -> Blocks:
        return {name: generator.standard_normal(shape) for name, shape in blocks.items()}

    W, gradients = draw(), [draw() for _ in range(steps)]
    _check_dtypes(recipe, W, gradients)
    _check_untouched(recipe, W, gradients[0])
    _check_resume(recipe, W, gradients)
    _check_order(recipe, W, gradients)
    _check_symmetry(recipe, W, gradients, generator)


@checked
def extras_for(recipe: Recipe, grads: Blocks) -> dict[str, Blocks]:
    """Return made-up extras of the kinds that a recipe requires, from gradients of a step.

    The previous gradient is half of the gradient; the samples' gradients are 0.5, 0.75 and 1 times it; its rows stand
    for activations and its columns for deltas, so that the extras turn with the gradients. Activations have a root mean
    square of one, as they do not follow the scale of the loss.

    Parameters
    ----------
    recipe : Recipe
    grads : dict of arrays

    Returns
    -------
    dict of dicts of arrays
        The keywords of `schattor.Optimizer.step`.

    Examples
    --------
    >>> st.testing.extras_for(st.recipes.sgd(lr=1.0), {"W": np.ones((2, 3))})
    {}
    """
    made: dict[str, Callable[[FloatArray], FloatArray]] = {
        "gradient_at_previous": lambda g: np.asarray(0.5 * g, dtype=g.dtype),
        "activations": lambda g: _of_rms_one(g.reshape(matrix_shape(g.shape))),
        "deltas": lambda g: g.reshape(matrix_shape(g.shape)).T,
        "per_example": lambda g: np.stack([0.5 * g, 0.75 * g, g]).astype(g.dtype),
    }
    return {kind: {name: made[kind](g) for name, g in grads.items()} for kind in sorted(recipe.requires)}


def _of_rms_one(x: FloatArray) -> FloatArray:
    x = np.ascontiguousarray(x)  # sums in one order, whatever the layout
    largest = float(np.abs(x).max(initial=0))
    if not 0 < largest < math.inf:
        return x
    scaled = x / x.dtype.type(largest)
    return np.asarray(scaled / np.sqrt(np.mean(scaled**2)))


def group_element(group: str, shape: Shape, rng: np.random.Generator) -> Map:
    """Return a random element of a group named as in `Geometry.equivariance`; a vector is n x 1."""
    if group in ("rotations", "entries"):
        size = math.prod(shape)
        Q = (_rotation if group == "rotations" else _signed_permutation)(size, rng)
        return lambda X: np.asarray((Q @ X.ravel()).reshape(shape))
    if group not in ("orthogonal", "left", "right", "lines"):
        raise ValueError(f"no group is called {group!r}")
    m, n = (*shape, 1, 1)[:2]
    left = (_rotation if group in ("orthogonal", "left") else _signed_permutation)(m, rng)
    right = (_rotation if group in ("orthogonal", "right") else _signed_permutation)(n, rng)
    return lambda X: np.asarray((left @ X.reshape(m, n) @ right).reshape(shape))


def group_elements(recipe: Recipe, shapes: Mapping[str, Shape], rng: np.random.Generator) -> dict[str, Map]:
    """Return a random element of a recipe's group for each block: paired ones turn together on their common side."""
    if recipe.pairing is None:
        return {name: group_element(recipe.equivariance, shape, rng) for name, shape in shapes.items()}
    turn = _rotation if recipe.equivariance == "orthogonal" else _signed_permutation
    maps: dict[str, Map] = {}
    for name in filter(recipe.pairing.is_left, shapes):
        (m, r), partner = shapes[name], recipe.pairing.partner(name)
        P, T, Q = (turn(size, rng) for size in (m, r, shapes[partner][1]))
        maps[name] = functools.partial(_between, P, T)
        maps[partner] = functools.partial(_between, T.T, Q)
    return maps


def _between(left: FloatArray, right: FloatArray, X: FloatArray) -> FloatArray:
    return np.asarray(left @ X @ right)


def _rotation(n: int, rng: np.random.Generator) -> FloatArray:
    Q: FloatArray = np.linalg.qr(rng.standard_normal((n, n)))[0]
    return Q


def _signed_permutation(n: int, rng: np.random.Generator) -> FloatArray:
    P: FloatArray = np.eye(n)[rng.permutation(n)] * rng.choice([-1.0, 1.0], n)
    return P


def _check_dtypes(recipe: Recipe, W: Blocks, gradients: list[Blocks]) -> None:
    for dtype in (np.float64, np.float32):
        params = {name: x.astype(dtype) for name, x in W.items()}
        opt = Optimizer(params, recipe)
        for G in gradients:
            given: Blocks = {name: g.astype(dtype) for name, g in G.items()}
            extras = extras_for(recipe, given)
            tentative, moved = opt.peek(given, **extras), opt.update(given, **extras)
            for name, x in params.items():
                _require(np.isfinite(moved[name]).all(), f"{recipe.name}, {name}: a step is not finite")
                _require(moved[name].dtype == dtype, f"{recipe.name}, {name}: {dtype.__name__} is kept")
                _require(
                    np.array_equal(tentative[name], moved[name]), f"{recipe.name}, {name}: peek and update"
                )
                _require(
                    np.array_equal(x, W[name].astype(dtype)),
                    f"{recipe.name}, {name}: update moved the weights",
                )


def _check_untouched(recipe: Recipe, W: Blocks, G: Blocks) -> None:
    params = _copied(W)
    zero = Optimizer(params, recipe)
    nothing: Blocks = {name: np.zeros_like(x) for name, x in W.items()}
    zero.step(nothing, **extras_for(recipe, nothing))
    for name, x in params.items():
        _require(np.array_equal(x, W[name]), f"{recipe.name}, {name}: a zero gradient moved the weights")
    first, *rest = W
    params = _copied(W)
    opt = Optimizer(params, recipe)
    before = opt.state_dict()
    present = {name: G[name] for name in rest}
    opt.step({first: None} | present, **extras_for(recipe, present))
    shared = {f"state/{first}/{name}" for name in recipe.shares}
    kept = {
        key: value
        for key, value in opt.state_dict().items()
        if key.startswith(f"state/{first}/") and key not in shared
    }
    _require(
        np.array_equal(params[first], W[first])
        and all(np.array_equal(before[k], v) for k, v in kept.items()),
        f"{recipe.name}, {first}: None did not leave the block untouched",
    )


def _check_resume(recipe: Recipe, W: Blocks, gradients: list[Blocks]) -> None:
    params = _copied(W)
    opt = Optimizer(params, recipe)
    half = len(gradients) // 2
    for G in gradients[:half]:
        opt.step(G, **extras_for(recipe, G))
    resumed = _copied(params)
    other = Optimizer(resumed, recipe)
    other.load_state_dict(opt.state_dict())
    for G in gradients[half:]:
        opt.step(G, **extras_for(recipe, G))
        other.step(G, **extras_for(recipe, G))
    for name, x in params.items():
        _require(np.array_equal(x, resumed[name]), f"{recipe.name}, {name}: a resumed run differs")


def _check_order(recipe: Recipe, W: Blocks, gradients: list[Blocks]) -> None:
    runs = []
    backwards = list(W) if recipe.turns else list(reversed(W))  # turns follow the order
    for names, threads in ((list(W), 1), (list(W), 3), (backwards, 1)):
        params = {name: W[name].copy() for name in names}
        opt = Optimizer(params, recipe, n_threads=threads)
        for G in gradients:
            opt.step(G, **extras_for(recipe, G))
        runs.append(params)
    for name, x in runs[0].items():
        _require(np.array_equal(x, runs[1][name]), f"{recipe.name}, {name}: threads changed the result")
        _arrays(f"{recipe.name}, {name}: the order of blocks", runs[2][name], x, 1e-12)


def _check_symmetry(recipe: Recipe, W: Blocks, gradients: list[Blocks], rng: np.random.Generator) -> None:
    # In axes made of the gradient it may be diagonal, and a metric divides rounding errors by themselves.
    if recipe.degree is not None and (recipe.frame is None or recipe.preconditioner is None):
        check_degree(recipe, W, gradients)
    G = gradients[0]
    base = Optimizer(_copied(W), recipe).update(G, **extras_for(recipe, G))
    if recipe.equivariance == "mixed":
        return
    if recipe.frame is not None:
        W = {name: x for name, x in W.items() if recipe.frame.determined(matrix_shape(x.shape))}
        G, base = {name: G[name] for name in W}, {name: base[name] for name in W}
    maps = group_elements(recipe, {name: x.shape for name, x in W.items()}, rng)
    turned = {name: np.array(maps[name](x), order="C") for name, x in W.items()}
    mapped = {name: maps[name](g) for name, g in G.items()}
    moved = Optimizer(turned, recipe).update(mapped, **extras_for(recipe, mapped))
    for name, D in base.items():
        _arrays(
            f"{recipe.name}, {name}: commutes with {recipe.equivariance}", moved[name], maps[name](D), 1e-8
        )


def check_degree(recipe: Recipe, W: Blocks, gradients: Sequence[Blocks], rtol: float = 1e-9) -> None:
    """Check the declared degree, by some steps on gradients so large that an eps beside them is nothing."""
    degree = recipe.degree
    assert degree is not None

    def moved(power: int) -> list[Blocks]:
        # The lr takes the scale off again: displacements that are much smaller than the weights are lost.
        opt = Optimizer(_copied(W), replace(recipe, lr=_times(recipe.lr, 2.0 ** (-power * degree))))
        scaled = [{name: np.asarray(2.0**power * g) for name, g in G.items()} for G in gradients]
        return [opt.update(G, **extras_for(recipe, G)) for G in scaled]

    found, scaled = moved(_LARGE), moved(_LARGE + 20)
    lost = not any(D.any() for base in found for D in base.values())
    _require(not lost, f"{recipe.name}: degree {degree}: steps on large gradients are too short for it")
    for base, larger in zip(found, scaled, strict=True):
        for name, D in base.items():
            _arrays(f"{recipe.name}, {name}: degree {degree}", larger[name], D, rtol)


def _times(lr: Schedulable, factor: float) -> Schedulable:
    if lr is by_driver:
        return lr
    return (lambda step: factor * at_step(lr, step)) if callable(lr) else factor * lr


def _copied(blocks: Blocks) -> Blocks:
    return {name: x.copy() for name, x in blocks.items()}


def _require(holds: object, text: str) -> None:
    if not holds:
        raise AssertionError(text)


def _close(text: str, found: float, wanted: float, rtol: float) -> None:
    _require(
        abs(found - wanted) <= rtol * max(abs(wanted), 1e-300), f"{text}: got {found}, expected {wanted}"
    )


def _arrays(text: str, found: FloatArray, wanted: FloatArray, rtol: float) -> None:
    size = float(np.abs(wanted).max()) if wanted.size else 0.0
    off = float(np.abs(found - wanted).max()) if wanted.size else 0.0
    _require(off <= rtol * size, f"{text}: off by {off:.3g} where entries reach {size:.3g}")
