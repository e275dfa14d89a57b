"""Turns a record (the JSON that run.py writes) into tables and the list of targets. Pure functions of the record."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

Row = dict[str, Any]
Result = dict[str, Any]

SQUARE = ("384x384", "512x512", "768x768", "1024x1024")
WIDE = ("128x784", "768x3072")
RECIPE_LIMIT = 1.15
GRID_TARGET = 1.3
BUSY = 0.15  # share of the processors; below it, what a system does anyway


def to_json(result: Result) -> str:
    """Return the record with one row per line, so that two records can be compared by eye. NaN and inf become null."""

    def clean(value: Any) -> Any:
        if isinstance(value, float):
            return float(f"{value:.4g}") if math.isfinite(value) else None
        if isinstance(value, dict):
            return {key: clean(item) for key, item in value.items()}
        return [clean(item) for item in value] if isinstance(value, list) else value

    parts = []
    for key, value in result.items():
        text = json.dumps(clean(value))
        if key in ("rows", "accuracy"):
            text = "[\n" + ",\n".join(json.dumps(clean(row)) for row in value) + "\n]"
        parts.append(f"{json.dumps(key)}: {text}")
    return "{\n" + ",\n".join(parts) + "\n}\n"


# ------------------------------------------------------------------------------------------ the one table


def case_key(row: Row) -> tuple[Any, ...]:
    """Rows with one key belong to one comparison. Batches compare sides with different numbers of threads."""
    threads = None if row["section"] == "batches" else row.get("threads")
    return row["section"], row["case"], row.get("dtype"), threads


def grouped(rows: Iterable[Row]) -> dict[tuple[Any, ...], list[Row]]:
    """Return the rows by case, in order."""
    groups: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        groups.setdefault(case_key(row), []).append(row)
    return groups


def ratio(row: Row, rows: list[Row], statistic: str = "least") -> float | None:
    """Return the row's time divided by that of the case's base, or of the first side where there is no base."""
    measured = [r for r in rows if statistic in r]
    base = next((r for r in measured if r["base"]), measured[0] if measured else None)
    return row[statistic] / base[statistic] if base and statistic in row else None


def units(row: Row, rows: list[Row]) -> float | None:
    """Return the row's least time in products (m x m)(m x n) by the same library in the same process."""
    product = next((r for r in rows if r["side"] == "product" and r["library"] == row["library"]), None)
    return row["least"] / product["least"] if product and "least" in product and "least" in row else None


def number(value: float | None, form: str) -> str:
    """Return the formatted number, or nothing."""
    return "" if value is None else format(value, form)


def seconds(value: float | None) -> str:
    """Return a time with its unit."""
    if value is None:
        return ""
    for unit, factor in (("s", 1.0), ("ms", 1e3)):
        if value * factor >= 1:
            return f"{value * factor:.3g} {unit}"
    return f"{value * 1e6:.3g} µs"


TABLE_HEAD = (
    "| case | dtype | threads | side | least | median | ratio | units | error F | error 2 | peak MiB |",
    "|---|---|---|---|---:|---:|---:|---:|---:|---:|---:|",
)


def table(result: Result) -> str:
    """Return all timed comparisons but the grid of `auto` and the recipes as one Markdown table."""
    lines = list(TABLE_HEAD)
    timed = [row for row in result["rows"] if row["section"] not in ("auto", "alternating", "recipes")]
    for (_, case, dtype, threads), rows in grouped(timed).items():
        head = f"| {case} | {dtype} | {threads or ''} "
        for row in rows:
            if row["side"] == "product":
                continue  # the column "units" holds what it says
            side = f"{row['library']}: {row['side']}"
            if "missing" in row:
                lines.append(f"{head}| {side} | not available | | | | | | |")
            else:
                memory = row.get("memory")
                cells = (
                    seconds(row.get("least")),
                    "one call" if row.get("batches") == 1 else seconds(row.get("median")),
                    number(ratio(row, rows), ".2f"),
                    number(units(row, rows), ".1f"),
                    number(row.get("error_fro"), ".0e"),
                    number(row.get("error_two"), ".0e"),
                    number(None if memory is None else memory / 2**20, ".1f"),
                )
                lines.append(f"{head}| {side} | {' | '.join(cells)} |")
            head = "| | | "
    for row in alternating_rows(result):
        share, head = row["alternating"] / row["alone"], f"| {row['case']} | float32 | default "
        lines.append(f"{head}| schattor: alone | | {seconds(row['alone'])} | 1.00 | | | | |")
        times = f"| {seconds(row['alternating'])} | {share:.2f}"
        lines.append(f"| | | | schattor: taking turns | {times} | | | | |")
    return "\n".join(lines)


