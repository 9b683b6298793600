"""The life of a job at three desks: accepted, run, broken, cancelled, restarted; it ends alike everywhere."""

from __future__ import annotations

import os

import msgspec
import psutil
import pytest
from sqlalchemy.orm import Session
from tests.control.conftest import Trio
from tests.control.offices import IDS, PARTIES, PROJECT, Office, behaving, chain, reading

from hanse.control.access.callers import LOCAL
from hanse.control.audit import service as audit
from hanse.control.jobs import decisions, desk, service
from hanse.control.jobs.tables import Attempt
from hanse.control.models import service as models
from hanse.control.organisations.tables import Member, MemberState
from hanse.core.errors import CATALOGUE
from hanse.core.faults import Fault, HanseError
from hanse.core.ids import JobId, TaskName
from hanse.core.job_messages import AttemptEnded, Decision, JobEnded, OrderAttempt, ProposeJob, TaskEnded
from hanse.core.planning import Problem
from hanse.core.roles import GUEST, PartyId, host
from hanse.core.specs import PipelineSpec, TaskSpec
from hanse.core.throttle import Throttle

HOSTS = (host(1), host(2))


async def end_everywhere(trio: Trio, job: JobId) -> set[str]:
    return {(await office.end(job)).state for office in trio}


def list_leftovers(office: Office) -> list[str]:
    names = (name for _, folders, files in os.walk(office.directory) for name in (*folders, *files))
    return [name for name in names if name in ("half-written", "checkpoints")]


async def test_a_job_of_three_tasks_succeeds_at_every_party(trio: Trio) -> None:
    spec = chain(data=reading(), align=behaving({}), fit=behaving({}, makes={"model": "model", "table": "table"}))
    job = await trio.bank.run(spec)
    assert await end_everywhere(trio, job) == {"succeeded"}
    for office in trio:
        assert office.tasks(job) == {"data": "succeeded", "align": "succeeded", "fit": "succeeded"}
        assert office.attempts(job, "fit") == {1: "succeeded"}
        await office.wait(job, lambda _, office=office: not list_leftovers(office))  # type: ignore[misc]
        (model,) = office.read(lambda session: models.list_models(session, LOCAL))
        assert model.id == models.name_model(job, TaskName("fit"))
        assert model.artefact.path.startswith(str(office.directory))
        assert set(model.parties.values()) == set(IDS.values())


async def test_a_party_reads_its_own_granted_columns_and_its_own_earlier_outputs(trio: Trio) -> None:
    job = await trio.bank.run(chain(data=reading(), align=behaving({})))
    assert await end_everywhere(trio, job) == {"succeeded"}
    for office in trio:
        folder = office.directory / "jobs" / job
        source = (folder / "data" / "1" / "inputs.json").read_text()
        assert f"{office.directory}/data/people.parquet" in source
        assert '"columns": ["id", "a"]' in source
        assert f"{folder}/data/1/outputs/table" in (folder / "align" / "1" / "inputs.json").read_text()


async def test_what_an_attempt_exchanged_is_kept_with_it(trio: Trio) -> None:
    job = await trio.bank.run(chain(only=behaving({})))
    assert await end_everywhere(trio, job) == {"succeeded"}
    view = await trio.telecom.desk.view(LOCAL, job)
    assert view.tasks[0].bytes_sent == {GUEST: 10}
    assert view.tasks[0].digests == {"guest/0/sent": "ab" * 32}
    assert view.tasks[0].peak_memory_bytes == 1 << 20


async def test_a_missing_grant_is_said_in_words_with_party_and_task(trio: Trio) -> None:
    trio.telecom.revoke()
    submission = await trio.bank.submit(chain(data=reading(), align=behaving({})))
    (problem,) = submission.problems
    assert (problem.party, problem.task) == ("host-1", "data")
    assert "'people'" in problem.message
    assert submission.job is not None
    assert await end_everywhere(trio, submission.job.id) == {"rejected"}
    assert all(office.attempts(submission.job.id, "data") == {} for office in trio)


