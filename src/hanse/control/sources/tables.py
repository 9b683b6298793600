"""The sources."""

from sqlalchemy import String, Text
from sqlalchemy.orm import Mapped, mapped_column

from hanse.control.database import Base, Record
from hanse.core.sources import SourceSpec


class Source(Base):
    """A source under a name. `secret` is its password, sealed for this id; `tested_at` when it last answered well."""

    __tablename__ = "sources"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    name: Mapped[str] = mapped_column(String(64), unique=True)
    owner: Mapped[str] = mapped_column(String(40), index=True)
    spec: Mapped[SourceSpec] = mapped_column(Record(SourceSpec))
    secret: Mapped[str] = mapped_column(Text)
    created_at: Mapped[str] = mapped_column(String(24))
    changed_at: Mapped[str] = mapped_column(String(24))
    tested_at: Mapped[str | None] = mapped_column(String(24))
