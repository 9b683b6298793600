"""Who is told: persons by what they may do, and where their e-mail goes.

The tables of users are named here and not imported: what tells (members, approvals, jobs) lies below users.
"""

from collections.abc import Iterable

from sqlalchemy import String, and_, column, or_, select, table
from sqlalchemy.orm import Session

from hanse.control.access.callers import LOCAL
from hanse.control.access.permissions import Permission, Scope
from hanse.control.database import Record

_TEXT = String()
_users = table("users", column("id", _TEXT), column("email", _TEXT), column("state", _TEXT))
_groups = table("groups", column("name", _TEXT), column("permissions", Record(dict[str, Scope])))
_places = table("group_users", column("group", _TEXT), column("user", _TEXT))
_people = table("project_people", column("project", _TEXT), column("user", _TEXT))


def holders(session: Session, permission: Permission, project: str = "") -> set[str]:
    """Return the active users that have a permission: for everything, or for a project that they work in.

    The holder of the node's token is one of them.
    """
    reach: dict[Scope, list[str]] = {"all": [], "own": []}
    for name, permissions in session.execute(select(_groups.c.name, _groups.c.permissions)):
        if permission.value in permissions:
            reach[permissions[permission.value]].append(name)
    works_here = _users.c.id.in_(select(_people.c.user).where(_people.c.project == project))
    own = and_(_places.c.group.in_(reach["own"]), works_here)
    query = select(_users.c.id).join(_places, _places.c.user == _users.c.id)
    query = query.where(_users.c.state == "active", or_(_places.c.group.in_(reach["all"]), own))
    return {LOCAL.id, *session.scalars(query.distinct())}


def active(session: Session, people: Iterable[str]) -> set[str]:
    """Return those of these that are active users, or the holder of the token."""
    named = set(people)
    found = session.scalars(select(_users.c.id).where(_users.c.id.in_(named), _users.c.state == "active"))
    return set(found) | (named & {LOCAL.id})


def addresses(session: Session, people: Iterable[str]) -> dict[str, str]:
    """Return the e-mail addresses of those that are active and have one."""
    query = select(_users.c.id, _users.c.email).where(_users.c.id.in_(set(people)), _users.c.state == "active")
    return {row.id: row.email for row in session.execute(query.where(_users.c.email != ""))}
