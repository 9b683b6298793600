"""Derived datasets with their lineage, at this party's own side."""

from typing import Literal

import msgspec
from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from hanse.control.database import Base, Record
from hanse.core.ids import DatasetId, GrantId, JobId, OrganisationId, ProjectId, TaskName
from hanse.core.roles import PartyId
from hanse.core.specs import Artefact

OnRefresh = Literal["stale", "invalid"]
"""What a newer version of a source makes of a derived dataset: it may still be used, or not."""


class Source(msgspec.Struct, frozen=True):
    """A version of one's own dataset that a derived dataset was made of, and the grant under which it was read."""

    dataset: DatasetId
    name: str
    version: int
    grant: GrantId


class Derived(Base):
    """This party's part of a table that a job made. `digest` names it at all of its parties alike."""

    __tablename__ = "derived_datasets"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    name: Mapped[str] = mapped_column(String(64), unique=True)
    digest: Mapped[str] = mapped_column(String(64), unique=True)
    project: Mapped[ProjectId] = mapped_column(String(40), index=True)
    job: Mapped[JobId] = mapped_column(String(32))
    task: Mapped[TaskName] = mapped_column(String(48))
    port: Mapped[str] = mapped_column(String(48))
    component: Mapped[str] = mapped_column(String(48))
    version: Mapped[str] = mapped_column(String(32))
    settings_digest: Mapped[str] = mapped_column(String(64))
    parties: Mapped[dict[PartyId, OrganisationId]] = mapped_column(Record(dict[PartyId, OrganisationId]))
    sources: Mapped[tuple[Source, ...]] = mapped_column(Record(tuple[Source, ...]))
    artefact: Mapped[Artefact] = mapped_column(Record(Artefact))
    on_refresh: Mapped[OnRefresh] = mapped_column(String(16))
    owner: Mapped[str] = mapped_column(String(40), index=True)
    created_at: Mapped[str] = mapped_column(String(24))
