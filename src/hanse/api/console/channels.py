"""Channels out of the house: mail servers, webhooks, rooms of chat; their tests and what was delivered."""

import asyncio
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from hanse.api.console.access import needs
from hanse.api.console.parts import part
from hanse.api.console.shapes import Asked, Title
from hanse.control.access.callers import Caller
from hanse.control.access.permissions import Permission
from hanse.control.database import Database
from hanse.control.notifications import channels
from hanse.control.notifications.channels import Terms
from hanse.control.notifications.kinds import Kind, Language
from hanse.control.notifications.sender import Sender
from hanse.control.notifications.tables import Channel, ChannelKind, ChannelState, Delivery, DeliveryState, Security

router = APIRouter(tags=["notifications"])

Storage = Annotated[Database, part(Database)]
Post = Annotated[Sender, part(Sender)]
Operator = Annotated[Caller, needs(Permission.NODE_OPERATE)]
Email = Annotated[str, Field(max_length=254, pattern=r"^([^@\s<>]+@[^@\s<>]+)?$", examples=["hanse@bank.example"])]


class ChannelTerms(Asked):
    """`url` is where a webhook or room is, `place` (`host:port`) where a mail server; both only over TLS.

    `secret` is the key of signatures, or the password of `username`. `kinds`: of which a room hears (none: all).
    `authority`: a certificate in PEM that is trusted instead of the public ones. `plain`: text instead of Markdown.
    Where a channel is changed, an empty `url` or `secret` keeps the one before.
    """

    name: Title
    kinds: list[Kind] = Field([], max_length=100)
    language: Language = "en"
    state: ChannelState = "on"
    url: Annotated[str, Field(max_length=1000, examples=["https://hooks.bank.example/hanse"])] = ""
    place: Annotated[str, Field(max_length=260)] = ""
    secret: Annotated[str, Field(max_length=500)] = ""
    sender: Email = ""
    username: Annotated[str, Field(max_length=254)] = ""
    security: Security = "starttls"
    authority: Annotated[str, Field(max_length=20_000)] = ""
    plain: bool = False


class ChannelAsked(ChannelTerms):
    kind: ChannelKind


class ChannelView(BaseModel):
    """A channel without what is sealed; `place` is the host and port that it goes to."""

    id: str
    name: str
    kind: ChannelKind
    state: ChannelState
    kinds: list[Kind]
    language: Language
    place: str
    sender: str
    username: str
    security: Security
    authority: str
    plain: bool
    created_at: str


class TestAsked(Asked):
    """`receiver`: whom a test of a mail server is sent to."""

    receiver: Email = ""


class TestView(BaseModel):
    """`error` says why it was not delivered, and is empty when it was."""

    delivered: bool
    error: str


class DeliveryView(BaseModel):
    """`reader` is the person that an e-mail goes to, empty for a room; `due_at` when it is tried next."""

    number: int
    kind: Kind
    reader: str
    state: DeliveryState
    tries: int
    error: str
    at: str
    due_at: str
    ended_at: str | None


class RetryView(BaseModel):
    """How many deliveries are tried again."""

    count: int


@router.get("/channels", operation_id="list_channels")
def list_channels(_caller: Operator, database: Storage) -> list[ChannelView]:
    """List the channels by name."""
    with database.read() as session:
        return [_view(row) for row in channels.list_channels(session)]


@router.post("/channels", status_code=201, operation_id="create_channel")
def create_channel(asked: ChannelAsked, caller: Operator, sender: Post) -> ChannelView:
    """Make a channel. Its address and secret are sealed, and never shown again."""
    with sender.database.write() as session:
        return _view(channels.create(session, caller, sender.directory, asked.kind, _terms(asked)))


@router.get("/channels/{channel_id}", operation_id="get_channel")
def get_channel(channel_id: str, _caller: Operator, database: Storage) -> ChannelView:
    """Show a channel."""
    with database.read() as session:
        return _view(channels.find(session, channel_id))


@router.put("/channels/{channel_id}", operation_id="change_channel")
def change_channel(channel_id: str, asked: ChannelTerms, caller: Operator, sender: Post) -> ChannelView:
    """Change a channel; a kept secret goes to no other host and port than it was given for."""
    with sender.database.write() as session:
        return _view(channels.change(session, caller, sender.directory, channel_id, _terms(asked)))


@router.delete("/channels/{channel_id}", status_code=204, operation_id="remove_channel")
def remove_channel(channel_id: str, caller: Operator, database: Storage) -> None:
    """Remove a channel with its log and all that waits for it."""
    with database.write() as session:
        channels.remove(session, caller, channel_id)


@router.post("/channels/{channel_id}/test", operation_id="test_channel")
async def test_channel(channel_id: str, asked: TestAsked, caller: Operator, sender: Post) -> TestView:
    """Send a test now, and say what became of it."""
    channel = await asyncio.to_thread(_find, sender.database, channel_id)
    error = await sender.test(channel, asked.receiver)
    await asyncio.to_thread(_note_test, sender.database, caller, channel_id, error)
    return TestView(delivered=not error, error=error)


@router.get("/channels/{channel_id}/deliveries", operation_id="list_deliveries")
def list_deliveries(
    channel_id: str,
    _caller: Operator,
    database: Storage,
    state: DeliveryState | None = None,
    after: Annotated[int | None, Query(ge=1, lt=1 << 63)] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> list[DeliveryView]:
    """List what goes and went over a channel, newest first; `dead` is what was given up."""
    with database.read() as session:
        found = channels.list_deliveries(session, channel_id, state, after=after, limit=limit)
        return [_view_delivery(row) for row in found]


@router.post("/channels/{channel_id}/retry", operation_id="retry_deliveries")
def retry_deliveries(channel_id: str, caller: Operator, database: Storage) -> RetryView:
    """Try again what a channel has given up."""
    with database.write() as session:
        return RetryView(count=channels.revive(session, caller, channel_id))


def _find(database: Database, channel_id: str) -> Channel:
    with database.read() as session:
        return channels.find(session, channel_id)


def _note_test(database: Database, caller: Caller, channel_id: str, error: str) -> None:
    with database.write() as session:
        channels.note_test(session, caller, channel_id, error)


def _terms(asked: ChannelTerms) -> Terms:
    said = asked.model_dump(exclude={"kind"})
    return Terms(**said | {"kinds": tuple(asked.kinds)})


def _view(row: Channel) -> ChannelView:
    settings = row.settings
    return ChannelView(
        id=row.id,
        name=row.name,
        kind=row.kind,
        state=row.state,
        kinds=list(row.kinds),
        language=row.language,
        place=settings.place,
        sender=settings.sender,
        username=settings.username,
        security=settings.security,
        authority=settings.authority,
        plain=settings.plain,
        created_at=row.created_at,
    )


def _view_delivery(row: Delivery) -> DeliveryView:
    return DeliveryView(
        number=row.number,
        kind=row.kind,
        reader=row.reader,
        state=row.state,
        tries=row.tries,
        error=row.error,
        at=row.at,
        due_at=row.due_at,
        ended_at=row.ended_at,
    )
