"""Which code made a stored result: one answer for experiments, benchmarks and tests."""

from __future__ import annotations

import datetime
import subprocess
from pathlib import Path

from ._version import __version__


def provenance() -> dict[str, str | None]:
    """Return version, commit and date (UTC), with which every stored result begins.

    The commit is that of the checkout from which the program runs; None outside of one.
    """
    today = datetime.datetime.now(datetime.timezone.utc).date().isoformat()
    return {"version": __version__, "commit": commit(Path.cwd()), "date": today}


def commit(folder: Path) -> str | None:
    """Return the commit of the checkout that holds a folder, with ``-dirty`` where tracked files were changed.

    None where there is no checkout of this package, or no git.
    """
    top = _git(folder, "rev-parse", "--show-toplevel")
    if top is None or not (Path(top) / "src" / "schattor" / "_version.py").is_file():
        return None
    return _git(Path(top), "describe", "--always", "--abbrev=12", "--exclude=*", "--dirty")


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=False
        )
    except OSError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None
