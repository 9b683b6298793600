"""The other organisations."""

from typing import Literal

from sqlalchemy import String, Text
from sqlalchemy.orm import Mapped, mapped_column

from hanse.control.database import Base, Number
from hanse.core.ids import OrganisationId

MemberState = Literal["pending", "awaiting", "active", "suspended", "revoked"]
"""`pending`: our administrator has to confirm. `awaiting`: theirs has to.

`suspended` until resumed, `revoked` for good: both by our administrator.
"""


class Member(Base):
    """An organisation that has paired with this one, or is about to. `root_pem` is all the trust there is."""

    __tablename__ = "members"

    organisation: Mapped[OrganisationId] = mapped_column(String(32), primary_key=True)
    name: Mapped[str] = mapped_column(String(64), unique=True)
    root_pem: Mapped[str] = mapped_column(Text)
    address: Mapped[str] = mapped_column(String(255))
    state: Mapped[MemberState] = mapped_column(String(16))
    pair_fingerprint: Mapped[str] = mapped_column(String(32))
    paired_at: Mapped[str] = mapped_column(String(24))
    release: Mapped[str] = mapped_column(String(200), default="", server_default="")
    region: Mapped[str] = mapped_column(String(64), default="", server_default="")
    contact: Mapped[str] = mapped_column(String(200), default="", server_default="")
    pool: Mapped[str] = mapped_column(String(64), default="", server_default="")
    told_at: Mapped[str] = mapped_column(String(24), default="", server_default="")
    """When it last said what stands in the four columns before this one; empty: never."""


class Revocation(Base):
    """A root that this organisation trusts no longer. The rows stay, also when the organisation is paired anew."""

    __tablename__ = "revocations"

    number: Mapped[int] = mapped_column(Number, primary_key=True, autoincrement=True)
    organisation: Mapped[OrganisationId] = mapped_column(String(32), index=True)
    name: Mapped[str] = mapped_column(String(64))
    reason: Mapped[str] = mapped_column(String(200))
    revoked_by: Mapped[str] = mapped_column(String(64))
    revoked_at: Mapped[str] = mapped_column(String(24))