async def test_a_column_granted_to_nobody_is_named(trio: Trio) -> None:
    columns = {host(2): {"columns": ["a", "b"]}}
    spec = chain(data=TaskSpec("dataset", {"dataset": "people"}, columns))
    submission = await trio.bank.submit(spec)
    (problem,) = submission.problems
    assert (problem.party, problem.task) == ("host-2", "data")
    assert problem.message.startswith("b of dataset 'people'")


async def test_what_the_guest_finds_itself_makes_no_job_at_all(trio: Trio) -> None:
    trio.bank.revoke()
    submission = await trio.bank.submit(chain(data=reading()))
    assert submission.job is None
    assert [problem.party for problem in submission.problems] == ["guest"]
    assert trio.bank.read(service.list_jobs) == []


async def test_a_hosts_own_catalogue_has_its_say(trio: Trio) -> None:
    trio.shop.gateway.problem = Problem("only", "step 1.0.0 is proposed, 2.0.0 is installed", "update one of them")
    submission = await trio.bank.submit(chain(only=behaving({})))
    assert [(p.party, p.task, p.message) for p in submission.problems] == [
        ("host-2", "only", "step 1.0.0 is proposed, 2.0.0 is installed")
    ]


def set_state(office: Office, member: str, state: MemberState | None) -> None:
    def change(session: Session) -> None:
        row = session.get_one(Member, IDS[member])
        if state is None:
            session.delete(row)
        else:
            row.state = state

    office.write(change)


@pytest.mark.parametrize("state", [None, "pending", "awaiting"])
async def test_hosts_that_have_not_paired_say_so_before_the_job_begins(trio: Trio, state: MemberState | None) -> None:
    set_state(trio.telecom, "shop", state)
    submission = await trio.bank.submit(chain(only=behaving({})))
    (problem,) = submission.problems
    assert (problem.party, problem.task, problem.message) == ("host-1", "", "telecom does not know shop")
    assert "hanse invite" in problem.remedy
    assert "hanse join" in problem.remedy
    assert submission.job is not None
    assert await end_everywhere(trio, submission.job.id) == {"rejected"}


async def test_a_guest_names_the_party_that_it_does_not_speak_with(trio: Trio) -> None:
    set_state(trio.bank, "shop", "suspended")
    submission = await trio.bank.submit(chain(only=behaving({})))
    assert [(problem.party, problem.message) for problem in submission.problems] == [
        ("guest", "bank has suspended shop")
    ]
    assert submission.job is None


@pytest.mark.parametrize(
    "parties",
    [
        {GUEST: "telecom", host(1): "bank"},
        {GUEST: "bank", host(1): "bank"},
        {GUEST: "bank", host(1): "nobody"},
        {GUEST: "bank", "stranger": "shop"},
    ],
)
async def test_parties_that_cannot_be_are_refused(trio: Trio, parties: dict[str, str]) -> None:
    with pytest.raises(HanseError) as caught:
        await trio.bank.submit(PipelineSpec("x", "risk", parties, {TaskName("only"): behaving({})}))  # type: ignore[arg-type]
    assert caught.value.fault.code == "job.parties"


@pytest.mark.parametrize("party", [GUEST, host(1), host(2)])
async def test_an_attempt_that_dies_is_tried_again_at_every_party(trio: Trio, party: str) -> None:
    spec = chain(data=reading(), fit=behaving({"1": "die"}, party))  # type: ignore[arg-type]
    job = await trio.bank.run(spec)
    assert await end_everywhere(trio, job) == {"succeeded"}
    for office in trio:
        assert list(office.attempts(job, "fit")) == [1, 2]
        assert office.attempts(job, "fit")[2] == "succeeded"
        await office.wait(job, lambda _, office=office: not list_leftovers(office))  # type: ignore[misc]
        assert not (office.directory / "jobs" / job / "fit" / "1").exists()


async def test_after_four_deaths_the_job_names_the_party_and_the_task(trio: Trio) -> None:
    spec = chain(data=reading(), fit=behaving({"always": "die"}, host(1)), later=behaving({}))
    job = await trio.bank.run(spec)
    for office in trio:
        row = await office.end(job)
        assert row.state == "failed"
        assert row.fault is not None
        assert (row.fault.code, row.fault.party, row.fault.step) == ("attempt.lost", "host-1", "fit")
        assert office.tasks(job) == {"data": "succeeded", "fit": "failed", "later": "skipped"}
        assert len(office.attempts(job, "fit")) == decisions.ATTEMPTS