def alternating_rows(result: Result) -> list[Row]:
    """Return the rows in which our calls and NumPy's products took turns in one process."""
    return [row for row in result["rows"] if row["section"] == "alternating" and "missing" not in row]


def unavailable(result: Result) -> str:
    """Return what was not available, and why, each once."""
    notes = {
        f"- {row['library']}: {row['side']}: {row['missing']}": None
        for row in result["rows"]
        if "missing" in row
    }
    return "\n".join(notes)


# ------------------------------------------------------------------------------------------ auto


@dataclass(frozen=True)
class Choice:
    """What `auto` did in one cell of the grid; `best` is the fastest backend that is accurate enough."""

    facts: Row
    ratio: float
    best: str
    error: float
    bound: float


def choices(result: Result) -> Iterator[Choice]:
    """Yield the cells of the grid."""
    for rows in grouped(row for row in result["rows"] if row["section"] == "auto").values():
        by_side = {row["side"]: row for row in rows if "least" in row}
        auto = by_side.pop("auto", None)
        fit = {name: row for name, row in by_side.items() if good(row.get("error_fro"), row["bound"])}
        if auto is None or not fit:
            continue
        best = min(fit, key=lambda name: fit[name]["least"])
        error = auto["error_fro"] if auto["error_fro"] is not None else math.inf
        yield Choice(auto, auto["least"] / fit[best]["least"], best, error, auto["bound"])


def good(error: float | None, bound: float) -> bool:
    """Whether an error, null if not finite, meets the bound."""
    return error is not None and error <= bound


def auto_table(result: Result) -> str:
    """Return the ratio of `auto` to the best backend; one line per dtype, p and rtol, one column per shape."""
    cells: dict[tuple[Any, ...], dict[str, str]] = {}
    shapes: dict[str, None] = {}
    for choice in choices(result):
        facts = choice.facts
        shapes[facts["shape"]] = None
        mark = "" if choice.error <= choice.bound else " !"
        key = (facts["dtype"], facts["p"], facts["rtol"])
        cells.setdefault(key, {})[facts["shape"]] = f"{choice.ratio:.2f} {choice.best}{mark}"
    lines = ["| dtype | p | rtol | " + " | ".join(shapes) + " |", "|---|---|---|" + "---|" * len(shapes)]
    for (dtype, p, rtol), row in cells.items():
        values = " | ".join(row.get(shape, "") for shape in shapes)
        lines.append(f"| {dtype} | {p} | {rtol or 'strict'} | {values} |")
    return "\n".join(lines)


# ------------------------------------------------------------------------------------------ recipes


def recipe_costs(result: Result) -> Iterator[tuple[Row, dict[str, float]]]:
    """Yield the row of each recipe's step, and the times of what it cannot do without: its floor."""
    for rows in grouped(row for row in result["rows"] if row["section"] == "recipes").values():
        times = {row["side"]: row["least"] for row in rows if "least" in row}
        if len(times) == len(rows):
            yield rows[0], {side: time for side, time in times.items() if side != "step"}


def recipe_table(result: Result) -> str:
    """Return the step of each recipe over its floor, and what the floor consists of."""
    lines = ["| recipe | shape | step / floor | step | floor |", "|---|---|---:|---:|---|"]
    for row, floor in recipe_costs(result):
        parts = " + ".join(f"{side} {seconds(time)}" for side, time in floor.items())
        share = number(row["least"] / sum(floor.values()), ".2f")
        lines.append(f"| {row['recipe']} | {row['shape']} | {share} | {seconds(row['least'])} | {parts} |")
    return "\n".join(lines) if len(lines) > 2 else ""


# ------------------------------------------------------------------------------------------ accuracy


def accuracy_tables(rows: list[Row]) -> str:
    """Return one table per dtype and shape: the error of D in the spectral norm, all routes side by side."""
    text = []
    for dtype, shape in dict.fromkeys((row["dtype"], row["shape"]) for row in rows):
        here = [row for row in rows if (row["dtype"], row["shape"]) == (dtype, shape)]
        here = [row for row in here if "missing" not in row]
        routes = list(dict.fromkeys(row["route"] for row in here))
        text += [f"{dtype}, {shape}", "", "| matrix | p | " + " | ".join(routes) + " |"]
        text.append("|---|---|" + "---:|" * len(routes))
        for kind, p in dict.fromkeys((row["matrix"], row["p"]) for row in here):
            found = {row["route"]: row for row in here if (row["matrix"], row["p"]) == (kind, p)}
            star = "" if next(iter(found.values()))["promised"] else " *"
            cells = [accuracy_cell(found.get(route)) for route in routes]
            text.append(f"| {kind}{star} | {p} | {' | '.join(cells)} |")
        text.append("")
    return "\n".join(text).rstrip()


