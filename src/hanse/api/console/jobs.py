"""Jobs: proposed, watched, cancelled; their outputs at this party."""

from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from hanse.api.console.errors import answer_fault
from hanse.api.console.parts import part
from hanse.api.console.shapes import Asked
from hanse.control.database import Database
from hanse.control.jobs import service, views
from hanse.control.jobs.desk import JobDesk
from hanse.core.faults import Fault, fault
from hanse.core.ids import JobId, TaskName
from hanse.core.job_messages import JobProblem
from hanse.core.specs import PipelineSpec

router = APIRouter(tags=["jobs"])

Desk = Annotated[JobDesk, part(JobDesk)]
Storage = Annotated[Database, part(Database)]

LONGEST_WAIT_S = 30.0


class JobAsked(Asked):
    """`pipeline`: name, project, parties, tasks."""

    pipeline: dict[str, Any]


class FaultView(BaseModel):
    """`cause` and `remedy` are empty for what happened at another party: its own node has them."""

    code: str
    party: str | None = None
    step: str = ""
    cause: str = ""
    remedy: str = ""


class ProblemView(BaseModel):
    party: str
    task: str
    message: str
    remedy: str = ""


class OutputView(BaseModel):
    """Where one of this party's outputs lies on its own disk."""

    kind: str
    path: str
    sha256: str
    rows: int | None = None


class ProgressView(BaseModel):
    done: int
    total: int
    note: str = ""


class TaskView(BaseModel):
    """Memory, bytes, digests and outputs are this party's own; `digests` are by `peer/stream/direction`."""

    name: str
    component: str
    version: str
    state: str
    parties: list[str]
    attempt: int
    progress: ProgressView | None
    started_at: str | None
    ended_at: str | None
    seconds: float | None
    peak_memory_bytes: int | None
    bytes_sent: dict[str, int]
    bytes_received: dict[str, int]
    digests: dict[str, str]
    outputs: dict[str, OutputView]
    fault: FaultView | None


class DisclosureView(BaseModel):
    """`used` queries of at most `ceiling`, which follows from `limit` (rho) and the rows of the dataset."""

    dataset: str
    guest: str
    used: int
    limit: float
    ceiling: int


class JobView(BaseModel):
    """`role` is this node's party; `guest` and the values of `parties` are names of organisations."""

    id: str
    name: str
    state: str
    role: str
    guest: str
    project: str
    parties: dict[str, str]
    created_at: str
    started_at: str | None
    ended_at: str | None
    fault: FaultView | None
    problems: list[ProblemView]
    cancel_asked_at: str | None
    learns: dict[str, dict[str, list[str]]] = Field(default_factory=dict)
    tasks: list[TaskView] = Field(default_factory=list)
    disclosure: list[DisclosureView] = Field(default_factory=list)


class ReportView(BaseModel):
    """`view` names the kind of report; `values` holds numbers, texts, lists of records, curves as lists of numbers."""

    view: str
    values: dict[str, Any]


class EventView(BaseModel):
    """`kind` is job, task, attempt, progress, metric or note."""

    number: int
    at: str
    task: str
    party: str
    kind: str
    data: dict[str, Any]


class EventsView(BaseModel):
    """`last` is what to ask for next time, as `after`."""

    events: list[EventView]
    last: int


@router.post("/jobs", status_code=202, operation_id="start_job", response_model=JobView)
async def start_job(asked: JobAsked, request: Request, desk: Desk) -> Any:
    """Propose a pipeline to all of its parties; it runs as soon as they have accepted."""
    submission = await desk.submit(_read_pipeline(asked.pipeline))
    if submission.job is None or submission.problems:
        return _answer_problems(request, submission.problems)
    return _view(await desk.view(submission.job.id))


@router.get("/jobs", operation_id="list_jobs")
def list_jobs(database: Storage) -> list[JobView]:
    """List the jobs in which this node takes part, newest first, without their tasks."""
    with database.read() as session:
        return [_view(views.outline_job(job)) for job in service.list_jobs(session)]


@router.get("/jobs/{job_id}", operation_id="get_job")
async def get_job(job_id: str, desk: Desk) -> JobView:
    """Show all that this node knows of a job."""
    return _view(await desk.view(JobId(job_id)))


@router.get("/jobs/{job_id}/events", operation_id="list_job_events")
async def list_job_events(
    job_id: str,
    desk: Desk,
    after: Annotated[int, Query(ge=0)] = 0,
    wait_s: Annotated[float, Query(ge=0, le=LONGEST_WAIT_S)] = 0.0,
) -> EventsView:
    """Return what has happened since event `after`; wait up to `wait_s` seconds for the next to happen."""
    found = await desk.events(JobId(job_id), after, wait_s)
    events = [EventView(number=e.number, at=e.at, task=e.task, party=e.party, kind=e.kind, data=e.data) for e in found]
    return EventsView(events=events, last=events[-1].number if events else after)


@router.post("/jobs/{job_id}/cancel", operation_id="cancel_job")
async def cancel_job(job_id: str, desk: Desk) -> JobView:
    """End a job at all of its parties. Any of them may."""
    await desk.cancel(JobId(job_id))
    return _view(await desk.view(JobId(job_id)))


@router.get("/jobs/{job_id}/tasks/{task}/report", operation_id="get_report")
def get_report(job_id: str, task: str, database: Storage) -> ReportView:
    """Return this party's own report of a task: its figures, tables, curves and trees."""
    with database.read() as session:
        artefact = views.find_report(session, service.get_job(session, JobId(job_id)), TaskName(task))
    return ReportView.model_validate(views.read_report(artefact))


@router.get("/jobs/{job_id}/tasks/{task}/outputs/{port}", operation_id="get_output")
def get_output(job_id: str, task: str, port: str, database: Storage) -> dict[str, Any]:
    """Return what a report says, or where on this machine a table or a model lies."""
    with database.read() as session:
        artefact = views.find_output(session, service.get_job(session, JobId(job_id)), TaskName(task), port)
    found: dict[str, Any] = msgspec.to_builtins(artefact)
    return views.read_report(artefact) if artefact.kind == "report" else found


def _read_pipeline(raw: dict[str, Any]) -> PipelineSpec:
    try:
        return msgspec.convert(raw, PipelineSpec)
    except msgspec.ValidationError as error:
        raise fault("pipeline.invalid", str(error)) from error


def _answer_problems(request: Request, problems: tuple[JobProblem, ...]) -> JSONResponse:
    words = "; ".join(f"{found.party}, {found.task or 'pipeline'}: {found.message}" for found in problems)
    told = Fault("job.rejected", problems[0].party if problems else None, "proposal", words)
    more = {"problems": [msgspec.to_builtins(found) for found in problems]}
    return answer_fault(told, str(request.scope.get("correlation", "")), more=more)


def _view(view: views.JobView) -> JobView:
    return JobView.model_validate(msgspec.to_builtins(view))