async def test_a_fault_of_the_task_itself_ends_it_and_its_cause_stays_at_home(trio: Trio) -> None:
    spec = chain(fit=behaving({"always": "fail"}, host(2)), later=behaving({}))
    job = await trio.bank.run(spec)
    assert await end_everywhere(trio, job) == {"failed"}
    for office in trio:
        row = await office.end(job)
        assert row.fault is not None
        assert (row.fault.code, row.fault.party, row.fault.step) == ("label.absent", "host-2", "fit")
        assert row.fault.cause == ""
        assert office.tasks(job) == {"fit": "failed", "later": "skipped"}
        assert len(office.attempts(job, "fit")) == 1
    own = await trio.shop.desk.view(LOCAL, job)
    attempt = trio.shop.read(lambda session: session.get_one(Attempt, (job, TaskName("fit"), 1, host(2))))
    assert attempt.fault is not None
    assert attempt.fault.cause == "row 17"
    assert own.state == "failed"


@pytest.mark.parametrize("who", ["bank", "telecom", "shop"])
async def test_any_party_can_cancel_and_no_process_is_left(trio: Trio, who: str) -> None:
    offices = {office.name: office for office in trio}
    job = await trio.bank.run(chain(fit=behaving({"always": "hang"}, *PARTIES), later=behaving({})))
    for office in trio:
        await office.wait(job, office.is_running(job, "fit", 1))
    pids = [
        office.read(lambda session: [row.pid for row in service.attempts_of(session, job, TaskName("fit")) if row.pid])
        for office in trio
    ]
    await offices[who].desk.cancel(LOCAL, job)
    assert await end_everywhere(trio, job) == {"cancelled"}
    for office in trio:
        assert office.tasks(job) == {"fit": "cancelled", "later": "skipped"}
        assert set(office.attempts(job, "fit").values()) == {"cancelled"}
    assert not any(psutil.pid_exists(pid) for own in pids for pid in own if pid)


@pytest.mark.parametrize("who", ["bank", "telecom"])
async def test_a_node_that_restarts_in_the_middle_costs_one_attempt(trio: Trio, who: str) -> None:
    office = {found.name: found for found in trio}[who]
    job = await trio.bank.run(chain(data=reading(), fit=behaving({"1": "hang"}, *PARTIES)))
    for one in trio:
        await one.wait(job, one.is_running(job, "fit", 1))
    await office.close()
    await office.open()
    assert await end_everywhere(trio, job) == {"succeeded"}
    assert office.attempts(job, "fit") == {1: "lost", 2: "succeeded"}
    assert {number for one in trio for number in one.attempts(job, "fit")} == {1, 2}


