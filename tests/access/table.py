"""The table of what every caller is answered: `tests/golden/access.csv`, written by people and read by the tests."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from hanse.control.access.permissions import GROUPS

PATH = Path(__file__).parents[1] / "golden" / "access.csv"
PEOPLE = (*GROUPS, "api user")
CALLERS = (*PEOPLE, "anonymous", "another organisation")
HEAD = ",".join(("operation", "permission", "object", *CALLERS))


class Row(NamedTuple):
    """An operation on one kind of object: the permission that it is about, and what each caller is answered.

    A cell is a status code; in lists `listed` or `hidden`. `permission` may also be `signed in` or `public`.
    """

    operation: str
    permission: str
    object: str
    cells: Mapping[str, str]

    def line(self) -> str:
        return ",".join((self.operation, self.permission, self.object, *(self.cells[name] for name in CALLERS)))


def read_table() -> list[Row]:
    """Return the rows of the table in its order."""
    with PATH.open(newline="", encoding="utf-8") as file:
        found = csv.DictReader(file)
        assert ",".join(found.fieldnames or ()) == HEAD
        return [
            Row(row["operation"], row["permission"], row["object"], {name: row[name] for name in CALLERS})
            for row in found
        ]
