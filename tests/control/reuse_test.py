"""Results of earlier jobs in place of runs: taken where every party has them and nothing changed, else run again."""

from __future__ import annotations

import shutil
from typing import Any

import msgspec
import pytest
from sqlalchemy.orm import Session
from tests.control.conftest import Trio
from tests.control.offices import PARTIES, PROJECT, Office, behaving, chain, reading

from hanse.control.access.callers import LOCAL, Caller
from hanse.control.access.permissions import Permission
from hanse.control.datasets.tables import DatasetVersion
from hanse.control.grants import enforcement
from hanse.control.grants.tables import Grant
from hanse.control.jobs import service
from hanse.control.jobs.desk import Submission
from hanse.control.jobs.fragments import Fragment
from hanse.control.jobs.tables import Spending
from hanse.control.jobs.wishes import Wishes
from hanse.control.models import service as models
from hanse.core.clauses import Clauses
from hanse.core.faults import HanseError
from hanse.core.ids import JobId, TaskName
from hanse.core.job_messages import OrderAttempt
from hanse.core.roles import GUEST, host
from hanse.core.specs import PipelineSpec, TaskSpec

AGAIN = Wishes(fresh=False)
FITS: dict[str, Any] = {"makes": {"model": "model", "table": "table"}}


def pipeline(**fit: Any) -> PipelineSpec:
    return chain(data=reading(), align=behaving({}), fit=behaving({}, **FITS, **fit), judge=behaving({}))


def part(kind: Any, task: str, **wishes: Any) -> Wishes:
    return Wishes(fresh=False, fragment=Fragment(kind, TaskName(task)), **wishes)


async def finish(trio: Trio, spec: PipelineSpec, wishes: Wishes = AGAIN) -> JobId:
    """Run a job to its success at every party."""
    submission = await trio.bank.desk.submit(LOCAL, spec, wishes)
    return await succeed(trio, submission)


async def succeed(trio: Trio, submission: Submission) -> JobId:
    assert submission.problems == ()
    assert submission.job is not None
    for office in trio:
        row = await office.end(submission.job.id)
        assert row.state == "succeeded", row.fault
    return submission.job.id


async def taken(office: Office, job: JobId) -> dict[str, str]:
    """Return the tasks that were not run at a party, and which job had made what they have."""
    view = await office.desk.view(LOCAL, job)
    assert all(task.state == "succeeded" for task in view.tasks)
    return {task.name: task.reused_from for task in view.tasks if task.reused_from is not None}


def opened(office: Office) -> int:
    """Return how many processes the office has started."""
    return len(office.gateway.opened)


async def test_the_same_again_starts_no_process_anywhere_and_has_the_results(trio: Trio) -> None:
    first = await finish(trio, pipeline())
    before = [opened(office) for office in trio]
    second = await finish(trio, pipeline())
    assert [opened(office) for office in trio] == before
    for office in trio:
        assert await taken(office, second) == dict.fromkeys(("data", "align", "fit", "judge"), first)
        old, new = [(await office.desk.view(LOCAL, job)).tasks[2].outputs for job in (first, second)]
        assert {port: made.sha256 for port, made in new.items()} == {port: made.sha256 for port, made in old.items()}
        assert all(second in made.path for made in new.values())
        assert [model.id for model in office.read(lambda s: models.list_models(s, LOCAL))] == [
            models.name_model(first, TaskName("fit"))
        ]


async def test_results_outlive_the_job_that_made_them_and_are_reused_from_it_still(trio: Trio) -> None:
    first = await finish(trio, pipeline())
    second = await finish(trio, pipeline())
    for office in trio:
        shutil.rmtree(office.directory / "jobs" / first)
    third = await finish(trio, pipeline())
    assert await taken(trio.shop, third) == dict.fromkeys(("data", "align", "fit", "judge"), first)
    (made,) = (await trio.shop.desk.view(LOCAL, third)).tasks[3].outputs.values()
    assert third in made.path
    assert second not in made.path


async def test_fresh_runs_everything(trio: Trio) -> None:
    await finish(trio, pipeline())
    assert await taken(trio.bank, await finish(trio, pipeline(), Wishes(fresh=True))) == {}


async def test_other_settings_are_run_and_what_follows_from_another_result(trio: Trio) -> None:
    first = await finish(trio, pipeline())
    makes: dict[str, Any] = {"makes": {"model": "report", "table": "table"}}
    other = chain(data=reading(), align=behaving({}), fit=behaving({}, **makes), judge=behaving({}))
    second = await finish(trio, other)
    for office in trio:
        assert await taken(office, second) == {"data": first, "align": first}