def accuracy_cell(row: Row | None) -> str:
    """Return the error; "out" marks a direction outside the ball."""
    if row is None:
        return ""
    error = row["error_two"]
    return ("inf" if error is None else f"{error:.0e}") + ("" if inside(row) else " out")


def inside(row: Row) -> bool:
    """Whether ||D||_p <= 1 up to what is promised for exact and convergent routes."""
    limit = 1e-5 if row["dtype"] == "float32" else 1e-12
    return row["excess"] is not None and row["excess"] <= limit


def strict_shares(rows: list[Row], route: str) -> Iterator[tuple[float, Row]]:
    """Yield error / strict bound where accuracy is promised; the bound needs gesdd's error on the same matrix."""
    keys = ("matrix", "shape", "dtype", "p")
    gesdd = {tuple(r[k] for k in keys): r for r in rows if r["route"] == "gesdd" and "missing" not in r}
    for row in rows:
        base = gesdd.get(tuple(row[k] for k in keys))
        if row["route"] != route or "missing" in row or not row["promised"] or base is None:
            continue
        eps = 2.0**-23 if row["dtype"] == "float32" else 2.0**-52
        smaller = min(map(int, row["shape"].split("x")))
        bound = max(2 * (base["error_fro"] or 0), 4 * eps * math.sqrt(smaller))
        yield (math.inf if row["error_fro"] is None else row["error_fro"] / bound), row


# ------------------------------------------------------------------------------------------ targets


@dataclass(frozen=True)
class Target:
    """A figure that the project has set itself. `value` is None when it was not measured; `limit` None: no target."""

    text: str
    value: float | None
    limit: float | None
    note: str = ""

    @property
    def verdict(self) -> str:
        """Return pass, MISS, not measured, or that there is only a figure."""
        if self.value is None:
            return "not measured"
        if self.limit is None:
            return "figure"
        return "pass" if self.value <= self.limit else "MISS"


class Figures:
    """Looks figures up in a record."""

    def __init__(self, result: Result) -> None:
        self.result = result
        self.groups = grouped(result["rows"])

    def find(self, section: str, library: str, side: str, **facts: Any) -> tuple[Row, list[Row]] | None:
        """Return the first row that matches, with the rows of its case."""
        for key, rows in self.groups.items():
            for row in rows if key[0] == section else ():
                same = row["library"] == library and row["side"] == side
                if same and "least" in row and all(row.get(name) == value for name, value in facts.items()):
                    return row, rows
        return None

    def against(
        self, section: str, side: str, base: tuple[str, str], **facts: Any
    ) -> tuple[float | None, str]:
        """Return our side's time over that of another side of the same case, and a note with the medians' ratio."""
        found = self.find(section, "schattor", side, **facts)
        if found is None:
            return None, ""
        row, rows = found
        other = next((r for r in rows if (r["library"], r["side"]) == base and "least" in r), None)
        if other is None:
            return None, ""
        return row["least"] / other["least"], f"medians {row['median'] / other['median']:.2f}"

    def units(self, side: str, **facts: Any) -> float | None:
        """Return our oracle's time in products."""
        found = self.find("oracles", "schattor", side, **facts)
        return units(*found) if found else None


def ratio_target(
    figures: Figures, text: str, limit: float | None, where: tuple[str, str, tuple[str, str]], **facts: Any
) -> Target:
    """Return a target for a ratio of times; `where` is (section, our side, other side)."""
    section, side, base = where
    value, note = figures.against(section, side, base, **facts)
    return Target(text, value, limit, note)


ORACLE_LIMITS = {
    "64x64": (0.60, 0.40),
    **dict.fromkeys(SQUARE, (0.40, 0.28)),
    "768x3072": (0.25, 0.17),
    "128x784": (0.20, 0.12),
}


