"""Grants of one's own datasets, and the offers that partners' grants are to us."""

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from hanse.control.database import Base, Number, Record
from hanse.core.ids import DatasetId, GrantId, OrganisationId, ProjectId
from hanse.core.schema import Schema


class Grant(Base):
    """The right of a project to use a dataset: `columns` of it (None: all), `until` a moment (None: until revoked)."""

    __tablename__ = "grants"

    id: Mapped[GrantId] = mapped_column(String(32), primary_key=True)
    dataset: Mapped[DatasetId] = mapped_column(ForeignKey("datasets.id"), index=True)
    project: Mapped[ProjectId] = mapped_column(ForeignKey("projects.id"), index=True)
    columns: Mapped[tuple[str, ...] | None] = mapped_column(Record(tuple[str, ...]))
    until: Mapped[str | None] = mapped_column(String(24))
    disclosure_limit: Mapped[float]
    created_at: Mapped[str] = mapped_column(String(24))
    revoked_at: Mapped[str | None] = mapped_column(String(24))


class Offer(Base):
    """A partner's grant, as it told us: what a pipeline may name. The partner's node decides again at every use."""

    __tablename__ = "offers"

    grant: Mapped[GrantId] = mapped_column(String(32), primary_key=True)
    organisation: Mapped[OrganisationId] = mapped_column(String(32), primary_key=True)
    project: Mapped[ProjectId] = mapped_column(ForeignKey("projects.id"), index=True)
    dataset: Mapped[str] = mapped_column(String(64))
    schema: Mapped[Schema] = mapped_column(Record(Schema))
    rows: Mapped[int] = mapped_column(Number)
    until: Mapped[str | None] = mapped_column(String(24))
    disclosure_limit: Mapped[float]
    revoked_at: Mapped[str | None] = mapped_column(String(24))
