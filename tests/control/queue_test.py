"""Jobs that wait: for parties, for room, for their turn; and jobs that take too long."""

from __future__ import annotations

import asyncio

import msgspec
import pytest
from sqlalchemy.orm import Session
from tests.control.conftest import Trio
from tests.control.offices import IDS, PARTIES, PROJECT, Office, behaving, chain, reading

from hanse.control.access.callers import LOCAL, Caller
from hanse.control.access.permissions import Permission
from hanse.control.audit import service as audit
from hanse.control.estimates.tables import Expectation
from hanse.control.jobs import desk, queue, service
from hanse.control.jobs.queue import Rules
from hanse.control.jobs.search import Wanted
from hanse.control.jobs.tables import Job, Participant
from hanse.control.jobs.wishes import Wishes
from hanse.core.estimates import Estimate, Range
from hanse.core.faults import HanseError
from hanse.core.ids import JobId, ProjectId, TaskName
from hanse.core.roles import GUEST, host
from hanse.core.times import later

MODELLER = Caller(
    "user-ann",
    "ann",
    "user",
    {Permission.JOBS_READ: "own", Permission.JOBS_RUN: "own", Permission.RESULTS_DOWNLOAD: "own"},
    frozenset({PROJECT}),
)
STRANGER = msgspec.structs.replace(MODELLER, id="user-bob", name="bob", projects=frozenset())
OPERATOR = Caller("user-op", "op", "user", {Permission.JOBS_READ: "all", Permission.NODE_OPERATE: "all"})


def add_waiting(session: Session, name: str, priority: int = 5, project: str = PROJECT, waited_s: float = 0.0) -> JobId:
    """Add a job that every party has accepted."""
    job = JobId(f"job-{name}")
    session.add(
        Job(
            id=job,
            name=name,
            project=ProjectId(project),
            state="proposed",
            me=GUEST,
            guest=IDS["bank"],
            spec=chain(only=behaving({})),
            versions={},
            learns={},
            owner="user-ann",
            priority=priority,
            created_at=later(-waited_s),
            heard_at=later(0),
            lease_until="",
            due_at=later(3600),
        )
    )
    session.flush()
    session.add(Participant(job=job, party=GUEST, organisation=IDS["bank"], accepted=True))
    return job


def set_running(session: Session, job: JobId) -> None:
    session.get_one(Job, job).state = "running"
    session.get_one(Job, job).started_at = later(0)
    session.flush()


def line(office: Office, rules: Rules = queue.USUAL) -> dict[str, str]:
    """Return the names of the waiting jobs, first first, with the code of what they wait for."""
    reasons = office.read(lambda session: queue.line_up(session, rules))
    return {job.removeprefix("job-"): "" if reason is None else reason.code for job, reason in reasons.items()}


async def test_the_most_urgent_job_begins_first_and_the_older_of_two_equals(trio: Trio) -> None:
    def fill(session: Session) -> None:
        add_waiting(session, "low", 1, waited_s=30)
        add_waiting(session, "young", waited_s=10)
        add_waiting(session, "old", waited_s=20)
        add_waiting(session, "high", 9)

    trio.bank.write(fill)
    assert line(trio.bank, Rules(jobs=2)) == {"high": "", "old": "", "young": "queue.full", "low": "queue.full"}


async def test_waiting_makes_urgent_so_that_nothing_starves(trio: Trio) -> None:
    def fill(session: Session) -> None:
        add_waiting(session, "high", 9)
        add_waiting(session, "patient", 0, waited_s=10 * queue.AGE_S)

    trio.bank.write(fill)
    assert list(line(trio.bank)) == ["patient", "high"]


async def test_the_project_with_the_fewest_jobs_running_comes_first(trio: Trio) -> None:
    def fill(session: Session) -> None:
        set_running(session, add_waiting(session, "running", waited_s=90))
        add_waiting(session, "older", waited_s=60)
        add_waiting(session, "other", project="project-other", waited_s=30)

    trio.bank.write(fill)
    assert list(line(trio.bank)) == ["other", "older"]


