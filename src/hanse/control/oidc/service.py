"""Providers and links: which providers are trusted, and which of their people is which user here.

A person is known by issuer and subject and by nothing else: an e-mail address or a name proves nothing.
"""

import hashlib
import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from hanse.control import secrets
from hanse.control.access.callers import Caller
from hanse.control.audit import service as audit
from hanse.control.oidc.dialling import is_sound
from hanse.control.oidc.tables import Admits, Provider, ProviderSession, SignIn
from hanse.control.oidc.tokens import Claims
from hanse.control.sessions import service as sessions
from hanse.control.users import groups
from hanse.control.users import service as users
from hanse.control.users.tables import Link, User
from hanse.core.faults import fault
from hanse.core.times import format_time

NAME = re.compile(r"[^a-z0-9._@-]+")
EMAIL = re.compile(r"[^@\s]{1,64}@[^@\s]{1,189}")


class Terms(msgspec.Struct, frozen=True):
    """How a provider is called and what its people become. `secret` None keeps the one before."""

    title: str
    client: str
    secret: str | None
    scopes: tuple[str, ...]
    admits: Admits
    group_claim: str
    group_map: Mapping[str, str]
    default_groups: tuple[str, ...]


def list_providers(session: Session) -> list[Provider]:
    return list(session.scalars(select(Provider).order_by(Provider.name)))


def find(session: Session, name: str) -> Provider:
    """Return a provider. Raises `oidc.unknown`."""
    provider = session.get(Provider, name)
    if provider is None:
        raise fault("oidc.unknown", f"no provider is called {name!r}")
    return provider


def create(
    session: Session, caller: Caller, directory: Path, name: str, issuer: str, terms: Terms, at: datetime
) -> Provider:
    """Trust a provider. Raises `oidc.name_taken`, or `access.denied` for groups that the caller may not give."""
    if not is_sound(issuer):
        raise fault("oidc.issuer", f"{issuer[:200]!r} is no https address")
    taken = select(Provider).where((Provider.name == name) | (Provider.issuer == issuer))
    if session.scalar(taken.limit(1)) is not None:
        raise fault("oidc.name_taken", f"a provider called {name!r}, or of this issuer, exists")
    provider = Provider(name=name, issuer=issuer, secret="", created_at=format_time(at))
    _put(session, caller, directory, provider, terms)
    session.add(provider)
    session.flush()
    audit.append(session, caller.id, "provider.create", name, issuer=issuer, **_say(provider))
    return provider


def change(session: Session, caller: Caller, directory: Path, name: str, terms: Terms) -> Provider:
    """Give a provider other terms; its issuer stays, because links stand on it."""
    provider = find(session, name)
    _demand_covers(session, caller, _groups_of(provider))
    _put(session, caller, directory, provider, terms)
    session.flush()
    audit.append(session, caller.id, "provider.change", name, **_say(provider))
    return provider


def remove(session: Session, caller: Caller, name: str) -> None:
    """Trust a provider no longer: the sessions that it opened end, and links to its people go."""
    provider = find(session, name)
    _demand_covers(session, caller, _groups_of(provider))
    for user in session.scalars(select(Link.user).where(Link.issuer == provider.issuer)).all():
        sessions.end_all(session, user)
    session.execute(delete(ProviderSession).where(ProviderSession.provider == name))
    session.execute(delete(SignIn).where(SignIn.provider == name))
    session.execute(delete(Link).where(Link.issuer == provider.issuer))
    session.delete(provider)
    audit.append(session, caller.id, "provider.remove", name, issuer=provider.issuer)


def links_of(session: Session, user: User) -> list[tuple[Link, str]]:
    """Return a user's links, each with its provider's name."""
    query = select(Link, Provider.name).join(Provider, Provider.issuer == Link.issuer)
    return [(row[0], row[1]) for row in session.execute(query.where(Link.user == user.id).order_by(Provider.name))]


def link(session: Session, caller: Caller, user: User, name: str, subject: str) -> Link:
    """Say that a person of a provider is this user. Raises `oidc.linked` when it is somebody already."""
    users.demand_above(session, caller, user)
    issuer = find(session, name).issuer
    if session.get(Link, (issuer, subject)) is not None:
        raise fault("oidc.linked", "this person of the provider is linked to a user")
    row = Link(issuer=issuer, subject=subject, user=user.id)
    session.add(row)
    session.flush()
    audit.append(session, caller.id, "user.link", user.id, provider=name, person=subject)
    return row


