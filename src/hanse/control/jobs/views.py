"""Jobs as data for whoever looks at them: this party's own side in full, the others' as far as it is known here."""

from operator import attrgetter
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from hanse.control.estimates import service as estimates
from hanse.control.grants.service import resolve
from hanse.control.jobs import service, spending
from hanse.control.jobs.decisions import ATTEMPTS
from hanse.control.jobs.lineage import all_datasets_of
from hanse.control.jobs.remaining import Pace, longest_left, seconds_left
from hanse.control.jobs.states import has_ended
from hanse.control.jobs.tables import Attempt, Job, JobEvent, Task
from hanse.core.estimates import Estimate
from hanse.core.faults import Fault, HanseError, fault
from hanse.core.ids import JobId, TaskName
from hanse.core.job_messages import JobProblem
from hanse.core.roles import GUEST, PartyId
from hanse.core.specs import Artefact
from hanse.core.times import now, parse_time


class AttemptView(msgspec.Struct, frozen=True):
    """One try of this party's own. `bytes_*` are by peer; while it runs, the figures are the latest sample's."""

    number: int
    state: str
    ordered_at: str
    started_at: str | None
    ended_at: str | None
    seconds: float
    cpu_seconds: float
    peak_memory_bytes: int
    bytes_sent: dict[PartyId, int]
    bytes_received: dict[PartyId, int]
    fault: Fault | None


class TaskView(msgspec.Struct, frozen=True):
    """One task. Seconds, memory, bytes, digests, outputs and `attempts` are this party's own.

    Of other parties `others` says how their latest attempt is, as far as this node is told. A task is tried
    `most_attempts` times when processes or nodes die. `reused_from` is the job that made its outputs, when
    it was not run.
    """

    name: str
    component: str
    version: str
    state: str
    parties: tuple[PartyId, ...]
    attempt: int
    most_attempts: int
    attempts: tuple[AttemptView, ...]
    others: dict[PartyId, str]
    progress: dict[str, Any] | None
    started_at: str | None
    ended_at: str | None
    seconds: float | None
    cpu_seconds: float
    peak_memory_bytes: int | None
    bytes_sent: dict[PartyId, int]
    bytes_received: dict[PartyId, int]
    digests: dict[str, str]
    outputs: dict[str, Artefact]
    fault: Fault | None
    reused_from: JobId | None = None
    seconds_left: float | None = None


class DisclosureView(msgspec.Struct, frozen=True):
    """How many exact sums of one of this party's datasets the guest has been told, and how many it may be."""

    dataset: str
    guest: str
    used: int
    limit: float
    ceiling: int


class UseView(msgspec.Struct, frozen=True):
    """What this party's attempts of a job used, all together; bytes by peer, the largest memory of one attempt."""

    cpu_seconds: float = 0.0
    peak_memory_bytes: int = 0
    bytes_sent: dict[PartyId, int] = {}
    bytes_received: dict[PartyId, int] = {}


class JobView(msgspec.Struct, frozen=True):
    """A job; `learns` and what follows are empty in a list.

    `waiting` says what keeps it from going on, `started_by` who started it here, nothing for a partner's job.
    `pipeline` is the saved pipeline that it runs, `fragment` which part of it ("only boost"), nothing for the whole.
    """

    id: JobId
    name: str
    state: str
    role: PartyId
    guest: str
    project: str
    parties: dict[PartyId, str]
    created_at: str
    started_at: str | None
    ended_at: str | None
    fault: Fault | None
    problems: tuple[JobProblem, ...]
    cancel_asked_at: str | None
    started_by: str
    priority: int
    waiting: tuple[Fault, ...]
    retry_of: JobId | None
    time_limit_s: int
    task_time_limit_s: int
    archived_at: str | None
    pipeline: str | None = None
    pipeline_version: int | None = None
    fragment: str = ""
    retried_as: tuple[JobId, ...] = ()
    learns: dict[str, dict[str, list[str]]] = {}
    tasks: tuple[TaskView, ...] = ()
    used: UseView = UseView()
    disclosure: tuple[DisclosureView, ...] = ()
    estimate: Estimate | None = None
    seconds_left: float | None = None


