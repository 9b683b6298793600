"""Several schedulers on one database: a job is stepped by one at a time, and a dead one is replaced."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import func, select, update
from tests.control.conftest import Trio
from tests.control.offices import IDS, PARTIES, PROJECT, behaving, chain

from hanse.control.access.callers import LOCAL
from hanse.control.database import Base, Database
from hanse.control.jobs import leases, service
from hanse.control.jobs.bell import Bell
from hanse.control.jobs.leases import LeaseLost
from hanse.control.jobs.scheduler import Scheduler
from hanse.control.jobs.shares import SILENT_S, Premises, lose_orphans
from hanse.control.jobs.tables import Attempt, Job, Workplace
from hanse.core.faults import fault
from hanse.core.ids import JobId, OrganisationId, TaskName
from hanse.core.job_messages import (
    AttemptStanding,
    Decision,
    JobReply,
    JobRequest,
    OrderAttempt,
    ProposeJob,
)
from hanse.core.planning import PipelineCheck, PlannedTask
from hanse.core.roles import GUEST
from hanse.core.specs import Limits
from hanse.core.times import later, now

JOB = JobId("job-0123456789abcdef")


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = Database(f"sqlite:///{tmp_path / 'test.db'}")
    Base.metadata.create_all(database.engine)
    spec = chain(first=behaving({}), second=behaving({}))
    plan = tuple(
        PlannedTask(name, "step", "1", tuple(PARTIES), after, {})
        for name, after in (("first", ()), ("second", ("first",)))
    )
    parties = {party: IDS[name] for party, name in PARTIES.items()}
    with database.write() as session:
        job = Job(
            id=JOB,
            name="credit",
            project=PROJECT,
            state="proposed",
            me=GUEST,
            guest=IDS["bank"],
            spec=spec,
            versions={},
            learns={},
            problems=(),
            created_at=now(),
            heard_at=now(),
            last_event=0,
            due_at="",
            lease_until="",
        )
        service.open_job(session, job, parties, PipelineCheck((), plan))
    yield database
    database.close()


class Others:
    """Hosts that accept everything; each order is counted, and `ended` says how their attempts are."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.orders: list[tuple[OrganisationId, str, int]] = []
        self.proposals = 0
        self.gate: asyncio.Event | None = None
        self.asked = asyncio.Event()

    async def ask(self, organisation: OrganisationId, request: JobRequest, *, timeout_s: float) -> JobReply:
        self.asked.set()
        if self.gate is not None:
            await self.gate.wait()
        match request:
            case ProposeJob():
                self.proposals += 1
                return Decision()
            case OrderAttempt(_, task, attempt):
                self.orders.append((organisation, task, attempt))
                return AttemptStanding("succeeded")
        raise fault("peer.unreachable", "asked for something else")

    def reaches(self, _organisation: OrganisationId) -> bool:
        return True

    def round_trip_s(self, _organisation: OrganisationId) -> float:
        return 0.0

    async def order_own(self, job: JobId, task: TaskName, number: int, _source: JobId | None = None) -> AttemptStanding:
        def succeed() -> None:
            with self.database.write() as session:
                row = session.get_one(Attempt, (job, task, number, GUEST))
                row.state = "succeeded"
                service.wake(service.get_job(session, job))

        await asyncio.to_thread(succeed)
        self.orders.append((IDS["bank"], task, number))
        return AttemptStanding("succeeded")


async def settle(_: JobId) -> None: ...


def make(database: Database, others: Others, owner: str) -> Scheduler:
    return Scheduler(database, others, others.order_own, settle, Bell(), owner=owner, release="1")


def read_job(database: Database) -> Job:
    with database.read() as session:
        return service.get_job(session, JOB)


def make_due(database: Database) -> None:
    with database.write() as session:
        service.wake(service.get_job(session, JOB))


async def test_schedulers_that_take_turns_order_each_attempt_once(database: Database) -> None:
    others = Others(database)
    schedulers = [make(database, others, f"scheduler-{n}") for n in range(2)]
    for turn in range(40):
        make_due(database)
        await schedulers[turn % 2].step_due()
        if read_job(database).state == "succeeded":
            break
    assert read_job(database).state == "succeeded"
    assert sorted(others.orders) == sorted((IDS[n], task, 1) for n in PARTIES.values() for task in ("first", "second"))
    assert others.proposals == 2


