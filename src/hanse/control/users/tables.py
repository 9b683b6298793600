"""Users, the groups and projects they are in, and what proves who they are."""

from typing import Literal

from sqlalchemy import BigInteger, ForeignKey, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from hanse.control.access.permissions import Permission, Scope
from hanse.control.database import Base, Record
from hanse.core.ids import ProjectId

UserState = Literal["active", "disabled"]
TicketKind = Literal["setup", "password"]


class User(Base):
    """A person. `password` is a PHC string, None until a one-time link was used or where single sign-on is the way in.

    `totp` is a sealed secret; it counts from `totp_since` on, and `totp_step` is the last 30 s step that was used.
    """

    __tablename__ = "users"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    name: Mapped[str] = mapped_column(String(64), unique=True)
    email: Mapped[str] = mapped_column(String(254))
    state: Mapped[UserState] = mapped_column(String(16))
    password: Mapped[str | None] = mapped_column(String(200))
    must_change: Mapped[bool]
    totp: Mapped[str | None] = mapped_column(Text)
    totp_since: Mapped[str | None] = mapped_column(String(24))
    totp_step: Mapped[int] = mapped_column(BigInteger)
    created_at: Mapped[str] = mapped_column(String(24))
    login_at: Mapped[str | None] = mapped_column(String(24))


class RecoveryCode(Base):
    """A code that stands once for a user's authenticator; only its hash is kept."""

    __tablename__ = "recovery_codes"

    user: Mapped[str] = mapped_column(ForeignKey("users.id"), primary_key=True)
    digest: Mapped[str] = mapped_column(String(64), primary_key=True)


class Link(Base):
    """A user as an OpenID provider knows it."""

    __tablename__ = "user_links"

    issuer: Mapped[str] = mapped_column(String(255), primary_key=True)
    subject: Mapped[str] = mapped_column(String(255), primary_key=True)
    user: Mapped[str] = mapped_column(ForeignKey("users.id"), index=True)


class Ticket(Base):
    """A one-time link: `setup` makes the first administrator, `password` lets a user choose one."""

    __tablename__ = "tickets"

    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    kind: Mapped[TicketKind] = mapped_column(String(16))
    user: Mapped[str | None] = mapped_column(ForeignKey("users.id"), index=True)
    created_at: Mapped[str] = mapped_column(String(24))
    expires_at: Mapped[str] = mapped_column(String(24))
    used_at: Mapped[str | None] = mapped_column(String(24))


class Failure(Base):
    """How often a name or an address has failed to log in since it last succeeded, and until when it has to wait."""

    __tablename__ = "login_failures"

    subject: Mapped[str] = mapped_column(String(120), primary_key=True)
    count: Mapped[int]
    at: Mapped[str] = mapped_column(String(24))
    until: Mapped[str] = mapped_column(String(24))


class Group(Base):
    """What the people in it may do. The groups of a new node are rows like any other."""

    __tablename__ = "groups"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    permissions: Mapped[dict[Permission, Scope]] = mapped_column(Record(dict[Permission, Scope]))
    created_at: Mapped[str] = mapped_column(String(24))


class GroupUser(Base):
    """A user in a group."""

    __tablename__ = "group_users"

    group: Mapped[str] = mapped_column(ForeignKey("groups.name"), primary_key=True)
    user: Mapped[str] = mapped_column(ForeignKey("users.id"), primary_key=True, index=True)


class ProjectPerson(Base):
    """A user who works in a project: permissions with the scope `own` reach what belongs to it."""

    __tablename__ = "project_people"

    project: Mapped[ProjectId] = mapped_column(ForeignKey("projects.id"), primary_key=True)
    user: Mapped[str] = mapped_column(ForeignKey("users.id"), primary_key=True, index=True)
