"""The state of every recipe is as large as its source says."""

from __future__ import annotations

from collections.abc import Callable

import pytest

import schattor as st
from schattor.recipes._table import state_arrays

Size = Callable[[int, int], int]


def times(blocks: int) -> Size:
    """So many arrays of the block's shape."""
    return lambda m, n: blocks * m * n


# Numbers beside the weights of an m x n block, under the arguments of `example()`. Scalars are not counted.
STATE: dict[str, Size] = {
    **dict.fromkeys(("sgd", "sign_sgd", "manifold_muon", "intrinsic_muon"), times(0)),
    **dict.fromkeys(
        ("schattor", "signum", "normalized_sgd", "lion", "storm", "adagrad", "rmsprop"), times(1)
    ),
    **dict.fromkeys(("muon", "polar_grad", "scion", "htmuon", "freon", "lion_muon", "dp_muon"), times(1)),
    **dict.fromkeys(("clipped_scion", "gluon", "schedule_free_sgd", "lora_muon"), times(1)),
    **dict.fromkeys(("muon_eq", "muon_plus", "aurora", "rmnp"), times(1)),
    **dict.fromkeys(("adam", "adamw", "radam", "adabelief", "adadelta", "badam"), times(2)),
    **dict.fromkeys(("schedule_free_adamw", "nigt", "mars_m"), times(2)),
    **dict.fromkeys(("amsgrad", "mars"), times(3)),
    "prodigy": times(4),
    **dict.fromkeys(("lars", "mano", "muon_hyperball"), times(1)),
    **dict.fromkeys(("adamuon", "lamb"), times(2)),
    "normuon": lambda m, n: m * n + m,
    "schedule_free_normuon": lambda m, n: 2 * m * n + m,
    "muown": lambda m, n: m * n + 4 * m,
    "dion": lambda m, n: m * n + min(m, n) ** 2,  # at full rank
    "low_rank_muon": lambda m, n: m * n + min(m, n),  # and the columns of the next step
    "shampoo": lambda m, n: m * n + 2 * (m * m + n * n),
    "kfac": lambda m, n: m * n + 2 * (m * m + n * n),
    "soap": lambda m, n: 2 * m * n + 2 * (m * m + n * n),
    "eigen_adam": lambda m, n: 2 * m * n + 2 * min(m, n) ** 2,
    "newton_muon": lambda m, n: m * n + 2 * n * n,
}


@pytest.mark.parametrize("name", st.recipes.__all__)
@pytest.mark.parametrize("shape", [(24, 36), (36, 24), (16, 16)])
def test_numbers_beside_the_weights(name: str, shape: tuple[int, int]) -> None:
    """As the sources count them."""
    arrays = state_arrays(getattr(st.recipes, name).example(), shape)
    assert sum(array.size for array in arrays.values() if array.ndim) == STATE[name](*shape)


def test_every_recipe_is_counted() -> None:
    """A recipe without a line fails here."""
    assert STATE.keys() == set(st.recipes.__all__)
