"""What can be permitted, how far, and the groups that a node begins with."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Literal

Scope = Literal["own", "all"]
"""`own`: what the caller made or what belongs to a project that it works in. `all`: everything of the organisation."""


class Permission(StrEnum):
    """One thing that a group may let its people do; `read` lists and shows, the other verb changes."""

    USERS_READ = "users.read"
    USERS_MANAGE = "users.manage"
    KEYS_MANAGE = "keys.manage"
    NODE_OPERATE = "node.operate"
    MEMBERS_READ = "members.read"
    MEMBERS_MANAGE = "members.manage"
    PROJECTS_READ = "projects.read"
    PROJECTS_MANAGE = "projects.manage"
    SOURCES_MANAGE = "sources.manage"
    DATASETS_READ = "datasets.read"
    DATASETS_MANAGE = "datasets.manage"
    GRANTS_READ = "grants.read"
    GRANTS_MANAGE = "grants.manage"
    PIPELINES_READ = "pipelines.read"
    PIPELINES_WRITE = "pipelines.write"
    JOBS_READ = "jobs.read"
    JOBS_RUN = "jobs.run"
    RESULTS_DOWNLOAD = "results.download"
    MODELS_READ = "models.read"
    MODELS_MANAGE = "models.manage"
    APPROVALS_READ = "approvals.read"
    APPROVALS_DECIDE = "approvals.decide"
    RULES_MANAGE = "rules.manage"
    AUDIT_READ = "audit.read"


Permissions = Mapping[Permission, Scope]

_P = Permission
_READ = (_P.MEMBERS_READ, _P.PROJECTS_READ, _P.DATASETS_READ, _P.GRANTS_READ, _P.PIPELINES_READ, _P.JOBS_READ)


def _own(*permissions: Permission) -> dict[Permission, Scope]:
    return dict.fromkeys(permissions, "own")


def _all(*permissions: Permission) -> dict[Permission, Scope]:
    return dict.fromkeys(permissions, "all")


EVERYTHING: Permissions = _all(*Permission)

GROUPS: Mapping[str, Permissions] = {
    "administrator": EVERYTHING,
    "data owner": {
        **_all(_P.MEMBERS_READ),
        **_own(*_READ[1:], _P.SOURCES_MANAGE, _P.DATASETS_MANAGE, _P.GRANTS_MANAGE, _P.APPROVALS_READ),
        **_own(_P.KEYS_MANAGE, _P.RESULTS_DOWNLOAD),
    },
    "modeller": {
        **_all(_P.MEMBERS_READ),
        **_own(*_READ[1:], _P.PIPELINES_WRITE, _P.JOBS_RUN, _P.RESULTS_DOWNLOAD, _P.MODELS_READ, _P.MODELS_MANAGE),
        **_own(_P.APPROVALS_READ, _P.KEYS_MANAGE),
    },
    "approver": _all(*_READ, _P.MODELS_READ, _P.APPROVALS_READ, _P.APPROVALS_DECIDE),
    "auditor": _all(*_READ, _P.USERS_READ, _P.MODELS_READ, _P.APPROVALS_READ, _P.AUDIT_READ),
    "operator": _all(_P.NODE_OPERATE, _P.MEMBERS_READ, _P.PROJECTS_READ, _P.JOBS_READ),
}
"""The groups of a new node; an administrator makes others."""
