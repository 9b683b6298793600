"""Templates that people keep."""

from sqlalchemy import Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from hanse.control.database import Base, Record
from hanse.core.ids import ProjectId
from hanse.core.templates import TemplateSpec


class Template(Base):
    """A template of a project, under a name that is its own there. It does not change: remove it, add another."""

    __tablename__ = "templates"
    __table_args__ = (UniqueConstraint("project", "name"), Index("ix_templates_created_at_id", "created_at", "id"))

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    name: Mapped[str] = mapped_column(String(64), index=True)
    project: Mapped[ProjectId] = mapped_column(String(40), index=True)
    owner: Mapped[str] = mapped_column(String(40), index=True)
    spec: Mapped[TemplateSpec] = mapped_column(Record(TemplateSpec))
    created_at: Mapped[str] = mapped_column(String(24))
