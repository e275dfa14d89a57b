"""Fisher fits: zero on samples that have the structure, and the nearest matrix where they have not."""

from __future__ import annotations

import math

import numpy as np
import pytest

from schattor.diagnostics import fisher_fit

STRUCTURES = ("diagonal", "row", "column", "kronecker", "eigenbasis")
SHAPE = (3, 4)


def rotation(order: int, seed: int) -> np.ndarray:
    """An orthogonal matrix."""
    return np.linalg.qr(np.random.default_rng(seed).standard_normal((order, order)))[0]


def samples_of(scales: np.ndarray, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """One sample for each entry, whose second moment is (L x R) diag(scales^2) (L x R)' / N exactly."""
    units = np.eye(scales.size).reshape(-1, *scales.shape)
    return left @ (units * scales) @ right.T


def with_structure(structure: str) -> np.ndarray:
    """Samples whose second moment has just this structure, out of those that it implies."""
    rng, (m, n) = np.random.default_rng(7), SHAPE
    rows, columns = np.geomspace(1, 5, m)[:, None], np.geomspace(3, 0.2, n)
    return {
        "diagonal": samples_of(rng.uniform(0.2, 2, SHAPE), np.eye(m), np.eye(n)),
        "row": samples_of(np.broadcast_to(rows, SHAPE), np.eye(m), np.eye(n)),
        "column": samples_of(np.broadcast_to(columns, SHAPE), np.eye(m), np.eye(n)),
        "kronecker": samples_of(rows * columns, rotation(m, 1), rotation(n, 2)),
        "eigenbasis": samples_of(rng.uniform(0.2, 2, SHAPE), rotation(m, 3), rotation(n, 4)),
    }[structure]


# Structures that contain another: a row's scale is a diagonal, and a Kronecker product with one for each column.
FITS = {
    "diagonal": {"diagonal", "eigenbasis"},
    "row": {"diagonal", "row", "kronecker", "eigenbasis"},
    "column": {"diagonal", "column", "kronecker", "eigenbasis"},
    "kronecker": {"kronecker", "eigenbasis"},
    "eigenbasis": {"eigenbasis"},
}


@pytest.mark.parametrize("structure", STRUCTURES)
@pytest.mark.parametrize("built", STRUCTURES)
def test_exact_where_the_structure_is_there(built: str, structure: str) -> None:
    """No error for the structure and those that contain it; a clear one for the others."""
    error = fisher_fit(with_structure(built), structure)
    if structure in FITS[built]:
        assert error < 1e-13
    else:
        assert 0.05 < error < 1


def second_moment(samples: np.ndarray) -> np.ndarray:
    """F, as a mean of outer products."""
    return np.mean([np.outer(g, g) for g in samples.reshape(len(samples), -1)], axis=0)


@pytest.mark.parametrize("structure", STRUCTURES)
def test_matrix_of_the_structure_is_the_nearest(structure: str) -> None:
    """The error is that of a matrix of the structure, and no matrix of the structure found by descent is nearer."""
    samples = np.random.default_rng(8).standard_normal((40, *SHAPE)) @ np.diag([2.0, 1.0, 0.5, 0.1])
    F, error, (m, n) = second_moment(samples), fisher_fit(samples, structure), SHAPE
    size = np.linalg.norm(F)
    rng = np.random.default_rng(9)
    left = np.linalg.eigh(np.mean(samples @ samples.transpose(0, 2, 1), axis=0))[1]
    right = np.linalg.eigh(np.mean(samples.transpose(0, 2, 1) @ samples, axis=0))[1]
    basis = np.kron(left, right)
    distances = []
    if structure == "kronecker":
        R = np.diag(rng.uniform(0.5, 1, n))
        for _ in range(200):  # alternating least squares from a random start
            blocks = F.reshape(m, n, m, n)
            L = np.einsum("ijkl,jl->ik", blocks, R) / np.sum(R * R)
            R = np.einsum("ijkl,ik->jl", blocks, L) / np.sum(L * L)
        distances.append(np.linalg.norm(F - np.kron(L, R)))
    else:
        rotated = basis.T @ F @ basis if structure == "eigenbasis" else F
        line = {"row": np.kron(np.eye(m), np.ones((n, 1))), "column": np.kron(np.ones((m, 1)), np.eye(n))}
        design = line.get(structure, np.eye(m * n))
        values = np.linalg.lstsq(design, np.diag(rotated), rcond=None)[0]
        distances.append(np.linalg.norm(rotated - np.diag(design @ values)))
    assert error == pytest.approx(distances[0] / size, rel=1e-9)


def test_invariances() -> None:
    """Scale changes nothing; rotations change nothing for Kronecker products and for the eigenbasis."""
    samples = np.random.default_rng(10).standard_normal((30, *SHAPE)) * np.linspace(0.5, 2, 4)
    turned = rotation(3, 5) @ samples @ rotation(4, 6)
    for structure in STRUCTURES:
        assert fisher_fit(1e200 * samples, structure) == pytest.approx(fisher_fit(samples, structure))
    for structure in ("kronecker", "eigenbasis"):
        assert fisher_fit(turned, structure) == pytest.approx(fisher_fit(samples, structure))
    assert fisher_fit(turned, "diagonal") != pytest.approx(fisher_fit(samples, "diagonal"), rel=1e-3)


def test_errors() -> None:
    """Each says what came."""
    samples = np.ones((2, 3, 4))
    with pytest.raises(ValueError, match="structure must be"):
        fisher_fit(samples, "block")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"\(N, m, n\), got shape \(3, 4\)"):
        fisher_fit(samples[0], "diagonal")
    with pytest.raises(ValueError, match="at most 4096"):
        fisher_fit(np.ones((1, 65, 64)), "diagonal")
    assert math.isnan(fisher_fit(0 * samples, "diagonal"))
