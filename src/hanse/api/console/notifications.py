"""What the caller is told, and what it wishes to hear of."""

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field
from sqlalchemy.orm import Session

from hanse.api.console.access import anybody
from hanse.api.console.parts import part
from hanse.api.console.shapes import Asked
from hanse.control.access.callers import Caller
from hanse.control.database import Database
from hanse.control.notifications import service as notifications
from hanse.control.notifications.kinds import Kind, Language, word
from hanse.control.notifications.service import Wish
from hanse.control.notifications.tables import Notification

router = APIRouter(tags=["notifications"])

Storage = Annotated[Database, part(Database)]
Reader = Annotated[Caller, anybody()]
Number = Annotated[int, Field(ge=1, lt=1 << 63)]


class NotificationView(BaseModel):
    """`words` are what the body's gaps are filled with, `link` is a path of the console."""

    number: int
    kind: Kind
    title: Annotated[str, Field(examples=["A job has failed"])]
    body: Annotated[str, Field(examples=["monthly score has failed (peer.unreachable)."])]
    words: dict[str, str]
    link: Annotated[str, Field(examples=["/jobs/job-5f2c9a7d01b4e6c8"])]
    at: str
    read_at: str | None


class NotificationPage(BaseModel):
    """`unread` counts all that the caller has not read, not only those of this page."""

    unread: int
    notifications: list[NotificationView]


class ReadAsked(Asked):
    """`numbers`: which to mark read; none named means all."""

    numbers: list[Number] = Field([], max_length=1000)


class UnreadView(BaseModel):
    unread: int


class WishShape(Asked):
    """Whether to hear of a kind in the node (`app`) and by e-mail."""

    kind: Kind
    app: bool
    email: bool


class SubscriptionView(BaseModel):
    """What the caller hears of, and the language of its e-mail."""

    language: Language
    wishes: list[WishShape]


class SubscriptionAsked(Asked):
    """A kind that is not named stays as it is, and so does the language."""

    language: Language | None = None
    wishes: list[WishShape] = Field([], max_length=100)


@router.get("/notifications", operation_id="list_notifications")
def list_notifications(
    caller: Reader,
    database: Storage,
    unread: bool = False,
    language: Language | None = None,
    after: Annotated[int | None, Query(ge=1, lt=1 << 63)] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> NotificationPage:
    """List what the caller was told, newest first; `after` is the number of the last one of the page before."""
    with database.read() as session:
        found = notifications.list_notifications(session, caller, unread=unread, after=after, limit=limit)
        spoken = language or notifications.language_of(session, caller.person)
        count = notifications.count_unread(session, caller)
    return NotificationPage(unread=count, notifications=[_view(row, spoken) for row in found])


@router.post("/notifications/read", operation_id="mark_notifications_read")
def mark_notifications_read(asked: ReadAsked, caller: Reader, database: Storage) -> UnreadView:
    """Mark notifications of the caller read, all when none is named."""
    with database.write() as session:
        notifications.mark_read(session, caller, asked.numbers)
        return UnreadView(unread=notifications.count_unread(session, caller))


@router.get("/notifications/subscriptions", operation_id="get_subscriptions")
def get_subscriptions(caller: Reader, database: Storage) -> SubscriptionView:
    """Show what the caller hears of, kind by kind."""
    with database.read() as session:
        return _subscriptions(session, caller)


@router.put("/notifications/subscriptions", operation_id="change_subscriptions")
def change_subscriptions(asked: SubscriptionAsked, caller: Reader, database: Storage) -> SubscriptionView:
    """Choose what the caller hears of, and in which language."""
    with database.write() as session:
        wishes = [Wish(wish.kind, wish.app, wish.email) for wish in asked.wishes]
        notifications.subscribe(session, caller, wishes, asked.language)
        return _subscriptions(session, caller)


def _subscriptions(session: Session, caller: Caller) -> SubscriptionView:
    wishes = notifications.wishes_of(session, caller.person)
    return SubscriptionView(
        language=notifications.language_of(session, caller.person),
        wishes=[WishShape(kind=wish.kind, app=wish.app, email=wish.email) for wish in wishes],
    )


def _view(row: Notification, language: Language) -> NotificationView:
    text = word(row.kind, row.words, language)
    return NotificationView(
        number=row.number,
        kind=row.kind,
        title=text.title,
        body=text.body,
        words=row.words,
        link=row.link,
        at=row.at,
        read_at=row.read_at,
    )