async def test_a_host_that_is_away_for_a_while_is_waited_for(trio: Trio, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(desk, "PROPOSAL_S", 0.1)
    trio.wire.down.add(IDS["shop"])
    submission = await trio.bank.desk.submit(LOCAL, chain(only=behaving({})))
    assert submission.job is not None
    assert submission.job.state == "proposed"
    trio.wire.down.clear()
    assert await end_everywhere(trio, submission.job.id) == {"succeeded"}


async def test_a_host_that_stays_away_ends_the_job_and_learns_it_when_it_is_back(
    trio: Trio, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = await trio.bank.run(chain(fit=behaving({"always": "hang"}, *PARTIES)))
    for office in trio:
        await office.wait(job, office.is_running(job, "fit", 1))
    monkeypatch.setattr(decisions, "AWAY_S", 0.0)
    trio.wire.down.add(IDS["telecom"])
    for office in (trio.bank, trio.shop):
        row = await office.end(job)
        assert row.fault is not None
        assert (row.state, row.fault.code, row.fault.party) == ("failed", "peer.unreachable", "host-1")
    trio.wire.down.clear()
    assert (await trio.telecom.end(job)).state == "failed"


async def test_a_grant_taken_back_between_two_tasks_ends_the_job(trio: Trio) -> None:
    spec = chain(data=reading(), wait=behaving({"1": "hang"}, GUEST), fit=behaving({}))
    job = await trio.bank.run(spec)
    await trio.bank.wait(job, trio.bank.is_running(job, "wait", 1))
    trio.telecom.revoke()
    attempt = trio.bank.read(lambda session: session.get_one(Attempt, (job, TaskName("wait"), 1, GUEST)))
    assert attempt.pid is not None
    psutil.Process(attempt.pid).kill()
    assert await end_everywhere(trio, job) == {"failed"}
    row = await trio.bank.end(job)
    assert row.fault is not None
    assert (row.fault.code, row.fault.party, row.fault.step) == ("grant.missing", "host-1", "wait")


async def test_orders_are_taken_from_the_guest_of_the_job_only(trio: Trio) -> None:
    job = await trio.bank.run(chain(fit=behaving({"always": "hang"}, *PARTIES)))
    await trio.telecom.wait(job, trio.telecom.is_running(job, "fit", 1))
    for sender in ("shop", "telecom"):
        with pytest.raises(HanseError) as caught:
            await trio.telecom.desk.order(IDS[sender], job, TaskName("fit"), 2)
        assert caught.value.fault.code == "job.not_yours"
    await trio.bank.desk.cancel(LOCAL, job)
    await end_everywhere(trio, job)


async def test_whoever_blames_a_party_that_the_job_does_not_have_is_blamed(trio: Trio) -> None:
    job = await trio.bank.run(chain(fit=behaving({"always": "hang"}, *PARTIES)))
    for office in trio:
        await office.wait(job, office.is_running(job, "fit", 1))
    lie = Fault("label.absent", PartyId("host-9"), "fit")
    await trio.bank.desk.hear_attempt(IDS["telecom"], AttemptEnded(job, TaskName("fit"), 1, host(1), "failed", lie))
    for office in trio:
        row = await office.end(job)
        assert row.fault is not None
        assert (row.state, row.fault.code, row.fault.party) == ("failed", "label.absent", "host-1")


async def test_a_guest_that_blames_a_party_that_the_job_does_not_have_is_blamed(trio: Trio) -> None:
    job = await trio.bank.run(chain(fit=behaving({"always": "hang"}, *PARTIES)))
    await trio.telecom.wait(job, trio.telecom.is_running(job, "fit", 1))
    lie = Fault("label.absent", PartyId("host-9"), "fit")
    await trio.telecom.desk.end_task(IDS["bank"], TaskEnded(job, TaskName("fit"), "failed", lie))
    await trio.telecom.desk.end(IDS["bank"], JobEnded(job, "failed", lie))
    task = trio.telecom.read(lambda session: service.get_task(session, job, TaskName("fit")))
    for told in (task.fault, (await trio.telecom.end(job)).fault):
        assert told == Fault("label.absent", GUEST, "fit")
    await trio.bank.desk.cancel(LOCAL, job)
    await trio.shop.end(job)


async def test_an_order_said_again_starts_nothing(trio: Trio) -> None:
    job = await trio.bank.run(chain(fit=behaving({"always": "hang"}, *PARTIES)))
    await trio.telecom.wait(job, trio.telecom.is_running(job, "fit", 1))
    opened = list(trio.telecom.gateway.opened)
    for _ in range(3):
        standing = await trio.telecom.desk.order(IDS["bank"], job, TaskName("fit"), 1)
        assert standing.state == "running"
    assert trio.telecom.gateway.opened == opened
    await trio.bank.desk.cancel(LOCAL, job)
    await end_everywhere(trio, job)
    late = await trio.telecom.desk.order(IDS["bank"], job, TaskName("fit"), 2)
    assert late.state == "cancelled"


def proposing(number: int, spec: PipelineSpec) -> ProposeJob:
    return ProposeJob(JobId(f"job-{number:016x}"), PROJECT, spec, dict(zip(PARTIES, IDS.values(), strict=True)), {}, "")


async def test_a_guest_has_so_many_jobs_open_at_a_host_and_is_told_so(
    trio: Trio, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "OPEN_JOBS", 2)
    spec = chain(only=behaving({}))
    for number in range(2):
        assert await trio.telecom.desk.consider(IDS["bank"], proposing(number, spec)) == Decision()
    with pytest.raises(HanseError) as caught:
        await trio.telecom.desk.consider(IDS["bank"], proposing(2, spec))
    assert caught.value.fault.code == "job.too_many"
    assert await trio.telecom.desk.consider(IDS["bank"], proposing(1, spec)) == Decision()
    (problem,) = (await trio.bank.submit(spec)).problems
    assert (problem.party, problem.message) == ("host-1", CATALOGUE["job.too_many"].text["en"])
    assert problem.remedy == CATALOGUE["job.too_many"].advice["en"]
    assert len(trio.telecom.read(service.list_jobs)) == 2
    await trio.telecom.desk.end(IDS["bank"], JobEnded(proposing(0, spec).job, "cancelled"))
    assert await trio.telecom.desk.consider(IDS["bank"], proposing(3, spec)) == Decision()


async def test_rejected_proposals_are_kept_without_their_tasks_and_at_a_rate(
    trio: Trio, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trio.telecom.desk, "_rejected", Throttle(burst=2, each_second=0))
    trio.telecom.revoke()
    long = msgspec.structs.replace(chain(data=reading(), fit=behaving({})), description="x" * 4000)
    for number in range(4):
        for _ in range(2):
            (problem,) = (await trio.telecom.desk.consider(IDS["bank"], proposing(number, long))).problems
            assert problem.task == "data"
    kept = trio.telecom.read(service.list_jobs)
    assert [(row.state, row.spec.tasks, row.spec.description, row.versions) for row in kept] == [
        ("rejected", {}, "", {})
    ] * 2
    assert (await trio.telecom.desk.view(LOCAL, kept[0].id)).guest == "bank"
    lines = trio.telecom.read(lambda session: [line for line in audit.lines(session) if line.action == "job.reject"])
    assert len(lines) == 2


async def test_a_proposal_said_again_gets_the_same_answer_and_another_under_its_name_is_refused(trio: Trio) -> None:
    job = await trio.bank.run(chain(only=behaving({})))
    (first, *_) = [said for _, to, said in trio.wire.said if isinstance(said, ProposeJob) and to == IDS["shop"]]
    assert (await trio.shop.desk.consider(IDS["bank"], first)).problems == ()
    with pytest.raises(HanseError):
        await trio.shop.desk.consider(IDS["telecom"], first)
    await end_everywhere(trio, job)


async def test_the_guest_starts_its_own_attempt_when_all_hosts_have_theirs(trio: Trio) -> None:
    job = await trio.bank.run(chain(only=behaving({})))
    assert await end_everywhere(trio, job) == {"succeeded"}
    rows = trio.bank.read(lambda session: service.attempts_of(session, job, TaskName("only")))
    started = {row.party: row.started_at for row in rows}
    assert all(started[GUEST] is not None and started[party] <= started[GUEST] for party in HOSTS)  # type: ignore[operator]
    assert sum(isinstance(said, OrderAttempt) for *_, said in trio.wire.said) >= len(HOSTS)


async def test_whoever_waits_for_events_gets_them_in_order_without_a_gap(trio: Trio) -> None:
    job = await trio.bank.run(chain(data=reading(), fit=behaving({})))
    numbers: list[int] = []
    kinds: list[tuple[str, object]] = []
    while not numbers or kinds[-1] != ("job", "succeeded"):
        events = await trio.telecom.desk.events(LOCAL, job, numbers[-1] if numbers else 0, 20.0)
        numbers += [event.number for event in events]
        kinds += [(event.kind, event.data.get("state")) for event in events]
    assert numbers == list(range(1, len(numbers) + 1))
    assert kinds[0] == ("job", "proposed")


async def test_only_organisations_of_a_job_take_part_in_it(trio: Trio) -> None:
    pair = PipelineSpec("x", "risk", {GUEST: "bank", host(1): "telecom"}, {TaskName("only"): behaving({})})
    job = await trio.bank.run(pair)
    assert (await trio.telecom.end(job)).state == "succeeded"
    assert trio.bank.desk.takes_part(IDS["telecom"], job)
    assert not trio.bank.desk.takes_part(IDS["shop"], job)
    assert not trio.telecom.desk.takes_part(IDS["bank"], JobId("job-ffffffffffffffff"))
