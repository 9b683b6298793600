"""Uploads."""

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from hanse.control.database import Base, Number


class Upload(Base):
    """A file that somebody sends. `received_bytes` of it lie on the disk; `sha256` is of the whole, once it is there.

    `name` is what its sender calls it, for people; on the disk it has its id.
    """

    __tablename__ = "uploads"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    owner: Mapped[str] = mapped_column(String(40), index=True)
    name: Mapped[str] = mapped_column(String(200))
    size_bytes: Mapped[int] = mapped_column(Number)
    received_bytes: Mapped[int] = mapped_column(Number)
    sha256: Mapped[str | None] = mapped_column(String(64))
    created_at: Mapped[str] = mapped_column(String(24))
    touched_at: Mapped[str] = mapped_column(String(24), index=True)
