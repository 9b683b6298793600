"""The table of OWASP ASVS 5.0 level 2: every row says its test, which is there, or its reason."""

from __future__ import annotations

import csv
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
TABLE = ROOT / "docs" / "asvs.csv"
REQUIREMENTS = 253
"""Of the levels 1 and 2 in version 5.0.0."""
STATES = {"tested", "built", "open", "not applicable"}


def rows() -> list[dict[str, str]]:
    with TABLE.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_every_requirement_of_level_two_has_one_row() -> None:
    numbers = [row["requirement"] for row in rows()]
    assert len(numbers) == len(set(numbers)) == REQUIREMENTS
    assert all(re.fullmatch(r"[0-9]{1,2}\.[0-9]\.[0-9]{1,2}", number) for number in numbers)
    assert numbers == sorted(numbers, key=lambda number: [int(part) for part in number.split(".")])
    assert {row["level"] for row in rows()} == {"1", "2"}


def test_every_row_has_a_state_words_of_its_own_and_evidence() -> None:
    assert {row["state"] for row in rows()} <= STATES
    assert [row["requirement"] for row in rows() if not (row["summary"] and row["evidence"])] == []


def test_every_test_that_a_row_names_is_there() -> None:
    absent = [row["evidence"] for row in rows() if row["state"] == "tested" and not _is_there(row["evidence"])]
    assert absent == []


def test_every_page_that_a_row_names_is_there() -> None:
    pages = {page for row in rows() for page in re.findall(r"[\w./-]+\.(?:md|csv|json)", row["evidence"])}
    assert {page for page in pages if not (ROOT / page).exists()} == set()


def _is_there(evidence: str) -> bool:
    path, _, name = evidence.partition("::")
    file = ROOT / path
    return file.is_file() and re.search(rf"^(async )?def {name}\(", file.read_text("utf-8"), re.MULTILINE) is not None