def oracle_targets(figures: Figures) -> Iterator[Target]:
    """Yield one oracle against the NumPy SVD route, with default threads; six products as the far aim."""
    for shape, (strict, loose) in ORACLE_LIMITS.items():
        for p in ("3", "4", "inf"):
            facts = {"shape": shape, "p": p, "threads": "default"}
            text = f"oracle {shape}, p = {p}, against NumPy"
            where = ("oracles", "strict", ("numpy", "SVD route"))
            target = ratio_target(figures, f"strict {text}", strict, where, **facts)
            if shape in SQUARE and target.value is not None:
                target = Target(target.text, target.value, strict, f"{target.note}; aim 0.30")
            yield target
            where = ("oracles", "rtol=1e-3", ("numpy", "SVD route"))
            limit = None if p == "inf" and shape not in WIDE else loose
            target = ratio_target(figures, f"rtol=1e-3 {text}", limit, where, **facts)
            found = figures.find("oracles", "schattor", "rtol=1e-3", **facts)
            if found and "fallback_share" in found[0]:
                note = f"{target.note}; fallbacks {found[0]['fallback_share']:.0%}"
                target = Target(target.text, target.value, limit, note)
            yield target
    for p in ("3", "4", "inf"):
        value = figures.units("rtol=1e-3", shape="1024x1024", p=p, threads="default")
        yield Target(f"moonshot: products at 1024x1024, p = {p}, rtol=1e-3", value, 6.0)


def oracle_accuracy_targets(figures: Figures) -> Iterator[Target]:
    """Yield the accuracy of the timed calls with rtol: the measured error over the requested one."""
    rows = [
        row
        for row in figures.result["rows"]
        if row["section"] == "oracles" and "rtol=1e-3" in row["side"] and "missing" not in row
    ]
    errors = [math.inf if row.get("error_fro") is None else row["error_fro"] for row in rows]
    yield Target(
        "rtol=1e-3 in the timed calls: largest error / rtol", max(errors) / 1e-3 if errors else None, 1.0
    )


def batch_targets(figures: Figures) -> Iterator[Target]:
    """Yield equal blocks on two threads against the NumPy loop with one BLAS thread."""
    base = ("numpy", "loop, one BLAS thread")
    for shape in ("16x16", "64x64", "128x128"):
        for side, limit in (("strict, 2 threads", 0.40), ("rtol=1e-3, 2 threads", 0.25)):
            text = f"batch of {shape}, {side}, against the NumPy loop"
            yield ratio_target(figures, text, limit, ("batches", side, base), shape=shape)


def quintic_targets(figures: Figures) -> Iterator[Target]:
    """Yield Muon's five steps against torch's loop, default threads."""
    shapes = dict.fromkeys(
        row["shape"] for row in figures.result["rows"] if row["section"] == "quintic" and "shape" in row
    )
    for shape in shapes or SQUARE:
        facts = {"shape": shape, "threads": "default"}
        where = ("quintic", "float32", ("torch", "float32"))
        yield ratio_target(figures, f"Muon's five steps {shape}, against torch float32", 0.40, where, **facts)
        limit = 0.75 if shape == "768x3072" else 1.6 if shape in SQUARE else None
        where = ("quintic", "float32", ("torch", "bfloat16"))
        target = ratio_target(
            figures, f"Muon's five steps {shape}, against torch bfloat16", limit, where, **facts
        )
        aim = "; aim 1.0" if shape in SQUARE and target.note else ""
        yield Target(target.text, target.value, limit, target.note + aim)


def step_targets(figures: Figures) -> Iterator[Target]:
    """Yield whole steps on the set of large blocks."""
    name, base = "24 of 384x384, 12 of 1536x384", ("torch", "torch.optim")
    for rule, limit, aim in (("muon", 1.0, "; aim 0.75"), ("adamw", 1.2, "")):
        where = ("steps", "defaults", base)
        target = ratio_target(
            figures, f"{rule} step, {name}, against torch", limit, where, set=name, rule=rule
        )
        yield Target(target.text, target.value, limit, target.note + (aim if target.note else ""))


def alternating_targets(figures: Figures) -> Iterator[Target]:
    """Yield our calls between NumPy's products against our calls alone, medians."""
    rows = alternating_rows(figures.result)
    for row in rows:
        yield Target(row["case"], row["alternating"] / row["alone"], 1.5)
    if not rows:
        yield Target("our calls between NumPy's products", None, 1.5)


