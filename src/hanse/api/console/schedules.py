"""Schedules: pipelines that are run at times, on days, or when a dataset has a new version."""

from datetime import date
from typing import Annotated, Any, Literal

import msgspec
from fastapi import APIRouter, Query
from pydantic import BaseModel, Field
from sqlalchemy.orm import Session

from hanse.api.console.access import needs
from hanse.api.console.jobs import LONGEST_LIMIT_S, ReasonView, explain
from hanse.api.console.parts import part
from hanse.api.console.pipelines import read_spec
from hanse.api.console.shapes import Asked
from hanse.control.access.callers import Caller
from hanse.control.access.permissions import Permission
from hanse.control.database import Database
from hanse.control.jobs.desk import JobDesk
from hanse.control.jobs.tables import NORMAL, Job
from hanse.control.schedules import service
from hanse.control.schedules.tables import Missed, Overlap, Plan, Schedule, ScheduleRun
from hanse.control.schedules.timetable import Timetable
from hanse.control.schedules.timing import MOST_DAYS, Calendar, Cron, Trigger
from hanse.core import threads
from hanse.core.faults import Fault, fault
from hanse.core.ids import PipelineId

router = APIRouter(tags=["schedules"])

Storage = Annotated[Database, part(Database)]
Desk = Annotated[JobDesk, part(JobDesk)]
Times = Annotated[Timetable, part(Timetable)]
Reader = Annotated[Caller, needs(Permission.JOBS_READ)]
Runner = Annotated[Caller, needs(Permission.JOBS_RUN)]
Limit = Annotated[int, Query(ge=1, le=1000)]
Days = Annotated[list[date], Field(max_length=MOST_DAYS)]
Zone = Annotated[str, Field(min_length=1, max_length=64, examples=["Asia/Shanghai"])]


class CronShape(Asked):
    """Five fields as cron reads them, in a time zone; not on the days `without`."""

    kind: Literal["cron"]
    expression: Annotated[str, Field(min_length=9, max_length=200, examples=["0 6 * * MON-FRI"])]
    zone: Zone = "UTC"
    without: Days = Field(default_factory=list)