def view_job(session: Session, directory: Path, job: Job) -> JobView:
    """Return all that this node knows of a job. `directory` is the node's."""
    attempts = _attempts_by_task(session, job)
    own = sorted(
        (row for rows in attempts.values() for row in rows if row.party == job.me), key=attrgetter("ordered_at")
    )
    progress = _progress_by_task(session, job)
    tasks = service.tasks_of(session, job.id)
    estimate = estimates.find(session, job.id)
    paces = _view_paces(job, tasks, attempts, progress, estimate)
    retries = select(Job.id).where(Job.retry_of == job.id).order_by(Job.created_at)
    return msgspec.structs.replace(
        outline_job(job),
        fault=_explain(job.fault, own),
        learns=_view_learns(job),
        tasks=tuple(
            msgspec.structs.replace(
                _view_task(job, task, attempts.get(task.name, []), progress.get(task.name)),
                seconds_left=_round(seconds_left(paces[task.name])) if task.state in ("waiting", "running") else None,
            )
            for task in tasks
        ),
        disclosure=_view_disclosure(session, directory, job),
        used=_add_use(own),
        estimate=estimate,
        seconds_left=_round(longest_left(paces, paces)) if job.state == "running" else None,
        retried_as=tuple(session.scalars(retries)),
    )


def outline_job(job: Job) -> JobView:
    """Return a job as a line of a list."""
    return JobView(
        id=job.id,
        name=job.name,
        state=job.state,
        role=job.me,
        guest=job.spec.parties[GUEST],
        project=job.project,
        parties=job.spec.parties,
        created_at=job.created_at,
        started_at=job.started_at,
        ended_at=job.ended_at,
        fault=job.fault,
        problems=job.problems,
        cancel_asked_at=job.cancel_asked_at,
        started_by=job.owner,
        priority=job.priority,
        waiting=job.waiting,
        retry_of=job.retry_of,
        time_limit_s=job.time_limit_s,
        task_time_limit_s=job.task_time_limit_s,
        archived_at=job.archived_at,
        pipeline=job.pipeline,
        pipeline_version=job.pipeline_version,
        fragment=job.fragment,
    )


def find_output(session: Session, job: Job, task: TaskName, port: str) -> Artefact:
    """Return this party's part of an output. Raises `job.no_output`."""
    service.get_task(session, job.id, task)
    kept = service.kept_attempt(session, job.id, task, job.me)
    if kept is None or port not in kept.outputs:
        raise fault("job.no_output", f"task {task} of job {job.id} has no output {port} at this party")
    return kept.outputs[port]


def find_report(session: Session, job: Job, task: TaskName) -> Artefact:
    """Return this party's report of a task, whatever its port. Raises `job.no_output`."""
    service.get_task(session, job.id, task)
    kept = service.kept_attempt(session, job.id, task, job.me)
    outputs = {} if kept is None else kept.outputs
    report = next((found for found in outputs.values() if found.kind == "report"), None)
    if report is None:
        raise fault("job.no_output", f"task {task} of job {job.id} has no report at this party")
    return report


def read_report(artefact: Artefact) -> dict[str, Any]:
    """Return what a report says. Raises `artefact.damaged`."""
    try:
        said: dict[str, Any] = msgspec.json.decode((Path(artefact.path) / "report.json").read_bytes(), type=dict)
    except (OSError, msgspec.DecodeError) as error:
        raise fault("artefact.damaged", f"the report cannot be read: {error}") from error
    return said


def _attempts_by_task(session: Session, job: Job) -> dict[TaskName, list[Attempt]]:
    found: dict[TaskName, list[Attempt]] = {}
    query = select(Attempt).where(Attempt.job == job.id).order_by(Attempt.number, Attempt.party)
    for row in session.scalars(query):
        found.setdefault(row.task, []).append(row)
    return found


def _progress_by_task(session: Session, job: Job) -> dict[TaskName, dict[str, Any]]:
    """Return the latest progress that this party's attempts have told of each task."""
    mine = (JobEvent.job == job.id, JobEvent.party == job.me, JobEvent.kind == "progress")
    latest = select(func.max(JobEvent.number)).where(*mine).group_by(JobEvent.task)
    query = select(JobEvent.task, JobEvent.data).where(*mine, JobEvent.number.in_(latest))
    return {task: {name: data[name] for name in ("done", "total", "note")} for task, data in session.execute(query)}


