"""Notifications, what their readers wish, channels out of the house and what was delivered over them."""

from typing import Literal

import msgspec
from sqlalchemy import ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from hanse.control.database import Base, Number, Record
from hanse.control.notifications.kinds import Kind, Language

Medium = Literal["app", "email"]
ChannelKind = Literal["email", "webhook", "dingtalk", "wecom", "feishu"]
ChannelState = Literal["on", "off"]
DeliveryState = Literal["waiting", "sent", "dead"]
Security = Literal["starttls", "tls"]
Words = dict[str, str]


class Notification(Base):
    """What one reader is told; `words` fill in the body of its kind, `link` is a path of the console."""

    __tablename__ = "notifications"
    __table_args__ = (Index("ix_notifications_reader_read_at", "reader", "read_at"),)

    number: Mapped[int] = mapped_column(Number, primary_key=True, autoincrement=True)
    reader: Mapped[str] = mapped_column(String(64))
    kind: Mapped[Kind] = mapped_column(String(32))
    words: Mapped[Words] = mapped_column(Record(Words))
    link: Mapped[str] = mapped_column(String(200), index=True)
    at: Mapped[str] = mapped_column(String(24), index=True)
    read_at: Mapped[str | None] = mapped_column(String(24))


class ReaderLanguage(Base):
    """In which language a reader is written to."""

    __tablename__ = "notification_languages"

    reader: Mapped[str] = mapped_column(String(64), primary_key=True)
    language: Mapped[Language] = mapped_column(String(2))


class Subscription(Base):
    """That a reader wishes, or does not wish, to hear of a kind by a medium; without a row the kind's default holds."""

    __tablename__ = "notification_subscriptions"

    reader: Mapped[str] = mapped_column(String(64), primary_key=True)
    kind: Mapped[Kind] = mapped_column(String(32), primary_key=True)
    medium: Mapped[Medium] = mapped_column(String(8), primary_key=True)
    wanted: Mapped[bool]


class Settings(msgspec.Struct, frozen=True):
    """What of a channel is no secret. `place` is `host:port`; `sender`, `username`, `security` are those of e-mail.

    `authority` is a PEM certificate to be trusted instead of the public ones; `plain` sends text instead of Markdown.
    """

    place: str
    sender: str = ""
    username: str = ""
    security: Security = "starttls"
    authority: str = ""
    plain: bool = False


class Secret(msgspec.Struct, frozen=True):
    """What of a channel is sealed: its address (mostly with a token in it), the password or the key of signatures."""

    url: str = ""
    secret: str = ""

    def __repr__(self) -> str:
        return "Secret(…)"


class Channel(Base):
    """A way out of the house: a mail server, or one room that hears of `kinds` (none named: all)."""

    __tablename__ = "notification_channels"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    name: Mapped[str] = mapped_column(String(64), unique=True)
    kind: Mapped[ChannelKind] = mapped_column(String(16))
    state: Mapped[ChannelState] = mapped_column(String(8))
    kinds: Mapped[tuple[Kind, ...]] = mapped_column(Record(tuple[Kind, ...]))
    language: Mapped[Language] = mapped_column(String(2))
    settings: Mapped[Settings] = mapped_column(Record(Settings))
    sealed: Mapped[str] = mapped_column(Text)
    created_at: Mapped[str] = mapped_column(String(24))


class Delivery(Base):
    """One notification that goes over one channel, to `reader` by e-mail or to the room. `due_at` is also the lease.

    Who takes it moves `due_at` behind the end of the attempt, so that no other process sends it in the meantime and
    any may when that one has died.
    """

    __tablename__ = "notification_deliveries"
    __table_args__ = (Index("ix_notification_deliveries_state_due_at", "state", "due_at"),)

    number: Mapped[int] = mapped_column(Number, primary_key=True, autoincrement=True)
    channel: Mapped[str] = mapped_column(ForeignKey("notification_channels.id"), index=True)
    reader: Mapped[str] = mapped_column(String(64))
    kind: Mapped[Kind] = mapped_column(String(32))
    words: Mapped[Words] = mapped_column(Record(Words))
    link: Mapped[str] = mapped_column(String(200))
    at: Mapped[str] = mapped_column(String(24))
    state: Mapped[DeliveryState] = mapped_column(String(8))
    tries: Mapped[int]
    due_at: Mapped[str] = mapped_column(String(24))
    error: Mapped[str] = mapped_column(String(300))
    ended_at: Mapped[str | None] = mapped_column(String(24))
