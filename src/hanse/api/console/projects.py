"""Projects, and the datasets that may be used in them."""

from typing import Annotated, Literal

from fastapi import APIRouter
from pydantic import BaseModel
from sqlalchemy.orm import Session

from hanse.api.console.access import needs
from hanse.api.console.parts import part
from hanse.api.console.shapes import Asked, Title, WithSchema, view_schema
from hanse.control.access.callers import Caller
from hanse.control.access.permissions import Permission
from hanse.control.database import Database
from hanse.control.grants import applications
from hanse.control.grants import service as grants
from hanse.control.jobs import parting
from hanse.control.nodes.identity import Identity
from hanse.control.organisations.membership import Membership
from hanse.control.outbox.courier import Courier
from hanse.control.projects import service as projects
from hanse.control.projects.tables import Project
from hanse.core import threads
from hanse.core.ids import JobId

router = APIRouter(tags=["projects"])

Reader = Annotated[Caller, needs(Permission.PROJECTS_READ)]
Manager = Annotated[Caller, needs(Permission.PROJECTS_MANAGE)]
Storage = Annotated[Database, part(Database)]
Me = Annotated[Identity, part(Identity)]
Post = Annotated[Courier, part(Courier)]
Joining = Annotated[Membership, part(Membership)]


class ProjectAsked(Asked):
    """`members` are names of the other organisations."""

    name: Title
    members: list[str]


class MembersAsked(Asked):
    members: list[str]


class PlaceView(BaseModel):
    """`since` is the version of the list in which it came, `agreed` the latest that it has agreed to."""

    organisation: str
    organisation_id: str
    state: Literal["invited", "accepted", "left"]
    since: int
    agreed: int


class ProjectView(BaseModel):
    """`owner` is the name of the organisation that founded it, `version` that of its list of members."""

    id: str
    name: str
    owner: str
    created_at: str
    version: int
    members: list[PlaceView]


class UsableView(WithSchema):
    """A dataset that `organisation` has granted to the project: its granted columns only."""

    organisation: str
    name: str
    rows: int
    until: str | None
    disclosure_limit: float


@router.post("/projects", status_code=201, operation_id="create_project")
async def create_project(caller: Manager, asked: ProjectAsked, database: Storage, me: Me, courier: Post) -> ProjectView:
    """Found a project and offer it to its members."""
    return await courier.after(lambda: _create(caller, database, me, asked))


@router.get("/projects", operation_id="list_projects")
def list_projects(caller: Reader, database: Storage) -> list[ProjectView]:
    """List the projects, newest first."""
    with database.read() as session:
        return [_view(session, project) for project in projects.list_projects(session, caller)]


@router.get("/projects/{project_id}", operation_id="get_project")
def get_project(caller: Reader, project_id: str, database: Storage) -> ProjectView:
    """Show a project, by its id or name."""
    with database.read() as session:
        return _view(session, projects.find_visible(session, caller, project_id))


@router.post("/projects/{project_id}/accept", operation_id="accept_project")
async def accept_project(caller: Manager, project_id: str, database: Storage, me: Me, courier: Post) -> ProjectView:
    """Agree to a project that another organisation has offered, or to the members that have come since."""
    return await courier.after(lambda: _accept(caller, database, me, project_id))


@router.post("/projects/{project_id}/members", operation_id="add_project_members")
async def add_project_members(
    caller: Manager, project_id: str, asked: MembersAsked, database: Storage, me: Me, courier: Post
) -> ProjectView:
    """Ask more members into one's own project. Each of those in it agrees before it shares anything with them."""
    return await courier.after(lambda: _add(caller, database, me, project_id, asked.members))


@router.delete("/projects/{project_id}/members/{organisation}", operation_id="remove_project_member")
async def remove_project_member(
    caller: Manager, project_id: str, organisation: str, database: Storage, me: Me, membership: Joining
) -> ProjectView:
    """Take a member out of one's own project. The project's jobs with it end at all of their parties."""
    jobs, project = await threads.run(_remove, caller, database, me, project_id, organisation)
    await membership.parted(jobs)
    return project


@router.post("/projects/{project_id}/leave", operation_id="leave_project")
async def leave_project(
    caller: Manager, project_id: str, database: Storage, me: Me, membership: Joining
) -> ProjectView:
    """Leave a partner's project. Its jobs end at all of their parties; what was granted to it is of no use any more."""
    jobs, project = await threads.run(_leave, caller, database, me, project_id)
    await membership.parted(jobs)
    return project


@router.get("/projects/{project_id}/datasets", operation_id="list_project_datasets")
def list_project_datasets(caller: Reader, project_id: str, database: Storage, me: Me) -> list[UsableView]:
    """List what may be used in a project: one's own grants, and what partners offer."""
    with database.read() as session:
        project = projects.find_visible(session, caller, project_id).id
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


def _create(caller: Caller, database: Database, me: Identity, asked: ProjectAsked) -> ProjectView:
    with database.write() as session:
        return _view(session, projects.create(session, caller, me, asked.name, asked.members))


def _accept(caller: Caller, database: Database, me: Identity, name: str) -> ProjectView:
    """Agree, and show what was granted before to those with whom it may be shared from now on."""
    with database.write() as session:
        project = _find_managed(session, caller, name)
        before = set(projects.partners(session, project.id, me.organisation))
        projects.accept(session, caller, me, project.id)
        for partner in sorted(set(projects.partners(session, project.id, me.organisation)) - before):
            grants.offer_all(session, project.id, partner)
            applications.publish_all(session, me.organisation, project.id, partner)
        return _view(session, project)


def _add(caller: Caller, database: Database, me: Identity, name: str, partners: list[str]) -> ProjectView:
    with database.write() as session:
        project = _find_managed(session, caller, name)
        return _view(session, projects.add_members(session, caller, me, project.id, partners))


def _remove(
    caller: Caller, database: Database, me: Identity, name: str, partner: str
) -> tuple[list[JobId], ProjectView]:
    with database.write() as session:
        project = _find_managed(session, caller, name)
        gone = projects.remove_member(session, caller, me, project.id, partner)
        jobs = parting.leave_project(session, me.organisation, project.id, [gone])
        return jobs, _view(session, project)


def _leave(caller: Caller, database: Database, me: Identity, name: str) -> tuple[list[JobId], ProjectView]:
    with database.write() as session:
        project = _find_managed(session, caller, name)
        projects.leave(session, caller, me, project.id)
        jobs = parting.leave_project(session, me.organisation, project.id, [me.organisation])
        return jobs, _view(session, project)


def _find_managed(session: Session, caller: Caller, name: str) -> Project:
    project = projects.find_visible(session, caller, name)
    caller.demand(Permission.PROJECTS_MANAGE, project=project.id)
    return project


def _view(session: Session, project: Project) -> ProjectView:
    places = projects.members(session, project.id)
    names = {place.organisation: place.name for place in places}
    return ProjectView(
        id=project.id,
        name=project.name,
        owner=names.get(project.owner, project.owner),
        created_at=project.created_at,
        version=project.version,
        members=[
            PlaceView(
                organisation=place.name,
                organisation_id=place.organisation,
                state=place.state,
                since=place.since,
                agreed=place.agreed,
            )
            for place in places
        ],
    )
