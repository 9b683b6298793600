"""Grants of this organisation's datasets to projects."""

from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, Field

from hanse.api.console.parts import part
from hanse.api.console.shapes import Asked
from hanse.control.database import Database
from hanse.control.grants import service as grants
from hanse.control.grants.service import Terms
from hanse.control.grants.tables import Grant
from hanse.control.nodes.identity import Identity
from hanse.control.outbox.courier import Courier
from hanse.core.ids import GrantId

router = APIRouter(tags=["grants"])

Storage = Annotated[Database, part(Database)]
Me = Annotated[Identity, part(Identity)]
Post = Annotated[Courier, part(Courier)]


class GrantAsked(Asked):
    """`columns`: none named means all. `until`: ISO 8601 with an offset, or a day. `disclosure_limit`: rho of R1."""

    dataset: str
    project: str
    columns: list[str] = Field(default_factory=list)
    until: str | None = None
    disclosure_limit: float = Field(default=0.1, gt=0, allow_inf_nan=False)


class GrantView(BaseModel):
    """`columns` null means all; `dataset` is its name."""

    id: str
    dataset: str
    project: str
    columns: list[str] | None
    until: str | None
    disclosure_limit: float
    created_at: str
    revoked_at: str | None


@router.post("/grants", status_code=201, operation_id="give_grant")
async def give_grant(asked: GrantAsked, database: Storage, me: Me, courier: Post) -> GrantView:
    """Let a project use a dataset, and tell its members."""
    return await courier.after(lambda: _give(database, me, asked))


@router.get("/grants", operation_id="list_grants")
def list_grants(database: Storage) -> list[GrantView]:
    """List one's own grants, newest first, revoked ones too."""
    with database.read() as session:
        return [_view(grant, snapshot.dataset.name) for grant, snapshot in grants.list_grants(session)]


@router.delete("/grants/{grant_id}", operation_id="revoke_grant")
async def revoke_grant(grant_id: str, database: Storage, me: Me, courier: Post) -> GrantView:
    """Take a grant back: no attempt that starts from now on gets the data."""
    return await courier.after(lambda: _revoke(database, me, GrantId(grant_id)))


def _give(database: Database, me: Identity, asked: GrantAsked) -> GrantView:
    terms = Terms(asked.columns, asked.until, asked.disclosure_limit)
    with database.write() as session:
        return _view(*grants.give(session, me, asked.dataset, asked.project, terms))


def _revoke(database: Database, me: Identity, grant_id: GrantId) -> GrantView:
    with database.write() as session:
        return _view(*grants.revoke(session, me, grant_id))


def _view(grant: Grant, dataset: str) -> GrantView:
    return GrantView(
        id=grant.id,
        dataset=dataset,
        project=grant.project,
        columns=None if grant.columns is None else list(grant.columns),
        until=grant.until,
        disclosure_limit=grant.disclosure_limit,
        created_at=grant.created_at,
        revoked_at=grant.revoked_at,
    )
