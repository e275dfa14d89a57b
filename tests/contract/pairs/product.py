"""Every pair of parts: in two slots of a recipe, in parts that hold parts, and inside frames."""

from __future__ import annotations

import contextlib
import itertools
import pickle
import re
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from contract.pairs.catalogue import EXAMPLES, holes, is_part, kind_of, label

import schattor as st

E, P = st.estimators, st.parts
Blocks = dict[str, np.ndarray]
Path = tuple[tuple[str, int | None], ...]

# ------------------------------------------------------------------------------------- where parts can stand

SLOTS = {
    "transforms[0]": "transform",
    "transforms[1]": "transform",
    "estimator": "estimator",
    "frame": "frame",
    "preconditioner": "preconditioner",
    "geometry": "geometry",
    "adjustments[0]": "adjustment",
    "adjustments[1]": "adjustment",
    "scaling": "scaling",
    "output": "estimator",
    "update": "update",
    "turns": "turns",
}
SECOND = {
    "transforms[1]": "transforms[0]",
    "adjustments[1]": "adjustments[0]",
}  # differ by their neighbour only
INSIDE = ("preconditioner", "geometry")  # the slots that a frame goes round


@dataclass(frozen=True)
class Mixed:
    """Stands for the coupling by a mixed norm of the geometry."""

    outer: float


# What stands in the slots of a recipe that a pair leaves open: one of these, drawn for each pair.
BACKGROUNDS: tuple[dict[str, Any], ...] = (
    {"geometry": st.Lp(2)},
    {"geometry": st.Lp(2), "scaling": P.NormScaling("regularization")},
    {"geometry": st.Lp(2), "scaling": P.NormScaling("regularization"), "coupling": P.Coupling(2.0)},
    {"geometry": st.Sign(), "transforms[0]": P.L2Decay(0.01), "update": P.Additive("decoupled", 0.01)},
    {"geometry": st.Sign(), "estimator": E.HeavyBall(0.9), "coupling": Mixed(3.0)},
    {"geometry": st.Schatten(4), "estimator": E.EMA(0.9), "output": E.EMA(0.5, "zero")},
    {"geometry": st.Lp(2), "output": E.HeavyBall(0.5), "output_takes_lr": True, "pairing": P.Pairing()},
)


@dataclass(frozen=True)
class Place:
    """A slot, or a place inside of the part that stands there."""

    slot: str
    host: Any = None
    path: Path = ()

    def __str__(self) -> str:
        inside = "".join(f".{name}" + ("" if i is None else f"[{i}]") for name, i in self.path)
        return self.slot + (f"/{label(self.host)}{inside}" if self.host else "")

    @property
    def kind(self) -> str:
        """What kind of part can stand here."""
        return SLOTS[self.slot] if self.host is None else kind_of(_at(self.host, self.path))

    def examples(self) -> tuple[Any, ...]:
        """The parts that are put here."""
        parts = EXAMPLES[self.kind]
        fits = self.slot != "output"
        return tuple(
            x for x in parts if fits or (isinstance(x, E.EMA | E.HeavyBall) and x.init != "debiased")
        )


def _at(part: Any, path: Path) -> Any:
    for name, i in path:
        part = getattr(part, name) if i is None else getattr(part, name)[i]
    return part


def _put(host: Any, path: Path, part: Any) -> Any:
    """Return the host with the part at the end of the path."""
    if not path:
        return part
    (name, i), *rest = path
    value = getattr(host, name)
    if i is None:
        return replace(host, **{name: _put(value, tuple(rest), part)})
    members = [_put(x, tuple(rest), part) if k == i else x for k, x in enumerate(value)]
    return replace(host, **{name: tuple(members)})


def _paths(host: Any) -> Iterator[Path]:
    for step, child in holes(host):
        yield (step,)
        yield from ((step, *rest) for rest in _paths(child))


def _hosts(kind: str) -> list[Any]:
    """One example of each class of this kind that holds parts."""
    return list({type(x): x for x in reversed(EXAMPLES[kind]) if any(holes(x))}.values())


def _deep_hosts(kind: str) -> list[Any]:
    """The same, and each of them with others inside."""
    found = _hosts(kind)
    for host in list(found):
        for step, child in holes(host):
            for inner in _hosts(kind_of(child)):
                with contextlib.suppress(TypeError, ValueError):  # refused, as a pair of its own finds out
                    found.append(_put(host, (step,), inner))
    return found


# ------------------------------------------------------------------------------------------------- the pairs


