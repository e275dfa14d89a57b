"""Write what came out of the experiments from the results that the repository keeps.

``docs/experiments.md`` includes ``docs/_experiments/NAME.md`` (ignored by git): command, seed and version, findings,
tables and figures. They are made from the results that come with the package before the source files are listed; the
figures stand in ``docs/experiments/NAME``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from published_pages import table
from sphinx.application import Sphinx
from sphinx.config import Config

from schattor import experiments


def text(name: str) -> str:
    """Return the page of an experiment."""
    experiment, results = experiments.load(name), experiments.stored(name)
    findings = [
        ("yes" if finding.holds else "**no**", finding.statement, finding.numbers)
        for finding in experiment.findings(results)
    ]
    parts = [
        f"`{results.command}`, Schattor {results.version}{f', commit {results.commit}' if results.commit else ''}",
        table(("", "Statement", "Measured"), findings),
        *(f"```{{image}} /experiments/{name}/{figure}.png\n```" for figure in experiment.figures),
        *(f"**{t.title}**\n\n{table(t.head, t.rows)}" for t in experiment.tables(results)),
    ]
    return "\n\n".join(parts)


def write(app: Sphinx, _config: Config) -> None:
    """Write one file for each experiment."""
    target = Path(app.srcdir) / "_experiments"
    target.mkdir(exist_ok=True)
    for name in experiments.NAMES:
        page = text(name)
        (target / f"{name}.md").write_text(page + "\n", encoding="utf-8")


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("config-inited", write)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
