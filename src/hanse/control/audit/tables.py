"""The audit records, and where their chain begins and ends."""

from typing import Any

from sqlalchemy import Connection, Index, String, event
from sqlalchemy.orm import Mapped, Mapper, mapped_column

from hanse.control.audit.chain import START
from hanse.control.audit.origin import Door
from hanse.control.database import Base, Number, Record


class AuditLine(Base):
    """One thing that happened, and from where it was asked for.

    `actor` is the id of a user, a key or an organisation, `administrator` (the holder of the node's token) or `node`;
    `person` is who answers for it. `result` is `done`, or the code of the error with which it was refused. `hash` is
    that of all other columns, `before` that of the record with the number below.
    """

    __tablename__ = "audit_lines"
    __table_args__ = (
        Index("ix_audit_lines_actor_number", "actor", "number"),
        Index("ix_audit_lines_person_number", "person", "number"),
        Index("ix_audit_lines_subject_number", "subject", "number"),
        Index("ix_audit_lines_project_number", "project", "number"),
        Index("ix_audit_lines_partner_number", "partner", "number"),
    )

    number: Mapped[int] = mapped_column(Number, primary_key=True, autoincrement=False)
    at: Mapped[str] = mapped_column(String(24), index=True)
    actor: Mapped[str] = mapped_column(String(64))
    person: Mapped[str] = mapped_column(String(64), server_default="")
    door: Mapped[Door] = mapped_column(String(16), server_default="")
    via: Mapped[str] = mapped_column(String(64), server_default="")
    address: Mapped[str] = mapped_column(String(64), server_default="")
    correlation: Mapped[str] = mapped_column(String(32), server_default="")
    action: Mapped[str] = mapped_column(String(64), index=True)
    subject: Mapped[str] = mapped_column(String(200))
    project: Mapped[str] = mapped_column(String(64), server_default="")
    partner: Mapped[str] = mapped_column(String(64), server_default="")
    result: Mapped[str] = mapped_column(String(64), server_default="done")
    details: Mapped[dict[str, Any]] = mapped_column(Record(dict[str, Any]))
    before: Mapped[str] = mapped_column(String(64), server_default="")
    hash: Mapped[str] = mapped_column(String(64), server_default="")


class AuditChain(Base):
    """The one row that says after which record the chain begins (what retention took away) and with which it ends."""

    __tablename__ = "audit_chain"

    id: Mapped[int] = mapped_column(Number, primary_key=True, autoincrement=False)
    begins_after: Mapped[int] = mapped_column(Number, default=0)
    begins_hash: Mapped[str] = mapped_column(String(64), default=START)
    ends_with: Mapped[int] = mapped_column(Number, default=0)
    ends_hash: Mapped[str] = mapped_column(String(64), default=START)


@event.listens_for(AuditLine, "before_update")
@event.listens_for(AuditLine, "before_delete")
def _refuse(_mapper: Mapper[AuditLine], _connection: Connection, line: AuditLine) -> None:
    raise RuntimeError(f"audit line {line.number} may be neither changed nor removed")