@dataclass(frozen=True)
class Pair:
    """Two parts at two places, and perhaps a frame round them."""

    first: tuple[Place, Any]
    second: tuple[Place, Any]
    frame: Any = None

    def __str__(self) -> str:
        named = [f"{place}={label(part)}" for place, part in (self.first, self.second)]
        return " ".join(named + ([f"frame={label(self.frame)}"] if self.frame else []))

    def slots(self, seed: int) -> dict[str, Any]:
        """What fills the slots: the pair, and a background."""
        drawn = zlib.crc32(f"{seed} {self}".encode()) % len(BACKGROUNDS)
        slots = dict(BACKGROUNDS[drawn])
        own: dict[str, Any] = {"frame": self.frame} if self.frame else {}
        for place, part in (self.first, self.second):
            base = own.get(place.slot, place.host)
            own[place.slot] = _put(base, place.path, part)
        if isinstance(own.get("turns"), P.Turns):
            slots.pop("coupling", None)
        slots |= own
        if isinstance(slots.get("frame"), P.PartnerMetric):
            slots["pairing"] = P.Pairing()
        return slots

    def recipe(self, names: Sequence[str], seed: int) -> st.Recipe:
        """The recipe for blocks of these names."""
        slots = self.slots(seed)
        for slot in ("transforms", "adjustments"):
            found = [slots.pop(f"{slot}[{i}]", None) for i in range(2)]
            slots[slot] = tuple(part for part in found if part is not None)
        if isinstance(slots.get("coupling"), Mixed):
            outer = slots.pop("coupling").outer
            slots["geometry"] = st.MixedNorm(dict.fromkeys(names, slots["geometry"]), outer=outer)
        return st.Recipe("pair", 0.05, **slots)

    def parts(self) -> list[Any]:
        """All parts that may be at fault, those that hold others first."""
        tops = [x for x in (self.first[0].host, self.second[0].host, self.frame) if x is not None]
        tops += [self.first[1], self.second[1]]
        tops += [x for background in BACKGROUNDS for x in background.values() if is_part(x)]
        return [part for top in tops for part in (top, *(_at(top, path) for path in _paths(top)))]


def pairs() -> Iterator[Pair]:
    """The product: slots with slots, alone and in frames; what parts hold with slots; what one part holds."""
    slots = [Place(slot) for slot in SLOTS if slot not in SECOND]
    for place, other in [
        *itertools.combinations(slots, 2),
        *((Place(a), Place(b)) for b, a in SECOND.items()),
    ]:
        for x, y in itertools.product(place.examples(), other.examples()):
            yield Pair((place, x), (other, y))
        if "frame" not in (place.slot, other.slot) and {place.slot, other.slot} & set(INSIDE):
            for x, y in itertools.product(_one_of_each(place), _one_of_each(other)):
                yield from (Pair((place, x), (other, y), frame) for frame in _one_of_each(Place("frame")))
    for slot, kind in SLOTS.items():
        for host in _hosts(kind):
            for place in (Place(slot, host, path) for path in _paths(host)):
                yield from _held(place, [other for other in slots if other.slot != slot])
        for host in _deep_hosts(kind):
            yield from _within(slot, host)


def _held(place: Place, slots: list[Place]) -> Iterator[Pair]:
    """Each part that another holds, beside each part in the other slots."""
    for x in place.examples():
        beside = [(other, y) for other in slots for y in _one_of_each(other)]
        # Where the part that would hold it refuses it, what stands beside makes no difference.
        for other, y in beside if _can_be_made(place, x) else beside[:1]:
            yield Pair((place, x), (other, y))


def _within(slot: str, host: Any) -> Iterator[Pair]:
    """Both parts inside of one."""
    every = Place.examples if host in _hosts(SLOTS[slot]) else _one_of_each
    for place, other in itertools.combinations([Place(slot, host, path) for path in _paths(host)], 2):
        shorter = min(len(place.path), len(other.path))
        if place.path[:shorter] != other.path[:shorter]:
            for x, y in itertools.product(every(place), every(other)):
                yield Pair((place, x), (other, y))


def _one_of_each(place: Place) -> list[Any]:
    return list({type(x): x for x in reversed(place.examples())}.values())


def _can_be_made(place: Place, part: Any) -> bool:
    try:
        _put(place.host, place.path, part)
    except (TypeError, ValueError):
        return False
    return True


# ------------------------------------------------------------------------------------------ what they must do

# Two blocks each, factors of a product, so that parts that pair or sum over blocks have something to do.
SHAPES: dict[str, dict[str, tuple[int, ...]]] = {
    "square": {"W/B": (4, 4), "W/A": (4, 4)},
    "tall and wide": {"W/B": (5, 3), "W/A": (3, 6)},
    "vectors": {"W/B": (5,), "W/A": (1, 4)},
}
DTYPES = {"square": np.float64, "tall and wide": np.float32, "vectors": np.float64}
STEPS = 6


@dataclass(frozen=True)
class Outcome:
    """What became of a pair: it "moved", was "refused" in a sentence, or "failed"."""

    pair: str
    kind: str
    text: str = ""


class NotKeptError(Exception):
    """What a pair must not do."""