def auto_targets(figures: Figures) -> Iterator[Target]:
    """Yield the worst choice of `auto`, and its errors."""
    cells = list(choices(figures.result))
    worst = max(cells, key=lambda cell: cell.ratio, default=None)
    note = "" if worst is None else f"{worst.facts['case']}, {worst.facts['dtype']}, best is {worst.best}"
    yield Target(
        f"auto over the best backend, worst of {len(cells)} cells",
        worst.ratio if worst else None,
        GRID_TARGET,
        note,
    )
    over = sum(cell.error > cell.bound for cell in cells)
    yield Target("auto: cells less accurate than asked", over if cells else None, 0)


def accuracy_targets(figures: Figures) -> Iterator[Target]:
    """Yield the worst rows of the accuracy table."""
    rows = figures.result.get("accuracy", [])
    measured = [row for row in rows if "missing" not in row]
    for dtype in ("float32", "float64"):
        shares = [x for x in strict_shares(rows, "auto") if x[1]["dtype"] == dtype]
        worst = max(shares, key=lambda x: x[0], default=None)
        yield Target(
            f"strict accuracy, {dtype}: largest error / bound", worst[0] if worst else None, 1.0, place(worst)
        )
        loose = [
            ((math.inf if row["error_fro"] is None else row["error_fro"]) / 1e-3, row)
            for row in measured
            if row["route"] == "auto, rtol=1e-3" and row["promised"] and row["dtype"] == dtype
        ]
        worst = max(loose, key=lambda x: x[0], default=None)
        yield Target(
            f"rtol=1e-3, {dtype}: largest error / rtol", worst[0] if worst else None, 1.0, place(worst)
        )
        ours = [row for row in measured if row["dtype"] == dtype and row["route"].startswith("auto")]
        outside = [(0.0, row) for row in ours if not inside(row)]
        note = place(outside[0]) if outside else ""
        yield Target(f"auto, {dtype}: directions outside the ball", len(outside) if ours else None, 0, note)


def place(found: tuple[float, Row] | None) -> str:
    """Return where in the accuracy table a row stands."""
    if found is None:
        return ""
    row = found[1]
    return f"{row['matrix']}, {row['shape']}, p = {row['p']}, {row['route']}"


def memory_targets(figures: Figures) -> Iterator[Target]:
    """Yield the peak of a step above the state against three largest blocks per worker and one MiB."""
    cores = figures.result["machine"]["cores"]
    for row in figures.result["rows"]:
        if row["section"] == "steps" and row["side"] == "defaults" and row.get("memory") is not None:
            allowed = cores * 3 * row["largest_block"] + 2**20
            note = f"{row['memory'] / 2**20:.1f} MiB"
            yield Target(f"{row['case']}: peak above the state / allowed", row["memory"] / allowed, 1.0, note)


def small_targets(figures: Figures) -> Iterator[Target]:
    """Yield the figures of version 0.1.0: microseconds above LAPACK, and a step over the C++ loop."""
    for dtype in ("float64", "float32"):
        facts = {"dtype": dtype, "threads": "one"}
        lapack = figures.find("small", "cpp", "LAPACK gesdd", **facts)
        ours = figures.find("small", "schattor", "strict", **facts)
        value = 1e6 * (ours[0]["least"] - lapack[0]["least"]) if lapack and ours else None
        yield Target(f"one oracle, 8x8, {dtype}: µs above LAPACK", value, 10.0)
        loop = figures.find("small", "cpp", "oracle loop", **facts)
        step = figures.find("small", "schattor", "step", **facts)
        value = step[0]["least"] / (1.3 * loop[0]["least"] + 60e-6) if loop and step else None
        yield Target(f"100 blocks of 16x16, {dtype}: step / (1.3 loop + 60 µs)", value, 1.0)


def recipe_targets(figures: Figures) -> Iterator[Target]:
    """Yield the worst recipe: its step over its kernel calls and its traffic."""
    shares = {
        f"{row['recipe']} {row['shape']}": row["least"] / sum(floor.values())
        for row, floor in recipe_costs(figures.result)
    }
    above = sorted((name for name in shares if shares[name] > RECIPE_LIMIT), key=lambda name: -shares[name])
    note = ", ".join(f"{name} {shares[name]:.2f}" for name in above)
    text = f"steps of recipes over their kernels and traffic, worst of {len(shares)}"
    yield Target(text, max(shares.values(), default=None), RECIPE_LIMIT, note)


def noise_targets(figures: Figures) -> Iterator[Target]:
    """Yield an update of the noise estimate against an exact oracle."""
    for threads in ("default", "one"):
        for dtype in ("float32", "float64"):
            for form in ("full", "diagonal", "sketch"):
                text = f"noise estimate 512x512, {dtype}, {form}, {threads} threads, against an exact oracle"
                facts = {"shape": "512x512", "dtype": dtype, "threads": threads}
                yield ratio_target(figures, text, 0.1, ("noise", form, ("schattor", "oracle")), **facts)


