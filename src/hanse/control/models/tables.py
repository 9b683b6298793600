"""Model versions."""

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from hanse.control.database import Base, Record
from hanse.core.ids import JobId, ModelVersionId, OrganisationId, ProjectId, TaskName
from hanse.core.roles import PartyId
from hanse.core.specs import Artefact


class ModelVersion(Base):
    """This party's part of a model. Every party of the job has one under the same id, each in its own house."""

    __tablename__ = "model_versions"

    id: Mapped[ModelVersionId] = mapped_column(String(80), primary_key=True)
    name: Mapped[str] = mapped_column(String(200), index=True)
    project: Mapped[ProjectId] = mapped_column(String(40))
    job: Mapped[JobId] = mapped_column(String(32), index=True)
    task: Mapped[TaskName] = mapped_column(String(48))
    component: Mapped[str] = mapped_column(String(48))
    version: Mapped[str] = mapped_column(String(32))
    me: Mapped[PartyId] = mapped_column(String(16))
    parties: Mapped[dict[PartyId, OrganisationId]] = mapped_column(Record(dict[PartyId, OrganisationId]))
    artefact: Mapped[Artefact] = mapped_column(Record(Artefact))
    metrics: Mapped[dict[str, float]] = mapped_column(Record(dict[str, float]))
    created_at: Mapped[str] = mapped_column(String(24), index=True)