def unlink(session: Session, caller: Caller, user: User, name: str, subject: str) -> None:
    """Part a user from a person of a provider; its sessions end. Raises `oidc.unknown`."""
    users.demand_above(session, caller, user)
    row = session.get(Link, (find(session, name).issuer, subject))
    if row is None or row.user != user.id:
        raise fault("oidc.unknown", f"{user.name} is not linked to this person of {name!r}")
    session.delete(row)
    sessions.end_all(session, user.id)
    audit.append(session, caller.id, "user.unlink", user.id, provider=name, person=subject)


def recognise(session: Session, provider: Provider, claims: Claims, at: datetime) -> User:
    """Return the user whom a token is about, in the groups that it maps to; newcomers as the provider's terms say.

    Raises `oidc.unlinked` and, for a disabled user, `oidc.refused`.
    """
    mapped = map_groups(provider, claims.rest)
    row = session.get(Link, (provider.issuer, claims.subject))
    if row is None:
        return _admit(session, provider, claims, mapped, at)
    user = session.get_one(User, row.user)
    if user.state != "active":
        raise fault("oidc.refused", "the account is disabled")
    _regroup(session, provider, user, mapped)
    return user


def map_groups(provider: Provider, claims: Mapping[str, Any]) -> frozenset[str]:
    """Return the groups that the claim of a provider maps to."""
    said = claims.get(provider.group_claim) if provider.group_claim else None
    values = [said] if isinstance(said, str) else said if isinstance(said, list) else []
    return frozenset(provider.group_map[value] for value in values if value in provider.group_map)


def _admit(session: Session, provider: Provider, claims: Claims, mapped: frozenset[str], at: datetime) -> User:
    if provider.admits == "linked" or (provider.admits == "mapped" and not mapped):
        raise fault("oidc.unlinked", f"{provider.name} knows this person as {claims.subject!r}; no user here does")
    name = _free_name(session, claims)
    email = claims.rest.get("email") if claims.rest.get("email_verified") is True else None
    known = email if isinstance(email, str) and len(email) <= 254 and EMAIL.fullmatch(email) else ""
    given = sorted(mapped | set(provider.default_groups))
    user = users.add(session, name, known, given, at)
    session.add(Link(issuer=provider.issuer, subject=claims.subject, user=user.id))
    session.flush()
    audit.append(session, user.id, "user.create", user.id, name=name, groups=given, provider=provider.name)
    return user


def _free_name(session: Session, claims: Claims) -> str:
    """Return a name that nobody has: the preferred one, with a part of the subject's hash where it is taken."""
    wished = claims.rest.get("preferred_username")
    name = NAME.sub("-", str(wished).lower()).strip("-._@")[:40] if isinstance(wished, str) else ""
    mark = hashlib.sha256(f"{claims.issuer}\n{claims.subject}".encode()).hexdigest()[:12]
    taken = not name or session.scalar(select(User).where(User.name == name)) is not None
    return f"{name or 'user'}-{mark}" if taken else name


def _regroup(session: Session, provider: Provider, user: User, mapped: frozenset[str]) -> None:
    """Make a user's groups, of those that the provider's map speaks of, what its claim says now."""
    if not provider.group_claim:
        return
    before = {group.name for group in groups.groups_of(session, user.id)}
    after = (before - set(provider.group_map.values())) | mapped
    if after == before:
        return
    had = groups.has_administrator(session)
    groups.set_groups(session, user.id, after)
    groups.demand_administrator(session, had)
    sessions.end_all(session, user.id)
    audit.append(session, user.id, "user.groups", user.id, groups=sorted(after), provider=provider.name)


def _put(session: Session, caller: Caller, directory: Path, provider: Provider, terms: Terms) -> None:
    _demand_covers(session, caller, {*terms.group_map.values(), *terms.default_groups})
    provider.title, provider.client, provider.admits = terms.title, terms.client, terms.admits
    provider.scopes = sorted({"openid", *terms.scopes})
    provider.group_claim, provider.group_map = terms.group_claim, dict(terms.group_map)
    provider.default_groups = list(terms.default_groups)
    if terms.secret is not None:
        sealed = secrets.seal(directory, terms.secret.encode(), purpose(provider)) if terms.secret else ""
        provider.secret = sealed


def purpose(provider: Provider) -> str:
    """Return what a provider's sealed things are bound to."""
    return f"oidc:{provider.issuer}"


def _groups_of(provider: Provider) -> set[str]:
    return {*provider.group_map.values(), *provider.default_groups}


def _demand_covers(session: Session, caller: Caller, names: Iterable[str]) -> None:
    for name in sorted(names):
        groups.demand_covers(caller, groups.find(session, name).permissions)


def _say(provider: Provider) -> dict[str, Any]:
    return {"admits": provider.admits, "group_map": provider.group_map, "default_groups": provider.default_groups}
