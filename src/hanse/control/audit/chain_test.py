import hashlib
import json
from typing import Any

import pytest

from hanse.control.audit.chain import FIELDS, START, Link, digest, follow, link_all

BEGIN = Link(0, START)


def record(subject: str, **details: Any) -> dict[str, Any]:
    return dict.fromkeys(FIELDS, "") | {"subject": subject, "details": details}


def chain_of(*subjects: str) -> list[dict[str, Any]]:
    return list(link_all((record(subject, name="陈", count=3) for subject in subjects), BEGIN))


def test_a_chain_as_it_was_written_is_whole() -> None:
    records = chain_of("a", "b", "c")
    assert follow(records, BEGIN) == (3, Link(3, records[2]["hash"]), None, "")


def test_the_hash_is_that_of_the_documented_form_which_never_changes() -> None:
    fields = record("people", rows=3) | {"number": 7, "at": "2026-01-01T00:00:00.000Z", "before": START}
    array = [1, 7, fields["at"], "", "", "", "", "", "", "", "people", "", "", "", {"rows": 3}, START]
    text = json.dumps(array, sort_keys=True, separators=(",", ":"))
    assert digest(fields) == hashlib.sha256(text.encode()).hexdigest()
    assert digest(fields) == "982083319e5f0ce53f31b9221ab9cb14d0d1e2495ce5203a98c2184b19dcf26a"


@pytest.mark.parametrize("field", [name for name in FIELDS if name not in ("number", "details")])
def test_a_change_of_any_field_is_found_at_its_record(field: str) -> None:
    records = chain_of("a", "b", "c")
    records[1][field] += "x"
    assert follow(records, BEGIN).broken == 2


def test_a_changed_record_with_a_new_hash_of_its_own_is_found_at_the_next() -> None:
    records = chain_of("a", "b", "c")
    records[1]["subject"] = "z"
    records[1]["hash"] = digest(records[1])
    assert follow(records, BEGIN)[2:] == (3, "it does not follow record 2 as that one is now")


def test_a_record_that_was_taken_out_is_missed() -> None:
    records = chain_of("a", "b", "c")
    assert follow([records[0], records[2]], BEGIN)[2:] == (3, "record 2 is missing")
    assert follow([records[0], records[2]], BEGIN, gaps=True).broken is None


def test_records_in_another_order_or_told_twice_are_refused() -> None:
    records = chain_of("a", "b", "c")
    assert follow([records[1], records[0]], None).broken == 1
    assert follow([records[0], records[0]], BEGIN, gaps=True).broken == 1
