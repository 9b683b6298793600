"""Append audit lines, in the transaction of what they tell, and read them."""

from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from hanse.control.audit.tables import AuditLine
from hanse.core.times import now

ADMINISTRATOR = "administrator"
NODE = "node"


def append(session: Session, actor: str, action: str, subject: str, **details: Any) -> None:
    """Add a line, e.g. `append(session, ADMINISTRATOR, "member.confirm", organisation, name="bank")`."""
    session.add(AuditLine(at=now(), actor=actor[:64], action=action, subject=subject[:200], details=details))


def lines(session: Session, *, after: int = 0, limit: int = 1000) -> list[AuditLine]:
    """Return up to `limit` lines with a number above `after`, oldest first."""
    query = select(AuditLine).where(AuditLine.number > after).order_by(AuditLine.number).limit(limit)
    return list(session.scalars(query))
