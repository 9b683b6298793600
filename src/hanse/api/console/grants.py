"""Grants of this organisation's datasets to projects: given, changed, taken back; who used them."""

from typing import Annotated, Literal

import msgspec
from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from hanse.api.console.access import needs
from hanse.api.console.parts import part
from hanse.api.console.shapes import Asked
from hanse.control.access.callers import Caller
from hanse.control.access.permissions import Permission
from hanse.control.database import Database
from hanse.control.grants import enforcement
from hanse.control.grants import service as grants
from hanse.control.grants.service import Terms
from hanse.control.grants.tables import Grant, GrantTerms
from hanse.control.jobs.desk import JobDesk
from hanse.control.nodes.identity import Identity
from hanse.control.outbox.courier import Courier
from hanse.core.clauses import Clauses, Purpose, Window
from hanse.core.faults import fault
from hanse.core.ids import GrantId

router = APIRouter(tags=["grants"])

Storage = Annotated[Database, part(Database)]
Me = Annotated[Identity, part(Identity)]
Post = Annotated[Courier, part(Courier)]
Desk = Annotated[JobDesk, part(JobDesk)]
Reader = Annotated[Caller, needs(Permission.GRANTS_READ)]
Giver = Annotated[Caller, needs(Permission.GRANTS_MANAGE)]


class ClausesShape(Asked):
    """Everything a grant demands beside columns and time; each clause that is left out demands nothing.

    `components` may fit; `predict` lets their models be applied too, `predict:<component>` those of that one alone.
    `organisations` are ids of members of the project that may start jobs on the data.
    """

    purpose: Purpose = "any"
    purpose_text: str = Field(default="", max_length=500)
    components: list[str] = Field(default_factory=list, max_length=100)
    uses: int | None = Field(default=None, ge=1, le=10**9)
    rate: int | None = Field(default=None, ge=1, le=10**9)
    window: Window = "day"
    minimum_group: int = Field(default=1, ge=1, le=1 << 40)
    minimum_intersection: int = Field(default=1, ge=1, le=1 << 40)
    organisations: list[str] = Field(default_factory=list, max_length=256)


class TermsAsked(Asked):
    """`columns`: none named means all. `until`: ISO 8601 with an offset, or a day. `disclosure_limit`: rho of R1."""

    columns: list[str] = Field(default_factory=list)
    until: str | None = None
    disclosure_limit: float = Field(default=0.1, gt=0, allow_inf_nan=False)
    clauses: ClausesShape = Field(default_factory=ClausesShape)


class GrantAsked(TermsAsked):
    """`dataset` and `project`: a name or an id."""

    dataset: str
    project: str


class GrantView(BaseModel):
    """`columns` null means all; `dataset` is its name; `used` counts the jobs that have read it under this grant."""

    id: str
    dataset: str
    project: str
    state: Literal["given", "waiting"]
    version: int
    columns: list[str] | None
    until: str | None
    disclosure_limit: float
    clauses: ClausesShape
    used: int
    created_at: str
    revoked_at: str | None


class TermsView(BaseModel):
    """One version of a grant's terms."""

    version: int
    columns: list[str] | None
    until: str | None
    disclosure_limit: float
    clauses: ClausesShape
    at: str
    actor: str


class UseView(BaseModel):
    """One job that read the data: `guest` is the organisation that led it, `version` that of the terms."""

    job: str
    guest: str
    version: int
    at: str


@router.post("/grants", status_code=201, operation_id="give_grant")
async def give_grant(asked: GrantAsked, caller: Giver, database: Storage, me: Me, courier: Post) -> GrantView:
    """Let a project use a dataset, and tell its members."""
    return await courier.after(lambda: _give(database, caller, me, asked))


@router.get("/grants", operation_id="list_grants")
def list_grants(caller: Reader, database: Storage) -> list[GrantView]:
    """List one's own grants, newest first, revoked ones too."""
    with database.read() as session:
        found = grants.list_grants(session, caller)
        return [_view(g, snapshot.dataset.name, enforcement.used(session, g.id)) for g, snapshot in found]


@router.get("/grants/{grant_id}", operation_id="get_grant")
def get_grant(grant_id: str, caller: Reader, database: Storage) -> GrantView:
    """Show a grant."""
    with database.read() as session:
        grant = grants.find_grant(session, GrantId(grant_id), caller)
        return _view(grant, grants.dataset_of(session, grant), enforcement.used(session, grant.id))


