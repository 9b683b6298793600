"""Channels out of the house, and what waits to go over them: taken by one process at a time, sent again, given up."""

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import msgspec
from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from hanse.control.access.callers import Caller
from hanse.control.audit import service as audit
from hanse.control.notifications.kinds import Kind, Language
from hanse.control.notifications.tables import (
    Channel,
    ChannelKind,
    ChannelState,
    Delivery,
    DeliveryState,
    Secret,
    Security,
    Settings,
)
from hanse.control.secrets import seal, unseal
from hanse.core.faults import fault
from hanse.core.ids import new_id
from hanse.core.times import now

MOST_CHANNELS = 100
MOST_AT_ONCE = 100
ERROR_CHARACTERS = 300


class Terms(NamedTuple):
    """A channel as one asks for it: `url` is where a room is, `place` (`host:port`) where the mail server.

    An empty `url` or `secret` keeps the one before, as long as it goes to the same host and port.
    """

    name: str
    kinds: tuple[Kind, ...] = ()
    language: Language = "en"
    state: ChannelState = "on"
    url: str = ""
    place: str = ""
    secret: str = ""
    sender: str = ""
    username: str = ""
    security: Security = "starttls"
    authority: str = ""
    plain: bool = False


def list_channels(session: Session) -> list[Channel]:
    """Return all channels, by name."""
    return list(session.scalars(select(Channel).order_by(Channel.name)))


def find(session: Session, channel_id: str) -> Channel:
    """Return a channel. Raises `channel.unknown`."""
    found = session.get(Channel, channel_id)
    if found is None:
        raise fault("channel.unknown", f"no channel has the id {channel_id!r}")
    return found


def create(session: Session, caller: Caller, directory: Path, kind: ChannelKind, terms: Terms) -> Channel:
    """Make a channel. Raises `channel.name_taken`, `channel.invalid`, `secrets.key`."""
    if len(list_channels(session)) >= MOST_CHANNELS:
        raise fault("channel.invalid", f"there are {MOST_CHANNELS} channels")
    row = Channel(id=new_id("channel"), kind=kind, created_at=now())
    _fill(session, row, directory, terms, Secret())
    session.add(row)
    session.flush()
    audit.append(session, caller.id, "channel.create", row.id, name=row.name, kind=kind, place=row.settings.place)
    return row


def change(session: Session, caller: Caller, directory: Path, channel_id: str, terms: Terms) -> Channel:
    """Change a channel. Raises `channel.*`; `channel.secret_needed` where a kept secret would go to another place."""
    row = find(session, channel_id)
    session.refresh(row, with_for_update=True)
    _fill(session, row, directory, terms, secret_of(row, directory), moved_from=row.settings.place)
    session.flush()
    audit.append(session, caller.id, "channel.change", row.id, name=row.name, state=row.state, place=row.settings.place)
    return row


def remove(session: Session, caller: Caller, channel_id: str) -> None:
    """Remove a channel with all that waits for it and its log. Raises `channel.unknown`."""
    row = find(session, channel_id)
    session.execute(delete(Delivery).where(Delivery.channel == row.id))
    session.delete(row)
    session.flush()
    audit.append(session, caller.id, "channel.remove", row.id, name=row.name)


def secret_of(row: Channel, directory: Path) -> Secret:
    """Return what of a channel is sealed. Raises `secrets.*`."""
    return msgspec.json.decode(unseal(directory, row.sealed, _purpose(row)), type=Secret)


def note_test(session: Session, caller: Caller, channel_id: str, error: str) -> None:
    """Note that a channel was tried."""
    audit.append(session, caller.id, "channel.test", find(session, channel_id).id, error=error)


def list_deliveries(
    session: Session,
    channel_id: str,
    state: DeliveryState | None = None,
    *,
    after: int | None = None,
    limit: int = 100,
) -> list[Delivery]:
    """Return a page of what goes and went over a channel, newest first; `dead` is what was given up."""
    query = select(Delivery).where(Delivery.channel == find(session, channel_id).id)
    if state is not None:
        query = query.where(Delivery.state == state)
    if after is not None:
        query = query.where(Delivery.number < after)
    return list(session.scalars(query.order_by(Delivery.number.desc()).limit(limit)))


