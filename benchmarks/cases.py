"""The table of cases and the table of sides."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from .harness import Settings, Side
from .matrices import Shape, exponent_name, gaussian

RTOL = 1e-3
BACKENDS = ("svd", "gram", "band", "chebyshev", "newton_schulz", "qdwh")
POLAR_BACKENDS = ("newton_schulz", "qdwh")


@dataclass(frozen=True)
class Case:
    """One comparison.

    `facts` go into every row of the record. `base` is the (library, name) that the others' times are divided by.
    `check` says what results are compared with: the exact "oracle", the "quintic" in float64, a "batch" of exact
    oracles, or the "first" side.
    """

    section: str
    title: str
    sides: tuple[Side, ...]
    base: tuple[str, str]
    check: str
    facts: dict[str, Any] = field(default_factory=dict)
    memory: bool = False
    settings: Settings | None = None


@dataclass(frozen=True)
class Selection:
    """What is measured: everything, or as much as shows that the benchmarks work."""

    oracle_shapes: tuple[Shape, ...] = (
        (64, 64),
        (128, 784),
        (384, 384),
        (512, 512),
        (512, 1024),
        (768, 768),
        (1024, 1024),
        (768, 3072),
    )
    exponents: tuple[float, ...] = (3.0, 4.0, math.inf)
    quintic_shapes: tuple[Shape, ...] = (
        (64, 64),
        (128, 784),
        (384, 384),
        (512, 512),
        (512, 1024),
        (384, 1536),
        (768, 768),
        (1024, 1024),
        (768, 3072),
    )
    batch_shapes: tuple[Shape, ...] = ((16, 16), (64, 64), (128, 128))
    batch_count: int = 256
    parameter_sets: tuple[str, ...] = ("MLP 784-256-128-10", "24 of 384x384, 12 of 1536x384", "100 of 16x16")
    alternating_sizes: tuple[int, ...] = (128, 256, 512)
    auto_shapes: tuple[Shape, ...] = (
        (16, 16),
        (32, 32),
        (64, 64),
        (64, 256),
        (128, 128),
        (128, 784),
        (192, 384),
        (256, 256),
        (384, 384),
        (512, 1024),
        (768, 768),
        (768, 3072),
    )
    auto_exponents: tuple[float, ...] = (1.5, 4.0, math.inf)
    recipe_shapes: tuple[Shape, ...] = ((384, 384), (1536, 384))
    recipe_memory: int = 2**27  # bytes: beyond the caches, so that memory is what bounds loops
    recipes_per_family: int | None = None
    noise_shapes: tuple[Shape, ...] = ((128, 784), (512, 512), (1536, 384))
    constructed: int = 100_000  # blocks
    joined: int = 40_000  # blocks to which one is added


QUICK_SELECTION = Selection(
    oracle_shapes=((64, 64), (128, 784), (384, 384)),
    exponents=(4.0, math.inf),
    quintic_shapes=((128, 784), (384, 384)),
    batch_shapes=((16, 16),),
    batch_count=32,
    parameter_sets=("MLP 784-256-128-10", "100 of 16x16"),
    alternating_sizes=(128,),
    auto_shapes=((32, 32), (128, 784)),
    auto_exponents=(4.0, math.inf),
    recipe_shapes=((96, 64),),
    recipe_memory=2**20,
    recipes_per_family=1,
    noise_shapes=((128, 784),),
    constructed=1000,
    joined=400,
)

PARAMETER_SETS: dict[str, list[Shape]] = {
    "MLP 784-256-128-10": [(256, 784), (128, 256), (10, 128)],
    "24 of 384x384, 12 of 1536x384": [(384, 384)] * 24 + [(1536, 384)] * 12,
    "100 of 16x16": [(16, 16)] * 100,
}

# library, name, what goes into the task, whether it computes only the polar factor (p = inf)
ORACLE_SIDES: tuple[tuple[str, str, dict[str, Any], bool], ...] = (
    ("numpy", "SVD route", {}, False),
    ("schattor", "strict", {"backend": "auto"}, False),
    ("schattor", "rtol=1e-3", {"backend": "auto", "rtol": RTOL}, False),
    ("schattor", "svd", {"backend": "svd"}, False),
    ("schattor", "gram", {"backend": "gram"}, False),
    ("schattor", "band", {"backend": "band"}, False),
    ("schattor", "band, rtol=1e-3", {"backend": "band", "rtol": RTOL}, False),
    ("schattor", "chebyshev", {"backend": "chebyshev"}, False),
    ("schattor", "chebyshev, rtol=1e-3", {"backend": "chebyshev", "rtol": RTOL}, False),
    ("schattor", "newton_schulz", {"backend": "newton_schulz"}, True),
    ("schattor", "newton_schulz, rtol=1e-3", {"backend": "newton_schulz", "rtol": RTOL}, True),
    ("schattor", "qdwh", {"backend": "qdwh"}, True),
    ("scipy", "SVD route", {}, False),
    ("torch", "SVD route", {}, False),
    ("scipy", "polar", {"name": "polar"}, True),
    ("numpy", "Newton-Schulz", {"name": "newton_schulz"}, True),
)

QUINTIC_SIDES: tuple[tuple[str, str], ...] = (
    ("torch", "float32"),
    ("torch", "bfloat16"),
    ("schattor", "float32"),
    ("numpy", "float32"),
)

# library, name, what goes into the task, threads
BATCH_SIDES: tuple[tuple[str, str, dict[str, Any], str], ...] = (
    ("numpy", "loop, one BLAS thread", {}, "one"),
    ("numpy", "stacked, one BLAS thread", {"name": "stacked"}, "one"),
    ("schattor", "strict, 2 threads", {"n_threads": 2}, "default"),
    ("schattor", "rtol=1e-3, 2 threads", {"n_threads": 2, "rtol": RTOL}, "default"),
    ("schattor", "loop of ball_oracle", {"name": "loop"}, "default"),
)

# library, name, what goes into the task, rules that have it
STEP_SIDES: tuple[tuple[str, str, dict[str, Any], tuple[str, ...]], ...] = (
    ("torch", "torch.optim", {}, ("muon", "adamw")),
    ("numpy", "block by block", {}, ("schattor", "muon", "adamw", "sgd")),
    ("schattor", "defaults", {}, ("schattor", "muon", "adamw", "sgd")),
    ("schattor", "n_threads=2", {"n_threads": 2}, ("schattor", "muon", "adamw")),
    ("schattor", "rtol=1e-3", {"rtol": RTOL}, ("schattor",)),
    ("numpy", "stacked", {"stacked": True}, ("schattor", "adamw", "sgd")),
)
STEP_BASES = {
    "muon": ("torch", "torch.optim"),
    "adamw": ("torch", "torch.optim"),
    "schattor": ("numpy", "block by block"),
    "sgd": ("numpy", "block by block"),
}


def shape_name(shape: Shape) -> str:
    """Return the shape as text."""
    return f"{shape[0]}x{shape[1]}"


def with_products(sides: list[Side], shape: Shape, dtype: str) -> tuple[Side, ...]:
    """Add to each library one product (m x m)(m x n): the unit of time."""
    task = {"kind": "product", "shape": shape, "dtype": dtype}
    first = {side.worker_key(): side for side in reversed(sides)}
    return (*sides, *(replace(side, name="product", task=task) for side in first.values()))


def small_cases(program: str | None, directory: Path) -> Iterator[Case]:
    """Yield one small oracle against LAPACK's own time, and a step over many blocks against a C++ loop."""
    if program is None:
        return
    for dtype in ("float64", "float32"):
        for size in (8, 16):
            gaussian((size, size), dtype, 100).tofile(directory / f"{size}-{dtype}")
        command = (program, "oracle", dtype, "8", "8", "4", str(directory / f"8-{dtype}"))
        oracle = {"kind": "oracle", "shape": (8, 8), "dtype": dtype, "p": "4", "count": 100}
        sides: tuple[Side, ...] = (
            Side("cpp", "LAPACK gesdd", {"command": (program, "gesdd", *command[2:])}, "one"),
            Side("cpp", "oracle", {"command": command}, "one"),
            Side("schattor", "strict", oracle, "one"),
            Side("numpy", "SVD route", oracle, "one"),
        )
        facts = {"shape": "8x8", "p": "4", "dtype": dtype, "threads": "one"}
        yield Case("small", "one oracle, 8x8, p = 4", sides, ("cpp", "LAPACK gesdd"), "oracle", facts)
        loop = {"command": (program, "oracle", dtype, "16", "16", "4", str(directory / f"16-{dtype}"))}
        step = {"kind": "step", "rule": "schattor", "dtype": dtype, "shapes": PARAMETER_SETS["100 of 16x16"]}
        sides = (
            Side("cpp", "oracle loop", loop, "one", calls_per_unit=100),
            Side("schattor", "step", step, "one"),
        )
        facts = {"dtype": dtype, "threads": "one"}
        yield Case("small", "100 blocks of 16x16, p = 4", sides, ("cpp", "oracle loop"), "none", facts)


