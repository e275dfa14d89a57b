"""Write which C++ tests passed under the sanitizers and valgrind as JSON: ``record.py FILE BUILD...``.

`make verify` calls this after they passed. A build directory holds ``junit.xml``, written by CTest, or ``tests.log``,
with the name of a program before its output. One that does not exist is recorded as not run.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from xml.etree import ElementTree

from schattor._provenance import provenance


def programs(build: Path) -> dict[str, str] | str:
    """Return what each program printed last, "N passed, M failed", by the program's name."""
    report, log = build / "junit.xml", build / "tests.log"
    if report.exists():
        cases = ElementTree.parse(report).getroot().iter("testcase")
        texts = {case.get("name", ""): case.findtext("system-out") or "" for case in cases}
    elif log.exists():
        pieces = re.split(r"^(test_\w+)$", log.read_text(), flags=re.MULTILINE)
        texts = dict(zip(pieces[1::2], pieces[2::2], strict=True))
    else:
        return "not run"
    found = {name: re.findall(r"\d+ passed, \d+ failed", text) for name, text in sorted(texts.items())}
    return {name: lines[-1] if lines else "printed no summary" for name, lines in found.items()}


def compiler(build: Path) -> str:
    """Return the compiler that CMake found, by name and version."""
    text = "".join(path.read_text() for path in build.glob("CMakeFiles/*/CMakeCXXCompiler.cmake"))
    fields = re.findall(r'^set\(CMAKE_CXX_COMPILER_(?:ID|VERSION) "(.*)"\)$', text, flags=re.MULTILINE)
    return " ".join(fields)


def main(target: Path, *builds: Path) -> None:
    """Write the record."""
    record = {
        **provenance(),
        "compiler": compiler(builds[0]),
        **{build.name: programs(build) for build in builds},
    }
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(record, indent=2) + "\n")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
