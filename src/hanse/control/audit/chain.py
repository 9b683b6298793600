"""The chain over audit records: each holds the hash of the one before, so that none changes or goes unseen.

The form is frozen, because records outlive releases: SHA-256 over the JSON array below, as Python's `json.dumps` writes
it with sorted keys, without spaces and in ASCII. Anybody can compute it from an export with the standard library alone.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

START = "0" * 64
"""What the first record names as the hash before it."""

FIELDS = (
    "number",
    "at",
    "actor",
    "person",
    "door",
    "via",
    "address",
    "correlation",
    "action",
    "subject",
    "project",
    "partner",
    "result",
    "details",
    "before",
)
"""What is hashed, in this order, after the number of the form."""

FORM = 1


class Link(NamedTuple):
    """The place in the chain after which the next record goes."""

    number: int
    hash: str


class Verdict(NamedTuple):
    """What a look at a chain has found. `broken` is the number of the first wrong record, and `why` says how."""

    records: int
    last: Link
    broken: int | None = None
    why: str = ""


def digest(record: Mapping[str, Any]) -> str:
    """Return the hash of a record, given as its fields."""
    whole = [FORM, *(record[name] for name in FIELDS)]
    return hashlib.sha256(json.dumps(whole, sort_keys=True, separators=(",", ":")).encode("ascii")).hexdigest()


def follow(records: Iterable[Mapping[str, Any]], start: Link | None, *, gaps: bool = False) -> Verdict:
    """Follow a chain from `start` (None: from whatever the first record names) to its end, or its first wrong record.

    With `gaps`, records may be missing, as in an export of a part; each one's own hash still has to be right.
    """
    last, count = start, 0
    for record in records:
        if why := _judge(record, last, gaps=gaps):
            return Verdict(count, last or Link(0, START), record["number"], why)
        last, count = Link(record["number"], record["hash"]), count + 1
    return Verdict(count, last or Link(0, START))


def _judge(record: Mapping[str, Any], last: Link | None, *, gaps: bool) -> str:
    if digest(record) != record["hash"]:
        return "its fields are not those that its hash was made of"
    if last is None:
        return ""
    if record["number"] <= last.number:
        return f"it comes after record {last.number}"
    if record["number"] > last.number + 1:
        return "" if gaps else f"record {last.number + 1} is missing"
    return "" if record["before"] == last.hash else f"it does not follow record {last.number} as that one is now"


def link_all(records: Iterable[dict[str, Any]], start: Link) -> Iterator[dict[str, Any]]:
    """Yield records with number, `before` and `hash` set, in a chain that goes on from `start`."""
    last = start
    for record in records:
        linked = record | {"number": last.number + 1, "before": last.hash}
        linked["hash"] = digest(linked)
        yield linked
        last = Link(linked["number"], linked["hash"])
