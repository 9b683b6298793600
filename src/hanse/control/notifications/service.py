"""Tell people what happens, in the transaction of the event; list it, mark it read, choose what to hear of."""

from collections.abc import Collection, Iterable
from typing import NamedTuple

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from hanse.control.access.callers import Caller
from hanse.control.access.permissions import Permission
from hanse.control.audit import service as audit
from hanse.control.notifications import readers
from hanse.control.notifications.kinds import CATALOGUE, KINDS, Kind, Language, word
from hanse.control.notifications.tables import (
    Channel,
    ChannelKind,
    Delivery,
    Medium,
    Notification,
    ReaderLanguage,
    Subscription,
    Words,
)
from hanse.core.times import later, now
from hanse.core.words import flatten

WORD_CHARACTERS = 200
KEEP_S = 90 * 86_400.0
"""How long notifications are kept, read or not, and what was delivered of them."""

GATHER_S: dict[ChannelKind, float] = {"email": 30.0, "dingtalk": 5.0, "wecom": 5.0, "feishu": 5.0, "webhook": 0.0}
"""How long more is waited for, so that what comes together is one message."""


class Wish(NamedTuple):
    """Whether a reader hears of a kind in the node and by e-mail."""

    kind: Kind
    app: bool
    email: bool


def tell(
    session: Session,
    kind: Kind,
    *,
    to: Permission | Iterable[str],
    link: str = "",
    project: str = "",
    but: Collection[str] = (),
    words: Words,
) -> set[str]:
    """Tell persons of an event, and the channels that hear of its kind; return who was told in the node.

    `to` names persons, or the permission (reaching `project`, when one is given) whose holders are told; never those
    in `but`. `link` is a path of the console: what was told of the same under the same link and not read yet goes.
    `words` fill in the kind's body, cut to 200 characters each. Raises KeyError when one is missing.
    """
    said = {name: flatten(text[:WORD_CHARACTERS]) for name, text in words.items()}
    word(kind, said, "en")
    found = readers.holders(session, to, project) if isinstance(to, Permission) else readers.active(session, to)
    people = found - set(but)
    told = people - _against(session, kind, "app", people)
    same = (Notification.kind == kind, Notification.link == link, Notification.link != "")
    session.execute(delete(Notification).where(*same, Notification.reader.in_(told), Notification.read_at.is_(None)))
    moment = now()
    session.add_all(Notification(reader=one, kind=kind, words=said, link=link, at=moment) for one in sorted(told))
    _send(session, kind, said, link, moment, people)
    session.flush()
    return told


def was_told(session: Session, kind: Kind, link: str) -> bool:
    """Say whether anybody was told of this before, here or beyond, as far back as notifications are kept."""
    here = select(Notification.number).where(Notification.link == link, Notification.kind == kind)
    beyond = select(Delivery.number).where(Delivery.link == link, Delivery.kind == kind)
    return any(session.scalar(query.limit(1)) is not None for query in (here, beyond))


def list_notifications(
    session: Session, caller: Caller, *, unread: bool = False, after: int | None = None, limit: int = 100
) -> list[Notification]:
    """Return a page of what the caller was told, newest first; `after` is the number of the last one before it."""
    query = select(Notification).where(Notification.reader == caller.person, Notification.kind.in_(_readable(caller)))
    if unread:
        query = query.where(Notification.read_at.is_(None))
    if after is not None:
        query = query.where(Notification.number < after)
    return list(session.scalars(query.order_by(Notification.number.desc()).limit(limit)))


def count_unread(session: Session, caller: Caller) -> int:
    """Return how much the caller has not read."""
    query = select(func.count()).where(Notification.reader == caller.person, Notification.read_at.is_(None))
    return session.scalar(query.where(Notification.kind.in_(_readable(caller)))) or 0


