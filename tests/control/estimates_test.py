"""Estimates over three desks: what the model says, what a run taught, what approvers and time limits make of it."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from sqlalchemy import select
from tests.control.conftest import Trio
from tests.control.offices import Counters, Office, behaving, chain, reading
from tests.databases import open_new

from hanse.control.access.callers import LOCAL
from hanse.control.approvals.tables import Approval
from hanse.control.database import Database
from hanse.control.estimates import service as estimates
from hanse.control.estimates.service import USUAL_BYTES_S, Link
from hanse.control.estimates.tables import Expectation, Measure
from hanse.control.jobs.wishes import ENOUGH, Wishes
from hanse.core.costs import Cost, Figures
from hanse.core.estimates import Estimate
from hanse.core.ids import JobId, OrganisationId, TaskName
from hanse.core.planning import CheckPipeline, DescribeCatalogue, PipelineCheck, PlannedTask
from hanse.core.roles import GUEST, PartyId, host

COST = Cost(seconds=8.0, bytes_sent=5, bytes_received=40, memory_bytes=1 << 20, sums={host(1): 7})
MACHINE = "a processor, portable, 1 threads"


def priced(answer: bytes) -> bytes:
    """Return the planner's answer with the same cost for every task."""
    check = msgspec.msgpack.decode(answer, type=PipelineCheck)
    costs = {task.name: COST for task in check.tasks}
    return msgspec.msgpack.encode(msgspec.structs.replace(check, costs=costs, machine=MACHINE))


@pytest.fixture
def models(monkeypatch: pytest.MonkeyPatch) -> None:
    ask = Counters.ask

    async def ask_with_costs(self: Counters, question: bytes, *, timeout_s: float = 30.0) -> bytes:
        answer = await ask(self, question, timeout_s=timeout_s)
        asked = msgspec.msgpack.decode(question, type=DescribeCatalogue | CheckPipeline)
        return priced(answer) if isinstance(asked, CheckPipeline) else answer

    monkeypatch.setattr(Counters, "ask", ask_with_costs)


def expected(office: Office, job: JobId) -> Estimate:
    found = office.read(lambda session: estimates.find(session, job))
    assert found is not None
    return found


@pytest.mark.usefixtures("models")
async def test_a_run_teaches_the_next_estimate_and_every_party_learns_from_its_own(trio: Trio) -> None:
    spec = chain(first=behaving({}), second=behaving({}))
    before, problems = await trio.bank.desk.estimate(LOCAL, spec)
    assert problems == ()
    assert before is not None
    assert (before.history, before.machine, before.sums) == (0, MACHINE, {host(1): 14})
    assert before.bytes_sent.likely == 10
    job = await trio.bank.run(spec)
    assert (await trio.bank.end(job)).state == "succeeded"
    for office in (trio.bank, trio.telecom):
        await office.end(job)
        assert expected(office, job).history == 0
        rows = office.read(lambda session: list(session.scalars(select(Measure).where(Measure.job == job))))
        assert {row.task for row in rows} == {"first", "second"}
        for row in rows:
            assert row.measured is not None
            assert (row.measured.bytes_sent, row.measured.bytes_received) == (10, 20)
    after, _ = await trio.bank.desk.estimate(LOCAL, spec)
    assert after is not None
    assert after.history == 2
    assert after.bytes_sent.likely == pytest.approx(20)  # 10 bytes for each of two tasks, where the model says 5
    assert after.bytes_received.likely == pytest.approx(40)
    assert after.bytes_sent.most / after.bytes_sent.least < before.bytes_sent.most / before.bytes_sent.least


@pytest.mark.usefixtures("models")
async def test_asking_for_an_estimate_leaves_nothing_behind(trio: Trio) -> None:
    await trio.bank.desk.estimate(LOCAL, chain(only=behaving({})))
    assert trio.bank.read(lambda session: list(session.scalars(select(Expectation)))) == []
    assert trio.wire.said == []


@pytest.mark.usefixtures("models")
async def test_the_approver_of_a_partner_sees_what_the_job_takes_at_his_own_node(trio: Trio) -> None:
    job = await trio.bank.run(chain(data=reading(), only=behaving({})))
    await trio.bank.end(job)
    approval = trio.telecom.read(lambda session: session.scalar(select(Approval).where(Approval.subject == job)))
    assert approval is not None
    told = msgspec.convert(approval.details["estimate"], Estimate)
    assert told.party == host(1)
    assert [task.task for task in told.tasks] == ["data", "only"]
    assert told.sums == {host(1): 14}


