"""OpenID providers, and sign-ins that have begun at one of them."""

from typing import Literal

from sqlalchemy import ForeignKey, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from hanse.control.database import Base, Record

Admits = Literal["linked", "mapped", "anybody"]
"""Who may come for the first time: nobody (accounts are linked by hand), whoever a group is mapped for, or anybody."""


class Provider(Base):
    """An OpenID provider. `secret` is sealed, empty for a public client.

    `group_map` says which value of the claim `group_claim` puts into which group; `default_groups` are for newcomers.
    """

    __tablename__ = "oidc_providers"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    title: Mapped[str] = mapped_column(String(64))
    issuer: Mapped[str] = mapped_column(String(255), unique=True)
    client: Mapped[str] = mapped_column(String(255))
    secret: Mapped[str] = mapped_column(Text)
    scopes: Mapped[list[str]] = mapped_column(Record(list[str]))
    admits: Mapped[Admits] = mapped_column(String(16))
    group_claim: Mapped[str] = mapped_column(String(64))
    group_map: Mapped[dict[str, str]] = mapped_column(Record(dict[str, str]))
    default_groups: Mapped[list[str]] = mapped_column(Record(list[str]))
    created_at: Mapped[str] = mapped_column(String(24))


class SignIn(Base):
    """A sign-in under way in one browser. Of its cookie only the SHA-256 is kept; all else follows from the cookie."""

    __tablename__ = "oidc_sign_ins"

    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    provider: Mapped[str] = mapped_column(ForeignKey("oidc_providers.name"), index=True)
    expires_at: Mapped[str] = mapped_column(String(24), index=True)


class ProviderSession(Base):
    """Which provider opened a session here; `hint` is its sealed ID token, by which it knows whom to sign out."""

    __tablename__ = "oidc_sessions"

    session: Mapped[str] = mapped_column(ForeignKey("user_sessions.id", ondelete="CASCADE"), primary_key=True)
    provider: Mapped[str] = mapped_column(ForeignKey("oidc_providers.name"), index=True)
    hint: Mapped[str] = mapped_column(Text)
