"""Jobs: proposed, watched, cancelled; their outputs at this party."""

from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from hanse.api.console.access import needs
from hanse.api.console.errors import answer_fault
from hanse.api.console.parts import part
from hanse.api.console.shapes import Asked
from hanse.control.access.callers import Caller
from hanse.control.access.permissions import Permission
from hanse.control.database import Database
from hanse.control.jobs import archive, logs, service, views
from hanse.control.jobs.desk import JobDesk, Submission
from hanse.control.jobs.fragments import Fragment, Part
from hanse.control.jobs.search import Wanted
from hanse.control.jobs.tables import NORMAL
from hanse.control.jobs.wishes import Wishes
from hanse.control.pipelines import service as pipelines
from hanse.control.pipelines.service import Saved
from hanse.control.removals import jobs as removal
from hanse.core import threads
from hanse.core.errors import describe
from hanse.core.faults import Fault, fault
from hanse.core.ids import JobId, TaskName
from hanse.core.job_messages import JobProblem, JobState, read_out
from hanse.core.specs import PipelineSpec
from hanse.core.times import format_time, parse_time

router = APIRouter(tags=["jobs"])

Desk = Annotated[JobDesk, part(JobDesk)]
Reader = Annotated[Caller, needs(Permission.JOBS_READ)]
Runner = Annotated[Caller, needs(Permission.JOBS_RUN)]
Storage = Annotated[Database, part(Database)]

LONGEST_WAIT_S = 30.0
LONGEST_LIMIT_S = 366 * 86_400


class RunAsked(Asked):
    """`priority` is 0 (lowest) to 9; above 5 needs `node.operate`. Limits are seconds, 0 those of the node.

    `part` of the pipeline: `all`, `only` the `task`, `from` it on, up `to` it. What lies before `only` and `from` comes
    from earlier jobs. `fresh`: run every task, whatever earlier jobs have made.
    """

    part: Part = "all"
    task: Annotated[str, Field(max_length=48)] = ""
    fresh: bool = False
    priority: Annotated[int, Field(ge=0, le=9)] = NORMAL
    time_limit_s: Annotated[int, Field(ge=0, le=LONGEST_LIMIT_S)] = 0
    task_time_limit_s: Annotated[int, Field(ge=0, le=LONGEST_LIMIT_S)] = 0


class JobAsked(RunAsked):
    """`pipeline`: name, project, parties, tasks; how to run it as in `RunAsked`."""

    pipeline: dict[str, Any]


class PipelineRunAsked(RunAsked):
    """`version` of the saved pipeline; the latest if not said."""

    version: Annotated[int | None, Field(ge=1, le=2**31 - 1)] = None


class PriorityAsked(Asked):
    """0 (lowest) to 9; above 5 needs `node.operate`."""

    priority: Annotated[int, Field(ge=0, le=9)]


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


class ReasonView(FaultView):
    """What a job waits for: `text` says it and `advice` what helps, both in `en` and `zh`."""

    text: dict[str, str]
    advice: dict[str, str]


class AttemptView(BaseModel):
    """One try of this party's own; bytes are by peer."""

    number: int
    state: str
    ordered_at: str
    started_at: str | None
    ended_at: str | None
    seconds: float
    cpu_seconds: float
    peak_memory_bytes: int
    bytes_sent: dict[str, int]
    bytes_received: dict[str, int]
    fault: FaultView | None


class TaskView(BaseModel):
    """Time, memory, bytes, digests, outputs and `attempts` are this party's own; of `others` only the state is known.

    `digests` are by `peer/stream/direction`. When processes or nodes die, a task is tried `most_attempts` times.
    `reused_from` is the job that made the outputs, when the task was not run.
    """

    name: str
    component: str
    version: str
    state: str
    parties: list[str]
    attempt: int
    most_attempts: int
    attempts: list[AttemptView]
    others: dict[str, str]
    progress: ProgressView | None
    started_at: str | None
    ended_at: str | None
    seconds: float | None
    cpu_seconds: float
    peak_memory_bytes: int | None
    bytes_sent: dict[str, int]
    bytes_received: dict[str, int]
    digests: dict[str, str]
    outputs: dict[str, OutputView]
    fault: FaultView | None
    reused_from: str | None = None
    seconds_left: float | None = Field(default=None, description="None: unknown, or it has ended.")


class DisclosureView(BaseModel):
    """`used` queries of at most `ceiling`, which follows from `limit` (rho) and the rows of the dataset."""

    dataset: str
    guest: str
    used: int
    limit: float
    ceiling: int


