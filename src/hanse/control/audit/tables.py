"""The audit lines."""

from typing import Any

from sqlalchemy import Connection, String, event
from sqlalchemy.orm import Mapped, Mapper, mapped_column

from hanse.control.database import Base, Number, Record


class AuditLine(Base):
    """One thing that happened. `actor` is `administrator`, `node` or the id of an organisation."""

    __tablename__ = "audit_lines"

    number: Mapped[int] = mapped_column(Number, primary_key=True, autoincrement=True)
    at: Mapped[str] = mapped_column(String(24))
    actor: Mapped[str] = mapped_column(String(64))
    action: Mapped[str] = mapped_column(String(64), index=True)
    subject: Mapped[str] = mapped_column(String(200))
    details: Mapped[dict[str, Any]] = mapped_column(Record(dict[str, Any]))


@event.listens_for(AuditLine, "before_update")
@event.listens_for(AuditLine, "before_delete")
def _refuse(_mapper: Mapper[AuditLine], _connection: Connection, line: AuditLine) -> None:
    raise RuntimeError(f"audit line {line.number} may be neither changed nor removed")