@router.put("/grants/{grant_id}", operation_id="change_grant")
async def change_grant(
    grant_id: str, asked: TermsAsked, caller: Giver, database: Storage, me: Me, courier: Post, desk: Desk
) -> GrantView:
    """Put a grant under new terms; jobs that these do not cover end."""
    view = await courier.after(lambda: _change(database, caller, me, GrantId(grant_id), asked))
    await desk.enforce()
    return view


@router.delete("/grants/{grant_id}", operation_id="revoke_grant")
async def revoke_grant(grant_id: str, caller: Giver, database: Storage, me: Me, courier: Post, desk: Desk) -> GrantView:
    """Take a grant back: attempts that read the data end, and no other gets it."""
    view = await courier.after(lambda: _revoke(database, caller, me, GrantId(grant_id)))
    await desk.enforce()
    await desk.forget_setups(GrantId(grant_id))
    return view


@router.get("/grants/{grant_id}/terms", operation_id="list_grant_terms")
def list_grant_terms(grant_id: str, caller: Reader, database: Storage) -> list[TermsView]:
    """List the versions of a grant's terms, newest first."""
    with database.read() as session:
        grant = grants.find_grant(session, GrantId(grant_id), caller)
        return [_view_terms(terms) for terms in grants.terms_of(session, grant.id)]


@router.get("/grants/{grant_id}/uses", operation_id="list_grant_uses")
def list_grant_uses(
    grant_id: str,
    caller: Reader,
    database: Storage,
    after: Annotated[str, Query(max_length=64)] = "",
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> list[UseView]:
    """List the jobs that have read the data under a grant, by id; `after` is the last job of the page before."""
    with database.read() as session:
        grant = grants.find_grant(session, GrantId(grant_id), caller)
        uses = grants.uses_of(session, grant.id, after=after, limit=limit)
        return [UseView(job=use.job, guest=use.guest, version=use.version, at=use.at) for use in uses]


def read_terms(asked: TermsAsked) -> Terms:
    """Return the terms that a caller asks for. Raises `grant.clause`."""
    try:
        clauses = msgspec.convert(asked.clauses.model_dump(), Clauses)
    except msgspec.ValidationError as error:
        raise fault("grant.clause", str(error)) from error
    return Terms(asked.columns, asked.until, asked.disclosure_limit, clauses)


def view_clauses(clauses: Clauses) -> ClausesShape:
    """Return clauses as they are shown."""
    return ClausesShape.model_validate(
        msgspec.structs.asdict(clauses)
        | {
            "components": list(clauses.components),
            "organisations": list(clauses.organisations),
        }
    )


def _give(database: Database, caller: Caller, me: Identity, asked: GrantAsked) -> GrantView:
    with database.write() as session:
        return _view(*grants.give(session, caller, me, asked.dataset, asked.project, read_terms(asked)), 0)


def _change(database: Database, caller: Caller, me: Identity, grant_id: GrantId, asked: TermsAsked) -> GrantView:
    with database.write() as session:
        given = grants.change(session, caller, me, grant_id, read_terms(asked))
        return _view(*given, enforcement.used(session, grant_id))


def _revoke(database: Database, caller: Caller, me: Identity, grant_id: GrantId) -> GrantView:
    with database.write() as session:
        return _view(*grants.revoke(session, caller, me, grant_id), enforcement.used(session, grant_id))


def _view(grant: Grant, dataset: str, used: int) -> GrantView:
    return GrantView(
        id=grant.id,
        dataset=dataset,
        project=grant.project,
        state="waiting" if grant.state == "waiting" else "given",
        version=grant.version,
        columns=None if grant.columns is None else list(grant.columns),
        until=grant.until,
        disclosure_limit=grant.disclosure_limit,
        clauses=view_clauses(grant.clauses),
        used=used,
        created_at=grant.created_at,
        revoked_at=grant.revoked_at,
    )


def _view_terms(terms: GrantTerms) -> TermsView:
    return TermsView(
        version=terms.version,
        columns=None if terms.columns is None else list(terms.columns),
        until=terms.until,
        disclosure_limit=terms.disclosure_limit,
        clauses=view_clauses(terms.clauses),
        at=terms.at,
        actor=terms.actor,
    )
