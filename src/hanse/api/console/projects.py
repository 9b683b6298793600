"""Projects, and the datasets that may be used in them."""

from typing import Annotated, Literal

from fastapi import APIRouter
from pydantic import BaseModel
from sqlalchemy.orm import Session

from hanse.api.console.parts import part
from hanse.api.console.shapes import Asked, Title, WithSchema, view_schema
from hanse.control.database import Database
from hanse.control.grants import service as grants
from hanse.control.nodes.identity import Identity
from hanse.control.outbox.courier import Courier
from hanse.control.projects import service as projects
from hanse.control.projects.tables import Project
from hanse.core.ids import ProjectId

router = APIRouter(tags=["projects"])

Storage = Annotated[Database, part(Database)]
Me = Annotated[Identity, part(Identity)]
Post = Annotated[Courier, part(Courier)]


class ProjectAsked(Asked):
    """`members` are names of the other organisations."""

    name: Title
    members: list[str]


class PlaceView(BaseModel):
    organisation: str
    organisation_id: str
    state: Literal["invited", "accepted"]


class ProjectView(BaseModel):
    """`owner` is the name of the organisation that founded it."""

    id: str
    name: str
    owner: str
    created_at: str
    members: list[PlaceView]


class UsableView(WithSchema):
    """A dataset that `organisation` has granted to the project: its granted columns only."""

    organisation: str
    name: str
    rows: int
    until: str | None
    disclosure_limit: float


@router.post("/projects", status_code=201, operation_id="create_project")
async def create_project(asked: ProjectAsked, database: Storage, me: Me, courier: Post) -> ProjectView:
    """Found a project and offer it to its members."""
    return await courier.after(lambda: _create(database, me, asked))


@router.get("/projects", operation_id="list_projects")
def list_projects(database: Storage) -> list[ProjectView]:
    """List the projects, newest first."""
    with database.read() as session:
        return [_view(session, project) for project in projects.list_projects(session)]


@router.get("/projects/{project_id}", operation_id="get_project")
def get_project(project_id: str, database: Storage) -> ProjectView:
    """Show a project, by its id or name."""
    with database.read() as session:
        return _view(session, projects.find(session, project_id))


@router.post("/projects/{project_id}/accept", operation_id="accept_project")
async def accept_project(project_id: str, database: Storage, me: Me, courier: Post) -> ProjectView:
    """Agree to a project that another organisation has offered."""
    return await courier.after(lambda: _accept(database, me, ProjectId(project_id)))


@router.get("/projects/{project_id}/datasets", operation_id="list_project_datasets")
def list_project_datasets(project_id: str, database: Storage, me: Me) -> list[UsableView]:
    """List what may be used in a project: one's own grants, and what partners offer."""
    with database.read() as session:
        project = projects.find(session, project_id).id
        names = {place.organisation: place.name for place in projects.members(session, project)}
        own = [
            UsableView(
                organisation=me.name,
                name=snapshot.dataset.name,
                table_schema=view_schema(grants.granted_schema(grant, snapshot)),
                rows=snapshot.version.rows,
                until=grant.until,
                disclosure_limit=grant.disclosure_limit,
            )
            for grant, snapshot in grants.list_current(session, project)
        ]
        offered = [
            UsableView(
                organisation=names.get(offer.organisation, offer.organisation),
                name=offer.dataset,
                table_schema=view_schema(offer.schema),
                rows=offer.rows,
                until=offer.until,
                disclosure_limit=offer.disclosure_limit,
            )
            for offer in grants.list_offers(session, project)
        ]
    return own + offered


def _create(database: Database, me: Identity, asked: ProjectAsked) -> ProjectView:
    with database.write() as session:
        return _view(session, projects.create(session, me, asked.name, asked.members))


def _accept(database: Database, me: Identity, project_id: ProjectId) -> ProjectView:
    with database.write() as session:
        return _view(session, projects.accept(session, me, project_id))


def _view(session: Session, project: Project) -> ProjectView:
    places = projects.members(session, project.id)
    names = {place.organisation: place.name for place in places}
    return ProjectView(
        id=project.id,
        name=project.name,
        owner=names.get(project.owner, project.owner),
        created_at=project.created_at,
        members=[PlaceView(organisation=p.name, organisation_id=p.organisation, state=p.state) for p in places],
    )
