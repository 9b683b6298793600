"""Projects and who is in them."""

from typing import Literal

from sqlalchemy import ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from hanse.control.database import Base
from hanse.core.ids import OrganisationId, ProjectId

PlaceState = Literal["invited", "accepted"]


class Project(Base):
    """An agreement to work together. Its id is the same at all members; the owner's node keeps the list of members."""

    __tablename__ = "projects"
    __table_args__ = (UniqueConstraint("owner", "name"),)

    id: Mapped[ProjectId] = mapped_column(String(32), primary_key=True)
    name: Mapped[str] = mapped_column(String(64), index=True)
    owner: Mapped[OrganisationId] = mapped_column(String(32))
    created_at: Mapped[str] = mapped_column(String(24))


class ProjectMember(Base):
    """An organisation in a project (this one too), and whether it has agreed."""

    __tablename__ = "project_members"

    project: Mapped[ProjectId] = mapped_column(ForeignKey("projects.id"), primary_key=True)
    organisation: Mapped[OrganisationId] = mapped_column(String(32), primary_key=True)
    name: Mapped[str] = mapped_column(String(64))
    state: Mapped[PlaceState] = mapped_column(String(16))
