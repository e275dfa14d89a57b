"""The list of small changes is up to date: each can be made, and the tests that should notice it exist."""

from __future__ import annotations

from pathlib import Path

import pytest
from mutants.changes import CHANGES, Change, place_of

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.name)
def test_each_can_be_made(change: Change) -> None:
    """Its text stands in the sources once, is replaced by another, and its tests are there."""
    place_of(change, ROOT)
    assert change.text != change.replacement
    for test in change.tests:
        file, _, name = test.partition("::")
        path = ROOT / file if "/" in test else ROOT / "tests" / "cpp" / f"{file}.cpp"
        assert path.exists(), test
        assert not name or f"def {name}(" in path.read_text(), test


def test_names_are_unique() -> None:
    """Outcomes are stored and chosen by name."""
    assert len({change.name for change in CHANGES}) == len(CHANGES)


@pytest.mark.parametrize(("text", "found"), [("no such text anywhere", "no file"), ("#pragma once", ".h, ")])
def test_a_text_that_does_not_stand_once_is_refused(text: str, found: str) -> None:
    """A list that has fallen behind the sources fails, naming the change and where its text is."""
    change = Change("lost", text, "", (), "")
    with pytest.raises(LookupError, match="lost: the text must stand once") as caught:
        place_of(change, ROOT)
    assert found in str(caught.value)