def examine(pair: Pair, seed: int = 0) -> Outcome:
    """Take some steps with a pair; see `Outcome`."""
    refusals = []
    for name, shapes in SHAPES.items():
        try:
            refusal = _run(pair, shapes, DTYPES[name], seed)
        except NotKeptError as failure:
            return Outcome(str(pair), "failed", f"{name}: {failure}")
        except Exception as error:
            return Outcome(str(pair), "failed", f"{name}: {type(error).__name__} in a step: {error}")
        if refusal is not None:
            refusals.append(refusal)
    return Outcome(str(pair), "refused", refusals[0]) if refusals else Outcome(str(pair), "moved")


def _run(pair: Pair, shapes: dict[str, tuple[int, ...]], dtype: type, seed: int) -> str | None:
    rng = np.random.default_rng(seed)
    start = {name: np.asarray(_orthonormal(shape, rng), dtype=dtype) for name, shape in shapes.items()}
    grads = [_draw(shapes, dtype, rng) for _ in range(STEPS)]
    recipe, opt = None, None
    try:
        recipe = pair.recipe(list(shapes), seed)
        opt = _optimizer(start, recipe)
    except (TypeError, ValueError) as error:
        return _checked(str(error), pair.parts())
    if shapes == SHAPES["square"] and _has_plain_degree(recipe):
        try:
            st.testing.check_degree(recipe, start, grads if recipe.turns else grads[:2])
        except AssertionError as error:
            raise NotKeptError(str(error)) from None
    for G in grads[:3]:
        _step(opt, recipe, G)
    restored = _optimizer(opt.params, recipe)
    restored.load_state_dict(opt.state_dict())
    pickled = pickle.loads(pickle.dumps(opt))
    for G in grads[3:]:
        for each in (opt, restored, pickled):
            _step(each, recipe, G)
    _require_finite(opt)
    for other, what in ((restored, "a loaded state"), (pickled, "a pickle")):
        if not (_same(opt.params, other.params) and _same(opt.state_dict(), other.state_dict())):
            raise NotKeptError(f"{what} goes on differently")
    elsewhere = _optimizer(start, recipe)
    for _ in grads:
        _step(elsewhere, recipe, _draw(shapes, dtype, rng))
    for name, W in opt.params.items():
        if np.array_equal(W, start[name]):
            raise NotKeptError(f"{name} never moves")
        if np.array_equal(W, elsewhere.params[name]):
            raise NotKeptError(f"{name} moves whatever the gradients are")
    return None


def _has_plain_degree(recipe: st.Recipe) -> bool:
    """Whether rounding errors and an eps of directions stay nothing on large gradients."""
    rounded = recipe.frame is not None and recipe.preconditioner is not None
    shrinks = "deltas" in recipe.requires  # K-FAC's steps
    return recipe.degree is not None and not rounded and not shrinks


def _optimizer(start: Blocks, recipe: st.Recipe) -> st.Optimizer:
    return st.Optimizer({name: x.copy() for name, x in start.items()}, recipe, n_threads=1)


def _step(opt: st.Optimizer, recipe: st.Recipe, G: Blocks) -> None:
    opt.step(G, **st.testing.extras_for(recipe, G))


def _draw(shapes: dict[str, tuple[int, ...]], dtype: type, rng: np.random.Generator) -> Blocks:
    return {name: rng.standard_normal(shape).astype(dtype) for name, shape in shapes.items()}


def _orthonormal(shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """A point of the Stiefel manifold, as some parts want it."""
    m, n = (*shape, 1)[:2]
    Q, _ = np.linalg.qr(rng.standard_normal((max(m, n), min(m, n))))
    return np.ascontiguousarray((Q if m >= n else Q.T).reshape(shape))


def _same(a: Any, b: Any) -> bool:
    return a.keys() == b.keys() and all(
        np.asarray(x).tobytes() == np.asarray(b[k]).tobytes() for k, x in a.items()
    )


def _require_finite(opt: st.Optimizer) -> None:
    for name, x in {**opt.params, **opt.state_dict()}.items():
        array = np.asarray(x)
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise NotKeptError(f"{name} is not finite")


def _checked(text: str, parts: list[Any]) -> str:
    """Return the text of a refusal if it is a sentence that names two of the parts."""
    for foreign in ("incompatible", "Invoked with", "C++", "\n"):
        if foreign in text:
            raise NotKeptError(f"refused in words of another language: {text!r}")
    spoken: dict[type, set[str]] = {}
    for part in parts:
        spoken.setdefault(type(part), {type(part).__name__}).update(re.findall(r"^\w+", str(part)))
    patterns = ["|".join(map(re.escape, names)) for names in spoken.values()]
    named = [len(re.findall(rf"\b({pattern})\b", text)) for pattern in patterns]
    if sum(count > 0 for count in named) < 2 and max(named, default=0) < 2:
        raise NotKeptError(f"refused without naming two parts: {text!r}")
    return text