def mark_read(session: Session, caller: Caller, numbers: Collection[int] = ()) -> int:
    """Mark these of the caller's notifications read, all when none is named; return how many were not yet."""
    query = select(Notification.number).where(Notification.reader == caller.person, Notification.read_at.is_(None))
    query = query.where(Notification.kind.in_(_readable(caller)))
    if numbers:
        query = query.where(Notification.number.in_(numbers))
    found = list(session.scalars(query))
    session.execute(update(Notification).where(Notification.number.in_(query)).values(read_at=now()))
    if found:
        audit.append(session, caller.id, "notification.read", caller.person, count=len(found))
    return len(found)


def wishes_of(session: Session, reader: str) -> list[Wish]:
    """Return what a reader hears of, kind by kind."""
    query = select(Subscription).where(Subscription.reader == reader)
    chosen = {(row.kind, row.medium): row.wanted for row in session.scalars(query)}
    return [
        Wish(kind, chosen.get((kind, "app"), True), chosen.get((kind, "email"), CATALOGUE[kind].mailed))
        for kind in KINDS
    ]


def language_of(session: Session, reader: str) -> Language:
    """Return the language in which a reader is written to."""
    chosen = session.get(ReaderLanguage, reader)
    return "en" if chosen is None else chosen.language


def subscribe(session: Session, caller: Caller, wishes: Iterable[Wish], language: Language | None = None) -> None:
    """Choose what the caller hears of, and in which language it is written to."""
    changed = {wish.kind: wish for wish in wishes}
    for wish in changed.values():
        for medium, wanted in (("app", wish.app), ("email", wish.email)):
            session.merge(Subscription(reader=caller.person, kind=wish.kind, medium=medium, wanted=wanted))
    if language is not None:
        session.merge(ReaderLanguage(reader=caller.person, language=language))
    session.flush()
    told = {kind: [wish.app, wish.email] for kind, wish in changed.items()}
    audit.append(session, caller.id, "notification.subscribe", caller.person, wishes=told, language=language)


def sweep(session: Session) -> None:
    """Drop what is older than KEEP_S."""
    oldest = later(-KEEP_S)
    session.execute(delete(Notification).where(Notification.at < oldest))
    session.execute(delete(Delivery).where(Delivery.state != "waiting", Delivery.at < oldest))


def _readable(caller: Caller) -> list[Kind]:
    """A person reads what it was told; a key only what its scopes let it read anyway."""
    return [kind for kind in KINDS if caller.kind != "key" or caller.may(CATALOGUE[kind].reads)]


def _send(session: Session, kind: Kind, words: Words, link: str, moment: str, people: set[str]) -> None:
    """Leave one delivery for each room that hears of the kind, and for each person that is told by e-mail."""
    channels = list(session.scalars(select(Channel).where(Channel.state == "on").order_by(Channel.created_at)))
    mail = next((channel for channel in channels if channel.kind == "email"), None)
    ways = [(one, "") for one in channels if one.kind != "email" and (not one.kinds or kind in one.kinds)]
    if mail is not None:
        wanting = _mailed(session, kind, people)
        ways += [(mail, reader) for reader in sorted(readers.addresses(session, wanting))]
    session.add_all(
        Delivery(
            channel=channel.id,
            reader=reader,
            kind=kind,
            words=words,
            link=link,
            at=moment,
            state="waiting",
            tries=0,
            due_at=later(GATHER_S[channel.kind]),
            error="",
        )
        for channel, reader in ways
    )


def _mailed(session: Session, kind: Kind, people: set[str]) -> set[str]:
    if CATALOGUE[kind].mailed:
        return people - _against(session, kind, "email", people)
    return _chosen(session, kind, "email", people, wanted=True)


def _against(session: Session, kind: Kind, medium: Medium, people: set[str]) -> set[str]:
    return _chosen(session, kind, medium, people, wanted=False)


def _chosen(session: Session, kind: Kind, medium: Medium, people: set[str], *, wanted: bool) -> set[str]:
    query = select(Subscription.reader).where(Subscription.kind == kind, Subscription.medium == medium)
    return set(session.scalars(query.where(Subscription.reader.in_(people), Subscription.wanted.is_(wanted))))
