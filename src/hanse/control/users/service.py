"""Accounts: make, show, change, disable them. What proves that somebody is the user is in `logins`."""

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from hanse.control.access.callers import Caller
from hanse.control.access.permissions import Permission
from hanse.control.audit import service as audit
from hanse.control.sessions import service as sessions
from hanse.control.users import failures, groups, tickets
from hanse.control.users.tables import RecoveryCode, User
from hanse.core.faults import fault
from hanse.core.ids import new_id
from hanse.core.times import format_time


def list_users(session: Session, after: str = "", limit: int = 100) -> list[User]:
    """Return up to `limit` users whose names come after one, by name."""
    return list(session.scalars(select(User).where(User.name > after).order_by(User.name).limit(limit)))


def find(session: Session, name: str) -> User:
    """Return a user by id or name. Raises `user.unknown`."""
    user = session.get(User, name) or session.scalar(select(User).where(User.name == name))
    if user is None:
        raise fault("user.unknown", f"no user has the name or id {name!r}")
    return user


def find_visible(session: Session, caller: Caller, name: str) -> User:
    """Return a user that the caller may see: itself, or anybody with `users.read`. Raises `user.unknown`."""
    user = find(session, name)
    if user.id != caller.person and not caller.may(Permission.USERS_READ):
        raise fault("user.unknown", f"no user has the name or id {name!r}")
    return user


def create(
    session: Session, caller: Caller, name: str, email: str, group_names: Iterable[str], at: datetime
) -> tuple[User, str]:
    """Make a user; return it with the code of the link where it chooses its password. Raises `user.name_taken`."""
    names = sorted(set(group_names))
    for group in names:
        groups.demand_covers(caller, groups.find(session, group).permissions)
    user = add(session, name, email, names, at)
    audit.append(session, caller.id, "user.create", user.id, name=name, groups=names)
    return user, tickets.issue(session, "password", user.id, at)


def add(session: Session, name: str, email: str, group_names: Iterable[str], at: datetime) -> User:
    """Write a user's row and its groups, without a line of audit: part of what makes users."""
    if session.scalar(select(User).where(User.name == name)) is not None:
        raise fault("user.name_taken", f"a user called {name!r} exists")
    user = User(
        id=new_id("user"),
        name=name,
        email=email,
        state="active",
        must_change=False,
        totp_step=0,
        created_at=format_time(at),
    )
    session.add(user)
    session.flush()
    groups.set_groups(session, user.id, group_names)
    return user


def issue_setup(session: Session, caller: Caller, at: datetime) -> str:
    """Return the code of a new set-up link."""
    audit.append(session, caller.id, "setup.link", "setup")
    return tickets.issue(session, "setup", None, at)


def set_up(session: Session, code: str, name: str, email: str, phc: str, at: datetime) -> User:
    """Make the first administrator with the set-up link and the hash of its password. Raises `ticket.refused`."""
    tickets.use(session, "setup", code, at)
    if groups.has_administrator(session):
        raise fault("ticket.refused", "this node has an administrator")
    groups.plant(session)
    user = add(session, name, email, [groups.ADMINISTRATOR], at)
    user.password = phc
    audit.append(session, user.id, "user.set_up", user.id, name=name)
    return user


def change(
    session: Session, caller: Caller, user: User, *, email: str | None = None, must_change: bool | None = None
) -> User:
    """Change an account: its address, or that its password has to be changed at the next login."""
    demand_above(session, caller, user)
    user.email = user.email if email is None else email
    user.must_change = user.must_change if must_change is None else must_change
    audit.append(session, caller.id, "user.change", user.id, email=user.email, must_change=user.must_change)
    return user


def disable(session: Session, caller: Caller, user: User) -> User:
    """Shut an account: its sessions end, and its keys are refused, from the next request on."""
    demand_above(session, caller, user)
    if user.state == "active":
        had = groups.has_administrator(session)
        user.state = "disabled"
        session.flush()
        groups.demand_administrator(session, had)
        sessions.end_all(session, user.id)
        audit.append(session, caller.id, "user.disable", user.id, name=user.name)
    return user


def enable(session: Session, caller: Caller, user: User) -> User:
    """Open an account again; its keys work again, it logs in anew."""
    demand_above(session, caller, user)
    if user.state == "disabled":
        user.state = "active"
        audit.append(session, caller.id, "user.enable", user.id, name=user.name)
    return user


def unlock(session: Session, caller: Caller, user: User) -> User:
    """Forget a name's failed logins, so that it need not wait."""
    failures.forget(session, "name", user.name)
    audit.append(session, caller.id, "user.unlock", user.id, name=user.name)
    return user


def reset(session: Session, caller: Caller, user: User, at: datetime, *, totp: bool = False) -> str:
    """Return the code of a link where the user chooses a new password; with `totp` the authenticator goes, too.

    Nobody chooses a password for somebody else. The old one works until the link is used; sessions end now.
    """
    demand_above(session, caller, user)
    if totp:
        forget_totp(session, user)
    sessions.end_all(session, user.id)
    audit.append(session, caller.id, "user.reset", user.id, name=user.name, totp=totp)
    return tickets.issue(session, "password", user.id, at)


def demand_self(session: Session, caller: Caller) -> User:
    """Return the user that calls for itself. Raises `access.denied` for keys and for the token file's holder."""
    if caller.kind != "user":
        raise fault("access.denied", f"{caller.name} has no account of its own")
    return find(session, caller.id)


def demand_above(session: Session, caller: Caller, user: User) -> None:
    """Raise `access.denied` unless the caller may do all that the user may: else it could take that over."""
    if user.id != caller.person:
        groups.demand_covers(caller, groups.permissions_of(session, user.id))


def forget_totp(session: Session, user: User) -> None:
    """Take the authenticator and its recovery codes away."""
    user.totp = user.totp_since = None
    session.execute(delete(RecoveryCode).where(RecoveryCode.user == user.id))
