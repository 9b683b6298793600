"""Groups and their people, and who works in which project."""

from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, Field

from hanse.api.console.access import needs
from hanse.api.console.parts import part
from hanse.api.console.shapes import Asked, Title
from hanse.control.access.callers import Caller
from hanse.control.access.permissions import Permission, Scope
from hanse.control.database import Database
from hanse.control.projects import service as projects
from hanse.control.users import groups
from hanse.control.users import service as users
from hanse.control.users.tables import Group, User

router = APIRouter(tags=["users"])

Storage = Annotated[Database, part(Database)]
Manager = Annotated[Caller, needs(Permission.USERS_MANAGE)]
Reading = needs(Permission.USERS_READ)
ProjectReader = Annotated[Caller, needs(Permission.PROJECTS_READ)]
ProjectManager = Annotated[Caller, needs(Permission.PROJECTS_MANAGE)]

Given = Annotated[
    dict[Permission, Scope], Field(examples=[{"datasets.read": "own", "members.read": "all"}], max_length=100)
]


class GroupAsked(Asked):
    """`permissions` says how far each reaches: what one's own people made or work in (own), or everything (all)."""

    name: Title
    permissions: Given


class GroupChange(Asked):
    permissions: Given


class PersonView(BaseModel):
    id: str
    name: str


class GroupView(BaseModel):
    name: str
    permissions: dict[str, str]
    people: list[PersonView]
    created_at: str


@router.get("/permissions", operation_id="list_permissions", dependencies=[Reading])
def list_permissions() -> list[str]:
    """List everything that a group can permit."""
    return [permission.value for permission in Permission]


@router.get("/groups", operation_id="list_groups", dependencies=[Reading])
def list_groups(database: Storage) -> list[GroupView]:
    """List the groups with what they permit and who is in them."""
    with database.read() as session:
        return [_view(group, groups.people_of(session, group.name)) for group in groups.list_groups(session)]


@router.post("/groups", status_code=201, operation_id="create_group")
def create_group(asked: GroupAsked, caller: Manager, database: Storage) -> GroupView:
    """Make a group."""
    with database.write() as session:
        return _view(groups.create(session, caller, asked.name, asked.permissions), [])


@router.put("/groups/{name}", operation_id="change_group")
def change_group(name: str, asked: GroupChange, caller: Manager, database: Storage) -> GroupView:
    """Give a group other permissions; they count from the next request of its people on."""
    with database.write() as session:
        return _view(groups.change(session, caller, name, asked.permissions), groups.people_of(session, name))


@router.delete("/groups/{name}", status_code=204, operation_id="remove_group")
def remove_group(name: str, caller: Manager, database: Storage) -> None:
    """Remove a group; its people lose what it gave them."""
    with database.write() as session:
        groups.remove(session, caller, name)


@router.put("/groups/{name}/users/{user}", status_code=204, operation_id="add_group_user")
def add_group_user(name: str, user: str, caller: Manager, database: Storage) -> None:
    """Put a user into a group; its sessions end, so that it logs in as what it is now."""
    with database.write() as session:
        groups.add_user(session, caller, name, users.find(session, user))


@router.delete("/groups/{name}/users/{user}", status_code=204, operation_id="remove_group_user")
def remove_group_user(name: str, user: str, caller: Manager, database: Storage) -> None:
    """Take a user out of a group; its sessions end."""
    with database.write() as session:
        groups.remove_user(session, caller, name, users.find(session, user))


@router.get("/projects/{project}/people", operation_id="list_project_people")
def list_project_people(project: str, caller: ProjectReader, database: Storage) -> list[PersonView]:
    """List who of this organisation works in a project."""
    with database.read() as session:
        found = projects.find_for(session, caller, Permission.PROJECTS_READ, project)
        return [_person(user) for user in groups.people_in(session, found.id)]


@router.put("/projects/{project}/people/{user}", status_code=204, operation_id="add_project_person")
def add_project_person(project: str, user: str, caller: ProjectManager, database: Storage) -> None:
    """Let a user work in a project: permissions over what is its own reach what belongs to the project."""
    with database.write() as session:
        found = projects.find_for(session, caller, Permission.PROJECTS_MANAGE, project)
        groups.add_person(session, caller, found, users.find(session, user))


@router.delete("/projects/{project}/people/{user}", status_code=204, operation_id="remove_project_person")
def remove_project_person(project: str, user: str, caller: ProjectManager, database: Storage) -> None:
    """Let a user work in a project no longer."""
    with database.write() as session:
        found = projects.find_for(session, caller, Permission.PROJECTS_MANAGE, project)
        groups.remove_person(session, caller, found, users.find(session, user))


def _view(group: Group, people: list[User]) -> GroupView:
    return GroupView(
        name=group.name,
        permissions={permission.value: scope for permission, scope in group.permissions.items()},
        people=[_person(user) for user in people],
        created_at=group.created_at,
    )


def _person(user: User) -> PersonView:
    return PersonView(id=user.id, name=user.name)