@pytest.mark.usefixtures("models")
async def test_a_job_that_takes_longer_than_it_may_is_refused_by_measurements_alone(trio: Trio) -> None:
    spec = chain(only=behaving({}))
    limited = Wishes(time_limit_s=60)
    submission = await trio.bank.desk.submit(LOCAL, spec, limited)
    assert submission.problems == ()
    assert submission.job is not None
    await trio.bank.end(submission.job.id)
    with trio.bank.database.write() as session:
        key = estimates.Key("step", False, GUEST, MACHINE)
        for number in range(ENOUGH):
            row = Measure(job=JobId(f"old-{number}"), task=TaskName("only"), **key._asdict(), modelled=Figures(8.0))
            row.measured, row.measured_at = Figures(8_000.0), "9999"
            session.add(row)
    refused = await trio.bank.desk.submit(LOCAL, spec, limited)
    assert refused.job is None
    (problem,) = refused.problems
    assert "may take 60 s" in problem.message
    assert (await trio.bank.desk.submit(LOCAL, spec)).problems == ()


@pytest.mark.usefixtures("models")
async def test_what_is_reused_takes_nothing(trio: Trio) -> None:
    spec = chain(data=reading(), only=behaving({}))
    job = await trio.bank.run(spec)
    await trio.bank.end(job)
    for office in (trio.telecom, trio.shop):
        await office.end(job)
    again, _ = await trio.bank.desk.estimate(LOCAL, spec, Wishes(fresh=False))
    assert again is not None
    assert all(task.reused for task in again.tasks)
    assert again.seconds.most == 0.0


def near_by(_party: PartyId) -> Link:
    return Link()


def planned(name: str, *after: str) -> PlannedTask:
    return PlannedTask(name, "step", "1.0.0", (GUEST, host(1)), after, {})


@pytest.fixture
def database(tmp_path: Path) -> Database:
    return open_new(tmp_path)


def test_the_longest_chain_is_the_likely_time_and_a_round_trip_is_a_part_of_it(database: Database) -> None:
    tasks = (planned("a"), planned("b", "a"), planned("c", "a"))
    costs = {"a": Cost(seconds=1.0), "b": Cost(seconds=2.0, round_trips=10), "c": Cost(seconds=5.0)}
    check = PipelineCheck((), tasks, costs=costs, machine=MACHINE)
    with database.read() as session:
        near = estimates.foresee(session, GUEST, check, (), near_by).estimate
        far = estimates.foresee(session, GUEST, check, (), lambda _: Link(round_trip_s=0.5)).estimate
        rest = estimates.foresee(session, GUEST, check, {TaskName("a")}, near_by).estimate
    assert near.seconds.likely == pytest.approx(6.0)
    assert near.seconds.most == pytest.approx(sum(task.seconds.most for task in near.tasks))
    assert far.seconds.likely == pytest.approx(1.0 + 7.0)
    assert rest.seconds.likely == pytest.approx(5.0)


def test_history_is_of_one_component_role_and_machine_and_the_oldest_is_forgotten(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(estimates, "KEPT", 3)
    check = PipelineCheck((), (planned("a"),), costs={"a": COST}, machine=MACHINE)
    for number in range(6):
        monkeypatch.setattr(estimates, "now", lambda number=number: f"2026-01-0{number + 1}T00:00:00.000Z")
        with database.write() as session:
            job = JobId(f"job-{number}")
            estimates.keep(session, job, estimates.foresee(session, GUEST, check, (), near_by))
            estimates.measure(session, job, TaskName("a"), Figures(16.0, 10, 40, 1 << 20))
            estimates.measure(session, job, TaskName("a"), Figures(1e9, 1, 1, 1))  # a later attempt changes nothing
    with database.read() as session:
        assert {row.job for row in session.scalars(select(Measure))} == {"job-3", "job-4", "job-5"}
        same = estimates.foresee(session, GUEST, check, (), near_by).estimate
        other = estimates.foresee(session, GUEST, msgspec.structs.replace(check, machine="b"), (), near_by)
        role = estimates.foresee(session, host(1), check, (), near_by)
    assert (same.history, other.estimate.history, role.estimate.history) == (3, 0, 0)
    assert same.seconds.likely == pytest.approx(16.0, rel=0.01)


def test_the_slowest_link_decides_and_is_what_was_measured_last(database: Database) -> None:
    cost = Cost(seconds=1.0, bytes_sent=10_000_000, bytes_received=15_000_000)
    check = PipelineCheck((), (planned("a"),), costs={"a": cost}, machine=MACHINE)
    partner = OrganisationId("f" * 32)

    def expect() -> float:
        with database.read() as session:
            rate = estimates.rate_to(session, partner)
            return estimates.foresee(session, GUEST, check, (), lambda _: Link(rate)).estimate.seconds.likely

    assert expect() == pytest.approx(1.0 + 25e6 / USUAL_BYTES_S)
    for measured in (1e6, 5e6, 0.0):  # a check that carried nothing says nothing
        with database.write() as session:
            estimates.note_rate(session, partner, measured)
    assert expect() == pytest.approx(1.0 + 5.0)