class UseView(BaseModel):
    """What this party's attempts of a job used, all together; bytes by peer, the largest memory of one attempt."""

    cpu_seconds: float = 0.0
    peak_memory_bytes: int = 0
    bytes_sent: dict[str, int] = Field(default_factory=dict)
    bytes_received: dict[str, int] = Field(default_factory=dict)


class RangeView(BaseModel):
    """`likely`, and between which two the figure lies as a rule."""

    least: float
    likely: float
    most: float


class TaskEstimateView(BaseModel):
    """One task at this party; where it takes no part, only time.

    `history`: how many earlier runs on this machine have corrected the cost model; with 0 it stands alone. `sums`: how
    many exact sums each host may be asked for. What is `reused` is not run.
    """

    task: str
    component: str
    seconds: RangeView
    bytes_sent: RangeView
    bytes_received: RangeView
    memory_bytes: RangeView
    sums: dict[str, int]
    history: int
    takes_part: bool
    reused: bool


class EstimateView(BaseModel):
    """What a job takes at this party: the time of the longest chain of tasks, bytes in all, the most memory of a task.

    `history` is the least of the tasks that run here. The sizes of the tables of parties in `guessed` are not known
    here. `machine` is what the history was measured on.
    """

    party: str
    seconds: RangeView
    bytes_sent: RangeView
    bytes_received: RangeView
    memory_bytes: RangeView
    sums: dict[str, int]
    tasks: list[TaskEstimateView]
    history: int
    guessed: list[str]
    machine: str


class JobView(BaseModel):
    """`role` is this node's party; `guest` and the values of `parties` are names of organisations.

    `started_by` is empty for a partner's job. `waiting` says what keeps the job from going on. `pipeline` is the id of
    the saved pipeline that it runs, `fragment` the part of it ("only boost"), empty for the whole.
    """

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
    started_by: str
    priority: int
    waiting: list[ReasonView]
    retry_of: str | None
    time_limit_s: int
    task_time_limit_s: int
    archived_at: str | None
    pipeline: str | None = None
    pipeline_version: int | None = None
    fragment: str = ""
    retried_as: list[str] = Field(default_factory=list)
    learns: dict[str, dict[str, list[str]]] = Field(default_factory=dict)
    tasks: list[TaskView] = Field(default_factory=list)
    disclosure: list[DisclosureView] = Field(default_factory=list)
    used: UseView = Field(default_factory=UseView)
    estimate: EstimateView | None = None
    seconds_left: float | None = Field(default=None, description="None: unknown, or it does not run.")


class EstimateAsked(Asked):
    """`pipeline`: name, project, parties, tasks; which part of it, as in `RunAsked`."""

    pipeline: dict[str, Any]
    part: Part = "all"
    task: Annotated[str, Field(max_length=48)] = ""
    fresh: bool = False


class JobConsequencesView(BaseModel):
    """What goes with a removed job (results of `tasks`, `events`); `models` and `derived` datasets remain.

    `retries` are the jobs that repeat it. A removal names `digest`.
    """

    job: str
    name: str
    tasks: list[str]
    events: int
    models: list[str]
    derived: list[str]
    retries: list[str]
    digest: str


class ReportView(BaseModel):
    """`view` names the kind of report; `values` holds numbers, texts, lists of records, curves as lists of numbers."""

    view: str
    values: dict[str, Any]


class LogView(BaseModel):
    """The end of what an attempt's process wrote; `left_out_bytes` came before it."""

    attempt: int
    text: str
    left_out_bytes: int


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
async def start_job(asked: JobAsked, request: Request, desk: Desk, caller: Runner) -> Any:
    """Propose a pipeline to all of its parties; it runs as soon as they have accepted and the node has room."""
    submission = await desk.submit(caller, _read_pipeline(asked.pipeline), _read_wishes(asked))
    return await _answer(request, desk, caller, submission)


@router.post("/jobs/estimate", operation_id="estimate_job", response_model=EstimateView)
async def estimate_job(
    asked: EstimateAsked, request: Request, desk: Desk, caller: Annotated[Caller, needs(Permission.PIPELINES_READ)]
) -> Any:
    """Say what a pipeline, or a part of it, would take at this node; no partner is asked and nothing is kept."""
    wishes = Wishes(fresh=asked.fresh, fragment=_read_part(asked))
    estimate, problems = await desk.estimate(caller, _read_pipeline(asked.pipeline), wishes)
    if estimate is None:
        return _answer_problems(request, problems)
    return EstimateView.model_validate(msgspec.to_builtins(estimate))


