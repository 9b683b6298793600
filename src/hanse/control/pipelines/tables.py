"""Saved pipelines."""

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from hanse.control.database import Base, Record
from hanse.core.ids import PipelineId
from hanse.core.specs import PipelineSpec


class Pipeline(Base):
    """One version of a pipeline. A version is never changed; saving another graph under the name makes the next one."""

    __tablename__ = "pipelines"

    id: Mapped[PipelineId] = mapped_column(String(40), primary_key=True)
    name: Mapped[str] = mapped_column(String(200), index=True)
    version: Mapped[int]
    spec: Mapped[PipelineSpec] = mapped_column(Record(PipelineSpec))
    created_at: Mapped[str] = mapped_column(String(24))
