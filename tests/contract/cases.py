"""The table of recipes with the hyperparameters under which every contract is checked.

Each family has its file ``cases_<family>.py`` with two tables: ``CASES``, and ``DECLARED``, which holds for each recipe
the lr and the largest share of the loss that may remain on each of the four problems of `targets.py`; a third one,
``EXEMPT``, says why a recipe cannot solve them. `test_table.py` fails when a recipe, a preset or an optimizer class is
missing here, so that a new one cannot escape.
"""

from __future__ import annotations

import importlib
from pathlib import Path

from contract.case import DTYPES as DTYPES
from contract.case import Blocks as Blocks
from contract.case import Case as Case
from contract.case import Supplied as Supplied
from contract.case import bits as bits
from contract.case import copied as copied
from contract.case import draw as draw
from contract.case import mapped as mapped
from contract.case import problem as problem
from contract.case import snapshot as snapshot

_FAMILIES = [
    importlib.import_module(f"contract.{file.stem}")
    for file in sorted(Path(__file__).parent.glob("cases_*.py"))
]
CASES: list[Case] = [case for family in _FAMILIES for case in family.CASES]
SINGLE = [case for case in CASES if not case.paired]
DECLARED: dict[str, tuple[tuple[float, float], ...]] = {
    name: row for family in _FAMILIES for name, row in family.DECLARED.items()
}
EXEMPT: dict[str, str] = {
    name: reason for family in _FAMILIES for name, reason in getattr(family, "EXEMPT", {}).items()
}
