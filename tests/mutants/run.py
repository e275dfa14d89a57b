"""Make small changes to the sources, one at a time, and report those that no test notices: ``run.py [NAME...]``.

The changes stand in ``changes.py``. They are made in a copy of the working tree below ``build/mutants``, so an
interrupt leaves the sources as they are; there each is built, and its tests are run until one fails. An outcome stands
while the change, the changed file and its tests stay as they are: a second run makes those that are missing,
``--fresh`` all. The outcomes of a whole run are written to ``tests/results/mutants.json``. Names may be patterns:
``run.py 'oracle *'``.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from collections import Counter
from collections.abc import Iterable
from fnmatch import fnmatchcase
from pathlib import Path

from tqdm import tqdm

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]
from mutants.changes import CHANGES, Change, place_of  # noqa: E402

from schattor._provenance import provenance  # noqa: E402

WORK = ROOT / "build" / "mutants"
TREE, BUILD, OUTCOMES = WORK / "tree", WORK / "build", WORK / "outcomes.json"
RECORD = ROOT / "tests" / "results" / "mutants.json"
COPIED = ("src", "tests", "benchmarks", "cmake", "CMakeLists.txt", "pyproject.toml", "README.md")
SECONDS = 900  # of one program of tests: a change that takes longer hangs

SURVIVED, KILLED, NOT_BUILT = "survived", "killed", "does not compile"


class BrokenError(Exception):
    """The tests fail, or nothing builds, without any change: no outcome would mean anything."""


def environment() -> dict[str, str]:
    """Return the environment in which programs use the package of the copy."""
    path = f"{sysconfig.get_path('scripts')}{os.pathsep}{os.environ['PATH']}"
    # Timestamps are too coarse for bytecode of a source that changes twice in a second.
    return os.environ | {"PYTHONPATH": str(TREE / "src"), "PYTHONDONTWRITEBYTECODE": "1", "PATH": path}


def call(command: list[str], *, log: Path, seconds: float | None = None) -> int | None:
    """Return the exit status of a program whose output goes to a file; None where it takes too long."""
    with log.open("w", encoding="utf-8") as file:
        try:
            return subprocess.run(
                command, cwd=TREE, env=environment(), stdout=file, stderr=file, timeout=seconds, check=False
            ).returncode
        except subprocess.TimeoutExpired:
            return None


def replace(path: Path, content: bytes) -> None:
    """Write a file unless it holds this already, so that nothing is built twice."""
    if not path.exists() or path.read_bytes() != content:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def refresh() -> None:
    """Bring the copy up to date: what git knows or would add."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *COPIED],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split("\0")
    wanted = {name for name in listed if name and (ROOT / name).is_file()}
    for name in wanted:
        replace(TREE / name, (ROOT / name).read_bytes())
    for path in TREE.rglob("*"):
        built = path.suffix == ".so" or ".libs" in path.parts
        if path.is_file() and not built and path.relative_to(TREE).as_posix() not in wanted:
            path.unlink()


def build(programs: set[str], log: Path) -> bool:
    """Build the extension module and these C++ tests; whether that succeeded."""
    if call(["cmake", "--build", str(BUILD), "--target", "_core", *sorted(programs)], log=log) != 0:
        return False
    install = ["cmake", "--install", str(BUILD), "--component", "python", "--prefix", str(TREE / "src")]
    return call(install, log=log) == 0


def programs_of(tests: Iterable[str]) -> set[str]:
    """Return the C++ programs among these tests: a name without a slash."""
    return {test for test in tests if "/" not in test}


def configure(programs: set[str]) -> None:
    """Prepare the build directory, and build what is needed."""
    log = WORK / "configure.log"
    hints = subprocess.run(
        [sys.executable, "-m", "pybind11", "--cmakedir"], capture_output=True, text=True, check=True
    )
    command = ["cmake", "-G", "Ninja", "-S", str(TREE), "-B", str(BUILD), "-DSCHATTOR_BUILD_TESTS=ON"]
    command += [f"-DPython_EXECUTABLE={sys.executable}", f"-Dpybind11_DIR={hints.stdout.strip()}"]
    if call(command, log=log) != 0 or not build(programs, WORK / "build.log"):
        raise BrokenError(f"the sources do not build: see {log} and {WORK / 'build.log'}")


