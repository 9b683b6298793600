"""Runs what is due. Any number of node processes may: a due time is noted once, and started by who holds its lease."""

import asyncio
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import NamedTuple

import structlog
from sqlalchemy import func, or_, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, aliased

from hanse.control.access.callers import LOCAL, NODE, Caller
from hanse.control.admission.gate import Clock, caller_of, utc
from hanse.control.database import Database
from hanse.control.datasets.tables import Dataset, DatasetVersion
from hanse.control.jobs.desk import JobDesk
from hanse.control.jobs.states import has_ended
from hanse.control.jobs.tables import Job
from hanse.control.jobs.wishes import Wishes
from hanse.control.notifications import service as notifications
from hanse.control.schedules import service
from hanse.control.schedules.tables import RunState, Schedule, ScheduleRun
from hanse.control.schedules.timing import NewVersion, last_due, next_due
from hanse.control.users.tables import User
from hanse.core import threads
from hanse.core.faults import Fault, HanseError
from hanse.core.ids import JobId, new_id
from hanse.core.job_messages import read_out
from hanse.core.specs import PipelineSpec
from hanse.core.times import format_time, parse_time

LOOK_S = 5.0

LATE_S = 300.0
"""A time that is longer ago than this was missed: no process was there for it."""

LEASE_S = 180.0
"""How long a process may take to start a job; longer than a proposal waits for planner and parties."""

MOST_RECORDED = 100
"""How many missed times of one schedule are recorded, the latest ones: a minute's cron may have slept for a year."""

MOST_WAITING = 100
"""How many runs of one schedule wait for the one before it; further ones are skipped."""

AT_ONCE = 8

log = structlog.get_logger()


class Order(NamedTuple):
    """A job to be started now, and those of the same schedule to be cancelled before."""

    run: ScheduleRun
    caller: Caller
    spec: PipelineSpec
    wishes: Wishes
    earlier: tuple[JobId, ...]


class Timetable:
    """The schedules of one node process."""

    def __init__(self, database: Database, desk: JobDesk, clock: Clock = utc) -> None:
        self._database = database
        self._desk = desk
        self._clock = clock
        self._owner = new_id("timetable")
        self._woken = asyncio.Event()

    @property
    def clock(self) -> Clock:
        return self._clock

    def wake(self) -> None:
        """Look at once."""
        self._woken.set()

    async def run(self) -> None:
        """Start what is due, until cancelled."""
        while True:
            self._woken.clear()
            try:
                await self.step()
            except HanseError as error:
                log.error("schedules.step", fault=str(error))
            try:
                await asyncio.wait_for(self._woken.wait(), LOOK_S)
            except TimeoutError:
                continue

    async def step(self) -> None:
        """Note all that is due, and start it."""
        at = self._clock()
        if await threads.run(self._is_quiet, at):
            return
        await asyncio.gather(*map(self._start, await threads.run(self._take, at)))

    def _is_quiet(self, at: datetime) -> bool:
        """Say that there is nothing to do, without keeping anybody from writing."""
        with self._database.read() as session:
            due = select(ScheduleRun.due_at).where(ScheduleRun.state == "due").limit(1)
            return not _list_due(session, at) and session.scalar(due) is None

    def _take(self, at: datetime) -> list[Order]:
        with self._database.write() as session:
            for row in _list_due(session, at, lock=True):
                _note_due(session, row, at)
        with self._database.write() as session:
            found = (self._consider(session, run, at) for run in _list_free(session, at))
            return [order for order in found if order is not None]

    def _consider(self, session: Session, run: ScheduleRun, at: datetime) -> Order | None:
        """Lease a due run and say what to start; or say why not, or let it wait."""
        row = session.get_one(Schedule, run.schedule)
        if session.get(Job, run.job) is not None:  # who leased it before has died after it had started the job
            run.state = "started"
            return None
        caller = _owner_of(session, row)
        if caller is None:
            service.pause(session, NODE, row.id, Fault("schedule.owner", cause=f"{row.owner} is disabled or gone"))
            _settle(run, "refused", Fault("schedule.owner"))
            return None
        earlier = _list_open(session, run)
        if earlier and row.plan.overlap == "skip":
            _settle(run, "skipped", Fault("schedule.overlap", cause=f"{', '.join(earlier)} has not ended"))
        if earlier and row.plan.overlap != "cancel":
            return None
        try:
            spec = service.spec_of(session, caller, row.plan)
        except HanseError as error:
            _settle(run, "refused", error.fault)
            return None
        run.lease_owner, run.lease_until = self._owner, format_time(at + timedelta(seconds=LEASE_S))
        return Order(run, caller, spec, service.wishes_of(row.plan, run.job), earlier)

    async def _start(self, order: Order) -> None:
        reason: Fault | None = None
        try:
            for job in order.earlier:
                await self._desk.cancel(order.caller, job)
            submission = await self._desk.submit(order.caller, order.spec, order.wishes)
            if submission.job is None:
                reason = Fault("job.rejected", submission.problems[0].party, "", read_out(submission.problems))
        except HanseError as error:
            reason = error.fault
        except IntegrityError:  # another process that held the lease before has just opened that very job
            log.info("schedule.taken", job=order.run.job)
        await threads.run(self._conclude, order.run, reason)

    def _conclude(self, run: ScheduleRun, reason: Fault | None) -> None:
        with self._database.write() as session:
            found = session.get(ScheduleRun, (run.schedule, run.due_at))
            if found is None or found.state != "due":
                return
            if session.get(Job, found.job) is not None:
                found.state = "started"
            else:
                _settle(found, "refused", reason or Fault("internal"))