@pytest.mark.parametrize(
    ("rules", "code"),
    [
        (Rules(jobs_of_project=1), "queue.limit"),
        (Rules(jobs_of_user=1), "queue.limit"),
        (Rules(jobs_of_project_a_day=1), "queue.quota"),
        (Rules(jobs_of_user_a_day=1), "queue.quota"),
        (Rules(jobs=1), "queue.full"),
    ],
)
async def test_each_limit_keeps_the_next_job_waiting_and_is_named(trio: Trio, rules: Rules, code: str) -> None:
    def fill(session: Session) -> None:
        set_running(session, add_waiting(session, "running"))
        add_waiting(session, "next")

    trio.bank.write(fill)
    assert line(trio.bank, rules) == {"next": code}


async def test_a_job_behind_a_full_project_does_not_wait_for_it(trio: Trio) -> None:
    def fill(session: Session) -> None:
        set_running(session, add_waiting(session, "running"))
        add_waiting(session, "blocked", 9)
        add_waiting(session, "free", 1, project="project-other")

    trio.bank.write(fill)
    assert line(trio.bank, Rules(jobs_of_project=1)) == {"blocked": "queue.limit", "free": ""}


async def test_a_job_with_a_party_that_is_down_comes_back_at_once_with_the_reason(trio: Trio) -> None:
    trio.wire.down.add(IDS["shop"])
    async with asyncio.timeout(desk.PROPOSAL_S / 2):
        job = await trio.bank.run(chain(only=behaving({})))
    view = await trio.bank.desk.view(LOCAL, job)
    assert view.state == "proposed"
    assert [(reason.code, reason.party) for reason in view.waiting] == [("queue.away", "host-2")]
    trio.wire.down.clear()
    assert (await trio.bank.end(job)).state == "succeeded"
    view = await trio.bank.desk.view(LOCAL, job)
    assert view.waiting == ()


