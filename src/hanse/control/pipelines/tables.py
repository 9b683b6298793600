"""Saved pipelines, their versions and what people say of them."""

from sqlalchemy import ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from hanse.control.database import Base, Record
from hanse.core.ids import PipelineId, ProjectId
from hanse.core.specs import PipelineSpec


class Pipeline(Base):
    """A pipeline under one id; `version` is its latest, whose name is `name`. `project` is the project's id."""

    __tablename__ = "pipelines"
    __table_args__ = (Index("ix_pipelines_created_at_id", "created_at", "id"),)

    id: Mapped[PipelineId] = mapped_column(String(40), primary_key=True)
    name: Mapped[str] = mapped_column(String(200), index=True)
    project: Mapped[ProjectId] = mapped_column(String(40), index=True)
    owner: Mapped[str] = mapped_column(String(40), index=True)
    version: Mapped[int]
    created_at: Mapped[str] = mapped_column(String(24))
    changed_at: Mapped[str] = mapped_column(String(24))
    archived_at: Mapped[str | None] = mapped_column(String(24))


class PipelineVersion(Base):
    """What a pipeline said at one time. It never changes; saving another graph makes the next one."""

    __tablename__ = "pipeline_versions"

    pipeline: Mapped[PipelineId] = mapped_column(ForeignKey("pipelines.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    spec: Mapped[PipelineSpec] = mapped_column(Record(PipelineSpec))
    sha256: Mapped[str] = mapped_column(String(64))
    author: Mapped[str] = mapped_column(String(40))
    note: Mapped[str] = mapped_column(String(1000))
    created_at: Mapped[str] = mapped_column(String(24))


class PipelineComment(Base):
    """A remark on one version of a pipeline."""

    __tablename__ = "pipeline_comments"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    pipeline: Mapped[PipelineId] = mapped_column(ForeignKey("pipelines.id"), index=True)
    version: Mapped[int]
    author: Mapped[str] = mapped_column(String(40))
    text: Mapped[str] = mapped_column(Text)
    created_at: Mapped[str] = mapped_column(String(24))
