"""The sessions of people who are logged in."""

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from hanse.control.database import Base


class UserSession(Base):
    """A browser or command that has logged in. Of its token only the SHA-256 is kept."""

    __tablename__ = "user_sessions"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    digest: Mapped[str] = mapped_column(String(64), unique=True)
    user: Mapped[str] = mapped_column(ForeignKey("users.id"), index=True)
    address: Mapped[str] = mapped_column(String(64))
    agent: Mapped[str] = mapped_column(String(200))
    created_at: Mapped[str] = mapped_column(String(24))
    seen_at: Mapped[str] = mapped_column(String(24))
    ends_at: Mapped[str] = mapped_column(String(24))
