"""Groups, who is in them, who works in which project, and what a user may do because of it."""

from collections.abc import Iterable, Mapping

from sqlalchemy import bindparam, delete, select
from sqlalchemy.orm import Session

from hanse.control.access.callers import Caller
from hanse.control.access.permissions import GROUPS, Permission, Permissions, Scope
from hanse.control.audit import service as audit
from hanse.control.projects.tables import Project
from hanse.control.sessions import service as sessions
from hanse.control.users.tables import Group, GroupUser, ProjectPerson, User
from hanse.core.faults import fault
from hanse.core.ids import ProjectId
from hanse.core.times import now

ADMINISTRATOR = "administrator"

# Asked at every request: built once.
_MEMBERSHIP = select(Group).join(GroupUser, GroupUser.group == Group.name).where(GroupUser.user == bindparam("user"))
_GROUPS_OF = _MEMBERSHIP.order_by(Group.name)
_PERMISSIONS_OF = _MEMBERSHIP.with_only_columns(Group.permissions)
_PROJECTS_OF = select(ProjectPerson.project).where(ProjectPerson.user == bindparam("user"))


def plant(session: Session) -> None:
    """Make the groups that a node begins with, where there are none yet."""
    if session.scalar(select(Group).limit(1)) is None:
        session.add_all(Group(name=name, permissions=dict(given), created_at=now()) for name, given in GROUPS.items())
        session.flush()


def list_groups(session: Session) -> list[Group]:
    return list(session.scalars(select(Group).order_by(Group.name)))


def find(session: Session, name: str) -> Group:
    """Return a group. Raises `group.unknown`."""
    group = session.get(Group, name)
    if group is None:
        raise fault("group.unknown", f"no group is called {name!r}")
    return group


def create(session: Session, caller: Caller, name: str, permissions: Permissions) -> Group:
    """Make a group. Raises `group.name_taken`, or `access.denied` for what the caller may not do itself."""
    demand_covers(caller, permissions)
    if session.get(Group, name) is not None:
        raise fault("group.name_taken", f"a group called {name!r} exists")
    group = Group(name=name, permissions=dict(permissions), created_at=now())
    session.add(group)
    session.flush()
    audit.append(session, caller.id, "group.create", name, permissions=_plain(permissions))
    return group


def change(session: Session, caller: Caller, name: str, permissions: Permissions) -> Group:
    """Give a group other permissions. Raises `user.last_administrator` when nobody would be left to manage users."""
    group = find(session, name)
    demand_covers(caller, permissions)
    demand_covers(caller, group.permissions)
    had = has_administrator(session)
    group.permissions = dict(permissions)
    session.flush()
    demand_administrator(session, had)
    audit.append(session, caller.id, "group.change", name, permissions=_plain(permissions))
    return group


def remove(session: Session, caller: Caller, name: str) -> None:
    """Remove a group; its people lose what it gave them."""
    group = find(session, name)
    demand_covers(caller, group.permissions)
    had = has_administrator(session)
    session.execute(delete(GroupUser).where(GroupUser.group == name))
    session.delete(group)
    session.flush()
    demand_administrator(session, had)
    audit.append(session, caller.id, "group.remove", name)


def add_user(session: Session, caller: Caller, name: str, user: User) -> None:
    """Put a user into a group; its sessions end, and it logs in as what it is now."""
    group = find(session, name)
    demand_covers(caller, group.permissions)
    if session.get(GroupUser, (name, user.id)) is None:
        session.add(GroupUser(group=name, user=user.id))
        session.flush()
        sessions.end_all(session, user.id)
        audit.append(session, caller.id, "group.add_user", name, user=user.id)


def remove_user(session: Session, caller: Caller, name: str, user: User) -> None:
    """Take a user out of a group; its sessions end. Raises `user.last_administrator`."""
    group = find(session, name)
    demand_covers(caller, group.permissions)
    place = session.get(GroupUser, (name, user.id))
    if place is None:
        return
    had = has_administrator(session)
    session.delete(place)
    session.flush()
    demand_administrator(session, had)
    sessions.end_all(session, user.id)
    audit.append(session, caller.id, "group.remove_user", name, user=user.id)


def set_groups(session: Session, user: str, names: Iterable[str]) -> None:
    """Make these the groups of a user, without a line of audit: part of what makes or maps a user."""
    session.execute(delete(GroupUser).where(GroupUser.user == user))
    session.add_all(GroupUser(group=find(session, name).name, user=user) for name in sorted(set(names)))
    session.flush()


def groups_of(session: Session, user: str) -> list[Group]:
    return list(session.scalars(_GROUPS_OF, {"user": user}))


def people_of(session: Session, name: str) -> list[User]:
    """Return who is in a group, by name."""
    query = select(User).join(GroupUser, GroupUser.user == User.id).where(GroupUser.group == name)
    return list(session.scalars(query.order_by(User.name)))


def permissions_of(session: Session, user: str) -> Permissions:
    """Return what a user's groups let it do together."""
    given: dict[Permission, Scope] = {}
    for permissions in session.scalars(_PERMISSIONS_OF, {"user": user}):
        for permission, scope in permissions.items():
            given[permission] = "all" if "all" in (scope, given.get(permission)) else "own"
    return given


def projects_of(session: Session, user: str) -> frozenset[ProjectId]:
    return frozenset(session.scalars(_PROJECTS_OF, {"user": user}))


def people_in(session: Session, project: ProjectId) -> list[User]:
    """Return who works in a project, by name."""
    query = select(User).join(ProjectPerson, ProjectPerson.user == User.id).where(ProjectPerson.project == project)
    return list(session.scalars(query.order_by(User.name)))


def add_person(session: Session, caller: Caller, project: Project, user: User) -> None:
    """Let a user work in a project."""
    if session.get(ProjectPerson, (project.id, user.id)) is None:
        session.add(ProjectPerson(project=project.id, user=user.id))
        session.flush()
        audit.append(session, caller.id, "project.add_person", project.id, user=user.id)


def remove_person(session: Session, caller: Caller, project: Project, user: User) -> None:
    """Let a user work in a project no longer."""
    place = session.get(ProjectPerson, (project.id, user.id))
    if place is not None:
        session.delete(place)
        session.flush()
        audit.append(session, caller.id, "project.remove_person", project.id, user=user.id)


def demand_covers(caller: Caller, permissions: Permissions) -> None:
    """Raise `access.denied` unless the caller has all of these itself: nobody hands out more than it has."""
    for permission, scope in permissions.items():
        if caller.scope(permission) != "all" and caller.scope(permission) != scope:
            raise fault("access.denied", f"{caller.name} has no permission {permission} ({scope}) to give")


def has_administrator(session: Session) -> bool:
    """Say whether an active user may manage all users. Holds the groups against a change at the same time."""
    managing = [
        group.name
        for group in session.scalars(select(Group).order_by(Group.name).with_for_update())
        if group.permissions.get(Permission.USERS_MANAGE) == "all"
    ]
    query = select(User.id).join(GroupUser, GroupUser.user == User.id)
    return session.scalar(query.where(GroupUser.group.in_(managing), User.state == "active").limit(1)) is not None


def demand_administrator(session: Session, had: bool) -> None:
    """Raise `user.last_administrator` when there was one and none is left."""
    if had and not has_administrator(session):
        raise fault("user.last_administrator", "nobody would be left who may manage users")


def _plain(permissions: Mapping[Permission, Scope]) -> dict[str, str]:
    return {permission.value: scope for permission, scope in permissions.items()}