def oracle_cases(selection: Selection) -> Iterator[Case]:
    """Yield one oracle, every route, with the threads that each library takes and with one.

    With one thread p = 3 is left out: it takes the same routes as p = 4.
    """
    for threads in ("default", "one"):
        exponents = [p for p in selection.exponents if threads == "default" or p != 3]
        for shape in selection.oracle_shapes:
            for p in exponents:
                task = {"kind": "oracle", "shape": shape, "dtype": "float32", "p": exponent_name(p)}
                sides = [
                    Side(library, name, task | options, threads)
                    for library, name, options, polar in ORACLE_SIDES
                    if not polar or math.isinf(p)
                ]
                facts = {"shape": shape_name(shape), "p": task["p"], "dtype": "float32", "threads": threads}
                yield Case(
                    "oracles",
                    f"oracle {shape_name(shape)}, p = {task['p']}",
                    with_products(sides, shape, "float32"),
                    ("numpy", "SVD route"),
                    "oracle",
                    facts,
                    memory=threads == "default" and p >= 4,
                )


def quintic_cases(selection: Selection) -> Iterator[Case]:
    """Yield Muon's five steps."""
    for threads in ("default", "one"):
        for shape in selection.quintic_shapes:
            task = {"kind": "quintic", "shape": shape, "dtype": "float32"}
            sides = [Side(library, name, task | {"name": name}, threads) for library, name in QUINTIC_SIDES]
            yield Case(
                "quintic",
                f"Muon's five steps {shape_name(shape)}",
                with_products(sides, shape, "float32"),
                ("torch", "float32"),
                "quintic",
                {"shape": shape_name(shape), "dtype": "float32", "threads": threads},
                memory=threads == "default",
            )