def construction_targets(figures: Figures) -> Iterator[Target]:
    """Yield very many blocks, in seconds: both must grow with the number of blocks, not with its square."""
    for text, kind, count, limit in (
        ("an optimizer over 100,000 blocks, seconds", "construct", 100_000, 2.0),
        ("one more block beside 40,000, seconds", "add_block", 40_000, 0.05),
    ):
        found = figures.find("construction", "schattor", kind, blocks=count)
        yield Target(text, None if found is None else found[0]["least"], limit)


TARGETS: tuple[Callable[[Figures], Iterator[Target]], ...] = (
    oracle_targets,
    oracle_accuracy_targets,
    batch_targets,
    quintic_targets,
    step_targets,
    alternating_targets,
    auto_targets,
    accuracy_targets,
    memory_targets,
    small_targets,
    recipe_targets,
    noise_targets,
    construction_targets,
)


def targets(result: Result) -> list[Target]:
    """Return all targets with what was measured."""
    figures = Figures(result)
    return [target for function in TARGETS for target in function(figures)]


def targets_table(result: Result) -> str:
    """Return the targets as a Markdown table."""
    lines = ["| | figure | measured | at most | |", "|---|---|---:|---:|---|"]
    for target in targets(result):
        limit = number(target.limit, "g")
        lines.append(
            f"| {target.verdict} | {target.text} | {number(target.value, '.2f')} | {limit} | {target.note} |"
        )
    return "\n".join(lines)


# ------------------------------------------------------------------------------------------ all of it


def machine(result: Result) -> str:
    """Return one sentence that names the machine and the libraries."""
    facts, software = result["machine"], result["software"]
    names = [f"{name} {version}" for name, version in software.get("versions", {}).items()]
    architectures = {}
    for library in ("schattor", "numpy", "scipy"):
        for pool in software.get(library, {}).get("pools", []):
            if pool["user_api"] == "blas" and pool["owner"] == library:
                names_of_pool = (pool["internal_api"], pool["version"], pool["architecture"])
                architectures[library] = " ".join(map(str, names_of_pool))
    blas = ", ".join(f"{name}: {kernel}" for name, kernel in architectures.items())
    torch = software.get("torch", {})
    blas += f", torch: {torch['capability']}{' with MKL' if torch['mkl'] else ''}" if torch else ""
    date = result.get("date", facts.get("date"))  # older records have it with the machine, and no commit
    made = f" (commit {result['commit']})" if result.get("commit") else ""
    return (
        f"{facts['processor']}, {facts['cores']} cores, {facts['system']}, {date}{made}; "
        f"Python {facts['python']}, {', '.join(names)}; BLAS kernels: {blas}."
    )


def disturbance(result: Result) -> str:
    """Return how many comparisons were made on a machine that others used too."""
    shares = [rows[0].get("others_busy") for rows in timed_groups(result)]
    known = [share for share in shares if share is not None]
    if not known:
        return "Whether other processes were at work is not known."
    disturbed = sum(share > BUSY for share in known)
    text = (
        f"{disturbed} of {len(known)} comparisons began while others used more than {BUSY:.0%} of the machine"
    )
    return text + (": **do not trust ratios with two threads**." if disturbed > len(known) / 10 else ".")


def timed_groups(result: Result) -> list[list[Row]]:
    """Return the measured rows of each comparison."""
    return list(grouped(row for row in result["rows"] if "least" in row).values())


def everything(result: Result) -> str:
    """Return the whole report as Markdown."""
    parts = [machine(result), disturbance(result), table(result)]
    if any(row["section"] == "auto" for row in result["rows"]):
        parts += ["auto over the best backend (! marks an error above what was asked):", auto_table(result)]
    if any(row["section"] == "recipes" for row in result["rows"]):
        parts += ["Steps of recipes over what they cannot do without:", recipe_table(result)]
    if result.get("accuracy"):
        parts += ["Accuracy, ||D - D*||_2 / ||D*||_2 (* near the cutoff, nothing promised):"]
        parts += [accuracy_tables(result["accuracy"])]
    notes = unavailable(result)
    parts += [f"Not available:\n\n{notes}"] if notes else []
    return "\n\n".join([*parts, "Targets:", targets_table(result)])
