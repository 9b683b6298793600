"""Grants of one's own datasets, their versions and uses; offers, applications and cards, of both sides."""

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from hanse.control.database import Base, Number, Record
from hanse.core.clauses import Clauses
from hanse.core.ids import DatasetId, GrantId, JobId, OrganisationId, ProjectId, TaskName
from hanse.core.schema import Schema


class Grant(Base):
    """The right of a project to use a dataset: `columns` of it (None: all), `until` a moment (None: until revoked).

    `version` counts its terms. One that is `waiting` for an approval allows nothing and nobody is told of it.
    """

    __tablename__ = "grants"

    id: Mapped[GrantId] = mapped_column(String(32), primary_key=True)
    dataset: Mapped[DatasetId] = mapped_column(ForeignKey("datasets.id"), index=True)
    project: Mapped[ProjectId] = mapped_column(ForeignKey("projects.id"), index=True)
    columns: Mapped[tuple[str, ...] | None] = mapped_column(Record(tuple[str, ...]))
    until: Mapped[str | None] = mapped_column(String(24))
    disclosure_limit: Mapped[float]
    clauses: Mapped[Clauses] = mapped_column(Record(Clauses), default=Clauses(), server_default="{}")
    version: Mapped[int] = mapped_column(default=1, server_default="1")
    state: Mapped[str] = mapped_column(String(16), default="given", server_default="given")
    owner: Mapped[str] = mapped_column(String(40), default="", server_default="", index=True)
    created_at: Mapped[str] = mapped_column(String(24))
    revoked_at: Mapped[str | None] = mapped_column(String(24))


class GrantTerms(Base):
    """One version of a grant's terms: what held from `at` on, and who said so."""

    __tablename__ = "grant_terms"

    grant: Mapped[GrantId] = mapped_column(ForeignKey("grants.id"), primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    columns: Mapped[tuple[str, ...] | None] = mapped_column(Record(tuple[str, ...]))
    until: Mapped[str | None] = mapped_column(String(24))
    disclosure_limit: Mapped[float]
    clauses: Mapped[Clauses] = mapped_column(Record(Clauses))
    at: Mapped[str] = mapped_column(String(24))
    actor: Mapped[str] = mapped_column(String(64))


class GrantUse(Base):
    """One job that read a dataset under a grant: a use, counted once however often its tasks are tried."""

    __tablename__ = "grant_uses"
    __table_args__ = (Index("ix_grant_uses_grant_at", "grant", "at"),)

    grant: Mapped[GrantId] = mapped_column(ForeignKey("grants.id"), primary_key=True)
    job: Mapped[JobId] = mapped_column(String(32), primary_key=True)
    guest: Mapped[OrganisationId] = mapped_column(String(32))
    version: Mapped[int]
    at: Mapped[str] = mapped_column(String(24))


class DatasetRead(Base):
    """Which version of a dataset the latest attempt of a task was given, and under which grant: what lineage says."""

    __tablename__ = "dataset_reads"

    job: Mapped[JobId] = mapped_column(String(32), primary_key=True)
    task: Mapped[TaskName] = mapped_column(String(48), primary_key=True)
    dataset: Mapped[DatasetId] = mapped_column(String(32), primary_key=True)
    version: Mapped[int]
    grant: Mapped[GrantId] = mapped_column(String(32))


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
    clauses: Mapped[Clauses] = mapped_column(Record(Clauses), default=Clauses(), server_default="{}")
    version: Mapped[int] = mapped_column(default=1, server_default="1")
    revoked_at: Mapped[str | None] = mapped_column(String(24))


class Application(Base):
    """What one organisation asks of another: `mine` when this one asks. `organisation` is the other side.

    `grant` is the grant that answered it, at the side that gave it and at the side that got it alike.
    """

    __tablename__ = "applications"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    organisation: Mapped[OrganisationId] = mapped_column(String(32), primary_key=True)
    mine: Mapped[bool]
    project: Mapped[ProjectId] = mapped_column(ForeignKey("projects.id"), index=True)
    dataset: Mapped[str] = mapped_column(String(64))
    columns: Mapped[tuple[str, ...]] = mapped_column(Record(tuple[str, ...]))
    until: Mapped[str | None] = mapped_column(String(24))
    disclosure_limit: Mapped[float]
    clauses: Mapped[Clauses] = mapped_column(Record(Clauses))
    reason: Mapped[str] = mapped_column(String(1000))
    state: Mapped[str] = mapped_column(String(16), index=True)
    answer: Mapped[str] = mapped_column(String(1000), default="")
    grant: Mapped[GrantId | None] = mapped_column(String(32))
    owner: Mapped[str] = mapped_column(String(40), default="", index=True)
    created_at: Mapped[str] = mapped_column(String(24), index=True)
    answered_at: Mapped[str | None] = mapped_column(String(24))


class Card(Base):
    """A dataset that may be asked for in a project: one's own (`organisation` is this one), or a partner's."""

    __tablename__ = "cards"

    project: Mapped[ProjectId] = mapped_column(ForeignKey("projects.id"), primary_key=True)
    organisation: Mapped[OrganisationId] = mapped_column(String(32), primary_key=True)
    dataset: Mapped[str] = mapped_column(String(64), primary_key=True)
    description: Mapped[str] = mapped_column(String(1000))
    columns: Mapped[tuple[str, ...]] = mapped_column(Record(tuple[str, ...]))
    rows: Mapped[int] = mapped_column(Number)
    published_at: Mapped[str] = mapped_column(String(24))
