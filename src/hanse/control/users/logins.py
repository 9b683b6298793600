"""Prove that somebody is a user, and open a session: password, then authenticator where there is one.

The slow hash is computed between two transactions, so that nobody waits for it: `begin` counts the attempt as failed,
`finish` writes how it ended.
"""

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from hanse.control.access.callers import Caller
from hanse.control.audit import service as audit
from hanse.control.database import Database
from hanse.control.sessions import service as sessions
from hanse.control.sessions.service import Opened, Span
from hanse.control.sessions.tables import UserSession
from hanse.control.users import failures, passwords, service, tickets, totp
from hanse.control.users.tables import User
from hanse.core.faults import Fault, HanseError, fault
from hanse.core.times import format_time


class Attempt(NamedTuple):
    """What somebody says who wants in, and from where."""

    name: str
    password: str
    code: str
    address: str
    agent: str

    @property
    def subjects(self) -> dict[str, str]:
        return {"name": self.name, "address": self.address}


def log_in(database: Database, pepper: bytes, attempt: Attempt, at: datetime, span: Span) -> tuple[User, Opened]:
    """Return the user and its new session. Raises `login.refused`, `login.code` or `login.wait`; blocks for 0.1 s."""
    with database.write() as session:
        failures.count(session, attempt.subjects, at)
        user = _named(session, attempt.name)
    right = passwords.is_right(attempt.password, None if user is None else user.password)
    with database.write() as session:
        outcome = _finish(session, pepper, attempt, user.id if user is not None and right else None, at, span)
    if isinstance(outcome, Fault):
        raise HanseError(outcome)
    return outcome


def _finish(
    session: Session, pepper: bytes, attempt: Attempt, user_id: str | None, at: datetime, span: Span
) -> tuple[User, Opened] | Fault:
    user = None if user_id is None else session.get(User, user_id, with_for_update=True)
    if user is None or user.state != "active":
        return _refuse(session, attempt, "password")
    if user.totp_since is not None:
        if not attempt.code:
            failures.take_back(session, attempt.subjects)
            return Fault("login.code", cause="this account has an authenticator")
        if not totp.is_right(session, pepper, user, attempt.code, at):
            return _refuse(session, attempt, "code")
    failures.forget(session, "name", attempt.name)
    failures.take_back(session, {"address": attempt.address})
    return user, admit(session, user, "password", attempt.address, attempt.agent, at, span)


def admit(session: Session, user: User, how: str, address: str, agent: str, at: datetime, span: Span) -> Opened:
    """Open a session for a user who has proved to be it."""
    user.login_at = format_time(at)
    opened = sessions.begin(session, user.id, address, agent, at, span)
    audit.append(session, user.id, "session.begin", opened.row.id, how=how, address=address)
    return opened


def choose_password(database: Database, code: str, password: str, at: datetime) -> User:
    """Set the password of whoever has a one-time link. Raises `ticket.refused`, `password.weak`."""
    passwords.demand_good(password)
    phc = passwords.hash_password(password)
    with database.write() as session:
        ticket = tickets.use(session, "password", code, at)
        user = service.find(session, ticket.user or "")
        passwords.demand_good(password, user.name, user.email)
        _set(session, user, phc)
        failures.forget(session, "name", user.name)
        sessions.end_all(session, user.id)
        audit.append(session, user.id, "user.password", user.id, how="link")
    return user


def change_password(
    database: Database, caller: Caller, session_id: str, old: str, password: str, address: str, at: datetime
) -> str | None:
    """Change one's own password; other sessions end, and this one's new token is returned.

    Raises `login.refused` when the old one is wrong (which counts as a failed login), `password.weak`.
    """
    user = prove(database, caller, old, address, at)
    passwords.demand_good(password, user.name, user.email)
    phc = passwords.hash_password(password)
    with database.write() as session:
        user = service.find(session, caller.id)
        _set(session, user, phc)
        sessions.end_all(session, user.id, but=session_id)
        audit.append(session, caller.id, "user.password", user.id, how="old password")
        return renew(session, session_id)


def prove(database: Database, caller: Caller, password: str, address: str, at: datetime) -> User:
    """Return the user who calls and says its password once more. Raises `login.refused`, counted like a login."""
    with database.write() as session:
        user = service.demand_self(session, caller)
        failures.count(session, {"name": user.name, "address": address}, at)
    if not passwords.is_right(password, user.password):
        raise fault("login.refused", "the password is wrong")
    with database.write() as session:
        failures.forget(session, "name", user.name)
        failures.take_back(session, {"address": address})
    return user


def renew(session: Session, session_id: str) -> str | None:
    """Give the session that asks a new token."""
    row = session.get(UserSession, session_id)
    return None if row is None else sessions.rotate(session, row)


def _set(session: Session, user: User, phc: str) -> None:
    user.password, user.must_change = phc, False
    session.flush()


def _named(session: Session, name: str) -> User | None:
    return session.scalar(select(User).where(User.name == name))


def _refuse(session: Session, attempt: Attempt, what: str) -> Fault:
    refused, details = "login.refused", {"what": what, "address": attempt.address}
    audit.refuse(session, attempt.name, "session.refused", attempt.name, refused, **details)
    return Fault(refused, cause="the name, the password or the code is wrong")
