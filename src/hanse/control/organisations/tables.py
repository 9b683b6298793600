"""The other organisations."""

from typing import Literal

from sqlalchemy import String, Text
from sqlalchemy.orm import Mapped, mapped_column

from hanse.control.database import Base
from hanse.core.ids import OrganisationId

MemberState = Literal["pending", "awaiting", "active", "suspended"]
"""`pending`: our administrator has to confirm. `awaiting`: theirs has to. `suspended`: by our administrator."""


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
