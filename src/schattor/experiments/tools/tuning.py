"""Choosing a step size on a grid whose best point is no edge."""

from __future__ import annotations

from collections.abc import Callable

__all__ = ["search_grid"]


def search_grid(
    score: Callable[[int], float],
    points: int,
    *,
    extensions: int,
    on_extension: Callable[[], None] = lambda: None,
) -> dict[int, float]:
    """Score the grid points ..., -1, 0, 1, ... of a grid that grows while its best point lies at an edge.

    Parameters
    ----------
    score : callable
        Number of a grid point -> what is to be small; infinite where it fails.
    points : int
        Points of the first grid, around 0.
    extensions : int
        How often the grid may grow by one point.
    on_extension : callable
        Called before each additional point.

    Returns
    -------
    dict of int to float
        Scores. The best is at an edge only when the extensions did not suffice.

    Examples
    --------
    >>> from schattor.experiments.tools.tuning import search_grid
    >>> scores = search_grid(lambda k: (k - 3) ** 2, 3, extensions=5)
    >>> min(scores, key=scores.get), sorted(scores)
    (3, [-1, 0, 1, 2, 3, 4])
    """
    half = points // 2
    scores = {k: score(k) for k in range(-half, points - half)}
    for _ in range(extensions):
        best = min(scores, key=scores.__getitem__)
        if best not in (min(scores), max(scores)):
            break
        on_extension()
        beyond = best - 1 if best == min(scores) else best + 1
        scores[beyond] = score(beyond)
    return scores
