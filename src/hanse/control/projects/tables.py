"""Projects and who is in them."""

from typing import Literal

from sqlalchemy import ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from hanse.control.database import Base
from hanse.core.ids import OrganisationId, ProjectId

PlaceState = Literal["invited", "accepted", "left"]
"""`left` stands at one's own place only: the others forget who has gone."""


class Project(Base):
    """An agreement to work together. Its id is the same at all members; the owner's node keeps the list of members."""

    __tablename__ = "projects"
    __table_args__ = (UniqueConstraint("owner", "name"),)

    id: Mapped[ProjectId] = mapped_column(String(32), primary_key=True)
    name: Mapped[str] = mapped_column(String(64), index=True)
    owner: Mapped[OrganisationId] = mapped_column(String(32))
    created_at: Mapped[str] = mapped_column(String(24))
    version: Mapped[int] = mapped_column(default=1, server_default="1")
    """Of its list of members: each change by the owner makes the next."""


class ProjectMember(Base):
    """An organisation in a project (this one too), and whether it has agreed.

    `since` is the version of the list in which it came, `agreed` the latest that it has agreed to.
    """

    __tablename__ = "project_members"

    project: Mapped[ProjectId] = mapped_column(ForeignKey("projects.id"), primary_key=True)
    organisation: Mapped[OrganisationId] = mapped_column(String(32), primary_key=True)
    name: Mapped[str] = mapped_column(String(64))
    state: Mapped[PlaceState] = mapped_column(String(16))
    since: Mapped[int] = mapped_column(default=1, server_default="1")
    agreed: Mapped[int] = mapped_column(default=0, server_default="0")
