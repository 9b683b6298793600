"""Types of ids: one form each, the same at every organisation, and what an id of the type looks like.

The rules are data, so that Python (one id) and the engine (a column) apply the same ones; the guide on datasets has
them as a table with test vectors. A change of any rule is a new `ID_FORM`.
"""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path
from typing import NamedTuple

from hanse.core.schema import IdType
from hanse.core.specs import Artefact, IngestSpec
from hanse.sdk.engine import Bounds, connect, named, parquet, quote

SPACES = r"' ' || chr(9) || chr(10) || chr(11) || chr(12) || chr(13)"
PLAIN = r"[\x00-\x1b\x20-\x7f]*"
"""ASCII whose form the engine makes; what else there is takes the longer way through Unicode."""

# Soft hyphen, joiners, zero-width spaces, direction marks, word joiners, byte order mark: invisible, and pasted along.
INVISIBLE = re.compile("[\u00ad\u034f\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufeff]")


class Rule(NamedTuple):
    """A step: every match of `pattern` becomes `by`. Patterns mean the same in Python and in RE2."""

    pattern: str
    by: str = ""


class Form(NamedTuple):
    """What follows the form of free ids: steps, then capitals or not; and what an id of the type looks like."""

    rules: tuple[Rule, ...] = ()
    capitals: bool = False
    looks: str = ""


FORMS: dict[IdType, Form] = {
    "free": Form(),
    "phone": Form(
        (
            Rule(r"[\x09-\x0d\x20()./\-]"),
            Rule("^00", "+"),
            Rule(r"^(?:\+86)+"),
            Rule("^(?:86|086|0)(1[3-9][0-9]{9})$", r"\1"),
        ),
        looks=r"1[3-9][0-9]{9}|\+[1-9][0-9]{6,14}|0[0-9]{9,11}",
    ),
    "national_id": Form((Rule(r"[\x09-\x0d\x20\-]"),), capitals=True, looks="[1-9][0-9]{16}[0-9X]"),
    "email": Form(looks=r"[^@\x20]+@[^@\x20]+\.[^@\x20.]+"),
    "device": Form((Rule(r"[\x09-\x0d\x20:.{}\-]"),), looks="[0-9]{15,16}|[0-9a-f]{12}|[0-9a-f]{14}|[0-9a-f]{16,64}"),
}

WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
CHECKS = "10X98765432"
"""GB 11643-1999: the check character stands at the weighted sum of the 17 digits, modulo 11."""


def normalise_id(text: str, id_type: IdType = "free") -> str:
    """Return the one form of an id in which organisations compare it."""
    visible = INVISIBLE.sub("", unicodedata.normalize("NFKC", text))
    formed = unicodedata.normalize("NFKC", visible.strip().lower())
    form = FORMS[id_type]
    for rule in form.rules:
        formed = re.sub(rule.pattern, rule.by, formed)
    return formed.upper() if form.capitals else formed


def ascii_form(column: str) -> str:
    """Return the SQL of `normalise_id` for free ids of ASCII without control characters."""
    return f"lower(trim({column}, {SPACES}))"


def typed_form(column: str, id_type: IdType) -> str:
    """Return the SQL of `normalise_id` for the ids that are plain ASCII; others stay as they are."""
    form, text = FORMS[id_type], ascii_form(column)
    for rule in form.rules:
        text = f"regexp_replace({text}, {quote(rule.pattern)}, {quote(rule.by)}, 'g')"
    text = f"upper({text})" if form.capitals else text
    return f"CASE WHEN regexp_full_match({column}, {quote(PLAIN)}) THEN {text} ELSE {column} END"


def looks_right(column: str, id_type: IdType) -> str:
    """Return the SQL of whether a normalised id looks like one of its type."""
    if id_type == "free":
        return "true"
    right = f"regexp_full_match({column}, {quote(FORMS[id_type].looks)})"
    if id_type == "device":
        return f"({right} AND NOT regexp_full_match({column}, '0*'))"  # what a device says that keeps its id to itself
    if id_type != "national_id":
        return right
    terms = (f"{weight} * try_cast({column}[{place}] AS INTEGER)" for place, weight in enumerate(WEIGHTS, 1))
    check = f"{quote(CHECKS)}[1 + ({' + '.join(terms)}) % 11] = {column}[18]"
    return f"CASE WHEN {right} THEN {check} ELSE false END"


def count_misfits(artefact: Artefact, spec: IngestSpec) -> int:
    """Return how many ids of a snapshot do not look like their type."""
    if spec.id_type == "free" or artefact.schema is None:
        return 0
    path = Path(artefact.path)
    bounds = Bounds(spec.limits.threads, spec.limits.memory_bytes // 4 * 3)
    fits = looks_right(named(artefact.schema.id), spec.id_type)
    with connect([path], path.parent, bounds) as engine:
        rows = (
            engine.sql(f"FROM {parquet(path)}").aggregate(f"count(*) FILTER (NOT coalesce({fits}, false))").fetchall()
        )
    return int(rows[0][0])
