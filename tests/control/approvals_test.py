"""A partner's job waits for a person, who approves exactly what was shown; a job that was edited does not run."""

from __future__ import annotations

from collections.abc import Awaitable

import msgspec
import pytest
from sqlalchemy.orm import Session
from tests.control.conftest import Trio
from tests.control.offices import IDS, PROJECT, Office, behaving, chain, reading

from hanse.control.access.callers import LOCAL, Caller
from hanse.control.access.permissions import GROUPS
from hanse.control.approvals import rules
from hanse.control.approvals import service as approvals
from hanse.control.approvals.tables import Approval, Verdict
from hanse.control.audit import service as audit
from hanse.control.jobs import queue
from hanse.control.jobs.queue import USUAL
from hanse.control.jobs.tables import Job
from hanse.core.faults import HanseError
from hanse.core.ids import JobId, TaskName
from hanse.core.job_messages import OrderAttempt, ProposeJob, StartJob

BOB = Caller("user-bob", "bob", "user", GROUPS["approver"])


def no_rules(office: Office) -> None:
    def remove(session: Session) -> None:
        for rule in rules.list_rules(session):
            rules.remove_rule(session, LOCAL, rule.id)

    office.write(remove)


def awaited(office: Office) -> Approval:
    (found,) = office.read(lambda session: approvals.list_approvals(session, BOB, "to-decide"))
    return found


async def decide(office: Office, verdict: Verdict) -> None:
    found = awaited(office)
    office.write(lambda session: approvals.decide(session, BOB, found.id, verdict, "said so", found.digest))
    await office.desk.decided(found.subject)


async def propose(trio: Trio) -> JobId:
    submission = await trio.bank.submit(chain(data=reading(), fit=behaving({}, queries=7)))
    assert submission.job is not None
    assert submission.job.state == "proposed"
    return submission.job.id


async def test_a_job_waits_for_the_hosts_approver_and_then_runs(trio: Trio) -> None:
    no_rules(trio.telecom)
    job = await propose(trio)
    assert all(office.attempts(job, "data") == {} for office in trio)
    waiting = trio.bank.read(lambda session: queue.say_what_is_waited_for(session, session.get_one(Job, job), USUAL))
    assert [(reason.code, reason.party) for reason in waiting] == [("queue.approval", "host-1")]
    shown = awaited(trio.telecom)
    assert (shown.subject, shown.requester, shown.project) == (job, IDS["bank"], PROJECT)
    assert shown.details["uses"] == [{"task": "data", "dataset": "people", "columns": []}]
    (figure,) = shown.details["disclosure"]
    assert (figure["planned"], figure["told_before"], figure["limit"]) == (7, 0, 0.1)
    assert set(shown.details["pipeline"]["tasks"]) == {"data", "fit"}
    await decide(trio.telecom, "approve")
    assert {(await office.end(job)).state for office in trio} == {"succeeded"}


async def test_what_an_approver_rejects_ends_everywhere_and_nothing_ran(trio: Trio) -> None:
    no_rules(trio.shop)
    job = await propose(trio)
    await decide(trio.shop, "reject")
    ended = await trio.bank.end(job)
    assert ended.state == "rejected"
    assert [(problem.party, problem.message) for problem in ended.problems] == [
        ("host-2", "this party's approver has not agreed: the approval is rejected")
    ]
    assert {(await office.end(job)).state for office in trio} == {"rejected"}
    assert all(office.attempts(job, "data") == {} for office in trio)


async def test_a_house_may_want_its_own_jobs_approved_before_it_asks_anybody(trio: Trio) -> None:
    trio.bank.write(lambda session: rules.change_policy(session, LOCAL, "job", "always", 1, 24))
    job = await propose(trio)
    assert not [said for *_, said in trio.wire.said if isinstance(said, ProposeJob)]
    await decide(trio.bank, "approve")
    assert {(await office.end(job)).state for office in trio} == {"succeeded"}


@pytest.mark.parametrize("approved", [False, True])
async def test_a_job_that_is_edited_after_it_was_shown_is_void_and_nothing_runs(trio: Trio, approved: bool) -> None:
    no_rules(trio.telecom)
    no_rules(trio.shop)
    job = await propose(trio)
    if approved:
        await decide(trio.telecom, "approve")
    (said,) = {said.job: said for _, to, said in trio.wire.said if isinstance(said, ProposeJob)}.values()
    tasks = dict(said.pipeline.tasks) | chain(data=reading(), fit=behaving({}, queries=900)).tasks
    edited = msgspec.structs.replace(said, pipeline=msgspec.structs.replace(said.pipeline, tasks=tasks))
    decision = await trio.telecom.desk.consider(IDS["bank"], edited)
    assert decision.problems
    (void,) = trio.telecom.read(lambda session: approvals.list_approvals(session, BOB))
    assert void.state == "void"
    for request in (StartJob(job), OrderAttempt(job, TaskName("data"), 1)):
        await refused(trio, request)
    assert trio.telecom.attempts(job, "data") == {}
    lines = trio.telecom.read(
        lambda session: [line.actor for line in audit.lines(session) if line.action == "job.change"]
    )
    assert lines == [IDS["bank"]]


async def refused(trio: Trio, request: StartJob | OrderAttempt) -> None:
    """The telecom's desk refuses to begin, and to run an attempt that is ordered before the beginning."""
    desk, bank = trio.telecom.desk, IDS["bank"]
    if isinstance(request, StartJob):
        said: Awaitable[object] = desk.begin(bank, request.job)
    else:
        said = desk.order(bank, request.job, request.task, request.attempt)
    with pytest.raises(HanseError) as error:
        await said
    assert error.value.fault.code == "job.not_approved"


async def test_a_row_that_was_edited_after_the_approval_is_not_run(trio: Trio) -> None:
    no_rules(trio.telecom)
    job = await propose(trio)

    def edit(session: Session) -> None:
        row = session.get_one(Job, job)
        row.spec = msgspec.structs.replace(row.spec, description="something else")

    found = awaited(trio.telecom)
    trio.telecom.write(lambda session: approvals.decide(session, BOB, found.id, "approve", "", found.digest))
    trio.telecom.write(edit)
    await refused(trio, StartJob(job))
    assert trio.telecom.attempts(job, "data") == {}


async def test_a_job_that_its_guest_cancels_waits_for_nobody(trio: Trio) -> None:
    no_rules(trio.telecom)
    job = await propose(trio)
    await trio.bank.desk.cancel(LOCAL, job)
    assert (await trio.telecom.end(job)).state == "cancelled"
    assert trio.telecom.read(lambda session: approvals.list_approvals(session, BOB, "to-decide")) == []
