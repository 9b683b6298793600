"""Find audit records, and follow their chain."""

from collections.abc import Iterator
from typing import Any

import msgspec
from sqlalchemy import Select, Text, or_, select, type_coerce
from sqlalchemy.orm import Session

from hanse.control.access.callers import Caller, visible
from hanse.control.access.permissions import Permission
from hanse.control.audit.chain import Link, Verdict, follow
from hanse.control.audit.service import ONLY, fields_of, lines
from hanse.control.audit.tables import AuditChain, AuditLine
from hanse.control.database import Database

PAGE = 1000


class Wanted(msgspec.Struct, frozen=True):
    """What records are looked for; empty does not limit. `since` and `until` are moments, `text` is part of a word."""

    since: str = ""
    until: str = ""
    actor: str = ""
    action: str = ""
    subject: str = ""
    project: str = ""
    partner: str = ""
    text: str = ""


def find(session: Session, caller: Caller, wanted: Wanted, *, after: int = 0, limit: int = 100) -> list[AuditLine]:
    """Return records that the caller may see, newest first, older than number `after` (0: from the newest).

    With scope `own`, these are what the caller itself has done, also by its keys, and what is of its projects.
    """
    query = visible(select(AuditLine), caller, Permission.AUDIT_READ, owner=AuditLine.person, project=AuditLine.project)
    query = _narrow(query, wanted)
    if after:
        query = query.where(AuditLine.number < after)
    return list(session.scalars(query.order_by(AuditLine.number.desc()).limit(limit)))


def verify(database: Database) -> Verdict:
    """Follow the whole chain from where it begins to where it has to end."""
    with database.read() as session:
        head = session.get_one(AuditChain, ONLY)
    end = Link(head.ends_with, head.ends_hash)
    found = follow(_read(database, head.begins_after, end.number), Link(head.begins_after, head.begins_hash))
    if found.broken is None and found.last != end:
        return found._replace(broken=found.last.number + 1, why=f"the chain ends before record {end.number}")
    return found


def _read(database: Database, after: int, last: int) -> Iterator[dict[str, Any]]:
    """Yield records up to number `last`, a page at a time: others may write meanwhile."""
    while after < last:
        with database.read() as session:
            page = [fields_of(line) for line in lines(session, after=after, limit=PAGE) if line.number <= last]
        if not page:
            return
        yield from page
        after = page[-1]["number"]


def _narrow(query: Select[Any], wanted: Wanted) -> Select[Any]:
    for name in ("action", "subject", "project", "partner"):
        if said := getattr(wanted, name):
            query = query.where(getattr(AuditLine, name) == said)
    if wanted.actor:
        query = query.where(or_(AuditLine.actor == wanted.actor, AuditLine.person == wanted.actor))
    if wanted.since:
        query = query.where(AuditLine.at >= wanted.since)
    if wanted.until:
        query = query.where(AuditLine.at <= wanted.until)
    if wanted.text:
        columns = (AuditLine.actor, AuditLine.action, AuditLine.subject, type_coerce(AuditLine.details, Text))
        query = query.where(or_(*(column.icontains(wanted.text, autoescape=True) for column in columns)))
    return query