def revive(session: Session, caller: Caller, channel_id: str) -> int:
    """Try again what a channel gave up; return how much that is."""
    query = select(Delivery).where(Delivery.channel == find(session, channel_id).id, Delivery.state == "dead")
    found = list(session.scalars(query.with_for_update()))
    for one in found:
        one.state, one.tries, one.due_at, one.ended_at = "waiting", 0, now(), None
    audit.append(session, caller.id, "channel.retry", channel_id, count=len(found))
    return len(found)


def due(session: Session, moment: str) -> list[str]:
    """Return the channels that have something to send now."""
    query = select(Delivery.channel).join(Channel, Channel.id == Delivery.channel)
    query = query.where(Delivery.state == "waiting", Delivery.due_at <= moment, Channel.state == "on")
    return list(session.scalars(query.distinct()))


def claim(session: Session, channel_id: str, moment: str, until: str) -> list[Delivery]:
    """Take what is due over a channel: one by a webhook, all of one reader elsewhere; nobody else has it `until` then.

    Returns rows apart from the session, empty when nothing is due or another process has it.
    """
    channel = session.get(Channel, channel_id)
    if channel is None or channel.state != "on":
        return []
    query = select(Delivery).where(
        Delivery.channel == channel_id, Delivery.state == "waiting", Delivery.due_at <= moment
    )
    query = query.order_by(Delivery.number).with_for_update(skip_locked=True)
    first = session.scalar(query.limit(1))
    if first is None:
        return []
    found = [first]
    if channel.kind != "webhook":
        found = list(session.scalars(query.where(Delivery.reader == first.reader).limit(MOST_AT_ONCE)))
    for one in found:
        one.tries, one.due_at = one.tries + 1, until
    session.flush()
    return found


def settle(session: Session, taken: Iterable[Delivery], state: DeliveryState, error: str, due_at: str) -> None:
    """Note how an attempt has ended, unless it was taken over in the meantime."""
    ended = None if state == "waiting" else now()
    for one in taken:
        mine = (Delivery.number == one.number, Delivery.state == "waiting", Delivery.tries == one.tries)
        values = {"state": state, "error": error[:ERROR_CHARACTERS], "due_at": due_at, "ended_at": ended}
        session.execute(update(Delivery).where(*mine).values(**values))


def _fill(
    session: Session, row: Channel, directory: Path, terms: Terms, before: Secret, moved_from: str | None = None
) -> None:
    taken = select(Channel.id).where(Channel.name == terms.name, Channel.id != row.id)
    if session.scalar(taken) is not None:
        raise fault("channel.name_taken", f"a channel called {terms.name!r} exists")
    secret = Secret(terms.url or before.url, terms.secret or before.secret)
    place = _read_place(terms.place) if row.kind == "email" else read_url(secret.url)
    if moved_from not in (None, place) and before.secret and not terms.secret:
        raise fault("channel.secret_needed", f"the secret was given for {moved_from}, not for {place}")
    if row.kind == "email" and not terms.sender:
        raise fault("channel.invalid", "e-mail needs an address that it comes from")
    if row.kind == "webhook" and not secret.secret:
        raise fault("channel.invalid", "a webhook needs a key that its signatures are made with")
    row.name, row.kinds, row.language, row.state = terms.name, terms.kinds, terms.language, terms.state
    row.settings = Settings(place, terms.sender, terms.username, terms.security, terms.authority, terms.plain)
    row.sealed = seal(directory, msgspec.json.encode(secret), _purpose(row))


def read_url(url: str) -> str:
    """Return `host:port` of an address. Raises `channel.invalid` unless it is https without a name and password."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port or 443
    except ValueError:
        raise fault("channel.invalid", "the address cannot be read") from None
    printable = url.isascii() and url.isprintable() and " " not in url
    if parts.scheme != "https" or not host or parts.username is not None or parts.fragment or not printable:
        raise fault("channel.invalid", "the address has the form https://host/path")
    return _show(host, port)


def split_place(place: str) -> tuple[str, int]:
    """Return host and port of a `place`."""
    host, _, port = place.rpartition(":")
    return host.strip("[]"), int(port)


def _read_place(place: str) -> str:
    try:
        parts = urlsplit(f"//{place}")
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if not host or not port or not place.isascii() or place.lower() != _show(host, port):
        raise fault("channel.invalid", "the mail server has the form host:port")
    return _show(host, port)


def _show(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _purpose(row: Channel) -> str:
    return f"channel:{row.id}"