def batch_cases(selection: Selection) -> Iterator[Case]:
    """Yield many equal blocks."""
    for shape in selection.batch_shapes:
        count = selection.batch_count
        task = {"kind": "batch", "shape": shape, "dtype": "float32", "p": "4", "count": count}
        sides = tuple(
            Side(library, name, task | options, threads) for library, name, options, threads in BATCH_SIDES
        )
        yield Case(
            "batches",
            f"{count} blocks of {shape_name(shape)}, p = 4",
            sides,
            ("numpy", "loop, one BLAS thread"),
            "batch",
            {"shape": shape_name(shape), "p": "4", "dtype": "float32"},
        )


def step_cases(selection: Selection) -> Iterator[Case]:
    """Yield whole steps over parameter sets; equal blocks can also be stacked in one array."""
    for name in selection.parameter_sets:
        shapes = PARAMETER_SETS[name]
        for rule, base in STEP_BASES.items():
            task = {"kind": "step", "rule": rule, "dtype": "float32", "shapes": shapes}
            sides = tuple(
                Side(library, side, task | options)
                for library, side, options, rules in STEP_SIDES
                if rule in rules and (side != "stacked" or len(set(shapes)) == 1)
            )
            facts: dict[str, Any] = {"set": name, "rule": rule, "dtype": "float32", "threads": "default"}
            facts["largest_block"] = 4 * max(m * n for m, n in shapes)  # bytes
            yield Case("steps", f"{rule} step, {name}", sides, base, "first", facts, memory=True)


