"""One-time links: each works once, for 24 hours, and only its hash is kept."""

import hashlib
import os
import secrets
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from hanse.control.users.tables import Ticket, TicketKind
from hanse.core.faults import fault
from hanse.core.times import format_time

VALID = timedelta(hours=24)
SETUP_FILE = "setup-link"


def issue(session: Session, kind: TicketKind, user: str | None, at: datetime) -> str:
    """Return a new code; those of the same kind and user before it work no longer."""
    stale = update(Ticket).where(Ticket.kind == kind, Ticket.user.is_(None) if user is None else Ticket.user == user)
    session.execute(stale.where(Ticket.used_at.is_(None)).values(used_at=format_time(at)))
    code = secrets.token_urlsafe(32)
    row = Ticket(
        digest=_digest(code), kind=kind, user=user, created_at=format_time(at), expires_at=format_time(at + VALID)
    )
    session.add(row)
    return code


def use(session: Session, kind: TicketKind, code: str, at: datetime) -> Ticket:
    """Take a code, so that it works no more. Raises `ticket.refused` for one that is wrong, used or expired."""
    row = session.get(Ticket, _digest(code), with_for_update=True)
    if row is None or row.kind != kind or row.used_at is not None or row.expires_at <= format_time(at):
        raise fault("ticket.refused", "the one-time code is unknown, was used, or is older than 24 hours")
    row.used_at = format_time(at)
    return row


def was_issued(session: Session, kind: TicketKind) -> bool:
    """Say whether there ever was a link of a kind."""
    return session.scalar(select(Ticket.digest).where(Ticket.kind == kind).limit(1)) is not None


def write_setup_file(directory: Path, link: str) -> Path:
    """Keep the set-up link where only the user who runs the node can read it."""
    path = directory / SETUP_FILE
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(link + "\n")
    return path


def _digest(code: str) -> str:
    return hashlib.sha256(code.encode("utf-8", "surrogatepass")).hexdigest()
