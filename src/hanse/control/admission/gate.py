"""From what a request carries to its caller: an access key, or the token of a session."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import structlog
from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from hanse.control.access.callers import Caller
from hanse.control.access.pepper import load_pepper
from hanse.control.audit import service as audit
from hanse.control.database import Database
from hanse.control.keys import service as keys
from hanse.control.keys.rates import Rates
from hanse.control.keys.tables import AccessKey
from hanse.control.sessions import service as sessions
from hanse.control.sessions.service import Span
from hanse.control.sessions.tables import UserSession
from hanse.control.users import groups
from hanse.control.users.tables import User
from hanse.core.faults import HanseError, fault
from hanse.core.throttle import Throttle
from hanse.core.times import format_time, parse_time

DENIED = "access.denied"

log = structlog.get_logger("hanse.api")

Clock = Callable[[], datetime]

_HOLDER = (
    select(UserSession, User).join(User, User.id == UserSession.user).where(UserSession.digest == bindparam("digest"))
)  # asked at every request of a browser: built once


def utc() -> datetime:
    return datetime.now(UTC)


class Admission(NamedTuple):
    """Who was let in. `session` is the id of its session, `must_change` whether it may only choose a new password."""

    caller: Caller
    session: str = ""
    must_change: bool = False


class Gate:
    """Looks at keys and sessions of one node. Nothing is remembered between requests but rates: what is ended, ends."""

    def __init__(self, database: Database, directory: Path, span: Span | None = None, clock: Clock = utc) -> None:
        self.database = database
        self.directory = directory
        self.span = span or Span()
        self.clock = clock
        self.pepper = load_pepper(directory)
        self._rates = Rates()
        self._refused = Throttle(burst=10, each_second=1 / 60)

    def by_key(self, text: str, address: str) -> Admission:
        """Return the caller of a key. Raises `key.refused`, `key.address`, or Waits with `key.rate`."""
        at = self.clock()
        with self.database.read() as session:
            row = keys.recognise(session, self.pepper, text, at)
            user = None if row is None else session.get(User, row.user)
            if row is None or user is None or user.state != "active":
                raise fault("key.refused", "the key is unknown, revoked or expired, or its user is disabled")
            if not keys.may_come_from(row, address):
                raise fault("key.address", f"key {row.name} may not be used from {address}")
            given = keys.within(row.scopes, groups.permissions_of(session, user.id))
            caller = Caller(
                row.id, f"{user.name}/{row.name}", "key", given, groups.projects_of(session, user.id), user.id
            )
        self._rates.take(row.id, row.per_minute)
        self._note_use(row, at)
        return Admission(caller)

    def by_session(self, token: str) -> Admission | None:
        """Return the caller of a live session."""
        at = self.clock()
        with self.database.read() as session:
            found = session.execute(_HOLDER, {"digest": sessions.digest(token)}).one_or_none()
            if found is None:
                return None
            row, user = found
            if user.state != "active" or not sessions.is_live(row, at, self.span):
                return None
            caller = caller_of(session, user)
        self._note_sight(row, at)
        return Admission(caller, row.id, user.must_change)

    def note_refusal(self, address: str, code: str, **more: str) -> None:
        """Write that somebody was not let in: a few times at once for each address, then once a minute."""
        since = self._refused.admit(address)
        if since is not None:
            with self.database.write() as session:
                details = {"code": code, "unwritten": since, **more}
                audit.refuse(session, "nobody", "access.refused", address, code, **details)

    def note_denial(self, caller: Caller, operation: str) -> None:
        """Write that a caller wanted what it may not do: a few times at once for each person, then once a minute.

        What was refused stays refused when this cannot be written.
        """
        since = self._refused.admit(caller.person)
        if since is None:
            return
        try:
            with self.database.write() as session:
                audit.refuse(session, caller.id, DENIED, operation, DENIED, unwritten=since)
        except HanseError as error:
            log.error("audit.unwritten", caller=caller.id, operation=operation, code=error.fault.code)

    def _note_use(self, row: AccessKey, at: datetime) -> None:
        if row.used_at is None or (at - parse_time(row.used_at)).total_seconds() >= keys.USED_S:
            with self.database.write() as session:
                session.get_one(AccessKey, row.id).used_at = format_time(at)

    def _note_sight(self, row: UserSession, at: datetime) -> None:
        if (at - parse_time(row.seen_at)).total_seconds() >= sessions.SEEN_S:
            with self.database.write() as session:
                seen = session.get(UserSession, row.id)
                if seen is not None:
                    seen.seen_at = format_time(at)


def caller_of(session: Session, user: User) -> Caller:
    """Return the caller that a user is by itself, with what its groups and projects give it now."""
    given, projects = groups.permissions_of(session, user.id), groups.projects_of(session, user.id)
    return Caller(user.id, user.name, "user", given, projects)
