"""Make schedules, look at them, pause and end them."""

from datetime import datetime
from typing import Any

from sqlalchemy import Select, delete, select
from sqlalchemy.orm import Session

from hanse.control.access.callers import Caller, visible
from hanse.control.access.permissions import Permission
from hanse.control.audit import service as audit
from hanse.control.datasets.tables import Dataset
from hanse.control.jobs.queue import Rules
from hanse.control.jobs.wishes import Wishes, check_wishes
from hanse.control.pipelines import service as pipelines
from hanse.control.projects import service as projects
from hanse.control.schedules.tables import Plan, RunState, Schedule, ScheduleRun
from hanse.control.schedules.timing import NewVersion, Trigger, demand_sound, next_due
from hanse.core.faults import Fault, fault
from hanse.core.ids import JobId, new_id
from hanse.core.specs import PipelineSpec
from hanse.core.times import format_time


def create(
    session: Session, caller: Caller, name: str, trigger: Trigger, plan: Plan, *, rules: Rules, at: datetime
) -> Schedule:
    """Add a schedule, which begins at once. Raises `schedule.invalid`, and what keeps the caller from such a job."""
    spec = spec_of(session, caller, plan)
    project = projects.find_for(session, caller, Permission.JOBS_RUN, spec.project).id
    check_wishes(caller, wishes_of(plan), rules)
    row = Schedule(
        id=new_id("schedule"),
        name=name,
        project=project,
        owner=caller.person,
        trigger=trigger,
        plan=plan,
        state="active",
        due_at="",
        seen=0,
        created_at=format_time(at),
    )
    if isinstance(trigger, NewVersion):
        row.dataset = _dataset(session, caller, trigger.dataset).id
    else:
        demand_sound(trigger, at)
    _begin(session, row, at)
    session.add(row)
    session.flush()
    audit.append(session, caller.id, "schedule.create", row.id, name=name, project=project)
    return row


def list_schedules(session: Session, caller: Caller, *, after: str = "", limit: int = 100) -> list[Schedule]:
    """Return the schedules that the caller may see, by id, from the one after `after` on."""
    return list(session.scalars(_visible(caller).where(Schedule.id > after).order_by(Schedule.id).limit(limit)))


def see(session: Session, caller: Caller, schedule: str) -> Schedule:
    """Return a schedule that the caller may see. Raises `schedule.unknown`."""
    return _see(session, caller, schedule)


def list_runs(
    session: Session, caller: Caller, schedule: str, *, after: str = "", limit: int = 100
) -> list[ScheduleRun]:
    """Return what became of the times at which a schedule was due, newest first, from before `after` on."""
    query = select(ScheduleRun).where(ScheduleRun.schedule == _see(session, caller, schedule).id)
    query = query.where(ScheduleRun.due_at < after) if after else query
    return list(session.scalars(query.order_by(ScheduleRun.due_at.desc()).limit(limit)))


def pause(session: Session, caller: Caller, schedule: str, reason: Fault | None = None) -> Schedule:
    """Have a schedule rest. What was due and has not started yet is not started."""
    row = _touch(session, caller, schedule)
    if row.state == "active":
        row.state, row.reason = "paused", reason
        told = {} if reason is None else {"code": reason.code}
        audit.append(session, caller.id, "schedule.pause", row.id, name=row.name, **told)
    return row


def resume(session: Session, caller: Caller, schedule: str, at: datetime) -> Schedule:
    """Let a schedule go on from now; what was due while it rested is not made up for."""
    row = _touch(session, caller, schedule)
    if row.state == "paused":
        row.state, row.reason = "active", None
        _begin(session, row, at)
        audit.append(session, caller.id, "schedule.resume", row.id, name=row.name)
    return row


def run_now(session: Session, caller: Caller, schedule: str, at: datetime) -> ScheduleRun:
    """Note that a schedule is due now, whatever it says itself. Raises `schedule.paused`."""
    row = _touch(session, caller, schedule)
    if row.state == "paused":
        raise fault("schedule.paused", f"{row.name!r} is paused")
    run = note(session, row, at, "due", at=at)
    audit.append(session, caller.id, "schedule.run", row.id, name=row.name, job=run.job)
    return run


def remove(session: Session, caller: Caller, schedule: str) -> None:
    """Forget a schedule and its records. The jobs that it has started stay."""
    row = _touch(session, caller, schedule)
    audit.append(session, caller.id, "schedule.remove", row.id, name=row.name)
    session.execute(delete(ScheduleRun).where(ScheduleRun.schedule == row.id))
    session.delete(row)


def note(
    session: Session, row: Schedule, due: datetime, state: RunState, reason: Fault | None = None, *, at: datetime
) -> ScheduleRun:
    """Note that a schedule was due, once; return the record."""
    known = session.get(ScheduleRun, (row.id, format_time(due)))
    if known is not None:
        return known
    run = ScheduleRun(
        schedule=row.id,
        due_at=format_time(due),
        job=JobId(new_id("job")),
        state=state,
        reason=reason,
        noted_at=format_time(at),
        lease_until="",
    )
    session.add(run)
    session.flush()
    return run


def spec_of(session: Session, caller: Caller, plan: Plan) -> PipelineSpec:
    """Return the pipeline that a plan runs now, as this caller may read it."""
    if plan.spec is not None and plan.pipeline is None:
        return plan.spec
    if plan.spec is not None or plan.pipeline is None:
        raise fault("schedule.invalid", "name a saved pipeline, or say a pipeline: one of both")
    saved = pipelines.find(session, caller, plan.pipeline, plan.version)
    if saved.pipeline.archived_at is not None:
        raise fault("pipeline.archived", f"{saved.pipeline.name!r} is archived")
    return saved.version.spec


def wishes_of(plan: Plan, job: JobId | None = None) -> Wishes:
    """Return what a plan asks of its jobs."""
    return Wishes(plan.priority, plan.time_limit_s, plan.task_time_limit_s, job=job)


def _begin(session: Session, row: Schedule, at: datetime) -> None:
    if isinstance(row.trigger, NewVersion):
        dataset = session.get(Dataset, row.dataset)
        row.seen = 0 if dataset is None else dataset.version
        return
    due = next_due(row.trigger, at)
    row.due_at = "" if due is None else format_time(due)


def _dataset(session: Session, caller: Caller, name: str) -> Dataset:
    query = visible(select(Dataset), caller, Permission.DATASETS_READ, owner=Dataset.owner)
    found: Dataset | None = session.scalar(query.where(Dataset.name == name, Dataset.deleted_at.is_(None)))
    if found is None:
        raise fault("dataset.unknown", f"this node has no dataset {name!r}")
    return found


def _visible(caller: Caller) -> Select[Any]:
    return visible(select(Schedule), caller, Permission.JOBS_READ, owner=Schedule.owner, project=Schedule.project)


def _see(session: Session, caller: Caller, schedule: str, *, lock: bool = False) -> Schedule:
    query = _visible(caller).where(Schedule.id == schedule)
    row: Schedule | None = session.scalar(query.with_for_update() if lock else query)
    if row is None:
        raise fault("schedule.unknown", f"there is no schedule {schedule!r}")
    return row


def _touch(session: Session, caller: Caller, schedule: str) -> Schedule:
    """Return a schedule that the caller may change: its owner, or who may run everybody's jobs.

    It acts with its owner's permissions, so that a colleague in the project may look at it, and no more.
    """
    row = _see(session, caller, schedule, lock=True)
    caller.demand(Permission.JOBS_RUN, owner=row.owner)
    return row
