"""The access keys."""

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from hanse.control.access.permissions import Permission, Scope
from hanse.control.database import Base, Record


class AccessKey(Base):
    """A key of a user. `digest` is the keyed hash of its secret; `previous` that of the one before, while both work.

    `scopes` is the most that it may do, `networks` where it may be used (none: anywhere), `per_minute` how often.
    """

    __tablename__ = "access_keys"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    user: Mapped[str] = mapped_column(ForeignKey("users.id"), index=True)
    name: Mapped[str] = mapped_column(String(64))
    digest: Mapped[str] = mapped_column(String(64))
    previous: Mapped[str | None] = mapped_column(String(64))
    previous_until: Mapped[str | None] = mapped_column(String(24))
    scopes: Mapped[dict[Permission, Scope]] = mapped_column(Record(dict[Permission, Scope]))
    networks: Mapped[list[str]] = mapped_column(Record(list[str]))
    per_minute: Mapped[int]
    created_at: Mapped[str] = mapped_column(String(24))
    expires_at: Mapped[str | None] = mapped_column(String(24))
    used_at: Mapped[str | None] = mapped_column(String(24))
    revoked_at: Mapped[str | None] = mapped_column(String(24))