async def test_settings_of_one_party_are_settings_of_the_task_at_all(trio: Trio) -> None:
    first = await finish(trio, pipeline())
    spec = pipeline()
    spec.tasks[TaskName("align")] = msgspec.structs.replace(
        spec.tasks[TaskName("align")], party_settings={host(2): {"behave": {"1": "well"}}}
    )
    assert await taken(trio.bank, await finish(trio, spec)) == {"data": first}


async def test_a_party_that_has_lost_its_part_has_the_task_run_again_with_everybody(trio: Trio) -> None:
    first = await finish(trio, pipeline())
    shutil.rmtree(trio.shop.directory / "jobs" / first / "align")
    second = await finish(trio, pipeline())
    for office in trio:
        assert await taken(office, second) == {"data": first}
        assert office.attempts(second, "align") == {1: "succeeded"}


async def test_what_is_lost_after_all_have_agreed_is_run_by_all(trio: Trio) -> None:
    first = await finish(trio, pipeline())
    carry = trio.wire.carry

    async def lose(sender: Any, receiver: Any, payload: bytes) -> bytes:
        if b"OrderAttempt" in payload:
            shutil.rmtree(trio.shop.directory / "jobs" / first / "align", ignore_errors=True)
        return await carry(sender, receiver, payload)

    trio.wire.carry = lose  # type: ignore[method-assign]
    second = await finish(trio, pipeline())
    orders = [said for _, _, said in trio.wire.said if isinstance(said, OrderAttempt) and said.job == second]
    assert {(said.attempt, said.reuse) for said in orders if said.task == "align"} == {(1, first), (2, None)}
    assert trio.shop.attempts(second, "align") == {1: "lost", 2: "succeeded"}
    for office in trio:
        found = await taken(office, second)
        assert "align" not in found
        assert found["data"] == first


async def test_new_content_at_one_party_is_run_by_all(trio: Trio) -> None:
    await finish(trio, pipeline())

    def refresh(session: Session) -> None:
        for version in session.query(DatasetVersion):
            version.sha256 = "1" * 64

    trio.telecom.write(refresh)
    assert await taken(trio.bank, await finish(trio, pipeline())) == {}


async def test_stricter_terms_are_held_by_running_again(trio: Trio) -> None:
    await finish(trio, pipeline())

    def tighten(session: Session) -> None:
        session.get_one(Grant, trio.telecom.grant).clauses = Clauses(minimum_group=50)

    trio.telecom.write(tighten)
    assert await taken(trio.bank, await finish(trio, pipeline())) == {}


async def test_a_job_that_reuses_is_a_use_of_the_grants_behind_it(trio: Trio) -> None:
    def allow_two(session: Session) -> None:
        session.get_one(Grant, trio.telecom.grant).clauses = Clauses(uses=2)

    trio.telecom.write(allow_two)
    await finish(trio, pipeline())
    await finish(trio, pipeline())
    assert trio.telecom.read(lambda session: enforcement.used(session, trio.telecom.grant)) == 2
    (problem,) = (await trio.bank.desk.submit(LOCAL, pipeline(), AGAIN)).problems
    assert (problem.party, "2 of 2 uses" in problem.message) == ("host-1", True)


async def test_a_grant_revoked_between_is_no_longer_a_way_to_the_results(trio: Trio) -> None:
    await finish(trio, pipeline())
    trio.telecom.revoke()
    (problem,) = (await trio.bank.desk.submit(LOCAL, pipeline(), AGAIN)).problems
    assert (problem.party, problem.task) == ("host-1", "data")


async def test_a_grant_revoked_after_the_proposal_ends_the_job(trio: Trio) -> None:
    await finish(trio, pipeline())
    carry = trio.wire.carry

    async def revoke(sender: Any, receiver: Any, payload: bytes) -> bytes:
        if b"OrderAttempt" in payload:
            trio.telecom.revoke()
        return await carry(sender, receiver, payload)

    trio.wire.carry = revoke  # type: ignore[method-assign]
    submission = await trio.bank.desk.submit(LOCAL, pipeline(), AGAIN)
    assert submission.job is not None
    row = await trio.bank.end(submission.job.id)
    assert row.fault is not None
    assert (row.state, row.fault.code, row.fault.party) == ("failed", "grant.missing", "host-1")


async def test_nothing_is_planned_to_be_told_again_by_what_is_reused(trio: Trio) -> None:
    def asking(**more: Any) -> PipelineSpec:
        return chain(data=reading(), fit=behaving({}, queries=30, **more))

    await finish(trio, asking())

    def spend(session: Session) -> None:
        dataset = session.get_one(Grant, trio.telecom.grant).dataset
        session.add(Spending(dataset=dataset, guest=trio.bank.me, used=30))

    trio.telecom.write(spend)
    (problem,) = (await trio.bank.desk.submit(LOCAL, asking(), Wishes(fresh=True))).problems
    assert "30 exact sums" in problem.message
    assert set(await taken(trio.telecom, await finish(trio, asking()))) == {"data", "fit"}


