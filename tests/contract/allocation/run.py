"""Print, as JSON, how often each case of the contract table allocates in its steps; run with the counter preloaded."""

from __future__ import annotations

import ctypes
import json
import warnings

import numpy as np
from contract.cases import CASES, Case, Supplied, problem

STEPS = 6
counter = ctypes.CDLL(None)
counter.end_count.restype = ctypes.c_long


class Counted(Supplied):
    """An optimizer that counts what one call into the core allocates."""

    counts: list[int]

    def count(self) -> None:
        """Wrap the plan."""
        plan, self.counts = self._plan, []

        class Wrapped:
            def __getattr__(self, name: str) -> object:
                return getattr(plan, name)

            def run(inner, *arguments: object) -> object:  # noqa: N805
                counter.begin_count()
                refusal = plan.run(*arguments)
                self.counts.append(counter.end_count())
                return refusal

        self._plan = Wrapped()


def allocations(case: Case, dtype: type) -> list[int]:
    """The number of calls in each step."""
    W, gradients = problem(case, dtype, STEPS)
    opt = Counted(W, case.make(), n_threads=1)
    opt.count()
    for G in gradients:
        opt.step(G)
    return opt.counts


if __name__ == "__main__":
    warnings.simplefilter("error")
    counts = {
        f"{case}/{np.dtype(dtype)}": allocations(case, dtype)
        for case in CASES
        for dtype in (np.float64, np.float32)
    }
    begin = counter.begin_count
    begin()
    kept = [bytearray(10_000) for _ in range(3)]
    counts["control"] = [counter.end_count(), len(kept)]
    print(json.dumps(counts))
