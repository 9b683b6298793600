"""Letters that are not delivered yet."""

from sqlalchemy import LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from hanse.control.database import Base, Number
from hanse.core.ids import OrganisationId


class Letter(Base):
    """A request that a partner must get, written in the transaction of what it tells; gone when answered."""

    __tablename__ = "letters"

    number: Mapped[int] = mapped_column(Number, primary_key=True, autoincrement=True)
    organisation: Mapped[OrganisationId] = mapped_column(String(32), index=True)
    message: Mapped[bytes] = mapped_column(LargeBinary)
    written_at: Mapped[str] = mapped_column(String(24))
