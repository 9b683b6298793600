"""Saved pipelines: versions, differences, comments, their form as Python, and the format itself."""

from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import PlainTextResponse
from pydantic import BaseModel, Field

from hanse.api.console.access import needs
from hanse.api.console.errors import FAULTS
from hanse.api.console.parts import part
from hanse.api.console.shapes import Asked
from hanse.control.access.callers import Caller
from hanse.control.access.permissions import Permission
from hanse.control.database import Database
from hanse.control.jobs.desk import JobDesk
from hanse.control.pipelines import service as pipelines
from hanse.control.pipelines.service import Saved
from hanse.control.pipelines.tables import Pipeline, PipelineComment, PipelineVersion
from hanse.core.documents import demand_single_keys, describe_format
from hanse.core.faults import fault
from hanse.core.ids import PipelineId
from hanse.core.scripts import write_python
from hanse.core.specs import PipelineSpec

router = APIRouter(tags=["pipelines"])

Storage = Annotated[Database, part(Database)]
Desk = Annotated[JobDesk, part(JobDesk)]
Reader = Annotated[Caller, needs(Permission.PIPELINES_READ)]
Writer = Annotated[Caller, needs(Permission.PIPELINES_WRITE)]
Number = Annotated[int | None, Query(ge=1, le=2**31 - 1, description="Version; the latest if not said.")]

EXAMPLE = {
    "name": "who are our common customers",
    "project": "credit",
    "parties": {"guest": "bank", "host-1": "operator"},
    "tasks": {
        "data": {
            "component": "dataset",
            "party_settings": {"guest": {"dataset": "loans"}, "host-1": {"dataset": "lines"}},
        },
        "align": {"component": "psi", "inputs": {"table": "data.table"}},
    },
}


class PipelineAsked(Asked):
    """`pipeline`: name, project, parties, tasks, as `GET /v1/pipelines/schema` says."""

    pipeline: dict[str, Any] = Field(examples=[EXAMPLE])
    note: str = Field(default="", max_length=1000)


class CheckAsked(Asked):
    pipeline: dict[str, Any] = Field(examples=[EXAMPLE])


class PipelineProblem(BaseModel):
    """One thing wrong at a party's task (empty: the pipeline itself), and what helps."""

    party: str
    task: str
    message: str
    remedy: str = ""


class VersionAsked(PipelineAsked):
    """`expected` is the latest version that its author has seen."""

    expected: int = Field(ge=1, le=2**31 - 1)


class CopyAsked(Asked):
    name: str = Field(min_length=1, max_length=200)
    version: int | None = Field(default=None, ge=1, le=2**31 - 1)


class CommentAsked(Asked):
    text: str = Field(min_length=1, max_length=4000)
    version: int | None = Field(default=None, ge=1, le=2**31 - 1)


class PipelineView(BaseModel):
    """`project` is the project's id, `version` the latest one."""

    id: str
    name: str
    project: str
    owner: str
    version: int
    created_at: str
    changed_at: str
    archived_at: str | None


class PipelinesView(BaseModel):
    """`next` is what to ask for as `after`; null at the end."""

    pipelines: list[PipelineView]
    next: str | None


class PipelineVersionView(BaseModel):
    """`sha256` is over the canonical JSON of the pipeline."""

    number: int
    author: str
    note: str
    sha256: str
    created_at: str


class SavedView(PipelineView):
    shown: PipelineVersionView
    pipeline: dict[str, Any]


class ChangeView(BaseModel):
    """`place` is a JSON pointer into the pipeline; null where there was nothing before, or is nothing now."""

    kind: str
    place: str
    before: Any = None
    after: Any = None


class CommentView(BaseModel):
    id: str
    version: int
    author: str
    text: str
    created_at: str


async def _demand_single_keys(request: Request) -> None:
    demand_single_keys(await request.body())


@router.post(
    "/pipelines",
    status_code=201,
    operation_id="create_pipeline",
    dependencies=[needs(Permission.PIPELINES_WRITE), Depends(_demand_single_keys)],
)
def create_pipeline(asked: PipelineAsked, database: Storage, caller: Writer) -> SavedView:
    """Save a pipeline as its first version. It may still have problems: saving is not running."""
    spec = read_spec(asked.pipeline)
    with database.write() as session:
        return _saved(pipelines.create(session, caller, spec, asked.note))


@router.post(
    "/pipelines/check",
    operation_id="check_pipeline",
    dependencies=[needs(Permission.PIPELINES_READ), Depends(_demand_single_keys)],
)
async def check_pipeline(asked: CheckAsked, desk: Desk, caller: Reader) -> list[PipelineProblem]:
    """Say what is wrong with a pipeline before any data is touched, as far as this node can tell. Nothing is kept."""
    problems = await desk.check(caller, read_spec(asked.pipeline))
    return [PipelineProblem.model_validate(msgspec.to_builtins(found)) for found in problems]


