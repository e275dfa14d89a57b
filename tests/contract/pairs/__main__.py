"""Examine pairs of parts, each in a child process, and write what became of them.

    PYTHONPATH=tests python -m contract.pairs [--seed N] [--share X] [--jobs N] [--only TEXT] [--record FILE]

The exit code is 0 if every pair moved or was refused in a sentence.
"""

from __future__ import annotations

import argparse
import collections
import datetime
import gc
import json
import os
import pickle
import platform
import random
import selectors
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

import numpy as np
from contract.pairs.product import Outcome, Pair, examine, pairs

import schattor
from schattor._edge import _core

LONGEST = 120  # seconds that a pair may take, under a sanitizer too


def outcomes(chosen: Sequence[Pair], seed: int, jobs: int) -> Iterator[Outcome]:
    """What becomes of each pair, as it becomes known."""
    gc.freeze()
    left = list(reversed(chosen))
    with selectors.DefaultSelector() as selector:
        while left or selector.get_map():
            while left and len(selector.get_map()) < jobs:
                pair, words = left.pop(), tempfile.TemporaryFile()  # noqa: SIM115 (closed with the child)
                pid, pipe = _child(pair, seed, words)
                selector.register(pipe, selectors.EVENT_READ, (pid, pair, words))
            for key, _ in selector.select():
                selector.unregister(key.fileobj)
                yield _result(key.fd, *key.data)


def _child(pair: Pair, seed: int, words: IO[bytes]) -> tuple[int, int]:
    """Return the process that examines a pair, and the pipe through which it tells."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid:
        os.close(writing)
        return pid, reading
    try:
        signal.alarm(LONGEST)
        os.dup2(words.fileno(), 2)
        outcome = examine(pair, seed)
        os.write(writing, pickle.dumps(outcome)[:60000])
    except BaseException as error:
        os.write(2, repr(error).encode())
        os._exit(1)
    os._exit(0)


def _result(pipe: int, pid: int, pair: Pair, words: IO[bytes]) -> Outcome:
    with os.fdopen(pipe, "rb") as stream:
        told = stream.read()
    _, status = os.waitpid(pid, 0)
    words.seek(0)
    said = words.read().decode(errors="replace")
    words.close()
    code = os.waitstatus_to_exitcode(status)
    if code == 0 and told:
        outcome: Outcome = pickle.loads(told)
        return outcome
    how = signal.Signals(-code).name if code < 0 else f"exit code {code}"
    return Outcome(str(pair), "failed", f"{how} {said[-4000:]}".strip())


def record(found: Sequence[Outcome], seed: int, share: float) -> dict[str, object]:
    """Return what `make verify` keeps."""
    count = collections.Counter(outcome.kind for outcome in found)
    commit = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False)
    return {
        "schattor": schattor.__version__,
        "commit": commit.stdout.strip() or None,
        "date": datetime.date.today().isoformat(),
        "seed": seed,
        "share": share,
        "address sanitizer": "libasan" in os.environ.get("LD_PRELOAD", ""),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "BLAS": _core.blas_description(),
        "pairs": len(found),
        **{kind: count[kind] for kind in ("moved", "refused", "failed")},
        "failures": {outcome.pair: outcome.text for outcome in found if outcome.kind == "failed"},
    }


def main() -> int:
    """Read the arguments and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--share", type=float, default=1.0, help="of the pairs, drawn by the seed")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--only", default="", help="pairs whose name contains this")
    parser.add_argument("--record", type=Path, metavar="FILE")
    parser.add_argument("--verbose", action="store_true", help="tell of every pair, not only of failures")
    chosen = parser.parse_args()
    everything = [pair for pair in pairs() if chosen.only in str(pair)]
    drawn = random.Random(chosen.seed).sample(everything, round(chosen.share * len(everything)))
    found = []
    for outcome in outcomes(drawn, chosen.seed, chosen.jobs):
        found.append(outcome)
        if chosen.verbose or outcome.kind == "failed":
            print(f"{outcome.kind}: {outcome.pair}: {outcome.text}", flush=True)
    kept = record(found, chosen.seed, chosen.share)
    if chosen.record:
        chosen.record.parent.mkdir(parents=True, exist_ok=True)
        chosen.record.write_text(json.dumps(kept, indent=2) + "\n")
    print(", ".join(f"{kept[kind]} {kind}" for kind in ("pairs", "moved", "refused", "failed")))
    return 1 if kept["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