async def test_schedulers_that_run_at_once_bring_the_job_to_its_end(database: Database) -> None:
    others = Others(database)
    schedulers = [make(database, others, f"scheduler-{n}") for n in range(3)]
    for scheduler in schedulers:
        scheduler.start()
    async with asyncio.timeout(60):
        while read_job(database).state != "succeeded":
            await schedulers[0].step_due()
    for scheduler in schedulers:
        await scheduler.close()
    assert sorted(others.orders) == sorted((IDS[n], task, 1) for n in PARTIES.values() for task in ("first", "second"))


async def test_a_job_that_is_being_stepped_is_not_taken_by_another(database: Database) -> None:
    others = Others(database)
    others.gate = asyncio.Event()
    first, second = make(database, others, "scheduler-1"), make(database, others, "scheduler-2")
    stepping = asyncio.create_task(first.step_due())
    await others.asked.wait()
    make_due(database)
    assert await second.step_due() is None
    others.gate.set()
    assert await stepping == JOB
    assert await second.step_due() == JOB


async def test_a_dead_scheduler_loses_its_lease_and_what_it_says_later_is_not_written(database: Database) -> None:
    others = Others(database)
    others.gate = asyncio.Event()
    dead = make(database, others, "scheduler-1")
    stepping = asyncio.create_task(dead.step_due())
    await others.asked.wait()
    with database.write() as session:
        session.execute(update(Job).values(lease_until=later(-1)))
    fresh = Others(database)
    next_one = make(database, fresh, "scheduler-2")
    assert await next_one.step_due() == JOB
    others.gate.set()
    await stepping
    assert fresh.proposals == 2
    for _ in range(20):
        make_due(database)
        await next_one.step_due()
    assert read_job(database).state == "succeeded"
    with database.read() as session:
        assert session.scalar(select(func.count()).select_from(Attempt)) == 6


def test_only_the_holder_may_write(database: Database) -> None:
    with database.write() as session:
        assert leases.take(session, "scheduler-1") == JOB
        assert leases.take(session, "scheduler-2") is None
        leases.hold(session, JOB, "scheduler-1")
        with pytest.raises(LeaseLost):
            leases.hold(session, JOB, "scheduler-2")


def test_a_lease_that_has_run_out_is_lost_even_to_its_own_holder(database: Database) -> None:
    with database.write() as session:
        leases.take(session, "scheduler-1")
        service.get_job(session, JOB).lease_until = later(-1)
        with pytest.raises(LeaseLost):
            leases.hold(session, JOB, "scheduler-1")
        assert leases.take(session, "scheduler-2") == JOB


def test_a_job_rests_after_a_step_unless_something_has_woken_it(database: Database) -> None:
    with database.write() as session:
        leases.take(session, "scheduler-1")
        leases.release(session, JOB, "scheduler-1", pause_s=60)
        assert leases.take(session, "scheduler-1") is None
        service.wake(service.get_job(session, JOB))
        assert leases.take(session, "scheduler-1") == JOB
        service.wake(service.get_job(session, JOB))
        leases.release(session, JOB, "scheduler-1", pause_s=60)
        assert leases.take(session, "scheduler-1") == JOB


async def test_a_scheduler_that_closes_gives_its_jobs_back_at_once(trio: Trio) -> None:
    job = await trio.bank.run(chain(only=behaving({"always": "hang"}, GUEST)))
    await trio.bank.close()
    row = trio.bank.read(lambda session: service.get_job(session, job))
    assert (row.lease_owner, row.lease_until) == (None, "")
    await trio.bank.open()
    await trio.bank.desk.cancel(LOCAL, job)
    assert (await trio.shop.end(job)).state == "cancelled"


async def test_attempts_of_a_process_that_lives_elsewhere_are_given_up_only_when_it_is_silent(trio: Trio) -> None:
    job = await trio.bank.run(chain(only=behaving({"1": "hang"}, *PARTIES)))
    await trio.bank.wait(job, trio.bank.is_running(job, "only", 1))
    elsewhere = Premises("scheduler-else", trio.bank.directory / "elsewhere", Path("socket"), Limits())
    assert trio.bank.write(lambda session: lose_orphans(session, elsewhere)) == []
    assert trio.bank.attempts(job, "only") == {1: "running"}
    silent = update(Workplace).where(Workplace.owner != elsewhere.owner).values(seen_at=later(-SILENT_S - 1))
    trio.bank.write(lambda session: session.execute(silent))
    assert trio.bank.write(lambda session: lose_orphans(session, elsewhere)) == []  # a process of another place
    assert trio.bank.attempts(job, "only") == {1: "lost"}
    assert (await trio.bank.end(job)).state == "succeeded"