@router.get("/pipelines", operation_id="list_pipelines")
def list_pipelines(
    database: Storage,
    caller: Reader,
    project: str = "",
    search: str = "",
    archived: bool = False,
    after: str = "",
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> PipelinesView:
    """List pipelines, newest first, a page at a time."""
    with database.read() as session:
        wanted = {"project": project, "search": search, "archived": archived, "after": after}
        found = pipelines.list_pipelines(session, caller, **wanted, limit=limit)  # type: ignore[arg-type]
    full = len(found) == limit
    return PipelinesView(pipelines=[_outline(row) for row in found], next=found[-1].id if full else None)


@router.get("/pipelines/schema", operation_id="get_pipeline_schema", dependencies=[needs(Permission.PIPELINES_READ)])
async def get_pipeline_schema(desk: Desk) -> dict[str, Any]:
    """Return the JSON Schema of pipelines, with the settings of each component of this node under `$defs`."""
    catalogue = await desk.describe()
    return describe_format({card.name: card.params for card in catalogue.components})


@router.get("/pipelines/{pipeline_id}", operation_id="get_pipeline")
def get_pipeline(pipeline_id: str, database: Storage, caller: Reader, version: Number = None) -> SavedView:
    """Show a pipeline with one of its versions."""
    with database.read() as session:
        return _saved(pipelines.find(session, caller, PipelineId(pipeline_id), version))


@router.get(
    "/pipelines/{pipeline_id}/python",
    operation_id="get_pipeline_python",
    response_class=PlainTextResponse,
    responses=FAULTS,
)
def get_pipeline_python(pipeline_id: str, database: Storage, caller: Reader, version: Number = None) -> str:
    """Return a Python script that builds a version of the pipeline, byte for byte."""
    with database.read() as session:
        return write_python(pipelines.find(session, caller, PipelineId(pipeline_id), version).version.spec)


@router.get("/pipelines/{pipeline_id}/versions", operation_id="list_pipeline_versions")
def list_pipeline_versions(pipeline_id: str, database: Storage, caller: Reader) -> list[PipelineVersionView]:
    """List the versions of a pipeline, newest first."""
    with database.read() as session:
        return [_version(row) for row in pipelines.list_versions(session, caller, PipelineId(pipeline_id))]


@router.post(
    "/pipelines/{pipeline_id}/versions",
    status_code=201,
    operation_id="save_pipeline",
    dependencies=[needs(Permission.PIPELINES_WRITE), Depends(_demand_single_keys)],
)
def save_pipeline(pipeline_id: str, asked: VersionAsked, database: Storage, caller: Writer) -> SavedView:
    """Save the next version; what says the same as the latest one is the latest one."""
    spec = read_spec(asked.pipeline)
    with database.write() as session:
        return _saved(pipelines.save(session, caller, PipelineId(pipeline_id), spec, asked.expected, asked.note))


@router.get("/pipelines/{pipeline_id}/diff", operation_id="diff_pipeline")
def diff_pipeline(
    pipeline_id: str,
    database: Storage,
    caller: Reader,
    old: Annotated[int, Query(ge=1, le=2**31 - 1)],
    new: Annotated[int, Query(ge=1, le=2**31 - 1)],
) -> list[ChangeView]:
    """Say what changed from version `old` to version `new`: tasks, settings, edges, parties."""
    with database.read() as session:
        changes = pipelines.diff(session, caller, PipelineId(pipeline_id), old, new)
    return [ChangeView.model_validate(msgspec.to_builtins(change)) for change in changes]


@router.post("/pipelines/{pipeline_id}/copy", status_code=201, operation_id="copy_pipeline")
def copy_pipeline(pipeline_id: str, asked: CopyAsked, database: Storage, caller: Writer) -> SavedView:
    """Save a version as the first one of another pipeline in the same project."""
    with database.write() as session:
        return _saved(pipelines.copy(session, caller, PipelineId(pipeline_id), asked.name, asked.version))


@router.post("/pipelines/{pipeline_id}/archive", operation_id="archive_pipeline")
def archive_pipeline(pipeline_id: str, database: Storage, caller: Writer) -> PipelineView:
    """Put a pipeline away. Its versions can still be read."""
    with database.write() as session:
        return _outline(pipelines.archive(session, caller, PipelineId(pipeline_id)))


@router.post("/pipelines/{pipeline_id}/restore", operation_id="restore_pipeline")
def restore_pipeline(pipeline_id: str, database: Storage, caller: Writer) -> PipelineView:
    """Take a pipeline out of the archive."""
    with database.write() as session:
        return _outline(pipelines.restore(session, caller, PipelineId(pipeline_id)))


@router.get("/pipelines/{pipeline_id}/comments", operation_id="list_pipeline_comments")
def list_pipeline_comments(pipeline_id: str, database: Storage, caller: Reader) -> list[CommentView]:
    """List what was said of a pipeline, oldest first."""
    with database.read() as session:
        return [_comment(row) for row in pipelines.list_comments(session, caller, PipelineId(pipeline_id))]


@router.post("/pipelines/{pipeline_id}/comments", status_code=201, operation_id="comment_pipeline")
def comment_pipeline(pipeline_id: str, asked: CommentAsked, database: Storage, caller: Writer) -> CommentView:
    """Say something about a version of a pipeline."""
    with database.write() as session:
        return _comment(pipelines.comment(session, caller, PipelineId(pipeline_id), asked.text, asked.version))


def read_spec(raw: dict[str, Any]) -> PipelineSpec:
    """Return the pipeline that a request says. Raises `pipeline.invalid` with the place of the mistake."""
    try:
        return msgspec.convert(raw, PipelineSpec)
    except msgspec.ValidationError as error:
        raise fault("pipeline.invalid", str(error)) from error


def _outline(row: Pipeline) -> PipelineView:
    return PipelineView.model_validate(row, from_attributes=True)


def _version(row: PipelineVersion) -> PipelineVersionView:
    return PipelineVersionView.model_validate(row, from_attributes=True)


def _comment(row: PipelineComment) -> CommentView:
    return CommentView.model_validate(row, from_attributes=True)


def _saved(saved: Saved) -> SavedView:
    shown, spec = _version(saved.version), msgspec.to_builtins(saved.version.spec)
    return SavedView(**_outline(saved.pipeline).model_dump(), shown=shown, pipeline=spec)
