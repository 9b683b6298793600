"""Each clause of a grant, and how somebody might get round it: the node that owns the data holds to it."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest
from sqlalchemy.orm import Session
from tests.control.conftest import Trio
from tests.control.offices import IDS, PARTIES, Office, behaving, chain, reading

from hanse.control.access.callers import LOCAL
from hanse.control.grants import enforcement
from hanse.control.grants.tables import Grant, GrantUse
from hanse.core.clauses import Clauses
from hanse.core.ids import JobId, TaskName
from hanse.core.roles import host
from hanse.core.specs import AttemptSpec, PipelineSpec, TaskSpec, Terms
from hanse.core.times import later, now

HANG = behaving({"always": "hang"}, *PARTIES)


def put(office: Office, **clauses: Any) -> None:
    """Set clauses of the office's grant."""

    def write(session: Session) -> None:
        session.get_one(Grant, office.grant).clauses = Clauses(**clauses)

    office.write(write)


def count(office: Office) -> int:
    return office.read(lambda session: enforcement.used(session, office.grant))


async def finish(trio: Trio, spec: PipelineSpec) -> tuple[str, str]:
    """Run a job; return its state and the code of its fault, the same at all parties."""
    job = await trio.bank.run(spec)
    found = {(row.state, row.fault.code if row.fault else "") for row in [await office.end(job) for office in trio]}
    (one,) = found
    return one


async def refuse(trio: Trio, spec: PipelineSpec) -> str:
    """Propose a job that telecom refuses; return its words."""
    (problem,) = (await trio.bank.submit(spec)).problems
    assert problem.party == "host-1"
    return problem.message


async def test_a_grant_of_three_uses_is_not_used_a_fourth_time(trio: Trio) -> None:
    put(trio.telecom, uses=3)
    for number in (1, 2, 3):
        assert await finish(trio, chain(data=reading(), align=behaving({}))) == ("succeeded", "")
        assert count(trio.telecom) == number
    assert "3 of 3 uses of 'people' are spent" in await refuse(trio, chain(data=reading()))
    assert count(trio.telecom) == 3


async def test_tries_and_tasks_of_one_job_are_one_use(trio: Trio) -> None:
    put(trio.telecom, uses=1)
    spec = chain(data=behaving({"1": "die", "2": "die"}, host(1), component="dataset"), fit=behaving({}))
    spec.tasks[TaskName("data")].settings["dataset"] = "people"
    assert await finish(trio, spec) == ("succeeded", "")
    assert count(trio.telecom) == 1


async def test_of_two_jobs_that_were_accepted_for_the_last_use_one_runs(trio: Trio) -> None:
    put(trio.telecom, uses=1)
    first, second = await asyncio.gather(*(trio.bank.run(chain(data=reading())) for _ in range(2)))
    states = [(await trio.bank.end(job)) for job in (first, second)]
    assert sorted(row.state for row in states) == ["failed", "succeeded"]
    (fault,) = [row.fault for row in states if row.fault]
    assert (fault.code, fault.party, fault.step, fault.cause) == ("grant.uses", "host-1", "data", "")
    assert count(trio.telecom) == 1


async def test_a_restarted_node_counts_no_use_again(trio: Trio) -> None:
    put(trio.telecom, uses=1)
    job = await trio.bank.run(chain(data=reading(), fit=behaving({"1": "hang"}, host(1))))
    await trio.telecom.wait(job, trio.telecom.is_running(job, "fit", 1))
    await trio.telecom.close()
    await trio.telecom.open()
    assert (await trio.bank.end(job)).state == "succeeded"
    assert count(trio.telecom) == 1


async def test_a_rate_holds_within_its_window_and_not_beyond(trio: Trio) -> None:
    put(trio.telecom, rate=1, window="hour")
    assert await finish(trio, chain(data=reading())) == ("succeeded", "")
    assert "1 times within the last hour" in await refuse(trio, chain(data=reading()))

    def age(session: Session) -> None:
        for use in session.query(GrantUse):
            use.at = later(-3601)

    trio.telecom.write(age)
    assert await finish(trio, chain(data=reading())) == ("succeeded", "")


@pytest.mark.parametrize("task", ["step", "late"])
async def test_a_component_that_is_not_allowed_is_refused_wherever_the_data_reach_it(trio: Trio, task: str) -> None:
    put(trio.telecom, components=("psi",))
    later_task = {"step": behaving({}), "late": behaving({}, component="late")}
    spec = chain(data=reading(), align=behaving({}, component="psi"), **{task: later_task[task]})
    assert f"does not allow {task}; it allows psi" in await refuse(trio, spec)
    assert await finish(trio, chain(data=reading(), align=behaving({}, component="psi"))) == ("succeeded", "")


