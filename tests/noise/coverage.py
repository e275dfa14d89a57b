"""How often the 95 % interval of sigma_q holds the true value, over covariances, shapes, distributions and q.

As a script: the whole grid with 1000 replications; it prints a table and writes it to a file (about ten minutes).

    PYTHONPATH=tests python -m noise.coverage tests/results/noise_coverage.json
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

import schattor as st
from schattor._provenance import provenance
from schattor.experiments.tools.progress import Progress

EXPONENTS = (1.0, 1.2, 4 / 3, 1.5, 2.0, 4.0, np.inf)
LOW, HIGH = 0.91, 0.98  # what a 95 % interval may be off by
REPLICATIONS = 1000
SEED = 20260101


@dataclass(frozen=True)
class Cell:
    """One covariance, shape and distribution of the noise, and how many micro-batches there are."""

    shape: tuple[int, int]
    covariance: str
    distribution: str
    batches: int = 64

    def deviation(self) -> np.ndarray:
        """The eigenvalues of V."""
        d = min(self.shape)
        return {
            "flat": np.ones(d),
            "1/i": 1 / np.arange(1.0, d + 1),
            "geometric to 1e-3": np.geomspace(1, 1e-3, d),
            "rank one": np.r_[1.0, np.zeros(d - 1)],
        }[self.covariance]

    def draw(self, rng: np.random.Generator) -> np.ndarray:
        """One micro-batch gradient each of one sample; the gradient itself is zero."""
        V, k, (m, n) = self.deviation(), self.batches, self.shape
        if self.distribution == "gaussian":
            return st.problems.GaussianNoise(V, self.shape).draw(k, rng)
        if self.distribution.startswith("student"):
            freedom = float(self.distribution.split()[1])
            return st.problems.StudentNoise(V, self.shape, freedom).draw(k, rng)
        # Outer products, as the gradients of one sample are: E[u u'] = V^2 and E[v'v] = 1.
        u, v = rng.standard_normal((k, min(m, n))) * V, rng.standard_normal((k, max(m, n)))
        v /= np.sqrt(max(m, n))
        return u[:, :, None] * v[:, None, :] if m <= n else v[:, :, None] * u[:, None, :]

    def coverage(self, replications: int, seed: int) -> list[float]:
        """The share of intervals that hold the true value, for each q."""
        rng = np.random.default_rng(seed)
        truth = [float(np.linalg.norm(self.deviation(), q)) for q in EXPONENTS]
        hits = np.zeros(len(EXPONENTS))
        for _ in range(replications):
            estimate = st.noise.covariance(self.draw(rng))
            for i, q in enumerate(EXPONENTS):
                low, high = estimate.interval(q)
                hits[i] += low <= truth[i] <= high
        return (hits / replications).tolist()


def cells() -> Iterator[Cell]:
    """The grid."""
    for shape in ((4, 6), (8, 8), (24, 16), (32, 64)):
        for covariance in ("flat", "1/i", "geometric to 1e-3", "rank one"):
            for distribution in ("gaussian", "outer", "student 10", "student 5"):
                yield Cell(shape, covariance, distribution)
    for covariance in ("flat", "1/i"):  # more dimensions than the micro-batches span
        yield Cell((72, 80), covariance, "outer")
        yield Cell((8, 8), covariance, "student 3")
        yield Cell((8, 8), covariance, "student 3", 1024)
        yield Cell((8, 8), covariance, "student 5", 1024)


def cell_seed(number: int) -> int:
    """The seed of a cell of the grid."""
    return SEED + number


def main(path: str) -> None:
    """Run the grid; print and write each cell as it is done."""
    record = {
        **provenance(),
        "numpy": np.__version__,
        "command": "PYTHONPATH=tests python -m noise.coverage",
        "seed": SEED,
        "replications": REPLICATIONS,
        "level": 0.95,
        "q": [str(q) if np.isinf(q) else q for q in EXPONENTS],
    }
    rows = []
    grid = list(cells())
    with Progress(len(grid)) as progress:
        for number, cell in enumerate(grid):
            found = cell.coverage(REPLICATIONS, cell_seed(number))
            rows.append({**asdict(cell), "coverage": found})
            marks = [f"{100 * x:5.1f}{' ' if LOW <= x <= HIGH else '*'}" for x in found]
            name = f"{cell.shape!s:10} {cell.covariance:18} {cell.distribution:11} {cell.batches:5}"
            progress.line(" ".join([name, *marks]))
            progress.advance(1)
            Path(path).write_text(json.dumps(record | {"rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main(sys.argv[1])