async def test_only_one_task_runs_and_what_it_needs_is_taken(trio: Trio) -> None:
    first = await finish(trio, pipeline())
    second = await finish(trio, pipeline(), part("only", "fit"))
    for office in trio:
        assert await taken(office, second) == {"data": first, "align": first}
        assert set(office.tasks(second)) == {"data", "align", "fit"}
    assert (await trio.bank.desk.view(LOCAL, second)).fragment == "only fit"


async def test_from_a_task_on_everything_that_follows_is_run(trio: Trio) -> None:
    first = await finish(trio, pipeline())
    second = await finish(trio, pipeline(), part("from", "fit"))
    assert await taken(trio.bank, second) == {"data": first, "align": first}
    assert set(trio.bank.tasks(second)) == {"data", "align", "fit", "judge"}


async def test_up_to_a_task_makes_what_a_later_fragment_takes(trio: Trio) -> None:
    first = await finish(trio, pipeline(), part("to", "align"))
    assert set(trio.bank.tasks(first)) == {"data", "align"}
    assert await taken(trio.bank, await finish(trio, pipeline(), part("from", "fit"))) == {
        "data": first,
        "align": first,
    }


async def test_a_fragment_without_what_it_needs_says_which_task_and_what_helps(trio: Trio) -> None:
    await finish(trio, pipeline(), part("to", "data"))
    (problem,) = (await trio.bank.desk.submit(LOCAL, pipeline(), part("only", "fit"))).problems
    assert (problem.party, problem.task) == (GUEST, "align")
    assert "--to align" in problem.remedy
    with pytest.raises(HanseError, match=r"pipeline\.no_task"):
        await trio.bank.desk.submit(LOCAL, pipeline(), part("only", "absent"))


async def test_what_is_meant_to_differ_is_reused_only_when_asked_for(trio: Trio) -> None:
    spec = chain(data=reading(), cut=behaving({}, redraws=True), fit=behaving({}))
    first = await finish(trio, spec)
    second = await finish(trio, spec)
    assert await taken(trio.bank, second) == {"data": first}
    third = await finish(trio, spec, part("only", "fit"))
    assert await taken(trio.telecom, third) == {"data": first, "cut": second}


async def test_a_job_is_resumed_with_what_it_has_finished(trio: Trio) -> None:
    spec = chain(data=reading(), cut=behaving({}, redraws=True), fit=behaving({"1": "fail"}, host(1)))
    job = await trio.bank.run(spec)
    for office in trio:
        assert (await office.end(job)).state == "failed"
    resumed = await trio.bank.desk.retry(LOCAL, job, resume=True)
    assert resumed.job is not None
    again = resumed.job.id
    assert (await trio.bank.end(again)).state == "failed"
    view = await trio.bank.desk.view(LOCAL, again)
    assert {task.name: task.reused_from for task in view.tasks} == {"data": job, "cut": job, "fit": None}
    assert view.retry_of == job
    assert trio.bank.read(lambda session: service.get_job(session, job)).state == "failed"


async def test_a_task_of_a_host_alone_is_reused_too(trio: Trio) -> None:
    spec = chain(data=reading(), note=TaskSpec("step", {"only": [host(1)]}), fit=behaving({}))
    first = await finish(trio, spec)
    second = await finish(trio, spec)
    assert await taken(trio.telecom, second) == {"data": first, "note": first, "fit": first}
    assert await taken(trio.bank, second) == {"data": first, "fit": first}
    shutil.rmtree(trio.telecom.directory / "jobs" / first / "note")
    shutil.rmtree(trio.telecom.directory / "jobs" / second / "note")
    assert await taken(trio.bank, await finish(trio, spec)) == {"data": first}


async def test_results_of_jobs_that_the_caller_may_not_see_are_not_taken(trio: Trio) -> None:
    await finish(trio, pipeline())
    rights: Any = {Permission.JOBS_RUN: "all"}
    blind = Caller("user-ann", "ann", "user", rights, frozenset({PROJECT}))
    submission = await trio.bank.desk.submit(blind, pipeline(), AGAIN)
    assert await taken(trio.bank, await succeed(trio, submission)) == {}


async def test_a_guest_cannot_name_the_job_of_another_guest(trio: Trio) -> None:
    spec = pipeline()
    job = await finish(trio, spec)
    parties = {GUEST: "shop", host(1): "telecom", host(2): "bank"}
    turned = msgspec.structs.replace(spec, parties=parties)
    submission = await trio.shop.desk.submit(LOCAL, turned, Wishes(fresh=False, resume=True, retry_of=job))
    assert await taken(trio.telecom, await succeed(trio, submission)) == {}
    assert set(PARTIES.values()) == set(parties.values())