@router.post("/pipelines/{pipeline}/jobs", status_code=202, operation_id="run_pipeline", response_model=JobView)
async def run_pipeline(
    pipeline: str, asked: PipelineRunAsked, request: Request, desk: Desk, database: Storage, caller: Runner
) -> Any:
    """Start a saved pipeline, by id or name, as `POST /v1/jobs` starts one. The job notes the version."""

    def look() -> Saved:
        with database.read() as session:
            return pipelines.find_named(session, caller, pipeline, asked.version)

    saved = await threads.run(look)
    wishes = _read_wishes(asked)._replace(pipeline=saved.pipeline.id, pipeline_version=saved.version.number)
    return await _answer(request, desk, caller, await desk.submit(caller, saved.version.spec, wishes))


@router.get("/jobs", operation_id="list_jobs")
def list_jobs(
    database: Storage,
    caller: Reader,
    state: Annotated[list[JobState], Query()] = [],  # noqa: B006 (FastAPI copies it)
    project: str | None = None,
    partner: str | None = None,
    mine: bool = False,
    text: Annotated[str | None, Query(max_length=200)] = None,
    since: str | None = None,
    until: str | None = None,
    archived: bool = False,
    after: str | None = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 1000,
) -> list[JobView]:
    """List the jobs in which this node takes part, newest first, without their tasks.

    `project` and `partner` are ids or names; `text` is looked for in id and name; `since` and `until` bound when a job
    was made. The next page follows `after`, the id of the last job of this one.
    """
    wanted = Wanted(
        states=tuple(state),
        project=project,
        partner=partner,
        mine=mine,
        text=text,
        since=_read_time(since),
        until=_read_time(until),
        archived=archived,
        after=None if after is None else JobId(after),
        limit=limit,
    )
    with database.read() as session:
        return [_view(views.outline_job(job)) for job in service.list_jobs(session, caller, wanted)]


@router.get("/jobs/{job_id}", operation_id="get_job")
async def get_job(job_id: str, desk: Desk, caller: Reader) -> JobView:
    """Show all that this node knows of a job: its own side in full, of the other parties how they are."""
    return _view(await desk.view(caller, JobId(job_id)))


@router.post("/jobs/{job_id}/retry", status_code=202, operation_id="retry_job", response_model=JobView)
async def retry_job(job_id: str, request: Request, desk: Desk, caller: Runner) -> Any:
    """Start the pipeline of a job that ended without success once more, as a new job."""
    return await _answer(request, desk, caller, await desk.retry(caller, JobId(job_id)))


@router.post("/jobs/{job_id}/resume", status_code=202, operation_id="resume_job", response_model=JobView)
async def resume_job(job_id: str, request: Request, desk: Desk, caller: Runner) -> Any:
    """Start a job that ended without success once more, as a new job that takes what the first one has finished."""
    return await _answer(request, desk, caller, await desk.retry(caller, JobId(job_id), resume=True))


@router.put("/jobs/{job_id}/priority", operation_id="set_job_priority")
async def set_job_priority(job_id: str, asked: PriorityAsked, desk: Desk, caller: Reader) -> JobView:
    """Say anew how urgent a job is that has not ended."""
    await desk.set_priority(caller, JobId(job_id), asked.priority)
    return _view(await desk.view(caller, JobId(job_id)))


@router.get("/jobs/{job_id}/events", operation_id="list_job_events")
async def list_job_events(
    job_id: str,
    desk: Desk,
    caller: Reader,
    after: Annotated[int, Query(ge=0)] = 0,
    wait_s: Annotated[float, Query(ge=0, le=LONGEST_WAIT_S)] = 0.0,
) -> EventsView:
    """Return what has happened since event `after`; wait up to `wait_s` seconds for the next to happen."""
    found = await desk.events(caller, JobId(job_id), after, wait_s)
    events = [EventView(number=e.number, at=e.at, task=e.task, party=e.party, kind=e.kind, data=e.data) for e in found]
    return EventsView(events=events, last=events[-1].number if events else after)


@router.post("/jobs/{job_id}/cancel", operation_id="cancel_job")
async def cancel_job(job_id: str, desk: Desk, caller: Runner) -> JobView:
    """End a job at all of its parties. Any of them may."""
    await desk.cancel(caller, JobId(job_id))
    return _view(await desk.view(caller, JobId(job_id)))


@router.post("/jobs/{job_id}/archive", status_code=204, operation_id="archive_job")
def archive_job(job_id: str, database: Storage, caller: Runner) -> None:
    """Put a job that has ended away: it is listed no more, and stays as it is."""
    with database.write() as session:
        archive.archive(session, caller, JobId(job_id))


@router.post("/jobs/{job_id}/restore", status_code=204, operation_id="restore_job")
def restore_job(job_id: str, database: Storage, caller: Runner) -> None:
    """Take a job out of the archive."""
    with database.write() as session:
        archive.restore(session, caller, JobId(job_id))