class CalendarShape(Asked):
    """These days, at `at` (`HH:MM`) in a time zone; not on the days `without`."""

    kind: Literal["calendar"]
    dates: Annotated[list[date], Field(min_length=1, max_length=MOST_DAYS)]
    at: Annotated[str, Field(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")] = "00:00"
    zone: Zone = "UTC"
    without: Days = Field(default_factory=list)


class VersionShape(Asked):
    """Each new version of a dataset of this node, by name."""

    kind: Literal["version"]
    dataset: Annotated[str, Field(min_length=1, max_length=64)]


TriggerShape = Annotated[CronShape | CalendarShape | VersionShape, Field(discriminator="kind")]


class ScheduleAsked(Asked):
    """Either `pipeline`, the id of a saved one (`version`: the latest when it runs, if not said), or `spec`.

    `missed`: what becomes of times at which no node process ran; `overlap`: what happens while the job before runs.
    """

    name: Annotated[str, Field(min_length=1, max_length=200)]
    trigger: TriggerShape
    pipeline: Annotated[str | None, Field(max_length=40)] = None
    version: Annotated[int | None, Field(ge=1, le=2**31 - 1)] = None
    spec: dict[str, Any] | None = None
    missed: Missed = "once"
    most_missed: Annotated[int, Field(ge=1, le=100)] = 10
    overlap: Overlap = "skip"
    priority: Annotated[int, Field(ge=0, le=9)] = NORMAL
    time_limit_s: Annotated[int, Field(ge=0, le=LONGEST_LIMIT_S)] = 0
    task_time_limit_s: Annotated[int, Field(ge=0, le=LONGEST_LIMIT_S)] = 0


class ScheduleView(BaseModel):
    """`due_at` is the next time, null when none is known; `reason` says why the node itself has paused it."""

    id: str
    name: str
    project: str
    owner: str
    state: Literal["active", "paused"]
    reason: ReasonView | None
    trigger: TriggerShape
    pipeline: str | None
    version: int | None
    spec: dict[str, Any] | None
    missed: Missed
    most_missed: int
    overlap: Overlap
    priority: int
    time_limit_s: int
    task_time_limit_s: int
    due_at: str | None
    created_at: str


class ScheduleRunView(BaseModel):
    """What became of one due time: a `job`, or a `reason` why there is none."""

    due_at: str
    state: Literal["due", "started", "skipped", "refused"]
    job: str | None
    job_state: str | None
    reason: ReasonView | None
    noted_at: str


@router.post("/schedules", status_code=201, operation_id="create_schedule")
def create_schedule(asked: ScheduleAsked, database: Storage, desk: Desk, times: Times, caller: Runner) -> ScheduleView:
    """Have a pipeline run at times, on days, or when a dataset has a new version, as the caller may at that moment."""
    trigger, plan = _read_trigger(asked), _read_plan(asked)
    with database.write() as session:
        return _view(service.create(session, caller, asked.name, trigger, plan, rules=desk.rules, at=times.clock()))


@router.get("/schedules", operation_id="list_schedules")
def list_schedules(
    database: Storage, caller: Reader, after: Annotated[str, Query(max_length=40)] = "", limit: Limit = 100
) -> list[ScheduleView]:
    """List schedules by id; the next page follows `after`, the id of the last one of this page."""
    with database.read() as session:
        return [_view(row) for row in service.list_schedules(session, caller, after=after, limit=limit)]


@router.get("/schedules/{schedule_id}", operation_id="get_schedule")
def get_schedule(schedule_id: str, database: Storage, caller: Reader) -> ScheduleView:
    """Show a schedule."""
    with database.read() as session:
        return _view(service.see(session, caller, schedule_id))


@router.get("/schedules/{schedule_id}/runs", operation_id="list_schedule_runs")
def list_schedule_runs(
    schedule_id: str,
    database: Storage,
    caller: Reader,
    after: Annotated[str, Query(max_length=24)] = "",
    limit: Limit = 100,
) -> list[ScheduleRunView]:
    """List each time at which a schedule was due, newest first: its job, or why there is none.

    The next page follows `after`, the `due_at` of the last one of this page.
    """
    with database.read() as session:
        found = service.list_runs(session, caller, schedule_id, after=after, limit=limit)
        return [_view_run(session, run) for run in found]


@router.post("/schedules/{schedule_id}/pause", operation_id="pause_schedule")
def pause_schedule(schedule_id: str, database: Storage, caller: Runner) -> ScheduleView:
    """Have a schedule rest."""
    with database.write() as session:
        return _view(service.pause(session, caller, schedule_id))


@router.post("/schedules/{schedule_id}/resume", operation_id="resume_schedule")
def resume_schedule(schedule_id: str, database: Storage, times: Times, caller: Runner) -> ScheduleView:
    """Let a schedule go on from now."""
    with database.write() as session:
        return _view(service.resume(session, caller, schedule_id, times.clock()))


@router.post("/schedules/{schedule_id}/run", status_code=202, operation_id="run_schedule")
async def run_schedule(schedule_id: str, database: Storage, times: Times, caller: Runner) -> ScheduleRunView:
    """Start a schedule's pipeline now, as its owner; the times of the schedule stay as they are."""

    def note() -> ScheduleRunView:
        with database.write() as session:
            return _view_run(session, service.run_now(session, caller, schedule_id, times.clock()))

    run = await threads.run(note)
    times.wake()
    return run


@router.delete("/schedules/{schedule_id}", status_code=204, operation_id="remove_schedule")
def remove_schedule(schedule_id: str, database: Storage, caller: Runner) -> None:
    """Forget a schedule and its records. The jobs that it has started stay."""
    with database.write() as session:
        service.remove(session, caller, schedule_id)


def _read_trigger(asked: ScheduleAsked) -> Trigger:
    try:
        trigger: Trigger = msgspec.convert(asked.trigger.model_dump(mode="json"), Trigger)
    except msgspec.ValidationError as error:
        raise fault("schedule.invalid", str(error)) from error
    return trigger


def _read_plan(asked: ScheduleAsked) -> Plan:
    return Plan(
        None if asked.pipeline is None else PipelineId(asked.pipeline),
        asked.version,
        None if asked.spec is None else read_spec(asked.spec),
        asked.missed,
        asked.most_missed,
        asked.overlap,
        asked.priority,
        asked.time_limit_s,
        asked.task_time_limit_s,
    )


def _view(row: Schedule) -> ScheduleView:
    shown: dict[str, Any] = msgspec.to_builtins(row.plan)
    trigger = {**msgspec.to_builtins(row.trigger)}
    names = ("id", "name", "project", "owner", "state", "created_at")
    shown |= {name: getattr(row, name) for name in names}
    timed = isinstance(row.trigger, Cron | Calendar)
    shown |= {"trigger": trigger, "reason": _reason(row.reason), "due_at": (row.due_at or None) if timed else None}
    return ScheduleView.model_validate(shown)


def _view_run(session: Session, run: ScheduleRun) -> ScheduleRunView:
    job = session.get(Job, run.job) if run.state == "started" else None
    return ScheduleRunView(
        due_at=run.due_at,
        state=run.state,
        job=run.job if run.state == "started" else None,
        job_state=None if job is None else job.state,
        reason=_reason(run.reason),
        noted_at=run.noted_at,
    )


def _reason(reason: Fault | None) -> ReasonView | None:
    return None if reason is None else ReasonView.model_validate(explain(reason))