def _list_due(session: Session, at: datetime, *, lock: bool = False) -> list[Schedule]:
    newer = select(Dataset.id).where(Dataset.id == Schedule.dataset, Dataset.version > Schedule.seen).exists()
    timed = (Schedule.due_at != "") & (Schedule.due_at <= format_time(at))
    query = select(Schedule).where(Schedule.state == "active", or_(timed, newer)).order_by(Schedule.id)
    return list(session.scalars(query.with_for_update(skip_locked=True) if lock else query))


def _list_free(session: Session, at: datetime) -> list[ScheduleRun]:
    """Return the oldest due run of each active schedule of which nobody is starting one."""
    other = aliased(ScheduleRun)
    leased = select(other.due_at).where(other.schedule == Schedule.id, other.state == "due")
    leased = leased.where(other.lease_until >= format_time(at))
    query = (
        select(ScheduleRun)
        .join(Schedule, Schedule.id == ScheduleRun.schedule)
        .where(ScheduleRun.state == "due", Schedule.state == "active", ~leased.exists())
        .order_by(ScheduleRun.due_at, ScheduleRun.schedule)
        .with_for_update(skip_locked=True)
    )
    first: dict[str, ScheduleRun] = {}
    for run in session.scalars(query):
        first.setdefault(run.schedule, run)
    return list(first.values())[:AT_ONCE]


def _note_due(session: Session, row: Schedule, at: datetime) -> None:
    """Note each time at which a schedule was due until now, and when it is due next."""
    moments = _moments(session, row, at)
    late = [moment for moment in moments if (at - moment).total_seconds() > LATE_S]
    most = {"skip": 0, "once": 1, "all": row.plan.most_missed}[row.plan.missed]
    if row.plan.missed == "once" and len(late) < len(moments):
        most = 0  # the one that is due now stands for those before it
    wanted = sorted([moment for moment in moments if moment not in late] + late[:most])
    room = max(MOST_WAITING - _count_waiting(session, row), 0)
    for moment in wanted[:room]:
        service.note(session, row, moment, "due", at=at)
    for moment in wanted[room:]:
        service.note(session, row, moment, "skipped", Fault("schedule.overlap"), at=at)
    for moment in late[most:]:
        service.note(session, row, moment, "skipped", Fault("schedule.missed"), at=at)
    if late[most:]:
        words = {"name": row.name, "due": format_time(late[most])}
        notifications.tell(session, "schedule.missed", to=[row.owner], link=f"/schedules/{row.id}", words=words)


def _moments(session: Session, row: Schedule, at: datetime) -> list[datetime]:
    """Return when a schedule was due, newest first, and set what is next."""
    if isinstance(row.trigger, NewVersion):
        versions = select(DatasetVersion).where(DatasetVersion.dataset == row.dataset, DatasetVersion.number > row.seen)
        found = session.scalars(versions.order_by(DatasetVersion.number.desc()).limit(MOST_RECORDED)).all()
        row.seen = max([row.seen, *(version.number for version in found)])
        return [parse_time(version.created_at) for version in found]
    moments = last_due(row.trigger, parse_time(row.due_at), at, MOST_RECORDED)
    following = next_due(row.trigger, at)
    row.due_at = "" if following is None else format_time(following)
    return moments


def _owner_of(session: Session, row: Schedule) -> Caller | None:
    """Return the owner of a schedule with what it may do now; None when it is disabled or gone."""
    if row.owner == LOCAL.id:
        return LOCAL
    user = session.get(User, row.owner)
    return None if user is None or user.state != "active" else caller_of(session, user)


def _list_open(session: Session, run: ScheduleRun) -> tuple[JobId, ...]:
    """Return the jobs of the same schedule that have not ended."""
    query = (
        select(Job)
        .join(ScheduleRun, ScheduleRun.job == Job.id)
        .where(ScheduleRun.schedule == run.schedule, ScheduleRun.due_at != run.due_at)
    )
    jobs: Iterable[Job] = session.scalars(query.where(Job.state.in_(("proposed", "running"))).order_by(Job.created_at))
    return tuple(job.id for job in jobs if not has_ended(job))


def _count_waiting(session: Session, row: Schedule) -> int:
    query = select(func.count()).where(ScheduleRun.schedule == row.id, ScheduleRun.state == "due")
    return session.scalar(query) or 0


def _settle(run: ScheduleRun, state: RunState, reason: Fault) -> None:
    run.state, run.reason = state, reason