@router.get("/jobs/{job_id}/consequences", operation_id="foresee_job_removal")
def foresee_job_removal(job_id: str, database: Storage, caller: Runner) -> JobConsequencesView:
    """Say what removing an ended job from this node would take with it, and what remains."""
    with database.read() as session:
        return _consequences(removal.foresee(session, caller, JobId(job_id)))


@router.delete("/jobs/{job_id}", operation_id="remove_job")
def remove_job(
    job_id: str,
    database: Storage,
    desk: Desk,
    caller: Runner,
    digest: Annotated[str, Query(max_length=64)],
) -> JobConsequencesView:
    """Remove an ended job from this node with the consequences that were shown under this digest."""
    with database.write() as session:
        seen = removal.remove(session, caller, JobId(job_id), digest, desk.is_at)
    removal.clear(database, desk.directory, seen)
    return _consequences(seen)


@router.get("/jobs/{job_id}/tasks/{task}/report", operation_id="get_report")
def get_report(job_id: str, task: str, database: Storage, caller: Reader) -> ReportView:
    """Return this party's own report of a task: its figures, tables, curves and trees."""
    with database.read() as session:
        artefact = views.find_report(session, service.see_job(session, caller, JobId(job_id)), TaskName(task))
    return ReportView.model_validate(views.read_report(artefact))


@router.get("/jobs/{job_id}/tasks/{task}/log", operation_id="get_log")
def get_log(
    job_id: str,
    task: str,
    database: Storage,
    desk: Desk,
    caller: Annotated[Caller, needs(Permission.RESULTS_DOWNLOAD)],
    attempt: Annotated[int | None, Query(ge=1, le=2**31 - 1, description="The latest if not said.")] = None,
    most_bytes: Annotated[int, Query(ge=1, le=logs.MOST_BYTES)] = 65_536,
) -> LogView:
    """Return the end of the log of one of this party's own attempts."""
    with database.read() as session:
        found = logs.find_log(session, desk.directory, caller, JobId(job_id), TaskName(task), attempt)
    return LogView(**logs.read_tail(*found, most_bytes)._asdict())


@router.get("/jobs/{job_id}/tasks/{task}/outputs/{port}", operation_id="get_output")
def get_output(job_id: str, task: str, port: str, database: Storage, caller: Reader) -> dict[str, Any]:
    """Return what a report says, or where on this machine a table or a model lies."""
    with database.read() as session:
        artefact = views.find_output(session, service.see_job(session, caller, JobId(job_id)), TaskName(task), port)
    found: dict[str, Any] = msgspec.to_builtins(artefact)
    return views.read_report(artefact) if artefact.kind == "report" else found


def _consequences(seen: removal.Consequences) -> JobConsequencesView:
    return JobConsequencesView.model_validate(msgspec.to_builtins(seen))


def _read_pipeline(raw: dict[str, Any]) -> PipelineSpec:
    try:
        return msgspec.convert(raw, PipelineSpec)
    except msgspec.ValidationError as error:
        raise fault("pipeline.invalid", str(error)) from error


def _read_part(asked: RunAsked | EstimateAsked) -> Fragment:
    if (asked.part == "all") != (asked.task == ""):
        raise fault("request.invalid", "`part` and `task` go together: only, from or to a task")
    return Fragment(asked.part, TaskName(asked.task))


def _read_wishes(asked: RunAsked) -> Wishes:
    limits = asked.time_limit_s, asked.task_time_limit_s
    return Wishes(asked.priority, *limits, fresh=asked.fresh, fragment=_read_part(asked))


async def _answer(request: Request, desk: JobDesk, caller: Caller, submission: Submission) -> Any:
    if submission.job is None or submission.problems:
        return _answer_problems(request, submission.problems)
    return _view(await desk.view(caller, submission.job.id))


def _read_time(text: str | None) -> str | None:
    return None if text is None else format_time(parse_time(text))


def _answer_problems(request: Request, problems: tuple[JobProblem, ...]) -> JSONResponse:
    told = Fault("job.rejected", problems[0].party if problems else None, "proposal", read_out(problems))
    more = {"problems": [msgspec.to_builtins(found) for found in problems]}
    return answer_fault(told, str(request.scope.get("correlation", "")), more=more)


def _view(view: views.JobView) -> JobView:
    shown = msgspec.to_builtins(view)
    shown["waiting"] = [explain(reason) for reason in view.waiting]
    return JobView.model_validate(shown)


def explain(reason: Fault) -> dict[str, Any]:
    """Return a reason with its words from the catalogue, for a `ReasonView`."""
    entry = describe(reason.code)
    return {**msgspec.to_builtins(reason), "text": entry.text, "advice": entry.advice}