def auto_cases(selection: Selection) -> Iterator[Case]:
    """Yield `auto` against every explicit backend, in one process.

    In float64 only shapes of moderate size: the reference in extended precision takes long.
    """
    settings = Settings(rounds=4, turn_seconds=0.012, side_seconds=0.25)
    for shape in selection.auto_shapes:
        for dtype in ("float32", "float64"):
            if dtype == "float64" and shape[0] ** 2 * shape[1] > 384**3:
                continue
            for p in selection.auto_exponents:
                for rtol in (None, RTOL):
                    task = {
                        "kind": "oracle",
                        "shape": shape,
                        "dtype": dtype,
                        "p": exponent_name(p),
                        "rtol": rtol,
                    }
                    sides = tuple(
                        Side("schattor", backend, task | {"backend": backend})
                        for backend in ("auto", *BACKENDS)
                        if math.isinf(p) or backend not in POLAR_BACKENDS
                    )
                    facts = {"shape": shape_name(shape), "p": task["p"], "dtype": dtype, "rtol": rtol}
                    title = f"auto {shape_name(shape)}, p = {task['p']}, rtol = {rtol}"
                    yield Case("auto", title, sides, ("schattor", "auto"), "oracle", facts, settings=settings)


def recipe_cases(selection: Selection) -> Iterator[Case]:
    """Yield a step of every recipe against what it cannot do without."""
    from schattor import recipes

    from .floors import sides_of  # loads the package, which the table of cases needs here only

    settings = Settings(rounds=4, turn_seconds=0.03, side_seconds=0.6)
    families: dict[str, list[str]] = {}
    for row in recipes.table():
        families.setdefault(row.family, []).append(row.name)
    for names in families.values():
        for name in names[: selection.recipes_per_family]:
            for shape in selection.recipe_shapes:
                facts = {"shape": shape_name(shape), "recipe": name, "dtype": "float32", "threads": "one"}
                sides = sides_of(name, shape, selection.recipe_memory)
                title = f"{name} {shape_name(shape)}"
                yield Case("recipes", title, sides, ("schattor", "step"), "none", facts, settings=settings)


def noise_cases(selection: Selection) -> Iterator[Case]:
    """Yield updates of the streaming noise estimate, in all forms, against an exact oracle."""
    for threads in ("default", "one"):
        for shape in selection.noise_shapes:
            for dtype in ("float32", "float64"):
                facts = {"shape": shape_name(shape), "p": "4", "dtype": dtype, "threads": threads}
                task = {"shape": shape, "dtype": dtype, "p": "4"}
                sides = [Side("schattor", "oracle", {"kind": "oracle", **task}, threads)]
                sides += [
                    Side("schattor", form, {"kind": "noise", "form": form, **task}, threads)
                    for form in ("full", "diagonal", "sketch")
                ]
                title = f"noise estimate {shape_name(shape)}"
                yield Case(
                    "noise", title, with_products(sides, shape, dtype), ("schattor", "oracle"), "none", facts
                )


def construction_cases(selection: Selection) -> Iterator[Case]:
    """Yield an optimizer over very many small blocks, made anew, and one more block beside many."""
    for title, kind, count in (
        ("an optimizer over {} blocks", "construct", selection.constructed),
        ("one more block beside {}", "add_block", selection.joined),
    ):
        task = {"kind": kind, "count": count, "dtype": "float32"}
        sides = (Side("schattor", kind, task),)
        facts = {"blocks": count, "dtype": "float32", "threads": "default"}
        yield Case("construction", title.format(f"{count:,}"), sides, ("schattor", kind), "none", facts)


def all_cases(selection: Selection, program: str | None, directory: Path) -> Iterator[Case]:
    """Yield all timed comparisons."""
    yield from small_cases(program, directory)
    yield from oracle_cases(selection)
    yield from quintic_cases(selection)
    yield from batch_cases(selection)
    yield from step_cases(selection)
    yield from auto_cases(selection)
    yield from recipe_cases(selection)
    yield from noise_cases(selection)
    yield from construction_cases(selection)


def alternating_tasks(selection: Selection) -> Iterator[dict[str, Any]]:
    """Yield the tasks in which NumPy's products and our calls take turns in one process."""
    for n in selection.alternating_sizes:
        for dtype in ("float32", "float64"):
            for function in ("ball_oracle", "muon"):
                calls = max(5, min(200, round(40 * (128 / n) ** 2)))
                yield {
                    "kind": "alternate",
                    "n": n,
                    "dtype": dtype,
                    "function": function,
                    "calls": calls,
                }