def _view_task(job: Job, task: Task, rows: list[Attempt], progress: dict[str, Any] | None) -> TaskView:
    own = [row for row in rows if row.party == job.me]
    kept = next((row for row in reversed(own) if row.state == "succeeded"), None)
    latest = kept or (own[-1] if own else None)
    return TaskView(
        name=task.name,
        component=task.component,
        version=task.version,
        state=task.state,
        parties=task.parties,
        attempt=task.attempt,
        most_attempts=ATTEMPTS,
        attempts=tuple(_view_attempt(row) for row in own),
        others={row.party: row.state for row in rows if row.party != job.me},
        progress=progress,
        started_at=task.started_at,
        ended_at=task.ended_at,
        seconds=_measure_seconds(task),
        cpu_seconds=sum(row.cpu_seconds for row in own),
        peak_memory_bytes=None if latest is None else latest.peak_memory_bytes or None,
        bytes_sent=_add_up([row.bytes_sent for row in own]),
        bytes_received=_add_up([row.bytes_received for row in own]),
        digests={} if latest is None else latest.digests,
        outputs={} if kept is None else kept.outputs,
        fault=_explain(task.fault, own) or _own_fault(own),
        reused_from=None if kept is None else kept.reused_from,
    )


def _view_paces(
    job: Job,
    tasks: list[Task],
    attempts: dict[TaskName, list[Attempt]],
    progress: dict[TaskName, dict[str, Any]],
    estimate: Estimate | None,
) -> dict[str, Pace]:
    """Return how each task goes, in the order of the plan; a try that runs counts from its own beginning."""
    expected = {} if estimate is None else {one.task: one.seconds.likely or None for one in estimate.tasks}
    moment = parse_time(now())

    def pace(task: Task) -> Pace:
        running = [
            row.started_at for row in attempts.get(task.name, []) if row.party == job.me and row.state == "running"
        ]
        since = next((at for at in running if at), task.started_at)
        elapsed_s = None if since is None else max((moment - parse_time(since)).total_seconds(), 0.0)
        said = progress.get(task.name) or {}
        steps = int(said.get("done", 0)), int(said.get("total", 0))
        return Pace(has_ended(task), tuple(task.after), elapsed_s, *steps, expected.get(task.name))

    return {task.name: pace(task) for task in tasks}


def _round(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 1)


def _view_attempt(row: Attempt) -> AttemptView:
    return AttemptView(**{name: getattr(row, name) for name in AttemptView.__struct_fields__})


def _add_use(own: list[Attempt]) -> UseView:
    return UseView(
        sum(row.cpu_seconds for row in own),
        max((row.peak_memory_bytes for row in own), default=0),
        _add_up([row.bytes_sent for row in own]),
        _add_up([row.bytes_received for row in own]),
    )


def _explain(told: Fault | None, own: list[Attempt]) -> Fault | None:
    """Return a fault with the cause that this party's own attempts know: what a host hears of the guest has none."""
    if told is None or told.cause:
        return told
    mine = next((row.fault for row in reversed(own) if row.fault is not None and row.fault.code == told.code), told)
    return msgspec.structs.replace(told, cause=mine.cause, remedy=mine.remedy)


def _own_fault(own: list[Attempt]) -> Fault | None:
    """What ended this party's latest attempt badly: at a host the guest tells the code, its own row says why."""
    return own[-1].fault if own and own[-1].state == "failed" else None


def _measure_seconds(task: Task) -> float | None:
    if task.started_at is None:
        return None
    return (parse_time(task.ended_at or now()) - parse_time(task.started_at)).total_seconds()


def _add_up(counts: list[dict[PartyId, int]]) -> dict[PartyId, int]:
    parties = {party for count in counts for party in count}
    return {party: sum(count.get(party, 0) for count in counts) for party in sorted(parties)}


def _view_learns(job: Job) -> dict[str, dict[str, list[str]]]:
    found: dict[str, dict[str, list[str]]] = {}
    for task, lines in job.learns.items():
        for line in lines:
            found.setdefault(task, {}).setdefault(line.role, []).append(line.text)
    return found


def _view_disclosure(session: Session, directory: Path, job: Job) -> tuple[DisclosureView, ...]:
    if job.me == GUEST:
        return ()  # nobody tells a guest of its own data
    found = []
    for name in all_datasets_of(job.spec, job.me):
        try:
            use = resolve(session, directory, name, job.project, now())
        except HanseError:
            continue  # taken back since: nothing more can be told, and what was told is in the counter
        used = spending.used(session, use.snapshot.dataset.id, job.guest)
        limit = use.grant.disclosure_limit
        most = spending.ceiling(use.snapshot.version.rows, limit)
        found.append(DisclosureView(use.snapshot.dataset.name, job.spec.parties[GUEST], used, limit, most))
    return tuple(found)
