"""The caller of a service: a person, an access key, the holder of the node's token file, or the node itself."""

from typing import Any, Literal, TypeVar

import msgspec
from sqlalchemy import ColumnElement, Select, false, or_
from sqlalchemy.orm import InstrumentedAttribute

from hanse.control.access.permissions import EVERYTHING, Permission, Permissions, Scope
from hanse.core.faults import fault
from hanse.core.ids import ProjectId

Q = TypeVar("Q", bound=Select[Any])
Column = InstrumentedAttribute[Any] | ColumnElement[Any]


class Caller(msgspec.Struct, frozen=True):
    """Who asks. `id` stands in audit lines and in the column `owner` of what it makes.

    `projects` are those it works in. A key acts for the user that made it (`user`), with a part of what that may do.
    """

    id: str
    name: str
    kind: Literal["user", "key", "local", "node"]
    permissions: Permissions
    projects: frozenset[ProjectId] = frozenset()
    user: str = ""

    @property
    def person(self) -> str:
        """The one who answers for what is done: the user behind a key."""
        return self.user or self.id

    def scope(self, permission: Permission) -> Scope | None:
        """Return how far a permission reaches, None when it is not given."""
        return self.permissions.get(permission)

    def may(self, permission: Permission, *, owner: str | None = None, project: str | None = None) -> bool:
        """Say whether this is permitted: in general, or with something of this owner and project."""
        scope = self.scope(permission)
        if scope == "own" and (owner is not None or project is not None):
            return owner == self.person or project in self.projects
        return scope is not None

    def demand(self, permission: Permission, *, owner: str | None = None, project: str | None = None) -> None:
        """Raise `access.denied` unless this is permitted."""
        if not self.may(permission, owner=owner, project=project):
            raise fault("access.denied", f"{self.name} has no permission {permission} here")


LOCAL = Caller("administrator", "administrator", "local", EVERYTHING)
"""Whoever can read the node's file `token`: the administrator of the machine."""

NODE = Caller("node", "node", "node", EVERYTHING)
"""What the node does by itself: schedules, sweeps, rules."""


def visible(
    query: Q,
    caller: Caller,
    permission: Permission,
    *,
    owner: Column | None = None,
    project: Column | None = None,
) -> Q:
    """Return the query for rows that the caller may see: the filter is made in SQL, so that pages and counts hold."""
    scope = caller.scope(permission)
    if scope == "all":
        return query
    if scope is None:
        return query.where(false())
    own = [] if owner is None else [owner == caller.person]
    shared = [] if project is None or not caller.projects else [project.in_(caller.projects)]
    return query.where(or_(false(), *own, *shared))
