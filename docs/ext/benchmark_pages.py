"""Write the tables and figures of the benchmark page from the recorded figures.

The page includes ``docs/_benchmarks/NAME.md`` (ignored by git). These are made from the records that
``benchmark_record`` and ``recipe_record`` in conf.py name, before the source files are listed. Without its record each
says so.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx
from sphinx.config import Config

ROOT = Path(__file__).resolve().parents[2]
CAPTIONS = {
    "oracles": "One oracle, float32, against the NumPy SVD route; default threads, least times",
    "units": "One oracle in units of one matrix product, one thread",
    "quintic": "Muon's five steps against torch's loop in float32; default threads, least times",
    "steps": "Whole steps; default threads, least times",
    "accuracy": "Relative error against the condition number",
}
TABLES = ("machine", "targets", "table", "auto", "accuracy_tables", "missing")


def pages(result: dict[str, Any], figures: list[str]) -> dict[str, str]:
    """Return the text of each included file."""
    from benchmarks import report

    texts = {
        name: f"```{{figure}} _benchmarks/{name}.svg\n:alt: {CAPTIONS[name]}\n\n{CAPTIONS[name]}\n```"
        for name in figures
    }
    return texts | {
        "machine": f"{report.machine(result)} {report.disturbance(result)}",
        "targets": report.targets_table(result),
        "table": report.table(result),
        "auto": report.auto_table(result),
        "accuracy_tables": report.accuracy_tables(result.get("accuracy", [])),
        "missing": report.unavailable(result),
    }


def read(name: str) -> dict[str, Any] | None:
    """Return a record, or None where there is none."""
    file = ROOT / "benchmarks" / "results" / name
    return json.loads(file.read_text(encoding="utf-8")) if file.is_file() else None


def write_pages(app: Sphinx, config: Config) -> None:
    """Write one file per table and figure."""
    sys.path.insert(0, str(ROOT))
    from benchmarks import plots, report

    target = Path(app.srcdir) / "_benchmarks"
    target.mkdir(exist_ok=True)
    texts: dict[str, str] = {}
    if (result := read(config.benchmark_record)) is not None:
        texts = pages(result, plots.write_all(result, target))
    if (result := read(config.recipe_record)) is not None:
        texts["recipes"] = "\n\n".join(
            (f"{report.machine(result)} {report.disturbance(result)}", report.recipe_table(result))
        )
    for name in (*CAPTIONS, *TABLES, "recipes"):
        (target / f"{name}.md").write_text(
            (texts.get(name) or "*Not recorded yet.*") + "\n", encoding="utf-8"
        )


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_config_value("benchmark_record", "", "env")
    app.add_config_value("recipe_record", "", "env")
    app.connect("config-inited", write_pages)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
