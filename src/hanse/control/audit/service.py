"""Append audit records, in the transaction of what they tell, and read them.

What cannot be recorded does not happen: the record and the change are one transaction.
"""

import re
from typing import Any

import msgspec
from sqlalchemy import select
from sqlalchemy.orm import Session

from hanse.control.audit import chain
from hanse.control.audit.chain import FIELDS, Link
from hanse.control.audit.origin import current
from hanse.control.audit.tables import AuditChain, AuditLine
from hanse.core.times import now

ADMINISTRATOR = "administrator"
NODE = "node"
DONE = "done"

ONLY = 1
"""The id of the one row of the chain."""

_ORGANISATION = re.compile("[0-9a-f]{32}")


def append(session: Session, actor: str, action: str, subject: str, **details: Any) -> AuditLine:
    """Add a record, e.g. `append(session, ADMINISTRATOR, "member.confirm", organisation, name="bank")`.

    Project and partner are those of the details, if it says any. Writers take turns, so that the chain has one end.
    """
    return _write(session, actor, action, subject, DONE, details)


def refuse(session: Session, actor: str, action: str, subject: str, code: str, /, **details: Any) -> AuditLine:
    """Add a record of what was refused with an error of this code."""
    return _write(session, actor, action, subject, code, details)


def _write(session: Session, actor: str, action: str, subject: str, result: str, details: dict[str, Any]) -> AuditLine:
    origin, kept = current(), msgspec.json.decode(msgspec.json.encode(details))
    fields = {
        "at": now(),
        "actor": _plain(actor, 64),
        "person": _plain(origin.person if origin.person and actor in (origin.person, origin.via) else actor, 64),
        "door": origin.door,
        "via": _plain(origin.via, 64),
        "address": _plain(origin.address, 64),
        "correlation": origin.correlation,
        "action": action,
        "subject": _plain(subject, 200),
        "project": _plain(_project_of(subject, kept), 64),
        "partner": _plain(_partner_of(subject, kept) or (origin.via if origin.door == "partner" else ""), 64),
        "result": result,
        "details": kept,
    }
    head = head_of(session)
    linked = next(chain.link_all([fields], Link(head.ends_with, head.ends_hash)))
    line = AuditLine(**linked)
    session.add(line)
    head.ends_with, head.ends_hash = line.number, line.hash
    session.flush()
    return line


def head_of(session: Session) -> AuditChain:
    """Return the row that says where the chain begins and ends, locked by whoever writes."""
    head = session.get(AuditChain, ONLY, with_for_update=True)
    if head is None:
        head = AuditChain(id=ONLY)
        session.add(head)
        session.flush()
    return head


def lines(session: Session, *, after: int = 0, limit: int = 1000) -> list[AuditLine]:
    """Return up to `limit` records with a number above `after`, oldest first."""
    query = select(AuditLine).where(AuditLine.number > after).order_by(AuditLine.number).limit(limit)
    return list(session.scalars(query))


def fields_of(line: AuditLine) -> dict[str, Any]:
    """Return a record as its fields, the hash last."""
    return {name: getattr(line, name) for name in (*FIELDS, "hash")}


def _project_of(subject: str, details: dict[str, Any]) -> str:
    found = (details.get("project"), subject)
    return next((text for text in found if isinstance(text, str) and text.startswith("project-")), "")


def _partner_of(subject: str, details: dict[str, Any]) -> str:
    found = (subject, *details.values())
    return next((text for text in found if isinstance(text, str) and _ORGANISATION.fullmatch(text)), "")


def _plain(text: str, most: int) -> str:
    """Return what every database can keep: no more than fits, and no NUL (PostgreSQL has none in its text)."""
    return text.replace("\0", "�")[:most]