async def test_what_a_running_attempt_uses_is_seen_while_it_runs(trio: Trio, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(desk, "WATCH_S", 0.05)
    await trio.bank.close()
    await trio.bank.open()
    job = await trio.bank.run(chain(only=behaving({"always": "hang"}, *PARTIES)))

    def is_seen(session: Session) -> bool:
        rows = service.attempts_of(session, job, TaskName("only"))
        return any(row.party == GUEST and row.peak_memory_bytes > 0 for row in rows)

    await trio.bank.wait(job, is_seen)
    (task,) = (await trio.bank.desk.view(LOCAL, job)).tasks
    assert task.state == "running"
    assert task.peak_memory_bytes is not None
    assert 1 << 20 < task.peak_memory_bytes < 1 << 32
    assert (task.bytes_sent, task.bytes_received) == ({host(1): 7}, {host(1): 9})
    await trio.bank.desk.cancel(LOCAL, job)
    assert (await trio.bank.end(job)).state == "cancelled"


async def test_who_waits_for_a_place_is_told_when_the_first_running_job_is_expected_to_end(trio: Trio) -> None:
    def fill(session: Session) -> None:
        for name, expected_s in (("short", 600.0), ("long", 9000.0)):
            set_running(session, add_waiting(session, name))
            figures = Range(expected_s / 2, expected_s, 2 * expected_s)
            estimate = Estimate(GUEST, figures, Range(), Range(), Range(), {}, (), 3)
            session.add(Expectation(job=JobId(f"job-{name}"), at=later(0), estimate=estimate))
        add_waiting(session, "next")

    trio.bank.write(fill)
    reasons = trio.bank.read(lambda session: queue.line_up(session, Rules(jobs=2)))
    told = reasons[JobId("job-next")]
    assert told is not None
    said, _, at = told.cause.partition("; the first is expected to end at ")
    assert said == "2 jobs run at once on this node"
    assert later(500) < at < later(700)


async def test_a_job_waits_until_there_is_room_on_the_node_and_then_begins(trio: Trio) -> None:
    await trio.bank.close()
    trio.bank.rules = Rules(jobs=1)
    await trio.bank.open()
    first = await trio.bank.run(chain(only=behaving({"always": "hang"}, *PARTIES)))
    await trio.bank.wait(first, trio.bank.is_running(first, "only", 1))
    second = await trio.bank.run(chain(only=behaving({})))
    view = await trio.bank.desk.view(LOCAL, second)
    assert [(reason.code, reason.cause) for reason in view.waiting] == [
        ("queue.full", "1 jobs run at once on this node")
    ]
    await trio.bank.desk.cancel(LOCAL, first)
    assert (await trio.bank.end(second)).state == "succeeded"


async def test_tasks_wait_for_a_place_and_say_so(trio: Trio) -> None:
    await trio.bank.close()
    trio.bank.rules = Rules(tasks=1)
    await trio.bank.open()
    first = await trio.bank.run(chain(only=behaving({"always": "hang"}, *PARTIES)))
    await trio.bank.wait(first, trio.bank.is_running(first, "only", 1))
    second = await trio.bank.run(chain(only=behaving({})))
    await trio.bank.wait(
        second, lambda session: [f.code for f in session.get_one(Job, second).waiting] == ["queue.busy"]
    )
    assert trio.bank.tasks(second) == {"only": "waiting"}
    await trio.bank.desk.cancel(LOCAL, first)
    assert (await trio.bank.end(second)).state == "succeeded"


@pytest.mark.parametrize("wishes", [Wishes(time_limit_s=1), Wishes(task_time_limit_s=1)])
async def test_a_job_that_takes_too_long_ends_everywhere_and_names_the_limit(trio: Trio, wishes: Wishes) -> None:
    spec = chain(only=behaving({"always": "hang"}, *PARTIES))
    submission = await trio.bank.desk.submit(LOCAL, spec, wishes)
    assert submission.job is not None
    for office in trio:
        ended = await office.end(submission.job.id)
        assert ended.fault is not None
        assert (ended.state, ended.fault.code) == ("failed", "job.time_limit")
    told = trio.bank.read(lambda session: service.get_job(session, submission.job.id)).fault  # type: ignore[union-attr]
    assert told is not None
    assert "1 s" in told.cause


async def test_more_time_than_the_node_gives_is_refused(trio: Trio) -> None:
    await trio.bank.close()
    trio.bank.rules = Rules(time_limit_s=60)
    await trio.bank.open()
    with pytest.raises(HanseError, match=r"job\.limit"):
        await trio.bank.desk.submit(LOCAL, chain(only=behaving({})), Wishes(time_limit_s=61))


async def test_a_failed_job_is_started_again_as_a_new_one_that_is_linked(trio: Trio) -> None:
    trio.telecom.revoke()
    refused = await trio.bank.submit(chain(data=reading()))
    assert refused.job is not None
    trio.telecom.grant_again()
    again = await trio.bank.desk.retry(LOCAL, refused.job.id)
    assert again.job is not None
    assert (await trio.bank.end(again.job.id)).state == "succeeded"
    assert (await trio.bank.desk.view(LOCAL, again.job.id)).retry_of == refused.job.id
    assert (await trio.bank.desk.view(LOCAL, refused.job.id)).retried_as == (again.job.id,)
    with pytest.raises(HanseError, match=r"job\.unfinished"):
        await trio.bank.desk.retry(LOCAL, again.job.id)
    with pytest.raises(HanseError, match=r"job\.not_yours"):
        await trio.shop.desk.retry(LOCAL, refused.job.id)
    lines = [found for found in trio.bank.read(audit.lines) if found.subject == again.job.id]
    assert [(found.action, found.details.get("retry_of")) for found in lines] == [("job.start", refused.job.id)]


async def test_above_normal_priority_is_the_operators_to_give(trio: Trio) -> None:
    spec = chain(only=behaving({"always": "hang"}, *PARTIES))
    with pytest.raises(HanseError, match=r"access\.denied"):
        await trio.bank.desk.submit(MODELLER, spec, Wishes(priority=6))
    submission = await trio.bank.desk.submit(MODELLER, spec, Wishes(priority=2))
    assert submission.job is not None
    job = submission.job.id
    await trio.bank.desk.set_priority(MODELLER, job, 5)
    with pytest.raises(HanseError, match=r"access\.denied"):
        await trio.bank.desk.set_priority(MODELLER, job, 6)
    await trio.bank.desk.set_priority(OPERATOR, job, 9)
    lines = [found for found in trio.bank.read(audit.lines) if found.action == "job.priority"]
    assert [(found.actor, found.details["now"]) for found in lines] == [("user-ann", 5), ("user-op", 9)]
    await trio.bank.desk.cancel(MODELLER, job)
    await trio.bank.end(job)
    with pytest.raises(HanseError, match=r"job\.ended"):
        await trio.bank.desk.set_priority(OPERATOR, job, 1)


async def test_a_stranger_neither_sees_nor_changes_a_job(trio: Trio) -> None:
    submission = await trio.bank.desk.submit(MODELLER, chain(only=behaving({})))
    assert submission.job is not None
    job = submission.job.id
    await trio.bank.end(job)
    look = trio.bank.desk
    for attempt in (look.view(STRANGER, job), look.cancel(STRANGER, job), look.events(STRANGER, job, 0, 0.0)):
        with pytest.raises(HanseError, match=r"job\.unknown"):
            await attempt
    with pytest.raises(HanseError, match=r"access\.denied"):
        await look.cancel(OPERATOR, job)
    with pytest.raises(HanseError, match=r"project\.unknown"):
        await look.submit(STRANGER, chain(only=behaving({})))
    assert trio.bank.read(lambda session: service.list_jobs(session, STRANGER)) == []
    assert [found.id for found in trio.bank.read(lambda session: service.list_jobs(session, MODELLER))] == [job]


async def test_each_party_sees_its_own_attempts_and_of_the_others_only_how_they_are(trio: Trio) -> None:
    job = await trio.bank.run(chain(only=behaving({"1": "fail"}, GUEST)))
    await trio.bank.end(job)
    await trio.telecom.end(job)
    (own,) = (await trio.bank.desk.view(LOCAL, job)).tasks
    assert [attempt.fault and attempt.fault.cause for attempt in own.attempts] == ["row 17"]
    assert set(own.others) == {"host-1", "host-2"}
    (seen,) = (await trio.telecom.desk.view(LOCAL, job)).tasks
    assert "row 17" not in msgspec.json.encode(seen).decode()
    assert [attempt.number for attempt in seen.attempts] == [1]
    assert seen.others == {}


async def test_the_list_is_narrowed_and_turned_page_by_page(trio: Trio) -> None:
    def fill(session: Session) -> None:
        for number in range(5):
            add_waiting(session, f"daily-{number}", waited_s=500 - 100 * number)
        add_waiting(session, "yearly_report", project="project-other", waited_s=5000)

    trio.bank.write(fill)

    def names(**wanted: object) -> list[str]:
        found = trio.bank.read(lambda session: service.list_jobs(session, MODELLER, Wanted(**wanted)))  # type: ignore[arg-type]
        return [job.name for job in found]

    first = names(text="DAILY", limit=3)
    assert first == ["daily-4", "daily-3", "daily-2"]
    assert names(text="DAILY", limit=3, after=JobId("job-daily-2")) == ["daily-1", "daily-0"]
    assert names(project="project-other") == names(text="y_r") == names(until=later(-1000)) == ["yearly_report"]
    assert names(project="risk", since=later(-250)) == ["daily-4", "daily-3"]
    assert names(states=("running",)) == names(partner="telecom") == names(archived=True) == []
    assert len(names(mine=True)) == 6
