"""Measure the accuracy of every route.

run.py calls this, and it runs alone: ``python -m benchmarks.accuracy --output FILE.json --markdown FILE.md``.

For each matrix (see `matrices.SPECTRA`), shape, dtype and p: the relative errors of D in the spectral and the
Frobenius norm against reference.py, by how much ||D||_p exceeds 1, and the relative error of the dual norm. Rows with
"promised" false have a singular value within a factor 10 of the cutoff, where nothing is promised.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from . import reference, report
from .cases import BACKENDS, POLAR_BACKENDS, RTOL
from .matrices import SPECTRA, Array, Shape, exponent_name, matrix
from .sides import REFUSALS, convergent_newton_schulz, svd_ball

SHAPES: tuple[Shape, ...] = ((384, 384), (128, 784), (192, 384))
EXPONENTS = (1.2, 1.5, 3.0, 4.0, math.inf)
QUICK_SHAPES: tuple[Shape, ...] = ((24, 48), (32, 32))
QUICK_SPECTRA = ("gauss", "geometric 1e4", "rank m/2 exact")

# A route takes (G, p) and returns D and, where it has one, the dual norm.
Route = Callable[[Array, float], tuple[Array, float | None]]
Row = dict[str, Any]


def with_cutoff(svd: Callable[..., Any]) -> Route:
    """Return LAPACK's answer with the cutoff rule of the oracles."""

    def route(G: Array, p: float) -> tuple[Array, float]:
        U, s, Vt = svd(G, full_matrices=False)
        f, dual = reference.singular_function(s, p, reference.cutoff(G.shape, G.dtype.name))
        return -(U * f.astype(U.dtype)) @ Vt, dual

    return route


def ours(backend: str, rtol: float | None = None) -> Route:
    """Return a route of this package."""

    def route(G: Array, p: float) -> tuple[Array, float]:
        import schattor as st

        options: dict[str, Any] = {"backend": backend} | ({} if rtol is None else {"rtol": rtol})
        D, info = st.ball_oracle(G, p, return_info=True, **options)
        return np.asarray(D), info.dual_norm

    return route


def scipy_svd(G: Array, full_matrices: bool) -> Any:
    """SciPy's SVD: LAPACK's gesdd in the dtype of the input."""
    from scipy import linalg

    return linalg.svd(G, full_matrices=full_matrices)


def scipy_polar(G: Array, _p: float) -> tuple[Array, None]:
    """Return SciPy's polar factor."""
    from scipy import linalg

    return -linalg.polar(G)[0], None


# name, route, whether it computes only the polar factor
ROUTES: tuple[tuple[str, Route, bool], ...] = (
    ("NumPy", lambda G, p: (svd_ball(np.linalg.svd, G, p), None), False),
    ("NumPy, cutoff", with_cutoff(np.linalg.svd), False),
    ("gesdd", with_cutoff(scipy_svd), False),
    ("SciPy polar", scipy_polar, True),
    ("NumPy Newton-Schulz", lambda G, p: (convergent_newton_schulz(G), None), True),
    ("auto", ours("auto"), False),
    ("auto, rtol=1e-3", ours("auto", RTOL), False),
    *((backend, ours(backend), backend in POLAR_BACKENDS) for backend in BACKENDS),
    ("band, rtol=1e-3", ours("band", RTOL), False),
    ("chebyshev, rtol=1e-3", ours("chebyshev", RTOL), False),
    ("newton_schulz, rtol=1e-3", ours("newton_schulz", RTOL), True),
)


def measure_route(route: Route, G: Array, p: float, exact: Array, dual: float) -> Row:
    """Return the figures of one route on one matrix."""
    try:
        with np.errstate(all="ignore"):
            D, own_dual = route(G, p)
    except (*REFUSALS, np.linalg.LinAlgError) as error:
        return {"missing": f"{type(error).__name__}: {error}"}
    frobenius, spectral = reference.errors(D, exact)
    excess = reference.schatten_norm(D, p) - 1 if np.isfinite(D).all() else math.inf
    row: Row = {"error_fro": frobenius, "error_two": spectral, "excess": excess}
    return row | ({} if own_dual is None else {"dual_error": abs(float(own_dual) / dual - 1)})


def measure_matrix(kind: str, shape: Shape, dtype: str) -> list[Row]:
    """Return the rows of one matrix, for all p and routes."""
    G = matrix(kind, shape, dtype)
    parts = reference.decompose(G)
    cutoff = reference.cutoff(shape, dtype)
    rows = []
    for p in EXPONENTS:
        direction, dual = reference.oracle(parts, p, dtype)
        facts: Row = {
            "matrix": kind,
            "shape": f"{shape[0]}x{shape[1]}",
            "dtype": dtype,
            "p": exponent_name(p),
        }
        facts["promised"] = not reference.near_cutoff(parts.s.astype(float), p, cutoff)
        for name, route, polar in ROUTES:
            if polar and not math.isinf(p):
                continue
            rows.append(facts | {"route": name} | measure_route(route, G, p, -direction, dual))
    return rows


def main() -> None:
    """Measure; write what there is after each matrix."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.accuracy", description=__doc__)
    parser.add_argument("--output", type=Path, required=True, help="write the rows to this JSON file")
    parser.add_argument("--markdown", type=Path, help="write the tables to this file")
    parser.add_argument("--quick", action="store_true", help="small matrices")
    arguments = parser.parse_args()
    shapes, spectra = (QUICK_SHAPES, QUICK_SPECTRA) if arguments.quick else (SHAPES, SPECTRA)
    rows: list[Row] = []
    try:
        for dtype in ("float32", "float64"):
            for shape in shapes:
                for kind in spectra:
                    print(f"  accuracy: {dtype}, {shape[0]}x{shape[1]}, {kind}", file=sys.stderr, flush=True)
                    rows += measure_matrix(kind, shape, dtype)
                    arguments.output.write_text(json.dumps(rows), encoding="utf-8")
    except KeyboardInterrupt:
        print("interrupted: what was measured is kept", file=sys.stderr)
    if arguments.markdown:
        arguments.markdown.write_text(report.accuracy_tables(rows) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
