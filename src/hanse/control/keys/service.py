"""Make, rotate, revoke and check access keys: `hanse_<id>_<secret>`, of which the secret is told once."""

import hmac
import ipaddress
import secrets
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import ColumnElement, select, true
from sqlalchemy.orm import Session

from hanse.control.access import pepper as peppers
from hanse.control.access.callers import Caller
from hanse.control.access.permissions import Permission, Permissions
from hanse.control.audit import service as audit
from hanse.control.keys.tables import AccessKey
from hanse.control.users import groups
from hanse.core.faults import fault
from hanse.core.ids import new_id
from hanse.core.times import format_time

PREFIX = "hanse_"
OVERLAP = timedelta(hours=24)
"""How long the secret before a rotation goes on working unless another time is asked for."""

USED_S = 60
"""How old `used_at` may be before a request writes it anew."""


class Made(NamedTuple):
    """A key with its text, which is told once."""

    row: AccessKey
    text: str


class Terms(NamedTuple):
    """What a key may do, where, how often, until when."""

    scopes: Permissions
    networks: tuple[str, ...] = ()
    per_minute: int = 600
    expires_at: str | None = None


def create(session: Session, caller: Caller, pepper: bytes, name: str, terms: Terms, at: datetime) -> Made:
    """Make a key of the caller. Raises `access.denied` for a scope beyond its own, `key.terms`."""
    if caller.kind == "local":
        raise fault("key.terms", "a key belongs to a user, and the holder of the token file is none", "log in first")
    if caller.kind == "key":
        raise fault("access.denied", "a key makes no keys")
    groups.demand_covers(caller, terms.scopes)
    row = AccessKey(
        id=new_id("key"),
        user=caller.person,
        name=name,
        scopes=dict(terms.scopes),
        networks=check_networks(terms.networks),
        per_minute=terms.per_minute,
        created_at=format_time(at),
        expires_at=terms.expires_at,
    )
    text = _renew(row, pepper)
    session.add(row)
    scopes = {permission.value: scope for permission, scope in terms.scopes.items()}
    audit.append(session, caller.id, "key.create", row.id, name=name, scopes=scopes, expires_at=terms.expires_at)
    return Made(row, text)


def rotate(session: Session, caller: Caller, pepper: bytes, key_id: str, overlap: timedelta, at: datetime) -> Made:
    """Give a key a new secret; the one before works for `overlap` more. A key may rotate itself."""
    row = find(session, caller, key_id)
    if row.revoked_at is not None:
        raise fault("key.terms", f"key {row.name} was revoked")
    if row.user != caller.person:
        raise fault("access.denied", "only its own user may rotate a key")
    row.previous, row.previous_until = row.digest, format_time(at + overlap)
    text = _renew(row, pepper)
    audit.append(session, caller.id, "key.rotate", row.id, overlap_s=int(overlap.total_seconds()))
    return Made(row, text)


def revoke(session: Session, caller: Caller, key_id: str, at: datetime) -> AccessKey:
    """End a key, from the next request on."""
    row = find(session, caller, key_id)
    if row.revoked_at is None:
        row.revoked_at = format_time(at)
        audit.append(session, caller.id, "key.revoke", row.id, name=row.name)
    return row


def find(session: Session, caller: Caller, key_id: str) -> AccessKey:
    """Return a key: one's own, or anybody's with `users.manage`. Raises `key.unknown`."""
    row = session.scalar(select(AccessKey).where(AccessKey.id == key_id, _mine(caller)))
    if row is None:
        raise fault("key.unknown", f"no key has the id {key_id!r}")
    return row


def list_keys(session: Session, caller: Caller, after: str = "", limit: int = 100) -> list[AccessKey]:
    """Return the keys that the caller may see, by id."""
    query = select(AccessKey).where(AccessKey.id > after, _mine(caller))
    return list(session.scalars(query.order_by(AccessKey.id).limit(limit)))


def recognise(session: Session, pepper: bytes, text: str, at: datetime) -> AccessKey | None:
    """Return the key of a text, if it is one that works now; where from is for the caller to ask."""
    key_id, _, secret = text.removeprefix(PREFIX).partition("_")
    row = session.get(AccessKey, key_id) if secret else None
    given, moment = peppers.digest(pepper, secret), format_time(at)
    if row is None or row.revoked_at is not None or (row.expires_at is not None and row.expires_at <= moment):
        return None
    if hmac.compare_digest(given, row.digest):
        return row
    overlapping = row.previous is not None and row.previous_until is not None and moment < row.previous_until
    return row if overlapping and hmac.compare_digest(given, row.previous or "") else None


def may_come_from(row: AccessKey, address: str) -> bool:
    """Say whether a key may be used from an address."""
    if not row.networks:
        return True
    try:
        source = ipaddress.ip_address(address)
    except ValueError:
        return False
    source = getattr(source, "ipv4_mapped", None) or source
    return any(source in ipaddress.ip_network(network) for network in row.networks)


def within(scopes: Permissions, given: Permissions) -> Permissions:
    """Return what a key may do now: of its scopes what its user has at this moment."""
    both = {permission: (scope, given[permission]) for permission, scope in scopes.items() if permission in given}
    return {permission: "own" if "own" in pair else "all" for permission, pair in both.items()}


def check_networks(networks: Iterable[str]) -> list[str]:
    """Return networks as they are written (`10.0.0.0/8`). Raises `key.terms`."""
    try:
        return [str(ipaddress.ip_network(network)) for network in networks]
    except ValueError as error:
        raise fault("key.terms", str(error), "write a network as 10.1.0.0/16 or one address") from error


def _renew(row: AccessKey, pepper: bytes) -> str:
    secret = secrets.token_hex(32)
    row.digest = peppers.digest(pepper, secret)
    return f"{PREFIX}{row.id}_{secret}"


def _mine(caller: Caller) -> ColumnElement[bool]:
    return true() if caller.scope(Permission.USERS_MANAGE) == "all" else AccessKey.user == caller.person