def failure(tests: tuple[str, ...], log: Path) -> str | None:
    """Return the name of the first test that fails, or None."""
    for test in sorted(programs_of(tests)):
        status = call([str(BUILD / "tests" / "cpp" / test)], log=log, seconds=SECONDS)
        if status != 0:
            text = log.read_text(encoding="utf-8", errors="replace")
            failed = re.findall(r"^FAILED: (.*)$", text, flags=re.MULTILINE)
            return f"{test}: {'hangs' if status is None else failed[0] if failed else f'ends with {status}'}"
    files = [test for test in tests if "/" in test]
    if files:
        options = ["-x", "-q", "-p", "no:cacheprovider", "--no-header", "-m", "not torch"]
        status = call([sys.executable, "-m", "pytest", *options, *files], log=log, seconds=SECONDS)
        if status != 0:
            text = log.read_text(encoding="utf-8", errors="replace")
            failed = re.findall(r"^(?:FAILED|ERROR) (\S+)", text, flags=re.MULTILINE)
            return "hangs" if status is None else failed[0] if failed else f"pytest ends with {status}"
    return None


def tried(change: Change, log: Path) -> dict[str, str]:
    """Make a change, build, run its tests, and take it back."""
    path, content = place_of(change, TREE)
    outcome = {"file": path.relative_to(TREE).as_posix(), "reason": change.reason}
    try:
        path.write_text(content.replace(change.text, change.replacement), encoding="utf-8")
        if path.suffix != ".py" and not build(programs_of(change.tests), log):
            return outcome | {"outcome": NOT_BUILT}
        found = failure(change.tests, log)
        return outcome | ({"outcome": SURVIVED} if found is None else {"outcome": KILLED, "by": found})
    finally:
        path.write_text(content, encoding="utf-8")


def digest(change: Change) -> str:
    """Return what an outcome depends on, as a number: the change, the changed file, the tests."""
    path, content = place_of(change, ROOT)
    parts = [repr(change), str(path.relative_to(ROOT)), content]
    for test in change.tests:
        file = ROOT / test.partition("::")[0] if "/" in test else ROOT / "tests" / "cpp" / f"{test}.cpp"
        files = sorted(file.rglob("*.py")) if file.is_dir() else [file]
        parts += [x.read_text(encoding="utf-8") for x in files]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def check_unchanged(chosen: list[Change]) -> None:
    """Raise unless every test passes while nothing is changed."""
    for tests in tqdm(sorted({change.tests for change in chosen}), desc="without a change"):
        found = failure(tests, WORK / "unchanged.log")
        if found is not None:
            raise BrokenError(f"without any change {found} fails: see {WORK / 'unchanged.log'}")


def write(path: Path, content: object) -> None:
    """Replace a file at once."""
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    os.replace(partial, path)


def run(chosen: list[Change], fresh: bool) -> dict[str, dict[str, str]]:
    """Return the outcomes by name, the stored ones among them."""
    if fresh and OUTCOMES.exists():
        OUTCOMES.unlink()
    stored = json.loads(OUTCOMES.read_text()) if OUTCOMES.exists() else {}
    missing = [change for change in chosen if digest(change) not in stored]
    if missing:
        refresh()
        configure(programs_of(test for change in missing for test in change.tests))
        check_unchanged(missing)
        with tqdm(missing) as bar:
            for change in bar:
                bar.set_description(change.name)
                outcome = tried(change, WORK / "change.log")
                stored[digest(change)] = outcome
                write(OUTCOMES, stored)
                if outcome["outcome"] != KILLED:
                    tqdm.write(f"{outcome['outcome']}: {change.name} ({outcome['file']})")
    return {change.name: stored[digest(change)] for change in chosen}


def main() -> int:
    """Run the command line; the status is 1 where a change survived or could not be judged."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="changes to make; all by default")
    parser.add_argument("--fresh", action="store_true", help="forget the stored outcomes")
    arguments = parser.parse_args()
    patterns = arguments.names or ["*"]
    chosen = [change for change in CHANGES if any(fnmatchcase(change.name, x) for x in patterns)]
    if not chosen:
        parser.error(f"no change is called {' or '.join(patterns)}")
    if shutil.which("git") is None:
        parser.error("git is needed, which knows the files")
    WORK.mkdir(parents=True, exist_ok=True)
    try:
        outcomes = run(chosen, arguments.fresh)
    except BrokenError as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(
            "interrupted; the outcomes so far are kept, and the next run goes on from there", file=sys.stderr
        )
        return 130
    count = Counter(outcome["outcome"] for outcome in outcomes.values())
    print(", ".join(f"{number} {kind}" for kind, number in sorted(count.items())))
    for name, outcome in outcomes.items():
        if outcome["outcome"] != KILLED:
            print(f"{outcome['outcome']}: {name} ({outcome['file']}): {outcome['reason']}")
    if not arguments.names:
        write(RECORD, provenance() | dict(count) | {"changes": outcomes})
    return int(count[KILLED] < len(outcomes))


if __name__ == "__main__":
    sys.exit(main())