@pytest.mark.parametrize(
    ("components", "fits", "applies"),
    [
        ((), True, True),
        (("boost",), True, False),
        (("boost", "predict"), True, True),
        (("psi", "predict"), False, False),
        (("predict:boost",), False, True),
        (("predict:psi",), False, False),
    ],
)
def test_to_apply_a_model_takes_the_word_and_its_own_component(
    components: tuple[str, ...], fits: bool, applies: bool
) -> None:
    clauses = Clauses(components=components)
    assert (clauses.allows("boost", apply=False), clauses.allows("boost", apply=True)) == (fits, applies)


async def test_another_guest_is_refused(trio: Trio) -> None:
    put(trio.telecom, organisations=(IDS["shop"],))
    assert "for other organisations" in await refuse(trio, chain(data=reading()))
    put(trio.telecom, organisations=(IDS["bank"],))
    assert await finish(trio, chain(data=reading())) == ("succeeded", "")


async def test_a_grant_that_runs_out_between_proposal_and_start_ends_the_job(trio: Trio) -> None:
    job = await trio.bank.run(chain(first=behaving({"1": "hang"}, host(1)), data=reading()))
    await trio.telecom.wait(job, trio.telecom.is_running(job, "first", 1))

    def expire(session: Session) -> None:
        session.get_one(Grant, trio.telecom.grant).until = now()

    trio.telecom.write(expire)
    await trio.telecom.close()
    await trio.telecom.open()
    row = await trio.bank.end(job)
    assert row.fault is not None
    assert (row.fault.code, row.fault.party, row.fault.step) == ("grant.over", "host-1", "data")
    assert count(trio.telecom) == 0
    assert "ended at" in await refuse(trio, chain(data=reading()))


async def start(trio: Trio) -> JobId:
    job = await trio.bank.run(chain(data=reading(), fit=HANG))
    for office in trio:
        await office.wait(job, office.is_running(job, "fit", 1))
    return job


async def test_revocation_in_the_middle_ends_the_job_at_all_parties_and_names_the_clause(trio: Trio) -> None:
    job = await start(trio)
    trio.telecom.revoke()
    await trio.telecom.desk.enforce()
    rows = [await office.end(job) for office in trio]
    for row in rows:
        assert row.fault is not None
        assert (row.state, row.fault.code, row.fault.party, row.fault.step) == (
            "failed",
            "grant.missing",
            "host-1",
            "fit",
        )
    assert rows[0].fault is not None
    assert rows[0].fault.cause == "", "partners hear party, step and code"
    assert (await trio.telecom.desk.view(LOCAL, job)).fault.cause == "'people' is not granted to this project"  # type: ignore[union-attr]


async def test_a_changed_grant_ends_only_jobs_that_it_no_longer_covers(trio: Trio) -> None:
    covered = await start(trio)
    put(trio.telecom, uses=1, components=("step",))
    await trio.telecom.desk.enforce()
    assert trio.telecom.attempts(covered, "fit") == {1: "running"}
    put(trio.telecom, components=("psi",))
    await trio.telecom.desk.enforce()
    row = await trio.bank.end(covered)
    assert row.fault is not None
    assert row.fault.code == "grant.component"


async def test_minimums_reach_the_attempt_and_nobody_elses(trio: Trio) -> None:
    put(trio.telecom, minimum_group=50, minimum_intersection=100)
    job = await start(trio)

    def terms(office: Office) -> Terms:
        task = (office.directory / "jobs" / job / "fit" / "1" / "task.json").read_bytes()
        return msgspec.json.decode(task, type=AttemptSpec).terms

    assert (terms(trio.telecom), terms(trio.shop)) == (Terms(50, 100), Terms())
    await trio.bank.desk.cancel(LOCAL, job)


async def test_a_column_that_was_taken_back_is_not_read_by_a_later_task(trio: Trio) -> None:
    spec = chain(data=TaskSpec("dataset", {"dataset": "people", "columns": ["a"]}), fit=behaving({}))
    assert (await trio.bank.submit(spec)).problems == ()

    def narrow(session: Session) -> None:
        session.get_one(Grant, trio.telecom.grant).columns = ("b",)

    trio.telecom.write(narrow)
    assert "a of dataset 'people'" in await refuse(trio, spec)
