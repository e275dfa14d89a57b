"""Let Cosmic Ray change central modules of the package, and report the changes that no test notices.

``cosmic-ray.toml`` says which modules, and which tests should notice. Everything happens in the copy of the working
tree that ``run.py`` builds, with the compiled core beside the modules. What was tried is kept in ``build/mutants``:
after an interrupt the same command goes on; other sources, tests or settings begin anew.
"""

from __future__ import annotations

import argparse
import hashlib
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

from cosmic_ray.work_db import WorkDB, use_db
from tqdm import tqdm

sys.path.insert(0, str(Path(__file__).resolve().parent))
from run import ROOT, TREE, WORK, BrokenError, call, configure, environment, refresh, write

from schattor._provenance import provenance

CONFIG = "tests/mutants/cosmic-ray.toml"
SESSION, STATE, LOG = WORK / "session.sqlite", WORK / "session.digest", WORK / "cosmic-ray.log"
RECORD = ROOT / "tests" / "results" / "pymutants.json"


def cosmic_ray(program: str, *arguments: str) -> None:
    """Run one of Cosmic Ray's programs in the copy."""
    if call([program, *arguments], log=LOG) != 0:
        raise BrokenError(f"{program} {' '.join(arguments)} fails: see {LOG}")


def digest() -> str:
    """Return what outcomes depend on, as a number: all Python files and the settings of the copy."""
    files = sorted([*TREE.rglob("*.py"), TREE / CONFIG])
    return hashlib.sha256(b"\0".join(path.read_bytes() for path in files)).hexdigest()


def prepare() -> None:
    """Bring the copy up to date and, where it has changed, list the changes to try."""
    refresh()
    configure(set())
    if not SESSION.exists() or not STATE.exists() or STATE.read_text() != digest():
        SESSION.unlink(missing_ok=True)
        cosmic_ray("cosmic-ray", "baseline", CONFIG)
        cosmic_ray("cosmic-ray", "init", CONFIG, str(SESSION))
        cosmic_ray("cr-filter-operators", str(SESSION), CONFIG)
        STATE.write_text(digest())


def execute() -> None:
    """Try what has not been tried, with a progress bar."""
    with use_db(SESSION, WorkDB.Mode.open) as base:
        bar = tqdm(total=base.num_work_items, initial=base.num_results)
    command = ["cosmic-ray", "exec", CONFIG, str(SESSION)]
    with bar, LOG.open("w") as log:
        running = subprocess.Popen(command, cwd=TREE, env=environment(), stdout=log, stderr=log)
        try:
            while running.poll() is None:
                time.sleep(1)
                with use_db(SESSION, WorkDB.Mode.open) as base:
                    bar.update(base.num_results - bar.n)
        finally:
            running.terminate()
            running.wait()
    if running.returncode != 0:
        raise BrokenError(f"cosmic-ray exec fails: see {LOG}")


def outcomes() -> tuple[Counter[str], list[dict[str, Any]]]:
    """Return how many changes were noticed, and those that survived."""
    count: Counter[str] = Counter()
    survived = []
    with use_db(SESSION, WorkDB.Mode.open) as base:
        places = {item.job_id: item.mutations[0] for item in base.work_items}
        for job, result in base.results:
            if result.worker_outcome.value == "skipped":
                continue
            outcome = result.test_outcome.value if result.test_outcome else result.worker_outcome.value
            count[outcome] += 1
            if outcome == "survived":
                change = [
                    x
                    for x in (result.diff or "").splitlines()
                    if x[:1] in "+-" and x[:3] not in ("+++", "---")
                ]
                place = places[job]
                survived.append(
                    {"file": str(place.module_path), "line": place.start_pos[0], "change": change}
                )
    return count, sorted(survived, key=lambda row: (row["file"], row["line"]))


def main() -> int:
    """Run the command line; the status is 1 where a change survived."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.parse_args()
    WORK.mkdir(parents=True, exist_ok=True)
    try:
        prepare()
        execute()
    except BrokenError as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted; what was tried is kept, and the next run goes on from there", file=sys.stderr)
        return 130
    count, survived = outcomes()
    for row in survived:
        print(f"{row['file']}:{row['line']}", *row["change"], sep="\n  ")
    print(", ".join(f"{number} {kind}" for kind, number in sorted(count.items())))
    write(RECORD, provenance() | dict(count) | {"survivors": survived})
    return int(bool(survived))


if __name__ == "__main__":
    sys.exit(main())
