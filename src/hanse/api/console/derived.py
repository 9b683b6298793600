"""Derived datasets: tables that jobs made, kept under a name to be read by later jobs."""

import shutil
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel

from hanse.api.console.access import needs
from hanse.api.console.parts import part
from hanse.api.console.shapes import Asked, Title, WithSchema, view_schema
from hanse.control.access.callers import Caller
from hanse.control.access.permissions import Permission
from hanse.control.database import Database
from hanse.control.derived import reading
from hanse.control.derived import service as derived
from hanse.control.derived.tables import Derived
from hanse.control.jobs.deriving import save
from hanse.control.jobs.desk import JobDesk
from hanse.core.faults import fault
from hanse.core.ids import JobId, TaskName
from hanse.core.specs import DERIVED
from hanse.core.times import now

router = APIRouter(tags=["derived datasets"])

Storage = Annotated[Database, part(Database)]
Desk = Annotated[JobDesk, part(JobDesk)]
Reader = Annotated[Caller, needs(Permission.DATASETS_READ)]
Writer = Annotated[Caller, needs(Permission.PIPELINES_WRITE)]


class DerivedAsked(Asked):
    """`port` may be left out where the task made one table. `on_refresh`: what a newer source makes of it."""

    name: Title
    job: str
    task: str
    port: str = ""
    on_refresh: Literal["stale", "invalid"] = "invalid"


class SourceView(BaseModel):
    """A version of one's own dataset that it was made of, and the grant under which that was read."""

    dataset: str
    name: str
    version: int
    grant: str


class DerivedView(WithSchema):
    """This party's part. `reference` is what a pipeline names as `dataset`, the same at all of its `parties`."""

    id: str
    name: str
    reference: str
    state: Literal["valid", "stale", "invalid"]
    reason: str
    project: str
    job: str
    task: str
    port: str
    component: str
    version: str
    settings_digest: str
    parties: dict[str, str]
    sources: list[SourceView]
    rows: int | None
    sha256: str
    on_refresh: str
    created_at: str


@router.post("/derived", status_code=201, operation_id="save_derived")
def save_derived(asked: DerivedAsked, caller: Writer, database: Storage, desk: Desk) -> DerivedView:
    """Keep this party's part of a table that a job made, with its lineage. The other parties save theirs."""
    with database.write() as session:
        what = (asked.name, JobId(asked.job), TaskName(asked.task), asked.port, asked.on_refresh)
        row = save(session, caller, desk.directory, *what)
        return _view(row, reading.stand(session, desk.directory, row, now()))


@router.get("/derived", operation_id="list_derived")
def list_derived(
    caller: Reader,
    database: Storage,
    desk: Desk,
    after: Annotated[str, Query(max_length=64)] = "",
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> list[DerivedView]:
    """List derived datasets by name, with how each stands; `after` is the last name of the page before."""
    with database.read() as session:
        found = derived.list_derived(session, caller, after=after, limit=limit)
        return [_view(row, reading.stand(session, desk.directory, row, now())) for row in found]


@router.get("/derived/{name}", operation_id="get_derived")
def get_derived(name: str, caller: Reader, database: Storage, desk: Desk) -> DerivedView:
    """Show a derived dataset, by name, id or digest."""
    with database.read() as session:
        row = derived.find(session, name, caller)
        return _view(row, reading.stand(session, desk.directory, row, now()))


@router.delete("/derived/{name}", status_code=204, operation_id="remove_derived")
def remove_derived(name: str, caller: Writer, database: Storage, desk: Desk) -> None:
    """Forget this party's part: no job reads it any more."""
    with database.write() as session:
        folder = derived.remove(session, caller, desk.directory, name)
    shutil.rmtree(folder, ignore_errors=True)


def _view(row: Derived, standing: reading.Standing) -> DerivedView:
    if row.artefact.schema is None:
        raise fault("derived.invalid", f"{row.name!r} has no schema")
    return DerivedView(
        id=row.id,
        name=row.name,
        reference=DERIVED + row.digest,
        state=standing.state,
        reason=standing.reason,
        project=row.project,
        job=row.job,
        task=row.task,
        port=row.port,
        component=row.component,
        version=row.version,
        settings_digest=row.settings_digest,
        parties={str(party): found for party, found in row.parties.items()},
        sources=[SourceView(dataset=s.dataset, name=s.name, version=s.version, grant=s.grant) for s in row.sources],
        table_schema=view_schema(row.artefact.schema),
        rows=row.artefact.rows,
        sha256=row.artefact.sha256,
        on_refresh=row.on_refresh,
        created_at=row.created_at,
    )
