"""The invitations that this organisation has sent out."""

from sqlalchemy import LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from hanse.control.database import Base
from hanse.core.ids import OrganisationId


class Invitation(Base):
    """One invitation. The secret stays until it is used up or over, because an HMAC needs its key."""

    __tablename__ = "invitations"

    id: Mapped[str] = mapped_column(String(16), primary_key=True)
    secret: Mapped[bytes | None] = mapped_column(LargeBinary)
    created_at: Mapped[str] = mapped_column(String(24))
    expires_at: Mapped[str] = mapped_column(String(24))
    used_by: Mapped[OrganisationId | None] = mapped_column(String(32))
