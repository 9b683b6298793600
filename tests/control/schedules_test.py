"""Schedules over real desks: due times become jobs once, or a record says why not."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session
from tests.control.conftest import Trio
from tests.control.offices import PROJECT, Office, behaving, chain

from hanse.control.access.callers import LOCAL, Caller
from hanse.control.access.permissions import Permission
from hanse.control.audit import service as audit
from hanse.control.datasets.tables import Dataset, DatasetVersion
from hanse.control.jobs import service as jobs
from hanse.control.jobs.queue import USUAL
from hanse.control.jobs.tables import Job
from hanse.control.notifications.tables import Notification
from hanse.control.pipelines import service as pipelines
from hanse.control.schedules import service, timetable
from hanse.control.schedules.tables import Plan, Schedule, ScheduleRun
from hanse.control.schedules.timetable import Timetable
from hanse.control.schedules.timing import Cron, NewVersion, Trigger
from hanse.control.users import groups
from hanse.control.users.tables import GroupUser, ProjectPerson, User
from hanse.core.faults import HanseError, fault
from hanse.core.roles import GUEST
from hanse.core.times import format_time

NOON = datetime(2026, 11, 23, 12, 0, 30, tzinfo=UTC)
HOURLY = Cron("0 * * * *")
ANN = Caller(
    "user-ann",
    "ann",
    "user",
    {Permission.JOBS_READ: "own", Permission.JOBS_RUN: "own", Permission.PIPELINES_READ: "own"},
    frozenset({PROJECT}),
)
COLLEAGUE = msgspec.structs.replace(ANN, id="user-bob", name="bob")
STRANGER = msgspec.structs.replace(ANN, id="user-eve", name="eve", projects=frozenset())


class Clock:
    """A clock that is put forward by hand."""

    def __init__(self) -> None:
        self.at = NOON

    def __call__(self) -> datetime:
        return self.at

    def forward(self, **by: float) -> None:
        self.at += timedelta(**by)


def plan(behave: dict[str, str] | None = None, **how: Any) -> Plan:
    return Plan(spec=chain(only=behaving(behave or {}, GUEST)), **how)


def make(office: Office, plan: Plan, trigger: Trigger = HOURLY, caller: Caller = LOCAL, at: datetime = NOON) -> str:
    def create(session: Session) -> str:
        return service.create(session, caller, "nightly", trigger, plan, rules=USUAL, at=at).id

    return office.write(create)


def runs(office: Office, schedule: str) -> list[tuple[str, str, str | None]]:
    """Return (hour, state, code) of each record, oldest first."""
    found = office.read(lambda session: service.list_runs(session, LOCAL, schedule))
    return [(run.due_at[11:16], run.state, None if run.reason is None else run.reason.code) for run in reversed(found)]


def jobs_of(office: Office, schedule: str) -> list[Job]:
    found = office.read(lambda session: service.list_runs(session, LOCAL, schedule))
    rows = [office.read(lambda session, run=run: session.get(Job, run.job)) for run in reversed(found)]  # type: ignore[misc]
    return [row for row in rows if row is not None]


def hire(office: Office, group: str = "modeller") -> None:
    def add(session: Session) -> None:
        groups.plant(session)
        session.add(
            User(
                id=ANN.id,
                name="ann",
                email="",
                state="active",
                password=None,
                must_change=False,
                totp=None,
                totp_since=None,
                totp_step=0,
                created_at=format_time(NOON),
            )
        )
        session.flush()
        session.add_all((GroupUser(group=group, user=ANN.id), ProjectPerson(project=PROJECT, user=ANN.id)))

    office.write(add)


def disable(office: Office) -> None:
    office.write(lambda session: setattr(session.get_one(User, ANN.id), "state", "disabled"))


async def test_what_is_due_runs_once_however_many_processes_look(trio: Trio) -> None:
    clock, bank = Clock(), trio.bank
    one, other = Timetable(bank.database, bank.desk, clock), Timetable(bank.database, bank.desk, clock)
    schedule = make(bank, plan())
    await one.step()
    assert runs(bank, schedule) == []
    clock.forward(hours=1)
    await one.step()
    await other.step()
    assert runs(bank, schedule) == [("13:00", "started", None)]
    (job,) = jobs_of(bank, schedule)
    assert (await bank.end(job.id)).state == "succeeded"
    clock.forward(hours=1)
    await other.step()
    assert len(jobs_of(bank, schedule)) == len(bank.read(lambda session: jobs.list_jobs(session, LOCAL))) == 2


async def test_a_run_whose_process_died_is_taken_over_and_never_twice(
    trio: Trio, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, bank = Clock(), trio.bank
    schedule = make(bank, plan())
    clock.forward(hours=1)
    dying = Timetable(bank.database, bank.desk, clock)
    (order,) = dying._take(clock())  # leased, and then nothing more is heard of that process
    heir = Timetable(bank.database, bank.desk, clock)
    await heir.step()
    assert runs(bank, schedule) == [("13:00", "due", None)]
    clock.forward(seconds=timetable.LEASE_S + 1)
    await heir.step()
    assert runs(bank, schedule) == [("13:00", "started", None)]
    await dying._start(order)  # it was only slow: the database has that job already
    assert len(bank.read(lambda session: jobs.list_jobs(session, LOCAL))) == 1
    assert runs(bank, schedule) == [("13:00", "started", None)]


@pytest.mark.parametrize(
    ("missed", "expected"),
    [
        ("skip", ["skipped"] * 4),
        ("once", ["skipped"] * 3 + ["started"]),
        ("all", ["skipped", "skipped", "started", "started"]),
    ],
)
async def test_missed_times_are_made_up_for_as_the_schedule_says(trio: Trio, missed: Any, expected: list[str]) -> None:
    clock, bank = Clock(), trio.bank
    schedule = make(bank, plan(missed=missed, most_missed=2, overlap="queue"))
    clock.forward(hours=4, minutes=30)
    times = Timetable(bank.database, bank.desk, clock)
    for _ in range(3):
        await times.step()
        for job in jobs_of(bank, schedule):
            await bank.end(job.id)
    found = runs(bank, schedule)
    assert [state for _, state, _ in found] == expected
    assert {code for _, state, code in found if state == "skipped"} == {"schedule.missed"}
    of_missed = select(Notification.link).where(Notification.kind == "schedule.missed")
    assert bank.read(lambda session: session.scalars(of_missed).all()) == [f"/schedules/{schedule}"]
    assert bank.read(lambda session: session.get_one(Schedule, schedule).due_at) == "2026-11-23T17:00:00.000Z"


async def test_a_run_is_skipped_while_the_one_before_goes_on(trio: Trio) -> None:
    clock, bank = Clock(), trio.bank
    schedule = make(bank, plan({"always": "hang"}))
    times = Timetable(bank.database, bank.desk, clock)
    for _ in range(2):
        clock.forward(hours=1)
        await times.step()
    assert runs(bank, schedule) == [("13:00", "started", None), ("14:00", "skipped", "schedule.overlap")]
    (job,) = jobs_of(bank, schedule)
    await bank.desk.cancel(LOCAL, job.id)
    await bank.end(job.id)


async def test_a_run_waits_for_the_one_before_or_cancels_it(trio: Trio) -> None:
    clock, bank = Clock(), trio.bank
    waiting = make(bank, plan({"always": "hang"}, overlap="queue"))
    times = Timetable(bank.database, bank.desk, clock)
    for _ in range(2):
        clock.forward(hours=1)
        await times.step()
    assert runs(bank, waiting) == [("13:00", "started", None), ("14:00", "due", None)]
    (first,) = jobs_of(bank, waiting)
    await bank.desk.cancel(LOCAL, first.id)
    await bank.end(first.id)
    await times.step()
    assert runs(bank, waiting)[1] == ("14:00", "started", None)
    bank.write(lambda session: setattr(session.get_one(Schedule, waiting), "plan", plan(overlap="cancel")))
    clock.forward(hours=1)
    await times.step()
    _, second, third = jobs_of(bank, waiting)
    assert (await bank.end(second.id)).state == "cancelled"
    assert (await bank.end(third.id)).state == "succeeded"


async def test_a_new_version_of_a_dataset_starts_a_job_for_each(trio: Trio) -> None:
    clock, bank = Clock(), trio.bank
    schedule = make(bank, plan(), NewVersion("people"))
    times = Timetable(bank.database, bank.desk, clock)
    await times.step()
    assert runs(bank, schedule) == []

    def refresh(session: Session) -> None:
        row = session.query(Dataset).one()
        old = session.get_one(DatasetVersion, (row.id, row.version))
        row.version += 1
        session.add(
            DatasetVersion(
                dataset=row.id,
                number=row.version,
                path=old.path,
                sha256="1" * 64,
                rows=old.rows,
                schema=old.schema,
                source=old.source,
                created_at=format_time(clock()),
            )
        )

    bank.write(refresh)
    await times.step()
    await times.step()
    assert runs(bank, schedule) == [("12:00", "started", None)]
    with pytest.raises(HanseError) as unseen:
        make(bank, plan(), NewVersion("people"), ANN)
    assert unseen.value.fault.code == "dataset.unknown"


async def test_a_saved_pipeline_runs_in_its_latest_version(trio: Trio) -> None:
    clock, bank = Clock(), trio.bank
    spec = chain(only=behaving({}, GUEST))
    saved = bank.write(lambda session: pipelines.create(session, LOCAL, spec).pipeline)
    schedule = make(bank, Plan(pipeline=saved.id))
    later = msgspec.structs.replace(spec, description="better")
    bank.write(lambda session: pipelines.save(session, LOCAL, saved.id, later, 1))
    times = Timetable(bank.database, bank.desk, clock)
    clock.forward(hours=1)
    await times.step()
    (job,) = jobs_of(bank, schedule)
    assert (await bank.end(job.id)).spec.description == "better"
    bank.write(lambda session: pipelines.archive(session, LOCAL, saved.id))
    clock.forward(hours=1)
    await times.step()
    assert runs(bank, schedule)[1] == ("14:00", "refused", "pipeline.archived")


async def test_it_does_what_its_owner_may_do_at_that_moment(trio: Trio) -> None:
    clock, bank = Clock(), trio.bank
    hire(bank)
    schedule = make(bank, plan(), caller=ANN)
    times = Timetable(bank.database, bank.desk, clock)
    clock.forward(hours=1)
    await times.step()
    (job,) = jobs_of(bank, schedule)
    assert job.owner == ANN.id
    await bank.end(job.id)
    bank.write(lambda session: session.delete(session.get_one(GroupUser, ("modeller", ANN.id))))
    clock.forward(hours=1)
    await times.step()
    assert runs(bank, schedule)[1] == ("14:00", "refused", "access.denied")
    disable(bank)
    clock.forward(hours=1)
    await times.step()
    found = bank.read(lambda session: service.see(session, LOCAL, schedule))
    assert (found.state, found.reason and found.reason.code) == ("paused", "schedule.owner")
    clock.forward(hours=1)
    await times.step()
    assert len(runs(bank, schedule)) == 3
    assert len(jobs_of(bank, schedule)) == 1


async def test_a_party_that_cannot_take_part_refuses_the_run(trio: Trio, monkeypatch: pytest.MonkeyPatch) -> None:
    clock, bank = Clock(), trio.bank
    schedule = make(bank, plan())

    async def refuse(*_: object) -> None:
        raise fault("planner.away", "it is starting")

    monkeypatch.setattr(bank.desk, "submit", refuse)
    clock.forward(hours=1)
    await Timetable(bank.database, bank.desk, clock).step()
    assert runs(bank, schedule) == [("13:00", "refused", "planner.away")]


def denied(code: str, deed: Callable[[], object]) -> None:
    with pytest.raises(HanseError) as refused:
        deed()
    assert refused.value.fault.code == code


async def test_who_may_see_and_change_a_schedule(trio: Trio) -> None:
    bank = trio.bank
    schedule = make(bank, plan(), caller=ANN)
    for caller, code in ((STRANGER, "schedule.unknown"), (COLLEAGUE, "access.denied")):
        denied(code, lambda caller=caller: bank.write(lambda session: service.pause(session, caller, schedule)))  # type: ignore[misc]
        denied(code, lambda caller=caller: bank.write(lambda session: service.remove(session, caller, schedule)))  # type: ignore[misc]
        denied(code, lambda caller=caller: bank.write(lambda session: service.run_now(session, caller, schedule, NOON)))  # type: ignore[misc]
    assert bank.read(lambda session: service.list_schedules(session, STRANGER)) == []
    assert len(bank.read(lambda session: service.list_schedules(session, COLLEAGUE))) == 1
    denied("project.unknown", lambda: make(bank, plan(), caller=STRANGER))
    denied("access.denied", lambda: make(bank, plan(priority=9), caller=ANN))
    denied("schedule.invalid", lambda: make(bank, Plan()))


async def test_paused_and_resumed_by_hand_run_and_removed_each_with_one_audit_line(trio: Trio) -> None:
    clock, bank = Clock(), trio.bank
    schedule = make(bank, plan())
    times = Timetable(bank.database, bank.desk, clock)
    bank.write(lambda session: service.pause(session, LOCAL, schedule))
    bank.write(lambda session: service.pause(session, LOCAL, schedule))
    clock.forward(hours=2)
    await times.step()
    denied("schedule.paused", lambda: bank.write(lambda session: service.run_now(session, LOCAL, schedule, clock())))
    bank.write(lambda session: service.resume(session, LOCAL, schedule, clock()))
    await times.step()
    assert runs(bank, schedule) == []
    bank.write(lambda session: service.run_now(session, LOCAL, schedule, clock()))
    await times.step()
    (job,) = jobs_of(bank, schedule)
    await bank.end(job.id)
    bank.write(lambda session: service.remove(session, LOCAL, schedule))
    assert bank.read(lambda session: session.query(ScheduleRun).count()) == 0
    assert bank.read(lambda session: session.get(Job, job.id)) is not None
    said = [line.action for line in bank.read(audit.lines) if line.action.startswith("schedule.")]
    assert said == [f"schedule.{verb}" for verb in ("create", "pause", "resume", "run", "remove")]
