"""Open, find, list and end sessions. A session ends when it is idle too long, and at the latest after a day's work."""

import hashlib
import secrets
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from hanse.control.access.callers import Caller
from hanse.control.access.permissions import Permission
from hanse.control.audit import service as audit
from hanse.control.sessions.tables import UserSession
from hanse.core.faults import fault
from hanse.core.ids import new_id
from hanse.core.times import format_time, parse_time

SEEN_S = 60
"""How old `seen_at` may be before a request writes it anew."""


class Span(NamedTuple):
    """How long sessions live: between two requests, and at most."""

    idle: timedelta = timedelta(hours=2)
    most: timedelta = timedelta(hours=12)


class Opened(NamedTuple):
    """A new session with its token, which is told once."""

    row: UserSession
    token: str


def begin(session: Session, user: str, address: str, agent: str, at: datetime, span: Span) -> Opened:
    """Open a session with a fresh token of 256 bits."""
    token = secrets.token_urlsafe(32)
    row = UserSession(
        id=new_id("session"),
        digest=digest(token),
        user=user,
        address=address[:64],
        agent=agent[:200],
        created_at=format_time(at),
        seen_at=format_time(at),
        ends_at=format_time(at + span.most),
    )
    session.add(row)
    return Opened(row, token)


def is_live(row: UserSession, at: datetime, span: Span) -> bool:
    return format_time(at) < row.ends_at and at - parse_time(row.seen_at) < span.idle


def rotate(session: Session, row: UserSession) -> str:
    """Give a session a new token, because what it may do has changed; the old one works no longer."""
    token = secrets.token_urlsafe(32)
    row.digest = digest(token)
    session.flush()
    return token


def list_sessions(
    session: Session, user: str | None, at: datetime, span: Span, after: str = "", limit: int = 100
) -> list[UserSession]:
    """Return the live sessions of a user, or of all (None), by id."""
    query = select(UserSession).where(UserSession.ends_at > format_time(at), UserSession.id > after)
    query = query.where(UserSession.seen_at > format_time(at - span.idle))
    query = query if user is None else query.where(UserSession.user == user)
    return list(session.scalars(query.order_by(UserSession.id).limit(limit)))


def end(session: Session, caller: Caller, session_id: str) -> None:
    """End a session: one's own, or anybody's with `users.manage`. Raises `session.unknown`."""
    row = session.get(UserSession, session_id)
    if row is None or (row.user != caller.person and not caller.may(Permission.USERS_MANAGE)):
        raise fault("session.unknown", f"no session has the id {session_id!r}")
    session.delete(row)
    audit.append(session, caller.id, "session.end", session_id, user=row.user)


def end_all(session: Session, user: str, but: str = "") -> None:
    """End a user's sessions, one excepted, without a line of audit: part of what makes them end."""
    session.execute(delete(UserSession).where(UserSession.user == user, UserSession.id != but))


def digest(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def anti_forgery(token: str) -> str:
    """Return what a page must send beside the cookie: it follows from the token and does not show it."""
    return hashlib.blake2b(token.encode("utf-8", "surrogatepass"), digest_size=24, person=b"hanse csrf 1").hexdigest()
